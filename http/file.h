/* Files that are served as they are: embedded at build (web/, see scripts/embed_web), or written once at start. Each
 * has its type, an ETag, and a gzip form if that is shorter; a row of an endpoint table names it (endpoint.file). There
 * is no folder behind them, so no path can lead out of one. */
#pragma once

#include <stdbool.h>

#include "core/str.h"

struct http_request;

enum { HTTP_FILE_TAG_BYTES = 24 };

struct http_file {
    struct str type; /* "text/html; charset=utf-8" */
    struct str bytes;
    struct str gzip;               /* the same bytes compressed, or STR_NONE */
    char tag[HTTP_FILE_TAG_BYTES]; /* hexadecimal digits of the content's hash */
    bool immutable;                /* its address changes with its content: may be kept for good */
};

/* Describes bytes that outlive it, and compresses them once; they are at most 2 GiB. */
void http_file_init(struct http_file *f, struct str type, struct str bytes);
void http_file_fini(struct http_file *f);   /* only after http_file_init: the embedded ones own nothing */

/* Answers with the file: 304 when the client has it, compressed when the client takes that. */
void reply_file(struct http_request *req, const struct http_file *f);

/* What an Accept-Encoding header says about gzip; STR_NONE (no header) is no. */
bool http_accepts_gzip(struct str accept_encoding);
/* Whether an If-None-Match header names one of the file's two tags, or "*". */
bool http_file_is_known(const struct http_file *f, struct str if_none_match);
