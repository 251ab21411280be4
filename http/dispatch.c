/* From a request to its handler. The gates stand in this order, and each either answers or lets
 * the request go on: path and method, CORS (OPTIONS ends there), rate, who is it, body, fields.
 *
 * At the end of the head (http_route) only that is decided which makes reading the body pointless:
 * no such method, too long, encoded, an expectation we cannot meet, or no JSON where nobody need
 * sign in. Where somebody must, a stranger learns that first (401), whatever he sent. */
#include "http/conn.h"

#include <stdio.h>

#include "core/log.h"
#include "core/must.h"
#include "http/file.h"
#include "http/reply.h"
#include "http/server_private.h"
#include "http/upload.h"

enum { BODY_BYTES_DEFAULT = 1 << 20, ALLOW_BYTES = 64 };

/* --- at the end of the head ----------------------------------------------------------------------- */

/* The row for the request; a path with a parameter that cannot be decoded is no path of ours. */
static void find_route(struct http_request *req, struct route *route)
{
    router_find(req->server->router, req->method, req->is_head, req->path, route);
    if (!route->endpoint) return;
    for (int i = 0; i < route->param_count; i++) {
        if (route_decode(route->params[i], &req->arena, &req->path_params[i])) continue;
        *route = (struct route){ 0 };
        return;
    }
    req->endpoint = route->endpoint;
}

/* "application/json", in any case, with any parameters as long as a charset is UTF-8. */
static bool is_json_type(struct str type)
{
    struct str rest = type;
    if (!str_eq_nocase(str_trim(str_cut(&rest, ';')), STR("application/json"))) return false;
    while (rest.n) {
        struct str value = str_cut(&rest, ';');
        struct str name = str_trim(str_cut(&value, '='));
        if (!str_eq_nocase(name, STR("charset"))) continue;
        value = str_trim(value);
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = (struct str){ value.p + 1, value.n - 2 };
        if (!str_eq_nocase(value, STR("utf-8"))) return false;
    }
    return true;
}

static bool looks_at_body(const struct endpoint *e)
{
    return e && e->method != HTTP_GET && !e->upload && !(e->flags & ENDPOINT_BODY_IGNORED);
}

static bool is_encoded(const struct http_request *req)
{
    struct str encoding = request_header(req, STR("content-encoding"));
    return encoding.n && !str_eq_nocase(encoding, STR("identity"));
}

static int refuse(struct http_request *req, int64_t content_length, int status, const char *message)
{
    http_refuse_body(req, content_length);
    reply_error(req, status, message);
    return status;
}

static int refuse_method(struct http_request *req, int64_t content_length, unsigned allowed)
{
    char allow[ALLOW_BYTES];
    reply_header(req, STR("Allow"), route_allow(allowed, allow, sizeof allow));
    return refuse(req, content_length, 405, "Method Not Allowed");
}

int http_route(struct http_request *req, int64_t content_length, int64_t *body_max)
{
    const struct http_server *s = req->server;
    struct route route;
    find_route(req, &route);
    const struct endpoint *e = req->endpoint;
    *body_max = e && e->body_max ? e->body_max : BODY_BYTES_DEFAULT;

    if (s->options.requests_max && s->requests_under_way >= s->options.requests_max)
        return refuse(req, content_length, 503, err_info(ERR_FULL)->message);
    if (!e && route.allowed && req->method != HTTP_OPTIONS) return refuse_method(req, content_length, route.allowed);
    struct str expect = request_header(req, STR("expect"));
    if (expect.p && !str_eq_nocase(expect, STR("100-continue")))
        return refuse(req, content_length, 417, "Expectation Failed");
    if (content_length > *body_max)
        return refuse(req, content_length, 413, e && e->upload ? "File too large" : "Payload Too Large");
    if (content_length == 0 || !looks_at_body(e)) return 0;
    if (is_encoded(req) || (!e->auth && !is_json_type(request_header(req, STR("content-type")))))
        return refuse(req, content_length, 415, "Invalid Content-Type");
    return 0;
}

