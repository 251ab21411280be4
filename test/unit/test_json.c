/* What our JSON accepts, what it refuses and why, what it makes of numbers, and what it writes. */
#include "core/json.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

struct text {
    const char *p;
    size_t n;
};
#define T(literal) { literal, sizeof(literal) - 1 }

static struct arena arena;

static void setup(void)
{
    arena_init(&arena);
}

static void teardown(void)
{
    arena_fini(&arena);
}

/* Parses a copy of exactly this size, so that ASan sees a step too far. The copy lives as long as
 * the arena, because the tree points into it. */
static enum err parse(struct str text, struct json **out, const char **why)
{
    char *copy = malloc(text.n ? text.n : 1);
    if (text.n) memcpy(copy, text.p, text.n);
    arena_defer(&arena, free, copy);
    *why = NULL;
    return json_parse((struct str){ copy, text.n }, &arena, out, why);
}

static struct json *parsed(struct str text)
{
    struct json *json = NULL;
    const char *why;
    enum err err = parse(text, &json, &why);
    ck_assert_msg(err == OK, "%.*s is refused: %s", STR_FMT(text), why);
    return json;
}

static const struct text accepted[] = {
    T("null"), T("true"), T("false"), T("0"), T("-0"), T("1"), T("-1"), T("10"), T("123456789012345678901234567890"),
    T("0.0"), T("0.1"), T("-0.1"), T("1.50"), T("0e0"), T("1e1"), T("1E1"), T("1e+1"), T("1e-1"), T("1.5e10"),
    T("1e400"), T("-1e-400"), T("0e99999999999999999999"), T("\"\""), T("\"a\""), T("\" \""), T("\"/\""), T("\"\x7f\""),
    T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), T("\"\\u0041\""), T("\"\\u00e9\\u20AC\""), T("\"\\uD834\\uDD1E\""),
    T("\"\\ud834\\udd1e\""), T("\"\\u0001\""), T("\"\\u2028\\u2029\""), T("\"\xc3\xa9\""), T("\"\xe2\x82\xac\""),
    T("\"\xf0\x9d\x84\x9e\""), T("\"\xf4\x8f\xbf\xbd\""), T("\"\xed\x9f\xbf\""), T("\"\xee\x80\x80\""),
    T("\"\xef\xbf\xbd\""), T("\"\\uFFFD\""), T("\"\\uD7FF\\uE000\""), T("\"\xef\xbb\xbf\""), T("\"0123456\\n\""),
    T("\"01234567\\\\\""), T("[]"), T("{}"), T(" [ ] "), T("\t\r\n { } \n"), T("[1,2,3]"), T("[[],{},\"\",0,null]"),
    T("{\"a\":1}"), T("{\"\":0}"), T("{\"a\":{\"a\":{\"a\":1}}}"), T("[{\"a\":1},{\"a\":2}]"), T("{\"a\":1,\"A\":2}"),
    T("{ \"a\" : [ 1 , 2 ] , \"b\" : null }"), T("{\"a\\u0062\":1,\"a\":2}"), T("{\"__proto__\":1}"),
    T("\"a string much longer than a word, with an \xc3\xa9 and an \\u00e9 in it\""), T("0\n"), T("[0\n]"),
};

START_TEST(accepts)
{
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        parsed((struct str){ accepted[i].p, accepted[i].n });
    }
}
END_TEST

