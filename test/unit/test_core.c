/* The ground everything stands on: str, buf, arena, list, map, clock, flow, turn. */
#include <check.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/flow.h"
#include "core/list.h"
#include "core/map.h"
#include "core/turn.h"

static uint64_t state;

/* splitmix64 */
static uint64_t draw(uint64_t below)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

/* ck_assert writes a mark to a file each time it is passed; inside long loops this is used. */
#define check_quickly(condition) do { if (!(condition)) ck_abort_msg("%s", #condition); } while (0)

/* ---- str ---- */

START_TEST(str_compares)
{
    ck_assert(str_eq(STR(""), STR_NONE) && str_eq(str_from(NULL), STR_NONE) && str_from(NULL).p == NULL);
    ck_assert(str_eq(str_from("ab"), STR("ab")) && !str_eq(STR("ab"), STR("aB")) && !str_eq(STR("ab"), STR("abc")));
    ck_assert(str_eq_nocase(STR("aZ09["), STR("Az09[")) && !str_eq_nocase(STR("@"), STR("`")) &&
              !str_eq_nocase(STR("["), STR("{")) && !str_eq_nocase(STR("a"), STR("ab")));
    ck_assert(str_starts(STR("abc"), STR("ab")) && str_starts(STR("abc"), STR("")) &&
              !str_starts(STR("a"), STR("ab")) &&
              str_starts(STR_NONE, STR_NONE));
    ck_assert(str_starts_nocase(STR("Bearer x"), STR("bearer ")) && !str_starts_nocase(STR("Bear"), STR("bearer ")));
    ck_assert(str_eq(str_trim(STR(" \t a b\r\n")), STR("a b")) && str_trim(STR(" \n ")).n == 0 &&
              str_trim(STR_NONE).n == 0);
    ck_assert_uint_ne(str_hash(STR("a")), str_hash(STR("b")));
}
END_TEST

