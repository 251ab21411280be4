/* The gates, in their order: who gets which answer, with what sent. */
#include "test/unit/http_fixture.h"

#include <stdio.h>

static int runs, authentications, statements;

static void run(struct http_request *req)
{
    runs++;
    reply_json(req, req->endpoint->status ? req->endpoint->status : 200, STR("{}"));
}

static void run_sql(struct http_request *req)
{
    statements++;
    reply_json(req, 200, STR("{}"));
}

/* Answers with the amount and how the caller is known. */
static void transfer(struct http_request *req)
{
    ck_assert_ptr_eq(req->caller, &runs);
    reply_json(req, 200, arena_printf(&req->arena, "%ld", (long) request_value(req, "amount")->i));
}

static void authenticate(struct http_request *req)
{
    authentications++;
    if (!request_header(req, STR("authorization")).p) {
        reply_error(req, 401, "Unauthorized");
        return;
    }
    req->caller = &runs;
    request_authenticated(req);
}

static void unknown_path(struct http_request *req)
{
    if (str_starts(req->path, STR("/api/points"))) reply_error(req, 401, "Unauthorized");
    else reply_error(req, 404, "Not Found");
}

static const struct sql statement = { .params = 1, .name = "s", .file = "s.sql", .text = "SELECT 1" };

static const struct endpoint rows[] = {
    { .id = "PING", .method = HTTP_GET, .path = "/ping", .run = run },
    { .id = "ITEM", .method = HTTP_GET, .path = "/item/:id", .run = run,
      .fields = { { .name = "id", .in = IN_PATH, .type = FIELD_ID } } },
    { .id = "OPEN", .method = HTTP_POST, .path = "/open", .run = run, .status = 201, .body_max = 100,
      .fields = { { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED } } },
    { .id = "OPTIONAL", .method = HTTP_POST, .path = "/optional", .run = run,
      .fields = { { .name = "name", .type = FIELD_TEXT } } },
    { .id = "IGNORED", .method = HTTP_POST, .path = "/ignored", .run = run, .flags = ENDPOINT_BODY_IGNORED },
    { .id = "TRANSFER", .method = HTTP_POST, .path = "/transfer", .auth = 1, .run = transfer,
      .fields = { { .name = "amount", .type = FIELD_MONEY, .flags = FIELD_REQUIRED, .min = 1 } } },
    { .id = "LIST", .method = HTTP_GET, .path = "/list", .auth = 1, .sql = &statement },
    { .id = "CONFIRM", .method = HTTP_GET, .path = "/confirm", .run = run, .flags = ENDPOINT_CHANGES },
    { .id = "RARE", .method = HTTP_GET, .path = "/rare", .run = run, .rate_per_minute = 2 },
    { .id = "RARE", .method = HTTP_GET, .path = "/rare-too", .run = run, .rate_per_minute = 2,
      .flags = ENDPOINT_ALIAS },
    { 0 },
};
static const struct endpoint *const tables[] = { rows, NULL };
static const struct http_options plain_options = { .tables = tables, .authenticate = authenticate, .run_sql = run_sql,
                                                   .unknown_path = unknown_path };

static struct fixture f;

static void set_up(void)
{
    runs = authentications = statements = 0;
    fixture_init(&f, &plain_options);
}

static void tear_down(void)
{
    fixture_fini(&f);
}

#define JSON "Content-Type: application/json\n"
#define ME "Authorization: Bearer x\n"