static const struct {
    struct text text;
    const char *why;
} refused[] = {
    { T(""), "empty" },
    { T(" \t\r\n"), "empty" },
    { T("\xef\xbb\xbf{}"), "begins with a byte order mark" },
    { T("\xef\xbb\xbf"), "begins with a byte order mark" },
    { T("\xff\xfe{\0}\0"), "unexpected character" },
    { T("{}{}"), "something follows the value" },
    { T("1 2"), "something follows the value" },
    { T("[]]"), "something follows the value" },
    { T("[]\0"), "something follows the value" },
    { T("{} // no"), "something follows the value" },
    { T("[1]\f"), "something follows the value" },
    { T("\0"), "unexpected character" },
    { T("\v1"), "unexpected character" },
    { T("\xc2\xa0[]"), "unexpected character" },
    { T("["), "unexpected end" },
    { T("{"), "unexpected end" },
    { T("[1"), "unexpected end" },
    { T("[1,"), "unexpected end" },
    { T("{\"a\""), "unexpected end" },
    { T("{\"a\":"), "unexpected end" },
    { T("{\"a\":1"), "unexpected end" },
    { T("{\"a\":1,"), "unexpected end" },
    { T("]"), "unexpected character" },
    { T(","), "unexpected character" },
    { T("[,]"), "unexpected character" },
    { T("[1,]"), "unexpected character" },
    { T("[1,,2]"), "unexpected character" },
    { T("[1 2]"), "',' or ']' is expected" },
    { T("[1:2]"), "',' or ']' is expected" },
    { T("[1}"), "',' or ']' is expected" },
    { T("{\"a\":1]"), "',' or '}' is expected" },
    { T("{\"a\":1 \"b\":2}"), "',' or '}' is expected" },
    { T("{,}"), "a name is expected" },
    { T("{\"a\":1,}"), "a name is expected" },
    { T("{a:1}"), "a name is expected" },
    { T("{'a':1}"), "a name is expected" },
    { T("{1:1}"), "a name is expected" },
    { T("{null:1}"), "a name is expected" },
    { T("{\"a\",1}"), "':' is expected" },
    { T("{\"a\" 1}"), "':' is expected" },
    { T("{\"a\"::1}"), "unexpected character" },
    { T("{\"a\":}"), "unexpected character" },
    { T("nul"), "unexpected character" },
    { T("True"), "unexpected character" },
    { T("nulll"), "something follows the value" },
    { T("NaN"), "unexpected character" },
    { T("Infinity"), "unexpected character" },
    { T("-Infinity"), "malformed number" },
    { T("+1"), "unexpected character" },
    { T(".5"), "unexpected character" },
    { T("-"), "malformed number" },
    { T("-.5"), "malformed number" },
    { T("--1"), "malformed number" },
    { T("01"), "malformed number" },
    { T("00"), "malformed number" },
    { T("-01"), "malformed number" },
    { T("00010"), "malformed number" },
    { T("1."), "malformed number" },
    { T("1.e5"), "malformed number" },
    { T("1e"), "malformed number" },
    { T("1e+"), "malformed number" },
    { T("1E-a"), "malformed number" },
    { T("0x10"), "something follows the value" },
    { T("1_000"), "something follows the value" },
    { T("1.2.3"), "something follows the value" },
    { T("1e5.5"), "something follows the value" },
    { T("\xef\xbc\x91"), "unexpected character" },
    { T("\""), "unexpected end in a string" },
    { T("\"abc"), "unexpected end in a string" },
    { T("\"abc\\"), "unexpected end in a string" },
    { T("\"abc\\\""), "unexpected end in a string" },
    { T("\"a string that is longer"), "unexpected end in a string" },
    { T("'a'"), "unexpected character" },
    { T("\"a\nb\""), "control character in a string" },
    { T("\"\t\""), "control character in a string" },
    { T("\"\0\""), "control character in a string" },
    { T("\"\x1f\""), "control character in a string" },
    { T("\"\\n\n\""), "control character in a string" },
    { T("\"0123456\x1f\""), "control character in a string" },
    { T("\"\\a\""), "unknown escape" },
    { T("\"\\x41\""), "unknown escape" },
    { T("\"\\U0041\""), "unknown escape" },
    { T("\"\\\n\""), "unknown escape" },
    { T("\"\\\0\""), "unknown escape" },
    { T("\"\\u\""), "malformed \\u escape" },
    { T("\"\\u12\""), "malformed \\u escape" },
    { T("\"\\u123g\""), "malformed \\u escape" },
    { T("\"\\u+123\""), "malformed \\u escape" },
    { T("\"\\u12"), "malformed \\u escape" },
    { T("\"\\u0000\""), "NUL in a string" },
    { T("{\"a\\u0000\":1}"), "NUL in a string" },
    { T("\"\\ud800\""), "lone surrogate" },
    { T("\"\\ud800x\""), "lone surrogate" },
    { T("\"\\udc00\""), "lone surrogate" },
    { T("\"\\udc00\\ud800\""), "lone surrogate" },
    { T("\"\\ud800\\ud800\""), "lone surrogate" },
    { T("\"\\ud800\\u0041\""), "lone surrogate" },
    { T("\"\\ud800\\n\""), "lone surrogate" },
    { T("\"\\ud800\\"), "lone surrogate" },
    { T("\"\\ud834\\udd\""), "malformed \\u escape" },
    { T("\"\\uFDD0\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\\uFDEF\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\\uFFFE\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\\uffff\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\\uD83F\\uDFFE\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\\uDBFF\\uDFFF\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xef\xb7\x90\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xef\xbf\xbf\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xf0\x9f\xbf\xbe\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\x80\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xff\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xc0\xaf\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xc1\xbf\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xc3\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xe2\x82\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xe0\x80\xaf\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xf0\x80\x80\xaf\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xf4\x90\x80\x80\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xf5\x80\x80\x80\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xed\xa0\x80\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xed\xa0\xb4\xed\xb4\x9e\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\xc3\\u00a9\""), "invalid UTF-8 or a noncharacter" },
    { T("\"\\u00e9\xa9\""), "invalid UTF-8 or a noncharacter" },
    { T("{\"\xff\":1}"), "invalid UTF-8 or a noncharacter" },
    { T("{\"a\":1,\"a\":1}"), "duplicate name" },
    { T("{\"a\":1,\"b\":2,\"a\":3}"), "duplicate name" },
    { T("{\"\":1,\"\":2}"), "duplicate name" },
    { T("{\"a\":1,\"\\u0061\":2}"), "duplicate name" },
    { T("[{\"x\":{\"\xc3\xa9\":1,\"\\u00e9\":2}}]"), "duplicate name" },
};

