/* Our parser against libjansson, on random documents, whole and damaged.
 *
 * What jansson refuses we refuse, except numbers that do not fit a double or 64 bits: for us a number
 * is its text, and who wants it as an integer is refused then. What jansson accepts we accept,
 * except noncharacters, more than 64 levels, and a NUL byte, which jansson overlooks behind a
 * number. What both accept means the same to both.
 * TALLY_TEST_SEED=n repeats a run. */
#include "core/json.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

/* Names that both libraries use. */
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_TRUE JANSSON_TRUE
#define JSON_FALSE JANSSON_FALSE
#define JSON_NULL JANSSON_NULL
#define json_string jansson_string
#define json_null jansson_null
#include <jansson.h>
static const json_type their_object = JSON_OBJECT, their_array = JSON_ARRAY, their_string = JSON_STRING,
                       their_true = JSON_TRUE, their_false = JSON_FALSE, their_null = JSON_NULL;
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL
#undef json_string
#undef json_null

enum { DOCUMENTS = 20000, DOCUMENT_BYTES = 64 * 1024 };

static uint64_t state;

/* splitmix64 */
static uint64_t draw(uint64_t below)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

#define PICK(list) (list)[draw(sizeof(list) / sizeof *(list))]

static void put_string(struct buf *b)
{
    static const char *const pieces[] = {
        "a", "b", "name", " ", "/", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9d\x84\x9e", "\\n", "\\\"", "\\\\",
        "\\/", "\\u0041",
        "\\u00e9", "\\ud834\\udd1e", "0123456789", "\x7f", "\\t", "[", "}", ",",
    };
    static const char *const bad[] = {
        "\\u0000", "\\ud834", "\\udd1e", "\\x", "\n", "\xff", "\xc3", "\xed\xa0\x80", "\\uFFFF",
        "\xef\xbf\xbe", "\\", "\"",
    };
    buf_char(b, '"');
    for (uint64_t n = draw(6); n > 0; n--) buf_cstr(b, draw(200) ? PICK(pieces) : PICK(bad));
    buf_char(b, '"');
}

static void put_number(struct buf *b)
{
    static const char *const numbers[] = {
        "0", "-0", "1", "-1", "0.1", "10.50", "1e3", "1E-2", "9223372036854775807", "-9223372036854775808",
        "9223372036854775808", "1e400", "1e-400", "01", "+1", "1.", ".5", "-", "1e", "0x1", "NaN",
    };
    if (draw(3)) buf_i64(b, (int64_t) draw(1000) - 500);
    else buf_cstr(b, draw(10) ? numbers[draw(10)] : PICK(numbers));
}

static void put_blanks(struct buf *b)
{
    static const char *const blanks[] = { " ", "\n", "\t", "\r\n", "  " };
    if (draw(8) == 0) buf_cstr(b, PICK(blanks));
}

static void put_value(struct buf *b, int depth)
{
    static const char *const words[] = { "true", "false", "null" };
    put_blanks(b);
    uint64_t kind = draw(depth > 0 ? 9 : 5);
    if (kind < 2) put_string(b);
    else if (kind < 4) put_number(b);
    else if (kind == 4) buf_cstr(b, PICK(words));
    else {
        bool object = kind < 7;
        uint64_t n = draw(20) ? draw(5) : draw(40);
        buf_char(b, object ? '{' : '[');
        for (uint64_t i = 0; i < n; i++) {
            if (i) buf_char(b, ',');
            put_blanks(b);
            if (object && draw(4)) buf_printf(b, "\"k%d\":", draw(60) ? (int) i : (int) draw(5));
            else if (object) put_string(b), buf_char(b, ':');
            put_value(b, depth - 1);
        }
        buf_char(b, object ? '}' : ']');
    }
    put_blanks(b);
}

static void damage(struct buf *b)
{
    static const char interesting[] = "{}[]:,\"\\ \n0123456789eE+-.tfnu\x00\x1f\x7f\x80\xbf\xc3\xed\xef\xf0\xff";
    size_t at = b->n ? draw(b->n) : 0;
    char c = interesting[draw(sizeof interesting - 1)];
    switch (draw(4)) {
    case 0:
        if (b->n) b->p[at] = c;
        break;
    case 1: b->n = at; break;
    case 2:
        if (b->n) memmove(b->p + at, b->p + at + 1, --b->n - at);
        break;
    default:
        buf_char(b, c);
        memmove(b->p + at + 1, b->p + at, b->n - 1 - at);
        b->p[at] = c;
    }
}

