/* Engine.IO sessions without HTTP: exchanges are played, WebSockets are real. What clients see packet by packet is
 * test/api/engineio*.test.mjs; here is what only the owner sees, and bytes that come one by one. */
#include "test/unit/ws_rig.h"
#include "ws/engineio_private.h"

static struct eio_server *engine;
static struct eio_options options;
static struct eio_session *last; /* opened last */
static struct eio_request upgrade;
static struct buf heard; /* messages, each followed by '|' */
static int opens, closes;
static enum eio_reason closed_why;
static uint8_t first;
static struct buf payload;

static void on_open(struct eio_session *s)
{
    last = s;
    opens++;
}

static void on_message(struct eio_session *s, struct str text)
{
    buf_str(&heard, text);
    buf_char(&heard, '|');
    if (str_eq(text, STR("close"))) eio_session_close(s, EIO_FORCED);
}

static void on_close(struct eio_session *s, enum eio_reason why)
{
    (void) s;
    closes++;
    closed_why = why;
}

static const struct eio_handler handler = { on_open, on_message, on_close, NULL };

static void on_conn(void *arg, struct net_conn *c)
{
    (void) arg;
    eio_upgrade(engine, &upgrade, c, STR(RIG_HEAD), STR_NONE);
}

static void start(struct eio_options o)
{
    const char *fault = NULL;
    struct net_listener_options listen = { .host = "127.0.0.1", .backlog = 16 };
    rig_start((struct ws_options){ 0 });
    net_listener_close(rig.listener);
    rig.listener = net_listen(&rig.loop, &listen, on_conn, NULL, &fault);
    options = o;
    options.loop = &rig.loop;
    options.turn = &rig.turn;
    options.wheel = rig.wheel;
    options.handler = &handler;
    engine = eio_server_new(&options);
    upgrade = (struct eio_request){ .version = STR("4"), .transport = STR("websocket") };
    last = NULL;
    opens = closes = 0;
    buf_init(&heard, 1 << 20);
    buf_init(&payload, 1 << 20);
}

static void stop(void)
{
    eio_server_free(engine);
    rig_stop();
    buf_fini(&heard);
    buf_fini(&payload);
}

/* --- exchanges ---------------------------------------------------------------------------------------------------- */

struct played {
    struct eio_exchange x;
    int answers, status;
    struct buf body;
};

static void on_answer(struct eio_exchange *x, int status, size_t size, void (*fill)(void *arg, char *to), void *arg)
{
    struct played *p = (struct played *) x;
    p->answers++;
    p->status = status;
    char *to = buf_reserve(&p->body, size + 1);
    fill(arg, to);
    buf_added(&p->body, size);
}

static struct played *played(void)
{
    static struct played all[16];
    static int next;
    struct played *p = &all[next++ % 16];
    if (p->body.max) buf_fini(&p->body);
    *p = (struct played){ .x.answer = on_answer };
    buf_init(&p->body, 1 << 21);
    return p;
}

static struct eio_request request(enum eio_method method, const struct eio_session *s, struct str body)
{
    return (struct eio_request){ .method = method,
                                 .version = STR("4"),
                                 .transport = STR("polling"),
                                 .sid = s ? eio_session_sid(s) : STR_NONE,
                                 .body = body };
}

static struct played *serve(enum eio_method method, const struct eio_session *s, const char *body)
{
    struct played *p = played();
    struct eio_request r = request(method, s, str_from(body));
    eio_serve(engine, &r, &p->x);
    return p;
}

#define CHECK_ANSWER(whose, code, text)                                \
    do {                                                               \
        const struct played *answered = (whose);                       \
        rig_turn();                                                    \
        ck_assert_int_eq(answered->answers, 1);                        \
        ck_assert_int_eq(answered->status, (code));                    \
        struct str body = buf_view(&answered->body);                   \
        ck_assert_msg(str_eq(body, STR(text)), "%.*s", STR_FMT(body)); \
    } while (0)