START_TEST(refuses)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct str text = { refused[i].text.p, refused[i].text.n };
        struct json *json = (struct json *) &arena;
        const char *why;
        ck_assert_msg(parse(text, &json, &why) == ERR_INVALID, "%.*s is accepted", STR_FMT(text));
        ck_assert_msg(strcmp(why, refused[i].why) == 0, "%.*s: %s", STR_FMT(text), why);
        ck_assert_ptr_null(json);
    }
}
END_TEST

/* Whatever a text is cut to, nothing is read behind it, and only the whole is accepted. */
START_TEST(refuses_every_beginning)
{
    struct str text = STR("{\"a\": [1.5e+3, true, \"\\ud834\\udd1e\", "
                          "\"0123456789\xe2\x82\xac\"], \"b\": {\"c\": null}}");
    parsed(text);
    for (size_t n = 0; n < text.n; n++) {
        struct json *json;
        const char *why;
        ck_assert_msg(parse((struct str){ text.p, n }, &json, &why) == ERR_INVALID, "cut to %zu", n);
    }
}
END_TEST

static struct str repeated(struct buf *b, int n, struct str before, struct str middle, struct str after)
{
    for (int i = 0; i < n; i++) buf_str(b, before);
    buf_str(b, middle);
    for (int i = 0; i < n; i++) buf_str(b, after);
    return buf_view(b);
}

START_TEST(bounds_the_depth)
{
    static const struct {
        int depth;
        struct text open, middle, close;
        bool valid;
    } cases[] = {
        { 64, T("["), T(""), T("]"), true },
        { 65, T("["), T(""), T("]"), false },
        { 64, T("{\"a\":"), T("1"), T("}"), true },
        { 65, T("{\"a\":"), T("1"), T("}"), false },
        { 32, T("[{\"a\":"), T("1"), T("}]"), true },
        { 100000, T("["), T(""), T(""), false },
        { 100000, T("{\"a\":"), T(""), T(""), false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        buf_init(&b, 1 << 20);
        struct json *json;
        const char *why;
        struct str text = repeated(&b, cases[i].depth, (struct str){ cases[i].open.p, cases[i].open.n },
                                   (struct str){ cases[i].middle.p, cases[i].middle.n },
                                   (struct str){ cases[i].close.p, cases[i].close.n });
        enum err err = parse(text, &json, &why);
        ck_assert_msg(err == (cases[i].valid ? OK : ERR_INVALID), "case %zu", i);
        if (err) ck_assert_str_eq(why, "nested deeper than 64");
        buf_fini(&b);
    }
}
END_TEST

/* Closing brackets give their level back: many shallow ones are not a deep one. */
START_TEST(counts_depth_not_brackets)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_cstr(&b, "[0");
    for (int i = 0; i < 1000; i++) buf_cstr(&b, ",[{}]");
    buf_char(&b, ']');
    ck_assert_int_eq(parsed(buf_view(&b))->count, 1001);
    buf_fini(&b);
}
END_TEST

