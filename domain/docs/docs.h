/* What the server says about itself: the page at /api, the OpenAPI and AsyncAPI documents, the page with which a person
 * sees events arrive. */
#pragma once

#include "domain/app.h"

extern const struct endpoint docs_endpoints[];

/* For http_options: the surfaces in the document, and what it says of the whole. */
extern const struct http_tag docs_tags[];
extern const char docs_description[];

/* Writes the documents; for app->docs. `version` is the server's. */
struct docs *docs_new(struct app *app, const char *version);
void docs_free(struct docs *d);