static struct eio_session *open_polling(void)
{
    struct played *p = serve(EIO_GET, NULL, NULL);
    rig_turn();
    ck_assert_int_eq(p->answers, 1);
    ck_assert_int_eq(p->body.p[0], '0');
    return last;
}

static void say(struct eio_session *s, const char *packet)
{
    struct ws_frame *f = ws_frame_new(WS_TEXT, str_from(packet));
    eio_session_send(s, f);
    ws_frame_unref(f);
}

/* --- polling ------------------------------------------------------------------------------------------------------ */

START_TEST(what_one_turn_has_leaves_in_one_payload)
{
    start((struct eio_options){ 0 });
    struct eio_session *s = open_polling();
    struct played *waits = serve(EIO_GET, s, NULL);
    say(s, "4a");
    say(s, "4b");
    ck_assert_int_eq(waits->answers, 0);
    ck_assert_uint_gt(eio_session_waiting(s), 0);
    CHECK_ANSWER(waits, 200,
                 "4a\x1e"
                 "4b");
    ck_assert_uint_eq(eio_session_waiting(s), 0);
    say(s, "4c");
    rig_turn();
    CHECK_ANSWER(serve(EIO_GET, s, NULL), 200, "4c");
    stop();
}
END_TEST

START_TEST(what_the_owner_sends_at_once_follows_the_handshake)
{
    start((struct eio_options){ .sid_prefix = "w7" });
    struct played *p = serve(EIO_GET, NULL, NULL);
    say(last, "4hello");
    rig_turn();
    ck_assert_int_eq(p->answers, 1);
    struct str rest = buf_view(&p->body);
    ck_assert(str_starts(str_cut(&rest, 0x1e), STR("0{\"sid\":\"w7")));
    ck_assert(str_eq(rest, STR("4hello")));
    ck_assert(str_eq(eio_sid_prefix(engine, eio_session_sid(last)), STR("w7")));
    ck_assert_ptr_null(eio_sid_prefix(engine, STR("w7short")).p);
    stop();
}
END_TEST

START_TEST(the_opening_is_kept_until_forgotten)
{
    start((struct eio_options){ 0 });
    struct played *p = played();
    struct eio_request r = request(EIO_GET, NULL, STR_NONE);
    r.opening = STR("Bearer abc");
    eio_serve(engine, &r, &p->x);
    ck_assert(str_eq(eio_session_opening(last), STR("Bearer abc")));
    eio_session_forget_opening(last);
    ck_assert_ptr_null(eio_session_opening(last).p);
    stop();
}
END_TEST

START_TEST(an_abandoned_poll_is_answered_and_ends_the_session)
{
    start((struct eio_options){ 0 });
    struct eio_session *s = open_polling();
    struct played *waits = serve(EIO_GET, s, NULL);
    rig_turn();
    eio_abandoned(&waits->x);
    ck_assert_int_eq(waits->answers, 1);
    ck_assert_int_eq(closes, 0); /* never from inside a call */
    rig_turn();
    ck_assert_int_eq(closes, 1);
    ck_assert_int_eq(closed_why, EIO_TRANSPORT_ERROR);
    eio_abandoned(&waits->x); /* harmless */
    ck_assert_int_eq(eio_server_count(engine), 0);
    stop();
}
END_TEST

START_TEST(a_second_announced_post_ends_the_session)
{
    start((struct eio_options){ 0 });
    struct eio_session *s = open_polling();
    char kept[EIO_SID_MAX];
    struct eio_request r = request(EIO_POST, s, STR("4late"));
    memcpy(kept, r.sid.p, r.sid.n);
    r.sid.p = kept;
    struct played *one = played(), *two = played();
    eio_announce(engine, &r, &one->x);
    eio_announce(engine, &r, &two->x);
    rig_turn();
    ck_assert_int_eq(closes, 1);
    ck_assert_int_eq(closed_why, EIO_TRANSPORT_ERROR);
    eio_serve(engine, &r, &one->x);
    eio_serve(engine, &r, &two->x);
    CHECK_ANSWER(one, 400, "{\"code\":1,\"message\":\"Session ID unknown\"}");
    CHECK_ANSWER(two, 400, "{\"code\":1,\"message\":\"Session ID unknown\"}");
    ck_assert_uint_eq(heard.n, 0);
    stop();
}
END_TEST

