/* From CONNECT to the first live event, and what a client that comes back has missed.
 *
 * A stock client hands in two texts of ours: the `pid` of its first CONNECT, and as `offset` the last argument of
 * the last event it saw. Neither is remembered here. The pid of "/" tells whose it is and where his streams stood
 * then; the offset where they stood after that event, and what else the client had subscribed to. So it may come
 * back to any process, whenever: what it missed is read from the tables and sent behind the answer to its CONNECT,
 * which carries the same pid; that makes it say `recovered`. When not everything can be resent the answer carries a
 * new pid, and nothing is. In "/rewards" only who hears a single member can be told what he missed; the pid tells
 * whose it is.
 *
 *     CONNECT ──credentials──▶ memory loaded? ──▶ nothing to be told ──▶ accepted, live
 *                                                 └─▶ catch-up: ready ──▶ accepted, told …──▶ live
 *                                                        └─ too much, unknown ──▶ accepted, live */
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "domain/live/live.h"
#include "domain/push/socketio_private.h"

enum {
    TEXT_MAX = CURSOR_CHARS_MAX + 64,
    NONCE_CHARS = 16,
    CHECK_CHARS = 16,
    LOADED_RETRY_MS = 100,
    LOADED_TRIES_MAX = 100,
};

struct arrival {
    struct patron *patron; /* NULL: the socket has gone, only the credentials are awaited */
    struct arena arena;
    struct str pid, offset, cursor; /* as handed in */
    struct str answer;              /* the pid of our answer */
    struct wheel_timer retry;
    int tries;
    bool checking, accepted;
    struct catchup *catchup;
    const struct reward_member *member; /* whose missed events are told; NULL: the user's own */
};

static void go_on(struct arrival *a);

static void arrival_free(struct arrival *a)
{
    if (a->patron) a->patron->arrival = NULL;
    if (a->catchup) catchup_cancel(a->catchup);
    wheel_cancel(&a->retry);
    a->patron = NULL;
    a->catchup = NULL;
    if (a->checking) return;
    arena_fini(&a->arena);
    mem_free(a);
}

void socketio_leave(struct patron *m)
{
    wheel_cancel(&m->expiry);
    if (m->arrival) arrival_free(m->arrival);
    room_leave_all(m);
}

/* Nothing can be told now. The whole connection ends, because only then a stock client comes back by itself. */
static void send_away(struct arrival *a)
{
    struct sio_socket *s = a->patron->socket;
    arrival_free(a);
    sio_close(s, EIO_FORCED);
}

/* Texts of ours ---------------------------------------------------------------------------------------------------- */

static void put_check(struct buf *b, const struct patron *m, struct str nonce)
{
    uint64_t parts[3] = { (uint64_t) m->who.user, (uint64_t) m->who.key,
                          siphash(m->push->cursor_key, nonce.p, nonce.n) };
    buf_printf(b, "%016llx", (unsigned long long) siphash(m->push->cursor_key, parts, sizeof parts));
}

/* A pid that no client has yet: "u", 16 digits, a cursor; or "r", 16 digits, 16 digits that bind it to its owner. */
static void put_pid(struct buf *b, const struct patron *m, const struct cursor *now)
{
    uint8_t nonce[NONCE_CHARS / 2];
    random_bytes(nonce, sizeof nonce);
    buf_char(b, now ? 'u' : 'r');
    buf_hex(b, nonce, sizeof nonce);
    if (now) cursor_encode(m->push->cursor_key, m->who.user, now, b);
    else put_check(b, m, (struct str){ b->p + 1, NONCE_CHARS });
}

static bool read_cursor(const struct patron *m, int64_t user, struct str text, size_t skip, struct cursor *out)
{
    struct arena arena;
    if (text.n <= skip) return false;
    arena_init(&arena);
    struct str rest = { text.p + skip, text.n - skip };
    bool good = cursor_decode(m->push->cursor_key, user, rest, &arena, out);
    arena_fini(&arena);
    return good;
}

static bool is_rewards_pid(const struct patron *m, struct str pid)
{
    char text[CHECK_CHARS + 1];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text };
    if (pid.n != 1 + NONCE_CHARS + CHECK_CHARS || pid.p[0] != 'r') return false;
    put_check(&b, m, (struct str){ pid.p + 1, NONCE_CHARS });
    return memcmp(text, pid.p + 1 + NONCE_CHARS, CHECK_CHARS) == 0;
}

