/* What docs.c and asyncapi.c share. */
#pragma once

#include "domain/docs/docs.h"
#include "http/file.h"

/* Appends the document. `public_url` with its scheme. */
void asyncapi_build(struct buf *out, struct str public_url, const char *version);