START_TEST(an_announced_post_is_taken_once)
{
    start((struct eio_options){ 0 });
    struct eio_session *s = open_polling();
    for (int i = 0; i < 3; i++) {
        struct played *p = played();
        struct eio_request r = request(EIO_POST, s, STR("4x"));
        eio_announce(engine, &r, &p->x);
        eio_serve(engine, &r, &p->x);
        CHECK_ANSWER(p, 200, "ok");
    }
    ck_assert_bytes(buf_view(&heard), STR("x|x|x|"));
    stop();
}
END_TEST

START_TEST(closing_waits_for_a_poll_and_says_what_waits)
{
    start((struct eio_options){ 0 });
    struct eio_session *s = open_polling();
    say(s, "4last");
    eio_session_close(s, EIO_FORCED);
    ck_assert(eio_session_is_closing(s));
    say(s, "4too late");
    ck_assert_int_eq(closes, 0);
    rig_turn();
    ck_assert_int_eq(closes, 1);
    ck_assert_int_eq(closed_why, EIO_FORCED);
    CHECK_ANSWER(serve(EIO_POST, s, "4unheard"), 200, "ok");
    CHECK_ANSWER(serve(EIO_GET, s, NULL), 200,
                 "4last\x1e"
                 "1");
    ck_assert_int_eq(closes, 1);
    ck_assert_int_eq(eio_server_count(engine), 0);
    ck_assert_uint_eq(heard.n, 0);
    stop();
}
END_TEST

START_TEST(closing_does_not_wait_for_ever)
{
    start((struct eio_options){ .close_timeout_ms = 50 });
    eio_session_close(open_polling(), EIO_FORCED);
    rig_until(eio_server_count(engine) == 0);
    ck_assert_int_eq(closes, 1);
    ck_assert_int_eq(closed_why, EIO_FORCED);
    stop();
}
END_TEST

START_TEST(a_handler_may_close_in_the_middle_of_a_payload)
{
    start((struct eio_options){ 0 });
    struct eio_session *s = open_polling();
    struct played *waits = serve(EIO_GET, s, NULL);
    CHECK_ANSWER(serve(EIO_POST, s,
                       "4a\x1e"
                       "4close\x1e"
                       "4b"),
                 200, "ok");
    CHECK_ANSWER(waits, 200, "1");
    ck_assert_bytes(buf_view(&heard), STR("a|close|"));
    stop();
}
END_TEST

START_TEST(the_queue_has_a_bound)
{
    start((struct eio_options){ .queue_bytes = 1000 });
    struct eio_session *s = open_polling();
    int sent = 0;
    while (!eio_session_is_closing(s)) {
        say(s, "4 a hundred bytes or so of text that nobody comes to fetch, although it is told to so many people");
        ck_assert_uint_le(eio_session_waiting(s), 1000);
        ck_assert_int_lt(sent++, 20);
    }
    rig_turn();
    ck_assert_int_eq(closed_why, EIO_TOO_SLOW);
    stop();
}
END_TEST

START_TEST(freeing_ends_what_is_left)
{
    start((struct eio_options){ 0 });
    struct played *waits = serve(EIO_GET, open_polling(), NULL);
    struct eio_session *s = open_polling();
    say(s, "4x");
    eio_server_free(engine);
    ck_assert_int_eq(closes, 2);
    ck_assert_int_eq(waits->answers, 1);
    engine = eio_server_new(&options);
    stop();
}
END_TEST

/* --- the heartbeat ------------------------------------------------------------------------------------------------ */

