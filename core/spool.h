/* Stands in for a service that is not configured: what would have been sent becomes a file
 * "<time>-<name>.json" in a directory, written on the pool; the newest 1,000 are kept. */
#pragma once

#include <uv.h>

#include "core/err.h"
#include "core/str.h"

struct spool;

/* NULL when the directory cannot be made or written. */
struct spool *spool_new(uv_loop_t *loop, const char *dir, int parallel_max);
/* OK: done comes once, later: OK, ERR_UNAVAILABLE (not written), ERR_CLOSED. ERR_FULL: it will not. The content is
 * copied; of the name only letters, digits and hyphens are used. */
enum err spool_write(struct spool *s, struct str name, struct str content, void (*done)(void *arg, enum err err),
                     void *arg);
void spool_close(struct spool *s);   /* what is being written is; frees itself */
