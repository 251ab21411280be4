/* The log as its readers see it: each test puts a pipe in the place of standard error and reads what
 * arrives. Every JSON line is parsed by our own strict parser. */
#include "core/log.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"

enum { READ_MAX = 1 << 20 };

static struct arena arena;
static int reader, saved_stderr;
static uv_loop_t loop;
static struct turn turn;

static void setup(void)
{
    int ends[2];
    arena_init(&arena);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    reader = ends[0];
    fcntl(reader, F_SETFL, O_NONBLOCK);
    log_setup(LOG_DEBUG, LOG_JSON);
}

static void teardown(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(reader);
    arena_fini(&arena);
}

/* What has arrived since the last call. */
static struct str arrived(void)
{
    char *p = arena_raw(&arena, READ_MAX);
    size_t n = 0;
    for (ssize_t got; (got = read(reader, p + n, READ_MAX - n)) > 0;) n += (size_t) got;
    return (struct str){ p, n };
}

static int count_lines(struct str s)
{
    int lines = 0;
    for (size_t i = 0; i < s.n; i++) lines += s.p[i] == '\n';
    return lines;
}

/* The one line that arrived, parsed. */
static struct json *arrived_json(void)
{
    struct str line = arrived();
    struct json *json;
    const char *why = "";
    ck_assert_msg(count_lines(line) == 1 && line.p[line.n - 1] == '\n', "no single line: %.*s", STR_FMT(line));
    ck_assert_msg(json_parse(line, &arena, &json, &why) == OK, "%s: %.*s", why, STR_FMT(line));
    return json;
}

static void has(const struct json *json, const char *name, enum json_type type, struct str text)
{
    const struct json *m = json_get(json, str_from(name));
    ck_assert_msg(m != NULL, "%s is missing in %.*s", name, STR_FMT(json->text));
    ck_assert_msg(m->type == type && str_eq(m->text, text), "%s is %.*s", name, STR_FMT(m->text));
}

START_TEST(writes_json)
{
    log_warn("db", "connected", "conn=%d ms=%.1f name=%s ok=%s", 3, -1.5, "main", "true");
    struct json *json = arrived_json();
    ck_assert_int_eq(json->count, 8);
    ck_assert_uint_eq(json_get(json, STR("at"))->text.n, 24);
    has(json, "level", JSON_STRING, STR("warn"));
    has(json, "area", JSON_STRING, STR("db"));
    has(json, "event", JSON_STRING, STR("connected"));
    has(json, "conn", JSON_NUMBER, STR("3"));
    has(json, "ms", JSON_NUMBER, STR("-1.5"));
    has(json, "name", JSON_STRING, STR("main"));
    has(json, "ok", JSON_STRING, STR("true"));
}
END_TEST

START_TEST(writes_text)
{
    log_setup(LOG_INFO, LOG_TEXT);
    log_info("db", "connected", "conn=%d name=%s", 3, LOG_STR(STR("two words")));
    struct str line = arrived();
    ck_assert_uint_gt(line.n, 13);
    ck_assert_msg(str_eq((struct str){ line.p + 12, line.n - 12 },
                         STR(" info  db connected conn=3 name=\"two words\"\n")),
                  "%.*s", STR_FMT(line));
    ck_assert(line.p[2] == ':' && line.p[5] == ':' && line.p[8] == '.');
}
END_TEST

