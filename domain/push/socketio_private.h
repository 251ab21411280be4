/* What the files of Socket.IO's side share: socketio.c (who connects), socketio_room.c (who hears what),
 * socketio_recover.c (what a client missed), socketio_event.c (frames). */
#pragma once

#include "domain/push/catchup.h"
#include "domain/push/push_private.h"
#include "ws/socketio.h"

enum { NSP_ROOT, NSP_REWARDS };

/* Whose frames a socket of a user gets in "/": those that get the same bytes share a topic. */
enum user_room {
    ROOM_PERSONAL, /* his own events, each with an offset */
    ROOM_PAYMENTS, /* and those of his payments */
    ROOM_BARE,     /* he hears somebody else's payments, too: without offset, since these cannot be resent */
    ROOM_PRESENCE, /* no events: a token that is revoked is looked for here */
    ROOM_COUNT,
};

/* A subscription that a client has asked for: the payments of a username in "/", a member in "/rewards". */
struct room {
    struct list link;
    struct patron *patron;
    struct ws_subscription subscription;
    struct str name; /* the username in lower case, or the member's id; STR_NONE: presence */
};

/* Behind each socket (sio_extra). Small: there is one for each of ten thousand idle sockets. */
struct patron {
    struct push *push;
    struct sio_socket *socket;
    struct caller who;          /* user and key 0: nobody */
    struct ws_subscription own; /* in "/" to his user's events, in "/rewards" to those of all members */
    struct list rooms;          /* struct room */
    struct wheel_timer expiry;  /* of the token */
    struct arrival *arrival;    /* until he hears live events; or NULL */
    uint16_t room_count;        /* presence not counted */
    bool own_payments;
};

/* socketio_recover.c: a socket from CONNECT to its first live event. */

struct arrival; /* credentials are checked, then what was missed is told; outlives its socket when need be */
void socketio_arrive(struct patron *m, const struct json *auth);
void socketio_leave(struct patron *m); /* the socket has gone */
/* The client is to hold an offset that tells of its subscriptions as they are now, also if no event follows. */
void socketio_send_offset(struct patron *m);
/* The member whose missed events are being told, or NULL; and after a change, when he is not wanted any more. */
const struct reward_member *socketio_missed_member(const struct patron *m);
void socketio_forget_missed(struct patron *m);

/* socketio_room.c */

void room_take_event(struct patron *m, const struct sio_event *event);
/* He hears live events from now on. */
void room_enter(struct patron *m);
void room_leave_all(struct patron *m);
/* Adds the member's room without an acknowledgement, before room_enter. */
void room_restore_member(struct patron *m, const struct reward_member *member);
bool room_has_member(struct patron *m, const struct reward_member *member);
/* The only member whose events are wanted; NULL: not one, or he is not known (yet). */
const struct reward_member *room_only_member(const struct patron *m);
uint64_t room_user_key(int64_t user, enum user_room room);

/* socketio_event.c: the forms of events here; NULL when an event has none. */

/* What a client hands in to be told what it missed: "n" or "p" (with own payments) and the cursor of a user, "m" and
 * the cursor of a member, "x": it hears what cannot be resent. */
struct offset {
    char kind;
    int64_t user; /* 0: a member's */
    const struct cursor *cursor;
};
void offset_put(struct buf *b, const struct push *p, const struct offset *offset);
struct ws_frame *socketio_frame_offset(const struct push *p, int nsp, const struct offset *offset);
struct ws_frame *socketio_frame_transfer(const struct push *p, const struct ledger_event *e, const struct account *a,
                                         const struct person *person, const struct offset *offset);
/* Of an event of the user's inbox. */
struct ws_frame *socketio_frame_inbox(const struct push *p, struct str type, struct str data, int64_t at_us,
                                      const struct offset *offset);
struct ws_frame *socketio_frame_reward(const struct push *p, const struct reward_event *r, const struct offset *offset);
