/* A request on its way through the server, from its last byte to its answer.
 *
 * It lives in its own arena until it is answered AND its answer is handed to the connection; when the
 * client goes away first, the work goes on and the answer is dropped (`req->conn` is NULL then, and
 * nobody but http/ looks at it). Every request is answered exactly once by one of the reply_ calls. */
#pragma once

#include "core/arena.h"
#include "core/err.h"
#include "core/list.h"
#include "core/net.h"
#include "http/endpoint.h"

enum { HTTP_HEADERS_MAX = 64, HTTP_HEAD_BYTES_MAX = 16384, HTTP_REQUEST_ID_BYTES = 64 };

struct http_upload;

struct http_header {
    struct str name, value;   /* name as sent, compared without case; value trimmed */
};

struct http_request {
    uint32_t magic;
    struct arena arena;
    struct http_server *server;
    struct http_conn *conn;              /* NULL: the client has gone */
    struct list link;                    /* among the connection's requests, in order of arrival */

    enum http_method method;             /* HEAD is served as GET with is_head set */
    bool is_head;
    bool keep_alive;
    bool handed_over;                    /* came by another process of this host, and is answered here */
    struct str head;                     /* as it came, its empty line included */
    struct str target, path, query;      /* path without trailing slash, not decoded */
    struct http_header *headers;
    int header_count;
    struct str body;

    const struct endpoint *endpoint;     /* NULL: no such path */
    struct str path_params[8];           /* in order of the path, percent-decoded */
    struct value values[ENDPOINT_FIELDS_MAX];
    struct json *json;                   /* the parsed body, or NULL */
    struct http_upload *upload;          /* of an endpoint that takes a file; NULL without a body */
    void *caller;                        /* set by authenticate; its type is the domain's */

    struct str id;                       /* X-Request-Id: the client's when well-formed, else ours */
    struct str remote;                   /* the client's address behind trusted proxies */
    struct str user;                     /* for the access line; set by authenticate */
    uint64_t started_us;                 /* monotonic */

    struct buf reply;                    /* head and body, once answered and until it is this request's turn */
    struct buf extra_headers;            /* "Name: value\r\n"… of reply_header */
    int status;                          /* 0: not answered yet */
    bool upgraded;
    /* When set: called at most once, when the client goes away (or can send no more) before the answer, or when
     * somebody else answers: a body that is too long, a gate. Who answers himself sets it to NULL before. A request
     * that was dispatched and has no status yet is still to be answered then, in the call or later; of any other no
     * more comes. */
    void (*on_gone)(struct http_request *req);
    void *own;                           /* the handler's own */
    enum { REQUEST_ARRIVING, REQUEST_DISPATCHED, REQUEST_ANSWERED } stage;   /* conn.c's */
};

struct str request_header(const struct http_request *req, struct str name);   /* STR_NONE when absent */
int request_header_count(const struct http_request *req, struct str name);   /* how often it was sent */
/* A cookie's value; STR_NONE when absent. */
struct str request_cookie(const struct http_request *req, struct str name);
/* A query parameter that is not a declared field (percent-decoded, in the arena). */
struct str request_query(struct http_request *req, struct str name);
/* The value of the endpoint's field of that name; must exist. For handlers that read better with names. */
const struct value *request_value(const struct http_request *req, const char *name);

/* Answers. Texts are copied or sent before the call returns. */
void reply_json(struct http_request *req, int status, struct str json);
void reply_body(struct http_request *req, int status, struct str content_type, struct str body);
/* A body of exactly `size` bytes that `fill` writes where it leaves from. */
void reply_filled(struct http_request *req, int status, struct str content_type, size_t size,
                  void (*fill)(void *arg, char *to), void *arg);
void reply_empty(struct http_request *req, int status);
void reply_redirect(struct http_request *req, int status, struct str location);
/* The one error body of all surfaces: {"success":false,"status":false,"errorCode":…,"message":…,"errors":[]}. */
void reply_error(struct http_request *req, int status, const char *message);
void reply_error_retry(struct http_request *req, int status, const char *message, int retry_after_s);
/* What err_info says; 503 with Retry-After when retryable. */
void reply_err(struct http_request *req, enum err err);

/* Faults of fields, all at once: start from { 0 }, add each, then reply (which frees them). */
struct reply_faults {
    struct buf json;      /* the elements of "errors" */
    int count;
};
void reply_fault(struct http_request *req, struct reply_faults *f, const char *field, const char *message);
void reply_faults(struct http_request *req, struct reply_faults *f);   /* 400 "Validation failed" */
void reply_faults_as(struct http_request *req, struct reply_faults *f, const char *message);   /* 400 */

/* Before the answer. Value must not contain CR or LF. */
void reply_header(struct http_request *req, struct str name, struct str value);

/* Takes the connection over for another protocol (endpoints with ENDPOINT_UPGRADE): no further request
 * is read from it. `rest` are bytes already received behind the head, valid until the caller returns.
 * The request counts as answered; write the 101 yourself. NULL when the client has gone. */
struct net_conn *request_upgrade(struct http_request *req, struct str *rest);

/* Gives the request, and its connection for good, to another worker process of this host, which answers it as soon as
 * those before it are answered. Called while the request is dispatched (from its `run`). OK: it has gone and needs no
 * answer, or the other process does not take it (it is dead, starting, draining or full) and `refused`, which must
 * answer, comes once, later. ERR_UNAVAILABLE: it must be answered here: there is no such worker, it is ourselves, or
 * it was handed over to us. */
enum err request_hand_over(struct http_request *req, int worker, void (*refused)(struct http_request *req));