static const struct {
    const char *pairs, *name;
    enum json_type type;
    const char *value;
} pairs[] = {
    { "a=1", "a", JSON_NUMBER, "1" },
    { "a=-0.50", "a", JSON_NUMBER, "-0.50" },
    { "a=01", "a", JSON_STRING, "01" },
    { "a=1e5", "a", JSON_STRING, "1e5" },
    { "a=12345678901234567890", "a", JSON_STRING, "12345678901234567890" },
    { "a=", "a", JSON_STRING, "" },
    { "a= b=2", "a", JSON_STRING, "" },
    { "a= b=2", "b", JSON_NUMBER, "2" },
    { "a=\"1\"", "a", JSON_STRING, "1" },
    { "a=\"x y\" b=2", "a", JSON_STRING, "x y" },
    { "a=\"x y\" b=2", "b", JSON_NUMBER, "2" },
    { "a=\"x b=3 \\\" c=4\" b=2", "a", JSON_STRING, "x b=3 \" c=4" },
    { "a=\"x b=3 \\\" c=4\" b=2", "b", JSON_NUMBER, "2" },
    { "a=\"open", "a", JSON_STRING, "open" },
    { "a=\"open\\", "a", JSON_STRING, "open\\" },
    { "a=forgotten blanks here b=2", "a", JSON_STRING, "forgotten blanks here" },
    { "a=forgotten blanks here b=2", "b", JSON_NUMBER, "2" },
    { "no pair at all", "text", JSON_STRING, "no pair at all" },
    { "level=3", "level_", JSON_NUMBER, "3" },
    { "a=x=y", "a", JSON_STRING, "x=y" },
    { "a=\\", "a", JSON_STRING, "\\" },
    { "a=\xff\xc3\xa9\n", "a", JSON_STRING, "?\xc3\xa9" },
};

START_TEST(takes_pairs_apart)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        log_info("test", "pairs", "%s", pairs[i].pairs);
        has(arrived_json(), pairs[i].name, pairs[i].type, str_from(pairs[i].value));
    }
}
END_TEST

/* What a client may put into a path, a name, a header. */
#define T(literal) { literal, sizeof(literal) - 1 }
static const struct str hostile[] = {
    T("a\nb"), T("\r\n{\"level\":\"error\"}"), T("\" level=error x=\""), T("\",\"level\":\"error\""), T("\\"),
    T("\\\""),
    T("\\\\\" a=1"), T("\0zero"), T("\x1b[31mred\x1b[0m"), T("\x07\x08\x7f"), T("\xc2\x9b" "31m"),
    T("\xff\xfe"), T("\xed\xa0\x80"),
    T("\xef\xbf\xbf"), T("caf\xc3\xa9"), T("%s%n%x"), T("\\u000a"), T("\\n"), T("\xe2\x82"), T(" "), T(""),
    T("\xe2\x80\xa8"), T("}{"), T("'"),
};

/* One line, no control characters, no C1, whatever comes in. */
static void is_harmless(struct str line)
{
    ck_assert_int_eq(count_lines(line), 1);
    for (size_t i = 0; i + 1 < line.n; i++) {
        unsigned char c = (unsigned char) line.p[i];
        ck_assert_msg(c >= 0x20 && c != 0x7f, "control character in %.*s", STR_FMT(line));
        ck_assert(!(c == 0xc2 && (unsigned char) line.p[i + 1] < 0xa0));
    }
    ck_assert(str_is_utf8(line));
}

START_TEST(cannot_be_injected_into)
{
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct log_access access = { .request_id = hostile[i], .method = STR("GET"), .path = hostile[i],
                                     .remote = hostile[i], .user = hostile[i], .status = 200 };
        log_setup(LOG_DEBUG, LOG_JSON);
        log_info("http", "refused", "name=%s n=1", LOG_STR(hostile[i]));
        struct json *json = arrived_json();
        ck_assert_int_eq(json->count, 6);
        has(json, "level", JSON_STRING, STR("info"));
        has(json, "n", JSON_NUMBER, STR("1"));
        ck_assert_int_eq(json_get(json, STR("name"))->type, JSON_STRING);
        log_access(&access);
        has(arrived_json(), "level", JSON_STRING, STR("info"));

        log_setup(LOG_DEBUG, LOG_TEXT);
        log_info("http", "refused", "name=%s n=1", LOG_STR(hostile[i]));
        is_harmless(arrived());
        log_access(&access);
        is_harmless(arrived());
        /* And when a caller forgets LOG_STR. */
        log_info("http", "refused", "name=%s n=1", hostile[i].p);
        is_harmless(arrived());
        log_setup(LOG_DEBUG, LOG_JSON);
        log_info("http", "refused", "x=%s", hostile[i].p);
        is_harmless(arrived());
    }
}
END_TEST

