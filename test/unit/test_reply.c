/* The exact bytes of answers, and that nothing a client sends gets into their heads. */
#include "test/unit/http_fixture.h"

#include <signal.h>

static void run(struct http_request *req) { (void) req; }

static const struct endpoint rows[] = {
    { .id = "T", .method = HTTP_POST, .path = "/t", .run = run,
      .fields = { { .name = "first", .type = FIELD_INT }, { .name = "second", .type = FIELD_INT } } },
    { 0 },
};
static const struct endpoint *const tables[] = { rows, NULL };
static const char *const origins[] = { "https://app.example", NULL };

static struct fixture f;

static void set_up(void)
{
    fixture_init(&f, &(struct http_options){ .tables = tables });
}

static void tear_down(void)
{
    fixture_fini(&f);
}

static struct http_request *request(void)
{
    return fixture_request(&f, HTTP_GET, "/t", "");
}

/* The whole answer with its date blanked. */
static struct str answer(void)
{
    struct str reply = arena_str(&f.req->arena, buf_view(&f.req->reply));
    char *date = memmem(reply.p, reply.n, "\r\nDate: ", 8);
    ck_assert_ptr_nonnull(date);
    ck_assert(memcmp(date + 8 + 25, " GMT\r\n", 6) == 0);
    memset(date + 8, '-', CLOCK_HTTP_BYTES);
    return reply;
}

#define SECURITY "Date: -----------------------------\r\nX-Content-Type-Options: nosniff\r\n" \
                 "X-Frame-Options: SAMEORIGIN\r\nReferrer-Policy: no-referrer\r\n"
#define EXPOSE "Access-Control-Expose-Headers: X-Request-Id, Idempotent-Replayed, Retry-After, X-Cache\r\n"
#define BLOCK "X-Request-Id: test-1\r\n" SECURITY "Access-Control-Allow-Origin: *\r\n" EXPOSE
#define JSON "Content-Type: application/json; charset=utf-8\r\n"

#define ck_answer(text) \
    ck_assert_msg(str_eq(answer(), STR(text)), "got:\n%.*s\nnot:\n%s", STR_FMT(answer()), text)

START_TEST(json)
{
    reply_json(request(), 200, STR("{\"a\":1}"));
    ck_answer("HTTP/1.1 200 OK\r\n" JSON "Content-Length: 7\r\n" BLOCK "\r\n{\"a\":1}");
    ck_assert_int_eq(f.req->status, 200);
}
END_TEST

START_TEST(head_has_the_length_but_no_body)
{
    request()->is_head = true;
    reply_json(f.req, 200, STR("{\"a\":1}"));
    ck_answer("HTTP/1.1 200 OK\r\n" JSON "Content-Length: 7\r\n" BLOCK "\r\n");
}
END_TEST

START_TEST(no_content_has_no_length)
{
    reply_empty(request(), 204);
    ck_answer("HTTP/1.1 204 No Content\r\n" BLOCK "\r\n");
}
END_TEST

START_TEST(not_modified_has_no_body)
{
    reply_body(request(), 304, STR("image/png"), STR("never sent"));
    ck_answer("HTTP/1.1 304 Not Modified\r\n" BLOCK "\r\n");
}
END_TEST

START_TEST(empty_has_length_zero)
{
    reply_empty(request(), 202);
    ck_answer("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n" BLOCK "\r\n");
}
END_TEST

START_TEST(extra_headers_come_last)
{
    reply_header(request(), STR("Set-Cookie"), STR("a=1"));
    reply_header(f.req, STR("Set-Cookie"), STR("b=2"));
    reply_body(f.req, 201, STR("text/plain"), STR("hi"));
    ck_answer("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n" BLOCK
              "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nhi");
}
END_TEST

START_TEST(says_when_the_connection_closes)
{
    request()->keep_alive = false;
    reply_empty(f.req, 204);
    ck_answer("HTTP/1.1 204 No Content\r\n" BLOCK "Connection: close\r\n\r\n");
    request();
    f.server->draining = true;
    reply_empty(f.req, 204);
    ck_answer("HTTP/1.1 204 No Content\r\n" BLOCK "Connection: close\r\n\r\n");
    f.server->draining = false;
}
END_TEST

