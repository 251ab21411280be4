/* Engine.IO payloads: whatever a post brings, its packets are those between the separators, none is lost or made up,
 * and put together again as answers are they are the same bytes. */
#include <stdint.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/must.h"
#include "ws/engineio_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *) data, size }, rest = text;
    struct ws_rings rings = { 0 };
    struct ws_queue queue = { 0 };
    struct eio_packet packet;
    size_t used = 0;
    bool broken = size == 0 || !str_is_utf8(text);
    if (broken) return 0;
    while (rest.p) {
        struct str whole = { rest.p, 0 };
        if (!eio_payload_next(&rest, &packet)) {
            broken = true;
            break;
        }
        whole.n = 1 + packet.data.n;
        must(packet.type >= EIO_OPEN && packet.type <= EIO_NOOP && *whole.p == packet.type);
        must(packet.data.p == whole.p + 1 && !memchr(whole.p, EIO_SEPARATOR, whole.n));
        used += whole.n + (rest.p != NULL);
        ws_queue_push(&queue, &rings, ws_frame_new(WS_TEXT, whole));
    }
    size_t n = eio_payload_size(&queue);
    char *again = mem_alloc(n + 1);
    eio_payload_write(&queue, again);
    must(again[n] == 0 && n + (broken && used > n) == used);
    must(memcmp(again, data, n) == 0 && (broken || n == size));
    mem_free(again);
    ws_queue_clear(&queue, &rings);
    ws_rings_fini(&rings);
    return 0;
}