START_TEST(quotes_text_back_to_itself)
{
    static const struct str texts[] = { T("a\nb\t\"c\" \\ d"), T("caf\xc3\xa9"), T("\\u000a"), T("\x1b"), T("") };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        log_info("test", "quote", "a=%s", LOG_STR(texts[i]));
        has(arrived_json(), "a", JSON_STRING, texts[i]);
    }
}
END_TEST

/* Every length and every kind of character around the place of the cut. */
START_TEST(cuts_long_quotes_between_characters)
{
    static const char *const units[] = { "x", "\n", "\"", "\x01", "\xc3\xa9", "\xe2\x82\xac",
                                         "\xf0\x9d\x84\x9e", "\xff" };
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        for (size_t n = 0; n < 300; n++) {
            struct buf b;
            struct json *json;
            const char *why = "";
            char out[LOG_QUOTE_BYTES];
            buf_init(&b, 4096);
            for (size_t i = 0; i < n % 7; i++) buf_char(&b, 'a');
            while (b.n < n) buf_cstr(&b, units[u]);
            struct str quoted = str_from(log_quote(out, buf_view(&b)));
            ck_assert_uint_lt(quoted.n, LOG_QUOTE_BYTES);
            ck_assert_msg(json_parse(quoted, &arena, &json, &why) == OK, "%s: %s", why, out);
            ck_assert_int_eq(json->type, JSON_STRING);
            buf_fini(&b);
        }
    }
}
END_TEST

START_TEST(writes_access_lines)
{
    struct log_access access = {
        .request_id = STR("r-1"), .method = STR("POST"), .path = STR("/api/x"), .remote = STR("127.0.0.1"),
        .endpoint = STR("BANK-09"), .status = 201, .duration_us = 1234, .bytes = 56,
    };
    log_access(&access);
    struct json *json = arrived_json();
    has(json, "area", JSON_STRING, STR("http"));
    has(json, "event", JSON_STRING, STR("request"));
    has(json, "req", JSON_STRING, STR("r-1"));
    has(json, "method", JSON_STRING, STR("POST"));
    has(json, "path", JSON_STRING, STR("/api/x"));
    has(json, "status", JSON_NUMBER, STR("201"));
    has(json, "us", JSON_NUMBER, STR("1234"));
    has(json, "bytes", JSON_NUMBER, STR("56"));
    has(json, "endpoint", JSON_STRING, STR("BANK-09"));
    has(json, "remote", JSON_STRING, STR("127.0.0.1"));
    ck_assert_ptr_null(json_get(json, STR("user")));
    access.status = 503;
    log_access(&access);
    has(arrived_json(), "level", JSON_STRING, STR("warn"));
}
END_TEST

START_TEST(keeps_to_its_level)
{
    log_setup(LOG_WARN, LOG_JSON);
    log_debug("a", "b", "c=1");
    log_info("a", "b", "c=1");
    log_access(&(struct log_access){ .status = 200 });
    ck_assert_uint_eq(arrived().n, 0);
    ck_assert(!log_enabled(LOG_INFO) && log_enabled(LOG_WARN));
    log_warn("a", "b", "c=1");
    log_error("a", "b", "c=1");
    ck_assert_int_eq(count_lines(arrived()), 2);
    log_setup(LOG_OFF, LOG_JSON);
    log_error("a", "b", "c=1");
    ck_assert_uint_eq(arrived().n, 0);

    enum log_level level;
    enum log_format format;
    ck_assert(log_level_parse(STR("Debug"), &level) && level == LOG_DEBUG);
    ck_assert(log_level_parse(STR("off"), &level) && level == LOG_OFF);
    ck_assert(!log_level_parse(STR("loud"), &level) && !log_level_parse(STR(""), &level));
    ck_assert(log_format_parse(STR("json"), &format) && format == LOG_JSON);
    ck_assert(!log_format_parse(STR("xml"), &format));
}
END_TEST

