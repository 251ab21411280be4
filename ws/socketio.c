/* Connections and their sockets.
 *
 *     CONNECTING ──sio_accept──▶ OPEN ──either side leaves──▶ GONE ──end of the turn──▶ on_disconnect, freed
 *         └────sio_refuse──────────────────────────────────────┘   (refused: no on_disconnect)
 *
 * When the connection itself ends, its sockets do at once, because their outlets go with it. */
#include "ws/socketio.h"

#include "core/clock.h"
#include "core/digest.h"
#include "core/mem.h"
#include "core/must.h"
#include "ws/socketio_private.h"

enum { PACKET_BYTES_MAX = 1 << 20, CONNECT_TIMEOUT_MS = 45000 };

static void on_open(struct eio_session *session);
static void on_message(struct eio_session *session, struct str text);
static void on_close(struct eio_session *session, enum eio_reason why);
static void on_ping(struct eio_session *session);
static void on_flush(struct turn_item *item);

static const struct eio_handler engine_handler = { on_open, on_message, on_close, on_ping };

static void check(const struct sio_socket *s)
{
    must(s->magic == SIO_MAGIC);
}

/* --- the server --------------------------------------------------------------------------------------------------- */

struct sio_server *sio_server_new(const struct sio_options *options)
{
    struct sio_server *server = mem_new(struct sio_server);
    must(options->handler && options->namespaces && options->extra_bytes >= 0 && options->connect_timeout_ms >= 0);
    must(options->handler->on_connect && options->handler->on_event && options->handler->on_disconnect);
    server->options = *options;
    if (!server->options.connect_timeout_ms) server->options.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    while (options->namespaces[server->namespaces]) server->namespaces++;
    must(server->namespaces <= SIO_NAMESPACES_MAX);
    list_init(&server->accepted);
    list_init(&server->gone);
    turn_item_init(&server->flush, on_flush);
    struct eio_options engine = options->engine;
    engine.handler = &engine_handler;
    engine.context = server;
    engine.extra_bytes = sizeof(struct sio_conn);
    server->engine = eio_server_new(&engine);
    return server;
}

struct eio_server *sio_engine(struct sio_server *server)
{
    return server->engine;
}

void sio_server_drain(struct sio_server *server, int timeout_ms, void (*drained)(void *arg), void *arg)
{
    eio_server_drain(server->engine, timeout_ms, drained, arg);
}

void sio_server_free(struct sio_server *server)
{
    eio_server_free(server->engine);
    must(list_empty(&server->accepted) && list_empty(&server->gone));
    turn_cancel(&server->flush);
    mem_free(server);
}

int sio_server_count(const struct sio_server *server)
{
    return eio_server_count(server->engine);
}

struct sio_socket *sio_next(const struct sio_server *server, struct sio_socket *after)
{
    for (struct list *link = after ? after->all.next : server->accepted.next; link != &server->accepted;
         link = link->next) {
        struct sio_socket *s = list_entry(link, struct sio_socket, all);
        if (s->state == SIO_OPEN) return s;
    }
    return NULL;
}

/* --- what is known of a socket ------------------------------------------------------------------------------------ */

void *sio_extra(struct sio_socket *s)
{
    return s->extra;
}

void *sio_context(const struct sio_socket *s)
{
    return s->server->options.context;
}

int sio_namespace(const struct sio_socket *s)
{
    return s->nsp;
}

struct str sio_namespace_name(const struct sio_socket *s)
{
    return str_from(s->server->options.namespaces[s->nsp]);
}

struct str sio_sid(const struct sio_socket *s)
{
    return (struct str){ s->sid, SIO_SID_CHARS };
}

struct str sio_opening(const struct sio_socket *s)
{
    return s->session ? eio_session_opening(s->session) : STR_NONE;
}

struct eio_session *sio_connection(const struct sio_socket *s)
{
    return s->session;
}

bool sio_is_open(const struct sio_socket *s)
{
    return s->state == SIO_OPEN && s->session && !eio_session_is_closing(s->session);
}

size_t sio_waiting(const struct sio_socket *s)
{
    return s->session ? eio_session_waiting(s->session) : 0;
}

/* --- the end of a socket ------------------------------------------------------------------------------------------ */

static struct sio_conn *conn_of(struct eio_session *session)
{
    return eio_session_extra(session);
}

static struct sio_server *server_of(const struct eio_session *session)
{
    return eio_server_context(eio_session_server(session));
}

