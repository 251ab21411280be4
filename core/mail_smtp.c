/* libcurl makes the connection: name, TCP, TLS or STARTTLS, greeting, log-in, all without blocking.
 * The dialogue that follows is ours, because libcurl's own waits on the thread that calls it for
 * the server's answer to the mail and to QUIT, and ends a cancelled mail as if it were whole.
 *
 *   CONNECT --> MAIL --> RCPT --> DATA --> BODY --> ENDED
 *      |          |        |        |        |        ^
 *      +----------+--------+--------+--------+--------+   refused, hung up, or 10 s without progress
 *
 * We say QUIT when the server still listens, but do not wait for the answer. */
#include "core/mail_smtp.h"

#include <string.h>

#include "core/buf.h"
#include "core/list.h"
#include "core/mem.h"
#include "core/must.h"

/* A piece is what TLS says at once, and thus what counts as progress. */
enum { INPUT_BYTES = 2048, OUTPUT_BYTES_MAX = 4 << 20, PIECE_BYTES = 16384 };

enum state { CONNECT, MAIL, RCPT, DATA, BODY, ENDED };

struct smtp_session {
    struct curl_transfer transfer;
    struct curl_loop *curl;
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_poll_t poll;
    int handles;                /* open libuv handles; the last one's close frees the session */
    enum state state;
    struct buf from, to, message;
    struct buf output;          /* what the server has not taken yet */
    char input[INPUT_BYTES];    /* what it said and is not a whole line yet */
    size_t input_n;
    char fault[CURL_ERROR_SIZE];   /* libcurl's words, while connecting */
    void (*done)(void *arg, const struct smtp_end *end);
    void *arg;
};

static const struct str lost = STR("the connection was lost");

static const char *const step_names[] = { "connect", "mail", "rcpt", "data", "body", "ended" };

static void on_handle_closed(uv_handle_t *handle)
{
    struct smtp_session *s = handle->data;
    if (--s->handles > 0) return;
    buf_fini(&s->from);
    buf_fini(&s->to);
    buf_fini(&s->message);
    buf_fini(&s->output);
    mem_free(s);
}

/* Idempotent. The poll handle stops before libcurl closes the socket under it. */
static void hang_up(struct smtp_session *s)
{
    if (s->state == ENDED) return;
    bool polls = s->handles == 2;
    s->state = ENDED;
    if (polls) uv_close((uv_handle_t *) &s->poll, on_handle_closed);
    uv_close((uv_handle_t *) &s->timer, on_handle_closed);
    curl_loop_remove(s->curl, &s->transfer);
    curl_easy_cleanup(s->transfer.easy);
}

/* The session lives until its handles' close callbacks, and so does what `why` points to. */
static void end(struct smtp_session *s, enum err err, int code, struct str why)
{
    struct smtp_end how = { err, step_names[s->state], code, why };
    hang_up(s);
    s->done(s->arg, &how);
}

static void on_timeout(uv_timer_t *handle)
{
    end(handle->data, ERR_UNAVAILABLE, 0, STR("no answer in time"));
}

static void expect_progress(struct smtp_session *s)
{
    uv_timer_start(&s->timer, on_timeout, CURL_LOOP_TIMEOUT_MS, 0);
}

/* ---------------------------------------------------------------- connecting */

static void on_connected(struct curl_transfer *t, CURLcode code);

