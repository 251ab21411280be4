/* The lists are put together when the last name has been looked up; a host whose name has no address is left out, as
 * long as others have one. */
#include "db/address.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/must.h"

/* --- the hosts of a connection string --------------------------------------------------------- */

static const char *option_of(const PQconninfoOption *options, const char *keyword, const char *variable)
{
    for (; options->keyword; options++) {
        if (strcmp(options->keyword, keyword) == 0 && options->val && *options->val) return options->val;
    }
    const char *value = variable ? getenv(variable) : NULL;
    return value && *value ? value : NULL;
}

/* Empty: libpq's default, which is a socket. */
static bool is_socket(const char *host)
{
    return *host == 0 || *host == '/' || *host == '@';
}

static bool is_name(const char *host)
{
    unsigned char address[16];
    if (is_socket(host)) return false;
    return inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

/* Copies a list "a,b,c" into the room and cuts it there; how many elements it has, or -1: no room. */
static int split(struct address_hosts *h, size_t *used, const char *list, const char **out)
{
    size_t n = strlen(list) + 1;
    if (n > sizeof h->room - *used) return -1;
    char *at = memcpy(h->room + *used, list, n);
    *used += n;
    int count = 0;
    while (at) {
        char *comma = strchr(at, ',');
        if (count == ADDRESS_HOSTS_MAX) return -1;
        out[count++] = at;
        if (comma) *comma++ = 0;
        at = comma;
    }
    return count;
}

static bool take_hosts(struct address_hosts *h, const char *hosts, const char *ports)
{
    const char *names[ADDRESS_HOSTS_MAX], *numbers[ADDRESS_HOSTS_MAX];
    size_t used = 0;
    int count = split(h, &used, hosts, names), port_count = ports ? split(h, &used, ports, numbers) : 0;
    bool any_name = false;
    if (count < 0 || port_count < 0) return false;
    for (int i = 0; i < count; i++) any_name |= is_name(names[i]);
    if (!any_name && count == 1) return true;
    if (port_count > 1 && port_count != count) return true;   /* libpq says what is wrong */
    for (int i = 0; i < count; i++) {
        h->list[i].name = names[i];
        h->list[i].port = port_count == 0 ? "" : numbers[port_count == 1 ? 0 : i];
        h->list[i].is_name = is_name(names[i]);
    }
    h->count = count;
    h->has_ports = port_count > 0;
    return true;
}

bool address_hosts_init(struct address_hosts *h, const char *url)
{
    char *fault = NULL;
    *h = (struct address_hosts){ .count = 0 };
    PQconninfoOption *options = PQconninfoParse(url, &fault);
    PQfreemem(fault);
    if (!options) return false;
    const char *hosts = option_of(options, "host", "PGHOST");
    bool libpq_does = !hosts || option_of(options, "hostaddr", "PGHOSTADDR") ||
                      option_of(options, "service", "PGSERVICE");
    bool good = libpq_does || take_hosts(h, hosts, option_of(options, "port", "PGPORT"));
    PQconninfoFree(options);
    return good;
}

/* --- looking up ------------------------------------------------------------------------------- */

struct address_lookup {
    union {
        uv_getaddrinfo_t req;
        uv_timer_t timer;                 /* with no name to look up: the next turn */
    };
    const struct address_hosts *hosts;    /* NULL: forgotten */
    int first, current;                   /* current: the host whose name is being looked up */
    struct addrinfo *found[ADDRESS_HOSTS_MAX];
    char why[128];
    void (*done)(void *arg, const struct address_list *found, const char *why);
    void *arg;
};

static void on_found(uv_getaddrinfo_t *req, int status, struct addrinfo *found);
static void on_turn_closed(uv_handle_t *handle);

static void lookup_free(struct address_lookup *l)
{
    for (int i = 0; i < ADDRESS_HOSTS_MAX; i++) {
        if (l->found[i]) uv_freeaddrinfo(l->found[i]);
    }
    mem_free(l);
}

struct entry {
    const char *host, *port;
    char address[64];          /* "": a socket's directory */
};

struct entries {
    int count;
    struct entry list[ADDRESSES_MAX];
};

static void put_host(const struct address_lookup *l, int i, struct entries *out)
{
    const char *host = l->hosts->list[i].name, *port = l->hosts->list[i].port;
    if (!l->hosts->list[i].is_name && out->count < ADDRESSES_MAX) {
        struct entry *e = &out->list[out->count++];
        *e = (struct entry){ host, port, "" };
        if (!is_socket(host)) snprintf(e->address, sizeof e->address, "%s", host);
    }
    for (const struct addrinfo *a = l->found[i]; a && out->count < ADDRESSES_MAX; a = a->ai_next) {
        struct entry *e = &out->list[out->count];
        *e = (struct entry){ host, port, "" };
        out->count += getnameinfo(a->ai_addr, a->ai_addrlen, e->address, sizeof e->address, NULL, 0,
                                  NI_NUMERICHOST) == 0;
    }
}

static void put(struct buf *list, int i, const char *text)
{
    if (i > 0) buf_char(list, ',');
    buf_cstr(list, text);
}

static void hand_over(struct address_lookup *l, const struct entries *all)
{
    struct buf host, hostaddr, port;
    struct buf *lists[] = { &host, &hostaddr, &port };
    for (int i = 0; i < 3; i++) buf_init(lists[i], 1 << 18);
    for (int i = 0; i < all->count; i++) {
        const struct entry *e = &all->list[(l->first + i) % all->count];
        put(&host, i, e->host);
        put(&hostaddr, i, e->address);
        put(&port, i, e->port);
    }
    for (int i = 0; i < 3; i++) buf_char(lists[i], 0);
    must(!host.failed && !hostaddr.failed && !port.failed);   /* the hosts' room is much smaller */
    struct address_list found = { all->count, host.p, hostaddr.p, l->hosts->has_ports ? port.p : NULL };
    l->done(l->arg, &found, all->count ? "" : l->why);
    for (int i = 0; i < 3; i++) buf_fini(lists[i]);
}

static void finish(struct address_lookup *l)
{
    struct entries *all = mem_new(struct entries);
    for (int i = 0; i < l->hosts->count; i++) put_host(l, i, all);
    hand_over(l, all);
    mem_free(all);
    lookup_free(l);
}

/* Begins with the next host that has a name; false: there is none left. */
static bool look_up_next(struct address_lookup *l, uv_loop_t *loop)
{
    static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    while (++l->current < l->hosts->count) {
        if (!l->hosts->list[l->current].is_name) continue;
        must(uv_getaddrinfo(loop, &l->req, on_found, l->hosts->list[l->current].name, NULL, &hints) == 0);
        return true;
    }
    return false;
}

static void on_found(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct address_lookup *l = (struct address_lookup *) req;
    l->found[l->current] = found;
    if (!l->hosts) {
        lookup_free(l);
        return;
    }
    if (status != 0) snprintf(l->why, sizeof l->why, "the host's name is not found: %s", uv_strerror(status));
    if (!look_up_next(l, req->loop)) finish(l);
}

static void on_turn(uv_timer_t *timer)
{
    uv_close((uv_handle_t *) timer, on_turn_closed);
}

static void on_turn_closed(uv_handle_t *handle)
{
    struct address_lookup *l = (struct address_lookup *) handle;
    if (l->hosts) finish(l);
    else lookup_free(l);
}

struct address_lookup *address_lookup(uv_loop_t *loop, const struct address_hosts *hosts, int first,
                                      void (*done)(void *arg, const struct address_list *found, const char *why),
                                      void *arg)
{
    struct address_lookup *l = mem_new(struct address_lookup);
    must(hosts->count > 0 && first >= 0);
    l->hosts = hosts;
    l->first = first;
    l->current = -1;
    l->done = done;
    l->arg = arg;
    if (look_up_next(l, loop)) return l;
    must(uv_timer_init(loop, &l->timer) == 0 && uv_timer_start(&l->timer, on_turn, 0, 0) == 0);
    return l;
}

void address_lookup_forget(struct address_lookup *l)
{
    bool by_name = l->current < l->hosts->count;
    l->hosts = NULL;
    if (by_name) uv_cancel((uv_req_t *) &l->req);   /* refused when a thread has begun */
}
