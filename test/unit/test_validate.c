/* Fields and what may stand in them, as tables: the row, what a client sends, and the value or the
 * message that must come of it. */
#include "http/validate.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run(struct http_request *req) { (void) req; }

/* Validates one field; the result as text: "i=…", "s=…", "json=…", "unset", or "! message". */
static void validate_one(const struct field *f, const char *sent, char *out, size_t size)
{
    struct arena arena;
    struct reply_faults faults = { 0 };
    struct value value;
    struct json *body = NULL;
    const char *why = NULL;
    struct endpoint e = { .id = "T", .method = HTTP_POST, .path = "/t", .run = run, .fields = { *f } };
    arena_init(&arena);
    struct str param = str_from(sent);
    struct validate_input in = { .arena = &arena, .path_params = &param };
    if (f->in == IN_BODY) {
        ck_assert_msg(json_parse(str_from(sent), &arena, &body, &why) == OK, "%s: %s", sent, why);
        in.body = body;
    } else {
        in.query = param;
    }
    if (validate(&e, &in, &value, &faults)) {
        struct json *fault;
        ck_assert_int_eq(json_parse(buf_view(&faults.json), &arena, &fault, &why), OK);
        ck_assert(str_eq(json_get(fault, STR("field"))->text, str_from(f->name)));
        ck_assert(!value.set);
        snprintf(out, size, "! %.*s", STR_FMT(json_get(fault, STR("message"))->text));
    } else if (!value.set) {
        snprintf(out, size, "unset");
    } else if (value.json) {
        snprintf(out, size, "json=%.*s", STR_FMT(value.json->text));
    } else if (f->type == FIELD_TEXT || f->type == FIELD_EMAIL) {
        snprintf(out, size, "s=%.*s", STR_FMT(value.s));
    } else {
        snprintf(out, size, "i=%" PRId64, value.i);
    }
    buf_fini(&faults.json);
    arena_fini(&arena);
}

#define NAME .name = "x"
#define QUERY .name = "x", .in = IN_QUERY

