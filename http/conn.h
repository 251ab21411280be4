/* Between the parser (conn.c, gate.c) and what happens to a request (dispatch.c): private to http/. */
#pragma once

#include "core/wheel.h"
#include "http/server.h"

/* conn.c calls this at the end of a request's head (body not yet read): routes it, sets req->endpoint and
 * path_params, and returns the status that refuses it at once (404, 405, 413, 415, 417, 503; reply already made),
 * or 0 to go on and read the body of at most *body_max bytes. Unknown paths, OPTIONS and the rest of the gates are
 * answered in http_dispatch. */
int http_route(struct http_request *req, int64_t content_length, int64_t *body_max);

/* conn.c calls this when the request is complete. Gates (CORS, rate, auth), validation, handler. */
void http_dispatch(struct http_request *req);

/* The reply_ calls end here: req->reply holds the whole answer and req->status is set. Sends it when it is this
 * request's turn on its connection, otherwise keeps it; frees the request once it is sent or its client is gone.
 * Writes the access line. */
void http_conn_answered(struct http_request *req);
/* About to be answered: must the answer say that the connection closes? If so, nothing follows it. */
bool http_conn_closes_with(struct http_request *req);

/* Requests come from here so that reply_ calls work the same in tests without a socket: conn may be NULL. */
struct http_request *http_request_new(struct http_server *s, struct http_conn *conn);
void http_request_free(struct http_request *req);
/* Its client has gone, or can say no more; tells the handler, once, unless the request was answered. */
void http_request_gone(struct http_request *req);
static inline bool http_request_waits(const struct http_request *req)
{
    return req->endpoint && (req->endpoint->flags & ENDPOINT_WAITS);
}
