#include "domain/push/cursor.h"

#include <string.h>

enum { CURSOR_VERSION = 1, CHECK_BYTES = 4 };

static void put_varint(struct buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) buf_char(b, (char) (v | 0x80));
    buf_char(b, (char) v);
}

static bool take_varint(struct str *s, int64_t *out)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 63 && s->n; shift += 7) {
        unsigned char c = (unsigned char) s->p[0];
        *s = (struct str){ s->p + 1, s->n - 1 };
        v |= (uint64_t) (c & 0x7f) << shift;
        if (!(c & 0x80)) {
            *out = (int64_t) v;
            return v <= INT64_MAX;
        }
    }
    return false;
}

static void check_of(const uint8_t key[SIPHASH_KEY_BYTES], int64_t user, struct str bytes, uint8_t out[CHECK_BYTES])
{
    uint64_t parts[2] = { (uint64_t) user, siphash(key, bytes.p, bytes.n) };
    uint64_t hash = siphash(key, parts, sizeof parts);
    memcpy(out, &hash, CHECK_BYTES);
}

void cursor_encode(const uint8_t key[SIPHASH_KEY_BYTES], int64_t user, const struct cursor *c, struct buf *out)
{
    char bytes[CURSOR_STREAMS_MAX * 20 + 32];
    uint8_t check[CHECK_BYTES];
    struct buf b = { .p = bytes, .cap = sizeof bytes, .max = sizeof bytes }; /* on the stack: it never grows */
    struct arena arena;
    int64_t before = 0;
    buf_char(&b, CURSOR_VERSION);
    put_varint(&b, (uint64_t) c->inbox);
    for (int i = 0; i < c->count; i++) {
        put_varint(&b, (uint64_t) (c->streams[i].account - before));
        put_varint(&b, (uint64_t) c->streams[i].seq);
        before = c->streams[i].account;
    }
    check_of(key, user, buf_view(&b), check);
    buf_put(&b, check, sizeof check);
    arena_init(&arena);
    buf_str(out, base64url_encode(&arena, buf_view(&b)));
    arena_fini(&arena);
}

bool cursor_decode(const uint8_t key[SIPHASH_KEY_BYTES], int64_t user, struct str text, struct arena *arena,
                   struct cursor *out)
{
    struct str bytes;
    uint8_t check[CHECK_BYTES];
    *out = (struct cursor){ 0 };
    if (text.n > CURSOR_CHARS_MAX || !base64url_decode(arena, text, &bytes) || bytes.n < 2 + CHECK_BYTES) return false;
    struct str rest = { bytes.p, bytes.n - CHECK_BYTES };
    check_of(key, user, rest, check);
    if (memcmp(check, bytes.p + rest.n, CHECK_BYTES) != 0 || rest.p[0] != CURSOR_VERSION) return false;
    rest = (struct str){ rest.p + 1, rest.n - 1 };
    if (!take_varint(&rest, &out->inbox)) return false;
    int64_t account = 0;
    while (rest.n) {
        int64_t step, seq;
        if (out->count == CURSOR_STREAMS_MAX || !take_varint(&rest, &step) || !take_varint(&rest, &seq)) return false;
        if (step == 0 || __builtin_add_overflow(account, step, &account)) return false;
        out->streams[out->count++] = (struct cursor_stream){ account, seq };
    }
    return true;
}

int64_t cursor_seq(const struct cursor *c, int64_t account)
{
    for (int i = 0; i < c->count; i++) {
        if (c->streams[i].account == account) return c->streams[i].seq;
    }
    return 0;
}

void cursor_set(struct cursor *c, int64_t account, int64_t seq)
{
    int i = 0;
    while (i < c->count && c->streams[i].account < account) i++;
    if (i == c->count || c->streams[i].account != account) {
        if (c->count == CURSOR_STREAMS_MAX) return;
        memmove(&c->streams[i + 1], &c->streams[i], (size_t) (c->count - i) * sizeof c->streams[0]);
        c->count++;
    }
    c->streams[i] = (struct cursor_stream){ account, seq };
}
