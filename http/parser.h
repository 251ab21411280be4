/* llhttp behind a small face. (Its header cannot be included beside ours: both have an HTTP_GET.) */
#pragma once

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_parser {
    alignas(16) unsigned char llhttp[96];
    bool headers_done, complete;
    int64_t content_length;              /* as llhttp understood it; -1: none */
    bool chunked;
    /* A piece of the body; false stops the parser. */
    bool (*on_body)(void *arg, const uint8_t *data, size_t n);
    void *arg;
};

void http_parser_init(struct http_parser *p, bool (*on_body)(void *arg, const uint8_t *data, size_t n), void *arg);
/* A whole head, first byte to last; false when llhttp refuses it or does not see its end there. */
bool http_parser_head(struct http_parser *p, const char *head, size_t n);
/* The body: false when it is malformed (or on_body said so); *used tells how far, at most to the message's end,
 * which sets `complete`. */
bool http_parser_body(struct http_parser *p, const uint8_t *data, size_t n, size_t *used);
