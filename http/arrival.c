/* A request is made here and freed here.
 *
 * It lives inside its own arena. The head is copied in one piece, and every view of the request
 * points into that copy, so that nothing depends on the receive buffer any more and no header costs
 * an allocation of its own. */
#include "http/arrival.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/mem.h"
#include "core/must.h"

struct http_request *http_request_new(struct http_server *s, struct http_conn *conn)
{
    struct arena arena;
    arena_init(&arena);
    struct http_request *req = arena_new(&arena, struct http_request);
    req->arena = arena;
    req->magic = HTTP_REQUEST_MAGIC;
    req->server = s;
    req->conn = conn;
    list_init(&req->link);
    req->started_us = clock_mono_us();
    return req;                           /* reply.c gives its buffers their maxima */
}

void http_request_gone(struct http_request *req)
{
    void (*on_gone)(struct http_request *req) = req->on_gone;
    req->on_gone = NULL;
    if (on_gone && req->stage != REQUEST_ANSWERED) on_gone(req);
}

void http_request_free(struct http_request *req)
{
    must(req->magic == HTTP_REQUEST_MAGIC);
    http_request_gone(req);
    list_unlink(&req->link);
    buf_fini(&req->reply);
    buf_fini(&req->extra_headers);
    req->magic = 0;
    struct arena arena = req->arena;      /* the request lies in it */
    arena_fini(&arena);
}

/* --- who asks -------------------------------------------------------------------------------- */

bool http_is_trusted(const struct http_server *s, struct str address)
{
    const char *const *proxies = s->options.trusted_proxies;
    for (; proxies && *proxies; proxies++) {
        if (str_eq(str_from(*proxies), address)) return true;
    }
    return false;
}

static bool is_address(struct str s)
{
    char text[NET_ADDRESS_BYTES];
    struct in6_addr out;
    if (s.n == 0 || s.n >= sizeof text) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    return inet_pton(AF_INET, text, &out) == 1 || inet_pton(AF_INET6, text, &out) == 1;
}

static struct str cut_last(struct str *rest)
{
    for (size_t i = rest->n; i > 0; i--) {
        if (rest->p[i - 1] != ',') continue;
        struct str last = { rest->p + i, rest->n - i };
        rest->n = i - 1;
        return str_trim(last);
    }
    struct str all = *rest;
    *rest = STR_NONE;
    return str_trim(all);
}

/* Each proxy appends whom it saw, so the list is read from its end: as long as the one who speaks is trusted, the one
 * it names is believed. What is no address is believed by nobody. */
static struct str client_address(const struct http_request *req, struct str peer)
{
    struct str client = peer;
    if (!http_is_trusted(req->server, peer)) return client;
    for (int i = req->header_count - 1; i >= 0; i--) {
        if (!str_eq_nocase(req->headers[i].name, STR("X-Forwarded-For"))) continue;
        for (struct str rest = req->headers[i].value; rest.p;) {
            struct str next = cut_last(&rest);
            if (!is_address(next)) return client;
            client = next;
            if (!http_is_trusted(req->server, client)) return client;
        }
    }
    return client;
}

/* --- its name -------------------------------------------------------------------------------- */

static bool is_request_id(struct str s)
{
    if (s.n == 0 || s.n > HTTP_REQUEST_ID_BYTES) return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
              || c == '.' || c == '_' || c == '-')) return false;
    }
    return true;
}

static struct str new_id(struct http_request *req)
{
    static const char digits[] = "0123456789abcdef";
    char *p = arena_raw(&req->arena, HTTP_ID_PREFIX_BYTES + 8);
    memcpy(p, req->server->id_prefix, HTTP_ID_PREFIX_BYTES);
    uint32_t n = req->server->id_counter++;
    for (int i = 0; i < 8; i++) p[HTTP_ID_PREFIX_BYTES + i] = digits[(n >> (28 - 4 * i)) & 15];
    return (struct str){ p, HTTP_ID_PREFIX_BYTES + 8 };
}

void http_arrival_blank(struct http_request *req, struct str peer)
{
    req->id = new_id(req);
    req->remote = arena_str(&req->arena, peer);
    req->target = req->path = STR("-");
}

void http_arrival_take(struct http_request *req, const struct gate *g, const char *head, struct str peer)
{
    char *copy = arena_raw(&req->arena, g->end);
    memcpy(copy, head, g->end);
    req->head = (struct str){ copy + g->start, g->end - g->start };
    req->method = g->method;
    req->is_head = g->is_head;
    req->keep_alive = !g->close && (!g->http10 || g->keep_alive);
    req->target = gate_view(g->target, copy);
    req->path = g->path.n > 0 ? gate_view(g->path, copy) : STR("/");
    if (g->has_query) req->query = gate_view(g->query, copy);
    req->headers = arena_raw(&req->arena, sizeof *req->headers * (size_t) (g->header_count + 1));
    req->header_count = g->header_count;
    struct str id = STR_NONE;
    for (int i = 0; i < g->header_count; i++) {
        struct http_header *h = &req->headers[i];
        h->name = gate_view(g->names[i], copy);
        h->value = gate_view(g->values[i], copy);
        if (h->name.n == 12 && str_eq_nocase(h->name, STR("X-Request-Id"))) id = h->value;
    }
    req->id = is_request_id(id) ? id : new_id(req);
    struct str client = client_address(req, peer);
    req->remote = client.p == peer.p ? arena_str(&req->arena, client) : client;
}
