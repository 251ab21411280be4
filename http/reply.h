/* What reply.c shows to the other files of http/; the reply_ calls themselves are in request.h. */
#pragma once

#include "http/request.h"
#include "http/validate.h"

/* The header lines that stand on every answer of a server. */
void reply_block_init(struct buf *block, struct str cors_constant, bool https);

/* The request's own header lines, for lines that are known to be well-formed. */
struct buf *extra_headers(struct http_request *req);
