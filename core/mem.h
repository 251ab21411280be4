/* Allocation that aborts when the machine has no memory left. Sizes chosen by a user are checked
 * against a bound before they come here, so a failure means the machine is out of memory, and a
 * restart serves everybody better than a hundred untested error paths. */
#pragma once

#include <stddef.h>

void *mem_alloc(size_t size);                  /* zeroed; size > 0 */
void *mem_realloc(void *p, size_t size);       /* the new part is not zeroed */
void mem_free(void *p);                        /* NULL is fine */

#define mem_new(type) ((type *) mem_alloc(sizeof(type)))
