/* The gate in front of llhttp.
 *
 * Request smuggling lives where two readers of the same bytes disagree. llhttp 8.1 in strict mode
 * still accepts shapes that others read differently (folded lines, empty field names, two Hosts,
 * two Transfer-Encodings, HTTP/2.0 in text…), so this file reads the head first, alone, by a much
 * smaller grammar, and only what it accepts goes on to llhttp; parser.c then compares what both
 * understood of the framing and refuses on any difference.
 *
 * Why it is complete: the head is cut at line feeds, and every byte of every line is looked up in
 * one table of what may stand there (target, field name or field value). CR and LF are in none
 * of the classes. So a line ends in exactly CR LF, a bare CR or LF is refused wherever it stands,
 * and a folded line is refused because a blank is no character of a field name. A decision is made
 * only about whole lines and at fixed offsets (the limits, the first byte), never about where the
 * input was cut: that is why whole and byte by byte give the same result. */
#include "http/gate.h"

#include <string.h>

enum {
    TARGET_MAX = 8192,
    REQUEST_LINE_MAX = TARGET_MAX + 32,      /* with room for method and version */
    IN_NAME = 1, IN_VALUE = 2, IN_TARGET = 4, IN_HOST = 8,
};

/* In a target, clients send more unencoded than RFC 3986 allows; that means nothing to the framing. Only '#' is
 * refused: a fragment is never sent. */
static const uint8_t classes[256] = {
    ['\t'] = IN_VALUE, [' '] = IN_VALUE,
    ['!'] = 7, ['"'] = 6, ['#'] = 3, ['$'] = 7, ['%'] = 15, ['&'] = 7, ['\''] = 7, ['('] = 6,
    [')'] = 6, ['*'] = 7, ['+'] = 7, [','] = 6, ['-'] = 15, ['.'] = 15, ['/'] = 6,
    ['0' ... '9'] = 15, [':'] = 14, [';'] = 6, ['<'] = 6, ['='] = 6, ['>'] = 6, ['?'] = 6, ['@'] = 6,
    ['A' ... 'Z'] = 15, ['['] = 14, ['\\'] = 6, [']'] = 14, ['^'] = 7, ['_'] = 15, ['`'] = 7,
    ['a' ... 'z'] = 15, ['{'] = 6, ['|'] = 7, ['}'] = 6, ['~'] = 7,
    [0x80 ... 0xff] = IN_VALUE,
};

static enum gate_result refuse(struct gate *g, int status, const char *why)
{
    g->status = status;
    g->why = why;
    return GATE_REFUSED;
}

static bool all_of(const char *p, size_t n, int class)
{
    for (size_t i = 0; i < n; i++) {
        if (!(classes[(uint8_t) p[i]] & class)) return false;
    }
    return true;
}

void gate_init(struct gate *g)
{
    memset(g, 0, offsetof(struct gate, names));      /* names and values count up to header_count */
    g->content_length = -1;
}

static struct gate_span span(size_t at, size_t n)
{
    return (struct gate_span){ (uint16_t) at, (uint16_t) n };
}

/* --- the request line ------------------------------------------------------------------------ */

static const struct { struct str name; enum http_method method; } methods[] = {
    { { "GET", 3 }, HTTP_GET }, { { "POST", 4 }, HTTP_POST }, { { "PUT", 3 }, HTTP_PUT },
    { { "PATCH", 5 }, HTTP_PATCH }, { { "DELETE", 6 }, HTTP_DELETE }, { { "OPTIONS", 7 }, HTTP_OPTIONS },
    { { "HEAD", 4 }, HTTP_HEAD }, { { "TRACE", 5 }, HTTP_NONE },
};

static bool read_method(struct gate *g, struct str name)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (!str_eq(name, methods[i].name)) continue;
        g->is_head = methods[i].method == HTTP_HEAD;
        g->method = g->is_head ? HTTP_GET : methods[i].method;
        return true;
    }
    return false;
}