static const struct {
    enum http_method method;
    const char *target, *headers, *body;
    int status;
    const char *says;     /* a part of the body, or NULL */
} cases[] = {
    { HTTP_GET, "/ping", "", NULL, 200, "{}" },
    { HTTP_GET, "/ping/?x=1", "", NULL, 200, "{}" },
    { HTTP_GET, "/ping", "Content-Type: text/plain\n", "a body that nobody looks at", 200, "{}" },
    { HTTP_GET, "/nowhere", "", NULL, 404, "Not Found" },
    { HTTP_GET, "/api/points/x", "", NULL, 401, "Unauthorized" },
    { HTTP_POST, "/ping", "", NULL, 405, "Method Not Allowed" },
    { HTTP_NONE, "/ping", "", NULL, 405, "Method Not Allowed" },
    { HTTP_HEAD, "/confirm", "", NULL, 405, NULL },
    { HTTP_HEAD, "/ping", "", NULL, 200, NULL },
    { HTTP_GET, "/item/%zz", "", NULL, 404, "Not Found" },
    { HTTP_GET, "/item/a%2fb", "", NULL, 404, "Not Found" },
    { HTTP_GET, "/item/5", "", NULL, 200, NULL },
    { HTTP_GET, "/ping", "Expect: 100-Continue\n", NULL, 200, NULL },
    { HTTP_GET, "/ping", "Expect: miracles\n", NULL, 417, "Expectation Failed" },
    /* bodies */
    { HTTP_POST, "/open", JSON, "{\"name\":\"n\"}", 201, "{}" },
    { HTTP_POST, "/open", "Content-Type: Application/JSON ; Charset=\"UTF-8\"; x=y\n", "{\"name\":\"n\"}", 201, "{}" },
    { HTTP_POST, "/open", "Content-Type: application/json; charset=utf-16\n", "{\"name\":\"n\"}", 415, NULL },
    { HTTP_POST, "/open", "Content-Type: application/json; charset=\n", "{\"name\":\"n\"}", 415, NULL },
    { HTTP_POST, "/open", "Content-Type: application/jsonp\n", "{\"name\":\"n\"}", 415, NULL },
    { HTTP_POST, "/open", "Content-Type: application/x-www-form-urlencoded\n", "name=n", 415, NULL },
    { HTTP_POST, "/open", "", "{\"name\":\"n\"}", 415, "Invalid Content-Type" },
    { HTTP_POST, "/open", "", NULL, 415, NULL },
    { HTTP_POST, "/open", JSON, NULL, 400, "{\"field\":\"name\",\"message\":\"is required\"}" },
    { HTTP_POST, "/open", JSON "Content-Encoding: gzip\n", "{\"name\":\"n\"}", 415, NULL },
    { HTTP_POST, "/open", JSON "Content-Encoding: identity\n", "{\"name\":\"n\"}", 201, NULL },
    { HTTP_POST, "/open", JSON, "{\"name\":\"n\"", 400,
      "\"message\":\"Invalid JSON\",\"errors\":[{\"field\":\"body\"" },
    { HTTP_POST, "/open", JSON, "{\"name\":\"n\",\"name\":\"m\"}", 400,
      "{\"field\":\"body\",\"message\":\"duplicate name\"}" },
    { HTTP_POST, "/open", JSON, "[{\"name\":\"n\"}]", 400, "must be an object" },
    { HTTP_POST, "/open", JSON, "null", 400, "must be an object" },
    { HTTP_POST, "/open", JSON,
      "{\"name\":\"01234567890123456789012345678901234567890123456789012345678901234567890123456789"
      "01234567890123456789\"}", 413, "Payload Too Large" },
    { HTTP_POST, "/optional", "", NULL, 200, NULL },
    { HTTP_POST, "/optional", JSON, NULL, 200, NULL },
    { HTTP_POST, "/optional", "Content-Type: text/plain\n", "x", 415, NULL },
    { HTTP_POST, "/ignored", "Content-Type: text/plain\nContent-Encoding: gzip\n", "{not json", 200, NULL },
    { HTTP_POST, "/ignored", "", NULL, 200, NULL },
    /* who is it comes before the body */
    { HTTP_POST, "/transfer", JSON, "{\"amount\":12.5}", 401, "Unauthorized" },
    { HTTP_POST, "/transfer", "", NULL, 401, NULL },
    { HTTP_POST, "/transfer", "Content-Type: text/plain\n", "x", 401, NULL },
    { HTTP_POST, "/transfer", JSON, "{broken", 401, NULL },
    { HTTP_POST, "/transfer", ME JSON, "{\"amount\":12.5}", 200, "1250" },
    { HTTP_POST, "/transfer", ME JSON, "{\"amount\":\"12.5\"}", 400, "at most 2 decimals" },
    { HTTP_POST, "/transfer", ME "Content-Type: text/plain\n", "x", 415, NULL },
    { HTTP_POST, "/transfer", ME, NULL, 415, NULL },
    { HTTP_GET, "/transfer", "", NULL, 405, NULL },
    { HTTP_GET, "/list", "", NULL, 401, NULL },
    { HTTP_GET, "/list", ME, NULL, 200, NULL },
    /* OPTIONS */
    { HTTP_OPTIONS, "/transfer", "Origin: https://a.example\n", NULL, 204, NULL },
    { HTTP_OPTIONS, "*", "", NULL, 204, NULL },
    { HTTP_OPTIONS, "/nowhere", "", NULL, 404, NULL },
};

