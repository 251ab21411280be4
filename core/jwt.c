/* Tokens as RFC 7519 has them, with everything that a token could decide itself taken away.
 *
 * jwt_verify looks at the signature first, over the very bytes that came, so that nothing of a
 * token is decoded or parsed before it is known to be ours. The expected signature is encoded and
 * compared as text: there is no second spelling of a signature that could pass. A header that is
 * the one we write ourselves, byte for byte, needs no parsing either; another one (the same secret
 * used by another system) must say HS256 and must not contain `crit`. */
#include "core/jwt.h"

#include <string.h>

enum { SIGNATURE_CHARS = 43, SIGNATURE_ROOM = 44 };

/* {"alg":"HS256","typ":"JWT"} */
static const struct str own_header = { "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", 36 };

/* Writes the 43 characters of the signature over `signed_part`. */
static void signature_write(const struct hmac_key *key, struct str signed_part, char out[SIGNATURE_ROOM])
{
    uint8_t mac[SHA256_BYTES];
    hmac_sha256(key, signed_part, mac);
    base64url_write(out, (struct str){ (const char *) mac, sizeof mac });
}

struct str jwt_sign(const struct hmac_key *key, struct str claims, struct arena *arena)
{
    size_t room = own_header.n + 1 + (claims.n + 2) / 3 * 4 + 1 + SIGNATURE_ROOM;
    char *token = arena_raw(arena, room);
    memcpy(token, own_header.p, own_header.n);
    size_t n = own_header.n;
    token[n++] = '.';
    n += base64url_write(token + n, claims);
    char *signature = token + n + 1;
    signature_write(key, (struct str){ token, n }, signature);
    token[n] = '.';
    return (struct str){ token, n + 1 + SIGNATURE_CHARS };
}

static bool header_is_ours(struct str header, struct arena *arena)
{
    if (str_eq(header, own_header)) return true;
    struct str text;
    struct json *object;
    const char *why;
    if (!base64url_decode(arena, header, &text)) return false;
    if (json_parse(text, arena, &object, &why) != OK || object->type != JSON_OBJECT) return false;
    struct json *alg = json_get(object, STR("alg"));
    if (!alg || alg->type != JSON_STRING || !str_eq(alg->text, STR("HS256"))) return false;
    return json_get(object, STR("crit")) == NULL;
}

/* A NumericDate in whole seconds; it may have decimals, which are cut off. */
static bool seconds(const struct json *value, int64_t *out)
{
    if (value->type != JSON_NUMBER) return false;
    if (json_i64(value, out)) return true;
    if (!json_decimal(value->text, 6, out)) return false;
    *out = *out / 1000000 - (*out % 1000000 < 0);
    return true;
}

/* True for an absent claim: only what is there can forbid. */
static bool has_begun(const struct json *claims, struct str name, int64_t now_s)
{
    struct json *value = json_get(claims, name);
    int64_t from_s;
    return !value || (seconds(value, &from_s) && from_s <= now_s + JWT_LEEWAY_S);
}

static bool is_in_time(const struct json *claims, int64_t now_s)
{
    struct json *exp = json_get(claims, STR("exp"));
    int64_t exp_s;
    if (!exp || !seconds(exp, &exp_s) || now_s >= exp_s) return false;
    return has_begun(claims, STR("nbf"), now_s) && has_begun(claims, STR("iat"), now_s);
}

enum err jwt_verify(const struct hmac_key *key, struct str token, int64_t now_s, struct arena *arena,
                    struct json **claims)
{
    if (token.n == 0 || token.n > JWT_BYTES_MAX) return ERR_INVALID;
    struct str signature = token;
    struct str header = str_cut(&signature, '.');
    struct str payload = str_cut(&signature, '.');
    /* A dot more would stand in the signature, and no signature of ours has one. */
    if (signature.n != SIGNATURE_CHARS) return ERR_INVALID;

    char expected[SIGNATURE_ROOM];
    signature_write(key, (struct str){ token.p, header.n + 1 + payload.n }, expected);
    if (!secret_equal(signature, (struct str){ expected, SIGNATURE_CHARS })) return ERR_INVALID;

    if (!header_is_ours(header, arena)) return ERR_INVALID;
    struct str text;
    struct json *object;
    const char *why;
    if (!base64url_decode(arena, payload, &text)) return ERR_INVALID;
    if (json_parse(text, arena, &object, &why) != OK || object->type != JSON_OBJECT) return ERR_INVALID;
    if (!is_in_time(object, now_s)) return ERR_INVALID;
    *claims = object;
    return OK;
}
