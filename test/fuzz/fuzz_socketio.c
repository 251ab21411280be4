/* Socket.IO packets: whatever a client sends is one of ours in every respect, or none; and an event's arguments as text
 * are the arguments that were parsed. */
#include <stdint.h>
#include <string.h>

#include "core/must.h"
#include "ws/socketio_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_event(const struct sio_packet *p, struct arena *arena)
{
    struct buf b;
    struct json *args;
    const char *why;
    struct str raw = sio_event_raw(p->data);
    must(p->data->count >= 1 && (raw.n > 0) == (p->data->count > 1));
    buf_init(&b, raw.n + 2);
    buf_char(&b, '[');
    buf_str(&b, raw);
    buf_char(&b, ']');
    must(json_parse(buf_view(&b), arena, &args, &why) == OK);
    const struct json *one = p->data->child->next, *other = args->child;
    for (; one && other; one = one->next, other = other->next)
        must(one->type == other->type && str_eq(one->text, other->text));
    must(!one && !other);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *) data, size };
    struct arena arena;
    struct sio_packet p;
    arena_init(&arena);
    if (sio_packet_parse(text, &arena, &p)) {
        must(p.type == text.p[0] && p.nsp.n >= 1 && p.nsp.p[0] == '/' && p.nsp.n <= SIO_NAMESPACE_BYTES_MAX);
        must(!memchr(p.nsp.p, ',', p.nsp.n) && p.id >= -1 && p.id <= 999999999999999);
        if (p.type == SIO_EVENT) check_event(&p, &arena);
        if (p.type == SIO_ACK) must(p.data->type == JSON_ARRAY);
        if (p.type == SIO_CONNECT) must(!p.data || p.data->type == JSON_OBJECT);
        if (p.type == SIO_DISCONNECT) must(!p.data);
    }
    arena_fini(&arena);
    return 0;
}
