/* Who may read our answers, and from where a cookie counts. */
#include "http/cors.h"

#include <check.h>
#include <stdlib.h>

static const char *const none[] = { NULL };
static const char *const star[] = { "*", NULL };
static const char *const two[] = { "https://App.example.com", " http://localhost:5173/ ", NULL };
static const char *const mixed[] = { "*", "https://app.example.com:443", NULL };

#define EXPOSE "Access-Control-Expose-Headers: X-Request-Id, Idempotent-Replayed, Retry-After, X-Cache\r\n"
#define ALL "Access-Control-Allow-Origin: *\r\n" EXPOSE
#define NAMED(o) "Access-Control-Allow-Origin: " o "\r\nAccess-Control-Allow-Credentials: true\r\n" EXPOSE
#define VARY "Vary: Origin\r\n"

static const struct {
    const char *const *origins;
    const char *public_url, *origin;   /* origin NULL: not sent */
    bool allowed;
    const char *headers;               /* all lines, the constant ones first */
    bool preflight;                    /* gets methods and headers */
} cases[] = {
    { NULL, NULL, NULL, false, ALL, true },
    { NULL, NULL, "https://anyone.example", false, ALL, true },
    { none, NULL, "https://anyone.example", false, ALL, true },
    { star, NULL, "https://anyone.example", false, ALL, true },
    { star, "https://tally.example/app", "https://tally.example", true, ALL, true },
    { star, "https://tally.example/app", "http://tally.example", false, ALL, true },
    { star, "https://tally.example/app", "https://tally.example.evil.org", false, ALL, true },
    { star, "https://tally.example:443", "https://TALLY.example", true, ALL, true },
    { star, "http://tally.example:8080", "http://tally.example", false, ALL, true },
    { star, NULL, "null", false, ALL, true },
    { two, NULL, NULL, false, VARY, false },
    { two, NULL, "https://app.example.com", true, VARY NAMED("https://app.example.com"), true },
    { two, NULL, "http://localhost:5173", true, VARY NAMED("http://localhost:5173"), true },
    { two, NULL, "http://localhost:5174", false, VARY, false },
    { two, NULL, "http://localhost", false, VARY, false },
    { two, NULL, "http://app.example.com", false, VARY, false },
    { two, NULL, "https://app.example.com.evil.org", false, VARY, false },
    { two, NULL, "https://evil.org/app.example.com", false, VARY, false },
    { two, NULL, "null", false, VARY, false },
    { two, NULL, "", false, VARY, false },
    { two, "https://tally.example", "https://tally.example", true, VARY NAMED("https://tally.example"), true },
    { mixed, NULL, "https://app.example.com", true, VARY NAMED("https://app.example.com"), true },
    { mixed, NULL, "https://other.example", false, VARY ALL, true },
    { mixed, NULL, NULL, false, VARY ALL, true },
};

START_TEST(headers)
{
    struct cors c;
    struct buf out;
    struct str origin = str_from(cases[_i].origin);
    cors_init(&c, cases[_i].origins, cases[_i].public_url);
    buf_init(&out, 4096);
    ck_assert_int_eq(cors_is_allowed(&c, origin), cases[_i].allowed);
    buf_str(&out, c.constant);
    cors_put_headers(&c, origin, &out);
    ck_assert_msg(str_eq(buf_view(&out), str_from(cases[_i].headers)), "got:\n%.*s", STR_FMT(buf_view(&out)));
    buf_clear(&out);
    cors_put_preflight(&c, origin, STR("GET, OPTIONS"), &out);
    struct str lines = STR(
        "Access-Control-Allow-Methods: GET, OPTIONS\r\n"
        "Access-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, X-Request-Id\r\n"
        "Access-Control-Max-Age: 86400\r\n");
    ck_assert(str_eq(buf_view(&out), cases[_i].preflight ? lines : STR_NONE));
    buf_fini(&out);
    cors_fini(&c);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("cors");
    tcase_add_loop_test(t, headers, 0, (int) (sizeof cases / sizeof *cases));
    Suite *s = suite_create("cors");
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