static const struct {
    struct field field;
    const char *sent, *expected;
} cases[] = {
    /* text */
    { { NAME, .type = FIELD_TEXT }, "{\"x\":\"abc\"}", "s=abc" },
    { { NAME, .type = FIELD_TEXT }, "{\"x\":\"\"}", "s=" },
    { { NAME, .type = FIELD_TEXT }, "{}", "unset" },
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_REQUIRED }, "{}", "! is required" },
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_REQUIRED }, "{\"x\":\"\"}", "! is required" },
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_REQUIRED }, "{\"x\":null}", "! is required" },
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM }, "{\"x\":\" \\t \"}", "! is required" },
    { { NAME, .type = FIELD_TEXT }, "{\"x\":null}", "! must not be null" },
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_NULLABLE }, "{\"x\":null}", "unset" },
    { { NAME, .type = FIELD_TEXT }, "{\"x\":5}", "! must be a string" },
    { { NAME, .type = FIELD_TEXT }, "{\"x\":true}", "! must be a string" },
    { { NAME, .type = FIELD_TEXT }, "{\"x\":[\"a\"]}", "! must be a string" },
    { { NAME, .type = FIELD_TEXT, .min = 8, .max = 128 }, "{\"x\":\"short\"}", "! must be 8 to 128 characters" },
    { { NAME, .type = FIELD_TEXT, .min = 2, .max = 3 }, "{\"x\":\"\\u00e9\\ud83d\\ude00\"}",
      "s=\xc3\xa9\xf0\x9f\x98\x80" },
    { { NAME, .type = FIELD_TEXT, .min = 2, .max = 3 }, "{\"x\":\"\\ud83d\\ude00\"}", "! must be 2 to 3 characters" },
    { { NAME, .type = FIELD_TEXT, .max = 3 }, "{\"x\":\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\"}",
      "s=\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac" },
    { { NAME, .type = FIELD_TEXT, .max = 3 }, "{\"x\":\"abcd\"}", "! must be at most 3 characters" },
    { { NAME, .type = FIELD_TEXT, .min = 3 }, "{\"x\":\"ab\"}", "! must be at least 3 characters" },
    { { NAME, .type = FIELD_TEXT, .min = 4, .max = 4 }, "{\"x\":\"ab\"}", "! must be 4 characters" },
    { { NAME, .type = FIELD_TEXT, .min = 1, .max = 3, .flags = FIELD_TRIM }, "{\"x\":\"  ab \"}", "s=ab" },
    { { NAME, .type = FIELD_TEXT, .max = 3 }, "{\"x\":\"  ab \"}", "! must be at most 3 characters" },
    { { NAME, .type = FIELD_TEXT }, "{\"x\":\"a\\nb\"}", "! must not contain control characters" },
    { { NAME, .type = FIELD_TEXT }, "{\"x\":\"a\\u007fb\"}", "! must not contain control characters" },
    { { NAME, .type = FIELD_TEXT }, "{\"x\":\"a\\u001bb\"}", "! must not contain control characters" },
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_MULTILINE }, "{\"x\":\"a\\r\\n\\tb\"}", "s=a\r\n\tb" },
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_MULTILINE }, "{\"x\":\"a\\u000bb\"}",
      "! must not contain control characters" },
    { { NAME, .type = FIELD_TEXT, .initial = "dflt" }, "{}", "s=dflt" },
    { { NAME, .type = FIELD_TEXT, .initial = "dflt", .flags = FIELD_NULLABLE }, "{\"x\":null}", "s=dflt" },
    { { NAME, .type = FIELD_TEXT, .aliases = "y zed" }, "{\"zed\":\"3\",\"y\":\"2\"}", "s=2" },
    { { NAME, .type = FIELD_TEXT, .aliases = "y zed" }, "{\"zed\":\"3\"}", "s=3" },
    { { NAME, .type = FIELD_TEXT, .aliases = "y" }, "{\"y\":\"2\",\"x\":\"1\"}", "s=1" },
    { { QUERY, .type = FIELD_TEXT }, "x=a+b%20c%C3%A9&x=second", "s=a b c\xc3\xa9" },
    { { QUERY, .type = FIELD_TEXT }, "y=1&%78=2", "s=2" },
    { { QUERY, .type = FIELD_TEXT }, "x", "s=" },
    { { QUERY, .type = FIELD_TEXT }, "xx=1&y=x", "unset" },
    { { QUERY, .type = FIELD_TEXT }, "", "unset" },
    { { QUERY, .type = FIELD_TEXT }, "x=%zz", "! must be correctly percent-encoded" },
    { { QUERY, .type = FIELD_TEXT }, "x=%4", "! must be correctly percent-encoded" },
    { { QUERY, .type = FIELD_TEXT }, "x=%ff", "! must be valid UTF-8" },
    { { QUERY, .type = FIELD_TEXT }, "x=%C0%80", "! must be valid UTF-8" },
    { { QUERY, .type = FIELD_TEXT }, "x=a%00b", "! must be valid UTF-8" },
    { { QUERY, .type = FIELD_TEXT }, "x=a%0d%0ab", "! must not contain control characters" },
    { { .name = "x", .in = IN_PATH, .type = FIELD_TEXT, .max = 3 }, "a b", "s=a b" },
    { { .name = "x", .in = IN_PATH, .type = FIELD_TEXT, .max = 3 }, "abcd", "! must be at most 3 characters" },

    /* words */
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_WORD, .min = 1, .max = 9 }, "{\"x\":\"Az09._-\"}", "s=Az09._-" },
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_WORD, .max = 3 }, "{\"x\":\"abcd\"}",
      "! must be at most 3 characters" },
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_WORD }, "{\"x\":\"a b\"}",
      "! must consist of letters, digits, '.', '_' and '-'" },
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_WORD }, "{\"x\":\"Ã©\"}",
      "! must consist of letters, digits, '.', '_' and '-'" },
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_WORD | FIELD_REQUIRED }, "{\"x\":\"\"}", "! is required" },
    { { NAME, .type = FIELD_TEXT, .flags = FIELD_WORD }, "{\"x\":7}", "! must be a string" },
    { { .name = "x", .in = IN_PATH, .type = FIELD_TEXT, .flags = FIELD_WORD, .max = 3 }, "a.b", "s=a.b" },
    { { .name = "x", .in = IN_PATH, .type = FIELD_TEXT, .flags = FIELD_WORD, .max = 3 }, "abcd", "s=" },
    { { .name = "x", .in = IN_PATH, .type = FIELD_TEXT, .flags = FIELD_WORD, .max = 3 }, "a/b", "s=" },
    { { .name = "x", .in = IN_PATH, .type = FIELD_TEXT, .flags = FIELD_WORD, .max = 3 }, "\xff", "s=" },

    /* e-mail */
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\" Anna.Berg+x@Mail.Example.COM \"}", "s=anna.berg+x@mail.example.com" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a@b.co\"}", "s=a@b.co" },
    { { NAME, .type = FIELD_EMAIL, .flags = FIELD_REQUIRED }, "{\"x\":\"\"}", "! is required" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":7}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a.b.co\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"@b.co\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a@\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a@b\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a@b@c.de\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a b@c.de\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a@c.de\\nBcc: x@y.zz\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\".a@c.de\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a..b@c.de\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a.@c.de\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"\\\"a\\\"@c.de\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"\xc3\xa4@c.de\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a@-c.de\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a@c-.de\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a@c..de\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a@c.de.\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a@10.0.0.1\"}", "! must be a valid e-mail address" },
    { { NAME, .type = FIELD_EMAIL }, "{\"x\":\"a@c_d.ef\"}", "! must be a valid e-mail address" },

    /* whole numbers */
    { { NAME, .type = FIELD_INT }, "{\"x\":0}", "i=0" },
    { { NAME, .type = FIELD_INT }, "{\"x\":-0}", "i=0" },
    { { NAME, .type = FIELD_INT }, "{\"x\":1e2}", "i=100" },
    { { NAME, .type = FIELD_INT }, "{\"x\":5.0}", "i=5" },
    { { NAME, .type = FIELD_INT }, "{\"x\":120e-1}", "i=12" },
    { { NAME, .type = FIELD_INT }, "{\"x\":1.5}", "! must be a whole number" },
    { { NAME, .type = FIELD_INT }, "{\"x\":12e-1}", "! must be a whole number" },
    { { NAME, .type = FIELD_INT }, "{\"x\":\"10\"}", "! must be a whole number" },
    { { NAME, .type = FIELD_INT }, "{\"x\":true}", "! must be a whole number" },
    { { NAME, .type = FIELD_INT }, "{\"x\":9007199254740991}", "i=9007199254740991" },
    { { NAME, .type = FIELD_INT }, "{\"x\":9007199254740992}", "! must be at most 9007199254740991" },
    { { NAME, .type = FIELD_INT }, "{\"x\":9223372036854775808}", "! must be at most 9007199254740991" },
    { { NAME, .type = FIELD_INT }, "{\"x\":-9223372036854775809}", "! must be at least -9007199254740991" },
    { { NAME, .type = FIELD_INT }, "{\"x\":1e400}", "! must be at most 9007199254740991" },
    { { NAME, .type = FIELD_INT }, "{\"x\":-1e400}", "! must be at least -9007199254740991" },
    { { NAME, .type = FIELD_INT }, "{\"x\":1e-400}", "! must be a whole number" },
    { { NAME, .type = FIELD_INT }, "{\"x\":0e400}", "i=0" },
    { { NAME, .type = FIELD_INT }, "{\"x\":1e99999999999999999999}", "! must be at most 9007199254740991" },
    { { NAME, .type = FIELD_INT, .min = 1, .max = 100 }, "{\"x\":0}", "! must be at least 1" },
    { { NAME, .type = FIELD_INT, .min = 1, .max = 100 }, "{\"x\":101}", "! must be at most 100" },
    { { NAME, .type = FIELD_INT, .min = 1 }, "{\"x\":101}", "i=101" },
    { { NAME, .type = FIELD_INT, .max = 100 }, "{\"x\":-1}", "! must be at least 0" },
    { { QUERY, .type = FIELD_INT, .min = 1, .max = 100, .initial = "20" }, "", "i=20" },
    { { QUERY, .type = FIELD_INT, .min = 1, .max = 100, .initial = "20" }, "x=", "i=20" },
    { { QUERY, .type = FIELD_INT, .min = 1, .max = 100, .initial = "20" }, "x=50", "i=50" },
    { { QUERY, .type = FIELD_INT, .flags = FIELD_REQUIRED }, "x=", "! is required" },
    { { QUERY, .type = FIELD_INT, .min = 1, .max = 100 }, "x=101", "! must be at most 100" },
    { { QUERY, .type = FIELD_INT, .min = 1, .max = 100 }, "x=0", "! must be at least 1" },
    { { QUERY, .type = FIELD_INT }, "x=-3", "i=-3" },
    { { QUERY, .type = FIELD_INT }, "x=1e2", "! must be a whole number" },
    { { QUERY, .type = FIELD_INT }, "x=007", "! must be a whole number" },
    { { QUERY, .type = FIELD_INT }, "x=%2B7", "! must be a whole number" },
    { { QUERY, .type = FIELD_INT }, "x=7a", "! must be a whole number" },
    { { QUERY, .type = FIELD_INT }, "x=-", "! must be a whole number" },
    { { QUERY, .type = FIELD_INT }, "x=%207", "! must be a whole number" },
    { { QUERY, .type = FIELD_INT }, "x=99999999999999999999", "! must be at most 9007199254740991" },

    /* money */
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":500}", "i=50000" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":0.01}", "i=1" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":12.5}", "i=1250" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":12.500}", "i=1250" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":1e2}", "i=10000" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":1.005}", "! must be a number with at most 2 decimals" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":0.1000000000000000055}",
      "! must be a number with at most 2 decimals" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":0.001}", "! must be a number with at most 2 decimals" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":1e-400}", "! must be a number with at most 2 decimals" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":\"10\"}", "! must be a number with at most 2 decimals" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":0}", "! must be at least 0.01" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":-0}", "! must be at least 0.01" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":-5}", "! must be at least 0.01" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":-1e400}", "! must be at least 0.01" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":9999999999999.99}", "i=999999999999999" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":10000000000000}", "! must be at most 9999999999999.99" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":99999999999999.99}", "! must be at most 9999999999999.99" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":9223372036854775808}", "! must be at most 9999999999999.99" },
    { { NAME, .type = FIELD_MONEY, .min = 1 }, "{\"x\":1e400}", "! must be at most 9999999999999.99" },
    { { NAME, .type = FIELD_MONEY }, "{\"x\":-0}", "i=0" },
    { { NAME, .type = FIELD_MONEY }, "{\"x\":-0.01}", "! must be at least 0" },
    { { NAME, .type = FIELD_MONEY, .min = -50, .max = 1000 }, "{\"x\":-0.51}", "! must be at least -0.50" },
    { { NAME, .type = FIELD_MONEY, .min = -50, .max = 1000 }, "{\"x\":10.01}", "! must be at most 10" },
    { { QUERY, .type = FIELD_MONEY }, "x=12.50", "i=1250" },
    { { QUERY, .type = FIELD_MONEY }, "x=.5", "! must be a number with at most 2 decimals" },
    { { QUERY, .type = FIELD_MONEY }, "x=5.", "! must be a number with at most 2 decimals" },
    { { QUERY, .type = FIELD_MONEY }, "x=1,5", "! must be a number with at most 2 decimals" },

    /* true and false */
    { { NAME, .type = FIELD_BOOL }, "{\"x\":true}", "i=1" },
    { { NAME, .type = FIELD_BOOL }, "{\"x\":false}", "i=0" },
    { { NAME, .type = FIELD_BOOL }, "{\"x\":\"true\"}", "! must be true or false" },
    { { NAME, .type = FIELD_BOOL }, "{\"x\":1}", "! must be true or false" },
    { { QUERY, .type = FIELD_BOOL }, "x=true", "i=1" },
    { { QUERY, .type = FIELD_BOOL }, "x=0", "i=0" },
    { { QUERY, .type = FIELD_BOOL }, "x=yes", "! must be true or false" },
    { { QUERY, .type = FIELD_BOOL, .initial = "false" }, "", "i=0" },

    /* choices */
    { { NAME, .type = FIELD_ENUM, .choices = "active frozen closed" }, "{\"x\":\"closed\"}", "i=2" },
    { { NAME, .type = FIELD_ENUM, .choices = "active frozen closed" }, "{\"x\":\"Closed\"}",
      "! must be one of active, frozen, closed" },
    { { NAME, .type = FIELD_ENUM, .choices = "active frozen closed" }, "{\"x\":\"\"}",
      "! must be one of active, frozen, closed" },
    { { NAME, .type = FIELD_ENUM, .choices = "active frozen closed" }, "{\"x\":\"active frozen\"}",
      "! must be one of active, frozen, closed" },
    { { NAME, .type = FIELD_ENUM, .choices = "1 2" }, "{\"x\":1}", "! must be one of 1, 2" },
    { { QUERY, .type = FIELD_ENUM, .choices = "asc desc", .initial = "desc" }, "", "i=1" },

    /* ids; without decode_id they are positive whole numbers */
    { { NAME, .type = FIELD_ID }, "{\"x\":\"42\"}", "i=42" },
    { { NAME, .type = FIELD_ID }, "{\"x\":42}", "i=42" },
    { { NAME, .type = FIELD_ID }, "{\"x\":42.0}", "i=42" },
    { { NAME, .type = FIELD_ID }, "{\"x\":4.2}", "i=-1" },
    { { NAME, .type = FIELD_ID }, "{\"x\":\"no id\"}", "i=-1" },
    { { NAME, .type = FIELD_ID }, "{\"x\":-1}", "i=-1" },
    { { NAME, .type = FIELD_ID }, "{\"x\":{}}", "! must be an id" },
    { { NAME, .type = FIELD_ID, .flags = FIELD_REQUIRED }, "{\"x\":\"\"}", "! is required" },
    { { .name = "x", .in = IN_PATH, .type = FIELD_ID }, "7", "i=7" },
    { { .name = "x", .in = IN_PATH, .type = FIELD_ID }, "zz", "i=-1" },

    /* times */
    { { NAME, .type = FIELD_TIME }, "{\"x\":\"1970-01-02\"}", "i=86400000000" },
    { { NAME, .type = FIELD_TIME, .flags = FIELD_DAY_END }, "{\"x\":\"1970-01-01\"}", "i=86399999999" },
    { { NAME, .type = FIELD_TIME, .flags = FIELD_DAY_END }, "{\"x\":\"1970-01-01T00:00:01Z\"}", "i=1000000" },
    { { NAME, .type = FIELD_TIME }, "{\"x\":\"1970-01-01T01:00:00.5+01:00\"}", "i=500000" },
    { { NAME, .type = FIELD_TIME }, "{\"x\":\"2026-02-30\"}", "! must be an ISO 8601 date or time" },
    { { NAME, .type = FIELD_TIME }, "{\"x\":\"yesterday\"}", "! must be an ISO 8601 date or time" },
    { { NAME, .type = FIELD_TIME }, "{\"x\":1700000000}", "! must be an ISO 8601 date or time" },
    { { QUERY, .type = FIELD_TIME }, "x=1970-01-01T01%3A00%3A00%2B01:00", "i=0" },

    /* nested values */
    { { NAME, .type = FIELD_OBJECT }, "{\"x\":{\"a\": 1}}", "json={\"a\": 1}" },
    { { NAME, .type = FIELD_OBJECT }, "{\"x\":[]}", "! must be an object" },
    { { NAME, .type = FIELD_OBJECT, .max = 5 }, "{\"x\":{\"a\": 1}}", "! must have at most 5 bytes" },
    { { NAME, .type = FIELD_ARRAY, .min = 1, .max = 2 }, "{\"x\":[1,2]}", "json=[1,2]" },
    { { NAME, .type = FIELD_ARRAY, .min = 1, .max = 2 }, "{\"x\":[]}", "! must have 1 to 2 elements" },
    { { NAME, .type = FIELD_ARRAY, .min = 1, .max = 2 }, "{\"x\":[1,2,3]}", "! must have 1 to 2 elements" },
    { { NAME, .type = FIELD_ARRAY }, "{\"x\":{}}", "! must be an array" },
};