static void open_turn(void)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    turn_init(&turn, &loop);
    log_attach(&turn);
}

static void close_turn(void)
{
    log_detach();
    turn_close(&turn);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

START_TEST(gathers_lines_until_the_end_of_the_turn)
{
    open_turn();
    log_info("a", "one", "n=1");
    log_info("a", "two", "n=2");
    ck_assert_uint_eq(arrived().n, 0);
    uv_ref((uv_handle_t *) &turn.prepare);   /* a loop with nothing to do makes no turn */
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_unref((uv_handle_t *) &turn.prepare);
    ck_assert_int_eq(count_lines(arrived()), 2);

    log_info("a", "three", "n=3");
    log_error("a", "four", "n=4");
    ck_assert_int_eq(count_lines(arrived()), 2);

    log_info("a", "five", "n=5");
    close_turn();
    ck_assert_int_eq(count_lines(arrived()), 1);
    log_info("a", "six", "n=6");
    ck_assert_int_eq(count_lines(arrived()), 1);
}
END_TEST

/* A reader that sleeps: nobody waits for it, the buffer fills, lines are dropped and counted, and
 * what arrives later is whole lines and the number of the missing ones. */
START_TEST(drops_and_counts_when_nobody_reads)
{
    enum { LINES = 5000, LATER = 20 };
    open_turn();
    for (int i = 0; i < LINES; i++) log_error("a", "line", "n=%d filler=%0100d", i, 0);
    struct str first = arrived();
    ck_assert_uint_gt(first.n, 0);
    ck_assert_uint_lt(first.n, LINES * 100);

    /* Each of these reads makes room for the next pieces. */
    struct buf all;
    buf_init(&all, READ_MAX);
    buf_str(&all, first);
    for (int i = 0; i < LATER; i++) {
        log_error("a", "later", "i=%d", i);
        buf_str(&all, arrived());
    }
    close_turn();
    buf_str(&all, arrived());
    ck_assert(!all.failed);

    int64_t seen = 0, dropped = 0, n;
    struct str rest = buf_view(&all);
    for (struct str line; rest.n; ) {
        struct json *json;
        const char *why = "";
        line = str_cut(&rest, '\n');
        ck_assert_msg(json_parse(line, &arena, &json, &why) == OK, "%s: %.*s", why, STR_FMT(line));
        if (json_i64(json_get(json, STR("lines")), &n)) dropped += n;
        else seen++;
    }
    ck_assert_int_gt(dropped, 0);
    ck_assert_int_eq(seen + dropped, LINES + LATER);
    buf_fini(&all);
}
END_TEST

/* A line longer than any buffer of ours is cut, and stays one line of JSON. */
START_TEST(cuts_long_lines)
{
    char *text = malloc(100001);
    memset(text, 'x', 100000);
    text[100000] = 0;
    log_info("a", "long", "text=%s", text);
    struct json *json = arrived_json();
    ck_assert_uint_gt(json_get(json, STR("text"))->text.n, 4000);
    ck_assert_uint_lt(json_get(json, STR("text"))->text.n, 9000);
    log_access(&(struct log_access){ .path = { text, 100000 }, .status = 200 });
    ck_assert_uint_le(json_get(arrived_json(), STR("path"))->text.n, 2048);
    free(text);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("log");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, writes_json);
    tcase_add_test(tc, writes_text);
    tcase_add_test(tc, takes_pairs_apart);
    tcase_add_test(tc, cannot_be_injected_into);
    tcase_add_test(tc, quotes_text_back_to_itself);
    tcase_add_test(tc, cuts_long_quotes_between_characters);
    tcase_add_test(tc, writes_access_lines);
    tcase_add_test(tc, keeps_to_its_level);
    tcase_add_test(tc, gathers_lines_until_the_end_of_the_turn);
    tcase_add_test(tc, drops_and_counts_when_nobody_reads);
    tcase_add_test(tc, cuts_long_lines);
    Suite *suite = suite_create("log");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