START_TEST(keep_alive_is_confirmed_to_those_who_ask)
{
    fixture_request(&f, HTTP_GET, "/t", "Connection: Keep-Alive\n");
    reply_empty(f.req, 204);
    ck_answer("HTTP/1.1 204 No Content\r\n" BLOCK "Connection: keep-alive\r\n\r\n");
}
END_TEST

START_TEST(pages_have_a_policy)
{
    reply_body(request(), 200, STR("text/html; charset=utf-8"), STR("<p>"));
    ck_assert(str_starts(fixture_header(&f, "content-security-policy"), STR("default-src 'self';")));
    request();
    reply_header(f.req, STR("content-security-policy"), STR("default-src 'none'"));
    reply_body(f.req, 200, STR("text/html"), STR("<p>"));
    ck_assert(str_eq(fixture_header(&f, "content-security-policy"), STR("default-src 'none'")));
    reply_json(request(), 200, STR("{}"));
    ck_assert_ptr_null(fixture_header(&f, "content-security-policy").p);
}
END_TEST

START_TEST(https_is_made_to_stay)
{
    struct fixture https;
    fixture_init(&https, &(struct http_options){ .tables = tables, .public_url = "https://tally.example" });
    reply_empty(fixture_request(&https, HTTP_GET, "/t", ""), 204);
    ck_assert(str_starts(fixture_header(&https, "strict-transport-security"), STR("max-age=31536000")));
    fixture_fini(&https);
    reply_empty(request(), 204);
    ck_assert_ptr_null(fixture_header(&f, "strict-transport-security").p);
}
END_TEST

START_TEST(named_origins_are_echoed)
{
    struct fixture named;
    fixture_init(&named, &(struct http_options){ .tables = tables, .cors_origins = origins });
    reply_empty(fixture_request(&named, HTTP_GET, "/t", "Origin: https://app.example\n"), 204);
    ck_assert(str_eq(fixture_header(&named, "access-control-allow-origin"), STR("https://app.example")));
    ck_assert(str_eq(fixture_header(&named, "access-control-allow-credentials"), STR("true")));
    ck_assert(str_eq(fixture_header(&named, "vary"), STR("Origin")));
    reply_empty(fixture_request(&named, HTTP_GET, "/t", "Origin: https://evil.example\n"), 204);
    ck_assert_ptr_null(fixture_header(&named, "access-control-allow-origin").p);
    ck_assert(str_eq(fixture_header(&named, "vary"), STR("Origin")));
    ck_assert(http_origin_allowed(named.server, STR("https://app.example")));
    ck_assert(!http_origin_allowed(named.server, STR("https://evil.example")));
    fixture_fini(&named);
}
END_TEST

#define ERROR(code, message, errors) "{\"success\":false,\"status\":false,\"errorCode\":" code ",\"message\":\"" \
    message "\",\"errors\":[" errors "]}"

START_TEST(error)
{
    reply_error(request(), 404, "Account not found");
    ck_answer("HTTP/1.1 404 Not Found\r\n" JSON "Content-Length: 90\r\n" BLOCK "\r\n"
              ERROR("404", "Account not found", ""));
}
END_TEST

START_TEST(error_bodies_are_json)
{
    struct json *body;
    const char *why;
    reply_error(request(), 400, "a \"quoted\"\nline \\ \x01");
    ck_assert_int_eq(json_parse(fixture_body(&f), &f.req->arena, &body, &why), OK);
    ck_assert(str_eq(json_get(body, STR("message"))->text, STR("a \"quoted\"\nline \\ \x01")));
    ck_assert_int_eq(json_get(body, STR("success"))->type, JSON_FALSE);
    ck_assert_int_eq(json_get(body, STR("status"))->type, JSON_FALSE);
    ck_assert(str_eq(json_get(body, STR("errorCode"))->text, STR("400")));
    ck_assert_int_eq(json_get(body, STR("errors"))->type, JSON_ARRAY);
    ck_assert_int_eq(body->count, 5);
}
END_TEST

