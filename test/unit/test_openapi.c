/* The OpenAPI document: it parses, every row is in it, every reference leads somewhere, and what a
 * field's row says is what its schema says. */
#include "test/unit/http_fixture.h"

#include <stdio.h>

#include "http/file.h"
#include "http/openapi.h"

static void run(struct http_request *req) { (void) req; }

#define PATH_FIELD(n) { .name = n, .in = IN_PATH, .type = FIELD_ID }

static const struct http_file page = { .type = { "text/html; charset=utf-8", 24 } };

static const struct endpoint bank[] = {
    { .id = "BANK-04", .method = HTTP_GET, .path = "/api/accounts", .auth = 1, .run = run, .summary = "List \"all\"",
      .description = "Oldest first.", .reply = "{\"account\":null,\"accounts\":[{\"_id\":\"65d4\",\"balance\":5,"
      "\"createdAt\":\"2026-02-09T10:00:00.000Z\",\"open\":true}]}" },
    { .id = "BANK-03", .method = HTTP_POST, .path = "/api/accounts", .auth = 1, .run = run, .status = 201,
      .flags = ENDPOINT_BODY_IGNORED },
    { .id = "BANK-05", .method = HTTP_GET, .path = "/api/accounts/balance/:accountid", .auth = 2, .run = run,
      .fields = { PATH_FIELD("accountid") } },
    { .id = "BANK-06", .method = HTTP_POST, .path = "/api/transactions", .auth = 1, .run = run,
      .example = "{\"amount\":500,\"key\":\"k\"}",
      .refusals = { "409 Already used", "400 Insufficient balance", "409 Closed" },
      .fields = { { .name = "amount", .type = FIELD_MONEY, .flags = FIELD_REQUIRED, .min = 1, .help = "How much" },
                  { .name = "key", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = 128 },
                  { .name = "id", .header = "X-Key", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .max = 9 },
                  { .name = "note", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .max = 200, .aliases = "memo" } } },
    { .id = "BANK-22", .method = HTTP_GET, .path = "/api/transactions", .auth = 3, .run = run,
      .fields = { { .name = "limit", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 100, .initial = "20" },
                  { .name = "sort", .in = IN_QUERY, .type = FIELD_ENUM, .choices = "asc desc", .initial = "desc" },
                  { .name = "from", .in = IN_QUERY, .type = FIELD_TIME },
                  { .name = "email", .in = IN_QUERY, .type = FIELD_EMAIL } } },
    { 0 },
};
static const struct endpoint rest[] = {
    { .id = "FIN-17", .method = HTTP_POST, .path = "/api/reward/claim", .run = run },
    { .id = "FIN-17", .method = HTTP_POST, .path = "/reward/claim", .run = run, .flags = ENDPOINT_ALIAS },
    { .id = "FIN-17", .method = HTTP_POST, .path = "/claim", .run = run, .flags = ENDPOINT_ALIAS },
    { .id = "ROOT", .method = HTTP_GET, .path = "/", .run = run },
    { .id = "SECRET", .method = HTTP_GET, .path = "/secret", .run = run, .flags = ENDPOINT_HIDDEN },
    { .id = "WEB-1", .method = HTTP_GET, .path = "/page", .file = &page },
    { .id = "BANK-99", .method = HTTP_DELETE, .path = "/api/accounts", .run = run, .not_found = "Account not found",
      .status = 204 },
    { 0 },
};
static const struct endpoint *const tables[] = { bank, rest, NULL };

static const char *auth_schemes(int auth)
{
    return auth == 1 ? "bearer cookie" : auth == 2 ? "basic" : "none bearer";
}

static void authenticate(struct http_request *req) { (void) req; }

/* "FIN" before "BANK", which the tables use first; nothing of "POS" is there. */
static const struct http_tag tags[] = {
    { "FIN", "fintech", "Cards" }, { "POS", "pos", "Tills" }, { "BANK", "bank", NULL }, { NULL, NULL, NULL },
};

static struct fixture f;
static struct arena arena;
static struct json *doc;

static void set_up(void)
{
    const char *why = NULL;
    fixture_init(&f, &(struct http_options){ .tables = tables, .title = "tally", .version = "1.2.3",
                                             .description = "All of it", .tags = tags,
                                             .auth_schemes = auth_schemes, .authenticate = authenticate });
    arena_init(&arena);
    ck_assert_msg(json_parse(http_openapi(f.server)->bytes, &arena, &doc, &why) == OK, "%s", why);
}

static void tear_down(void)
{
    arena_fini(&arena);
    fixture_fini(&f);
}

/* Follows names separated by '>' from a value; array elements by number. */
static const struct json *at(const struct json *j, const char *way)
{
    struct str rest_way = str_from(way);
    int64_t index;
    while (rest_way.n && j) {
        struct str name = str_cut(&rest_way, '>');
        if (j->type == JSON_ARRAY && str_to_i64(name, &index)) {
            for (j = j->child; j && index; index--) j = j->next;
        } else {
            j = json_get(j, name);
        }
    }
    return j;
}

