/* Mails: as text, as files, and told to a small mail server that runs on the same loop. */
#include "core/mail.h"

#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/mail_message.h"
#include "core/outbox.h"

static uv_loop_t loop;
static struct mailer *mailer;
static char dir[] = "/tmp/tally-test-mail-XXXXXX";
static char outbox[64];
static int done_count;
static enum err done_err;
static struct mail mail = {
    .to = { "ann@example.com", 15 }, .subject = { "Hello", 5 }, .text = { "Hi Ann,\n.dot\nbye", 16 }, .id = 42,
};

static void done(void *arg, enum err err)
{
    ck_assert_ptr_eq(arg, &mail);
    done_count++;
    done_err = err;
}

static void close_in_done(void *arg, enum err err)
{
    done(arg, err);
    mailer_close(mailer);
    mailer = NULL;
}

static void run_until_done(int count)
{
    while (done_count < count) uv_run(&loop, UV_RUN_ONCE);
}

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    digest_init();
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(outbox, sizeof outbox, "%s/data/mail", dir);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
}

/* The names in the outbox, sorted; "." files too. */
static int list_outbox(struct dirent ***entries)
{
    return scandir(outbox, entries, NULL, alphasort);
}

static void teardown(void)
{
    if (mailer) mailer_close(mailer);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    outbox_prune(outbox, "", 0);
    rmdir(outbox);
    outbox[strlen(outbox) - 5] = 0;
    rmdir(outbox);
    rmdir(dir);
}

/* ---------------------------------------------------------------- the text */

static struct buf written;

static const char *write_mail(const struct mail *m, const char *from)
{
    struct mail_sender sender;
    ck_assert(mail_sender_read(str_from(from), &sender));
    buf_fini(&written);
    buf_init(&written, 1 << 20);
    mail_message_write(&written, m, &sender, 1770631200);
    buf_char(&written, 0);
    ck_assert(!written.failed);
    return written.p;
}

#define contains(text, part) ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text)

START_TEST(plain_text)
{
    const char *text = write_mail(&mail, "Tally <no-reply@tally.example>");
    contains(text, "Date: Mon, 09 Feb 2026 10:00:00 +0000\r\n");
    contains(text, "From: Tally <no-reply@tally.example>\r\nTo: <ann@example.com>\r\nSubject: Hello\r\n");
    contains(text, "\r\nMessage-ID: <42.");
    contains(text, "@tally.example>\r\n");
    contains(text, "Content-Type: text/plain; charset=utf-8\r\n");
    contains(text, "\r\n\r\nHi Ann,\r\n.dot\r\nbye\r\n");
    buf_fini(&written);
}
END_TEST

START_TEST(both_bodies)
{
    struct mail m = mail;
    m.html = STR("<p>caf\xc3\xa9 = 1 </p> \n");
    const char *text = write_mail(&m, "no-reply@tally.example");
    contains(text, "From: <no-reply@tally.example>\r\n");
    contains(text, "multipart/alternative; boundary=\"=_tally_");
    contains(text, "Content-Type: text/html; charset=utf-8\r\n");
    contains(text, "<p>caf=C3=A9 =3D 1 </p>=20\r\n");
    ck_assert_str_eq(text + strlen(text) - 4, "--\r\n");
    buf_fini(&written);
}
END_TEST

START_TEST(the_same_mail_has_the_same_message_id)
{
    struct mail other = mail;
    char first[64], second[64], third[64];
    memcpy(first, strstr(write_mail(&mail, "a@b.c"), "Message-ID"), 35);
    memcpy(second, strstr(write_mail(&mail, "a@b.c"), "Message-ID"), 35);
    other.text = STR("another");
    memcpy(third, strstr(write_mail(&other, "a@b.c"), "Message-ID"), 35);
    ck_assert_int_eq(memcmp(first, second, 35), 0);
    ck_assert_int_ne(memcmp(first, third, 35), 0);
    buf_fini(&written);
}
END_TEST

