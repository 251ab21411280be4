/* Tokens from outside. The input is tried as it is, and then as header and claims that are signed
 * by our key, because without the right signature nothing behind it would be reached. */
#include <stdlib.h>
#include <string.h>

#include "core/jwt.h"
#include "core/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1700000000 };

static void check(const struct hmac_key *key, struct str token, struct arena *arena)
{
    struct json *claims = NULL;
    if (jwt_verify(key, token, NOW, arena, &claims) != OK) {
        must(claims == NULL);
        return;
    }
    must(claims->type == JSON_OBJECT && json_get(claims, STR("exp")) != NULL);
}

/* Bytes before the first NUL are the header, the rest are the claims; both also as raw base64. */
static void check_signed(const struct hmac_key *key, struct str input, bool encodes, struct arena *arena)
{
    struct str claims = input, header = str_cut(&claims, 0);
    if (encodes) {
        header = base64url_encode(arena, header);
        claims = base64url_encode(arena, claims);
    }
    struct str part = arena_printf(arena, "%.*s.%.*s", STR_FMT(header), STR_FMT(claims));
    uint8_t mac[SHA256_BYTES];
    hmac_sha256(key, part, mac);
    struct str signature = base64url_encode(arena, (struct str){ (const char *) mac, sizeof mac });
    check(key, arena_printf(arena, "%.*s.%.*s", STR_FMT(part), STR_FMT(signature)), arena);
}

/* What decodes must be the only spelling of what it means. */
static void check_spelling(struct str input, struct arena *arena)
{
    struct str out;
    if (base64url_decode(arena, input, &out)) must(str_eq(base64url_encode(arena, out), input));
    if (base64_decode(arena, input, &out)) must(str_eq(base64_encode(arena, out), input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hmac_key *key;
    if (!key) {
        digest_init();
        key = hmac_key_new(STR("a secret for the fuzzer"));
    }
    struct arena arena;
    arena_init(&arena);
    struct str input = { (const char *) data, size };
    check(key, input, &arena);
    check_signed(key, input, true, &arena);
    check_signed(key, input, false, &arena);
    check_spelling(input, &arena);
    arena_fini(&arena);
    return 0;
}