static const struct {
    enum err err;
    int status;
    const char *retry_after;
} errs[] = {
    { ERR_FULL, 503, "1" }, { ERR_UNAVAILABLE, 503, "1" }, { ERR_UNCERTAIN, 503, "1" }, { ERR_TIMEOUT, 503, "1" },
    { ERR_INTERNAL, 500, NULL }, { ERR_INVALID, 400, NULL }, { ERR_TOO_BIG, 413, NULL }, { ERR_SQL, 500, NULL },
};

START_TEST(infrastructure_errors)
{
    struct json *body;
    const char *why;
    reply_err(request(), errs[_i].err);
    ck_assert_int_eq(f.req->status, errs[_i].status);
    struct str retry = fixture_header(&f, "retry-after");
    ck_assert(str_eq(retry, str_from(errs[_i].retry_after)) && !retry.p == !errs[_i].retry_after);
    ck_assert_int_eq(json_parse(fixture_body(&f), &f.req->arena, &body, &why), OK);
    ck_assert(str_eq(json_get(body, STR("message"))->text, str_from(err_info(errs[_i].err)->message)));
}
END_TEST

START_TEST(errors_that_call_for_a_header_have_it_once)
{
    reply_error(request(), 503, "Not ready");
    ck_assert(str_eq(fixture_header(&f, "retry-after"), STR("1")));
    reply_error_retry(request(), 429, "Too many requests, try again later", 17);
    ck_assert(str_eq(fixture_header(&f, "retry-after"), STR("17")));
    reply_error_retry(request(), 503, "Not ready", 0);
    ck_assert(str_eq(fixture_header(&f, "retry-after"), STR("1")));
    reply_error(request(), 401, "Unauthorized");
    ck_assert(str_eq(fixture_header(&f, "www-authenticate"), STR("Bearer")));
    request();
    reply_header(f.req, STR("WWW-Authenticate"), STR("Basic realm=\"tally\""));
    reply_error(f.req, 401, "Unauthorized");
    ck_assert(str_eq(fixture_header(&f, "www-authenticate"), STR("Basic realm=\"tally\"")));
}
END_TEST

START_TEST(faults)
{
    struct reply_faults all = { 0 };
    reply_fault(request(), &all, "first", "is required");
    reply_fault(f.req, &all, "items[1]", "must not be \"x\"");
    reply_faults(f.req, &all);
    ck_assert_int_eq(f.req->status, 400);
    ck_assert(str_eq(fixture_body(&f), STR(ERROR("400", "Validation failed",
        "{\"field\":\"first\",\"message\":\"is required\"},"
        "{\"field\":\"items[1]\",\"message\":\"must not be \\\"x\\\"\"}"))));
}
END_TEST

START_TEST(a_thousand_faults_are_a_bounded_answer)
{
    struct reply_faults all = { 0 };
    struct json *body;
    const char *why;
    request();
    for (int i = 0; i < 1000; i++) reply_fault(f.req, &all, "a", "is wrong");
    ck_assert_int_eq(all.count, 1000);
    reply_faults(f.req, &all);
    ck_assert_int_eq(json_parse(fixture_body(&f), &f.req->arena, &body, &why), OK);
    ck_assert_int_eq(json_get(body, STR("errors"))->count, 100);
}
END_TEST

static const struct {
    const char *name, *value;
} injections[] = {
    { "X-A", "a\r\nSet-Cookie: evil=1" }, { "X-A", "a\nb" }, { "X-A", "a\rb" }, { "X-A", "\x7f" },
    { "X-A\r\nX-B", "a" }, { "X-A: b\r\n", "a" }, { "", "a" }, { "X A", "a" },
};

START_TEST(no_header_is_injected)
{
    request();
    reply_header(f.req, str_from(injections[_i].name), str_from(injections[_i].value));
    reply_header(f.req, STR("X-Nul"), (struct str){ "a\0b", 3 });
    reply_empty(f.req, 204);
    ck_answer("HTTP/1.1 204 No Content\r\n" BLOCK "\r\n");
}
END_TEST

