#include "core/mem.h"

#include <stdlib.h>

#include "core/must.h"

void *mem_alloc(size_t size)
{
    must(size > 0);
    void *p = calloc(1, size);
    must(p != NULL);
    return p;
}

void *mem_realloc(void *p, size_t size)
{
    must(size > 0);
    void *q = realloc(p, size);
    must(q != NULL);
    return q;
}

void mem_free(void *p)
{
    free(p);
}
