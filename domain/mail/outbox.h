/* The queue of mails: rows of mail_outbox, sent at once and again after 30 s, 2 min, 10 min, then
 * given up. Any process may send any row: it takes due ones with FOR UPDATE SKIP LOCKED semantics
 * (a lease by next_try_at), so that a crash costs a delay and at most a second copy. */
#pragma once

#include "domain/app.h"

struct outbox;

struct outbox *outbox_new(struct app *app, struct mailer *mailer);
/* Something was put into mail_outbox: look now instead of at the next second. Cheap; call it after
 * every commit that wrote a mail. */
void outbox_wake(struct outbox *o);   /* NULL, after the close, is fine */
/* Mails under way are finished, the others left to be sent by the next process. Frees itself and
 * sets app->outbox to NULL. */
void outbox_close(struct outbox *o, void (*closed)(void *arg), void *arg);
