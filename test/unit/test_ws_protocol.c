/* What a client may send and what it gets for it, over real sockets: every case is fed in one
 * piece and byte by byte, and must come out the same. */
#include "test/unit/ws_rig.h"

#define BYTES(literal)               \
    {                                \
        literal, sizeof(literal) - 1 \
    }
#define F(opcode, literal)                         \
    {                                              \
        .first = opcode, .payload = BYTES(literal) \
    }
#define CLOSE_1002 BYTES("\x88\x02\x03\xea")

struct part {
    uint8_t first; /* the frame's first byte; 0x00 is a continuation, too */
    struct str payload;
    bool raw;    /* payload is sent as it is */
    size_t fill; /* the payload is this many 'a' */
};

static const struct {
    const char *name;
    struct part parts[6];
    int n;
    const char *texts; /* '#' stands for a filled text */
    struct str reply;
    int code; /* 0: the connection stays open */
} cases[] = {
    { "a text", { F(0x81, "hi") }, 1, "hi|", BYTES(""), 0 },
    { "an empty text", { F(0x81, "") }, 1, "|", BYTES(""), 0 },
    { "two texts", { F(0x81, "one"), F(0x81, "two") }, 2, "one|two|", BYTES(""), 0 },
    { "fragments", { F(0x01, "a"), F(0x00, "b"), F(0x80, "c") }, 3, "abc|", BYTES(""), 0 },
    { "empty fragments", { F(0x01, ""), F(0x00, ""), F(0x80, "") }, 3, "|", BYTES(""), 0 },
    { "fragments, then a text", { F(0x01, "a"), F(0x80, "b"), F(0x81, "c") }, 3, "ab|c|", BYTES(""), 0 },
    { "a ping between fragments", { F(0x01, "a"), F(0x89, "p"), F(0x80, "b") }, 3, "ab|", BYTES("\x8a\x01p"), 0 },
    { "a pong nobody asked for", { F(0x8a, "x"), F(0x81, "a") }, 2, "a|", BYTES(""), 0 },
    { "a ping without payload", { F(0x89, "") }, 1, "", BYTES("\x8a\x00"), 0 },
    { "the largest message", { { .first = 0x81, .fill = 65536 } }, 1, "#65536|", BYTES(""), 0 },
    { "the largest message in fragments",
      { { .first = 0x01, .fill = 65535 }, F(0x80, "a") },
      2,
      "#65536|",
      BYTES(""),
      0 },
    { "125 bytes", { { .first = 0x81, .fill = 125 } }, 1, "#125|", BYTES(""), 0 },
    { "126 bytes", { { .first = 0x81, .fill = 126 } }, 1, "#126|", BYTES(""), 0 },
    { "a character cut by fragments", { F(0x01, "\xe2\x82"), F(0x80, "\xac") }, 2, "\xe2\x82\xac|", BYTES(""), 0 },

    { "one byte too many", { { .first = 0x81, .fill = 65537 } }, 1, "", BYTES("\x88\x02\x03\xf1"), 1006 },
    { "one byte too many in fragments",
      { { .first = 0x01, .fill = 65535 }, F(0x80, "aa") },
      2,
      "",
      BYTES("\x88\x02\x03\xf1"),
      1006 },
    { "a terabyte announced",
      { { .payload = BYTES("\x81\xff\0\0\1\0\0\0\0\0mmmmx"), .raw = true } },
      1,
      "",
      BYTES("\x88\x02\x03\xf1"),
      1006 },
    { "a length with its highest bit",
      { { .payload = BYTES("\x81\xff\x80\0\0\0\0\0\0\0"), .raw = true } },
      1,
      "",
      CLOSE_1002,
      1006 },
    { "a length that is not the shortest",
      { { .payload = BYTES("\x81\xfe\0\1"), .raw = true } },
      1,
      "",
      CLOSE_1002,
      1006 },
    { "a longer length that is not the shortest",
      { { .payload = BYTES("\x81\xff\0\0\0\0\0\0\xff\xff"), .raw = true } },
      1,
      "",
      CLOSE_1002,
      1006 },
    { "a frame without a mask", { { .payload = BYTES("\x81\x02hi"), .raw = true } }, 1, "", CLOSE_1002, 1006 },
    { "an empty frame without a mask", { { .payload = BYTES("\x81\x00"), .raw = true } }, 1, "", CLOSE_1002, 1006 },
    { "a close without a mask", { { .payload = BYTES("\x88\x02\x03\xe8"), .raw = true } }, 1, "", CLOSE_1002, 1006 },
    { "the first reserved bit", { F(0xc1, "a") }, 1, "", CLOSE_1002, 1006 },
    { "the last reserved bit", { F(0x91, "a") }, 1, "", CLOSE_1002, 1006 },
    { "a reserved bit on a ping", { F(0xc9, "a") }, 1, "", CLOSE_1002, 1006 },
    { "a reserved bit on a continuation", { F(0x01, "a"), F(0xc0, "a") }, 2, "", CLOSE_1002, 1006 },
    { "a reserved opcode", { F(0x83, "a") }, 1, "", CLOSE_1002, 1006 },
    { "a reserved control opcode", { F(0x8b, "a") }, 1, "", CLOSE_1002, 1006 },
    { "a fragmented ping", { F(0x09, "a") }, 1, "", CLOSE_1002, 1006 },
    { "a ping of 126 bytes", { { .first = 0x89, .fill = 126 } }, 1, "", CLOSE_1002, 1006 },
    { "a continuation of nothing", { F(0x80, "a") }, 1, "", CLOSE_1002, 1006 },
    { "a continuation after the last", { F(0x01, "a"), F(0x80, "b"), F(0x80, "c") }, 3, "ab|", CLOSE_1002, 1006 },
    { "a text inside a text", { F(0x01, "a"), F(0x81, "b") }, 2, "", CLOSE_1002, 1006 },
    { "a text, then rubbish", { F(0x81, "a"), F(0x83, "b"), F(0x81, "c") }, 3, "a|", CLOSE_1002, 1006 },
    { "binary", { F(0x82, "a") }, 1, "", BYTES("\x88\x02\x03\xeb"), 1006 },
    { "empty binary", { F(0x82, "") }, 1, "", BYTES("\x88\x02\x03\xeb"), 1006 },
    { "not UTF-8", { F(0x81, "a\xff") }, 1, "", BYTES("\x88\x02\x03\xef"), 1006 },
    { "an overlong form", { F(0x81, "\xc0\xaf") }, 1, "", BYTES("\x88\x02\x03\xef"), 1006 },
    { "a surrogate", { F(0x81, "\xed\xa0\x80") }, 1, "", BYTES("\x88\x02\x03\xef"), 1006 },
    { "half a character", { F(0x81, "\xe2\x82") }, 1, "", BYTES("\x88\x02\x03\xef"), 1006 },
    { "not UTF-8 in the second fragment", { F(0x01, "a"), F(0x80, "\x80") }, 2, "", BYTES("\x88\x02\x03\xef"), 1006 },

    { "a close", { F(0x88, "\x03\xe8") }, 1, "", BYTES("\x88\x02\x03\xe8"), 1000 },
    { "a close without a code", { F(0x88, "") }, 1, "", BYTES("\x88\x00"), 1005 },
    { "a close with a reason",
      { F(0x88, "\x0f\xa0 bye \xe2\x82\xac") },
      1,
      "",
      BYTES("\x88\x0a\x0f\xa0 bye \xe2\x82\xac"),
      4000 },
    { "a close of one byte", { F(0x88, "\x03") }, 1, "", CLOSE_1002, 1006 },
    { "a close with 999", { F(0x88, "\x03\xe7") }, 1, "", CLOSE_1002, 1006 },
    { "a close with 1005", { F(0x88, "\x03\xed") }, 1, "", CLOSE_1002, 1006 },
    { "a close with 1006", { F(0x88, "\x03\xee") }, 1, "", CLOSE_1002, 1006 },
    { "a close with 2999", { F(0x88, "\x0b\xb7") }, 1, "", CLOSE_1002, 1006 },
    { "a close with 5000", { F(0x88, "\x13\x88") }, 1, "", CLOSE_1002, 1006 },
    { "a close whose reason is not UTF-8",
      { F(0x88, "\x03\xe8"
                "abcd\xff") },
      1,
      "",
      BYTES("\x88\x02\x03\xef"),
      1006 },
    { "a close whose reason ends in half a character",
      { F(0x88, "\x03\xe8"
                "ab\xe2\x82") },
      1,
      "",
      BYTES("\x88\x02\x03\xef"),
      1006 },
    { "a close between fragments", { F(0x01, "a"), F(0x88, "\x03\xe9") }, 2, "", BYTES("\x88\x02\x03\xe9"), 1001 },
    { "a text after the close", { F(0x88, "\x03\xe8"), F(0x81, "a") }, 2, "", BYTES("\x88\x02\x03\xe8"), 1000 },
    { "a text, a ping and a close",
      { F(0x81, "a"), F(0x89, "1"), F(0x88, "\x03\xe8") },
      3,
      "a|",
      BYTES("\x88\x02\x03\xe8"),
      1000 },
};

