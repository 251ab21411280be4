/* Events that ask the client for an answer. Few sockets ever have one waiting, so what is needed for that exists only
 * meanwhile. */
#include "core/mem.h"
#include "core/must.h"
#include "ws/socketio_private.h"

struct call {
    struct list link;
    struct sio_socket *socket;
    struct wheel_timer timer;
    int64_t id;
    void (*done)(void *arg, enum err err, const struct json *args);
    void *arg;
};

struct sio_calls {
    struct list waiting;
    int count;
    int64_t next_id;
};

static struct sio_calls *calls_of(struct sio_socket *s)
{
    if (s->calls) return s->calls;
    s->calls = mem_new(struct sio_calls);
    list_init(&s->calls->waiting);
    return s->calls;
}

/* The caller may start another one from `done`. */
static void finish(struct call *c, enum err err, const struct json *args)
{
    list_unlink(&c->link);
    wheel_cancel(&c->timer);
    c->socket->calls->count--;
    c->done(c->arg, err, args);
    mem_free(c);
}

static void on_timer(struct wheel_timer *t)
{
    finish(list_entry(t, struct call, timer), ERR_TIMEOUT, NULL);
}

enum err sio_call(struct sio_socket *s, struct str name, struct str args, int timeout_ms,
                  void (*done)(void *arg, enum err err, const struct json *args), void *arg)
{
    struct buf b;
    must(s->magic == SIO_MAGIC && done && timeout_ms > 0);
    if (!sio_is_open(s)) return ERR_CLOSED;
    struct sio_calls *calls = calls_of(s);
    if (calls->count >= SIO_CALLS_MAX) return ERR_FULL;
    int64_t id = calls->next_id++;
    buf_init(&b, 6 * name.n + args.n + 256);
    sio_packet_begin(&b, SIO_EVENT, sio_namespace_name(s), id);
    buf_char(&b, '[');
    json_string(&b, name);
    if (args.n) json_raw(&b, args);
    buf_char(&b, ']');
    if (!sio_send_packet(s, &b)) return ERR_CLOSED;
    struct call *c = mem_new(struct call);
    *c = (struct call){ .socket = s, .id = id, .done = done, .arg = arg };
    list_append(&calls->waiting, &c->link);
    calls->count++;
    wheel_timer_init(&c->timer, on_timer);
    wheel_set(s->server->options.engine.wheel, &c->timer, (uint64_t) timeout_ms);
    return OK;
}

/* An answer that nobody waits for (any more) is nothing. */
void sio_call_answered(struct sio_socket *s, int64_t id, const struct json *args)
{
    if (!s->calls) return;
    list_each(&s->calls->waiting, it)
    {
        struct call *c = list_entry(it, struct call, link);
        if (c->id != id) continue;
        finish(c, OK, args);
        return;
    }
}

void sio_calls_end(struct sio_socket *s)
{
    struct list *link;
    if (!s->calls) return;
    while ((link = list_first(&s->calls->waiting))) finish(list_entry(link, struct call, link), ERR_CLOSED, NULL);
    mem_free(s->calls);
    s->calls = NULL;
}
