/* What the services for text messages, pushes and pictures answer, and the proofs that they are asked with. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/digest.h"
#include "core/json.h"
#include "domain/fcm/account.h"
#include "domain/picture/cloudinary.h"
#include "domain/sms/sms.h"

/* A key made for this test. */
static const char private_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCwHobm/IqZgjdh\n"
    "hWUAveKo8WrYVcHywmAOgOurviF+BUzOOwA8CsbICYwpXY0zgXO3RS6JNXjNXGQQ\n"
    "TJloqV3YQS5sVpS7qfJwdurzDAVydm4F7c6zbgCQRRhFQ7v+plZcv/SAo5m/VHnX\n"
    "amK+TeWVLsOhmNr5IzcTYHHyRFzK/8VGimUkDIJnx3jY5o2yItmoa6HX4Tutz2Yo\n"
    "SSIM8qpmDiW2/fcxLQHHsUay8Kp4OusZOKQ8rMZPaA3lrizFAf3ugIzw9IARkiPF\n"
    "m4RoU72acgLWcAKEC1wm4J6yxs32F6sXWU2YurkN5hPYQF+aeBPxcNaZsfZqxIEj\n"
    "zHgpNB45AgMBAAECggEAQYjSdPBDGLUaK3kqKNj/lxLiSaa7mTwX5z20tD73EoAh\n"
    "YNoWj8EIz9WxqJDNon1IlEkzdE4H6g63k1MVgJsJNxemER00khI+ivfNHGx8OGf2\n"
    "L9GaKS1FG2oCin+WXD8EAtZQwm9eHhJulihZnuu4gscYd7C7xpoCe/zW2anzh3t+\n"
    "V4BcCR1wKslhHcTxaYTC2hmijcbvDmgSqiAK+Lh6j84kPbvhMEbkmCHwpxTOwR1g\n"
    "/0qVllM5DZixVh4bm8x4X2t21gWRWEimKqSDHe5ylOBnctmgMJ5kx/Sm2Bt3svEG\n"
    "pSvFspgSDEprTTUKWDCufiuw/iGpqFdVaYd4CWQ8YwKBgQD25PUJxeO9Dr9OshkU\n"
    "9Hfj6nkN03wjFfdJUDg9JriGoQCShvqsQ5FOODMHzUIgBNKyu2HgPPm3Ru2GPjC7\n"
    "AASWb5bbm3r86Rx2MfRITqUMicRW3S+cAGYv0vTI0nyxAja/cQ+P8WIoMIVhFuxK\n"
    "DsB0ljJIKmHz4dkWRzL77Fm6dwKBgQC2nVl2X4jjqZsXGiL6YFTsQOvQ7NwBFzXZ\n"
    "sE8ySkp15mrkmmOenQx2fYq4F4ZeQbXDzfaLDNw17GUa3++uqsggic5L5/bvFz5g\n"
    "jCf1gSVrZPQQuh+W+VE65RPhdSBp0oZ7kIL5piFzsX+AphVkUprQq6YdFV4MI96j\n"
    "oQWIAcpozwKBgGVAnpGEe5JkQubGOW0TmTt6RGz8J3PIJWMGqBnEEHb9/lsZSiJt\n"
    "j2DRwXPYpN62u6YbHNe2if608uJUDO4T4s3DM84aZITmIQsED5e70QpkUYYCLe0/\n"
    "aKkCTesyD3sUWlmGx4gTyVqME5curHbut9TYaASahRNcswfk6S7RzjafAoGBAKPX\n"
    "qVy7emZI1g10Nc3OgGM4HFvnJ70Sxg36UhQc85G0mlNg8eBtp7DoEn35HWWULzDu\n"
    "qjU35Ju87Tmfkbx1HfmTqrQP+02o3R5iobdzl88zVIdtdspOBsOApMW0ANDxQhe7\n"
    "IMg8decHag5S9P593sk6OF//u9HInQjSf9P3R1OhAoGBAL47rrknu/o6tOKngMRu\n"
    "Srez3Ckyw+uMycjvMq/ZUIhKeo3QJJ8ML90HgLptw9x8yuRH7nSo4u18fuWGnXN9\n"
    "7foi6hJLLGYXnS2RScAXZevQSfwUKOXGNuUSFbn7mhVNTBb9Y4T0PJy0HiSP0rd3\n"
    "Nk7IyK0BGKAm5xyNfRE2Xomo\n"
    "-----END PRIVATE KEY-----\n";
static const char public_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsB6G5vyKmYI3YYVlAL3i\n"
    "qPFq2FXB8sJgDoDrq74hfgVMzjsAPArGyAmMKV2NM4Fzt0UuiTV4zVxkEEyZaKld\n"
    "2EEubFaUu6nycHbq8wwFcnZuBe3Os24AkEUYRUO7/qZWXL/0gKOZv1R512pivk3l\n"
    "lS7DoZja+SM3E2Bx8kRcyv/FRoplJAyCZ8d42OaNsiLZqGuh1+E7rc9mKEkiDPKq\n"
    "Zg4ltv33MS0Bx7FGsvCqeDrrGTikPKzGT2gN5a4sxQH97oCM8PSAEZIjxZuEaFO9\n"
    "mnIC1nAChAtcJuCessbN9herF1lNmLq5DeYT2EBfmngT8XDWmbH2asSBI8x4KTQe\n"
    "OQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

