/* Which endpoint a request is for. Built once from the tables as a tree of path words; looking up
 * allocates nothing. The rules:
 * - a fixed word wins over a parameter; when the rest of the path does not fit below the fixed
 *   word (or has no such method), the parameter is tried;
 * - paths are case-sensitive, and fixed words are compared as sent, never percent-decoded, so that
 *   what a proxy in front of us allows or forbids by path is what we serve;
 * - one trailing slash is ignored; an empty word ("//") matches nothing, a parameter neither;
 * - HEAD is where GET is, except where the GET changes something (ENDPOINT_CHANGES).
 * A defect in a table (see endpoint_check) stops the server at start. */
#pragma once

#include "core/arena.h"
#include "http/endpoint.h"

enum { ROUTE_PARAMS_MAX = 8 };

struct router;

struct route {
    const struct endpoint *endpoint;      /* NULL: no such path, or not with this method */
    unsigned allowed;                     /* 1 << method of what the path knows; 0: no such path */
    int param_count;
    struct str params[ROUTE_PARAMS_MAX];  /* as sent, in order of the path */
};

struct router *router_new(const struct endpoint *const *tables);
void router_free(struct router *r);

/* HEAD comes as HTTP_GET with is_head. */
void router_find(const struct router *r, enum http_method method, bool is_head, struct str path, struct route *out);

/* A parameter, percent-decoded into the arena (or as it stands, when nothing is escaped). False for
 * a broken escape, an escaped NUL or slash, and what is not UTF-8: such a path does not exist, and
 * nobody behind the router ever meets one. */
bool route_decode(struct str param, struct arena *arena, struct str *out);

/* "GET, HEAD, OPTIONS" for Allow and Access-Control-Allow-Methods. */
struct str route_allow(unsigned allowed, char *out, size_t size);

/* What every row must hold; must() otherwise. */
void endpoint_check(const struct endpoint *e);
