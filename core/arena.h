/* Memory that lives as long as one request (or batch, or flow) and is freed all at once. Other
 * resources hang on it as deferred clean-ups. Nothing that lives longer points into it. */
#pragma once

#include <stddef.h>

#include "core/str.h"

struct arena {
    struct arena_chunk *chunks;
    struct arena_cleanup *cleanups;
};

void arena_init(struct arena *a);
/* Runs the clean-ups, newest first, and frees everything. The arena can be used again. */
void arena_fini(struct arena *a);

void *arena_alloc(struct arena *a, size_t size);   /* zeroed, aligned for any type; never NULL */
void *arena_raw(struct arena *a, size_t size);     /* not zeroed */
#define arena_new(a, type) ((type *) arena_alloc((a), sizeof(type)))

struct str arena_str(struct arena *a, struct str s);        /* a copy, followed by a NUL that is not counted */
const char *arena_cstr(struct arena *a, struct str s);      /* a copy, terminated */
struct str arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

void arena_defer(struct arena *a, void (*cleanup)(void *), void *arg);
