#include "core/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/must.h"

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){ .max = max };
}

void buf_fini(struct buf *b)
{
    mem_free(b->p);
    *b = (struct buf){ 0 };
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed || n > b->max - b->n) {
        b->failed = true;
        return NULL;
    }
    if (b->n + n > b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 256;
        if (cap < b->n + n) cap = b->n + n;
        if (cap > b->max) cap = b->max;
        b->p = mem_realloc(b->p, cap);
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_added(struct buf *b, size_t n)
{
    must(n <= b->cap - b->n);
    b->n += n;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    if (n == 0) return;
    char *to = buf_reserve(b, n);
    if (!to) return;
    memcpy(to, p, n);
    b->n += n;
}

void buf_str(struct buf *b, struct str s)
{
    buf_put(b, s.p, s.n);
}

void buf_cstr(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void buf_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t i = sizeof digits;
    do digits[--i] = (char) ('0' + v % 10);
    while (v /= 10);
    buf_put(b, digits + i, sizeof digits - i);
}

void buf_i64(struct buf *b, int64_t v)
{
    if (v < 0) buf_char(b, '-');
    buf_u64(b, v < 0 ? 0 - (uint64_t) v : (uint64_t) v);
}

void buf_hex(struct buf *b, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *to = buf_reserve(b, 2 * n);
    if (!to) return;
    for (size_t i = 0; i < n; i++) {
        *to++ = digits[p[i] >> 4];
        *to++ = digits[p[i] & 15];
    }
    b->n += 2 * n;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    must(n >= 0);
    char *to = buf_reserve(b, (size_t) n + 1);
    if (!to) return;
    va_start(args, format);
    vsnprintf(to, (size_t) n + 1, format, args);
    va_end(args);
    b->n += (size_t) n;
}

struct str buf_view(const struct buf *b)
{
    return (struct str){ b->p, b->n };
}

void buf_consume(struct buf *b, size_t n)
{
    must(n <= b->n);
    if (n == 0) return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}