START_TEST(field)
{
    char got[256];
    validate_one(&cases[_i].field, cases[_i].sent, got, sizeof got);
    ck_assert_msg(strcmp(got, cases[_i].expected) == 0, "%s gives \"%s\", not \"%s\"", cases[_i].sent, got,
                  cases[_i].expected);
}
END_TEST

START_TEST(email_lengths)
{
    char sent[512], got[512];
    struct field f = { NAME, .type = FIELD_EMAIL };
    char local[66], label[65];
    memset(local, 'l', sizeof local);
    memset(label, 'd', sizeof label);
    snprintf(sent, sizeof sent, "{\"x\":\"%.64s@%.63s.%.63s.%.58s.de\"}", local, label, label, label);   /* 254 */
    validate_one(&f, sent, got, sizeof got);
    ck_assert_msg(got[0] == 's', "%s", got);
    snprintf(sent, sizeof sent, "{\"x\":\"%.64s@%.63s.%.63s.%.59s.de\"}", local, label, label, label);   /* 255 */
    validate_one(&f, sent, got, sizeof got);
    ck_assert_int_eq(got[0], '!');
    snprintf(sent, sizeof sent, "{\"x\":\"%.65s@a.de\"}", local);
    validate_one(&f, sent, got, sizeof got);
    ck_assert_int_eq(got[0], '!');
    snprintf(sent, sizeof sent, "{\"x\":\"a@%.64s.de\"}", label);
    validate_one(&f, sent, got, sizeof got);
    ck_assert_int_eq(got[0], '!');
}
END_TEST