/* No more is heard of it or sent to it; the rest follows at the end of the turn. */
static void end(struct sio_socket *s, int why)
{
    check(s);
    if (s->state == SIO_GONE) return;
    s->state = SIO_GONE;
    s->why = (uint8_t) why;
    list_unlink(&s->link);
    list_append(&s->server->gone, &s->link);
    turn_defer(s->server->options.engine.turn, &s->server->flush);
    if (s->session && list_empty(&conn_of(s->session)->sockets))
        conn_of(s->session)->lonely_since_ms = (uint32_t) clock_mono_ms();
}

static void bury(struct sio_socket *s)
{
    check(s);
    list_unlink(&s->link);
    sio_calls_end(s);
    if (!s->refused) s->server->options.handler->on_disconnect(s, s->why);
    list_unlink(&s->all);
    s->magic = 0;
    mem_free(s);
}

static void on_flush(struct turn_item *item)
{
    struct sio_server *server = list_entry(item, struct sio_server, flush);
    struct list *link;
    while ((link = list_first(&server->gone))) bury(list_entry(link, struct sio_socket, link));
}

const char *sio_reason_text(int why)
{
    if (why == SIO_CLIENT_DISCONNECT) return "client namespace disconnect";
    if (why == SIO_SERVER_DISCONNECT) return "server namespace disconnect";
    return eio_reason_text((enum eio_reason) why);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

bool sio_send(struct sio_socket *s, struct ws_frame *event)
{
    check(s);
    return s->state == SIO_OPEN && s->session && eio_session_send(s->session, event);
}

static bool send_text(struct eio_session *session, struct buf *packet)
{
    must(!packet->failed);
    struct ws_frame *frame = ws_frame_new(WS_TEXT, buf_view(packet));
    bool sent = eio_session_send(session, frame);
    ws_frame_unref(frame);
    buf_fini(packet);
    return sent;
}

bool sio_send_packet(struct sio_socket *s, struct buf *packet)
{
    if (s->session) return send_text(s->session, packet);
    buf_fini(packet);
    return false;
}

bool sio_emit(struct sio_socket *s, struct str name, struct str args)
{
    struct ws_frame *frame = sio_event_frame(sio_namespace_name(s), name, args);
    bool sent = sio_send(s, frame);
    ws_frame_unref(frame);
    return sent;
}

struct ws_outlet sio_outlet(struct sio_socket *s)
{
    check(s);
    must(s->state == SIO_OPEN && s->session);
    return eio_session_outlet(s->session);
}

static void begin(const struct sio_socket *s, struct buf *b, enum sio_packet_type type, int64_t id)
{
    buf_init(b, PACKET_BYTES_MAX);
    sio_packet_begin(b, type, sio_namespace_name(s), id);
}

void sio_ack(struct sio_socket *s, int64_t ack, struct str args)
{
    struct buf b;
    check(s);
    if (ack < 0 || s->state != SIO_OPEN) return;
    begin(s, &b, SIO_ACK, ack);
    buf_char(&b, '[');
    buf_str(&b, args);
    buf_char(&b, ']');
    sio_send_packet(s, &b);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void new_sid(struct sio_socket *s)
{
    uint8_t random[SIO_SID_CHARS / 4 * 3];
    random_bytes(random, sizeof random);
    base64url_write(s->sid, (struct str){ (const char *) random, sizeof random });
}

static void put_error(struct buf *b, struct str message, struct str data)
{
    buf_char(b, '{');
    json_key(b, STR("message"));
    json_string(b, message);
    if (data.n) {
        json_key(b, STR("data"));
        json_raw(b, data);
    }
    json_close(b, '}');
}

static void connect_socket(struct eio_session *session, int nsp, const struct json *auth)
{
    struct sio_server *server = server_of(session);
    struct sio_conn *conn = conn_of(session);
    struct sio_socket *s = mem_alloc(sizeof *s + (size_t) server->options.extra_bytes);
    s->magic = SIO_MAGIC;
    s->nsp = (uint8_t) nsp;
    s->server = server;
    s->session = session;
    list_init(&s->all);
    list_init(&s->link);
    list_append(&conn->sockets, &s->link);
    conn->known |= (uint8_t) (1 << nsp);
    new_sid(s);
    server->options.handler->on_connect(s, auth);
}

void sio_accept(struct sio_socket *s, struct str members)
{
    struct buf b;
    check(s);
    if (s->state != SIO_CONNECTING) return;
    s->state = SIO_OPEN;
    list_append(&s->server->accepted, &s->all);
    begin(s, &b, SIO_CONNECT, -1);
    buf_char(&b, '{');
    json_key(&b, STR("sid"));
    json_string(&b, sio_sid(s));
    if (members.n) json_raw(&b, members);
    json_close(&b, '}');
    sio_send_packet(s, &b);
}

void sio_refuse(struct sio_socket *s, struct str message, struct str data)
{
    struct buf b;
    check(s);
    if (s->state != SIO_CONNECTING) return;
    begin(s, &b, SIO_CONNECT_ERROR, -1);
    put_error(&b, message, data);
    sio_send_packet(s, &b);
    s->refused = true;
    end(s, SIO_SERVER_DISCONNECT);
}

void sio_disconnect(struct sio_socket *s)
{
    struct buf b;
    check(s);
    if (s->state == SIO_GONE) return;
    begin(s, &b, SIO_DISCONNECT, -1);
    sio_send_packet(s, &b);
    end(s, SIO_SERVER_DISCONNECT);
}

void sio_close(struct sio_socket *s, enum eio_reason why)
{
    check(s);
    if (s->session) eio_session_close(s->session, why);
}

/* --- what a client says ------------------------------------------------------------------------------------------- */

static void refuse_namespace(struct eio_session *session, struct str nsp)
{
    struct buf b;
    buf_init(&b, PACKET_BYTES_MAX);
    sio_packet_begin(&b, SIO_CONNECT_ERROR, nsp, -1);
    put_error(&b, STR("Invalid namespace"), STR_NONE);
    send_text(session, &b);
}

static int find_namespace(const struct sio_server *server, struct str name)
{
    for (int i = 0; i < server->namespaces; i++) {
        if (str_eq(name, str_from(server->options.namespaces[i]))) return i;
    }
    return -1;
}

static struct sio_socket *find_socket(struct eio_session *session, int nsp)
{
    list_each(&conn_of(session)->sockets, it)
    {
        struct sio_socket *s = list_entry(it, struct sio_socket, link);
        if (s->nsp == nsp) return s;
    }
    return NULL;
}

static void take_event(struct sio_socket *s, const struct sio_packet *p)
{
    const struct json *name = p->data->child;
    struct sio_event event = {
        .name = name->text,
        .args = name->next,
        .count = p->data->count - 1,
        .raw = sio_event_raw(p->data),
        .ack = p->id,
    };
    s->server->options.handler->on_event(s, &event);
}

static void take_for(struct sio_socket *s, const struct sio_packet *p)
{
    if (p->type == SIO_EVENT) take_event(s, p);
    else if (p->type == SIO_ACK) sio_call_answered(s, p->id, p->data);
    else end(s, SIO_CLIENT_DISCONNECT);
}

/* What is for a socket that has left its namespace may have crossed with that on the way. What makes no sense in any
 * order ends the connection. */
static void take(struct eio_session *session, const struct sio_packet *p)
{
    int nsp = find_namespace(server_of(session), p->nsp);
    struct sio_socket *s = nsp < 0 ? NULL : find_socket(session, nsp);
    bool was_known = nsp >= 0 && (conn_of(session)->known & 1 << nsp);
    if (p->type == SIO_CONNECT && nsp < 0) {
        refuse_namespace(session, p->nsp);
    } else if (p->type == SIO_CONNECT && !s) {
        connect_socket(session, nsp, p->data);
    } else if (s && s->state == SIO_OPEN && p->type != SIO_CONNECT && p->type != SIO_CONNECT_ERROR) {
        take_for(s, p);
    } else if (s || !was_known || p->type == SIO_CONNECT_ERROR) {
        eio_session_close(session, EIO_FORCED);
    }
}

static void on_message(struct eio_session *session, struct str text)
{
    struct arena arena;
    struct sio_packet packet;
    arena_init(&arena);
    if (sio_packet_parse(text, &arena, &packet)) take(session, &packet);
    else eio_session_close(session, EIO_PARSE_ERROR);
    arena_fini(&arena);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static void on_open(struct eio_session *session)
{
    list_init(&conn_of(session)->sockets);
    conn_of(session)->lonely_since_ms = (uint32_t) clock_mono_ms();
}

/* The limit of a connection without sockets needs no timer: a ping comes by often enough. */
static void on_ping(struct eio_session *session)
{
    const struct sio_conn *conn = conn_of(session);
    uint32_t limit = (uint32_t) server_of(session)->options.connect_timeout_ms;
    uint32_t lonely_ms = (uint32_t) clock_mono_ms() - conn->lonely_since_ms;
    if (list_empty(&conn->sockets) && lonely_ms >= limit) eio_session_close(session, EIO_FORCED);
}

static void on_close(struct eio_session *session, enum eio_reason why)
{
    struct sio_server *server = server_of(session);
    struct list *link;
    on_flush(&server->flush); /* those that left in this turn: the session goes now */
    while ((link = list_first(&conn_of(session)->sockets))) {
        struct sio_socket *s = list_entry(link, struct sio_socket, link);
        s->state = SIO_GONE;
        s->why = (uint8_t) why;
        s->session = NULL;
        bury(s);
    }
}
