/* The answer to an upgrade request (RFC 6455 §4.2.2). Whether the request deserves it is decided
 * above; the key alone is checked here, because the answer is made from it. */
#include <string.h>

#include "core/buf.h"
#include "core/digest.h"
#include "ws/session.h"

static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

enum { KEY_BYTES = 16, KEY_CHARS = 24, ACCEPT_CHARS = 28 };

static bool is_key(struct str key)
{
    if (key.n != KEY_CHARS) return false;
    struct arena arena;
    arena_init(&arena);
    struct str nonce;
    bool valid = base64_decode(&arena, key, &nonce) && nonce.n == KEY_BYTES;
    arena_fini(&arena);
    return valid;
}

enum err ws_accept_head(struct str key, struct str protocol, struct str headers, struct buf *out)
{
    if (!is_key(key)) return ERR_INVALID;
    char text[KEY_CHARS + sizeof GUID - 1], accept[ACCEPT_CHARS];
    memcpy(text, key.p, KEY_CHARS);
    memcpy(text + KEY_CHARS, GUID, sizeof GUID - 1);
    uint8_t hash[SHA1_BYTES];
    sha1((struct str){ text, sizeof text }, hash);
    size_t n = base64_write(accept, (struct str){ (const char *) hash, sizeof hash });

    buf_cstr(out,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
    buf_put(out, accept, n);
    buf_cstr(out, "\r\n");
    if (protocol.n) {
        buf_cstr(out, "Sec-WebSocket-Protocol: ");
        buf_str(out, protocol);
        buf_cstr(out, "\r\n");
    }
    if (headers.n) buf_str(out, headers);
    buf_cstr(out, "\r\n");
    return out->failed ? ERR_TOO_BIG : OK;
}