/* An offset, or a cursor of /ws: whether it tells where to go on, and what was subscribed to. */
static bool read_offset(struct patron *m, struct str text, struct cursor *out)
{
    bool is_offset = text.n && (text.p[0] == 'n' || text.p[0] == 'p');
    m->own_payments = text.n && text.p[0] == 'p';
    return read_cursor(m, m->who.user, text, is_offset, out);
}

/* Where a client of "/" left off. */
static bool find_user_start(struct arrival *a, struct cursor *out)
{
    struct patron *m = a->patron;
    bool known = a->pid.n && a->pid.p[0] == 'u' && read_cursor(m, m->who.user, a->pid, 1 + NONCE_CHARS, out);
    if (known) a->answer = a->pid;
    if (known && a->offset.n) known = read_offset(m, a->offset, out);
    else if (!known && a->cursor.n) known = read_offset(m, a->cursor, out);
    return known;
}

static bool find_member_start(struct arrival *a, struct cursor *out)
{
    struct patron *m = a->patron;
    if (!topic_may_hear_rewards(m->push, &m->who) || !is_rewards_pid(m, a->pid)) return false;
    a->answer = a->pid;
    return a->offset.n && a->offset.p[0] == 'm' && read_cursor(m, 0, a->offset, 1, out) && out->count == 1;
}

/* Accepting -------------------------------------------------------------------------------------------------------- */

/* Who has no pid keeps no offset. */
static void let_in(struct arrival *a, const struct cursor *start)
{
    struct patron *m = a->patron;
    struct buf b, members;
    bool root = sio_namespace(m->socket) == NSP_ROOT;
    bool has_pid = root ? m->who.user != 0 : topic_may_hear_rewards(m->push, &m->who);
    buf_init(&b, TEXT_MAX);
    buf_init(&members, TEXT_MAX + 16);
    if (a->answer.n) buf_str(&b, a->answer);
    else if (has_pid) put_pid(&b, m, root ? start : NULL);
    if (b.n) buf_printf(&members, "\"pid\":\"%.*s\"", STR_FMT(buf_view(&b)));
    a->accepted = true;
    sio_accept(m->socket, buf_view(&members));
    buf_fini(&b);
    buf_fini(&members);
}

/* From here on he hears what is pushed. A token that was revoked meanwhile is noticed here. */
static void enter(struct arrival *a)
{
    struct patron *m = a->patron;
    arrival_free(a);
    if (m->who.user && !auth_still_good(m->push->app->auth, &m->who)) sio_disconnect(m->socket);
    else room_enter(m);
}

static void enter_as_new(struct arrival *a)
{
    struct patron *m = a->patron;
    struct cursor now = { .count = 0 };
    a->answer = STR_NONE;
    m->own_payments = false;
    if (m->who.person) event_cursor_now(m->who.person, &now);
    let_in(a, &now);
    enter(a);
}

/* What was missed -------------------------------------------------------------------------------------------------- */

static bool on_ready(void *owner, struct catchup *c)
{
    struct patron *m = owner;
    struct arrival *a = m->arrival;
    if (catchup_is_too_much(c)) return false;
    if (sio_namespace(m->socket) == NSP_REWARDS) {
        const struct account *account = book_account(&m->push->app->book, catchup_cursor(c)->streams[0].account);
        if (account->kind != ACCOUNT_REWARD_POINTS) return false;
        a->member = member_of(account);
        room_restore_member(m, a->member);
    }
    let_in(a, catchup_cursor(c));
    return true;
}

static void send_missed(struct patron *m, struct catchup *c, struct ws_frame *frame)
{
    if (!frame) return;
    sio_send(m->socket, frame);
    catchup_told(c, frame->size);
    ws_frame_unref(frame);
}

static struct offset offset_of(const struct patron *m, const struct cursor *cursor)
{
    if (m->arrival && m->arrival->member) return (struct offset){ 'm', 0, cursor };
    return (struct offset){ m->own_payments ? 'p' : 'n', m->who.user, cursor };
}

