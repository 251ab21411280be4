/* Socket.IO's packets as tables: what is one, what is none, and how ours are written. */
#include <check.h>

#include "ws/socketio_private.h"

static const struct {
    const char *text;
    char type;
    const char *nsp;
    int64_t id;
    const char *data; /* NULL: none */
} good[] = {
    { "0", '0', "/", -1, NULL },
    { "0{}", '0', "/", -1, "{}" },
    { "0{\"token\":\"a,b\"}", '0', "/", -1, "{\"token\":\"a,b\"}" },
    { "0/custom", '0', "/custom", -1, NULL },
    { "0/custom,", '0', "/custom", -1, NULL },
    { "0/,{}", '0', "/", -1, "{}" },
    { "0/a/b?c=1,{\"d\":1}", '0', "/a/b?c=1", -1, "{\"d\":1}" },
    { "1", '1', "/", -1, NULL },
    { "1/custom,", '1', "/custom", -1, NULL },
    { "2[\"a\"]", '2', "/", -1, "[\"a\"]" },
    { "2[17,1]", '2', "/", -1, "[17,1]" },
    { "20[\"a\"]", '2', "/", 0, "[\"a\"]" },
    { "2456[\"a\",1]", '2', "/", 456, "[\"a\",1]" },
    { "2/custom,456[\"a\",\"/x,\"]", '2', "/custom", 456, "[\"a\",\"/x,\"]" },
    { "2999999999999999[\"a\"]", '2', "/", 999999999999999, "[\"a\"]" },
    { "3[]", '3', "/", -1, "[]" },
    { "312[1,{}]", '3', "/", 12, "[1,{}]" },
    { "3/custom,12[]", '3', "/custom", 12, "[]" },
    { "4\"why\"", '4', "/", -1, "\"why\"" },
    { "4{\"message\":\"why\"}", '4', "/", -1, "{\"message\":\"why\"}" },
};

static const char *const bad[] = {
    "",
    "5",
    "52-[\"a\",{\"_placeholder\":true,\"num\":0}]",
    "61-0[{\"_placeholder\":true,\"num\":0}]",
    "7[\"a\"]",
    "a",
    "abc",
    "-1",
    "0[]",
    "0null",
    "0\"a\"",
    "0{",
    "0{}{}",
    "0/custom,[]",
    "1{}",
    "1[]",
    "2",
    "2{}",
    "2[]",
    "2[null]",
    "2[{}]",
    "2[[\"a\"]]",
    "2\"a\"",
    "2[\"a\"",
    "2[\"a\"],",
    "2[\"connect\"]",
    "2[\"connect_error\"]",
    "2[\"disconnect\"]",
    "2[\"disconnecting\"]",
    "2[\"newListener\"]",
    "2[\"removeListener\"]",
    "2abc[\"a\"]",
    "2-1[\"a\"]",
    "21000000000000000[\"a\"]",
    "2/custom[\"a\"]",
    "3",
    "3{}",
    "31",
    "4",
    "4[]",
    "4 ",
    "2[\"\\ud800\"]",
};

START_TEST(what_is_a_packet)
{
    struct arena arena;
    struct sio_packet p;
    arena_init(&arena);
    ck_assert_msg(sio_packet_parse(str_from(good[_i].text), &arena, &p), "%s", good[_i].text);
    ck_assert_int_eq(p.type, good[_i].type);
    ck_assert(str_eq(p.nsp, str_from(good[_i].nsp)));
    ck_assert_int_eq(p.id, good[_i].id);
    ck_assert((p.data != NULL) == (good[_i].data != NULL));
    if (p.data && p.data->type != JSON_STRING) ck_assert(str_eq(p.data->text, str_from(good[_i].data)));
    arena_fini(&arena);
}
END_TEST

START_TEST(what_is_none)
{
    struct arena arena;
    struct sio_packet p;
    arena_init(&arena);
    ck_assert_msg(!sio_packet_parse(str_from(bad[_i]), &arena, &p), "%s", bad[_i]);
    arena_fini(&arena);
}
END_TEST

