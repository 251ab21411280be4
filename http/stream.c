/* Requests out of bytes.
 *
 *     head ──HEAD──▶ body ──REQUEST──▶ head …          REFUSED is the end from anywhere
 *
 * A head is judged where it lies: in the receive buffer when it came in one piece, which is nearly
 * always, else in `head`, where its pieces are put together. The same for the body. The gate is
 * asked first; then llhttp reads the very same bytes, and both must agree on the framing.
 *
 * A chunked body has a bound on its framing, too, or a megabyte of one-byte chunks would be ten. */
#include "http/stream.h"

#include "core/must.h"

enum { FRAMING_BYTES_MIN = 16384, FRAMING_PER_BYTE = 8 };

/* Looked at before each piece of body and at the end of each feed. Between two pieces framing only grows, so
 * where the input was cut decides when this is noticed, but not whether. */
static bool framing_too_long(struct http_stream *s, const uint8_t *at)
{
    int64_t framing = s->framing_bytes + (at - s->fed_from) - (s->body_bytes - s->body_bytes_fed);
    return framing > FRAMING_BYTES_MIN + FRAMING_PER_BYTE * s->body_bytes;
}

static bool on_body(void *arg, const uint8_t *data, size_t n)
{
    struct http_stream *s = arg;
    if (framing_too_long(s, data)) return false;
    s->body_bytes += (int64_t) n;
    if (s->body_bytes > s->body_max) {
        s->too_big = true;
        return false;
    }
    if (s->discard) return true;
    if (s->sink) {
        s->sink(s->sink_arg, data, n);
        return true;
    }
    if ((int64_t) n == s->parser.content_length) s->whole = (struct str){ (const char *) data, n };
    else buf_put(&s->body, data, n);
    return true;
}

void http_stream_init(struct http_stream *s)
{
    gate_init(&s->gate);
    http_parser_init(&s->parser, on_body, s);
    s->head = s->body = (struct buf){ 0 };
    http_stream_next(s);
}

void http_stream_fini(struct http_stream *s)
{
    buf_fini(&s->head);
    buf_fini(&s->body);
}

static enum http_stream_event refuse(struct http_stream *s, int status, const char *why)
{
    s->status = status;
    s->why = why;
    return HTTP_STREAM_REFUSED;
}

static bool parsers_agree(const struct http_stream *s)
{
    return s->parser.chunked == s->gate.chunked && s->parser.content_length == s->gate.content_length
        && s->parser.complete == (!s->gate.chunked && s->gate.content_length <= 0);
}

static enum http_stream_event head_done(struct http_stream *s)
{
    if (!http_parser_head(&s->parser, s->at + s->gate.start, s->gate.end - s->gate.start) || !parsers_agree(s)) {
        return refuse(s, 400, "Malformed request");
    }
    s->in_body = true;
    s->body_max = 0;
    s->discard = true;
    return HTTP_STREAM_HEAD;
}

static enum http_stream_event feed_head(struct http_stream *s, const uint8_t **p, const uint8_t *end)
{
    size_t had = s->head.n, n = (size_t) (end - *p);
    const char *head = (const char *) *p;
    if (had > 0) {
        size_t room = HTTP_HEAD_BYTES_MAX - had;
        if (n > room) n = room;
        buf_put(&s->head, *p, n);
        head = s->head.p;
    }
    enum gate_result r = gate_feed(&s->gate, head, had + n);
    if (r == GATE_REFUSED) return refuse(s, s->gate.status, s->gate.why);
    if (r == GATE_MORE) {
        if (had == 0) buf_put(&s->head, *p, n);      /* the gate waits for less than its maximum */
        must(!s->head.failed);
        *p += n;
        return HTTP_STREAM_MORE;
    }
    s->at = head;
    *p += s->gate.end - had;
    return head_done(s);
}

/* llhttp lets the empty line at the end of a chunked body be a lone LF, where others wait for CR LF. Since trailers
 * are refused, the last four bytes are known. */
static bool ends_properly(struct http_stream *s, const uint8_t *p, size_t n)
{
    for (size_t i = n > 4 ? n - 4 : 0; i < n; i++) s->tail = s->tail << 8 | p[i];
    return !s->parser.complete || !s->gate.chunked || s->tail == 0x0d0a0d0a;
}

static enum http_stream_event feed_body(struct http_stream *s, const uint8_t **p, const uint8_t *end)
{
    if (s->parser.complete) return HTTP_STREAM_REQUEST;
    if (*p == end) return HTTP_STREAM_MORE;
    size_t used = 0;
    s->fed_from = *p;
    s->body_bytes_fed = s->body_bytes;
    bool good = http_parser_body(&s->parser, *p, (size_t) (end - *p), &used);
    if (s->too_big) return refuse(s, 413, "Payload Too Large");
    if (!good || framing_too_long(s, *p + used) || !ends_properly(s, *p, used)) {
        return refuse(s, 400, "Malformed request body");
    }
    *p += used;
    s->framing_bytes += (int64_t) used - (s->body_bytes - s->body_bytes_fed);
    return s->parser.complete ? HTTP_STREAM_REQUEST : HTTP_STREAM_MORE;
}

enum http_stream_event http_stream_feed(struct http_stream *s, const uint8_t **p, const uint8_t *end)
{
    if (s->in_body) return feed_body(s, p, end);
    return *p == end ? HTTP_STREAM_MORE : feed_head(s, p, end);
}

void http_stream_body(struct http_stream *s, int64_t body_max, bool discard)
{
    must(s->in_body);
    s->body_max = body_max;
    s->discard = discard;
}

void http_stream_next(struct http_stream *s)
{
    gate_init(&s->gate);
    buf_fini(&s->head);                               /* an idle connection must not hold it */
    buf_fini(&s->body);
    buf_init(&s->head, HTTP_HEAD_BYTES_MAX);
    buf_init(&s->body, SIZE_MAX / 2);
    s->whole = STR_NONE;
    s->sink = NULL;
    s->at = NULL;
    s->body_bytes = s->framing_bytes = 0;
    s->tail = 0;
    s->in_body = s->too_big = false;
}

bool http_stream_has_begun(const struct http_stream *s)
{
    return !s->in_body && s->head.n > 0;
}
