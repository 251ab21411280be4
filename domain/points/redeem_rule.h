/* What points are worth. Pure: no loop, no database, no floating point. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The credit for so many points at a rate in millionths of the money's unit a point, in cents, rounded
 * down. False: it is more than money can be. Neither is below 0. */
bool redeem_credit(int64_t points, int64_t rate, int64_t *cents);

enum { DISCOUNT_CODE_CHARS = 13 };   /* "DISC-" and eight of A-Z, 0-9 */

/* Writes a code out of random bytes (at least 64 of them, or it may find too few that it can use: then
 * false). Every code is as likely as any other. Terminated. */
bool discount_code_make(const uint8_t *random, int n, char code[DISCOUNT_CODE_CHARS + 1]);