START_TEST(who_is_late_is_gone_before_the_wheel_has_come_by)
{
    start((struct eio_options){ .ping_interval_ms = 30, .ping_timeout_ms = 20 });
    struct eio_session *s = open_polling();
    char kept[EIO_SID_MAX];
    struct eio_request r = request(EIO_GET, s, STR_NONE);
    memcpy(kept, r.sid.p, r.sid.n);
    r.sid.p = kept;
    uint64_t end = clock_mono_ms() + 51;
    while (clock_mono_ms() < end) poll(NULL, 0, 1); /* the loop stands still */
    struct played *p = played();
    eio_serve(engine, &r, &p->x);
    CHECK_ANSWER(p, 400, "{\"code\":1,\"message\":\"Session ID unknown\"}");
    ck_assert_int_eq(closed_why, EIO_PING_TIMEOUT);
    stop();
}
END_TEST

START_TEST(a_pong_that_nobody_asked_for_moves_nothing)
{
    start((struct eio_options){ .ping_interval_ms = 200, .ping_timeout_ms = 200 });
    struct eio_session *s = open_polling();
    uint64_t due = s->due_ms;
    CHECK_ANSWER(serve(EIO_POST, s,
                       "3\x1e"
                       "3"),
                 200, "ok");
    ck_assert_uint_eq(s->due_ms, due);
    struct played *waits = serve(EIO_GET, s, NULL);
    rig_until(waits->answers == 1);
    CHECK_ANSWER(waits, 200, "2");
    ck_assert(s->pong_awaited);
    CHECK_ANSWER(serve(EIO_POST, s, "3"), 200, "ok");
    ck_assert(!s->pong_awaited);
    ck_assert_uint_gt(s->due_ms, due);
    stop();
}
END_TEST

/* --- WebSockets --------------------------------------------------------------------------------------------------- */

#define CHECK_TEXT(p, text)                             \
    do {                                                \
        rig_until(peer_next((p), &first, &payload));    \
        ck_assert_uint_eq(first, 0x81);                 \
        ck_assert_bytes(buf_view(&payload), STR(text)); \
    } while (0)

static struct peer open_peer(void)
{
    struct peer p = peer_new(false);
    rig_until(peer_got(&p) >= sizeof RIG_HEAD - 1);
    buf_consume(&p.in, sizeof RIG_HEAD - 1);
    return p;
}

START_TEST(the_change_comes_byte_by_byte)
{
    start((struct eio_options){ 0 });
    struct eio_session *s = open_polling();
    upgrade.sid = eio_session_sid(s);
    struct peer p = open_peer();
    struct buf bytes;
    buf_init(&bytes, 1000);
    put_frame(&bytes, 0x81, STR("2probe"));
    put_frame(&bytes, 0x81, STR("5"));
    put_frame(&bytes, 0x81, STR("4x"));
    struct played *waits = serve(EIO_GET, s, NULL);
    say(s, "4before");
    CHECK_ANSWER(waits, 200, "4before");
    waits = serve(EIO_GET, s, NULL);
    for (size_t i = 0; i < bytes.n; i++) {
        if (i == 13) say(s, "4between"); /* behind the probe, ahead of the change */
        peer_send(&p, (struct str){ bytes.p + i, 1 });
        for (int turns = 0; turns < 3; turns++) rig_turn();
    }
    rig_until(heard.n > 0);
    ck_assert_bytes(buf_view(&heard), STR("x|"));
    ck_assert(eio_session_is_websocket(s));
    ck_assert_int_eq(waits->answers, 1);
    struct str polled = buf_view(&waits->body);
    CHECK_TEXT(&p, "3probe");
    if (str_eq(polled, STR("6"))) CHECK_TEXT(&p, "4between");
    else ck_assert(str_eq(polled, STR("4between")));
    say(s, "4after");
    CHECK_TEXT(&p, "4after");
    buf_fini(&bytes);
    peer_free(&p);
    rig_until(closes == 1);
    ck_assert_int_eq(closed_why, EIO_PEER_CLOSED);
    stop();
}
END_TEST

