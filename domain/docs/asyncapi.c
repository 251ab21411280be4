/* The AsyncAPI 3.0 document, from the table of messages. */
#include <stdio.h>
#include <string.h>

#include "core/must.h"
#include "domain/docs/docs_private.h"
#include "domain/docs/messages.h"

enum { KEY_BYTES_MAX = 128 };

static void put_ref(struct buf *out, const char *kind, const char *key)
{
    char ref[4 * KEY_BYTES_MAX];
    snprintf(ref, sizeof ref, "#/%s/%s", kind, key);
    json_open(out, '{');
    json_text(out, "$ref", ref);
    json_close(out, '}');
}

/* A key of the document may hold no colon: "payment:status:update" becomes "payment.status.update". */
static const char *key_of(const char *name, char out[KEY_BYTES_MAX])
{
    snprintf(out, KEY_BYTES_MAX, "%s", name);
    for (char *p = out; *p; p++) *p = *p == ':' ? '.' : *p;
    return out;
}

static void put_message_ref(struct buf *out, const struct channel *c, const char *name)
{
    char kind[2 * KEY_BYTES_MAX], key[KEY_BYTES_MAX];
    snprintf(kind, sizeof kind, "channels/%s/messages", c->key);
    put_ref(out, kind, key_of(name, key));
}

/* Schemas and examples -------------------------------------------------------------------------------- */

static void put_object_schema(struct buf *out, const struct member *members);

static void put_choices(struct buf *out, const struct member *m)
{
    struct str rest = str_from(m->choices), first = str_cut(&rest, ' ');
    if (!rest.p && !(m->flags & MEMBER_NULL)) {
        json_key(out, STR("const"));
        json_string(out, first);
        return;
    }
    json_open_key(out, "enum", '[');
    json_string(out, first);
    while (rest.p) json_string(out, str_cut(&rest, ' '));
    if (m->flags & MEMBER_NULL) json_null(out);
    json_close(out, ']');
}

static void put_schema(struct buf *out, const struct member *m)
{
    bool is_array = strcmp(m->type, "array") == 0;
    json_open(out, '{');
    json_key(out, STR("type"));
    if (m->flags & MEMBER_NULL) json_open(out, '[');
    json_string(out, str_from(m->type));
    if (m->flags & MEMBER_NULL) {
        json_string(out, STR("null"));
        json_close(out, ']');
    }
    if (m->help) json_text(out, "description", m->help);
    if (m->choices) put_choices(out, m);
    if (m->members && is_array) {
        json_open_key(out, "items", '{');
        json_text(out, "type", "object");
    }
    if (m->members) put_object_schema(out, m->members);
    if (m->members && is_array) json_close(out, '}');
    json_close(out, '}');
}

static void put_object_schema(struct buf *out, const struct member *members)
{
    json_open_key(out, "properties", '{');
    for (const struct member *m = members; m->name; m++) {
        json_key(out, str_from(m->name));
        put_schema(out, m);
    }
    json_close(out, '}');
    json_open_key(out, "required", '[');
    for (const struct member *m = members; m->name; m++) {
        if (!(m->flags & MEMBER_OPTIONAL)) json_string(out, str_from(m->name));
    }
    json_close(out, ']');
}

/* What is optional stands in the example, too, except the sign of a client that does not read. */
static void put_example(struct buf *out, const struct member *members)
{
    json_open(out, '{');
    for (const struct member *m = members; m->name; m++) {
        bool is_array = strcmp(m->type, "array") == 0;
        if (strcmp(m->name, "conflated") == 0) continue;
        json_key(out, str_from(m->name));
        if (m->sample) json_raw(out, str_from(m->sample));
        else if (is_array) json_open(out, '[');
        if (!m->sample) put_example(out, m->members);
        if (!m->sample && is_array) json_close(out, ']');
    }
    json_close(out, '}');
}

static void put_payload(struct buf *out, const struct member *members)
{
    json_open_key(out, "payload", '{');
    json_text(out, "type", "object");
    put_object_schema(out, members);
    json_close(out, '}');
    json_open_key(out, "examples", '[');
    json_open(out, '{');
    json_key(out, STR("payload"));
    put_example(out, members);
    json_close(out, '}');
    json_close(out, ']');
}

/* Channels -------------------------------------------------------------------------------------------- */

static void put_message(struct buf *out, const char *name, const char *summary, const struct member *members)
{
    char key[KEY_BYTES_MAX];
    json_open_key(out, key_of(name, key), '{');
    json_text(out, "name", name);
    json_text(out, "title", name);
    json_text(out, "summary", summary);
    json_text(out, "contentType", "application/json");
    put_payload(out, members);
    json_close(out, '}');
}

static void answer_name(const struct message *m, char out[KEY_BYTES_MAX])
{
    snprintf(out, KEY_BYTES_MAX, "%s:ack", m->name);
}

