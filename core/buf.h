/* A growing byte buffer with a maximum. Appending beyond the maximum sets `failed` and appends
 * nothing, also not later, so that a builder checks once at its end instead of at every step. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/str.h"

struct buf {
    char *p;
    size_t n, cap;
    size_t max;
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b);                 /* keeps the memory */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_cstr(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_i64(struct buf *b, int64_t v);
void buf_u64(struct buf *b, uint64_t v);
void buf_hex(struct buf *b, const uint8_t *p, size_t n);   /* lower case */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct str buf_view(const struct buf *b);
void buf_consume(struct buf *b, size_t n);     /* drops the first n bytes */

/* Room for n more bytes at the end, not yet counted; NULL when beyond the maximum. Call
 * buf_added(b, m) with m <= n afterwards. */
char *buf_reserve(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
