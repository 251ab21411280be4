/* From the change stream into memory and out to the sockets.
 *
 *     away ──stream on_live──> loading ──tables read, differences pushed, waiting messages taken──> live
 *      ^                          │                                                                  │
 *      └───────── on_lost ────────┴──────────────────────────────────────────────────────────────────┘
 *
 * Loading reads users, accounts and revoked tokens in chunks while messages that commit meanwhile wait in a
 * bounded queue. For accounts and inboxes whose number in the tables is higher than what the stream had
 * brought, and whose user is connected here, the missing events are read and pushed, in order, before any
 * waiting message; so a lost slot costs time, never an event. Each stream of events is pushed without gap or
 * double: account.pushed and person.inbox_seq are what has been pushed. */
#pragma once

#include "domain/app.h"

enum live_state { LIVE_AWAY, LIVE_LOADING, LIVE_LIVE };

struct live *live_new(struct app *app);
enum live_state live_state(const struct live *l);

/* Where reads come from now: memory while live, and while the database is away; the database while it answers but the
 * stream does not (then another process's commits could be missing in memory). False before the first load while there
 * is nothing in memory. */
bool live_memory_is_good(const struct live *l);
bool live_was_loaded(const struct live *l);

void live_close(struct live *l, void (*closed)(void *arg), void *arg);
void live_free(struct live *l); /* after closed */

/* Enters what a statement of ours returned as its message (user_message(), account_message() …), before the stream
 * brings it: the writer reads its own writes. Text is JSON, one message or an array of them. Returns the (last) account
 * when it was one's message, else NULL. */
const struct account *live_apply_own(struct live *l, struct str message);