static CURL *easy_for(const struct smtp_server *server)
{
    CURL *easy = curl_loop_easy();
    curl_easy_setopt(easy, CURLOPT_URL, server->url);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_USE_SSL, (long) (server->password ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    if (server->user) curl_easy_setopt(easy, CURLOPT_USERNAME, server->user);
    if (server->password) curl_easy_setopt(easy, CURLOPT_PASSWORD, server->password);
    return easy;
}

/* The message with its dots doubled at the beginnings of lines, and the final dot. */
static void stuff_dots(struct buf *out, struct str message)
{
    while (message.n > 0) {
        const char *end_of_line = memchr(message.p, '\n', message.n);
        size_t n = end_of_line ? (size_t) (end_of_line - message.p) + 1 : message.n;
        if (message.p[0] == '.') buf_char(out, '.');
        buf_put(out, message.p, n);
        if (!end_of_line) buf_cstr(out, "\r\n");
        message.p += n;
        message.n -= n;
    }
    buf_cstr(out, ".\r\n");
}

struct smtp_session *smtp_start(uv_loop_t *loop, struct curl_loop *curl, const struct smtp_server *server,
                                const struct smtp_envelope *envelope,
                                void (*done)(void *arg, const struct smtp_end *end), void *arg)
{
    struct smtp_session *s = mem_new(struct smtp_session);
    s->loop = loop;
    s->curl = curl;
    s->done = done;
    s->arg = arg;
    buf_init(&s->from, 512);
    buf_init(&s->to, 512);
    buf_init(&s->message, OUTPUT_BYTES_MAX);
    buf_init(&s->output, OUTPUT_BYTES_MAX);
    buf_printf(&s->from, "MAIL FROM:<%.*s>\r\n", STR_FMT(envelope->from));
    buf_printf(&s->to, "RCPT TO:<%.*s>\r\n", STR_FMT(envelope->to));
    stuff_dots(&s->message, envelope->message);
    must(!s->from.failed && !s->to.failed && !s->message.failed);
    must(uv_timer_init(loop, &s->timer) == 0);
    s->timer.data = s;
    s->handles = 1;
    s->transfer.easy = easy_for(server);
    curl_easy_setopt(s->transfer.easy, CURLOPT_ERRORBUFFER, s->fault);
    s->transfer.done = on_connected;
    curl_loop_add(curl, &s->transfer);
    return s;
}

void smtp_cancel(struct smtp_session *s)
{
    hang_up(s);
}

/* ---------------------------------------------------------------- the dialogue */

static void on_poll(uv_poll_t *handle, int status, int events);

static bool send_output(struct smtp_session *s)
{
    while (s->output.n > 0) {
        size_t sent = 0;
        size_t n = s->output.n < PIECE_BYTES ? s->output.n : PIECE_BYTES;
        CURLcode code = curl_easy_send(s->transfer.easy, s->output.p, n, &sent);
        if (code == CURLE_AGAIN) break;
        if (code != CURLE_OK) return false;
        buf_consume(&s->output, sent);
        expect_progress(s);
    }
    int events = UV_READABLE | (s->output.n > 0 ? UV_WRITABLE : 0);
    return uv_poll_start(&s->poll, events, on_poll) == 0;
}

static bool say(struct smtp_session *s, enum state next, const struct buf *text)
{
    s->state = next;
    buf_put(&s->output, text->p, text->n);
    expect_progress(s);
    return send_output(s);
}

static bool say_words(struct smtp_session *s, enum state next, const char *words)
{
    s->state = next;
    buf_cstr(&s->output, words);
    expect_progress(s);
    return send_output(s);
}

static void on_connected(struct curl_transfer *t, CURLcode code)
{
    struct smtp_session *s = list_entry(t, struct smtp_session, transfer);
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (code == CURLE_OK) curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (fd == CURL_SOCKET_BAD || uv_poll_init_socket(s->loop, &s->poll, fd) != 0) {
        end(s, ERR_UNAVAILABLE, (int) code, str_from(s->fault[0] ? s->fault : curl_easy_strerror(code)));
        return;
    }
    s->poll.data = s;
    s->handles++;
    if (!say(s, MAIL, &s->from)) end(s, ERR_UNAVAILABLE, 0, lost);
}

/* A log-in or TLS that the server misses is for the operator to mend: the mail waits. */
static enum err refusal(int code)
{
    bool of_the_session = code == 530 || code == 534 || code == 535 || code == 538;
    return code / 100 == 5 && !of_the_session ? ERR_INVALID : ERR_UNAVAILABLE;
}

/* Our last word; best effort, whatever the buffer still held is not for this ending. */
static void end_politely(struct smtp_session *s, enum err err, int code)
{
    bool listens = s->output.n == 0;
    size_t sent;
    if (listens) curl_easy_send(s->transfer.easy, "QUIT\r\n", 6, &sent);
    end(s, err, code, STR("the server refused"));
}

static void on_reply(struct smtp_session *s, int code)
{
    int wanted = s->state == DATA ? 3 : 2;
    if (code / 100 != wanted || (s->state == BODY && s->output.n > 0)) {
        end_politely(s, refusal(code), code);
        return;
    }
    bool said = true;
    switch (s->state) {
    case MAIL: said = say(s, RCPT, &s->to); break;
    case RCPT: said = say_words(s, DATA, "DATA\r\n"); break;
    case DATA: said = say(s, BODY, &s->message); break;
    case BODY: end_politely(s, OK, code); break;
    default: must(!"a reply in a state without a question");
    }
    if (!said) end(s, ERR_UNAVAILABLE, 0, lost);
}

/* Three digits, and a blank (or nothing) behind them in the last line of a reply; 0: not the last. */
static int reply_code(struct str line, bool *malformed)
{
    int64_t code;
    *malformed = line.n < 3 || !str_to_i64((struct str){ line.p, 3 }, &code) || code < 200 || code > 599;
    if (*malformed) return 0;
    return line.n > 3 && line.p[3] == '-' ? 0 : (int) code;
}

/* Takes whole lines from the input; the session may end with any. */
static void take_lines(struct smtp_session *s)
{
    char *end_of_line;
    while (s->state != ENDED && (end_of_line = memchr(s->input, '\n', s->input_n))) {
        size_t n = (size_t) (end_of_line - s->input) + 1;
        bool malformed;
        int code = reply_code(str_trim((struct str){ s->input, n }), &malformed);
        s->input_n -= n;
        memmove(s->input, s->input + n, s->input_n);
        if (malformed) {
            end(s, ERR_UNAVAILABLE, 0, STR("what answered is no mail server"));
        } else if (code != 0) {
            on_reply(s, code);
        }
    }
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct smtp_session *s = handle->data;
    bool alive = status == 0 && (!(events & UV_WRITABLE) || send_output(s));
    while (alive && s->state != ENDED) {
        size_t n = 0, room = sizeof s->input - s->input_n;
        /* No reply line is that long (RFC 5321 allows 512): without room, the peer is no mail server. */
        CURLcode code = room ? curl_easy_recv(s->transfer.easy, s->input + s->input_n, room, &n) : CURLE_RECV_ERROR;
        if (code == CURLE_AGAIN) return;
        alive = code == CURLE_OK && n > 0;
        s->input_n += n;
        if (alive) take_lines(s);
    }
    if (s->state != ENDED) end(s, ERR_UNAVAILABLE, 0, lost);
}
