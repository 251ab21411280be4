/* A request's making: from the gate's view of a head to a struct http_request that owns its bytes. */
#pragma once

#include "http/gate.h"
#include "http/server_private.h"

/* Copies the head (from head[g->start] to head[g->end]) and everything that can be said before routing; peer is the
 * connection's other end. */
void http_arrival_take(struct http_request *req, const struct gate *g, const char *head, struct str peer);
/* For an answer to what was no request: only id and address. */
void http_arrival_blank(struct http_request *req, struct str peer);
bool http_is_trusted(const struct http_server *s, struct str address);
