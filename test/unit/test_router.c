/* The router's rules as a table: request line, row it must reach, parameters. And what a row may
 * not be. */
#include "http/router.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run(struct http_request *req) { (void) req; }

#define PATH_FIELD(n) { .name = n, .in = IN_PATH, .type = FIELD_TEXT }

static const struct endpoint rows[] = {
    { .id = "ROOT", .method = HTTP_GET, .path = "/", .run = run },
    { .id = "HEALTH", .method = HTTP_GET, .path = "/health", .run = run },
    { .id = "LIST", .method = HTTP_GET, .path = "/api/accounts", .run = run },
    { .id = "OPEN", .method = HTTP_POST, .path = "/api/accounts", .run = run },
    { .id = "BALANCE", .method = HTTP_GET, .path = "/api/accounts/balance/:accountid", .run = run,
      .fields = { PATH_FIELD("accountid") } },
    { .id = "ONE", .method = HTTP_GET, .path = "/api/accounts/:accountid", .run = run,
      .fields = { PATH_FIELD("accountid") } },
    { .id = "STATUS", .method = HTTP_PATCH, .path = "/api/accounts/:accountid/status", .run = run,
      .fields = { PATH_FIELD("accountid") } },
    { .id = "SEARCH", .method = HTTP_GET, .path = "/contact/search", .run = run },
    { .id = "FORGET", .method = HTTP_DELETE, .path = "/contact/:id", .run = run, .fields = { PATH_FIELD("id") } },
    { .id = "CONFIRM", .method = HTTP_GET, .path = "/confirm", .run = run, .flags = ENDPOINT_CHANGES },
    { .id = "FILE", .method = HTTP_GET, .path = "/media/:folder/:file", .run = run,
      .fields = { PATH_FIELD("folder"), PATH_FIELD("file") } },
    { 0 },
};
static const struct endpoint more_rows[] = {
    { .id = "EIGHT", .method = HTTP_GET, .path = "/8/:a/:b/:c/:d/:e/:f/:g/:h", .run = run,
      .fields = { PATH_FIELD("a"), PATH_FIELD("b"), PATH_FIELD("c"), PATH_FIELD("d"), PATH_FIELD("e"), PATH_FIELD("f"),
                  PATH_FIELD("g"), PATH_FIELD("h") } },
    { 0 },
};
static const struct endpoint *const tables[] = { rows, more_rows, NULL };

static const struct {
    enum http_method method;
    const char *path, *id, *params, *allow;   /* id NULL: not found, then allow tells 405 from 404 (NULL) */
} cases[] = {
    { HTTP_GET, "/", "ROOT", "", NULL },
    { HTTP_GET, "/health", "HEALTH", "", NULL },
    { HTTP_GET, "/health/", "HEALTH", "", NULL },
    { HTTP_HEAD, "/health", "HEALTH", "", NULL },
    { HTTP_GET, "/health//", NULL, "", NULL },
    { HTTP_GET, "//health", NULL, "", NULL },
    { HTTP_GET, "//", NULL, "", NULL },
    { HTTP_GET, "", NULL, "", NULL },
    { HTTP_GET, "*", NULL, "", NULL },
    { HTTP_GET, "health", NULL, "", NULL },
    { HTTP_GET, "/Health", NULL, "", NULL },
    { HTTP_GET, "/healt", NULL, "", NULL },
    { HTTP_GET, "/healthy", NULL, "", NULL },
    { HTTP_GET, "/he%61lth", NULL, "", NULL },
    { HTTP_GET, "/api", NULL, "", NULL },
    { HTTP_GET, "/api/accounts", "LIST", "", NULL },
    { HTTP_POST, "/api/accounts/", "OPEN", "", NULL },
    { HTTP_PUT, "/api/accounts", NULL, "", "GET, HEAD, POST, OPTIONS" },
    { HTTP_NONE, "/api/accounts", NULL, "", "GET, HEAD, POST, OPTIONS" },
    { HTTP_GET, "/api/accounts/42", "ONE", "42", NULL },
    { HTTP_GET, "/api/accounts/balance", "ONE", "balance", NULL },   /* nothing below the fixed word fits */
    { HTTP_GET, "/api/accounts/balance/", "ONE", "balance", NULL },
    { HTTP_GET, "/api/accounts/balance/7", "BALANCE", "7", NULL },
    { HTTP_GET, "/api/accounts/balance/7/8", NULL, "", NULL },
    { HTTP_PATCH, "/api/accounts/balance/status", "STATUS", "balance", NULL },  /* the other method, one word back */
    { HTTP_PATCH, "/api/accounts/7/status", "STATUS", "7", NULL },
    { HTTP_GET, "/api/accounts/7/status", NULL, "", "PATCH, OPTIONS" },
    { HTTP_GET, "/api/accounts//status", NULL, "", NULL },
    { HTTP_GET, "/contact/search", "SEARCH", "", NULL },
    { HTTP_DELETE, "/contact/search", "FORGET", "search", NULL },
    { HTTP_PUT, "/contact/search", NULL, "", "GET, HEAD, DELETE, OPTIONS" },
    { HTTP_DELETE, "/contact/5", "FORGET", "5", NULL },
    { HTTP_GET, "/contact/5", NULL, "", "DELETE, OPTIONS" },
    { HTTP_GET, "/confirm", "CONFIRM", "", NULL },
    { HTTP_HEAD, "/confirm", NULL, "", "GET, OPTIONS" },
    { HTTP_GET, "/media/avatars/a%2Fb.png", "FILE", "avatars|a%2Fb.png", NULL },
    { HTTP_GET, "/media/avatars/..", "FILE", "avatars|..", NULL },
    { HTTP_GET, "/8/1/2/3/4/5/6/7/8", "EIGHT", "1|2|3|4|5|6|7|8", NULL },
    { HTTP_GET, "/8/1/2/3/4/5/6/7/8/9", NULL, "", NULL },
};