static int64_t decode(struct http_request *req, int kind, struct str text)
{
    (void) req;
    return kind * 1000 + (int64_t) text.n;
}

/* Path, query and body at once, in the order of the row, whatever the order in the request. */
START_TEST(all_faults_at_once)
{
    static const struct endpoint e = {
        .id = "T", .method = HTTP_POST, .path = "/t/:p", .run = run,
        .fields = { { .name = "b1", .type = FIELD_EMAIL, .flags = FIELD_REQUIRED },
                    { .name = "p", .in = IN_PATH, .type = FIELD_ID, .kind = 3 },
                    { .name = "q", .in = IN_QUERY, .type = FIELD_INT, .min = 1 },
                    { .name = "b2", .type = FIELD_MONEY, .min = 1 },
                    { .name = "b3", .type = FIELD_BOOL } } };
    struct arena arena;
    struct reply_faults faults = { 0 };
    struct value values[5];
    struct json *body;
    const char *why;
    struct str param = STR("abc");
    arena_init(&arena);
    ck_assert_int_eq(json_parse(STR("{\"unknown\":[],\"b3\":true,\"b2\":\"1\"}"), &arena, &body, &why), OK);
    struct validate_input in = { .arena = &arena, .path_params = &param, .query = STR("q=0&other=%zz"), .body = body,
                                 .decode_id = decode };
    ck_assert_int_eq(validate(&e, &in, values, &faults), 3);
    ck_assert(str_eq(buf_view(&faults.json),
                     STR("{\"field\":\"b1\",\"message\":\"is required\"},"
                         "{\"field\":\"q\",\"message\":\"must be at least 1\"},"
                         "{\"field\":\"b2\",\"message\":\"must be a number with at most 2 decimals\"}")));
    ck_assert(values[1].set && values[1].i == 3003 && str_eq(values[1].s, param));
    ck_assert(values[4].set && values[4].i == 1);
    buf_fini(&faults.json);
    arena_fini(&arena);
}
END_TEST