START_TEST(a_namespace_has_a_bound)
{
    char text[SIO_NAMESPACE_BYTES_MAX + 3] = "0/";
    struct arena arena;
    struct sio_packet p;
    arena_init(&arena);
    for (size_t i = 2; i < sizeof text; i++) text[i] = 'x';
    ck_assert(sio_packet_parse((struct str){ text, SIO_NAMESPACE_BYTES_MAX + 1 }, &arena, &p));
    ck_assert(!sio_packet_parse((struct str){ text, SIO_NAMESPACE_BYTES_MAX + 2 }, &arena, &p));
    arena_fini(&arena);
}
END_TEST

static const struct {
    const char *event, *raw;
} events[] = {
    { "2[\"a\"]", "" },
    { "2[\"a\",1]", "1" },
    { "2[\"a\" , 1 , [2] ]", "1 , [2]" },
    { "2[\"a,b\",\"c\"]", "\"c\"" },
    { "2[\"a\\\",\",\"c\",{\"d\":\",\"}]", "\"c\",{\"d\":\",\"}" },
    { "2[\"a\\\\\",1]", "1" },
    { "2[17,\"x\"]", "\"x\"" },
    { "2[ \"a\" ]", "" },
};

START_TEST(an_events_arguments_as_they_came)
{
    struct arena arena;
    struct sio_packet p;
    arena_init(&arena);
    ck_assert(sio_packet_parse(str_from(events[_i].event), &arena, &p));
    struct str raw = sio_event_raw(p.data);
    ck_assert_msg(str_eq(raw, str_from(events[_i].raw)), "%.*s", STR_FMT(raw));
    arena_fini(&arena);
}
END_TEST

static const struct {
    const char *nsp, *name, *args, *text;
} frames[] = {
    { "/", "a", NULL, "42[\"a\"]" },
    { "/", "a", "1,\"x\"", "42[\"a\",1,\"x\"]" },
    { "/rewards", "points\"Updated", "{}", "42/rewards,[\"points\\\"Updated\",{}]" },
    { "/", "", "null", "42[\"\",null]" },
};

START_TEST(an_events_frame)
{
    struct ws_frame *f =
        sio_event_frame(str_from(frames[_i].nsp), str_from(frames[_i].name), str_from(frames[_i].args));
    struct str payload = ws_frame_payload(f);
    ck_assert_msg(str_eq(payload, str_from(frames[_i].text)), "%.*s", STR_FMT(payload));
    ck_assert_uint_eq(f->key, 0);
    ws_frame_unref(f);
}
END_TEST

START_TEST(an_event_built_argument_by_argument)
{
    struct buf b;
    buf_init(&b, 1000);
    sio_event_begin(&b, STR("/rewards"), STR("pointsUpdated"));
    json_open(&b, '{');
    json_key(&b, STR("points"));
    json_int(&b, 5);
    json_close(&b, '}');
    json_string(&b, STR("cursor"));
    sio_event_end(&b);
    ck_assert(str_eq(buf_view(&b), STR("42/rewards,[\"pointsUpdated\",{\"points\":5},\"cursor\"]")));
    buf_fini(&b);
}
END_TEST

START_TEST(reasons_have_names)
{
    ck_assert_str_eq(sio_reason_text(SIO_CLIENT_DISCONNECT), "client namespace disconnect");
    ck_assert_str_eq(sio_reason_text(SIO_SERVER_DISCONNECT), "server namespace disconnect");
    for (int why = EIO_PEER_CLOSED; why <= EIO_GOING_AWAY; why++) ck_assert_str_ne(sio_reason_text(why), "unknown");
}
END_TEST

#define COUNT(a) (int) (sizeof(a) / sizeof *(a))

int main(void)
{
    Suite *suite = suite_create("socketio_packet");
    TCase *tcase = tcase_create("socketio_packet");
    tcase_add_loop_test(tcase, what_is_a_packet, 0, COUNT(good));
    tcase_add_loop_test(tcase, what_is_none, 0, COUNT(bad));
    tcase_add_test(tcase, a_namespace_has_a_bound);
    tcase_add_loop_test(tcase, an_events_arguments_as_they_came, 0, COUNT(events));
    tcase_add_loop_test(tcase, an_events_frame, 0, COUNT(frames));
    tcase_add_test(tcase, an_event_built_argument_by_argument);
    tcase_add_test(tcase, reasons_have_names);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
