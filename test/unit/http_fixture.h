/* A server without sockets for the tests of http/: requests are made by hand, routed and dispatched
 * like those of a connection, and their answers read from the request. */
#pragma once

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/digest.h"
#include "core/json.h"
#include "core/log.h"
#include "http/conn.h"
#include "http/server_private.h"

struct fixture {
    uv_loop_t loop;
    struct turn turn;
    struct wheel *wheel;
    struct http_server *server;
    struct http_request *req;       /* the latest */
};

static inline void fixture_init(struct fixture *f, const struct http_options *options)
{
    digest_init();
    log_setup(LOG_OFF, LOG_TEXT);
    uv_loop_init(&f->loop);
    turn_init(&f->turn, &f->loop);
    f->wheel = wheel_new(&f->loop);
    f->server = http_server_new(&f->loop, &f->turn, f->wheel, NULL, options);
    f->req = NULL;
}

static inline void fixture_fini(struct fixture *f)
{
    if (f->req) http_request_free(f->req);
    http_server_free(f->server);
    wheel_close(f->wheel);
    turn_close(&f->turn);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&f->loop), 0);
}

static inline struct str own(struct http_request *req, const char *text)
{
    return arena_str(&req->arena, str_from(text));
}

/* "Name: value" lines, each ended by '\n'. */
static inline void fixture_headers(struct http_request *req, const char *lines)
{
    struct str rest = own(req, lines);
    req->headers = arena_alloc(&req->arena, HTTP_HEADERS_MAX * sizeof *req->headers);
    while (rest.n) {
        struct str value = str_cut(&rest, '\n'), name = str_cut(&value, ':');
        req->headers[req->header_count++] = (struct http_header){ name, str_trim(value) };
    }
}

/* A fresh request, not yet routed; the previous one is freed. */
static inline struct http_request *fixture_request(struct fixture *f, enum http_method method, const char *target,
                                                   const char *headers)
{
    if (f->req) http_request_free(f->req);
    struct http_request *req = f->req = http_request_new(f->server, NULL);
    req->method = method == HTTP_HEAD ? HTTP_GET : method;
    req->is_head = method == HTTP_HEAD;
    req->keep_alive = true;
    req->target = own(req, target);
    struct str query = req->target;
    req->path = str_cut(&query, '?');
    req->query = query;
    req->id = STR("test-1");
    req->remote = STR("203.0.113.7");
    fixture_headers(req, headers);
    return req;
}

/* Through routing and dispatch; body NULL: none. Returns the status. */
static inline int fixture_send(struct fixture *f, enum http_method method, const char *target, const char *headers,
                               const char *body)
{
    struct http_request *req = fixture_request(f, method, target, headers);
    int64_t body_max = 0;
    req->body = body ? own(req, body) : STR_NONE;
    if (http_route(req, (int64_t) req->body.n, &body_max) == 0) {
        req->stage = REQUEST_DISPATCHED;
        f->server->requests_under_way++;
        http_dispatch(req);
    }
    return req->status;
}

static inline struct str fixture_head(const struct fixture *f)
{
    struct str reply = buf_view(&f->req->reply);
    const char *end = memmem(reply.p, reply.n, "\r\n\r\n", 4);
    ck_assert_ptr_nonnull(end);
    return (struct str){ reply.p, (size_t) (end - reply.p) + 4 };
}

static inline struct str fixture_body(const struct fixture *f)
{
    struct str head = fixture_head(f), reply = buf_view(&f->req->reply);
    return (struct str){ reply.p + head.n, reply.n - head.n };
}

/* The value of an answer's header, STR_NONE when absent; fails when it stands there twice. */
static inline struct str fixture_header(const struct fixture *f, const char *name)
{
    struct str rest = fixture_head(f), found = STR_NONE;
    while (rest.n) {
        struct str value = str_cut(&rest, '\n'), key = str_cut(&value, ':');
        if (!value.p || !str_eq_nocase(key, str_from(name))) continue;
        ck_assert_msg(!found.p, "%s stands there twice", name);
        found = str_trim(value);
    }
    return found;
}
