#include "core/must.h"

#include <stdio.h>
#include <stdlib.h>

void must_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "tallyd: defect: must(%s) failed at %s:%d\n", what, file, line);
    abort();
}
