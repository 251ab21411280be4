/* Log injection ends here: whatever bytes a client sends, a line stays one line, JSON stays JSON,
 * and a terminal gets no escape sequence. */
#include "core/log_text.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"

/* The length of the well-formed character at s.p[i] that may be shown as it is; 0 for a control
 * character (C0, DEL, C1) or a byte that begins no character. */
static size_t shown_length(struct str s, size_t i)
{
    unsigned char c = (unsigned char) s.p[i];
    if (c < 0x80) return c >= 0x20 && c != 0x7f;
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (n > s.n - i || !str_is_utf8((struct str){ s.p + i, n })) return 0;
    return c == 0xc2 && (unsigned char) s.p[i + 1] < 0xa0 ? 0 : n;
}

static bool is_printable_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x20 || s.p[i] > 0x7e) return false;
    }
    return true;
}

void log_put_plain(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t n = shown_length(s, i);
        buf_put(b, n ? s.p + i : "?", n ? n : 1);
        i += n ? n : 1;
    }
}

/* Nearly every text is short and plain: one look at each byte, one place in the buffer. */
static bool put_plain_json(struct buf *b, struct str s)
{
    char *to = buf_reserve(b, s.n + 2);
    if (!to) return true;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') return false;
        to[i + 1] = c;
    }
    to[0] = to[s.n + 1] = '"';
    buf_added(b, s.n + 2);
    return true;
}

void log_put_json(struct buf *b, struct str s)
{
    if (put_plain_json(b, s)) return;
    buf_char(b, '"');
    for (size_t i = 0; i < s.n;) {
        size_t n = shown_length(s, i);
        if (n == 0 && s.p[i] > 0 && s.p[i] < 0x20) {
            char text[7];
            buf_put(b, text, (size_t) snprintf(text, sizeof text, "\\u%04x", (unsigned) s.p[i]));
        } else if (s.p[i] == '"' || s.p[i] == '\\') {
            char text[2] = { '\\', s.p[i] };
            buf_put(b, text, 2);
        } else {
            buf_put(b, n ? s.p + i : "?", n ? n : 1);
        }
        i += n ? n : 1;
    }
    buf_char(b, '"');
}

void log_put_word(struct buf *b, struct str s)
{
    bool word = s.n > 0 && is_printable_ascii(s) && !memchr(s.p, ' ', s.n) && !memchr(s.p, '"', s.n);
    if (word) buf_str(b, s);
    else log_put_json(b, s);
}

const char *log_quote(char out[LOG_QUOTE_BYTES], struct str s)
{
    /* Every byte becomes at most six, and the text is cut before it is escaped. */
    static const char ellipsis[] = "…\"";
    char room[6 * LOG_QUOTE_BYTES + 2];
    struct buf b = { .p = room, .cap = sizeof room, .max = sizeof room };
    bool cut = s.n > LOG_QUOTE_BYTES;
    log_put_json(&b, (struct str){ s.p, cut ? LOG_QUOTE_BYTES : s.n });
    if (!cut && b.n < LOG_QUOTE_BYTES) {
        memcpy(out, b.p, b.n);
        out[b.n] = 0;
        return out;
    }
    /* The cut must not fall inside an escape or a character: go over the pieces from the start. */
    size_t end = 1, limit = LOG_QUOTE_BYTES - sizeof ellipsis;
    for (size_t next = 1; next < b.n - 1 && next <= limit;) {
        end = next;
        unsigned char c = (unsigned char) b.p[next];
        if (c == '\\') next += b.p[next + 1] == 'u' ? 6 : 2;
        else next += c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    }
    memcpy(out, b.p, end);
    memcpy(out + end, ellipsis, sizeof ellipsis);
    return out;
}