START_TEST(finds)
{
    struct router *r = router_new(tables);
    struct route route;
    char allow[64], params[128] = "";
    bool head = cases[_i].method == HTTP_HEAD;
    router_find(r, head ? HTTP_GET : cases[_i].method, head, str_from(cases[_i].path), &route);
    if (!cases[_i].id) {
        ck_assert_ptr_null(route.endpoint);
        if (!cases[_i].allow) ck_assert_uint_eq(route.allowed, 0);
        else ck_assert(str_eq(route_allow(route.allowed, allow, sizeof allow), str_from(cases[_i].allow)));
    } else {
        ck_assert_ptr_nonnull(route.endpoint);
        ck_assert_str_eq(route.endpoint->id, cases[_i].id);
        for (int i = 0; i < route.param_count; i++) {
            size_t n = strlen(params);
            snprintf(params + n, sizeof params - n, "%s%.*s", i ? "|" : "", STR_FMT(route.params[i]));
        }
        ck_assert_str_eq(params, cases[_i].params);
    }
    router_free(r);
}
END_TEST

static const struct {
    const char *text, *decoded;   /* NULL: refused */
} decodings[] = {
    { "plain", "plain" }, { "a%20b", "a b" }, { "a+b", "a+b" }, { "%c3%A9", "\xc3\xa9" }, { "100%25", "100%" },
    { "%", NULL }, { "%2", NULL }, { "a%2", NULL }, { "%zz", NULL }, { "%-1", NULL }, { "%00", NULL },
    { "a%00b", NULL },
    { "a%2fb", NULL }, { "a%2Fb", NULL }, { "%252F", "%2F" }, { "%ff", NULL }, { "\xff", NULL }, { "%C0%AF", NULL },
    { "%ed%a0%80", NULL },
};

START_TEST(decodes)
{
    struct arena arena;
    struct str out;
    arena_init(&arena);
    bool ok = route_decode(str_from(decodings[_i].text), &arena, &out);
    ck_assert_int_eq(ok, decodings[_i].decoded != NULL);
    if (ok) ck_assert(str_eq(out, str_from(decodings[_i].decoded)));
    arena_fini(&arena);
}
END_TEST

static const struct sql two_params = { .params = 2, .name = "x", .file = "x.sql", .text = "SELECT $1, $2" };

