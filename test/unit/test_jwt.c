/* Which tokens are let in. Every token here is made by hand from header, claims and key, so that
 * the code under test does not judge itself. */
#include "core/jwt.h"

#include <check.h>
#include <mbedtls/md.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define OWN_HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define CLAIMS "{\"sub\":\"u_1\",\"user_id\":7,\"exp\":2000}"

enum { NOW = 1000 };

static struct arena arena;
static struct hmac_key *key;

static void setup(void)
{
    digest_init();
    arena_init(&arena);
    key = hmac_key_new(STR(SECRET));
}

static void teardown(void)
{
    hmac_key_free(key);
    arena_fini(&arena);
}

/* header.claims.signature with any key and hash, by mbedTLS's own HMAC. */
static struct str token_of(struct str header, struct str claims, const char *secret, mbedtls_md_type_t hash)
{
    struct str h = base64url_encode(&arena, header), c = base64url_encode(&arena, claims);
    struct str signed_part = arena_printf(&arena, "%.*s.%.*s", STR_FMT(h), STR_FMT(c));
    uint8_t mac[64];
    const mbedtls_md_info_t *info = mbedtls_md_info_from_type(hash);
    ck_assert_int_eq(mbedtls_md_hmac(info, (const uint8_t *) secret, strlen(secret),
                                     (const uint8_t *) signed_part.p, signed_part.n, mac), 0);
    struct str s = base64url_encode(&arena, (struct str){ (char *) mac, mbedtls_md_get_size(info) });
    return arena_printf(&arena, "%.*s.%.*s", STR_FMT(signed_part), STR_FMT(s));
}

static bool lets_in(struct str token)
{
    /* A copy of exactly this size, so that ASan sees a step too far. */
    char *copy = malloc(token.n ? token.n : 1);
    if (token.n) memcpy(copy, token.p, token.n);
    struct json *claims = NULL;
    enum err err = jwt_verify(key, (struct str){ copy, token.n }, NOW, &arena, &claims);
    ck_assert(err == OK || err == ERR_INVALID);
    ck_assert((err == OK) == (claims != NULL));
    free(copy);
    return err == OK;
}