/* A field that a header may say, too: what the header and the body say, and what comes of it. */
static const struct {
    const char *header, *second, *body, *expected;
} header_cases[] = {
    { NULL, NULL, "{\"x\":\"a\"}", "a" },
    { NULL, NULL, "{}", "! x is required" },
    { "a", NULL, "{}", "a" },
    { "a", NULL, NULL, "a" },
    { "a", NULL, "{\"x\":null}", "a" },
    { "a", NULL, "{\"x\":\"a\"}", "a" },
    { "a", NULL, "{\"x\":\"b\"}", "! x must be the same as in the header" },
    { "a", NULL, "{\"x\":\"\"}", "! x must be the same as in the header" },
    { "5", NULL, "{\"x\":5}", "! x must be a string" },
    { "", NULL, "{}", "! X-Key is required" },
    { "abcd", NULL, "{}", "! X-Key must be 1 to 3 characters" },
    { "abcd", NULL, "{\"x\":\"abcd\"}", "! x must be 1 to 3 characters" },
    { "\xc3\xbc\xc3\xbc\xc3\xbc", NULL, "{}", "\xc3\xbc\xc3\xbc\xc3\xbc" },
    { "\xfc", NULL, "{}", "! X-Key must be valid UTF-8" },
    { "a\tb", NULL, "{}", "! X-Key must not contain control characters" },
    { "a", "a", "{}", "! X-Key must be sent once only" },
    { "a", "b", "{\"x\":\"a\"}", "! x must be sent once only" },
};

