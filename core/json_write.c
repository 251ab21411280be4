/* The JSON writer. It keeps no state: whether a comma is due is told by the last byte written, for
 * behind '{', '[', ':' and at the very beginning none is, and behind anything else one is. */
#include "core/json.h"

#include <string.h>

#include "core/clock.h"
#include "core/must.h"

static void put_comma(struct buf *b)
{
    if (b->n == 0) return;
    char last = b->p[b->n - 1];
    if (last != '{' && last != '[' && last != ':') buf_char(b, ',');
}

void json_open(struct buf *b, char brace)
{
    must(brace == '{' || brace == '[');
    put_comma(b);
    buf_char(b, brace);
}

void json_close(struct buf *b, char brace)
{
    must(brace == '}' || brace == ']');
    buf_char(b, brace);
}

void json_key(struct buf *b, struct str name)
{
    json_string(b, name.p ? name : STR(""));
    buf_char(b, ':');
}

void json_open_key(struct buf *b, const char *name, char brace)
{
    json_key(b, str_from(name));
    json_open(b, brace);
}

void json_text(struct buf *b, const char *name, const char *text)
{
    json_key(b, str_from(name));
    json_string(b, str_from(text));
}

void json_string(struct buf *b, struct str s)
{
    if (!s.p) {
        json_null(b);
        return;
    }
    put_comma(b);
    json_escape(b, s);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

static void put_escaped(struct buf *b, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    char text[6] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };
    size_t n = 2;
    switch (c) {
    case '"': text[1] = '"'; break;
    case '\\': text[1] = '\\'; break;
    case '\b': text[1] = 'b'; break;
    case '\f': text[1] = 'f'; break;
    case '\n': text[1] = 'n'; break;
    case '\r': text[1] = 'r'; break;
    case '\t': text[1] = 't'; break;
    default: n = sizeof text;
    }
    buf_put(b, text, n);
}

void json_escape(struct buf *b, struct str s)
{
    size_t run = 0;
    while (run < s.n && is_plain((unsigned char) s.p[run])) run++;
    if (run == s.n) {
        char *to = buf_reserve(b, s.n + 2);
        if (!to) return;
        to[0] = '"';
        if (s.n) memcpy(to + 1, s.p, s.n);
        to[s.n + 1] = '"';
        buf_added(b, s.n + 2);
        return;
    }
    buf_char(b, '"');
    for (size_t from = 0;;) {
        buf_put(b, s.p + from, run - from);
        if (run == s.n) break;
        put_escaped(b, (unsigned char) s.p[run]);
        from = ++run;
        while (run < s.n && is_plain((unsigned char) s.p[run])) run++;
    }
    buf_char(b, '"');
}

void json_int(struct buf *b, int64_t v)
{
    put_comma(b);
    buf_i64(b, v);
}

void json_bool(struct buf *b, bool v)
{
    json_raw(b, v ? STR("true") : STR("false"));
}

void json_null(struct buf *b)
{
    json_raw(b, STR("null"));
}

void json_raw(struct buf *b, struct str json)
{
    put_comma(b);
    buf_str(b, json);
}

void json_time(struct buf *b, int64_t wall_us)
{
    char text[CLOCK_ISO_BYTES];
    clock_iso(wall_us, text);
    json_string(b, (struct str){ text, sizeof text });
}

void json_money(struct buf *b, int64_t minor)
{
    uint64_t size = minor < 0 ? 0 - (uint64_t) minor : (uint64_t) minor;
    unsigned cents = (unsigned) (size % 100);
    put_comma(b);
    if (minor < 0) buf_char(b, '-');
    buf_u64(b, size / 100);
    if (cents == 0) return;
    char text[3] = { '.', (char) ('0' + cents / 10), (char) ('0' + cents % 10) };
    buf_put(b, text, cents % 10 ? 3 : 2);
}