static const struct {
    const char *what, *header, *claims;
    bool valid;
} signed_well[] = {
    { "our own form", OWN_HEADER, CLAIMS, true },
    { "members the other way round", "{\"typ\":\"JWT\",\"alg\":\"HS256\"}", CLAIMS, true },
    { "no typ", "{\"alg\":\"HS256\"}", CLAIMS, true },
    { "kid, jku, jwk and x5u are not looked at",
      "{\"alg\":\"HS256\",\"kid\":\"../../etc/passwd\",\"jku\":\"http://x\",\"jwk\":{},\"x5u\":\"y\"}", CLAIMS, true },
    { "alg none", "{\"alg\":\"none\"}", CLAIMS, false },
    { "alg in another spelling", "{\"alg\":\"hs256\"}", CLAIMS, false },
    { "alg HS512 over an HS256 signature", "{\"alg\":\"HS512\"}", CLAIMS, false },
    { "alg RS256", "{\"alg\":\"RS256\"}", CLAIMS, false },
    { "no alg", "{\"typ\":\"JWT\"}", CLAIMS, false },
    { "alg is an array", "{\"alg\":[\"HS256\"]}", CLAIMS, false },
    { "two algs", "{\"alg\":\"HS256\",\"alg\":\"none\"}", CLAIMS, false },
    { "crit", "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", CLAIMS, false },
    { "empty crit", "{\"alg\":\"HS256\",\"crit\":[]}", CLAIMS, false },
    { "crit null", "{\"alg\":\"HS256\",\"crit\":null}", CLAIMS, false },
    { "header is no object", "[]", CLAIMS, false },
    { "header is no JSON", "alg=HS256", CLAIMS, false },
    { "empty header", "", CLAIMS, false },

    { "no exp", OWN_HEADER, "{\"sub\":\"u_1\"}", false },
    { "exp in the past", OWN_HEADER, "{\"exp\":999}", false },
    { "exp now", OWN_HEADER, "{\"exp\":1000}", false },
    { "exp in a second", OWN_HEADER, "{\"exp\":1001}", true },
    { "exp with decimals", OWN_HEADER, "{\"exp\":1001.5}", true },
    { "exp with decimals within this second", OWN_HEADER, "{\"exp\":1000.5}", false },
    { "exp as 2e3", OWN_HEADER, "{\"exp\":2e3}", true },
    { "exp is text", OWN_HEADER, "{\"exp\":\"2000\"}", false },
    { "exp is null", OWN_HEADER, "{\"exp\":null}", false },
    { "exp is true", OWN_HEADER, "{\"exp\":true}", false },
    { "exp is negative", OWN_HEADER, "{\"exp\":-2000}", false },
    { "exp beyond 64 bits", OWN_HEADER, "{\"exp\":99999999999999999999}", false },
    { "exp as 1e400", OWN_HEADER, "{\"exp\":1e400}", false },
    { "exp at the end of 64 bits", OWN_HEADER, "{\"exp\":9223372036854775807}", true },
    { "exp twice", OWN_HEADER, "{\"exp\":999,\"exp\":2000}", false },
    { "exp one level down", OWN_HEADER, "{\"a\":{\"exp\":2000}}", false },

    { "nbf past", OWN_HEADER, "{\"exp\":2000,\"nbf\":999}", true },
    { "nbf at the end of the leeway", OWN_HEADER, "{\"exp\":2000,\"nbf\":1030}", true },
    { "nbf beyond the leeway", OWN_HEADER, "{\"exp\":2000,\"nbf\":1031}", false },
    { "nbf is text", OWN_HEADER, "{\"exp\":2000,\"nbf\":\"1\"}", false },
    { "nbf far below", OWN_HEADER, "{\"exp\":2000,\"nbf\":-9223372036854775808}", true },
    { "iat past", OWN_HEADER, "{\"exp\":2000,\"iat\":500}", true },
    { "iat at the end of the leeway", OWN_HEADER, "{\"exp\":2000,\"iat\":1030}", true },
    { "iat beyond the leeway", OWN_HEADER, "{\"exp\":2000,\"iat\":1031}", false },
    { "iat is null", OWN_HEADER, "{\"exp\":2000,\"iat\":null}", false },

    { "claims are an array", OWN_HEADER, "[{\"exp\":2000}]", false },
    { "claims are a number", OWN_HEADER, "2000", false },
    { "claims are no JSON", OWN_HEADER, "{\"exp\":2000", false },
    { "claims and more", OWN_HEADER, "{\"exp\":2000} {}", false },
    { "empty claims", OWN_HEADER, "", false },
};

START_TEST(well_signed)
{
    struct str token = token_of(str_from(signed_well[_i].header), str_from(signed_well[_i].claims), SECRET,
                                MBEDTLS_MD_SHA256);
    ck_assert_msg(lets_in(token) == signed_well[_i].valid, "%s", signed_well[_i].what);
}
END_TEST

START_TEST(signed_by_another_key_or_hash)
{
    ck_assert(!lets_in(token_of(STR(OWN_HEADER), STR(CLAIMS), "another secret", MBEDTLS_MD_SHA256)));
    ck_assert(!lets_in(token_of(STR(OWN_HEADER), STR(CLAIMS), "", MBEDTLS_MD_SHA256)));
    ck_assert(!lets_in(token_of(STR("{\"alg\":\"HS512\",\"typ\":\"JWT\"}"), STR(CLAIMS), SECRET, MBEDTLS_MD_SHA512)));
    ck_assert(!lets_in(token_of(STR(OWN_HEADER), STR(CLAIMS), SECRET, MBEDTLS_MD_SHA512)));
    ck_assert(!lets_in(token_of(STR(OWN_HEADER), STR(CLAIMS), SECRET, MBEDTLS_MD_SHA1)));
}
END_TEST

START_TEST(signs_and_verifies)
{
    struct str token = jwt_sign(key, STR(CLAIMS), &arena);
    ck_assert(str_eq(token, token_of(STR(OWN_HEADER), STR(CLAIMS), SECRET, MBEDTLS_MD_SHA256)));
    struct json *claims;
    ck_assert_int_eq(jwt_verify(key, token, NOW, &arena, &claims), OK);
    int64_t user_id;
    ck_assert(json_i64(json_get(claims, STR("user_id")), &user_id));
    ck_assert_int_eq(user_id, 7);
    ck_assert(str_eq(json_get(claims, STR("sub"))->text, STR("u_1")));
}
END_TEST

