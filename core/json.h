/* JSON in: strict (RFC 8259 and the I-JSON profile): one value, depth <= 64, no duplicate names,
 * no lone surrogates, no NUL, no noncharacters, valid UTF-8. Numbers keep their text, because money
 * never passes through a double (a library that reads 0.1 as a double cannot tell it from
 * 0.1000000000000000055). The parser is iterative; work and memory are linear in the input (the
 * check for duplicate names too, within a small factor).
 * JSON out: append-only writer on a buf. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

enum { JSON_DEPTH_MAX = 64 };

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    struct str text;            /* NUMBER: as written; STRING: decoded UTF-8; ARRAY/OBJECT: raw source text */
    struct str name;            /* decoded, when a member of an object */
    struct json *child;         /* first member or element */
    struct json *next;          /* next sibling */
    int count;                  /* members or elements */
};

/* OK and *out, or ERR_INVALID with *why ("duplicate name", "nested deeper than 64", …; static). The
 * tree lives in the arena; texts without escapes point into `text`, which must live as long. */
enum err json_parse(struct str text, struct arena *arena, struct json **out, const char **why);

struct json *json_get(const struct json *object, struct str name);   /* NULL when absent or no object */
bool json_i64(const struct json *number, int64_t *out);   /* whole numbers in range; 5.0 and 5e0 are whole, too */

/* Exactly value × 10^scale, when the number has no more than `scale` decimals after trailing zeros;
 * "12.5" with scale 2 is 1250, "1e3" is 100000, "0.001" and out of range are false. No doubles. */
bool json_decimal(struct str number, int scale, int64_t *out);

/* Writer. Values are separated by the caller's json_comma-free helpers: each json_key and each
 * element puts the comma it needs by looking at the last byte written. */
void json_open(struct buf *b, char brace);               /* '{' or '[' */
void json_close(struct buf *b, char brace);              /* '}' or ']' */
void json_key(struct buf *b, struct str name);           /* name is written as a JSON string */
void json_open_key(struct buf *b, const char *name, char brace);            /* a member that is an object or array */
void json_text(struct buf *b, const char *name, const char *text);          /* a member that is a string */
void json_string(struct buf *b, struct str s);           /* NULL p writes null; invalid UTF-8 must not come here */
void json_int(struct buf *b, int64_t v);
void json_bool(struct buf *b, bool v);
void json_null(struct buf *b);
void json_raw(struct buf *b, struct str json);           /* already JSON */
void json_time(struct buf *b, int64_t wall_us);          /* "2026-02-09T10:00:00.000Z" */
void json_money(struct buf *b, int64_t minor);           /* 50000 -> 500, 320 -> 3.2, -5 -> -0.05 */

/* Only the quoted and escaped form, without looking at commas: for text spliced into other text. */
void json_escape(struct buf *b, struct str s);
