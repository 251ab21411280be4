/* JSON Web Tokens, HS256 and nothing else: the algorithm comes from us, never from the token; `kid`,
 * `jku`, `jwk` and `x5u` are not looked at, a `crit` header is refused. */
#pragma once

#include "core/arena.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/json.h"

enum { JWT_BYTES_MAX = 4096, JWT_LEEWAY_S = 30 };

/* Signs {"alg":"HS256","typ":"JWT"} . claims (JSON text). */
struct str jwt_sign(const struct hmac_key *key, struct str claims, struct arena *arena);

/* OK and the parsed claims (an object), or ERR_INVALID. `exp` is mandatory and numeric; expired is
 * invalid without leeway (a token's end is a promise), `nbf` and `iat` in the future by more than
 * the leeway are invalid. now_s is wall time. */
enum err jwt_verify(const struct hmac_key *key, struct str token, int64_t now_s, struct arena *arena,
                    struct json **claims);
