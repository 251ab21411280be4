/* The header Idempotency-Key, which every POST that moves value accepts: for endpoints without a field of their own for
 * it. One that has such a field says .header = "Idempotency-Key" in its row and finds the key in the field's value. */
#pragma once

#include "domain/app.h"

/* For the rows of those endpoints. */
#define IDEMPOTENCY_CONFLICT "409 idempotencyKey was already used with different data"

/* Reads the header into posting.scope and .key (none sent: none set). False: it cannot be one, and
 * the request has been answered. */
bool idempotency_read(struct http_request *req, struct posting *posting);
