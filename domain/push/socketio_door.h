/* The endpoint of Engine.IO: between http/, which brings requests, and ws/, which knows what they mean. It knows
 * nothing of tally, so that the protocols can be tested without it. */
#pragma once

#include "http/server.h"
#include "ws/engineio.h"

/* For the rows of an endpoint: GET with ENDPOINT_UPGRADE | ENDPOINT_CHANGES | ENDPOINT_WAITS, POST with
 * ENDPOINT_BODY_IGNORED and body_max of SOCKETIO_BODY_MAX, and every other method, which is refused as the protocol
 * says. */
enum { SOCKETIO_BODY_MAX = 1000000 };

void socketio_door(struct http_request *req, struct eio_server *engine);
/* endpoint.begin of POST. */
void socketio_door_begin(struct http_request *req, struct eio_server *engine);
