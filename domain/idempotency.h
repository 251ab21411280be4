/* The header Idempotency-Key, which every POST that moves value accepts. */
#pragma once

#include "domain/app.h"

/* Reads the header into posting.scope and .key (none sent: none set). False: it cannot be one, and
 * the request has been answered. */
bool idempotency_read(struct http_request *req, struct posting *posting);
