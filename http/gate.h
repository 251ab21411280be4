/* The strict front door: decides about a request's head, byte for byte, before llhttp sees it.
 * Pure: no memory, no time, no socket. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/request.h"

enum gate_result { GATE_MORE, GATE_DONE, GATE_REFUSED };

/* A part of the head, by offset, so that the head may move in memory. */
struct gate_span {
    uint16_t at, n;
};

struct gate {
    uint32_t line;                 /* where the line being waited for begins */
    uint32_t searched;             /* no line feed before this offset that has not been looked at */
    uint32_t start, end;           /* the head's first byte, and behind its last one once DONE */
    bool in_fields;                /* the request line is done */

    int status;                    /* of GATE_REFUSED, with words for the client */
    const char *why;

    enum http_method method;       /* HTTP_NONE: a method of HTTP's that we do not serve */
    bool is_head, http10, absolute;
    bool chunked, close, keep_alive, expect_continue;
    int hosts, lengths;
    int64_t content_length;        /* -1: none given */
    struct gate_span target, authority, path, query, host;
    bool has_query;
    int header_count;
    struct gate_span names[HTTP_HEADERS_MAX], values[HTTP_HEADERS_MAX];
};

void gate_init(struct gate *g);

/* p[0..n) is the head from its first byte on; called again with the same bytes and more behind them as long as the
 * answer is GATE_MORE. The answer depends on the bytes only, not on how they were cut. */
enum gate_result gate_feed(struct gate *g, const char *p, size_t n);

static inline struct str gate_view(struct gate_span s, const char *head)
{
    return (struct str){ head + s.at, s.n };
}
