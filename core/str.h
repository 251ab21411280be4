/* A piece of text that somebody else owns: pointer and length, not terminated by NUL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_NONE ((struct str){ NULL, 0 })
/* For printf: printf("%.*s", STR_FMT(s)) */
#define STR_FMT(s) (int) (s).n, (s).p ? (s).p : ""

struct str str_from(const char *cstr);  /* NULL gives STR_NONE */
bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b);       /* ASCII letters only */
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
struct str str_trim(struct str s);                    /* without blanks and tabs, CR and LF at both ends */

/* Cuts the text before the first sep off *rest and returns it; *rest becomes what follows sep.
 * Without sep it returns all and *rest becomes STR_NONE (p == NULL), which ends a loop. */
struct str str_cut(struct str *rest, char sep);

/* Decimal digits with an optional '-', nothing else; false when malformed or out of range. */
bool str_to_i64(struct str s, int64_t *out);

/* A 64-bit hash (FNV-1a) for tables whose keys an outsider does not choose. */
uint64_t str_hash(struct str s);

/* Well-formed UTF-8 without surrogates, overlong forms, NUL and noncharacters (RFC 7493 §2.1).
 * U+FDD0 and U+FDD1 are thereby free for our own marks in SQL results, see domain/pid. */
bool str_is_utf8(struct str s);
size_t str_utf8_length(struct str s);  /* code points of valid UTF-8 */