START_TEST(a_signature_is_verified_by_the_public_half)
{
    struct arena arena;
    struct str signature;
    arena_init(&arena);
    ck_assert(rsa_sha256_sign(str_from(private_key), STR("data"), &arena, &signature));
    ck_assert_int_eq(signature.n, 256);
    ck_assert(rsa_sha256_verify(str_from(public_key), STR("data"), signature));
    ck_assert(!rsa_sha256_verify(str_from(public_key), STR("date"), signature));
    ck_assert(!rsa_sha256_sign(STR("no key"), STR("data"), &arena, &signature));
    ck_assert(!rsa_sha256_sign(STR_NONE, STR("data"), &arena, &signature));
    ck_assert(!rsa_sha256_sign(str_from(public_key), STR("data"), &arena, &signature));
    arena_fini(&arena);
}
END_TEST

START_TEST(an_assertion_says_who_and_until_when)
{
    struct arena arena;
    struct str body, part, text;
    arena_init(&arena);
    struct fcm_account a = { STR("shop"), STR("push@shop.example"), str_from(private_key), STR("https://t.example") };
    body = fcm_assertion(&a, 1000, &arena);
    ck_assert(body.p != NULL);
    str_cut(&body, '.');
    part = str_cut(&body, '.');
    ck_assert(base64url_decode(&arena, part, &text));
    ck_assert(str_eq(text, STR("{\"iss\":\"push@shop.example\","
                               "\"scope\":\"https://www.googleapis.com/auth/firebase.messaging\","
                               "\"aud\":\"https://t.example\",\"iat\":1000,\"exp\":4600}")));
    a.private_key = STR("none");
    ck_assert(fcm_assertion(&a, 1000, &arena).p == NULL);
    arena_fini(&arena);
}
END_TEST

START_TEST(an_account_is_whole_or_none)
{
    static const char *const bad[] = {
        "", "[]", "{}",
        "{\"type\":\"authorized_user\",\"project_id\":\"a\",\"client_email\":\"b\",\"private_key\":\"c\"}",
        "{\"type\":\"service_account\",\"project_id\":\"a\",\"client_email\":\"b\"}",
        "{\"type\":\"service_account\",\"project_id\":7,\"client_email\":\"b\",\"private_key\":\"c\"}",
    };
    struct arena arena;
    struct fcm_account a;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(fcm_account_read(str_from(bad[i]), &arena, &a) == ERR_INVALID, "%s", bad[i]);
    ck_assert_int_eq(fcm_account_read(STR("{\"type\":\"service_account\",\"project_id\":\"a\",\"client_email\":\"b\","
                                          "\"private_key\":\"c\"}"), &arena, &a), OK);
    ck_assert(str_eq(a.token_uri, STR("https://oauth2.googleapis.com/token")));
    arena_fini(&arena);
}
END_TEST

START_TEST(an_access_token_and_its_life)
{
    struct arena arena;
    struct str token;
    int64_t seconds;
    arena_init(&arena);
    ck_assert_int_eq(fcm_read_token(STR("{\"access_token\":\"t\",\"expires_in\":3599}"), &arena, &token, &seconds), OK);
    ck_assert(str_eq(token, STR("t")) && seconds == 3599);
    ck_assert_int_eq(fcm_read_token(STR("{\"access_token\":\"t\",\"expires_in\":1e9}"), &arena, &token, &seconds), OK);
    ck_assert_int_eq(seconds, 3600);
    ck_assert_int_eq(fcm_read_token(STR("{\"access_token\":\"\"}"), &arena, &token, &seconds), ERR_INVALID);
    ck_assert_int_eq(fcm_read_token(STR("{\"expires_in\":5}"), &arena, &token, &seconds), ERR_INVALID);
    ck_assert_int_eq(fcm_read_token(STR("<html>"), &arena, &token, &seconds), ERR_INVALID);
    arena_fini(&arena);
}
END_TEST

/* The provider's own example of a signature. */
START_TEST(a_picture_providers_signature)
{
    char signature[CLOUDINARY_SIGNATURE_BYTES];
    cloudinary_sign(STR("eager=w_400,h_300,c_pad|w_260,h_200,c_crop&public_id=sample_image&timestamp=1315060510"),
                    "abcd", signature);
    ck_assert_str_eq(signature, "bfd09f95f331f558cbd1320e67aa8d488770583e");
}
END_TEST

#define KEPT(id, url) "{\"public_id\":\"" id "\",\"secure_url\":\"" url "\"}"

