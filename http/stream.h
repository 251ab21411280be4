/* A connection's bytes, cut into requests: gate and llhttp together, limits included, without socket
 * or clock, so that tests and the fuzzer see all of it. */
#pragma once

#include "core/buf.h"
#include "http/gate.h"
#include "http/parser.h"

enum http_stream_event {
    HTTP_STREAM_MORE,        /* all input is used */
    HTTP_STREAM_HEAD,        /* `gate` and `at` describe the head; call http_stream_body, then feed on */
    HTTP_STREAM_REQUEST,     /* the body is complete; call http_stream_next, then feed on */
    HTTP_STREAM_REFUSED,     /* `status` and `why`; nothing more may be fed */
};

struct http_stream {
    struct gate gate;
    struct http_parser parser;
    const char *at;          /* where the head stands; valid until the next feed */
    struct buf head;         /* a head that came in pieces */
    struct buf body;         /* a body that came in pieces */
    struct str whole;        /* a body that came in one: a view of the input */
    int64_t body_max, body_bytes, framing_bytes;
    void (*sink)(void *arg, const uint8_t *data, size_t n);   /* takes the body instead, as it comes; set after HEAD */
    void *sink_arg;
    const uint8_t *fed_from; /* of the feed under way */
    int64_t body_bytes_fed;  /* body_bytes before it */
    uint32_t tail;           /* the last four bytes of a body, framing included */
    bool in_body, discard, too_big;
    int status;
    const char *why;
};

void http_stream_init(struct http_stream *s);
void http_stream_fini(struct http_stream *s);
enum http_stream_event http_stream_feed(struct http_stream *s, const uint8_t **p, const uint8_t *end);
/* After HEAD: how long the body may be; discard: it is read for nothing. */
void http_stream_body(struct http_stream *s, int64_t body_max, bool discard);
/* After REQUEST, when head and body have been taken. */
void http_stream_next(struct http_stream *s);
/* Bytes of an unfinished head are there. */
bool http_stream_has_begun(const struct http_stream *s);
