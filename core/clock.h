/* The only two clocks of the server. Deadlines and intervals use the monotonic one; wall time is
 * for what people and tokens see. Business time (created_at) is the database's now(). */
#pragma once

#include <stdint.h>

#include "core/str.h"

uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
int64_t clock_wall_us(void);    /* microseconds since 1970, UTC */
int64_t clock_wall_s(void);

/* "2026-02-09T10:00:00.000Z": ISO 8601, UTC, milliseconds (truncated). Writes CLOCK_ISO_BYTES
 * characters, no NUL. */
enum { CLOCK_ISO_BYTES = 24 };
void clock_iso(int64_t wall_us, char out[CLOCK_ISO_BYTES]);

/* "Mon, 09 Feb 2026 10:00:00 GMT" (29 characters, no NUL), for Date headers and mails. */
enum { CLOCK_HTTP_BYTES = 29 };
void clock_http_date(int64_t wall_s, char out[CLOCK_HTTP_BYTES]);

/* Reads a date ("2026-02-09") or a time ("2026-02-09T10:00:00[.fff][Z|+hh:mm]"); false when it is
 * neither or no day of the calendar. *is_date tells which; a date is its first microsecond. */
bool clock_parse(struct str s, int64_t *wall_us, bool *is_date);
