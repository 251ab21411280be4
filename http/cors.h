/* Which other origins may read our answers (the configured list, or everybody without cookies),
 * and which of them a cookie may come from. Origins are compared without case, by scheme, host and
 * port, with the scheme's own port left out, as browsers send them; "null" is nobody. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

struct cors {
    struct arena arena;
    bool any;                 /* everybody may read, without credentials */
    struct str own;           /* the origin of the public URL, or STR_NONE */
    struct str *names;
    int count;
    struct str constant;      /* header lines that stand on every answer */
};

/* origins: NULL-terminated, NULL for everybody; "*" among them is everybody, too. */
void cors_init(struct cors *c, const char *const *origins, const char *public_url);
void cors_fini(struct cors *c);

/* Our own origin, or one allowed by name: a cookie sent from there proves something. */
bool cors_is_allowed(const struct cors *c, struct str origin);
/* The lines that depend on the request's Origin (STR_NONE when absent), besides `constant`. */
void cors_put_headers(const struct cors *c, struct str origin, struct buf *out);
/* The further lines of an answer to OPTIONS; methods as in Allow. */
void cors_put_preflight(const struct cors *c, struct str origin, struct str methods, struct buf *out);
