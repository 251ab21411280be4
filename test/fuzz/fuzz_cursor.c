/* Cursors come from clients. Whatever decodes must be in order, within the bounds, and survive being encoded again; a
 * change of one bit in a good one must not decode. The input is taken as it is, as the content of a correctly signed
 * cursor, and as numbers to make one of. */
#include <string.h>

#include "core/must.h"
#include "domain/push/cursor.h"

enum { USER = 17 };

static const uint8_t key[SIPHASH_KEY_BYTES] = "a key of sixteen";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool decodes(struct str text, struct cursor *out)
{
    struct arena arena;
    arena_init(&arena);
    bool good = cursor_decode(key, USER, text, &arena, out);
    arena_fini(&arena);
    return good;
}

static void check_order(const struct cursor *c)
{
    must(c->inbox >= 0 && c->count >= 0 && c->count <= CURSOR_STREAMS_MAX);
    for (int i = 0; i < c->count; i++) {
        must(c->streams[i].seq >= 0 && c->streams[i].account > (i ? c->streams[i - 1].account : 0));
        must(cursor_seq(c, c->streams[i].account) == c->streams[i].seq);
    }
}

/* What decodes comes out of encoding and decoding it again as it was. */
static void check(struct str text)
{
    struct cursor c, again;
    struct buf b;
    if (!decodes(text, &c)) return;
    check_order(&c);
    buf_init(&b, 1 << 16);
    cursor_encode(key, USER, &c, &b);
    must(!b.failed && b.n <= CURSOR_CHARS_MAX && decodes(buf_view(&b), &again));
    must(again.inbox == c.inbox && again.count == c.count);
    must(memcmp(again.streams, c.streams, (size_t) c.count * sizeof c.streams[0]) == 0);
    buf_fini(&b);
}

static void check_signed(const uint8_t *data, size_t size)
{
    struct arena arena;
    uint8_t bytes[2400];
    if (size > sizeof bytes - 4) return;
    uint64_t parts[2] = { USER, siphash(key, data, size) };
    uint64_t hash = siphash(key, parts, sizeof parts);
    if (size) memcpy(bytes, data, size);
    memcpy(bytes + size, &hash, 4);
    arena_init(&arena);
    check(base64url_encode(&arena, (struct str){ (char *) bytes, size + 4 }));
    arena_fini(&arena);
}

static void check_made(const uint8_t *data, size_t size)
{
    struct cursor c = { 0 }, back;
    struct buf b;
    for (; size >= 9; data += 9, size -= 9) {
        uint64_t account;
        memcpy(&account, data, sizeof account);
        cursor_set(&c, (int64_t) (account >> 2 >> (data[8] & 31)) + 1, data[8]);
    }
    c.inbox = (int64_t) size;
    buf_init(&b, 1 << 16);
    cursor_encode(key, USER, &c, &b);
    must(decodes(buf_view(&b), &back) && back.count == c.count);
    b.p[(size_t) c.count % b.n] ^= 1 << (c.count % 6);
    must(!decodes(buf_view(&b), &back));
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    if (!ready) digest_init();
    ready = true;
    check((struct str){ (const char *) data, size });
    check_signed(data, size);
    check_made(data, size);
    return 0;
}
