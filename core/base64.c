/* Base64 in both alphabets, and hexadecimal digits. Decoding is strict, so that a value has one
 * spelling only: no blanks, no foreign characters, padding exactly where the alphabet asks for it,
 * and zero in the bits that the last character has too many. Otherwise a token or key could be
 * changed into another text that means the same. */

#include "core/digest.h"
#include "core/must.h"

struct alphabet {
    char letters[65];
    uint8_t values[256];    /* 0xff: no letter of this alphabet */
    bool padded;
};

/* clang-format off */
#define DIGITS(from, first) \
    [from] = (first), [(from) + 1] = (first) + 1, [(from) + 2] = (first) + 2, [(from) + 3] = (first) + 3, \
    [(from) + 4] = (first) + 4, [(from) + 5] = (first) + 5, [(from) + 6] = (first) + 6, \
    [(from) + 7] = (first) + 7, [(from) + 8] = (first) + 8, [(from) + 9] = (first) + 9
#define LETTERS(from, first) \
    DIGITS(from, first), DIGITS((from) + 10, (first) + 10), \
    [(from) + 20] = (first) + 20, [(from) + 21] = (first) + 21, [(from) + 22] = (first) + 22, \
    [(from) + 23] = (first) + 23, [(from) + 24] = (first) + 24, [(from) + 25] = (first) + 25
#define SHARED_VALUES LETTERS('A', 0), LETTERS('a', 26), DIGITS('0', 52)
/* clang-format on */

/* A table that says nothing of a character has 0 there, which is also the value of 'A'; value_of
 * tells the two apart. */
static const struct alphabet url_alphabet = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    { SHARED_VALUES, ['-'] = 62, ['_'] = 63 },
    false,
};
static const struct alphabet mail_alphabet = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    { SHARED_VALUES, ['+'] = 62, ['/'] = 63 },
    true,
};

/* 0…63, or a number with a bit above the lowest six set. */
static uint32_t value_of(const struct alphabet *a, char c)
{
    uint32_t value = a->values[(unsigned char) c];
    return value || c == 'A' ? value : 0x80;
}

static size_t encode(const struct alphabet *a, char *out, struct str data)
{
    const uint8_t *p = (const uint8_t *) data.p;
    char *to = out;
    size_t n = data.n;
    for (; n >= 3; n -= 3, p += 3) {
        uint32_t bits = (uint32_t) p[0] << 16 | (uint32_t) p[1] << 8 | p[2];
        *to++ = a->letters[bits >> 18];
        *to++ = a->letters[bits >> 12 & 63];
        *to++ = a->letters[bits >> 6 & 63];
        *to++ = a->letters[bits & 63];
    }
    if (n > 0) {
        uint32_t bits = (uint32_t) p[0] << 16 | (n > 1 ? (uint32_t) p[1] << 8 : 0);
        *to++ = a->letters[bits >> 18];
        *to++ = a->letters[bits >> 12 & 63];
        if (n > 1) *to++ = a->letters[bits >> 6 & 63];
        if (a->padded && n == 1) *to++ = '=';
        if (a->padded) *to++ = '=';
    }
    return (size_t) (to - out);
}

/* The two or three letters at the end that stand for one or two bytes. */
static bool decode_tail(const struct alphabet *a, const char *p, size_t n, uint8_t *out)
{
    uint32_t v0 = value_of(a, p[0]), v1 = value_of(a, p[1]), v2 = n > 2 ? value_of(a, p[2]) : 0;
    uint32_t unused = n > 2 ? v2 & 3 : v1 & 15;
    if ((v0 | v1 | v2) > 63 || unused != 0) return false;
    out[0] = (uint8_t) (v0 << 2 | v1 >> 4);
    if (n > 2) out[1] = (uint8_t) (v1 << 4 | v2 >> 2);
    return true;
}

static bool decode(const struct alphabet *a, struct arena *arena, struct str text, struct str *out)
{
    if (a->padded) {
        if (text.n % 4 != 0) return false;
        for (int i = 0; i < 2 && text.n > 0 && text.p[text.n - 1] == '='; i++) text.n--;
    }
    size_t tail = text.n % 4;
    if (tail == 1) return false;
    size_t size = text.n / 4 * 3 + (tail ? tail - 1 : 0);
    uint8_t *bytes = arena_raw(arena, size + 1), *to = bytes;
    const char *p = text.p;
    for (size_t n = text.n / 4; n > 0; n--, p += 4, to += 3) {
        uint32_t v0 = value_of(a, p[0]), v1 = value_of(a, p[1]), v2 = value_of(a, p[2]), v3 = value_of(a, p[3]);
        if ((v0 | v1 | v2 | v3) > 63) return false;
        to[0] = (uint8_t) (v0 << 2 | v1 >> 4);
        to[1] = (uint8_t) (v1 << 4 | v2 >> 2);
        to[2] = (uint8_t) (v2 << 6 | v3);
    }
    if (tail && !decode_tail(a, p, tail, to)) return false;
    bytes[size] = 0;
    *out = (struct str){ (const char *) bytes, size };
    return true;
}

size_t base64url_write(char *out, struct str data)
{
    return encode(&url_alphabet, out, data);
}

size_t base64_write(char *out, struct str data)
{
    return encode(&mail_alphabet, out, data);
}

static struct str encode_new(const struct alphabet *a, struct arena *arena, struct str data)
{
    must(data.n <= SIZE_MAX / 2);
    char *p = arena_raw(arena, (data.n + 2) / 3 * 4 + 1);
    size_t n = encode(a, p, data);
    p[n] = 0;
    return (struct str){ p, n };
}

struct str base64url_encode(struct arena *arena, struct str data)
{
    return encode_new(&url_alphabet, arena, data);
}

struct str base64_encode(struct arena *arena, struct str data)
{
    return encode_new(&mail_alphabet, arena, data);
}

bool base64url_decode(struct arena *arena, struct str text, struct str *out)
{
    return decode(&url_alphabet, arena, text, out);
}

bool base64_decode(struct arena *arena, struct str text, struct str *out)
{
    return decode(&mail_alphabet, arena, text, out);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool hex_decode(struct str text, uint8_t *out, size_t n)
{
    if (text.n / 2 != n || text.n % 2 != 0) return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t) (high << 4 | low);
    }
    return true;
}