START_TEST(every_changed_character_is_refused)
{
    struct str token = jwt_sign(key, STR(CLAIMS), &arena);
    char *changed = arena_raw(&arena, token.n);
    for (size_t i = 0; i < token.n; i++) {
        /* The neighbour in the alphabet: at the end it differs in unused bits only. */
        for (int bit = 0; bit < 7; bit++) {
            memcpy(changed, token.p, token.n);
            changed[i] ^= (char) (1 << bit);
            ck_assert_msg(!lets_in((struct str){ changed, token.n }), "character %zu bit %d", i, bit);
        }
    }
    ck_assert(lets_in(token));
}
END_TEST

START_TEST(every_cut_is_refused)
{
    struct str token = jwt_sign(key, STR(CLAIMS), &arena);
    for (size_t n = 0; n < token.n; n++) ck_assert(!lets_in((struct str){ token.p, n }));
    for (size_t n = 1; n < token.n; n++) ck_assert(!lets_in((struct str){ token.p + n, token.n - n }));
}
END_TEST

START_TEST(malformed)
{
    struct str good = jwt_sign(key, STR(CLAIMS), &arena), rest = good;
    struct str header = str_cut(&rest, '.'), claims = str_cut(&rest, '.'), signature = rest;
    static const struct {
        const char *before, *first, *second, *after;
    } forms[] = {
        { "", ".", ".", "" }, /* the good one, to see the test work */
        { "", ".", ".", "=" }, { "", ".", ".", "." }, { ".", ".", ".", "" }, { "", "..", ".", "" },
        { "", ".", ".", ".x" }, { " ", ".", ".", "" }, { "", ".", ".", "\n" }, { "", "=.", ".", "" },
        { "", ".", "==.", "" }, { "", "", "", "" }, { "", ".", "", "" }, { "", "", ".", "" },
        { "Bearer ", ".", ".", "" },
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct str token = arena_printf(&arena, "%s%.*s%s%.*s%s%.*s%s", forms[i].before, STR_FMT(header),
                                        forms[i].first, STR_FMT(claims), forms[i].second,
                                        STR_FMT(signature), forms[i].after);
        ck_assert_msg(lets_in(token) == (i == 0), "form %zu", i);
    }
    const char *const texts[] = { "", ".", "..", "...", "a.b.c", "eyJhbGciOiJub25lIn0.eyJleHAiOjIwMDB9." };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_msg(!lets_in(str_from(texts[i])), "%s", texts[i]);
    }
}
END_TEST

/* Signed over a text that is not canonical: the signature is right, the encoding is not. */
START_TEST(encodings_with_a_second_spelling_are_refused)
{
    const char *const parts[] = {
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDB9", /* the good one, to see the test work */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAgfR", /* unused bits set */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAgfQ==",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAi OjIwMDB9",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9=.eyJleHAiOjIwMDB9",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint8_t mac[SHA256_BYTES];
        hmac_sha256(key, str_from(parts[i]), mac);
        struct str s = base64url_encode(&arena, (struct str){ (char *) mac, sizeof mac });
        ck_assert_int_eq(lets_in(arena_printf(&arena, "%s.%.*s", parts[i], STR_FMT(s))), i == 0);
    }
}
END_TEST

START_TEST(long_tokens)
{
    char filler[5001];
    memset(filler, 'x', 5000);
    filler[5000] = 0;
    struct str fits = arena_printf(&arena, "{\"exp\":2000,\"x\":\"%.2900s\"}", filler);
    struct str token = jwt_sign(key, fits, &arena);
    ck_assert_uint_le(token.n, JWT_BYTES_MAX);
    ck_assert(lets_in(token));
    struct str bigger = arena_printf(&arena, "{\"exp\":2000,\"x\":\"%s\"}", filler);
    token = jwt_sign(key, bigger, &arena);
    ck_assert_uint_gt(token.n, 5000);
    ck_assert(!lets_in(token));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jwt");
    TCase *tcase = tcase_create("jwt");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, well_signed, 0, sizeof signed_well / sizeof *signed_well);
    tcase_add_test(tcase, signed_by_another_key_or_hash);
    tcase_add_test(tcase, signs_and_verifies);
    tcase_add_test(tcase, every_changed_character_is_refused);
    tcase_add_test(tcase, every_cut_is_refused);
    tcase_add_test(tcase, malformed);
    tcase_add_test(tcase, encodings_with_a_second_spelling_are_refused);
    tcase_add_test(tcase, long_tokens);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
