/* Rate limits per key (an address, a user), in this process: GCRA, one 64-bit time a key. The table
 * is bounded; when it is full, the stalest keys of the probed neighbourhood are forgotten. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/str.h"

struct limiter;

/* `burst` at once, then `per_minute` evenly; at most keys_max keys are remembered. */
struct limiter *limiter_new(int per_minute, int burst, int keys_max);
void limiter_free(struct limiter *l);
/* True: go on. False: *retry_after_s (>= 1) is when it will be true again. now_ms is monotonic. */
bool limiter_take(struct limiter *l, struct str key, uint64_t now_ms, int *retry_after_s);