/* Every line within its limit, CR and LF only together, nothing but ASCII, headers not forged. */
START_TEST(hostile_content_stays_content)
{
    char text[3000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char) (i * 31 % 256);
    char subject[] = "J\xc3\xbcrgen\r\nBcc: evil@example.com\r\n\r\n"
                     "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac";
    struct mail m = mail;
    m.subject = str_from(subject);
    m.text = m.html = (struct str){ text, sizeof text };
    const char *out = write_mail(&m, "J\xc3\xbcrgen \r\nX: y <a@b.c>");
    ck_assert_ptr_null(strstr(out, "Bcc"));
    ck_assert_ptr_null(strstr(out, "\nX:"));
    size_t column = 0;
    for (size_t i = 0; i + 1 < written.n; i++) {
        unsigned char c = (unsigned char) out[i];
        if (c == '\n' && (i == 0 || out[i - 1] != '\r')) ck_abort_msg("bare LF at %zu", i);
        if (c == '\r' && out[i + 1] != '\n') ck_abort_msg("bare CR at %zu", i);
        column = c == '\n' ? 0 : column + 1;
        if (column > 79 || c > '~' || (c < ' ' && c != '\r' && c != '\n' && c != '\t')) ck_abort_msg("byte %zu", i);
    }
    contains(out, "Subject: =?UTF-8?B?SsO8cmdlbiAg");
    contains(out, "?=\r\n =?UTF-8?B?");
    buf_fini(&written);
}
END_TEST

