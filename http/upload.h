/* A file that comes as multipart/form-data, for endpoints whose row says so (endpoint.upload: the field's name).
 *
 * The gates are asked at the end of the head, so that nobody's bytes are written who may not call. Then the body goes
 * through the multipart parser into a file without a name, written on the pool a piece at a time; while the disk lags
 * behind, the connection is not read. The file is gone with the request in every ending, also that of the process.
 *
 *     ASKING ──authenticated──▶ OPEN ──body's end, all written──▶ READY: the handler runs
 *        └───────refused          └──cut off, too late, too long──▶ FAILED: answered when no write is under way */
#pragma once

#include "core/work.h"
#include "http/multipart.h"
#include "http/request.h"

enum { UPLOAD_BACKLOG_BYTES = 128 << 10, UPLOAD_PENDING_BYTES_MAX = 1 << 20, UPLOAD_REST_BYTES_MAX = 64 << 10 };

struct http_upload {
    struct http_request *req;
    enum { UPLOAD_ASKING, UPLOAD_OPEN, UPLOAD_READY, UPLOAD_FAILED } stage;
    bool keep_alive, expects_continue;   /* the request's, for when it is let in */
    bool is_form;                        /* the body is multipart/form-data */
    bool in_file, found, complete;
    struct multipart parser;
    int64_t size;                        /* of the file */
    int fd;                              /* -1: nothing was written */
    struct buf pending, writing;
    struct work work;
    bool under_way;
    enum err err;                        /* of writing */
    int status;                          /* of FAILED, with its message */
    const char *why;
};

/* For handlers: the file of the request, or NULL, which has been answered: 400 "No file uploaded", 413 "File too
 * large". It lives as long as the request; reading it blocks and is for the pool. */
struct http_upload *upload_take(struct http_request *req);

/* --- for conn.c and dispatch.c ------------------------------------------------------------------- */

/* At the end of the head of a request with a body. The request counts as dispatched from now on. */
void upload_begin(struct http_request *req, bool expects_continue);
/* The gates let it in, or it goes on after them: true when the handler may run now. */
bool upload_let_in(struct http_request *req);
void upload_body(struct http_upload *u, const uint8_t *data, size_t n);
/* The body is complete. */
void upload_end(struct http_upload *u);
/* It never will be: answered as soon as may be. */
void upload_fail(struct http_upload *u, int status, const char *why);
bool upload_may_read(const struct http_upload *u);