START_TEST(gates)
{
    int status = fixture_send(&f, cases[_i].method, cases[_i].target, cases[_i].headers, cases[_i].body);
    ck_assert_msg(status == cases[_i].status, "%s: %d, not %d", cases[_i].target, status, cases[_i].status);
    struct str body = fixture_body(&f);
    if (cases[_i].says)
        ck_assert_msg(memmem(body.p, body.n, cases[_i].says, strlen(cases[_i].says)), "says %.*s", STR_FMT(body));
    if (status >= 400) ck_assert_int_eq(runs, 0);
    ck_assert_int_eq(f.server->requests_under_way, 0);
}
END_TEST

START_TEST(allow_names_the_methods)
{
    fixture_send(&f, HTTP_PUT, "/ping", "", NULL);
    ck_assert(str_eq(fixture_header(&f, "allow"), STR("GET, HEAD, OPTIONS")));
    fixture_send(&f, HTTP_HEAD, "/confirm", "", NULL);
    ck_assert(str_eq(fixture_header(&f, "allow"), STR("GET, OPTIONS")));
}
END_TEST

START_TEST(preflight)
{
    fixture_send(&f, HTTP_OPTIONS, "/transfer/", "Origin: https://a.example\n", NULL);
    ck_assert(str_eq(fixture_header(&f, "allow"), STR("POST, OPTIONS")));
    ck_assert(str_eq(fixture_header(&f, "access-control-allow-origin"), STR("*")));
    ck_assert(str_eq(fixture_header(&f, "access-control-allow-methods"), STR("POST, OPTIONS")));
    ck_assert(str_eq(fixture_header(&f, "access-control-allow-headers"),
                     STR("Authorization, Content-Type, Idempotency-Key, X-Request-Id")));
    ck_assert(str_eq(fixture_header(&f, "access-control-max-age"), STR("86400")));
    ck_assert_int_eq(authentications, 0);
}
END_TEST

START_TEST(sql_rows_go_to_run_sql)
{
    fixture_send(&f, HTTP_GET, "/list", ME, NULL);
    ck_assert_int_eq(statements, 1);
    ck_assert_int_eq(runs, 0);
}
END_TEST

START_TEST(an_endpoints_rate_holds_over_its_aliases)
{
    ck_assert_int_eq(fixture_send(&f, HTTP_GET, "/rare", "", NULL), 200);
    ck_assert_int_eq(fixture_send(&f, HTTP_GET, "/rare-too", "", NULL), 200);
    ck_assert_int_eq(fixture_send(&f, HTTP_GET, "/rare", "", NULL), 429);
    struct str body = fixture_body(&f);
    ck_assert_ptr_nonnull(memmem(body.p, body.n, "Too many requests, try again later", 34));
    int64_t seconds;
    ck_assert(str_to_i64(fixture_header(&f, "retry-after"), &seconds) && seconds >= 1 && seconds <= 30);
    ck_assert_int_eq(fixture_send(&f, HTTP_GET, "/ping", "", NULL), 200);
}
END_TEST

START_TEST(the_general_rate_comes_before_all_but_options)
{
    struct http_options options = plain_options;
    struct fixture g;
    options.rate_per_minute = 3;
    fixture_init(&g, &options);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(fixture_send(&g, HTTP_GET, "/nowhere", "", NULL), 404);
    ck_assert_int_eq(fixture_send(&g, HTTP_GET, "/list", "", NULL), 429);
    ck_assert_int_eq(authentications, 0);
    ck_assert_int_eq(fixture_send(&g, HTTP_OPTIONS, "/list", "", NULL), 204);
    struct http_request *req = fixture_request(&g, HTTP_GET, "/ping", "");
    req->remote = STR("203.0.113.8");                /* somebody else */
    int64_t body_max;
    ck_assert_int_eq(http_route(req, 0, &body_max), 0);
    req->stage = REQUEST_DISPATCHED;
    g.server->requests_under_way++;
    http_dispatch(req);
    ck_assert_int_eq(req->status, 200);
    fixture_fini(&g);
}
END_TEST