static void same_double(struct str ours, double theirs)
{
    char text[256];
    ck_assert_uint_lt(ours.n, sizeof text);
    memcpy(text, ours.p, ours.n);
    text[ours.n] = 0;
    ck_assert(strtod(text, NULL) == theirs);
}

static void same_meaning(const struct json *ours, const json_t *theirs)
{
    int64_t whole;
    switch (ours->type) {
    case JSON_NULL: ck_assert(json_typeof(theirs) == their_null); break;
    case JSON_FALSE: ck_assert(json_typeof(theirs) == their_false); break;
    case JSON_TRUE: ck_assert(json_typeof(theirs) == their_true); break;
    case JSON_NUMBER:
        ck_assert(json_is_number(theirs));
        if (json_is_integer(theirs)) ck_assert(json_i64(ours, &whole) && whole == json_integer_value(theirs));
        else same_double(ours->text, json_real_value(theirs));
        break;
    case JSON_STRING:
        ck_assert(json_typeof(theirs) == their_string);
        ck_assert(str_eq(ours->text, (struct str){ json_string_value(theirs), json_string_length(theirs) }));
        break;
    case JSON_ARRAY: {
        ck_assert(json_typeof(theirs) == their_array && json_array_size(theirs) == (size_t) ours->count);
        size_t i = 0;
        for (const struct json *e = ours->child; e; e = e->next) same_meaning(e, json_array_get(theirs, i++));
        ck_assert_uint_eq(i, (size_t) ours->count);
        break;
    }
    case JSON_OBJECT:
        ck_assert(json_typeof(theirs) == their_object && json_object_size(theirs) == (size_t) ours->count);
        for (const struct json *m = ours->child; m; m = m->next) {
            char name[2048];
            ck_assert_uint_lt(m->name.n, sizeof name);
            memcpy(name, m->name.p, m->name.n);
            name[m->name.n] = 0;
            const json_t *member = json_object_get(theirs, name);
            ck_assert_ptr_nonnull(member);
            same_meaning(m, member);
        }
    }
}

static bool only_we_refuse(const char *why)
{
    return strcmp(why, "invalid UTF-8 or a noncharacter") == 0 || strcmp(why, "nested deeper than 64") == 0;
}

/* Whether both accepted it. */
static bool compare(struct str text)
{
    struct arena arena;
    arena_init(&arena);
    char *copy = malloc(text.n ? text.n : 1);
    if (text.n) memcpy(copy, text.p, text.n);
    struct json *ours = NULL;
    const char *why = "";
    json_error_t error;
    bool we = json_parse((struct str){ copy, text.n }, &arena, &ours, &why) == OK;
    json_t *theirs = json_loadb(copy, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (we && !theirs) {
        ck_assert_msg(json_error_code(&error) == json_error_numeric_overflow, "only we accept %.*s (%s)",
                      STR_FMT(text), error.text);
    }
    if (text.n && memchr(copy, 0, text.n)) ck_assert(!we);
    else if (theirs && !we) ck_assert_msg(only_we_refuse(why), "only we refuse %.*s (%s)", STR_FMT(text), why);
    if (we && theirs) same_meaning(ours, theirs);
    bool both = we && theirs;
    json_decref(theirs);
    free(copy);
    arena_fini(&arena);
    return both;
}

START_TEST(agrees_with_jansson)
{
    int both = 0, total = 0;
    struct buf b;
    buf_init(&b, DOCUMENT_BYTES);
    for (int i = 0; i < DOCUMENTS; i++) {
        buf_clear(&b);
        put_value(&b, (int) draw(6));
        if (b.failed) continue;
        both += compare(buf_view(&b)), total++;
        for (uint64_t n = draw(4); n > 0 && !b.failed; n--) {
            damage(&b);
            both += compare(buf_view(&b)), total++;
        }
    }
    buf_fini(&b);
    /* A generator that makes only good or only bad documents compares nothing. */
    ck_assert_int_gt(both, total / 5);
    ck_assert_int_lt(both, total * 9 / 10);
}
END_TEST

int main(void)
{
    const char *seed = getenv("TALLY_TEST_SEED");
    state = seed ? strtoull(seed, NULL, 10) : (uint64_t) clock_wall_us();
    printf("TALLY_TEST_SEED=%" PRIu64 "\n", state);
    fflush(stdout);
    TCase *tc = tcase_create("oracle");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, agrees_with_jansson);
    Suite *suite = suite_create("json_oracle");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