static const struct {
    const char *location, *sent;
} redirects[] = {
    { "/a?b=c&d=%20#e", "/a?b=c&d=%20#e" },
    { "/a\r\nSet-Cookie: x=1", "/a%0d%0aSet-Cookie:%20x=1" },
    { "/\xc3\xa9 \"<>", "/%c3%a9%20%22%3c%3e" },
    { "https://app.example/sign-up?ref=A1", "https://app.example/sign-up?ref=A1" },
};

START_TEST(redirects_go_where_they_say)
{
    reply_redirect(request(), 302, str_from(redirects[_i].location));
    ck_assert_int_eq(f.req->status, 302);
    ck_assert(str_eq(fixture_header(&f, "location"), str_from(redirects[_i].sent)));
    ck_assert(str_eq(fixture_header(&f, "content-length"), STR("0")));
    ck_assert_ptr_null(fixture_header(&f, "set-cookie").p);
}
END_TEST

START_TEST(a_huge_location_is_an_error)
{
    request();
    char *p = arena_raw(&f.req->arena, 20000);
    memset(p, 'a', 20000);
    reply_redirect(f.req, 302, (struct str){ p, 20000 });
    ck_assert_int_eq(f.req->status, 500);
}
END_TEST

START_TEST(two_answers_are_a_defect)
{
    reply_empty(request(), 204);
    reply_empty(f.req, 204);
}
END_TEST

START_TEST(cookies_and_headers_are_found)
{
    fixture_request(&f, HTTP_GET, "/t?a=1&b=x%20y&c=%ff",
                    "COOKIE: a=1; token=abc.def; tokens=no\nCookie: quoted=\"q v\"; token=second\nX-Test:  v \n");
    ck_assert(str_eq(request_header(f.req, STR("x-test")), STR("v")));
    ck_assert_ptr_null(request_header(f.req, STR("x-tes")).p);
    ck_assert(str_eq(request_cookie(f.req, STR("token")), STR("abc.def")));
    ck_assert(str_eq(request_cookie(f.req, STR("quoted")), STR("q v")));
    ck_assert_ptr_null(request_cookie(f.req, STR("oken")).p);
    ck_assert_ptr_null(request_cookie(f.req, STR("TOKEN")).p);
    ck_assert(str_eq(request_query(f.req, STR("b")), STR("x y")));
    ck_assert_ptr_null(request_query(f.req, STR("c")).p);
    ck_assert_ptr_null(request_query(f.req, STR("d")).p);
    f.req->endpoint = &rows[0];
    ck_assert_ptr_eq(request_value(f.req, "second"), &f.req->values[1]);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("reply");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, json);
    tcase_add_test(t, head_has_the_length_but_no_body);
    tcase_add_test(t, no_content_has_no_length);
    tcase_add_test(t, not_modified_has_no_body);
    tcase_add_test(t, empty_has_length_zero);
    tcase_add_test(t, extra_headers_come_last);
    tcase_add_test(t, says_when_the_connection_closes);
    tcase_add_test(t, keep_alive_is_confirmed_to_those_who_ask);
    tcase_add_test(t, pages_have_a_policy);
    tcase_add_test(t, https_is_made_to_stay);
    tcase_add_test(t, named_origins_are_echoed);
    tcase_add_test(t, error);
    tcase_add_test(t, error_bodies_are_json);
    tcase_add_loop_test(t, infrastructure_errors, 0, (int) (sizeof errs / sizeof *errs));
    tcase_add_test(t, errors_that_call_for_a_header_have_it_once);
    tcase_add_test(t, faults);
    tcase_add_test(t, a_thousand_faults_are_a_bounded_answer);
    tcase_add_loop_test(t, no_header_is_injected, 0, (int) (sizeof injections / sizeof *injections));
    tcase_add_loop_test(t, redirects_go_where_they_say, 0, (int) (sizeof redirects / sizeof *redirects));
    tcase_add_test(t, a_huge_location_is_an_error);
    tcase_add_test_raise_signal(t, two_answers_are_a_defect, SIGABRT);
    tcase_add_test(t, cookies_and_headers_are_found);
    Suite *s = suite_create("reply");
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