START_TEST(str_cuts)
{
    static const struct { const char *text, *parts; } cases[] = {
        { "", "[]" }, { "a", "[a]" }, { "a,b", "[a][b]" }, { ",", "[][]" }, { "a,", "[a][]" }, { ",,a", "[][][a]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        buf_init(&b, 100);
        struct str rest = str_from(cases[i].text);
        while (rest.p) {
            struct str part = str_cut(&rest, ',');
            buf_printf(&b, "[%.*s]", STR_FMT(part));
        }
        ck_assert_msg(str_eq(buf_view(&b), str_from(cases[i].parts)), "%s", cases[i].text);
        buf_fini(&b);
    }
}
END_TEST

START_TEST(str_reads_numbers)
{
    static const struct { const char *text; bool valid; int64_t value; } cases[] = {
        { "0", true, 0 }, { "-0", true, 0 }, { "00012", true, 12 }, { "-12", true, -12 },
        { "9223372036854775807", true, INT64_MAX }, { "9223372036854775808", false, 0 },
        { "-9223372036854775808", true, INT64_MIN }, { "-9223372036854775809", false, 0 },
        { "99999999999999999999", false, 0 }, { "", false, 0 }, { "-", false, 0 }, { "+1", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 }, { "1.0", false, 0 }, { "0x1", false, 0 }, { "1e3", false, 0 }, { "--1", false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 0;
        bool valid = str_to_i64(str_from(cases[i].text), &value);
        ck_assert_msg(valid == cases[i].valid && value == cases[i].value, "%s", cases[i].text);
    }
}
END_TEST

/* Writes cp by the rules of RFC 3629, also where they forbid it. */
static size_t encode(uint32_t cp, int bytes, char *to)
{
    static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    if (bytes == 1) return to[0] = (char) cp, 1;
    for (int i = bytes - 1; i > 0; i--, cp >>= 6) to[i] = (char) (0x80 | (cp & 0x3f));
    to[0] = (char) (leads[bytes] | cp);
    return (size_t) bytes;
}

/* Every code point in its shortest form, and in each longer one. */
START_TEST(str_knows_utf8)
{
    for (uint32_t cp = 0; cp < 0x200000; cp++) {
        char text[4];
        int shortest = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
        bool good = cp > 0 && cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff) && (cp < 0xfdd0 || cp > 0xfdef) &&
                    (cp & 0xfffe) != 0xfffe;
        for (int bytes = shortest; bytes <= 4; bytes++) {
            struct str s = { text, encode(cp, bytes, text) };
            if (str_is_utf8(s) != (good && bytes == shortest)) ck_abort_msg("U+%04X in %d bytes", cp, bytes);
            if (bytes > 1 && str_is_utf8((struct str){ text, s.n - 1 })) ck_abort_msg("U+%04X cut", cp);
        }
    }
    ck_assert(str_is_utf8(STR_NONE) && !str_is_utf8(STR("\x80")) && !str_is_utf8(STR("\xf8\x88\x80\x80\x80")));
    ck_assert_uint_eq(str_utf8_length(STR("a\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e")), 4);
}
END_TEST

/* ---- buf and arena ---- */

START_TEST(buf_is_what_was_put_in)
{
    struct buf b;
    char model[4096];
    size_t n = 0;
    buf_init(&b, sizeof model);
    for (int i = 0; i < 20000; i++) {
        char piece[64];
        size_t size = draw(sizeof piece);
        memset(piece, (int) ('a' + draw(26)), sizeof piece);
        switch (draw(5)) {
        case 0:
            size = draw(n + 1);
            buf_consume(&b, size);
            memmove(model, model + size, n -= size);
            break;
        case 1: {
            char *to = n + sizeof piece <= sizeof model ? buf_reserve(&b, sizeof piece) : NULL;
            if (!to) break;
            memcpy(to, piece, size);
            buf_added(&b, size);
            memcpy(model + n, piece, size);
            n += size;
            break;
        }
        default:
            if (n + size > sizeof model) break;
            buf_put(&b, piece, size);
            memcpy(model + n, piece, size);
            n += size;
        }
        check_quickly(!b.failed && str_eq(buf_view(&b), (struct str){ model, n }));
    }
    buf_fini(&b);
}
END_TEST

START_TEST(buf_formats)
{
    struct buf b;
    buf_init(&b, 200);
    buf_i64(&b, INT64_MIN);
    buf_char(&b, ' ');
    buf_i64(&b, INT64_MAX);
    buf_char(&b, ' ');
    buf_u64(&b, UINT64_MAX);
    buf_cstr(&b, " 0");
    buf_u64(&b, 0);
    buf_hex(&b, (const uint8_t *) "\x00\x9f\xff", 3);
    buf_printf(&b, "-%s-%d", "x", 5);
    ck_assert(str_eq(buf_view(&b), STR("-9223372036854775808 9223372036854775807 18446744073709551615 00009fff-x-5")));
    buf_fini(&b);
}
END_TEST

START_TEST(buf_fails_once_and_for_all)
{
    struct buf b;
    buf_init(&b, 10);
    buf_cstr(&b, "12345678");
    buf_cstr(&b, "90");
    ck_assert(!b.failed && b.n == 10);
    buf_char(&b, 'x');
    ck_assert(b.failed && b.n == 10);
    buf_consume(&b, 5);
    buf_char(&b, 'x');
    ck_assert(b.failed && b.n == 5 && !buf_reserve(&b, 1));
    buf_clear(&b);
    buf_cstr(&b, "again");
    ck_assert(!b.failed && str_eq(buf_view(&b), STR("again")));
    ck_assert(!buf_reserve(&b, SIZE_MAX) && b.failed);
    buf_fini(&b);
}
END_TEST

static int cleanups[3], cleanup_count;

static void note_cleanup(void *arg)
{
    cleanups[cleanup_count++] = *(int *) arg;
}

START_TEST(arena_gives_apart_and_cleans_up_backwards)
{
    enum { PIECES = 2000 };
    static struct { unsigned char *p; size_t n; } pieces[PIECES];
    struct arena a;
    arena_init(&a);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PIECES; i++) {
            size_t n = draw(50) ? draw(200) : draw(20000);
            pieces[i].p = arena_alloc(&a, n);
            pieces[i].n = n;
            check_quickly((uintptr_t) pieces[i].p % _Alignof(max_align_t) == 0);
            for (size_t k = 0; k < n; k++) check_quickly(pieces[i].p[k] == 0);
            if (n) memset(pieces[i].p, i % 251 + 1, n);
        }
        for (int i = 0; i < PIECES; i++) {
            for (size_t k = 0; k < pieces[i].n; k++) check_quickly(pieces[i].p[k] == i % 251 + 1);
        }
        int numbers[] = { 1, 2, 3 };
        cleanup_count = 0;
        for (int i = 0; i < 3; i++) arena_defer(&a, note_cleanup, &numbers[i]);
        arena_fini(&a);
        ck_assert(cleanup_count == 3 && cleanups[0] == 3 && cleanups[1] == 2 && cleanups[2] == 1);
    }
    struct str s = arena_printf(&a, "%d-%s", 7, "x");
    ck_assert(str_eq(s, STR("7-x")) && s.p[s.n] == 0);
    ck_assert_str_eq(arena_cstr(&a, (struct str){ "abc", 2 }), "ab");
    ck_assert_str_eq(arena_cstr(&a, STR_NONE), "");
    arena_fini(&a);
}
END_TEST