static void put_part(struct buf *out, const struct part *part)
{
    if (part->raw) {
        buf_str(out, part->payload);
        return;
    }
    struct buf fill;
    buf_init(&fill, 1 << 20);
    for (size_t i = 0; i < part->fill; i++) buf_char(&fill, 'a');
    put_frame(out, part->first, part->fill ? buf_view(&fill) : part->payload);
    buf_fini(&fill);
}

/* One piece, one byte at a time, or (large ones) some hundred bytes at a time. */
static void send_in_pieces(struct peer *p, struct str bytes, bool whole)
{
    size_t piece = whole ? bytes.n : bytes.n > 2000 ? 509 : 1;
    while (bytes.n > 0) {
        size_t n = bytes.n < piece ? bytes.n : piece;
        peer_send(p, (struct str){ bytes.p, n });
        bytes = (struct str){ bytes.p + n, bytes.n - n };
        rig_turn();
        peer_read(p);
    }
}

static struct str expand(const char *texts, struct buf *out)
{
    buf_init(out, 1 << 20);
    if (texts[0] != '#') {
        buf_cstr(out, texts);
    } else {
        for (long n = strtol(texts + 1, NULL, 10); n > 0; n--) buf_char(out, 'a');
        buf_char(out, '|');
    }
    return buf_view(out);
}