/* --- the gates ------------------------------------------------------------------------------------ */

static void answer_options(struct http_request *req)
{
    char allow[ALLOW_BYTES];
    struct route route;
    router_find(req->server->router, HTTP_OPTIONS, false, req->path, &route);
    bool whole_server = str_eq(req->target, STR("*"));
    if (!route.allowed && !whole_server) {
        reply_error(req, 404, "Not Found");
        return;
    }
    struct str methods = route_allow(route.allowed, allow, sizeof allow);
    if (!whole_server) reply_header(req, STR("Allow"), methods);
    cors_put_preflight(&req->server->cors, request_header(req, STR("origin")), methods, extra_headers(req));
    reply_empty(req, 204);
}

static bool take(struct http_request *req, struct limiter *limiter)
{
    int retry_after_s;
    if (!limiter || limiter_take(limiter, req->remote, clock_mono_ms(), &retry_after_s)) return true;
    reply_error_retry(req, 429, "Too many requests, try again later", retry_after_s);
    return false;
}

static bool pass_rate(struct http_request *req)
{
    if (!take(req, req->server->limiter)) return false;
    return !req->endpoint || take(req, http_endpoint_limiter(req->server, req->endpoint));
}

static void answer_unknown_path(struct http_request *req)
{
    if (req->server->options.unknown_path) req->server->options.unknown_path(req);
    else reply_error(req, 404, "Not Found");
}

void http_dispatch(struct http_request *req)
{
    must(req->status == 0);
    if (req->method == HTTP_OPTIONS) {
        answer_options(req);
    } else if (!pass_rate(req)) {
        return;
    } else if (!req->endpoint) {
        answer_unknown_path(req);
    } else if (req->endpoint->auth) {
        req->server->options.authenticate(req);
    } else {
        request_authenticated(req);
    }
}

static bool needs_body(const struct endpoint *e)
{
    for (int i = 0; i < ENDPOINT_FIELDS_MAX && e->fields[i].name; i++) {
        if (e->fields[i].in == IN_BODY && (e->fields[i].flags & FIELD_REQUIRED)) return true;
    }
    return false;
}

static void refuse_json(struct http_request *req, const char *why)
{
    struct reply_faults faults = { 0 };
    reply_fault(req, &faults, "body", why);
    reply_faults_as(req, &faults, "Invalid JSON");
}

/* Leaves the body in req->json, or answers. No body is fine where no field is required; with JSON
 * announced it is an empty object, so that the answer names the fields that are missing. */
static bool read_body(struct http_request *req)
{
    if (!looks_at_body(req->endpoint) || (req->body.n == 0 && !needs_body(req->endpoint))) return true;
    if (!is_json_type(request_header(req, STR("content-type")))) {
        reply_error(req, 415, "Invalid Content-Type");
        return false;
    }
    if (req->body.n == 0) return true;
    const char *why = NULL;
    if (json_parse(req->body, &req->arena, &req->json, &why) != OK) {
        refuse_json(req, why);
        return false;
    }
    if (req->json->type == JSON_OBJECT) return true;
    refuse_json(req, "must be an object");
    return false;
}

static bool read_fields(struct http_request *req)
{
    struct reply_faults faults = { 0 };
    struct validate_input in = {
        .arena = &req->arena, .path_params = req->path_params, .query = req->query, .body = req->json,
        .decode_id = req->server->options.decode_id, .req = req,
    };
    if (validate(req->endpoint, &in, req->values, &faults) == 0) return true;
    reply_faults(req, &faults);
    return false;
}

void request_authenticated(struct http_request *req)
{
    must(req->magic == HTTP_REQUEST_MAGIC && req->status == 0 && req->endpoint != NULL);
    if (req->upload && !upload_let_in(req)) return;
    if (!read_body(req) || !read_fields(req)) return;
    if (req->endpoint->run) req->endpoint->run(req);
    else if (req->endpoint->file) reply_file(req, req->endpoint->file);
    else req->server->options.run_sql(req);
}