/* ---- list ---- */

struct member {
    int value;
    struct list link;
};

START_TEST(list_keeps_order)
{
    struct member m[6];
    struct list head, other;
    list_init(&head);
    list_init(&other);
    ck_assert(list_empty(&head) && !list_first(&head) && !list_shift(&head));
    for (int i = 0; i < 6; i++) {
        m[i].value = i;
        list_append(i < 4 ? &head : &other, &m[i].link);
    }
    list_unlink(&m[1].link);
    list_unlink(&m[1].link);
    list_move(&head, &other);
    list_move(&head, &other);
    ck_assert(list_empty(&other));
    static const int wanted[] = { 0, 2, 3, 4, 5 };
    int n = 0;
    list_each(&head, it) {
        struct member *member = list_entry(it, struct member, link);
        ck_assert_int_eq(member->value, wanted[n++]);
        if (member->value == 3) list_unlink(it);
    }
    ck_assert_int_eq(n, 5);
    for (int i = 0; i < 4; i++) ck_assert_ptr_nonnull(list_shift(&head));
    ck_assert(list_empty(&head) && list_empty(&m[3].link));
}
END_TEST

/* ---- map ---- */

/* Keys are few and near each other, so that slots are shared, freed and shifted all the time; the
 * model is an array. Removing at random is what shows a wrong shift back. */
START_TEST(map_is_like_a_naive_model)
{
    enum { KEYS = 300 };
    static char values[2];
    for (int round = 0; round < 20; round++) {
        void *model[KEYS] = { 0 };
        size_t count = 0;
        uint64_t step = draw(2) ? 1 : draw(UINT64_MAX) | 1, span = 1 + draw(KEYS);
        struct map m;
        map_init(&m);
        for (int i = 0; i < 20000; i++) {
            size_t k = draw(span);
            uint64_t key = k * step;
            void *value = &values[draw(2)];
            switch (draw(3)) {
            case 0:
                check_quickly(map_set(&m, key, value) == model[k]);
                count += !model[k];
                model[k] = value;
                break;
            case 1:
                check_quickly(map_remove(&m, key) == model[k]);
                count -= model[k] != NULL;
                model[k] = NULL;
                break;
            default: check_quickly(map_get(&m, key) == model[k]);
            }
            check_quickly(m.count == count);
        }
        size_t visited = 0;
        for (size_t cursor = 0; map_next(&m, &cursor);) visited++;
        ck_assert_uint_eq(visited, count);
        for (size_t k = 0; k < KEYS; k++) ck_assert_ptr_eq(map_get(&m, k * step), model[k]);
        map_fini(&m);
        ck_assert(!map_get(&m, 0) && !map_remove(&m, 0));
    }
}
END_TEST

