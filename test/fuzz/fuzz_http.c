/* The request stream: gate, llhttp and the assembly of bodies, without sockets.
 *
 * The first bytes of the input say how the rest is cut; the rest is the stream. Invariants: the same
 * requests with the same bodies come out whole or cut, with the same refusal at the end; a request that
 * passes is framed in exactly one way, and every view lies in the bytes it was made from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/must.h"
#include "http/stream.h"

enum { BODY_MAX = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(struct buf *log, const char *what, struct str s)
{
    buf_printf(log, "%s %zu:", what, s.n);
    buf_str(log, s);
    buf_char(log, '\n');
}

static void check_head(const struct http_stream *s, struct buf *log)
{
    const struct gate *g = &s->gate;
    must(g->start < g->end && g->end <= HTTP_HEAD_BYTES_MAX);
    must(memcmp(s->at + g->end - 4, "\r\n\r\n", 4) == 0);
    must(!g->chunked || (g->content_length < 0 && !g->http10));
    must(g->hosts == 1 || (g->http10 && g->hosts == 0));
    must(g->header_count <= HTTP_HEADERS_MAX);
    note(log, "target", gate_view(g->target, s->at));
    note(log, "path", gate_view(g->path, s->at));
    for (int i = 0; i < g->header_count; i++) {
        struct str name = gate_view(g->names[i], s->at), value = gate_view(g->values[i], s->at);
        must(name.n > 0 && value.p + value.n <= s->at + g->end - 4);
        must(!memchr(value.p, '\r', value.n) && !memchr(value.p, '\n', value.n) && !memchr(value.p, 0, value.n));
        note(log, "name", name);
        note(log, "value", value);
    }
    buf_printf(log, "%d %d %lld %d\n", g->method, g->chunked, (long long) g->content_length, g->keep_alive);
}

/* True when nothing more may be fed. */
static bool feed(struct http_stream *s, const uint8_t *p, const uint8_t *end, struct buf *log)
{
    for (;;) {
        switch (http_stream_feed(s, &p, end)) {
        case HTTP_STREAM_MORE:
            must(p == end);
            return false;
        case HTTP_STREAM_HEAD:
            check_head(s, log);
            http_stream_body(s, BODY_MAX, s->gate.method == HTTP_DELETE);
            break;
        case HTTP_STREAM_REQUEST:
            must(s->gate.chunked || s->body_bytes == (s->gate.content_length > 0 ? s->gate.content_length : 0));
            must(s->discard || s->body.n + s->whole.n == (size_t) s->body_bytes);
            note(log, "body", s->body.n > 0 ? buf_view(&s->body) : s->whole);
            http_stream_next(s);
            break;
        case HTTP_STREAM_REFUSED:
            must(s->status >= 400 && s->status < 500 && s->why);
            buf_printf(log, "refused %d\n", s->status);
            return true;
        }
    }
}

/* Each pattern byte b is a piece of b % 64 + 1 bytes; 0xff a piece of 4096. No pattern: all at once. */
static void run(const uint8_t *p, size_t n, const uint8_t *pattern, size_t pattern_n, struct buf *log)
{
    struct http_stream s;
    http_stream_init(&s);
    bool refused = false;
    for (size_t i = 0; n > 0 && !refused; i++) {
        size_t step = n;
        if (pattern_n > 0) step = pattern[i % pattern_n] == 0xff ? 4096 : pattern[i % pattern_n] % 64 + 1u;
        if (step > n) step = n;
        uint8_t *piece = malloc(step);
        memcpy(piece, p, step);
        refused = feed(&s, piece, piece + step, log);
        free(piece);
        p += step;
        n -= step;
    }
    http_stream_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    size_t pattern_n = data[0] % 8 + 1u;
    if (size < 1 + pattern_n) return 0;
    const uint8_t *stream = data + 1 + pattern_n;
    size_t n = size - 1 - pattern_n;
    struct buf whole, cut;
    buf_init(&whole, 1 << 24);
    buf_init(&cut, 1 << 24);
    run(stream, n, NULL, 0, &whole);
    run(stream, n, data + 1, pattern_n, &cut);
    must(!whole.failed && !cut.failed);
    must(str_eq(buf_view(&whole), buf_view(&cut)));
    buf_fini(&whole);
    buf_fini(&cut);
    return 0;
}