static bool all_came(struct peer *p, size_t texts, size_t reply, int code)
{
    return peer_got(p) >= reply && rig.texts.n >= texts && (!code || (p->eof && rig.closed == 1));
}

START_TEST(answers)
{
    int i = _i / 2;
    bool whole = _i % 2 == 0;
    struct buf bytes, texts;
    buf_init(&bytes, 1 << 20);
    for (int part = 0; part < cases[i].n; part++) put_part(&bytes, &cases[i].parts[part]);
    struct str expected = expand(cases[i].texts, &texts);

    rig_start((struct ws_options){ 0 });
    struct peer p = peer_open(false);
    send_in_pieces(&p, buf_view(&bytes), whole);
    uint64_t end = clock_mono_ms() + 3000;
    while (!all_came(&p, expected.n, cases[i].reply.n, cases[i].code) && clock_mono_ms() < end) {
        rig_turn();
        if (peer_eof(&p) && p.fd >= 0) { /* the server said all: so do we */
            close(p.fd);
            p.fd = -1;
        }
    }
    ck_assert_msg(str_eq(buf_view(&rig.texts), expected), "%s: %zu bytes of text: %.*s", cases[i].name, rig.texts.n,
                  rig.texts.n > 99 ? 99 : STR_FMT(buf_view(&rig.texts)));
    /* A pong that the close overtook in one piece has left before it in many. */
    struct str reply = buf_view(&p.in);
    if (!whole && str_starts(reply, STR("\x8a\x01"
                                        "1")))
        reply = (struct str){ reply.p + 3, reply.n - 3 };
    ck_assert_msg(str_eq(reply, cases[i].reply), "%s: reply of %zu bytes %02x %02x %02x %02x", cases[i].name, reply.n,
                  reply.n > 0 ? (uint8_t) reply.p[0] : 0, reply.n > 1 ? (uint8_t) reply.p[1] : 0,
                  reply.n > 2 ? (uint8_t) reply.p[2] : 0, reply.n > 3 ? (uint8_t) reply.p[3] : 0);
    ck_assert_msg(rig.closed == (cases[i].code != 0), "%s: %d closed", cases[i].name, rig.closed);
    ck_assert_msg(rig.close_code == cases[i].code, "%s: code %d", cases[i].name, rig.close_code);
    peer_free(&p);
    rig_stop();
    buf_fini(&bytes);
    buf_fini(&texts);
}
END_TEST