START_TEST(header)
{
    static const struct endpoint e = {
        .id = "T", .method = HTTP_POST, .path = "/t", .run = run,
        .fields = { { .name = "x", .header = "X-Key", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1,
                      .max = 3 } } };
    struct arena arena;
    struct reply_faults faults = { 0 };
    struct value value;
    struct json *body = NULL;
    const char *why;
    char got[200];
    struct http_header headers[] = { { STR("x-key"), str_from(header_cases[_i].header) },
                                     { STR("X-KEY"), str_from(header_cases[_i].second) } };
    struct http_request req = { .headers = headers,
                                .header_count = !header_cases[_i].header ? 0 : header_cases[_i].second ? 2 : 1 };
    arena_init(&arena);
    if (header_cases[_i].body) {
        ck_assert_int_eq(json_parse(str_from(header_cases[_i].body), &arena, &body, &why), OK);
    }
    struct validate_input in = { .arena = &arena, .body = body, .req = &req };
    if (validate(&e, &in, &value, &faults)) {
        struct json *fault;
        ck_assert_int_eq(json_parse(buf_view(&faults.json), &arena, &fault, &why), OK);
        ck_assert(!value.set);
        snprintf(got, sizeof got, "! %.*s %.*s", STR_FMT(json_get(fault, STR("field"))->text),
                 STR_FMT(json_get(fault, STR("message"))->text));
    } else {
        snprintf(got, sizeof got, "%.*s", STR_FMT(value.s));
    }
    ck_assert_str_eq(got, header_cases[_i].expected);
    buf_fini(&faults.json);
    arena_fini(&arena);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("validate");
    tcase_add_loop_test(t, header, 0, (int) (sizeof header_cases / sizeof *header_cases));
    tcase_add_loop_test(t, field, 0, (int) (sizeof cases / sizeof *cases));
    tcase_add_test(t, email_lengths);
    tcase_add_test(t, all_faults_at_once);
    Suite *s = suite_create("validate");
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
