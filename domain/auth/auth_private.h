/* What token.c, key.c, revoked.c and gate.c share. */
#pragma once

#include "domain/auth/auth.h"
#include "domain/auth/cache.h"

struct auth {
    struct app *app;
    struct hmac_key *secret;
    struct auth_cache tokens, keys;
    unsigned key_changes;        /* what was read of a key before the last one may be no more so */
    struct map revoked;          /* str_hash(jti) -> struct revoked_token: the unexpired ones */
    struct wheel_timer sweep;    /* forgets revoked tokens that have expired anyway */
};

enum { TOKENS_CACHED_MAX = 20000, KEYS_CACHED_MAX = 1000 };

/* The moment of issue stands in the first 14 characters of a jti: microseconds, in hex, by the database's clock. */
int64_t auth_jti_issued_us(const char jti[JTI_CHARS]);
bool auth_is_revoked(const struct auth *a, struct str jti);
void auth_revoked_init(struct auth *a);
void auth_revoked_fini(struct auth *a);