#define OWN "paths>/api/transactions>post>responses>"
#define LIST_CONTENT "paths>/api/accounts>get>responses>200>content>application/json>"

static const struct {
    const char *way, *text;      /* text NULL: must be absent */
} facts[] = {
    { "openapi", "3.1.0" }, { "info>title", "tally" }, { "info>version", "1.2.3" },
    { "info>description", "All of it" },
    { "tags>0>name", "fintech" }, { "tags>0>description", "Cards" }, { "tags>1>name", "bank" },
    { "tags>1>description", NULL }, { "tags>2>name", "server" }, { "tags>3>name", "web" }, { "tags>4", NULL },
    { "paths>/claim>post>tags>0", "fintech" }, { "paths>/>get>tags>0", "server" },
    { "paths>/page>get>responses>200>content", "{\"text/html\":{\"schema\":{\"type\":\"string\"}}}" },
    { "components>responses>NotFound>content>application/json>example",
      "{\"success\":false,\"status\":false,\"errorCode\":404,\"message\":\"Not Found\",\"errors\":[]}" },
    { "paths>/secret", NULL }, { "paths>/>get>operationId", "ROOT" },
    { "paths>/api/accounts>get>operationId", "BANK-04" },
    { "paths>/api/accounts>post>operationId", "BANK-03" },
    { "paths>/api/accounts>delete>operationId", "BANK-99" },
    { "paths>/api/accounts>delete>responses>204>description", "Success" },
    { "paths>/api/accounts>delete>responses>204>content", NULL },
    { "paths>/api/accounts>delete>responses>404>description", "Account not found" },
    { "paths>/api/accounts>delete>responses>404>content>application/json>examples",
      "{\"Account not found\":{\"value\":{\"success\":false,\"status\":false,\"errorCode\":404,"
      "\"message\":\"Account not found\",\"errors\":[]}}}" },
    { OWN "400>description", "Insufficient balance. The body is not JSON, or fields are at fault; errors names them" },
    { OWN "400>content>application/json>examples>Insufficient balance>value>message", "Insufficient balance" },
    { OWN "400>content>application/json>examples>Validation failed>value>errorCode", "400" },
    { OWN "409>description", "Already used. Closed" },
    { OWN "409>content>application/json>examples>Closed>value>errorCode", "409" },
    { OWN "403>$ref", "#/components/responses/Forbidden" },
    { "paths>/api/accounts>delete>responses>401", NULL },
    { "paths>/api/accounts>get>summary", "List \"all\"" }, { "paths>/api/accounts>get>description", "Oldest first." },
    { "paths>/api/accounts>get>tags>0", "bank" },
    { "paths>/api/accounts>get>security>0", "{\"bearer\":[]}" },
    { "paths>/api/accounts>get>security>1", "{\"cookie\":[]}" },
    { "paths>/api/accounts>get>responses>400", NULL },
    { "paths>/api/accounts>get>responses>401>$ref", "#/components/responses/Unauthorized" },
    { LIST_CONTENT "schema>required", "[\"account\",\"accounts\"]" },
    { LIST_CONTENT "schema>properties>account", "{}" },
    { LIST_CONTENT "schema>properties>accounts>items>properties>createdAt",
      "{\"type\":\"string\",\"format\":\"date-time\"}" },
    { LIST_CONTENT "schema>properties>accounts>items>properties>balance",
      "{\"type\":\"number\"}" },
    { LIST_CONTENT "example>accounts>0>balance", "5" },
    { "paths>/api/accounts>post>requestBody", NULL },
    { "paths>/api/accounts>post>responses>201>description", "Success" },
    { "paths>/api/accounts/balance/{accountid}>get>parameters>0>name", "accountid" },
    { "paths>/api/accounts/balance/{accountid}>get>parameters>0>in", "path" },
    { "paths>/api/accounts/balance/{accountid}>get>security>0", "{\"basic\":[]}" },
    { "paths>/api/transactions>post>requestBody>content>application/json>example", "{\"amount\":500,\"key\":\"k\"}" },
    { "paths>/api/transactions>post>requestBody>content>application/json>schema>required", "[\"amount\",\"key\"]" },
    { "paths>/api/transactions>post>requestBody>content>application/json>schema>properties>amount",
      "{\"type\":\"number\",\"description\":\"How much\",\"minimum\":0.01,\"maximum\":9999999999999.99,"
      "\"multipleOf\":0.01}" },
    { "paths>/api/transactions>post>requestBody>content>application/json>schema>properties>key",
      "{\"type\":\"string\",\"minLength\":1,\"maxLength\":128}" },
    { "paths>/api/transactions>post>requestBody>content>application/json>schema>properties>note",
      "{\"type\":[\"string\",\"null\"],\"maxLength\":200,\"x-aliases\":\"memo\"}" },
    { "paths>/api/transactions>post>parameters>0",
      "{\"name\":\"X-Key\",\"in\":\"header\",\"required\":false,"
      "\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":9}}" },
    { "paths>/api/transactions>post>responses>415>$ref", "#/components/responses/UnsupportedMediaType" },
    { "paths>/api/transactions>get>security>0", "{}" }, { "paths>/api/transactions>get>security>1", "{\"bearer\":[]}" },
    { "paths>/api/transactions>get>parameters>0>schema",
      "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1,\"maximum\":100,\"default\":20}" },
    { "paths>/api/transactions>get>parameters>1>schema",
      "{\"type\":\"string\",\"enum\":[\"asc\",\"desc\"],\"default\":\"desc\"}" },
    { "paths>/api/transactions>get>parameters>2>schema", "{\"type\":\"string\",\"format\":\"date-time\"}" },
    { "paths>/api/transactions>get>parameters>3>schema",
      "{\"type\":\"string\",\"format\":\"email\",\"maxLength\":254}" },
    { "paths>/api/reward/claim>post>operationId", "FIN-17" },
    { "paths>/reward/claim>post>operationId", "FIN-17-alias-1" }, { "paths>/reward/claim>post>x-alias-of", "FIN-17" },
    { "paths>/claim>post>operationId", "FIN-17-alias-2" }, { "paths>/claim>post>security", "[]" },
    { "components>securitySchemes>bearer>scheme", "bearer" }, { "components>securitySchemes>cookie>name", "token" },
    { "components>securitySchemes>basic>scheme", "basic" }, { "components>schemas>Error>type", "object" },
};

