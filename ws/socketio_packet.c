/* Socket.IO's packets: a type as one digit, the namespace when it is not "/", an ack's number, data as JSON.
 *
 *     0{"token":"…"}        connect to "/"            2/rewards,["subscribe",{"userId":"john123"}]   an event
 *     1/rewards,            leave "/rewards"          27["join",{}]   an event that asks for the ack 37[true]
 *
 * Types 5 and 6 announce binary attachments, which we do not take. */
#include "core/must.h"
#include "ws/socketio_private.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct str cut_namespace(struct str *rest)
{
    if (rest->n == 0 || rest->p[0] != '/') return STR("/");
    struct str nsp = str_cut(rest, ',');
    if (!rest->p) *rest = STR("");
    return nsp;
}

/* False: more digits than a JavaScript number can tell apart. */
static bool cut_id(struct str *rest, int64_t *id)
{
    size_t n = 0;
    while (n < rest->n && is_digit(rest->p[n])) n++;
    *id = -1;
    if (n == 0) return true;
    if (n > SIO_ACK_DIGITS || !str_to_i64((struct str){ rest->p, n }, id)) return false;
    *rest = (struct str){ rest->p + n, rest->n - n };
    return true;
}

/* Names that a client must not use for events of its own: they mean something to the library. */
static bool is_reserved(struct str name)
{
    static const char *const names[] = { "connect",       "connect_error", "disconnect",
                                         "disconnecting", "newListener",   "removeListener" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_eq(name, str_from(names[i]))) return true;
    }
    return false;
}

static bool is_event(const struct json *data)
{
    const struct json *name = data && data->type == JSON_ARRAY ? data->child : NULL;
    if (!name) return false;
    return name->type == JSON_NUMBER || (name->type == JSON_STRING && !is_reserved(name->text));
}

static bool fits(char type, const struct json *data)
{
    switch (type) {
    case SIO_CONNECT: return !data || data->type == JSON_OBJECT;
    case SIO_DISCONNECT: return !data;
    case SIO_EVENT: return is_event(data);
    case SIO_ACK: return data && data->type == JSON_ARRAY;
    case SIO_CONNECT_ERROR: return data && (data->type == JSON_OBJECT || data->type == JSON_STRING);
    default: return false;
    }
}

bool sio_packet_parse(struct str text, struct arena *arena, struct sio_packet *out)
{
    struct json *data = NULL;
    const char *why;
    if (text.n == 0 || text.p[0] < SIO_CONNECT || text.p[0] > SIO_CONNECT_ERROR) return false;
    *out = (struct sio_packet){ .type = text.p[0] };
    struct str rest = { text.p + 1, text.n - 1 };
    out->nsp = cut_namespace(&rest);
    if (out->nsp.n > SIO_NAMESPACE_BYTES_MAX || !cut_id(&rest, &out->id)) return false;
    if (rest.n > 0 && json_parse(rest, arena, &data, &why) != OK) return false;
    out->data = data;
    return fits(out->type, data);
}

struct str sio_event_raw(const struct json *data)
{
    const char *p = data->text.p + 1, *end = data->text.p + data->text.n - 1;
    bool quoted = false;
    must(data->type == JSON_ARRAY && data->text.n >= 2);
    while (p < end && (quoted || *p != ',')) { /* the name is a text or a number */
        if (quoted && *p == '\\') p++;
        else if (*p == '"') quoted = !quoted;
        p++;
    }
    if (p < end) p++;
    return str_trim((struct str){ p, (size_t) (end - p) });
}

void sio_packet_begin(struct buf *b, enum sio_packet_type type, struct str nsp, int64_t id)
{
    buf_char(b, '4');
    buf_char(b, (char) type);
    if (!str_eq(nsp, STR("/"))) {
        buf_str(b, nsp);
        buf_char(b, ',');
    }
    if (id >= 0) buf_i64(b, id);
}

void sio_event_begin(struct buf *b, struct str nsp, struct str name)
{
    sio_packet_begin(b, SIO_EVENT, nsp, -1);
    buf_char(b, '[');
    json_string(b, name);
}

void sio_event_end(struct buf *b)
{
    buf_char(b, ']');
}

struct ws_frame *sio_event_frame(struct str nsp, struct str name, struct str args)
{
    struct buf b;
    buf_init(&b, nsp.n + 6 * name.n + args.n + 16);
    sio_event_begin(&b, nsp, name);
    if (args.n) json_raw(&b, args);
    sio_event_end(&b);
    must(!b.failed);
    struct ws_frame *frame = ws_frame_new(WS_TEXT, buf_view(&b));
    buf_fini(&b);
    return frame;
}