/* "http://host/path?query": the authority is compared with Host when that is known. */
static bool skip_authority(struct gate *g, const char *p, size_t *at, size_t *n)
{
    struct str target = { p + *at, *n };
    size_t scheme = str_starts_nocase(target, STR("http://")) ? 7
                  : str_starts_nocase(target, STR("https://")) ? 8 : 0;
    if (scheme == 0) return false;
    size_t end = scheme;
    while (end < target.n && target.p[end] != '/' && target.p[end] != '?') end++;
    if (end == scheme) return false;
    g->absolute = true;
    g->authority = span(*at + scheme, end - scheme);
    *at += end;
    *n -= end;
    return true;
}

static bool read_target(struct gate *g, const char *p, size_t at, size_t n)
{
    g->target = span(at, n);
    if (n == 1 && p[at] == '*') {
        g->path = g->target;
        return g->method == HTTP_OPTIONS;
    }
    if (n == 0 || (p[at] != '/' && !skip_authority(g, p, &at, &n))) return false;
    const char *mark = n > 0 ? memchr(p + at, '?', n) : NULL;
    size_t path_n = mark ? (size_t) (mark - (p + at)) : n;
    if (mark) {
        g->has_query = true;
        g->query = span(at + path_n + 1, n - path_n - 1);
    }
    if (path_n > 1 && p[at + path_n - 1] == '/' && p[at + path_n - 2] != '/') path_n--;   /* of two none */
    g->path = span(at, path_n);                      /* empty after an authority alone */
    return true;
}

static enum gate_result read_request_line(struct gate *g, const char *p, size_t at, size_t n)
{
    const char *line = p + at;
    const char *blank = memchr(line, ' ', n);
    if (!blank) return refuse(g, 400, "Malformed request line");
    size_t method_n = (size_t) (blank - line);
    if (!read_method(g, (struct str){ line, method_n })) return refuse(g, 400, "Unknown method");
    size_t target_at = method_n + 1;
    const char *second = memchr(line + target_at, ' ', n - target_at);
    if (!second) return refuse(g, 400, "Malformed request line");
    size_t target_n = (size_t) (second - line) - target_at;
    struct str version = { second + 1, n - target_at - target_n - 1 };
    if (str_eq(version, STR("HTTP/1.0"))) g->http10 = true;
    else if (!str_eq(version, STR("HTTP/1.1"))) return refuse(g, 400, "Unsupported HTTP version");
    if (target_n > TARGET_MAX) return refuse(g, 414, "URI Too Long");
    if (!all_of(line + target_at, target_n, IN_TARGET) || !read_target(g, p, at + target_at, target_n)) {
        return refuse(g, 400, "Malformed request target");
    }
    return GATE_MORE;
}

/* --- fields ---------------------------------------------------------------------------------- */

static enum gate_result read_length(struct gate *g, struct str value)
{
    if (++g->lengths > 1) return refuse(g, 400, "More than one Content-Length");
    if (value.n == 0 || value.n > 18) return refuse(g, 400, "Malformed Content-Length");
    int64_t length = 0;
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9') return refuse(g, 400, "Malformed Content-Length");
        length = length * 10 + (value.p[i] - '0');
    }
    g->content_length = length;
    return GATE_MORE;
}

static void read_connection(struct gate *g, struct str value)
{
    while (value.p) {
        struct str option = str_trim(str_cut(&value, ','));
        if (str_eq_nocase(option, STR("close"))) g->close = true;
        else if (str_eq_nocase(option, STR("keep-alive"))) g->keep_alive = true;
    }
}

static enum gate_result read_host(struct gate *g, struct gate_span at, struct str value)
{
    if (++g->hosts > 1) return refuse(g, 400, "More than one Host");
    if (value.n == 0 || !all_of(value.p, value.n, IN_HOST)) return refuse(g, 400, "Malformed Host");
    g->host = at;
    return GATE_MORE;
}

