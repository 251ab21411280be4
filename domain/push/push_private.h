/* What door.c, listener.c, topic.c, event.c, reward.c and resume.c share. */
#pragma once

#include "domain/auth/auth.h"
#include "domain/push/cursor.h"
#include "domain/push/push.h"
#include "ws/hub.h"
#include "ws/session.h"

/* What a user's own topic carries; a subscription's mask says which of them it wants. */
enum topic_mask { TOPIC_POINTS = 1, TOPIC_PAYMENTS = 2, TOPIC_ACCOUNTS = 4, TOPIC_OWN = 7, TOPIC_SHARED = 8 };

enum {
    TOPICS_MAX = 100,
    ANONYMOUS_MS = 60 * 1000,
    EXPIRING_S = 60,
    EVENT_BYTES_MAX = 16384,
};

enum close_code {
    CLOSE_MALFORMED = 4400,
    CLOSE_TOKEN = 4401,
    CLOSE_FORBIDDEN = 4403,
    CLOSE_SLOW = 4408,
    CLOSE_TRY_LATER = 1013,
};

/* The forms in which a rewards member's events are told; each has a topic for all members and one for each. */
enum member_form {
    MEMBER_WS,     /* points-updated on /ws */
    MEMBER_BARE,   /* Socket.IO */
    MEMBER_OFFSET, /* Socket.IO, to who hears only one member and can be told what he missed */
    MEMBER_PLAIN,  /* the plain WebSocket on /rewards */
    MEMBER_FORMS,
};

/* The same for payments of a username. */
enum payments_form { PAYMENTS_WS, PAYMENTS_SOCKETIO };

struct push {
    struct app *app;
    uint8_t cursor_key[SIPHASH_KEY_BYTES];
    struct list deferred; /* struct catchup: waiting until this process has seen what their cursors have */
    struct wheel_timer poll;
    struct metric events, resumed, resyncs;
    uint64_t rewards_keys[MEMBER_FORMS]; /* of the topics of all members */
};

/* A rewards member's transfer, as each form of its event needs it. */
struct reward_event {
    const struct reward_member *member;
    int64_t transfer, seq, at_us;
    int64_t delta, balance;
    struct str category;          /* of an earning; STR_NONE: not told */
    int64_t amount;               /* of the purchase that earned it, minor units */
    struct str reward_type;       /* of a redemption; STR_NONE: not told */
};

/* One more topic than the user's own. */
struct extra_topic {
    struct list link;
    struct ws_subscription subscription;
    struct str name;
};

/* Behind each session (ws_session_extra). Small: there is one for each of ten thousand idle sockets. */
struct listener {
    struct push *push;
    struct ws_session *session;
    struct caller who;          /* user and key 0: nobody */
    struct ws_subscription own; /* to the user's events, once told what was missed */
    struct list extra;          /* struct extra_topic; initialised by door.c */
    struct catchup *catchup;    /* what was missed is being told, or NULL */
    struct standing *standing;  /* how things stand is being read, see resume.c, or NULL */
    struct auth_wait *waiting;  /* a token of an auth frame is being checked, or NULL */
    uint16_t topics;            /* how many in `extra` */
    uint8_t own_mask;           /* what `own` carries, also while it is not subscribed yet */
    bool expiring_told;
};

/* listener.c: from an accepted socket to its events. */
extern const struct ws_handler listener_handler;
/* Somebody has proved who he is (or nobody has): tells what was missed, says hello, subscribes. */
void listener_begin(struct listener *l, const struct caller *who, struct str cursor);
void listener_hello(struct listener *l, int64_t resumed); /* -1: null */
void listener_refuse(struct listener *l, enum auth_result result);
struct listener *listener_of(struct ws_session *s);

/* socketio.c: the same for Socket.IO clients. */
struct sio_server *socketio_new(struct app *app);

/* topic.c */
void topic_subscribe(struct listener *l, const struct json *topics);
void topic_unsubscribe(struct listener *l, const struct json *topics);
void topic_leave_all(struct listener *l);
uint64_t topic_user_key(int64_t user);
/* `member` STR_NONE: all members. */
uint64_t topic_member_key(const struct push *p, enum member_form form, struct str member);
uint64_t topic_payments_key(const struct push *p, enum payments_form form, struct str username);
bool topic_may_hear_payments(const struct push *p, const struct caller *who, struct str username);
bool topic_may_hear_rewards(const struct push *p, const struct caller *who);
/* Adds a topic without further questions. */
void topic_listen(struct listener *l, struct str name, uint64_t key);

/* event.c */
enum topic_mask event_mask(const struct account *a);
/* With one reference, the caller's. `cursor` is what the frame carries. */
struct ws_frame *event_transfer(struct push *p, const struct ledger_event *e, const struct account *a,
                                const struct person *person, const struct cursor *cursor);
struct ws_frame *event_inbox(struct push *p, const struct person *person, int64_t seq, struct str type, struct str data,
                             int64_t at_us, const struct cursor *cursor);
enum topic_mask event_inbox_mask(struct str type);
struct ws_frame *event_reward(struct push *p, const struct reward_event *r);
/* The data of balance-updated. */
void event_put_money(struct buf *b, const struct push *p, const struct ledger_event *e, const struct account *a);
/* The data of pointsUpdated or rewardRedeemed, and which of them it is. */
void event_put_rewarded(struct buf *b, const struct push *p, const struct reward_event *r);
struct str event_reward_name(const struct reward_event *r);

/* reward.c: texts of `r` live in the arena. */
void reward_read(const struct ledger_event *e, const struct reward_member *m, struct arena *arena,
                 struct reward_event *r);
/* The cursor of all that this process has pushed to the user. */
void event_cursor_now(const struct person *person, struct cursor *out);
/* `invoices` is the JSON text of those that are open. */
void event_put_snapshot(struct push *p, const struct person *person, struct str invoices, struct buf *out);

/* resume.c */
void resume_start(struct listener *l, struct str cursor);
void resume_cancel(struct listener *l);

/* stream.c: /rewards as a plain WebSocket. */
extern const struct ws_handler stream_handler;
void stream_begin(struct listener *l, const struct caller *who, struct str cursor);
struct ws_frame *stream_reward(struct push *p, const struct reward_event *r);

/* The same events to Socket.IO clients, and what ends these (see push.h). */
bool socketio_wants_user(const struct push *p, int64_t user);
void socketio_transfer(struct push *p, const struct ledger_event *e, const struct account *a,
                       const struct person *person, const struct cursor *cursor);
void socketio_inbox(struct push *p, const struct person *person, int64_t seq, struct str type, struct str data,
                    int64_t at_us, const struct cursor *cursor);
void socketio_payment(struct push *p, uint64_t key, struct str data, int64_t at_us); /* to a username's followers */
struct ws_frame *socketio_reward_bare(struct push *p, const struct reward_event *r);
struct ws_frame *socketio_reward_offset(struct push *p, const struct reward_event *r);
void socketio_restart_user(struct push *p, int64_t user);
void socketio_recheck_user(struct push *p, int64_t user);
void socketio_recheck_key(struct push *p, int64_t key);
void socketio_reloaded(struct push *p);