START_TEST(the_head_is_exact)
{
    struct buf out;
    buf_init(&out, 1024);
    ck_assert_int_eq(ws_accept_head(STR("dGhlIHNhbXBsZSBub25jZQ=="), STR_NONE, STR_NONE, &out), OK);
    ck_assert_bytes(buf_view(&out),
                    STR("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"));
    buf_clear(&out);
    ck_assert_int_eq(ws_accept_head(STR("dGhlIHNhbXBsZSBub25jZQ=="), STR("tally.v1"), STR("X-Request-Id: 7\r\n"), &out),
                     OK);
    ck_assert_bytes(buf_view(&out),
                    STR("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                        "Sec-WebSocket-Protocol: tally.v1\r\nX-Request-Id: 7\r\n\r\n"));
    buf_fini(&out);
}
END_TEST

START_TEST(refuses_keys)
{
    static const char *const keys[] = {
        "",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZ?==",
        "dGhlIHNhbXBsZSBub25jZWE=",
        "dGhlIHNhbXBsZSBub25jZWFi",
        " GhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25j\r\n==",
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct buf out;
        buf_init(&out, 1024);
        ck_assert_msg(ws_accept_head(str_from(keys[i]), STR_NONE, STR_NONE, &out) == ERR_INVALID, "accepted %s",
                      keys[i]);
        ck_assert_uint_eq(out.n, 0);
        buf_fini(&out);
    }
}
END_TEST

/* Bytes that came behind the upgrade request are the first frames. */
START_TEST(the_rest_is_received_after_the_head)
{
    struct buf rest;
    buf_init(&rest, 1024);
    put_frame(&rest, 0x81, STR("early"));
    put_frame(&rest, 0x89, STR("p"));
    put_frame(&rest, 0x81, STR("cut in two"));
    struct str all = buf_view(&rest);
    rig_start((struct ws_options){ 0 });
    rig.rest = (struct str){ all.p, all.n - 4 };
    struct peer p = peer_open(false);
    rig_until(peer_got(&p) == 3);
    ck_assert_bytes(buf_view(&p.in), STR("\x8a\x01p"));
    peer_send(&p, (struct str){ all.p + all.n - 4, 4 });
    rig_until(rig.texts.n == strlen("early|cut in two|"));
    ck_assert_bytes(buf_view(&rig.texts), STR("early|cut in two|"));
    peer_free(&p);
    rig_stop();
    buf_fini(&rest);
}
END_TEST

/* A hundred thousand fragments of one byte must not cost more than the message. */
START_TEST(tiny_fragments_make_one_message)
{
    rig_start((struct ws_options){ 0 });
    struct peer p = peer_open(false);
    struct buf b;
    buf_init(&b, 4 << 20);
    put_frame(&b, 0x01, STR("x"));
    for (int i = 0; i < 65534; i++) put_frame(&b, 0x00, i % 2 ? STR("x") : STR(""));
    put_frame(&b, 0x80, STR("x"));
    peer_send(&p, buf_view(&b));
    rig_until(rig.texts.n > 0);
    ck_assert_uint_eq(rig.texts.n, 65534 / 2 + 2 + 1);
    buf_fini(&b);
    peer_free(&p);
    rig_stop();
}
END_TEST

START_TEST(a_flood_of_pings_is_answered_by_the_newest)
{
    rig_start((struct ws_options){ 0 });
    struct peer p = peer_open(false);
    struct buf b;
    buf_init(&b, 4 << 20);
    for (int i = 0; i < 5000; i++) put_frame(&b, 0x89, STR("older"));
    put_frame(&b, 0x89, STR("newest"));
    peer_send(&p, buf_view(&b));
    rig_until(peer_got(&p) >= 8 && memcmp(p.in.p + p.in.n - 8, "\x8a\x06newest", 8) == 0);
    ck_assert_uint_lt(p.in.n, 5000 * 7 / 10);
    ck_assert_uint_eq(ws_session_waiting(rig.last), 0);
    buf_fini(&b);
    peer_free(&p);
    rig_stop();
}
END_TEST

START_TEST(a_talker_is_closed_with_1008)
{
    rig_start((struct ws_options){ .messages_per_second = 10 });
    struct peer p = peer_open(false);
    for (int i = 0; i < 50; i++) peer_send_frame(&p, 0x81, STR("x"));
    rig_until(rig.texts.n == 100);
    ck_assert(!ws_session_is_closing(rig.last));
    for (int i = 0; i < 10; i++) peer_send_frame(&p, 0x81, STR("x"));
    rig_until(peer_eof(&p));
    ck_assert_bytes(buf_view(&p.in), STR("\x88\x02\x03\xf0"));
    ck_assert_uint_le(rig.texts.n, 104);
    peer_free(&p);
    rig_until(rig.closed == 1);
    rig_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ws_protocol");
    TCase *tcase = tcase_create("ws_protocol");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, answers, 0, 2 * (int) (sizeof cases / sizeof *cases));
    tcase_add_test(tcase, the_head_is_exact);
    tcase_add_test(tcase, refuses_keys);
    tcase_add_test(tcase, the_rest_is_received_after_the_head);
    tcase_add_test(tcase, tiny_fragments_make_one_message);
    tcase_add_test(tcase, a_flood_of_pings_is_answered_by_the_newest);
    tcase_add_test(tcase, a_talker_is_closed_with_1008);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