static const struct {
    int status;
    const char *body;
    enum err upload, destroy;
} pictures[] = {
    { 200, KEPT("avatars/1", "https://a.example/1.jpg"), OK, ERR_UNAVAILABLE },
    { 200, KEPT("avatars/2", "https://a.example/1.jpg"), ERR_UNCERTAIN, ERR_UNAVAILABLE },
    { 200, KEPT("avatars/1", "http://a.example/1.jpg"), ERR_UNCERTAIN, ERR_UNAVAILABLE },
    { 200, KEPT("avatars/1", "https://a.example/\\u0022"), ERR_UNCERTAIN, ERR_UNAVAILABLE },
    { 200, KEPT("avatars/1", "https://a.example/\\u00e4"), ERR_UNCERTAIN, ERR_UNAVAILABLE },
    { 200, "{\"public_id\":\"avatars/1\",\"secure_url\":7}", ERR_UNCERTAIN, ERR_UNAVAILABLE },
    { 200, "<html>", ERR_UNCERTAIN, ERR_UNAVAILABLE },
    { 200, "[]", ERR_UNCERTAIN, ERR_UNAVAILABLE },
    { 302, KEPT("avatars/1", "https://a.example/1.jpg"), ERR_UNCERTAIN, ERR_UNAVAILABLE },
    { 400, "{}", ERR_INVALID, ERR_UNAVAILABLE },
    { 401, "{}", ERR_INVALID, ERR_UNAVAILABLE },
    { 420, "{}", ERR_UNAVAILABLE, ERR_UNAVAILABLE },
    { 500, KEPT("avatars/1", "https://a.example/1.jpg"), ERR_UNAVAILABLE, ERR_UNAVAILABLE },
    { 200, "{\"result\":\"ok\"}", ERR_UNCERTAIN, OK },
    { 200, "{\"result\":\"not found\"}", ERR_UNCERTAIN, OK },
    { 200, "{\"result\":\"error\"}", ERR_UNCERTAIN, ERR_UNAVAILABLE },
    { 404, "{\"result\":\"not found\"}", ERR_INVALID, ERR_UNAVAILABLE },
};

START_TEST(what_a_picture_providers_answer_means)
{
    struct arena arena;
    const char *url = NULL;
    struct str body = str_from(pictures[_i].body);
    arena_init(&arena);
    ck_assert_int_eq(cloudinary_read_upload(pictures[_i].status, body, STR("avatars/1"), &arena, &url),
                     pictures[_i].upload);
    ck_assert(pictures[_i].upload == OK ? strcmp(url, "https://a.example/1.jpg") == 0 : url == NULL);
    ck_assert_int_eq(cloudinary_read_destroy(pictures[_i].status, body), pictures[_i].destroy);
    arena_fini(&arena);
}
END_TEST

static const struct {
    int status;
    const char *body;
    enum err sms, fcm;
} answers[] = {
    { 200, "{}", OK, OK },
    { 200, "garbage", OK, OK },
    { 200, "{\"messages\":[{\"status\":{\"groupId\":1}}]}", OK, OK },
    { 200, "{\"messages\":[{\"status\":{\"groupId\":5}}]}", ERR_INVALID, OK },
    { 200, "{\"messages\":[{\"status\":{\"groupId\":2}}]}", ERR_INVALID, OK },
    { 200, "{\"messages\":[]}", OK, OK },
    { 302, "", ERR_UNAVAILABLE, ERR_UNAVAILABLE },
    { 400, "{\"error\":{\"details\":[{\"errorCode\":\"UNREGISTERED\"}]}}", ERR_INVALID, ERR_INVALID },
    { 400, "{\"error\":{\"details\":[{\"errorCode\":\"INVALID_ARGUMENT\"}]}}", ERR_INVALID, ERR_UNAVAILABLE },
    { 401, "", ERR_UNAVAILABLE, ERR_CLOSED },
    { 404, "", ERR_INVALID, ERR_INVALID },
    { 429, "", ERR_UNAVAILABLE, ERR_UNAVAILABLE },
    { 500, "", ERR_UNAVAILABLE, ERR_UNAVAILABLE },
};

START_TEST(what_an_answer_means)
{
    ck_assert_int_eq(sms_read_answer(answers[_i].status, str_from(answers[_i].body)), answers[_i].sms);
    ck_assert_int_eq(fcm_read_answer(answers[_i].status, str_from(answers[_i].body)), answers[_i].fcm);
}
END_TEST

int main(void)
{
    digest_init();
    TCase *tc = tcase_create("providers");
    tcase_add_test(tc, a_signature_is_verified_by_the_public_half);
    tcase_add_test(tc, an_assertion_says_who_and_until_when);
    tcase_add_test(tc, an_account_is_whole_or_none);
    tcase_add_test(tc, an_access_token_and_its_life);
    tcase_add_test(tc, a_picture_providers_signature);
    tcase_add_loop_test(tc, what_a_picture_providers_answer_means, 0, (int) (sizeof pictures / sizeof *pictures));
    tcase_add_loop_test(tc, what_an_answer_means, 0, (int) (sizeof answers / sizeof *answers));
    Suite *suite = suite_create("providers");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
