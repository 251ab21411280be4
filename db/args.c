/* Parameters of statements. Scalars as text, arrays in PostgreSQL's binary form:
 *
 *     dimensions, has-null flag, element type, then length and lower bound of the one dimension,
 *     then for each element its length (-1: NULL) and its bytes; all numbers 32 bits, big-endian
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/must.h"
#include "db/db.h"

enum { OID_INT8 = 20, OID_TEXT = 25, OID_UUID = 2950, ARRAY_HEAD = 20, ARRAY_EMPTY = 12 };

void db_args_init(struct db_args *a, struct arena *arena)
{
    a->arena = arena;
    a->count = 0;
}

static void add(struct db_args *a, const char *value, size_t length, int format)
{
    must(a->count < DB_ARGS_MAX && length <= INT32_MAX);
    a->values[a->count] = value;
    a->lengths[a->count] = (int) length;
    a->formats[a->count] = format;
    a->count++;
}

void db_null(struct db_args *a)
{
    add(a, NULL, 0, 0);
}

void db_i64(struct db_args *a, int64_t v)
{
    char *p = arena_raw(a->arena, 24);
    int n = snprintf(p, 24, "%" PRId64, v);
    add(a, p, (size_t) n, 0);
}

void db_bool(struct db_args *a, bool v)
{
    add(a, v ? "t" : "f", 1, 0);
}

void db_text(struct db_args *a, struct str s)
{
    if (!s.p) {
        db_null(a);
    } else if (memchr(s.p, 0, s.n)) {
        /* It would be cut at its NUL. No type reads this byte, so PostgreSQL refuses the statement. */
        add(a, "\xff", 1, 0);
    } else {
        add(a, arena_cstr(a->arena, s), s.n, 0);
    }
}

void db_bytes(struct db_args *a, struct str s)
{
    if (!s.p) db_null(a);
    else add(a, arena_cstr(a->arena, s), s.n, 1);
}

static char *put32(char *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

static char *put64(char *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

static char *array_start(char *p, uint32_t oid, int n, bool has_null)
{
    p = put32(p, n > 0 ? 1 : 0);
    p = put32(p, has_null);
    p = put32(p, oid);
    if (n == 0) return p;
    p = put32(p, (uint32_t) n);
    return put32(p, 1);
}

static size_t array_head(int n)
{
    must(n >= 0);
    return n > 0 ? ARRAY_HEAD : ARRAY_EMPTY;
}

void db_i64_array(struct db_args *a, const int64_t *v, int n)
{
    size_t size = array_head(n) + (size_t) n * 12;
    bool has_null = false;
    for (int i = 0; i < n; i++) has_null |= v[i] == INT64_MIN;
    char *start = arena_raw(a->arena, size);
    char *p = array_start(start, OID_INT8, n, has_null);
    for (int i = 0; i < n; i++) {
        if (v[i] == INT64_MIN) p = put32(p, UINT32_MAX);
        else p = put64(put32(p, 8), (uint64_t) v[i]);
    }
    add(a, start, (size_t) (p - start), 1);
}

void db_text_array(struct db_args *a, const struct str *v, int n)
{
    size_t size = array_head(n);
    bool has_null = false;
    for (int i = 0; i < n; i++) {
        size += 4 + (v[i].p ? v[i].n : 0);
        has_null |= v[i].p == NULL;
    }
    char *start = arena_raw(a->arena, size);
    char *p = array_start(start, OID_TEXT, n, has_null);
    for (int i = 0; i < n; i++) {
        p = put32(p, v[i].p ? (uint32_t) v[i].n : UINT32_MAX);
        if (!v[i].p || v[i].n == 0) continue;
        memcpy(p, v[i].p, v[i].n);
        p += v[i].n;
    }
    add(a, start, (size_t) (p - start), 1);
}

void db_uuid_array(struct db_args *a, const uint8_t (*v)[16], int n)
{
    size_t size = array_head(n) + (size_t) n * 20;
    char *start = arena_raw(a->arena, size);
    char *p = array_start(start, OID_UUID, n, false);
    for (int i = 0; i < n; i++) {
        p = put32(p, 16);
        memcpy(p, v[i], 16);
        p += 16;
    }
    add(a, start, (size_t) (p - start), 1);
}