START_TEST(overload_is_told_at_once)
{
    struct http_options options = plain_options;
    struct fixture g;
    options.requests_max = 2;
    fixture_init(&g, &options);
    g.server->requests_under_way = 2;
    ck_assert_int_eq(fixture_send(&g, HTTP_GET, "/ping", "", NULL), 503);
    ck_assert(str_eq(fixture_header(&g, "retry-after"), STR("1")));
    g.server->requests_under_way = 1;
    ck_assert_int_eq(fixture_send(&g, HTTP_GET, "/ping", "", NULL), 200);
    g.server->requests_under_way = 0;
    fixture_fini(&g);
}
END_TEST

/* What is decided at the end of the head, before the body is there. */
START_TEST(early_refusals)
{
    static const struct {
        enum http_method method;
        const char *path, *headers;
        int64_t length;
        int status;
        bool closes;      /* the body is too long to be read for nothing */
        int64_t body_max;
    } heads[] = {
        { HTTP_POST, "/open", JSON, 100, 0, false, 100 },
        { HTTP_POST, "/open", JSON, 101, 413, false, 100 },
        { HTTP_POST, "/open", JSON, INT64_MAX, 413, true, 100 },
        { HTTP_POST, "/open", JSON, -1, 0, false, 100 },
        { HTTP_POST, "/open", "", -1, 415, true, 100 },
        { HTTP_POST, "/transfer", "", 1 << 20, 0, false, 1 << 20 },
        { HTTP_POST, "/transfer", "", (1 << 20) + 1, 413, true, 1 << 20 },
        { HTTP_POST, "/ping", "", -1, 405, true, 1 << 20 },
        { HTTP_POST, "/ping", "", 0, 405, false, 1 << 20 },
        { HTTP_POST, "/nowhere", "", 5, 0, false, 1 << 20 },
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        int64_t body_max = 0;
        struct http_request *req = fixture_request(&f, heads[i].method, heads[i].path, heads[i].headers);
        ck_assert_int_eq(http_route(req, heads[i].length, &body_max), heads[i].status);
        ck_assert_int_eq(req->status, heads[i].status);
        ck_assert_int_eq(body_max, heads[i].body_max);
        ck_assert_int_eq(req->keep_alive, !heads[i].closes);
        if (heads[i].closes) ck_assert(str_eq(fixture_header(&f, "connection"), STR("close")));
    }
    ck_assert_int_eq(runs, 0);
}
END_TEST

static void on_drained(void *arg)
{
    ++*(int *) arg;
}

static void on_tick(uv_timer_t *timer)
{
    uv_close((uv_handle_t *) timer, NULL);
}

START_TEST(draining_without_connections_is_told_once_and_later)
{
    int drained = 0;
    uv_timer_t alive;      /* turns do not keep a loop alive; in the server its signals do */
    uv_timer_init(&f.loop, &alive);
    uv_timer_start(&alive, on_tick, 1, 0);
    http_server_drain(f.server, 1000, on_drained, &drained);
    ck_assert_int_eq(drained, 0);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(drained, 1);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("dispatch");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_loop_test(t, gates, 0, (int) (sizeof cases / sizeof *cases));
    tcase_add_test(t, allow_names_the_methods);
    tcase_add_test(t, preflight);
    tcase_add_test(t, sql_rows_go_to_run_sql);
    tcase_add_test(t, an_endpoints_rate_holds_over_its_aliases);
    tcase_add_test(t, the_general_rate_comes_before_all_but_options);
    tcase_add_test(t, overload_is_told_at_once);
    tcase_add_test(t, early_refusals);
    tcase_add_test(t, draining_without_connections_is_told_once_and_later);
    Suite *s = suite_create("dispatch");
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