/* Each is one defect away from a row that holds; the first two hold. */
static const struct endpoint shapes[] = {
    { .id = "OK", .method = HTTP_GET, .path = "/a/:id", .run = run, .fields = { PATH_FIELD("id") } },
    { .id = "OK", .method = HTTP_GET, .path = "/a/:id", .sql = &two_params, .fields = { PATH_FIELD("id") } },
    { .id = "NOSLASH", .method = HTTP_GET, .path = "a", .run = run },
    { .id = "EMPTYWORD", .method = HTTP_GET, .path = "/a//b", .run = run },
    { .id = "TRAILING", .method = HTTP_GET, .path = "/a/", .run = run },
    { .id = "NOPATH", .method = HTTP_GET, .run = run },
    { .id = "NOMETHOD", .path = "/a", .run = run },
    { .id = "HEAD", .method = HTTP_HEAD, .path = "/a", .run = run },
    { .id = "NEITHER", .method = HTTP_GET, .path = "/a" },
    { .id = "BOTH", .method = HTTP_GET, .path = "/a", .run = run, .sql = &two_params },
    { .id = "PARAMS", .method = HTTP_GET, .path = "/a", .sql = &two_params },
    { .id = "NOFIELD", .method = HTTP_GET, .path = "/a/:id", .run = run },
    { .id = "OTHERNAME", .method = HTTP_GET, .path = "/a/:id", .run = run, .fields = { PATH_FIELD("ID") } },
    { .id = "NOPARAM", .method = HTTP_GET, .path = "/a", .run = run, .fields = { PATH_FIELD("id") } },
    { .id = "ORDER", .method = HTTP_GET, .path = "/a/:x/:y", .run = run,
      .fields = { PATH_FIELD("y"), PATH_FIELD("x") } },
    { .id = "NINE", .method = HTTP_GET, .path = "/:a/:b/:c/:d/:e/:f/:g/:h/:i", .run = run,
      .fields = { PATH_FIELD("a"), PATH_FIELD("b"), PATH_FIELD("c"), PATH_FIELD("d"), PATH_FIELD("e"), PATH_FIELD("f"),
                  PATH_FIELD("g"), PATH_FIELD("h"), PATH_FIELD("i") } },
    { .id = "GETBODY", .method = HTTP_GET, .path = "/a", .run = run, .fields = { { .name = "x", .in = IN_BODY } } },
    { .id = "IGNORED", .method = HTTP_POST, .path = "/a", .run = run, .flags = ENDPOINT_BODY_IGNORED,
      .fields = { { .name = "x", .in = IN_BODY } } },
    { .id = "TWICE", .method = HTTP_POST, .path = "/a", .run = run, .fields = { { .name = "x" }, { .name = "x" } } },
    { .id = "ALIAS", .method = HTTP_POST, .path = "/a", .run = run,
      .fields = { { .name = "x" }, { .name = "y", .aliases = "z x" } } },
    { .id = "CHOICES", .method = HTTP_POST, .path = "/a", .run = run,
      .fields = { { .name = "x", .type = FIELD_ENUM } } },
    { .id = "MINMAX", .method = HTTP_POST, .path = "/a", .run = run,
      .fields = { { .name = "x", .min = 5, .max = 4 } } },
    { .id = "INITIAL", .method = HTTP_GET, .path = "/a", .run = run,
      .fields = { { .name = "x", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .initial = "0" } } },
    { .id = "QUERYOBJECT", .method = HTTP_GET, .path = "/a", .run = run,
      .fields = { { .name = "x", .in = IN_QUERY, .type = FIELD_OBJECT } } },
    { .id = "FAILURE", .method = HTTP_GET, .path = "/a", .run = run, .status = 404 },
};

START_TEST(accepts_rows_that_hold)
{
    endpoint_check(&shapes[_i]);
}
END_TEST

START_TEST(stops_at_a_defect)
{
    endpoint_check(&shapes[_i]);
}
END_TEST

static const struct endpoint twice[] = {
    { .id = "A", .method = HTTP_GET, .path = "/a", .run = run },
    { .id = "B", .method = HTTP_GET, .path = "/a", .run = run }, { 0 } };
static const struct endpoint same_id[] = {
    { .id = "A", .method = HTTP_GET, .path = "/a", .run = run },
    { .id = "A", .method = HTTP_GET, .path = "/b", .run = run }, { 0 } };
static const struct endpoint two_names[] = {
    { .id = "A", .method = HTTP_GET, .path = "/a/:x", .run = run, .fields = { PATH_FIELD("x") } },
    { .id = "B", .method = HTTP_POST, .path = "/a/:y", .run = run, .fields = { PATH_FIELD("y") } }, { 0 } };
static const struct endpoint *const bad_tables[] = { twice, same_id, two_names };

START_TEST(stops_at_rows_that_collide)
{
    const struct endpoint *const all[] = { bad_tables[_i], NULL };
    router_free(router_new(all));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("router");
    tcase_add_loop_test(t, finds, 0, (int) (sizeof cases / sizeof *cases));
    tcase_add_loop_test(t, decodes, 0, (int) (sizeof decodings / sizeof *decodings));
    tcase_add_loop_test(t, accepts_rows_that_hold, 0, 2);
    tcase_add_loop_test_raise_signal(t, stops_at_a_defect, SIGABRT, 2, (int) (sizeof shapes / sizeof *shapes));
    tcase_add_loop_test_raise_signal(t, stops_at_rows_that_collide, SIGABRT, 0, 3);
    Suite *s = suite_create("router");
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
