/* Engine.IO's packets: a type as one digit, then its data. Several in one payload are separated by U+001E, which no
 * packet contains as JSON escapes it. */
#include <string.h>

#include "ws/engineio_private.h"

bool eio_packet_parse(struct str text, struct eio_packet *out)
{
    if (text.n == 0 || text.p[0] < EIO_OPEN || text.p[0] > EIO_NOOP) return false;
    *out = (struct eio_packet){ .type = text.p[0], .data = { text.p + 1, text.n - 1 } };
    return true;
}

bool eio_payload_next(struct str *rest, struct eio_packet *out)
{
    return eio_packet_parse(str_cut(rest, EIO_SEPARATOR), out);
}

size_t eio_payload_size(const struct ws_queue *packets)
{
    size_t n = packets->count ? packets->count - 1 : 0;
    for (uint32_t i = 0; i < packets->count; i++) n += ws_frame_payload(ws_queue_at(packets, i)).n;
    return n;
}

void eio_payload_write(const struct ws_queue *packets, char *to)
{
    for (uint32_t i = 0; i < packets->count; i++) {
        struct str packet = ws_frame_payload(ws_queue_at(packets, i));
        if (i > 0) *to++ = EIO_SEPARATOR;
        memcpy(to, packet.p, packet.n);
        to += packet.n;
    }
}