static bool is_bare(const struct patron *m)
{
    return m->room_count != (m->arrival && m->arrival->member ? 1 : 0);
}

static void on_transfer(void *owner, struct catchup *c, const struct ledger_event *e, const struct account *account)
{
    struct patron *m = owner;
    struct offset offset = offset_of(m, catchup_cursor(c)), *kept = is_bare(m) ? NULL : &offset;
    if (!m->arrival->member) {
        send_missed(m, c, socketio_frame_transfer(m->push, e, account, m->who.person, kept));
        return;
    }
    struct arena arena;
    struct reward_event r;
    arena_init(&arena);
    reward_read(e, m->arrival->member, &arena, &r);
    send_missed(m, c, socketio_frame_reward(m->push, &r, kept));
    arena_fini(&arena);
}

static void on_inbox(void *owner, struct catchup *c, int64_t seq, struct str type, struct str data, int64_t at_us)
{
    struct patron *m = owner;
    struct offset offset = offset_of(m, catchup_cursor(c));
    (void) seq;
    if (event_inbox_mask(type) == TOPIC_PAYMENTS && !m->own_payments) return;
    send_missed(m, c, socketio_frame_inbox(m->push, type, data, at_us, is_bare(m) ? NULL : &offset));
}

static enum catchup_skip on_skip(void *owner, struct catchup *c, int64_t account)
{
    (void) owner, (void) c, (void) account;
    return CATCHUP_SKIP_END;
}

static size_t on_waiting(void *owner)
{
    return sio_waiting(((struct patron *) owner)->socket);
}

static void on_caught_up(void *owner, int64_t told)
{
    struct patron *m = owner;
    (void) told;
    m->arrival->catchup = NULL;
    enter(m->arrival);
}

static void on_failed(void *owner, enum catchup_end why)
{
    struct arrival *a = ((struct patron *) owner)->arrival;
    a->catchup = NULL;
    if (a->accepted || why == CATCHUP_AWAY) send_away(a);
    else enter_as_new(a);
}

static const struct catchup_listener telling = {
    .ready = on_ready,
    .transfer = on_transfer,
    .inbox = on_inbox,
    .skip = on_skip,
    .waiting = on_waiting,
    .caught_up = on_caught_up,
    .failed = on_failed,
};

void socketio_forget_missed(struct patron *m)
{
    struct arrival *a = m->arrival;
    if (a && a->member && !room_has_member(m, a->member)) enter(a);
}

const struct reward_member *socketio_missed_member(const struct patron *m)
{
    return m->arrival ? m->arrival->member : NULL;
}

void socketio_send_offset(struct patron *m)
{
    struct cursor now = { 0 };
    struct offset offset = { 'x', 0, NULL };
    int nsp = sio_namespace(m->socket);
    const struct reward_member *member = nsp == NSP_REWARDS ? room_only_member(m) : NULL;
    const struct cursor *cursor = m->arrival && m->arrival->catchup ? catchup_cursor(m->arrival->catchup) : &now;
    if (nsp == NSP_ROOT && !m->who.user) return;
    if (member) {
        if (!m->arrival || m->arrival->member != member) {
            cursor_set(&now, member->account.id, member->account.pushed);
            cursor = &now;
        }
        offset = (struct offset){ 'm', 0, cursor };
    } else if (nsp == NSP_ROOT && m->room_count == 0) {
        if (cursor == &now) event_cursor_now(m->who.person, &now);
        offset = offset_of(m, cursor);
    }
    struct ws_frame *frame = socketio_frame_offset(m->push, nsp, &offset);
    sio_send(m->socket, frame);
    ws_frame_unref(frame);
}

/* Credentials ------------------------------------------------------------------------------------------------------ */

static void on_expired(struct wheel_timer *timer)
{
    struct patron *m = list_entry(timer, struct patron, expiry);
    int64_t left = m->who.expires_s - clock_wall_s();
    if (left <= 0) sio_disconnect(m->socket);
    else wheel_set(m->push->app->wheel, &m->expiry, (uint64_t) left * 1000 + 1); /* the wall clock was set back */
}

/* The socket lives no longer than its token. */
static void set_expiry(struct patron *m)
{
    int64_t left = m->who.user ? m->who.expires_s - clock_wall_s() : 0;
    if (m->who.user) wheel_set(m->push->app->wheel, &m->expiry, (uint64_t) (left > 0 ? left : 0) * 1000 + 1);
}