/* Objects on both sides of the bound where the way of comparing names changes. */
START_TEST(finds_duplicates_in_objects_of_any_size)
{
    static const int sizes[] = { 2, 15, 16, 17, 18, 100, 20000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int twice = 0; twice < 2; twice++) {
            struct buf b;
            buf_init(&b, 1 << 20);
            json_open(&b, '{');
            for (int k = 0; k < sizes[i]; k++) {
                char name[16];
                int id = twice && k == sizes[i] - 1 ? sizes[i] / 2 - 1 : k;
                json_key(&b, (struct str){ name, (size_t) snprintf(name, sizeof name, "n%d", id) });
                json_int(&b, k);
            }
            json_close(&b, '}');
            struct json *json;
            const char *why;
            ck_assert_int_eq(parse(buf_view(&b), &json, &why), twice ? ERR_INVALID : OK);
            if (twice) ck_assert_str_eq(why, "duplicate name");
            else ck_assert_int_eq(json->count, sizes[i]);
            buf_fini(&b);
        }
    }
}
END_TEST

/* A megabyte of names must not take more than a small multiple of what a megabyte of numbers takes.
 * The bound is generous: a quadratic comparison would take minutes. */
START_TEST(compares_many_names_in_linear_time)
{
    struct buf b;
    buf_init(&b, 4 << 20);
    json_open(&b, '{');
    for (int k = 0; k < 100000; k++) {
        char name[16];
        json_key(&b, (struct str){ name, (size_t) snprintf(name, sizeof name, "%d", k) });
        json_int(&b, 0);
    }
    json_close(&b, '}');
    uint64_t start = clock_mono_ms();
    parsed(buf_view(&b));
    ck_assert_uint_lt(clock_mono_ms() - start, 5000);
    buf_fini(&b);
}
END_TEST

START_TEST(builds_the_tree)
{
    struct str text = STR(" {\"n\": -1.50e3, \"s\": \"a\\n\\u00e9\", \"plain\": \"xyz\", "
                          "\"list\": [true, false, null, {}] } ");
    const char *why;
    struct json *json;
    ck_assert_int_eq(json_parse(text, &arena, &json, &why), OK);
    ck_assert_int_eq(json->type, JSON_OBJECT);
    ck_assert_int_eq(json->count, 4);
    ck_assert(str_eq(json->text, str_trim(text)));
    ck_assert(str_eq(json_get(json, STR("n"))->text, STR("-1.50e3")));
    ck_assert(str_eq(json_get(json, STR("s"))->text, STR("a\n\xc3\xa9")));

    struct json *plain = json_get(json, STR("plain"));
    ck_assert(str_eq(plain->text, STR("xyz")));
    ck_assert_msg(plain->text.p > text.p && plain->text.p < text.p + text.n, "is no view of the input");

    struct json *list = json_get(json, STR("list"));
    ck_assert(str_eq(list->text, STR("[true, false, null, {}]")));
    ck_assert(str_eq(list->name, STR("list")));
    static const enum json_type types[] = { JSON_TRUE, JSON_FALSE, JSON_NULL, JSON_OBJECT };
    int i = 0;
    for (struct json *e = list->child; e; e = e->next) {
        ck_assert_int_eq(e->type, types[i++]);
        ck_assert_ptr_null(e->name.p);
    }
    ck_assert_int_eq(i, list->count);
    ck_assert_ptr_null(json_get(json, STR("N")));
    ck_assert_ptr_null(json_get(list, STR("n")));
    ck_assert_ptr_null(json_get(NULL, STR("n")));
}
END_TEST

