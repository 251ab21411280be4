/* The OpenAPI 3.1 document of the tables, as JSON text. */
#pragma once

#include "http/server.h"

/* Initialises `out`. A row whose `example` or `reply` is not JSON stops the server at start. */
void openapi_build(const struct http_options *options, struct buf *out);

/* The shape of an example value as a JSON schema. */
struct json;
void openapi_shape(struct buf *out, const struct json *example);
/* The schema of a field, from its row. */
void openapi_field(struct buf *out, const struct field *f);