static void start(struct arrival *a)
{
    struct patron *m = a->patron;
    struct cursor cursor;
    bool root = sio_namespace(m->socket) == NSP_ROOT;
    set_expiry(m);
    if (root ? m->who.user && find_user_start(a, &cursor) : find_member_start(a, &cursor))
        a->catchup = catchup_start(m->push, &telling, m, root ? m->who.person : NULL, &cursor);
    else enter_as_new(a);
}

/* Before memory is loaded there is no now that a pid could stand for. */
static void go_on(struct arrival *a)
{
    struct app *app = a->patron->push->app;
    if (live_was_loaded(app->live)) start(a);
    else if (++a->tries > LOADED_TRIES_MAX) send_away(a);
    else wheel_set(app->wheel, &a->retry, LOADED_RETRY_MS);
}

static void on_retry(struct wheel_timer *timer)
{
    go_on(list_entry(timer, struct arrival, retry));
}

static void refuse(struct arrival *a)
{
    struct sio_socket *s = a->patron->socket;
    arrival_free(a);
    sio_refuse(s, STR("Unauthorized"), STR_NONE);
}

static void on_checked(void *arg, enum auth_result result, const struct caller *who)
{
    struct arrival *a = arg;
    a->checking = false;
    if (!a->patron) {
        arrival_free(a);
    } else if (result == AUTH_YES) {
        a->patron->who = *who;
        go_on(a);
    } else if (result == AUTH_NO) {
        refuse(a);
    } else {
        send_away(a);
    }
}

static void check_token(struct arrival *a, struct str token)
{
    struct caller who;
    a->checking = true;
    enum auth_result result = auth_token(a->patron->push->app->auth, token, &who, on_checked, a);
    if (result != AUTH_WAIT) on_checked(a, result, &who);
}

static void check_key(struct arrival *a, struct str credentials)
{
    struct caller who = { 0 };
    a->checking = true;
    enum auth_result result = auth_key(a->patron->push->app->auth, credentials, &who, on_checked, a);
    if (result != AUTH_WAIT) on_checked(a, result, &who);
}

/* The handshake's Authorization header; none is nobody, another one than ours is refused. */
static void check_header(struct arrival *a, struct str header)
{
    struct caller nobody = { 0 };
    struct str rest = header, scheme = str_cut(&rest, ' '), key;
    rest = str_trim(rest);
    if (header.n == 0) on_checked(a, AUTH_YES, &nobody);
    else if (str_eq_nocase(scheme, STR("Bearer"))) check_token(a, rest);
    else if (str_eq_nocase(scheme, STR("Basic")) && base64_decode(&a->arena, rest, &key)) check_key(a, key);
    else on_checked(a, AUTH_NO, &nobody);
}

/* A text that was handed in, kept until it is used; what is too long is none of ours. */
static struct str keep(struct arrival *a, const struct json *auth, struct str name)
{
    const struct json *value = auth ? json_get(auth, name) : NULL;
    bool good = value && value->type == JSON_STRING && value->text.n <= TEXT_MAX;
    return good ? arena_str(&a->arena, value->text) : STR_NONE;
}

void socketio_arrive(struct patron *m, const struct json *auth)
{
    struct arrival *a = mem_new(struct arrival);
    const struct json *token = auth ? json_get(auth, STR("token")) : NULL;
    const struct json *key = auth ? json_get(auth, STR("key")) : NULL;
    arena_init(&a->arena);
    wheel_timer_init(&a->retry, on_retry);
    wheel_timer_init(&m->expiry, on_expired);
    a->patron = m;
    m->arrival = a;
    a->pid = keep(a, auth, STR("pid"));
    a->offset = keep(a, auth, STR("offset"));
    a->cursor = keep(a, auth, STR("cursor"));
    if (token && token->type == JSON_STRING) check_token(a, token->text);
    else if (key && key->type == JSON_STRING) check_key(a, key->text);
    else if ((token && token->type != JSON_NULL) || (key && key->type != JSON_NULL)) refuse(a);
    else check_header(a, sio_opening(m->socket));
}
