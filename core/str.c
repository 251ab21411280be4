#include "core/str.h"

#include <string.h>

#include "core/must.h"

struct str str_from(const char *cstr)
{
    return cstr ? (struct str){ cstr, strlen(cstr) } : STR_NONE;
}

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static unsigned char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char) (c + 32) : (unsigned char) c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) return false;
    }
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq((struct str){ s.p, prefix.n }, prefix);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq_nocase((struct str){ s.p, prefix.n }, prefix);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.n > 0 && is_space(s.p[0])) s.p++, s.n--;
    while (s.n > 0 && is_space(s.p[s.n - 1])) s.n--;
    return s;
}

struct str str_cut(struct str *rest, char sep)
{
    struct str s = *rest;
    const char *at = s.n ? memchr(s.p, sep, s.n) : NULL;
    if (!at) {
        *rest = STR_NONE;
        return s;
    }
    size_t n = (size_t) (at - s.p);
    *rest = (struct str){ at + 1, s.n - n - 1 };
    return (struct str){ s.p, n };
}

bool str_to_i64(struct str s, int64_t *out)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative ? 1 : 0;
    int64_t value = 0;
    if (i == s.n) return false;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        int digit = s.p[i] - '0';
        if (__builtin_mul_overflow(value, (int64_t) 10, &value)) return false;
        if (__builtin_add_overflow(value, (int64_t) (negative ? -digit : digit), &value)) return false;
    }
    *out = value;
    return true;
}

uint64_t str_hash(struct str s)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < s.n; i++) h = (h ^ (unsigned char) s.p[i]) * 1099511628211u;
    return h;
}

/* Decodes one code point at s.p[*i] and moves *i behind it; -1 when malformed. */
static int32_t next_code_point(struct str s, size_t *i)
{
    unsigned char c = (unsigned char) s.p[(*i)++];
    if (c < 0x80) return c;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    if (c < 0xc2 || c > 0xf4 || *i + (size_t) more > s.n) return -1;
    int32_t cp = c & (0x3f >> more);
    for (int k = 0; k < more; k++) {
        unsigned char d = (unsigned char) s.p[(*i)++];
        if ((d & 0xc0) != 0x80) return -1;
        cp = cp << 6 | (d & 0x3f);
    }
    static const int32_t smallest[] = { 0, 0x80, 0x800, 0x10000 };
    if (cp < smallest[more] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff)) return -1;
    return cp;
}

static bool is_noncharacter(int32_t cp)
{
    return (cp >= 0xfdd0 && cp <= 0xfdef) || (cp & 0xfffe) == 0xfffe;
}

bool str_is_utf8(struct str s)
{
    for (size_t i = 0; i < s.n;) {
        int32_t cp = next_code_point(s, &i);
        if (cp <= 0 || is_noncharacter(cp)) return false;
    }
    return true;
}

size_t str_utf8_length(struct str s)
{
    size_t length = 0;
    for (size_t i = 0; i < s.n; i++) length += ((unsigned char) s.p[i] & 0xc0) != 0x80;
    return length;
}