static const struct {
    const char *text;
    int scale;
    bool valid;
    int64_t value;
} decimals[] = {
    { "0", 0, true, 0 }, { "-0", 2, true, 0 }, { "0.000", 2, true, 0 }, { "0e5", 2, true, 0 },
    { "0e999999999999999999999", 2, true, 0 }, { "0.0e-999999999999999999999", 2, true, 0 },
    { "5", 0, true, 5 }, { "5.0", 0, true, 5 }, { "5e0", 0, true, 5 }, { "50e-1", 0, true, 5 },
    { "0.5e1", 0, true, 5 }, { "5.5", 0, false, 0 }, { "5e-1", 0, false, 0 }, { "-5", 0, true, -5 },
    { "12.5", 2, true, 1250 }, { "12.50", 2, true, 1250 }, { "12.500000000000000000000000", 2, true, 1250 },
    { "12.505", 2, false, 0 }, { "0.01", 2, true, 1 }, { "0.1", 2, true, 10 }, { "0.001", 2, false, 0 },
    { "0.10", 1, true, 1 }, { "100", 2, true, 10000 }, { "1e3", 2, true, 100000 }, { "1E+3", 2, true, 100000 },
    { "1.23e1", 2, true, 1230 }, { "1.234e1", 2, true, 1234 }, { "1.2345e1", 2, false, 0 },
    { "123e-2", 2, true, 123 }, { "123e-3", 2, false, 0 }, { "1230e-3", 2, true, 123 },
    { "0.1000000000000000055", 2, false, 0 }, { "0.30000000000000004", 2, false, 0 },
    { "9007199254740993", 0, true, 9007199254740993 }, { "9999999999999.99", 2, true, 999999999999999 },
    { "9223372036854775807", 0, true, INT64_MAX }, { "9223372036854775808", 0, false, 0 },
    { "-9223372036854775808", 0, true, INT64_MIN }, { "-9223372036854775809", 0, false, 0 },
    { "92233720368547758.07", 2, true, INT64_MAX }, { "92233720368547758.08", 2, false, 0 },
    { "92233720368547758", 2, true, 9223372036854775800 }, { "9223372036854775807", 2, false, 0 },
    { "0.000000000000000001", 18, true, 1 }, { "9.223372036854775807", 18, true, INT64_MAX },
    { "9999999999999999999", 0, false, 0 }, { "10000000000000000000", 0, false, 0 },
    { "1e18", 0, true, 1000000000000000000 }, { "1e19", 0, false, 0 }, { "9e18", 0, true, 9000000000000000000 },
    { "1e400", 2, false, 0 }, { "1e-400", 2, false, 0 }, { "-1e400", 2, false, 0 },
    { "1e99999999999999999999", 2, false, 0 }, { "1e-99999999999999999999", 2, false, 0 },
    { "1e18446744073709551616", 0, false, 0 }, { "1e4294967296", 0, false, 0 }, { "1e-4294967296", 0, false, 0 },
    { "0.00000000000000000000000000000000000001e38", 0, true, 1 },
    { "1000000000000000000000000000000000000000e-39", 0, true, 1 },
    { "", 2, false, 0 }, { "-", 2, false, 0 }, { "+1", 2, false, 0 }, { "01", 2, false, 0 }, { "00010", 2, false, 0 },
    { "1.", 2, false, 0 }, { ".5", 2, false, 0 }, { "1e", 2, false, 0 }, { "1 ", 2, false, 0 }, { " 1", 2, false, 0 },
    { "1,5", 2, false, 0 }, { "0x10", 2, false, 0 }, { "NaN", 2, false, 0 }, { "Infinity", 2, false, 0 },
    { "\"10\"", 2, false, 0 }, { "1_0", 2, false, 0 }, { "--1", 2, false, 0 }, { "1.2.3", 2, false, 0 },
};

START_TEST(reads_decimals_exactly)
{
    for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++) {
        int64_t value = 4711;
        bool valid = json_decimal(str_from(decimals[i].text), decimals[i].scale, &value);
        ck_assert_msg(valid == decimals[i].valid, "%s with scale %d", decimals[i].text, decimals[i].scale);
        int64_t wanted = valid ? decimals[i].value : 4711;
        ck_assert_msg(value == wanted, "%s is %" PRId64, decimals[i].text, value);
    }
    ck_assert(!json_decimal(STR_NONE, 2, &(int64_t){ 0 }));
    ck_assert(!json_decimal(STR("1\0"), 2, &(int64_t){ 0 }));
}
END_TEST

