/* A query is searched for each declared name instead of being taken apart into a table: endpoints
 * know a handful of names and ignore all others, so nothing needs to be kept, and a query of a
 * thousand parameters costs no memory. When a name comes twice the first one counts. */
#include "http/query.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Takes one decoded byte off s.p[*i]; -1 for a broken escape. */
static int next_byte(struct str s, size_t *i, bool plus_is_blank)
{
    char c = s.p[(*i)++];
    if (c == '+' && plus_is_blank) return ' ';
    if (c != '%') return (unsigned char) c;
    if (s.n - *i < 2) return -1;
    int high = hex_digit(s.p[*i]), low = hex_digit(s.p[*i + 1]);
    *i += 2;
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool percent_decode(struct str s, bool plus_is_blank, struct arena *arena, struct str *out)
{
    *out = s;
    if (s.n == 0) return true;
    if (!memchr(s.p, '%', s.n) && !(plus_is_blank && memchr(s.p, '+', s.n))) return true;
    char *to = arena_raw(arena, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        int c = next_byte(s, &i, plus_is_blank);
        if (c < 0) return false;
        to[n++] = (char) c;
    }
    *out = (struct str){ to, n };
    return true;
}

static bool encoded_eq(struct str encoded, struct str name)
{
    size_t at = 0;
    for (size_t i = 0; i < encoded.n; at++) {
        int c = next_byte(encoded, &i, true);
        if (c < 0 || at >= name.n || c != (unsigned char) name.p[at]) return false;
    }
    return at == name.n;
}

enum query_result query_get(struct str query, struct str name, struct arena *arena, struct str *out)
{
    while (query.n) {
        struct str value = str_cut(&query, '&');
        struct str key = str_cut(&value, '=');
        if (!encoded_eq(key, name)) continue;
        if (!value.p) value = STR("");
        return percent_decode(value, true, arena, out) ? QUERY_FOUND : QUERY_BROKEN;
    }
    return QUERY_ABSENT;
}