START_TEST(addresses)
{
    const char *const good[] = { "a@b", "a.b+c@example.com", "o'neil@example.co.uk" };
    const char *const bad[] = { "", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\r\nRCPT TO:<x@y>", "a@b>", "<a@b",
                                "a@b\n", "a\xc3\xa9@b", "a@b c", "a,b@c", "a:b@c" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) ck_assert(mail_address_is_safe(str_from(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!mail_address_is_safe(str_from(bad[i])), "%s", bad[i]);
    }
    char longest[256];
    memset(longest, 'a', sizeof longest);
    longest[3] = '@';
    ck_assert(mail_address_is_safe((struct str){ longest, 254 }));
    ck_assert(!mail_address_is_safe((struct str){ longest, 255 }));
}
END_TEST

/* ---------------------------------------------------------------- files */

static void open_files(int parallel_max)
{
    const char *fault;
    struct mailer_options o = { .from = "Tally <no-reply@b.c>", .outbox_dir = outbox, .parallel_max = parallel_max };
    mailer = mailer_new(&loop, &o, &fault);
    ck_assert_msg(mailer != NULL, "%s", fault);
}

START_TEST(writes_files)
{
    open_files(2);
    struct dirent **names;
    ck_assert_int_eq(mailer_send(mailer, &mail, done, &mail), OK);
    ck_assert_int_eq(mailer_send(mailer, &mail, done, &mail), OK);
    ck_assert_int_eq(mailer_send(mailer, &mail, done, &mail), ERR_FULL);
    ck_assert_int_eq(done_count, 0);
    run_until_done(2);
    ck_assert_int_eq(done_err, OK);
    mail.id = 43;
    ck_assert_int_eq(mailer_send(mailer, &mail, done, &mail), OK);
    run_until_done(3);
    int n = list_outbox(&names);
    ck_assert_int_ge(n, 4);   /* the first two may have been the same millisecond, thus the same name */
    ck_assert_ptr_nonnull(strstr(names[n - 1]->d_name, "Z-000000000043.eml"));
    ck_assert_ptr_nonnull(strstr(names[n - 2]->d_name, "Z-000000000042.eml"));
    for (int i = 0; i < n; i++) {
        ck_assert_ptr_null(strstr(names[i]->d_name, ".tmp"));
        free(names[i]);
    }
    free(names);
}
END_TEST

START_TEST(an_address_that_is_none_is_refused_later)
{
    open_files(2);
    struct mail m = mail;
    m.to = STR("a@b\r\nBcc: c@d");
    ck_assert_int_eq(mailer_send(mailer, &m, done, &mail), OK);
    ck_assert_int_eq(done_count, 0);
    run_until_done(1);
    ck_assert_int_eq(done_err, ERR_INVALID);
}
END_TEST

START_TEST(closing_tells_the_mails_under_way)
{
    open_files(3);
    struct mail m = mail;
    m.to = STR("nobody");
    ck_assert_int_eq(mailer_send(mailer, &mail, done, &mail), OK);
    ck_assert_int_eq(mailer_send(mailer, &mail, done, &mail), OK);
    ck_assert_int_eq(mailer_send(mailer, &m, done, &mail), OK);
    mailer_close(mailer);
    ck_assert_int_eq(done_count, 0);
    ck_assert_int_eq(mailer_send(mailer, &mail, done, &mail), ERR_CLOSED);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(done_count, 3);
    ck_assert_int_eq(done_err, ERR_CLOSED);
    mailer = NULL;
}
END_TEST

START_TEST(pruning_keeps_the_newest)
{
    ck_assert(outbox_make_dir(outbox));
    for (int i = 0; i < 7; i++) {
        char name[32];
        snprintf(name, sizeof name, "2026020%dT1.eml", i);
        ck_assert(outbox_write(outbox, name, STR("x")));
    }
    ck_assert(outbox_write(outbox, "0.json", STR("of another kind")));
    outbox_prune(outbox, ".eml", 3);
    struct dirent **names;
    ck_assert_int_eq(list_outbox(&names), 6);
    const char *const left[] = { ".", "..", "0.json", "20260204T1.eml", "20260205T1.eml", "20260206T1.eml" };
    for (int i = 0; i < 6; i++) {
        ck_assert_str_eq(names[i]->d_name, left[i]);
        free(names[i]);
    }
    free(names);
}
END_TEST

START_TEST(faults_of_the_settings)
{
    const char *fault = NULL;
    struct mailer_options o = { .from = "nobody", .outbox_dir = outbox, .parallel_max = 1 };
    ck_assert_ptr_null(mailer_new(&loop, &o, &fault));
    ck_assert_str_eq(fault, "the sender of mails is no mail address");
    o.from = "a@b.c";
    o.outbox_dir = "/dev/null/mail";
    ck_assert_ptr_null(mailer_new(&loop, &o, &fault));
    ck_assert_str_eq(fault, "the mail outbox is no directory");
}
END_TEST

/* ---------------------------------------------------------------- SMTP */

/* A mail server that keeps to a script: what it answers to each command, or that it hangs up. */
struct script {
    const char *greeting, *ehlo, *mail, *rcpt, *data, *end;   /* NULL: hangs up; "": says nothing */
    enum err err;
    bool delivered;
};

static const struct script *script;
static uv_tcp_t listener, peer;
static struct buf said, body;
static bool in_data, quit, silence;

static void on_peer_closed(uv_handle_t *handle)
{
    (void) handle;
}

static void hang_up(void)
{
    if (peer.loop && !uv_is_closing((uv_handle_t *) &peer)) uv_close((uv_handle_t *) &peer, on_peer_closed);
}

static void answer(const char *text)
{
    if (!text) {
        hang_up();
        return;
    }
    silence = text[0] == 0;
    uv_buf_t b = uv_buf_init((char *) (uintptr_t) text, (unsigned) strlen(text));
    if (b.len) ck_assert_int_eq(uv_try_write((uv_stream_t *) &peer, &b, 1), (int) b.len);
}

static void take_line(struct str line)
{
    if (in_data) {
        buf_str(&body, line);
        if (!str_eq(line, STR(".\r\n"))) return;
        in_data = false;
        answer(script->end);
    } else if (str_starts(line, STR("EHLO "))) {
        answer(script->ehlo);
    } else if (str_starts(line, STR("MAIL "))) {
        ck_assert(str_eq(line, STR("MAIL FROM:<no-reply@b.c>\r\n")));
        answer(script->mail);
    } else if (str_starts(line, STR("RCPT "))) {
        ck_assert(str_eq(line, STR("RCPT TO:<ann@example.com>\r\n")));
        answer(script->rcpt);
    } else if (str_starts(line, STR("DATA"))) {
        in_data = script->data && script->data[0] == '3';
        answer(script->data);
    } else if (str_starts(line, STR("QUIT"))) {
        quit = true;   /* and never an answer: nobody may wait for it */
    } else {
        ck_abort_msg("unexpected: %.*s", STR_FMT(line));
    }
}

static void on_alloc(uv_handle_t *handle, size_t n, uv_buf_t *out)
{
    static char room[65536];
    (void) handle, (void) n;
    *out = uv_buf_init(room, sizeof room);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *data)
{
    (void) stream;
    if (n < 0) {
        hang_up();
        return;
    }
    buf_put(&said, data->base, (size_t) n);
    char *at;
    while (said.n && (at = memchr(said.p, '\n', said.n))) {
        size_t length = (size_t) (at - said.p) + 1;
        take_line((struct str){ said.p, length });
        buf_consume(&said, length);
    }
}

static void on_connection(uv_stream_t *stream, int status)
{
    ck_assert_int_eq(status, 0);
    uv_tcp_init(&loop, &peer);
    ck_assert_int_eq(uv_accept(stream, (uv_stream_t *) &peer), 0);
    uv_read_start((uv_stream_t *) &peer, on_alloc, on_read);
    answer(script->greeting);
}

static void open_smtp(const char *user, const char *password)
{
    struct sockaddr_in address;
    int length = sizeof address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(&loop, &listener);
    ck_assert_int_eq(uv_tcp_bind(&listener, (struct sockaddr *) &address, 0), 0);
    ck_assert_int_eq(uv_listen((uv_stream_t *) &listener, 8, on_connection), 0);
    uv_tcp_getsockname(&listener, (struct sockaddr *) &address, &length);
    buf_init(&said, 1 << 20);
    buf_init(&body, 1 << 20);
    const char *fault;
    struct mailer_options o = { .host = "127.0.0.1", .port = ntohs(address.sin_port), .from = "no-reply@b.c",
                                .user = user, .password = password, .parallel_max = 1 };
    mailer = mailer_new(&loop, &o, &fault);
    ck_assert_msg(mailer != NULL, "%s", fault);
}

static void close_smtp(void)
{
    if (!quit) hang_up();
    uv_close((uv_handle_t *) &listener, NULL);
    if (mailer) mailer_close(mailer);
    mailer = NULL;
    uv_run(&loop, UV_RUN_DEFAULT);
    buf_fini(&said);
    buf_fini(&body);
}

#define HELLO "220 test\r\n", "250-test\r\n250 8BITMIME\r\n"

static const struct script scripts[] = {
    { HELLO, "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 taken\r\n", OK, true },
    { HELLO, "250-ok\r\n250 ok\r\n", "251 forwarded\r\n", "354-go\r\n354 go\r\n", "250-taken\r\n250\r\n", OK, true },
    { HELLO, "250 ok\r\n", "550 no such user\r\n", "", "", ERR_INVALID, false },
    { HELLO, "250 ok\r\n", "451 try later\r\n", "", "", ERR_UNAVAILABLE, false },
    { HELLO, "553 not as this sender\r\n", "", "", "", ERR_INVALID, false },
    { HELLO, "530 log in first\r\n", "", "", "", ERR_UNAVAILABLE, false },
    { HELLO, "421 going away\r\n", "", "", "", ERR_UNAVAILABLE, false },
    { HELLO, "250 ok\r\n", "250 ok\r\n", "554 no\r\n", "", ERR_INVALID, false },
    { HELLO, "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "552 too big\r\n", ERR_INVALID, true },
    { HELLO, "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "452 disk full\r\n", ERR_UNAVAILABLE, true },
    { HELLO, "250 ok\r\n", "250 ok\r\n", "354 go\r\n", NULL, ERR_UNAVAILABLE, true },
    { HELLO, "250 ok\r\n", "250 ok\r\n", NULL, "", ERR_UNAVAILABLE, false },
    { HELLO, "250 ok\r\n", NULL, "", "", ERR_UNAVAILABLE, false },
    { HELLO, NULL, "", "", "", ERR_UNAVAILABLE, false },
    { HELLO, "what?\r\n", "", "", "", ERR_UNAVAILABLE, false },
    { HELLO, "250 ok\r\n", "250 ok\r\n", "250 not 354\r\n", "", ERR_UNAVAILABLE, false },
    { "220 test\r\n", NULL, "", "", "", "", ERR_UNAVAILABLE, false },
    { "554 not you\r\n", "", "", "", "", "", ERR_UNAVAILABLE, false },
    { NULL, "", "", "", "", "", ERR_UNAVAILABLE, false },
};

START_TEST(keeps_to_the_protocol)
{
    script = &scripts[_i];
    open_smtp(NULL, NULL);
    uint64_t start = uv_hrtime();
    ck_assert_int_eq(mailer_send(mailer, &mail, done, &mail), OK);
    run_until_done(1);
    ck_assert_msg(done_err == script->err, "script %d: %d", _i, done_err);
    ck_assert_uint_lt(uv_hrtime() - start, 5000000000u);   /* QUIT is never answered */
    buf_char(&body, 0);
    if (script->delivered) {
        contains(body.p, "\r\nHi Ann,\r\n..dot\r\nbye\r\n.\r\n");
    } else {
        ck_assert_uint_eq(body.n, 1);
    }
    uv_run(&loop, UV_RUN_NOWAIT);
    close_smtp();
    ck_assert_int_eq(done_count, 1);
    if (script->err == OK) ck_assert(quit);
}
END_TEST

/* More than the sockets hold: the mail goes in pieces, and arrives as one. */
START_TEST(a_large_mail_arrives_whole)
{
    script = &scripts[0];
    open_smtp(NULL, NULL);
    int small = 4096;
    uv_send_buffer_size((uv_handle_t *) &listener, &small);
    uv_recv_buffer_size((uv_handle_t *) &listener, &small);
    struct mail large = mail;
    static char text[900000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = i % 60 == 0 ? '\n' : i % 60 == 1 ? '.' : 'x';
    large.text = (struct str){ text, sizeof text };
    ck_assert_int_eq(mailer_send(mailer, &large, done, &mail), OK);
    run_until_done(1);
    ck_assert_int_eq(done_err, OK);
    size_t dots = 0;
    for (size_t i = 2; i < body.n; i++) dots += memcmp(body.p + i - 2, "\n..", 3) == 0;
    ck_assert_uint_eq(dots, sizeof text / 60);
    close_smtp();
}
END_TEST

START_TEST(nobody_listens)
{
    script = &scripts[0];
    open_smtp(NULL, NULL);
    uv_close((uv_handle_t *) &listener, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_int_eq(mailer_send(mailer, &mail, done, &mail), OK);
    run_until_done(1);
    ck_assert_int_eq(done_err, ERR_UNAVAILABLE);
    buf_fini(&said);
    buf_fini(&body);
}
END_TEST

/* The server offers no TLS and we have a password: it must not be said. */
START_TEST(a_password_is_not_said_in_the_clear)
{
    static const struct script no_tls = { .greeting = "220 test\r\n", .ehlo = "250-test\r\n250 AUTH PLAIN LOGIN\r\n",
                                          .mail = "250 ok\r\n" };
    script = &no_tls;
    open_smtp("user", "secret");
    ck_assert_int_eq(mailer_send(mailer, &mail, done, &mail), OK);
    run_until_done(1);
    ck_assert_int_eq(done_err, ERR_UNAVAILABLE);
    close_smtp();
}
END_TEST

/* The server falls silent at each step in turn; closing ends the mail at once, and whole or not. */
static const struct script silent[] = {
    { "", "", "", "", "", "", ERR_CLOSED, false },
    { "220 test\r\n", "", "", "", "", "", ERR_CLOSED, false },
    { HELLO, "", "", "", "", ERR_CLOSED, false },
    { HELLO, "250 ok\r\n", "", "", "", ERR_CLOSED, false },
    { HELLO, "250 ok\r\n", "250 ok\r\n", "", "", ERR_CLOSED, false },
    { HELLO, "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "", ERR_CLOSED, true },
};

START_TEST(closing_at_every_step)
{
    script = &silent[_i];
    open_smtp(NULL, NULL);
    ck_assert_int_eq(mailer_send(mailer, &mail, done, &mail), OK);
    ck_assert_int_eq(mailer_send(mailer, &mail, done, &mail), ERR_FULL);
    while (!silence) uv_run(&loop, UV_RUN_ONCE);
    uint64_t start = uv_hrtime();
    close_smtp();
    ck_assert_uint_lt(uv_hrtime() - start, 2000000000u);
    ck_assert_int_eq(done_count, 1);
    ck_assert_int_eq(done_err, ERR_CLOSED);
}
END_TEST

START_TEST(done_may_close_the_mailer)
{
    script = &scripts[_i];
    open_smtp(NULL, NULL);
    ck_assert_int_eq(mailer_send(mailer, &mail, close_in_done, &mail), OK);
    run_until_done(1);
    ck_assert_int_eq(done_err, script->err);
    close_smtp();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mail");
    TCase *tcase = tcase_create("mail");
    tcase_set_timeout(tcase, 12);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, plain_text);
    tcase_add_test(tcase, both_bodies);
    tcase_add_test(tcase, the_same_mail_has_the_same_message_id);
    tcase_add_test(tcase, hostile_content_stays_content);
    tcase_add_test(tcase, addresses);
    tcase_add_test(tcase, writes_files);
    tcase_add_test(tcase, an_address_that_is_none_is_refused_later);
    tcase_add_test(tcase, closing_tells_the_mails_under_way);
    tcase_add_test(tcase, pruning_keeps_the_newest);
    tcase_add_test(tcase, faults_of_the_settings);
    tcase_add_loop_test(tcase, keeps_to_the_protocol, 0, sizeof scripts / sizeof *scripts);
    tcase_add_test(tcase, a_large_mail_arrives_whole);
    tcase_add_test(tcase, nobody_listens);
    tcase_add_test(tcase, a_password_is_not_said_in_the_clear);
    tcase_add_loop_test(tcase, closing_at_every_step, 0, sizeof silent / sizeof *silent);
    tcase_add_loop_test(tcase, done_may_close_the_mailer, 0, sizeof scripts / sizeof *scripts);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