/* The fields that frame the message; all others only have to be well-formed. */
static enum gate_result read_meaning(struct gate *g, struct str name, struct gate_span at, struct str value)
{
    switch (name.n) {
    case 4:
        if (str_eq_nocase(name, STR("host"))) return read_host(g, at, value);
        break;
    case 6:
        if (str_eq_nocase(name, STR("expect")) && str_eq_nocase(value, STR("100-continue"))) {
            g->expect_continue = true;
        }
        break;
    case 10:
        if (str_eq_nocase(name, STR("connection"))) read_connection(g, value);
        break;
    case 14:
        if (str_eq_nocase(name, STR("content-length"))) return read_length(g, value);
        break;
    case 17:
        if (!str_eq_nocase(name, STR("transfer-encoding"))) break;
        if (g->chunked || !str_eq_nocase(value, STR("chunked"))) {
            return refuse(g, 400, "Unsupported Transfer-Encoding");
        }
        g->chunked = true;
        break;
    default:
        break;
    }
    return GATE_MORE;
}

static enum gate_result read_field(struct gate *g, const char *p, size_t at, size_t n)
{
    const char *line = p + at;
    size_t name_n = 0;
    while (name_n < n && (classes[(uint8_t) line[name_n]] & IN_NAME)) name_n++;
    if (name_n == 0 || name_n == n || line[name_n] != ':') return refuse(g, 400, "Malformed header name");
    size_t from = name_n + 1, to = n;
    while (from < to && (line[from] == ' ' || line[from] == '\t')) from++;
    while (to > from && (line[to - 1] == ' ' || line[to - 1] == '\t')) to--;
    if (!all_of(line + from, to - from, IN_VALUE)) return refuse(g, 400, "Malformed header value");
    if (g->header_count == HTTP_HEADERS_MAX) return refuse(g, 431, "Too many headers");
    struct gate_span value = span(at + from, to - from);
    g->names[g->header_count] = span(at, name_n);
    g->values[g->header_count++] = value;
    return read_meaning(g, (struct str){ line, name_n }, value, (struct str){ line + from, to - from });
}

/* --- the head -------------------------------------------------------------------------------- */

static enum gate_result finish(struct gate *g, const char *p)
{
    if (g->hosts == 0 && !g->http10) return refuse(g, 400, "Host is missing");
    if (g->chunked && g->lengths > 0) return refuse(g, 400, "Content-Length with Transfer-Encoding");
    if (g->chunked && g->http10) return refuse(g, 400, "Transfer-Encoding in HTTP/1.0");
    if (g->absolute && (g->hosts == 0 || !str_eq_nocase(gate_view(g->authority, p), gate_view(g->host, p)))) {
        return refuse(g, 400, "The target is of another host");
    }
    return GATE_DONE;
}

/* The line without its CR LF. One empty line before the request line is forgiven (RFC 9112 §2.2). */
static enum gate_result read_line(struct gate *g, const char *p, size_t at, size_t n)
{
    if (!g->in_fields) {
        if (n == 0 && at == 0) {
            g->start = 2;
            return GATE_MORE;
        }
        g->in_fields = true;
        return read_request_line(g, p, at, n);
    }
    return n == 0 ? finish(g, p) : read_field(g, p, at, n);
}

enum gate_result gate_feed(struct gate *g, const char *p, size_t n)
{
    for (;;) {
        if (!g->in_fields && n > g->line) {
            /* A first byte that begins no method need not wait for its line: TLS on the plain port. */
            char first = p[g->line];
            if (!(first >= 'A' && first <= 'Z') && !(first == '\r' && g->line == 0)) {
                return refuse(g, 400, "Malformed request line");
            }
        }
        size_t limit = g->in_fields ? HTTP_HEAD_BYTES_MAX : g->line + REQUEST_LINE_MAX;
        size_t to = n < limit ? n : limit;
        const char *lf = g->searched < to ? memchr(p + g->searched, '\n', to - g->searched) : NULL;
        if (!lf) {
            g->searched = (uint32_t) to;
            if (n < limit) return GATE_MORE;
            return g->in_fields ? refuse(g, 431, "Request Header Fields Too Large") : refuse(g, 414, "URI Too Long");
        }
        size_t at = g->line, next = (size_t) (lf - p) + 1;
        if (next - at < 2 || p[next - 2] != '\r') return refuse(g, 400, "Bare line feed");
        g->line = g->searched = g->end = (uint32_t) next;
        enum gate_result r = read_line(g, p, at, next - 2 - at);
        if (r != GATE_MORE) return r;
    }
}
