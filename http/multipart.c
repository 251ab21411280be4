/* A delimiter is CR LF -- boundary, and the only CR in it is its first byte (a boundary has none). So when the next
 * byte is not the delimiter's, what was seen of it is text, and a delimiter can begin at that byte at the earliest.
 *
 * The first delimiter may stand at the very beginning: the parser starts as if CR LF had been seen. */
#include "http/multipart.h"

#include <string.h>

static bool is_boundary_char(char c)
{
    bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return alnum || (c != 0 && strchr("'()+_,-./:=? ", c));
}

/* The parameter of a header field's value, without its quotes and escapes; false when it is absent or too long. */
static bool take_parameter(struct str value, struct str name, char *out, size_t max, size_t *n)
{
    size_t i = 0;
    while (i < value.n) {
        while (i < value.n && value.p[i] != ';') i++;
        while (i < value.n && (value.p[i] == ';' || value.p[i] == ' ' || value.p[i] == '\t')) i++;
        size_t start = i;
        while (i < value.n && value.p[i] != '=' && value.p[i] != ';') i++;
        if (i >= value.n || value.p[i] != '=') continue;
        bool wanted = str_eq_nocase(str_trim((struct str){ value.p + start, i - start }), name);
        bool quoted = ++i < value.n && value.p[i] == '"';
        *n = 0;
        for (i += quoted; i < value.n && (quoted ? value.p[i] != '"' : value.p[i] != ';'); i++) {
            if (quoted && value.p[i] == '\\' && i + 1 < value.n && strchr("\\\"", value.p[i + 1])) i++;
            if (wanted && *n == max) return false;
            if (wanted) out[(*n)++] = value.p[i];
        }
        if (!wanted) continue;
        if (quoted) return i < value.n;
        *n = str_trim((struct str){ out, *n }).n;
        return true;
    }
    return false;
}

bool multipart_init(struct multipart *m, struct str content_type)
{
    struct str rest = content_type;
    size_t n = 0;
    memset(m, 0, sizeof *m);
    if (!str_eq_nocase(str_trim(str_cut(&rest, ';')), STR("multipart/form-data"))) return false;
    memcpy(m->delimiter, "\r\n--", 4);
    if (!take_parameter(content_type, STR("boundary"), m->delimiter + 4, MULTIPART_BOUNDARY_MAX, &n)) return false;
    if (n == 0) return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_boundary_char(m->delimiter[4 + i])) return false;
    }
    if (m->delimiter[3 + n] == ' ') return false;
    m->delimiter_n = 4 + n;
    m->seen = m->given = 2;
    return true;
}

static void put_text(struct multipart *m, const char *data, size_t n)
{
    if (m->in_part && n > 0) m->on_text(m->arg, (const uint8_t *) data, n);
}

/* Reads text up to a delimiter's end; how far. */
static size_t feed_text(struct multipart *m, const char *p, size_t n)
{
    size_t i = 0, text = 0;
    while (i < n) {
        if (m->seen == 0) {
            const char *cr = memchr(p + i, '\r', n - i);
            i = cr ? (size_t) (cr - p) : n;
            put_text(m, p + text, i - text);
            text = i;
            if (!cr) return n;
        }
        while (i < n && m->seen < m->delimiter_n && p[i] == m->delimiter[m->seen]) {
            m->seen++;
            i++;
        }
        if (m->seen == m->delimiter_n) {
            m->state = MULTIPART_BEHIND;
            m->tail_n = 0;
            return i;
        }
        if (i == n) return n;
        put_text(m, m->delimiter + m->given, m->seen - m->given);   /* it was text after all */
        m->seen = m->given = 0;
        text = i;
    }
    return n;
}

/* CR LF begins a part, -- ends them all. */
static size_t feed_behind(struct multipart *m, const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && m->tail_n == 0 && (p[i] == ' ' || p[i] == '\t')) i++;
    while (i < n && m->tail_n < 2) m->tail[m->tail_n++] = p[i++];
    if (m->tail_n < 2) return i;
    if (memcmp(m->tail, "--", 2) == 0) {
        m->state = MULTIPART_DONE;
    } else if (memcmp(m->tail, "\r\n", 2) == 0 && ++m->parts <= MULTIPART_PARTS_MAX) {
        m->state = MULTIPART_HEAD;
        m->head_n = 0;
    } else {
        m->state = MULTIPART_BROKEN;
    }
    m->in_part = false;
    return i;
}

static bool begin_part(struct multipart *m)
{
    struct str rest = { m->head, m->head_n };
    while (rest.n) {
        char name[256], file[1024];
        size_t name_n, file_n;
        struct str value = str_cut(&rest, '\n');
        struct str field = str_trim(str_cut(&value, ':'));
        if (!value.p || !str_eq_nocase(field, STR("content-disposition"))) continue;
        if (!str_starts_nocase(str_trim(value), STR("form-data"))) return false;
        if (!take_parameter(value, STR("name"), name, sizeof name, &name_n)) return false;
        bool is_file = take_parameter(value, STR("filename"), file, sizeof file, &file_n);
        m->on_part(m->arg, (struct str){ name, name_n }, is_file ? (struct str){ file, file_n } : STR_NONE);
        return true;
    }
    return false;
}

static size_t feed_head(struct multipart *m, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (m->head_n == sizeof m->head) break;
        m->head[m->head_n++] = p[i];
        bool end = m->head_n >= 4 && memcmp(m->head + m->head_n - 4, "\r\n\r\n", 4) == 0;
        if (!end) continue;
        m->in_part = begin_part(m);
        m->state = m->in_part ? MULTIPART_TEXT : MULTIPART_BROKEN;
        m->seen = m->given = 2;               /* an empty part: its delimiter follows the headers' end at once */
        return i + 1;
    }
    if (m->head_n == sizeof m->head) m->state = MULTIPART_BROKEN;
    return n;
}

void multipart_feed(struct multipart *m, const uint8_t *data, size_t n)
{
    const char *p = (const char *) data;
    while (n > 0 && m->state < MULTIPART_DONE) {
        size_t used = m->state == MULTIPART_TEXT ? feed_text(m, p, n)
                    : m->state == MULTIPART_BEHIND ? feed_behind(m, p, n) : feed_head(m, p, n);
        p += used;
        n -= used;
    }
}