/* ---- clock ---- */

START_TEST(clock_knows_dates)
{
    static const struct { int64_t wall_s; const char *iso, *http; } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT" },
        { -1, "1969-12-31T23:59:59.000Z", "Wed, 31 Dec 1969 23:59:59 GMT" },
        { 951782399, "2000-02-28T23:59:59.000Z", "Mon, 28 Feb 2000 23:59:59 GMT" },
        { 951782400, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 GMT" },
        { 1000000000, "2001-09-09T01:46:40.000Z", "Sun, 09 Sep 2001 01:46:40 GMT" },
        { 1709164800, "2024-02-29T00:00:00.000Z", "Thu, 29 Feb 2024 00:00:00 GMT" },
        { 1770631200, "2026-02-09T10:00:00.000Z", "Mon, 09 Feb 2026 10:00:00 GMT" },
        { 2147483648, "2038-01-19T03:14:08.000Z", "Tue, 19 Jan 2038 03:14:08 GMT" },
        { 4107542400, "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 GMT" },
        { 253402300799, "9999-12-31T23:59:59.000Z", "Fri, 31 Dec 9999 23:59:59 GMT" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char iso[CLOCK_ISO_BYTES], http[CLOCK_HTTP_BYTES];
        int64_t back;
        bool is_date;
        clock_iso(cases[i].wall_s * 1000000, iso);
        clock_http_date(cases[i].wall_s, http);
        ck_assert_msg(memcmp(iso, cases[i].iso, sizeof iso) == 0, "%.24s for %s", iso, cases[i].iso);
        ck_assert_msg(memcmp(http, cases[i].http, sizeof http) == 0, "%.29s for %s", http, cases[i].http);
        ck_assert(clock_parse(str_from(cases[i].iso), &back, &is_date) && !is_date);
        ck_assert_int_eq(back, cases[i].wall_s * 1000000);
    }
}
END_TEST

/* Against the C library's calendar, and back through clock_parse. */
START_TEST(clock_agrees_with_gmtime)
{
    for (int i = 0; i < 20000; i++) {
        int64_t us = (int64_t) draw(10413792000000000u) - 2208988800000000, back;
        bool is_date;
        char iso[CLOCK_ISO_BYTES], http[CLOCK_HTTP_BYTES], wanted[64];
        time_t s = us / 1000000 - (us % 1000000 < 0);
        int ms = (int) ((us - s * 1000000) / 1000);
        struct tm tm;
        check_quickly(gmtime_r(&s, &tm));
        size_t n = strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(wanted + n, sizeof wanted - n, ".%03dZ", ms);
        clock_iso(us, iso);
        if (memcmp(iso, wanted, sizeof iso) != 0) ck_abort_msg("%.24s for %s", iso, wanted);
        check_quickly(clock_parse((struct str){ iso, sizeof iso }, &back, &is_date) && !is_date);
        check_quickly(back == s * 1000000 + ms * 1000);
        strftime(wanted, sizeof wanted, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        clock_http_date(s, http);
        if (memcmp(http, wanted, sizeof http) != 0) ck_abort_msg("%.29s for %s", http, wanted);
    }
}
END_TEST

START_TEST(clock_reads_dates_and_times)
{
    static const struct { const char *text; bool valid, is_date; int64_t us; } cases[] = {
        { "2026-02-09", true, true, 1770595200000000 }, { "2024-02-29", true, true, 1709164800000000 },
        { "2026-02-09T10:00:00", true, false, 1770631200000000 },
        { "2026-02-09T10:00:00Z", true, false, 1770631200000000 },
        { "2026-02-09T10:00:00.5Z", true, false, 1770631200500000 },
        { "2026-02-09T10:00:00.123456Z", true, false, 1770631200123456 },
        { "2026-02-09T10:00:00.123456789Z", true, false, 1770631200123456 },
        { "2026-02-09T12:00:00+02:00", true, false, 1770631200000000 },
        { "2026-02-09T05:30:00-04:30", true, false, 1770631200000000 },
        { "2023-02-29", false, false, 0 }, { "2100-02-29", false, false, 0 }, { "2026-02-30", false, false, 0 },
        { "2026-04-31", false, false, 0 }, { "2026-13-01", false, false, 0 }, { "2026-00-01", false, false, 0 },
        { "2026-01-00", false, false, 0 }, { "2026-1-1", false, false, 0 }, { "26-01-01", false, false, 0 },
        { "2026-02-09 10:00:00", false, false, 0 }, { "2026-02-09T24:00:00Z", false, false, 0 },
        { "2026-02-09T10:60:00Z", false, false, 0 }, { "2026-02-09T10:00:60Z", false, false, 0 },
        { "2026-02-09T10:00", false, false, 0 }, { "2026-02-09T10:00:00.Z", false, false, 0 },
        { "2026-02-09T10:00:00.1234567890Z", false, false, 0 }, { "2026-02-09T10:00:00Zx", false, false, 0 },
        { "2026-02-09T10:00:00+0200", false, false, 0 }, { "2026-02-09T10:00:00+24:00", false, false, 0 },
        { "2026-02-09T", false, false, 0 }, { "", false, false, 0 }, { "today", false, false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us = 0;
        bool is_date = false;
        bool valid = clock_parse(str_from(cases[i].text), &us, &is_date);
        ck_assert_msg(valid == cases[i].valid, "%s", cases[i].text);
        if (valid) ck_assert_msg(us == cases[i].us && is_date == cases[i].is_date, "%s is %" PRId64, cases[i].text, us);
    }
}
END_TEST

/* ---- flow ---- */

struct journey {
    struct flow flow;
    char trace[16];
    int done;
    enum err err;
};

static enum flow_result step_next(void *arg)
{
    struct journey *j = arg;
    j->trace[strlen(j->trace)] = 'n';
    return FLOW_NEXT;
}

static enum flow_result step_wait(void *arg)
{
    struct journey *j = arg;
    j->trace[strlen(j->trace)] = 'w';
    return FLOW_WAIT;
}

static enum flow_result step_end(void *arg)
{
    struct journey *j = arg;
    j->trace[strlen(j->trace)] = 'e';
    return FLOW_END;
}

static enum flow_result step_fail(void *arg)
{
    (void) arg;
    return FLOW_FAIL;
}

static enum flow_result step_fail_full(void *arg)
{
    struct journey *j = arg;
    flow_set_error(&j->flow, ERR_FULL);
    flow_set_error(&j->flow, ERR_TIMEOUT);
    return FLOW_FAIL;
}

static void on_done(void *arg, enum err err)
{
    struct journey *j = arg;
    j->done++;
    j->err = err;
}

#define S(step) { #step, step }
static const struct {
    struct flow_step steps[5];
    enum err wait_fails;          /* what the first wait ends with */
    const char *trace;
    enum err err;
} journeys[] = {
    { { { NULL, NULL } }, OK, "", OK },
    { { S(step_next), S(step_next), { NULL, NULL } }, OK, "nn", OK },
    { { S(step_next), S(step_wait), S(step_next), { NULL, NULL } }, OK, "nwn", OK },
    { { S(step_wait), S(step_wait), { NULL, NULL } }, OK, "ww", OK },
    { { S(step_wait), S(step_next), { NULL, NULL } }, ERR_UNCERTAIN, "w", ERR_UNCERTAIN },
    { { S(step_next), S(step_end), S(step_next), { NULL, NULL } }, OK, "ne", OK },
    { { S(step_next), S(step_fail), S(step_next), { NULL, NULL } }, OK, "n", ERR_INTERNAL },
    { { S(step_wait), S(step_fail_full), S(step_next), { NULL, NULL } }, OK, "w", ERR_FULL },
};

START_TEST(flow_runs_its_steps)
{
    struct journey j = { .done = 0 };
    flow_start(&j.flow, journeys[_i].steps, on_done, &j);
    while (!j.done) {
        ck_assert_int_eq(j.flow.state, FLOW_WAITING);
        ck_assert_ptr_nonnull(j.flow.step->name);
        if (journeys[_i].wait_fails) flow_fail(&j.flow, journeys[_i].wait_fails);
        else flow_resume(&j.flow);
    }
    ck_assert_int_eq(j.done, 1);
    ck_assert_int_eq(j.err, journeys[_i].err);
    ck_assert_str_eq(j.trace, journeys[_i].trace);
}
END_TEST

/* A second callback for one wait is a defect, and stops the process. */
START_TEST(flow_refuses_a_second_resume)
{
    struct journey j = { .done = 0 };
    static const struct flow_step steps[] = { S(step_wait), { NULL, NULL } };
    flow_start(&j.flow, steps, on_done, &j);
    flow_resume(&j.flow);
    flow_resume(&j.flow);
}
END_TEST

/* ---- turn ---- */

static char order[16];
static struct turn turn;
static struct turn_item items[4];

static void run_item(struct turn_item *item)
{
    ck_assert(!turn_is_deferred(item));
    order[strlen(order)] = (char) ('a' + (item - items));
    if (item == &items[1]) turn_defer(&turn, &items[3]);
}

START_TEST(turn_runs_each_item_once_in_order)
{
    uv_loop_t loop;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    turn_init(&turn, &loop);
    for (int i = 0; i < 4; i++) turn_item_init(&items[i], run_item);
    turn_defer(&turn, &items[1]);
    turn_defer(&turn, &items[0]);
    turn_defer(&turn, &items[1]);
    turn_defer(&turn, &items[2]);
    turn_cancel(&items[2]);
    turn_cancel(&items[2]);
    ck_assert(turn_is_deferred(&items[1]) && !turn_is_deferred(&items[2]));
    ck_assert_str_eq(order, "");
    uv_ref((uv_handle_t *) &turn.prepare);
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_unref((uv_handle_t *) &turn.prepare);
    ck_assert_str_eq(order, "bad");
    turn_defer(&turn, &items[2]);
    turn_close(&turn);
    ck_assert_str_eq(order, "badc");
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, str_compares);
    tcase_add_test(tc, str_cuts);
    tcase_add_test(tc, str_reads_numbers);
    tcase_add_test(tc, str_knows_utf8);
    tcase_add_test(tc, buf_is_what_was_put_in);
    tcase_add_test(tc, buf_formats);
    tcase_add_test(tc, buf_fails_once_and_for_all);
    tcase_add_test(tc, arena_gives_apart_and_cleans_up_backwards);
    tcase_add_test(tc, list_keeps_order);
    tcase_add_test(tc, map_is_like_a_naive_model);
    tcase_add_test(tc, clock_knows_dates);
    tcase_add_test(tc, clock_agrees_with_gmtime);
    tcase_add_test(tc, clock_reads_dates_and_times);
    tcase_add_loop_test(tc, flow_runs_its_steps, 0, sizeof journeys / sizeof *journeys);
    tcase_add_test_raise_signal(tc, flow_refuses_a_second_resume, SIGABRT);
    tcase_add_test(tc, turn_runs_each_item_once_in_order);
}

int main(void)
{
    const char *seed = getenv("TALLY_TEST_SEED");
    state = seed ? strtoull(seed, NULL, 10) : (uint64_t) clock_wall_us();
    printf("TALLY_TEST_SEED=%" PRIu64 "\n", state);
    fflush(stdout);
    TCase *tc = tcase_create("core");
    tcase_set_timeout(tc, 60);
    add_tests(tc);
    Suite *suite = suite_create("core");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
