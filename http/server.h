/* The HTTP/1.1 server: listener, parser behind the gate, routing, gates, validation, answers.
 * It knows endpoints, not what they are for; what it must know of its owner comes by options. */
#pragma once

#include "core/limiter.h"
#include "core/metrics.h"
#include "core/net.h"
#include "core/turn.h"
#include "core/wheel.h"
#include "http/file.h"
#include "http/request.h"

/* Rows whose id starts with the prefix and a dash stand together in the OpenAPI document under this name. */
struct http_tag {
    const char *prefix, *name, *description;
};

struct http_options {
    const struct endpoint *const *tables;   /* arrays ending at id == NULL; the list ends with NULL */
    void *context;                          /* given back by http_context */

    /* Who is it, and may he? Called when the endpoint has auth != 0, before the body is looked at. Calls
     * request_authenticated(req) now or later, or answers the request (401, 403, 503). */
    void (*authenticate)(struct http_request *req);
    /* Runs req->endpoint->sql and answers. */
    void (*run_sql)(struct http_request *req);
    /* FIELD_ID: the row id of a public id, -1 when it cannot be one. */
    int64_t (*decode_id)(struct http_request *req, int kind, struct str text);
    /* For the OpenAPI document: which proofs an endpoint's auth takes, separated by blanks, of "bearer", "cookie"
     * and "basic"; "none" among them: also without one. NULL (the callback or its answer): none is needed. */
    const char *(*auth_schemes)(int auth);
    /* No such path; may be NULL (404 "Not Found"). */
    void (*unknown_path)(struct http_request *req);

    const char *const *cors_origins;        /* NULL-terminated; NULL: "*" without credentials */
    const char *public_url;                 /* its origin is always allowed; https adds HSTS */
    const char *const *trusted_proxies;     /* whose X-Forwarded-For is believed; NULL-terminated or NULL */
    const char *title, *version, *description;   /* of the OpenAPI document; the last may be NULL (Markdown) */
    const struct http_tag *tags;            /* its groups, in this order; ends at prefix == NULL; may be NULL */
    int rate_per_minute;                    /* general, per address; 0: off */
    int requests_max;                       /* under way at once; beyond it 503 */

    const char *upload_dir;                 /* where files that come in are written; NULL: no endpoint takes any */
    int head_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms;   /* 0: 10 s, 30 s, 75 s, 30 s */
};

struct http_server;

struct http_server *http_server_new(uv_loop_t *loop, struct turn *turn, struct wheel *wheel, struct metrics *metrics,
                                    const struct http_options *options);
/* Opens a door; may be called again for another address. */
enum err http_server_listen(struct http_server *s, const struct net_listener_options *options, const char **fault);
/* Lets clients in at all doors, which were opened with options.hold. False with *fault: a port is taken. */
bool http_server_open(struct http_server *s, const char **fault);
int http_server_port(const struct http_server *s);
void *http_context(const struct http_request *req);

/* This process is one of several on this host, number `index`: connections can be handed over between them from now on
 * (request_hand_over). After http_server_listen; the boxes must outlive the server. */
struct handover_boxes;
void http_server_join(struct http_server *s, const struct handover_boxes *boxes, int index);

/* Stops accepting, answers what is under way with Connection: close, closes idle connections; `drained` comes once
 * when the last connection is gone or after timeout_ms. Upgraded connections are no longer the server's. */
void http_server_drain(struct http_server *s, int timeout_ms, void (*drained)(void *arg), void *arg);
/* Waits for the handlers that still work for clients that have gone; `settled` comes once, never from inside the call:
 * when all have answered, or after timeout_ms. Call it when whatever handlers wait for has been closed, and nothing
 * comes any more; who has not answered by then never will, which is a defect: it is logged, and its memory is left. */
void http_server_settle(struct http_server *s, int timeout_ms, void (*settled)(void *arg), void *arg);
/* Closes what is left at once; the memory follows when the loop has reported the last connection closed. The
 * server's metrics stand in the registry until then, so call metrics_fini before. */
void http_server_free(struct http_server *s);

/* The gate between routing and validation, see http_options.authenticate. */
void request_authenticated(struct http_request *req);

/* True when `origin` (an Origin header) is the server's own or allowed by name; "*" does not count. */
bool http_origin_allowed(const struct http_server *s, struct str origin);

/* The OpenAPI 3.1 document, made once when the server is; lives as long as it. */
const struct http_file *http_openapi(const struct http_server *s);