START_TEST(reads_whole_numbers_only_from_numbers)
{
    static const struct {
        const char *text;
        bool valid;
        int64_t value;
    } cases[] = {
        { "5", true, 5 }, { "5.0", true, 5 }, { "5e0", true, 5 }, { "-0", true, 0 }, { "1e3", true, 1000 },
        { "5.5", false, 0 }, { "1e400", false, 0 }, { "9223372036854775808", false, 0 }, { "\"5\"", false, 0 },
        { "true", false, 0 }, { "null", false, 0 }, { "[5]", false, 0 }, { "{\"5\":5}", false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 0;
        bool valid = json_i64(parsed(str_from(cases[i].text)), &value);
        ck_assert_msg(valid == cases[i].valid && value == cases[i].value, "%s", cases[i].text);
    }
    ck_assert(!json_i64(NULL, &(int64_t){ 0 }));
}
END_TEST

START_TEST(prints_money)
{
    static const struct {
        int64_t minor;
        const char *text;
    } cases[] = {
        { 0, "0" }, { 1, "0.01" }, { 10, "0.1" }, { 99, "0.99" }, { 100, "1" }, { 101, "1.01" }, { 320, "3.2" },
        { 50000, "500" }, { -5, "-0.05" }, { -50, "-0.5" }, { -100, "-1" }, { -12345, "-123.45" },
        { 999999999999999, "9999999999999.99" }, { INT64_MAX, "92233720368547758.07" },
        { INT64_MIN, "-92233720368547758.08" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        buf_init(&b, 100);
        json_money(&b, cases[i].minor);
        int64_t back;
        ck_assert_msg(str_eq(buf_view(&b), str_from(cases[i].text)), "%s", cases[i].text);
        ck_assert(json_decimal(buf_view(&b), 2, &back) && back == cases[i].minor);
        buf_fini(&b);
    }
}
END_TEST

START_TEST(writes_commas_where_they_belong)
{
    struct buf b;
    buf_init(&b, 1000);
    json_open(&b, '{');
    json_key(&b, STR("a"));
    json_open(&b, '[');
    json_int(&b, INT64_MIN);
    json_bool(&b, true);
    json_bool(&b, false);
    json_null(&b);
    json_string(&b, STR("[,:{"));
    json_open(&b, '[');
    json_close(&b, ']');
    json_open(&b, '{');
    json_close(&b, '}');
    json_money(&b, 320);
    json_close(&b, ']');
    json_key(&b, STR("b\""));
    json_raw(&b, STR("{\"x\":[]}"));
    json_key(&b, STR(""));
    json_string(&b, STR_NONE);
    json_key(&b, STR("t"));
    json_time(&b, 1770631200000000);
    json_close(&b, '}');
    ck_assert(str_eq(buf_view(&b), STR("{\"a\":[-9223372036854775808,true,false,null,\"[,:{\",[],{},3.2],"
                                       "\"b\\\"\":{\"x\":[]},\"\":null,\"t\":\"2026-02-09T10:00:00.000Z\"}")));
    parsed(buf_view(&b));
    buf_fini(&b);
}
END_TEST

START_TEST(escapes_what_must_be_escaped)
{
    static const struct { struct text in; const char *out; } cases[] = {
        { T(""), "\"\"" }, { T("plain"), "\"plain\"" }, { T("\""), "\"\\\"\"" }, { T("\\"), "\"\\\\\"" },
        { T("a\"b\\c"), "\"a\\\"b\\\\c\"" }, { T("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"" },
        { T("\x01\x1f"), "\"\\u0001\\u001f\"" }, { T("a\0b"), "\"a\\u0000b\"" },
        { T("\x7f</script>"), "\"\x7f</script>\"" },
        { T("\xc3\xa9\n\xe2\x82\xac"), "\"\xc3\xa9\\n\xe2\x82\xac\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        buf_init(&b, 100);
        json_escape(&b, (struct str){ cases[i].in.p, cases[i].in.n });
        ck_assert_msg(str_eq(buf_view(&b), str_from(cases[i].out)), "%s", cases[i].out);
        buf_fini(&b);
    }
}
END_TEST

/* A writer whose buffer is too small fails as a whole and writes no half value behind. */
START_TEST(writer_stays_within_its_buffer)
{
    for (size_t max = 0; max < 20; max++) {
        struct buf b;
        buf_init(&b, max);
        json_open(&b, '{');
        json_key(&b, STR("key"));
        json_string(&b, STR("a\nvalue"));
        json_close(&b, '}');
        ck_assert(b.failed == (max < strlen("{\"key\":\"a\\nvalue\"}")));
        ck_assert_uint_le(b.n, max);
        buf_fini(&b);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("json");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, accepts);
    tcase_add_test(tc, refuses);
    tcase_add_test(tc, refuses_every_beginning);
    tcase_add_test(tc, bounds_the_depth);
    tcase_add_test(tc, counts_depth_not_brackets);
    tcase_add_test(tc, finds_duplicates_in_objects_of_any_size);
    tcase_add_test(tc, compares_many_names_in_linear_time);
    tcase_add_test(tc, builds_the_tree);
    tcase_add_test(tc, reads_decimals_exactly);
    tcase_add_test(tc, reads_whole_numbers_only_from_numbers);
    tcase_add_test(tc, prints_money);
    tcase_add_test(tc, writes_commas_where_they_belong);
    tcase_add_test(tc, escapes_what_must_be_escaped);
    tcase_add_test(tc, writer_stays_within_its_buffer);
    Suite *suite = suite_create("json");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
