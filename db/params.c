/* What a connection says of itself when it starts, made from the URL of the settings. */
#include <stdio.h>
#include <string.h>

#include "core/must.h"
#include "db/wire.h"

void wire_param(struct wire_params *params, const char *key, const char *value)
{
    must(params->count < WIRE_PARAMS_MAX);
    params->keys[params->count] = key;
    params->values[params->count++] = value;
    params->keys[params->count] = params->values[params->count] = NULL;
}

/* The URL's own `options` would be replaced by ours, so ours are put in front of them. */
static bool join_options(const char *url, const char *options, char *room, size_t room_size)
{
    char *fault = NULL;
    PQconninfoOption *parsed = PQconninfoParse(url, &fault);
    PQfreemem(fault);
    if (!parsed) return false;
    const char *own = "";
    for (PQconninfoOption *o = parsed; o->keyword; o++) {
        if (strcmp(o->keyword, "options") == 0 && o->val) own = o->val;
    }
    int n = snprintf(room, room_size, "%s %s", options, own);
    PQconninfoFree(parsed);
    return n >= 0 && (size_t) n < room_size;
}

bool wire_params_init(struct wire_params *params, const char *url, const char *name, const char *options,
                      int user_timeout_ms, char *room, size_t room_size)
{
    *params = (struct wire_params){ .count = 0 };
    if (!join_options(url, options, room, room_size) || !address_hosts_init(&params->hosts, url)) return false;
    size_t used = strlen(room) + 1;
    int n = snprintf(room + used, room_size - used, "%d", user_timeout_ms);
    if (n < 0 || (size_t) n >= room_size - used) return false;
    /* Before the URL: what it may change. libpq leaves these out for unix sockets. */
    wire_param(params, "keepalives_idle", "10");
    wire_param(params, "keepalives_interval", "5");
    wire_param(params, "keepalives_count", "3");
    wire_param(params, "tcp_user_timeout", room + used);
    wire_param(params, "dbname", url);
    /* After it: what it may not. */
    wire_param(params, "application_name", name);
    wire_param(params, "client_encoding", "UTF8");
    wire_param(params, "options", room);
    return true;
}

void wire_reason(const char *message, char out[WIRE_WHY_MAX])
{
    static const char mark[] = " failed: ";
    struct str rest = str_from(message);
    struct str line = str_trim(str_cut(&rest, '\n'));
    for (size_t i = 0; i + sizeof mark - 1 <= line.n; i++) {
        if (memcmp(line.p + i, mark, sizeof mark - 1) != 0) continue;
        line = (struct str){ line.p + i + sizeof mark - 1, line.n - i - (sizeof mark - 1) };
        break;
    }
    if (line.n == 0) line = STR("the connection was lost");
    snprintf(out, WIRE_WHY_MAX, "%.*s", STR_FMT(line));
}
