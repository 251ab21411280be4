/* Strings and numbers of JSON.
 *
 * Most strings are short, ASCII and free of escapes: such a string is scanned eight bytes at a time
 * and returned as a view of the input. One with bytes above 127 is then checked as UTF-8. One with
 * a backslash is decoded into the arena (the result is never longer than its source) and checked
 * as a whole: what an escape writes is always a complete character, so that a piece of raw text
 * cannot become valid by standing next to one. */
#include "core/json_token.h"

#include <stdint.h>
#include <string.h>

#define EACH_BYTE(x) (0x0101010101010101u * (x))

/* Eight bytes, the first one lowest. */
static uint64_t load8(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

static uint64_t mark_zero_bytes(uint64_t w)
{
    return (w - EACH_BYTE(1)) & ~w & EACH_BYTE(0x80);
}

/* The high bit of each byte that ends a run of plain text: quote, backslash, control. Marks above
 * the lowest one may be wrong (borrow), the lowest never is, and no mark means no such byte. */
static uint64_t mark_special_bytes(uint64_t w)
{
    uint64_t control = (w - EACH_BYTE(0x20)) & ~w & EACH_BYTE(0x80);
    return control | mark_zero_bytes(w ^ EACH_BYTE('"')) | mark_zero_bytes(w ^ EACH_BYTE('\\'));
}

/* The first byte at or after p that is no plain text, or end. Adds the bytes passed to *seen, so
 * that its high bits tell whether one was above 127. */
static const char *plain_end(const char *p, const char *end, uint64_t *seen)
{
    while (end - p >= 8) {
        uint64_t w = load8(p), special = mark_special_bytes(w);
        if (special) {
            unsigned bits = (unsigned) __builtin_ctzll(special) & ~7u;
            *seen |= w & ((1ull << bits) - 1);
            return p + bits / 8;
        }
        *seen |= w;
        p += 8;
    }
    for (; p < end; p++) {
        unsigned char c = (unsigned char) *p;
        if (c < 0x20 || c == '"' || c == '\\') break;
        *seen |= c;
    }
    return p;
}

static bool fail(struct json_cursor *c, const char *why)
{
    c->why = why;
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind \u; -1 when they are not. */
static int32_t take_hex4(struct json_cursor *c)
{
    if (c->end - c->at < 4) return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*c->at++);
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return value;
}

static char *put_utf8(char *to, int32_t cp)
{
    if (cp < 0x80) {
        *to++ = (char) cp;
    } else if (cp < 0x800) {
        *to++ = (char) (0xc0 | cp >> 6);
        *to++ = (char) (0x80 | (cp & 0x3f));
    } else {
        if (cp < 0x10000) {
            *to++ = (char) (0xe0 | cp >> 12);
        } else {
            *to++ = (char) (0xf0 | cp >> 18);
            *to++ = (char) (0x80 | (cp >> 12 & 0x3f));
        }
        *to++ = (char) (0x80 | (cp >> 6 & 0x3f));
        *to++ = (char) (0x80 | (cp & 0x3f));
    }
    return to;
}

/* `at` stands behind \u. */
static bool take_unicode_escape(struct json_cursor *c, char **to)
{
    int32_t cp = take_hex4(c);
    if (cp < 0) return fail(c, "malformed \\u escape");
    if (cp == 0) return fail(c, "NUL in a string");
    if (cp >= 0xdc00 && cp <= 0xdfff) return fail(c, "lone surrogate");
    if (cp >= 0xd800 && cp <= 0xdbff) {
        if (c->end - c->at < 2 || c->at[0] != '\\' || c->at[1] != 'u') return fail(c, "lone surrogate");
        c->at += 2;
        int32_t low = take_hex4(c);
        if (low < 0) return fail(c, "malformed \\u escape");
        if (low < 0xdc00 || low > 0xdfff) return fail(c, "lone surrogate");
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = put_utf8(*to, cp);
    return true;
}

/* `at` stands behind the backslash. */
static bool take_escape(struct json_cursor *c, char **to)
{
    if (c->at == c->end) return fail(c, "unexpected end in a string");
    char plain;
    switch (*c->at++) {
    case '"': plain = '"'; break;
    case '\\': plain = '\\'; break;
    case '/': plain = '/'; break;
    case 'b': plain = '\b'; break;
    case 'f': plain = '\f'; break;
    case 'n': plain = '\n'; break;
    case 'r': plain = '\r'; break;
    case 't': plain = '\t'; break;
    case 'u': return take_unicode_escape(c, to);
    default: return fail(c, "unknown escape");
    }
    *(*to)++ = plain;
    return true;
}

/* What the string can be at most, from its first byte to the quote that ends it. */
static size_t source_length(const struct json_cursor *c, const char *start)
{
    uint64_t seen = 0;
    const char *p = c->at;
    while ((p = plain_end(p, c->end, &seen)) < c->end && *p != '"') p += *p == '\\' && c->end - p > 1 ? 2 : 1;
    return (size_t) (p - start);
}

/* `start` is the first byte of the string, `at` its first backslash. */
static bool take_escaped_string(struct json_cursor *c, const char *start, struct str *out)
{
    char *text = arena_raw(c->arena, source_length(c, start) + 1), *to = text;
    uint64_t seen = 0;
    const char *run = start;
    for (;;) {
        memcpy(to, run, (size_t) (c->at - run));
        to += c->at - run;
        if (c->at == c->end) return fail(c, "unexpected end in a string");
        char special = *c->at++;
        if (special == '"') break;
        if (special != '\\') return fail(c, "control character in a string");
        if (!take_escape(c, &to)) return false;
        run = c->at;
        c->at = plain_end(run, c->end, &seen);
    }
    *out = (struct str){ text, (size_t) (to - text) };
    return str_is_utf8(*out) || fail(c, "invalid UTF-8 or a noncharacter");
}

bool json_take_string(struct json_cursor *c, struct str *out)
{
    uint64_t seen = 0;
    const char *start = c->at;
    c->at = plain_end(start, c->end, &seen);
    if (c->at == c->end) return fail(c, "unexpected end in a string");
    if (*c->at == '\\') return take_escaped_string(c, start, out);
    if (*c->at != '"') return fail(c, "control character in a string");
    *out = (struct str){ start, (size_t) (c->at++ - start) };
    if (seen & EACH_BYTE(0x80) && !str_is_utf8(*out)) return fail(c, "invalid UTF-8 or a noncharacter");
    return true;
}

static const char *digits_end(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p;
}

const char *json_number_end(const char *p, const char *end)
{
    if (p < end && *p == '-') p++;
    const char *digits = p;
    p = digits_end(p, end);
    if (p == digits || (*digits == '0' && p - digits > 1)) return NULL;
    if (p < end && *p == '.') {
        digits = p + 1;
        p = digits_end(digits, end);
        if (p == digits) return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        digits = p;
        p = digits_end(digits, end);
        if (p == digits) return NULL;
    }
    return p;
}