START_TEST(says)
{
    const struct json *found = at(doc, facts[_i].way);
    if (!facts[_i].text) {
        ck_assert_msg(found == NULL, "%s is there", facts[_i].way);
        return;
    }
    ck_assert_msg(found != NULL, "%s is not there", facts[_i].way);
    ck_assert_msg(str_eq(found->text, str_from(facts[_i].text)), "%s is %.*s", facts[_i].way, STR_FMT(found->text));
}
END_TEST

static int references;

static void follow_references(const struct json *j)
{
    if (j->name.p && str_eq(j->name, STR("$ref"))) {
        char way[128];
        ck_assert(str_starts(j->text, STR("#/")));
        ck_assert_uint_lt(j->text.n, sizeof way);
        snprintf(way, sizeof way, "%.*s", (int) j->text.n - 2, j->text.p + 2);
        for (char *p = way; *p; p++) *p = *p == '/' ? '>' : *p;
        ck_assert_msg(at(doc, way) != NULL, "%.*s leads nowhere", STR_FMT(j->text));
        references++;
    }
    for (const struct json *child = j->child; child; child = child->next) follow_references(child);
}

START_TEST(every_reference_resolves)
{
    references = 0;
    follow_references(doc);
    ck_assert_int_gt(references, 20);
}
END_TEST

START_TEST(every_shown_row_is_there_once)
{
    int operations = 0, rows = 0;
    for (const struct json *path = json_get(doc, STR("paths"))->child; path; path = path->next)
        operations += path->count;
    for (const struct endpoint *const *t = tables; *t; t++) {
        for (const struct endpoint *e = *t; e->id; e++) rows += !(e->flags & ENDPOINT_HIDDEN);
    }
    ck_assert_int_eq(operations, rows);
}
END_TEST

static const struct {
    const char *example, *schema;
} shapes[] = {
    { "null", "{}" }, { "true", "{\"type\":\"boolean\"}" }, { "1.5", "{\"type\":\"number\"}" },
    { "\"x\"", "{\"type\":\"string\"}" }, { "\"2026-02-09\"", "{\"type\":\"string\",\"format\":\"date\"}" },
    { "[]", "{\"type\":\"array\",\"items\":{}}" },
    { "[[1]]", "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}}}" },
    { "{}", "{\"type\":\"object\",\"properties\":{}}" },
    { "{\"a\\n\":false}",
      "{\"type\":\"object\",\"properties\":{\"a\\n\":{\"type\":\"boolean\"}},\"required\":[\"a\\n\"]}" },
};

START_TEST(examples_become_schemas)
{
    struct json *example;
    struct buf out;
    const char *why;
    buf_init(&out, 4096);
    ck_assert_int_eq(json_parse(str_from(shapes[_i].example), &arena, &example, &why), OK);
    openapi_shape(&out, example);
    ck_assert_msg(str_eq(buf_view(&out), str_from(shapes[_i].schema)), "got %.*s", STR_FMT(buf_view(&out)));
    buf_fini(&out);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("openapi");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_loop_test(t, says, 0, (int) (sizeof facts / sizeof *facts));
    tcase_add_test(t, every_reference_resolves);
    tcase_add_test(t, every_shown_row_is_there_once);
    tcase_add_loop_test(t, examples_become_schemas, 0, (int) (sizeof shapes / sizeof *shapes));
    Suite *s = suite_create("openapi");
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
