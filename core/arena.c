#include "core/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/must.h"

/* A request rarely needs more than one chunk, so freed ones are kept for the next request. The
 * loop is single-threaded and work on the pool never touches an arena. */
enum { CHUNK_BYTES = 4096, SPARE_CHUNKS_MAX = 256 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

struct arena_cleanup {
    struct arena_cleanup *next;
    void (*run)(void *);
    void *arg;
};

static struct arena_chunk *spare_chunks;
static int spare_count;

static struct arena_chunk *chunk_new(size_t at_least)
{
    size_t room = CHUNK_BYTES - sizeof(struct arena_chunk);
    if (at_least <= room && spare_chunks) {
        struct arena_chunk *c = spare_chunks;
        spare_chunks = c->next;
        spare_count--;
        c->used = 0;
        return c;
    }
    if (at_least > room) room = at_least;
    struct arena_chunk *c = mem_realloc(NULL, sizeof *c + room);
    c->used = 0;
    c->size = room;
    return c;
}

static void chunk_free(struct arena_chunk *c)
{
    if (c->size != CHUNK_BYTES - sizeof *c || spare_count >= SPARE_CHUNKS_MAX) {
        mem_free(c);
        return;
    }
    c->next = spare_chunks;
    spare_chunks = c;
    spare_count++;
}

void arena_init(struct arena *a)
{
    *a = (struct arena){ 0 };
}

void arena_fini(struct arena *a)
{
    for (struct arena_cleanup *c = a->cleanups; c; c = c->next) c->run(c->arg);
    struct arena_chunk *next;
    for (struct arena_chunk *c = a->chunks; c; c = next) {
        next = c->next;
        chunk_free(c);
    }
    arena_init(a);
}

void *arena_raw(struct arena *a, size_t size)
{
    size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    must(rounded >= size);
    struct arena_chunk *c = a->chunks;
    if (!c || c->size - c->used < rounded) {
        c = chunk_new(rounded);
        c->next = a->chunks;
        a->chunks = c;
    }
    void *p = c->bytes + c->used;
    c->used += rounded;
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return memset(arena_raw(a, size ? size : 1), 0, size);
}

struct str arena_str(struct arena *a, struct str s)
{
    char *p = arena_raw(a, s.n + 1);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return (struct str){ p, s.n };
}

const char *arena_cstr(struct arena *a, struct str s)
{
    return arena_str(a, s).p;
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    must(n >= 0);
    char *p = arena_raw(a, (size_t) n + 1);
    va_start(args, format);
    vsnprintf(p, (size_t) n + 1, format, args);
    va_end(args);
    return (struct str){ p, (size_t) n };
}

void arena_defer(struct arena *a, void (*cleanup)(void *), void *arg)
{
    struct arena_cleanup *c = arena_new(a, struct arena_cleanup);
    *c = (struct arena_cleanup){ a->cleanups, cleanup, arg };
    a->cleanups = c;
}