/* One frame, two transports, and a reference each. */
START_TEST(a_hub_reaches_both_transports_with_one_frame)
{
    struct ws_hub hub;
    struct ws_subscription subs[2] = { 0 };
    start((struct eio_options){ 0 });
    ws_hub_init(&hub);
    struct eio_session *polls = open_polling();
    struct peer p = open_peer();
    rig_until(peer_next(&p, &first, &payload)); /* the handshake */
    ws_hub_subscribe(&hub, &subs[0], eio_session_outlet(polls), 1, 1);
    ws_hub_subscribe(&hub, &subs[1], eio_session_outlet(last), 1, 1);
    struct ws_frame *f = ws_frame_new(WS_TEXT, STR("4all"));
    ck_assert_int_eq(ws_hub_publish(&hub, 1, 1, f), 2);
    ck_assert_uint_eq(f->refs, 3);
    CHECK_TEXT(&p, "4all");
    CHECK_ANSWER(serve(EIO_GET, polls, NULL), 200, "4all");
    ck_assert_uint_eq(f->refs, 1);
    eio_session_close(polls, EIO_FORCED);
    ck_assert_int_eq(ws_hub_publish(&hub, 1, 1, f), 1); /* the closing one takes no more */
    for (int i = 0; i < 2; i++) ws_hub_unsubscribe(&hub, &subs[i]);
    ws_frame_unref(f);
    ws_hub_fini(&hub);
    peer_free(&p);
    stop();
}
END_TEST

static void on_drained(void *arg)
{
    *(bool *) arg = true;
}

START_TEST(draining_ends_both_transports)
{
    static bool drained;
    start((struct eio_options){ 0 });
    struct played *waits = serve(EIO_GET, open_polling(), NULL);
    struct peer p = open_peer();
    rig_until(opens == 2);
    drained = false;
    eio_server_drain(engine, 2000, on_drained, &drained);
    CHECK_ANSWER(waits, 200, "1");
    CHECK_ANSWER(serve(EIO_GET, NULL, NULL), 503, "{\"code\":4,\"message\":\"Too many sessions, try again later\"}");
    do rig_until(peer_next(&p, &first, &payload));
    while (first == 0x81);
    ck_assert_uint_eq(first, 0x88);
    ck_assert_int_eq((uint8_t) payload.p[0] << 8 | (uint8_t) payload.p[1], 1001);
    peer_free(&p);
    rig_until(drained);
    ck_assert_int_eq(closes, 2);
    ck_assert_int_eq(closed_why, EIO_GOING_AWAY);
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engineio");
    TCase *tcase = tcase_create("engineio");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_one_turn_has_leaves_in_one_payload);
    tcase_add_test(tcase, what_the_owner_sends_at_once_follows_the_handshake);
    tcase_add_test(tcase, the_opening_is_kept_until_forgotten);
    tcase_add_test(tcase, an_abandoned_poll_is_answered_and_ends_the_session);
    tcase_add_test(tcase, a_second_announced_post_ends_the_session);
    tcase_add_test(tcase, an_announced_post_is_taken_once);
    tcase_add_test(tcase, closing_waits_for_a_poll_and_says_what_waits);
    tcase_add_test(tcase, closing_does_not_wait_for_ever);
    tcase_add_test(tcase, a_handler_may_close_in_the_middle_of_a_payload);
    tcase_add_test(tcase, the_queue_has_a_bound);
    tcase_add_test(tcase, freeing_ends_what_is_left);
    tcase_add_test(tcase, who_is_late_is_gone_before_the_wheel_has_come_by);
    tcase_add_test(tcase, a_pong_that_nobody_asked_for_moves_nothing);
    tcase_add_test(tcase, the_change_comes_byte_by_byte);
    tcase_add_test(tcase, a_hub_reaches_both_transports_with_one_frame);
    tcase_add_test(tcase, draining_ends_both_transports);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
