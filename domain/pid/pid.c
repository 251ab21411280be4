/* An id as clients see it is 96 bits: 32 bits that name the kind, then the row's 64-bit id, put through
 * a Feistel network of four rounds over two halves of 48 bits. Each round's function is SipHash with a
 * key of its own, which makes four rounds a strong pseudo-random permutation: ids of neighbouring rows
 * have nothing in common, and a made-up one decodes to our tag and a positive id once in 2^33 tries.
 *
 *     encode:  (L, R) -> (R, L ^ f0(R)) -> … four times        decode: the same backwards
 *
 * The secret is made once by the first migration and stays in the database, so an id means the same
 * in every process and after every restore. */
#include "domain/pid/pid.h"

#include "core/json.h"
#include <string.h>

enum { ROUNDS = 4 };

static const uint64_t half_mask = (1ull << 48) - 1;

struct halves {
    uint64_t left, right;   /* 48 bits each */
};

void pid_key_init(struct pid_key *key, const uint8_t secret[SHA256_BYTES])
{
    for (int i = 0; i < ROUNDS; i++) {
        char text[SHA256_BYTES + 1];
        uint8_t derived[SHA256_BYTES];
        memcpy(text, secret, SHA256_BYTES);
        text[SHA256_BYTES] = (char) ('0' + i);
        sha256((struct str){ text, sizeof text }, derived);
        memcpy(key->rounds[i], derived, SIPHASH_KEY_BYTES);
    }
}

static uint64_t round_of(const struct pid_key *key, int i, uint64_t half)
{
    uint8_t bytes[6];
    for (int k = 0; k < 6; k++) bytes[k] = (uint8_t) (half >> (8 * k));
    return siphash(key->rounds[i], bytes, sizeof bytes) & half_mask;
}

void pid_encode(const struct pid_key *key, enum pid_kind kind, int64_t id, char out[PID_CHARS])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t u = (uint64_t) id;
    struct halves h = { (uint64_t) kind << 16 | u >> 48, u & half_mask };
    for (int i = 0; i < ROUNDS; i++) h = (struct halves){ h.right, h.left ^ round_of(key, i, h.right) };
    for (int k = 0; k < 12; k++) {
        out[k] = digits[h.left >> (44 - 4 * k) & 15];
        out[12 + k] = digits[h.right >> (44 - 4 * k) & 15];
    }
}

/* One spelling an id: lower case only. */
static bool half_parse(const char *p, uint64_t *out)
{
    uint64_t v = 0;
    for (int k = 0; k < 12; k++) {
        char c = p[k];
        if (c >= '0' && c <= '9') v = v << 4 | (uint64_t) (c - '0');
        else if (c >= 'a' && c <= 'f') v = v << 4 | (uint64_t) (c - 'a' + 10);
        else return false;
    }
    *out = v;
    return true;
}

void pid_json(struct buf *b, const struct pid_key *key, enum pid_kind kind, int64_t id)
{
    char text[PID_CHARS];
    pid_encode(key, kind, id, text);
    json_string(b, (struct str){ text, sizeof text });
}

int64_t pid_decode(const struct pid_key *key, enum pid_kind kind, struct str text)
{
    struct halves h;
    if (text.n != PID_CHARS || !half_parse(text.p, &h.left) || !half_parse(text.p + 12, &h.right)) return -1;
    for (int i = ROUNDS - 1; i >= 0; i--) h = (struct halves){ h.right ^ round_of(key, i, h.left), h.left };
    if (h.left >> 16 != (uint64_t) kind) return -1;
    int64_t id = (int64_t) (h.left << 48 | h.right);
    return id >= 0 ? id : -1;
}

/* Reads "u123" between the marks; false when it is nothing that pid() writes. */
static bool mark_parse(struct str inside, enum pid_kind *kind, int64_t *id)
{
    if (inside.n < 2 || !strchr("uati", inside.p[0]) || inside.p[1] == '-') return false;
    *kind = (enum pid_kind) inside.p[0];
    return str_to_i64((struct str){ inside.p + 1, inside.n - 1 }, id);
}

void pid_expand(const struct pid_key *key, struct str text, struct buf *out)
{
    static const char open[] = "\xef\xb7\x90", close[] = "\xef\xb7\x91";   /* U+FDD0, U+FDD1 */
    enum { MARK = 3, INSIDE_MAX = 24 };
    const char *p = text.p, *end = text.p + text.n;
    while (p < end) {
        const char *mark = memmem(p, (size_t) (end - p), open, MARK);
        if (!mark) break;
        const char *inside = mark + MARK;
        size_t rest = (size_t) (end - inside);
        const char *stop = memmem(inside, rest < INSIDE_MAX ? rest : INSIDE_MAX, close, MARK);
        enum pid_kind kind;
        int64_t id;
        if (!stop || !mark_parse((struct str){ inside, (size_t) (stop - inside) }, &kind, &id)) {
            buf_put(out, p, (size_t) (inside - p));
            p = inside;
            continue;
        }
        char chars[PID_CHARS];
        pid_encode(key, kind, id, chars);
        buf_put(out, p, (size_t) (mark - p));
        buf_put(out, chars, PID_CHARS);
        p = stop + MARK;
    }
    if (p < end) buf_put(out, p, (size_t) (end - p));
}
