/* Who hears what: the /ws door, its protocol, the events' frames, cursors and resuming (contract/70-events). */
#pragma once

#include "domain/app.h"
#include "domain/ledger/event.h"

/* Makes app->ws and app->socketio, too: those who hear. */
struct push *push_new(struct app *app);
void push_free(struct push *p);

extern const struct endpoint push_endpoints[]; /* GET /ws, /socket.io/ */

/* From domain/live, in commit order, each stream's numbers without gap or double. A transfer comes once for each of
 * its sides that has an owner; `account` is that side's. */
void push_transfer(struct push *p, const struct ledger_event *e, const struct account *account);
/* The same for a rewards member: he has no sockets of his own, but topics of everybody's who may hear them. */
void push_reward(struct push *p, const struct ledger_event *e, const struct reward_member *member);
void push_inbox(struct push *p, const struct person *person, int64_t seq, struct str type, struct str data,
                int64_t at_us);
/* Somebody of this user is connected here: what he missed is worth reading. */
bool push_wants_user(const struct push *p, int64_t user);
/* Too much was missed to be pushed: the user's sockets close with 1013, and resume from their cursors. */
void push_restart_user(struct push *p, int64_t user);
/* A token was revoked, a user disabled or his password changed: sockets that stand on it close with 4401. */
void push_recheck_user(struct push *p, int64_t user);
/* There was no stream for a while, and now all that was missed has been pushed. Revocations may have been missed,
 * too, and events of shared topics are for ever: sockets whose token is void close with 4401, those with a key or a
 * shared topic with 1013. */
void push_reloaded(struct push *p);
/* A Basic key was changed or revoked: its sockets close with 4401. */
void push_recheck_key(struct push *p, int64_t key);
