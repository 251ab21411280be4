/* The OpenAPI 3.1 document of the tables, as JSON text. */
#pragma once

#include "http/server.h"

/* Initialises `out`. A row whose `example` or `reply` is not JSON stops the server at start. */
void openapi_build(const struct http_options *options, struct buf *out);

/* The group of an endpoint; lives as long as `own`, which is used when options.tags has no name for it. */
enum { OPENAPI_TAG_BYTES = 32 };
struct str openapi_tag(const struct http_options *options, const struct endpoint *e, char own[OPENAPI_TAG_BYTES]);
/* The document's list of groups: those of options.tags in their order, then the others in the tables'. */
void openapi_put_tags(struct buf *out, const struct http_options *options);

/* What is refused: the responses that operations share, and those of one operation; members of an open object. */
void openapi_refusals(struct buf *out);
void openapi_refusals_of(struct buf *out, const struct endpoint *e, bool signs_in);

/* The shape of an example value as a JSON schema. */
struct json;
void openapi_shape(struct buf *out, const struct json *example);
/* The schema of a field, from its row. */
void openapi_field(struct buf *out, const struct field *f);