static void put_messages(struct buf *out, const struct channel *c)
{
    char name[KEY_BYTES_MAX];
    json_open_key(out, "messages", '{');
    for (const struct message *m = c->messages; m->name; m++) {
        put_message(out, m->name, m->summary, m->members);
        if (!m->answer) continue;
        answer_name(m, name);
        put_message(out, name, "The acknowledgement, when the client asked for one", m->answer);
    }
    json_close(out, '}');
}

static void put_channels(struct buf *out)
{
    json_open_key(out, "channels", '{');
    for (const struct channel *c = channels; c->key; c++) {
        json_open_key(out, c->key, '{');
        json_text(out, "address", c->address);
        json_text(out, "title", c->title);
        json_text(out, "description", c->description);
        json_open_key(out, "servers", '[');
        put_ref(out, "servers", c->server);
        json_close(out, ']');
        put_messages(out, c);
        json_close(out, '}');
    }
    json_close(out, '}');
}

/* Operations: from the server's point of view ------------------------------------------------------------ */

static void put_reply(struct buf *out, const struct channel *c, const struct message *m)
{
    char name[KEY_BYTES_MAX];
    struct str rest = str_from(m->replies);
    json_open_key(out, "reply", '{');
    json_key(out, STR("channel"));
    put_ref(out, "channels", c->key);
    json_open_key(out, "messages", '[');
    while (rest.p) {
        struct str reply = str_cut(&rest, ' ');
        snprintf(name, sizeof name, "%.*s", STR_FMT(reply));
        put_message_ref(out, c, name);
    }
    if (m->answer) {
        answer_name(m, name);
        put_message_ref(out, c, name);
    }
    json_close(out, ']');
    json_close(out, '}');
}

static void put_operation(struct buf *out, const struct channel *c, const struct message *m)
{
    char key[KEY_BYTES_MAX], name[3 * KEY_BYTES_MAX];
    const char *action = m->way == FROM_SERVER ? "send" : "receive";
    snprintf(name, sizeof name, "%s.%s.%s", c->key, action, key_of(m->name, key));
    json_open_key(out, name, '{');
    json_text(out, "action", action);
    json_text(out, "summary", m->summary);
    json_key(out, STR("channel"));
    put_ref(out, "channels", c->key);
    json_open_key(out, "messages", '[');
    put_message_ref(out, c, m->name);
    json_close(out, ']');
    if (m->replies || m->answer) put_reply(out, c, m);
    json_close(out, '}');
}

static void put_operations(struct buf *out)
{
    json_open_key(out, "operations", '{');
    for (const struct channel *c = channels; c->key; c++) {
        for (const struct message *m = c->messages; m->name; m++) put_operation(out, c, m);
    }
    json_close(out, '}');
}

/* The rest ---------------------------------------------------------------------------------------------- */

/* The public address without scheme and path: "api.example.com:8443". */
static struct str host_of(struct str url)
{
    struct str rest = url;
    str_cut(&rest, '/');
    str_cut(&rest, '/');
    return str_cut(&rest, '/');
}

static void put_server(struct buf *out, const char *key, struct str url, const char *pathname, const char *text)
{
    json_open_key(out, key, '{');
    json_key(out, STR("host"));
    json_string(out, host_of(url));
    if (pathname) json_text(out, "pathname", pathname);
    json_text(out, "protocol", str_starts_nocase(url, STR("https:")) ? "wss" : "ws");
    json_text(out, "description", text);
    json_open_key(out, "security", '[');
    put_ref(out, "components/securitySchemes", "bearer");
    put_ref(out, "components/securitySchemes", "basic");
    put_ref(out, "components/securitySchemes", "cookie");
    json_close(out, ']');
    json_close(out, '}');
}

static void put_security(struct buf *out)
{
    json_open_key(out, "components", '{');
    json_raw(out, STR("\"securitySchemes\":{"
                      "\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\"},"
                      "\"basic\":{\"type\":\"http\",\"scheme\":\"basic\"},"
                      "\"cookie\":{\"type\":\"httpApiKey\",\"in\":\"cookie\",\"name\":\"token\"}}"));
    json_close(out, '}');
}

void asyncapi_build(struct buf *out, struct str public_url, const char *version)
{
    json_open(out, '{');
    json_text(out, "asyncapi", "3.0.0");
    json_open_key(out, "info", '{');
    json_text(out, "title", "tally: events");
    json_text(out, "version", version);
    json_text(out, "description",
              "What the server tells connected clients, the moment it has committed, in commit order. Its own "
              "WebSocket and Socket.IO carry the same events; Socket.IO under the names that existing clients know.");
    json_close(out, '}');
    json_text(out, "defaultContentType", "application/json");
    json_open_key(out, "servers", '{');
    put_server(out, "websocket", public_url, NULL, "RFC 6455; without a proof of who listens, open topics only");
    put_server(out, "socketio", public_url, "/socket.io/",
               "Socket.IO protocol 5 over Engine.IO protocol 4, WebSocket and long polling; a channel's address is its "
               "namespace");
    json_close(out, '}');
    put_channels(out);
    put_operations(out);
    put_security(out);
    json_close(out, '}');
    must(!out->failed);
}
