/* Queues of what is to be sent to the outside: mails, text messages, pushes. A row of the kind's table is
 * written in the transaction that caused it, sent at once and again after 30 s, 2 min, 10 min, then given
 * up and logged. Any process may send any row: it takes due ones with a lease (next_try_at, FOR UPDATE SKIP
 * LOCKED), so that a crash costs a delay and at most a second copy. */
#pragma once

#include "domain/app.h"

struct outbox;

enum { PARCEL_CELLS_MAX = 6 };

/* One row. */
struct parcel {
    int64_t id;
    struct str cells[PARCEL_CELLS_MAX];   /* terminated; valid until `done` */
};

struct outbox_kind {
    const char *name;                     /* for the log */
    /* take.sql: rows of id, `columns` texts, ms until the next that is not due yet. settle.sql: $1 ids, $2 'sent',
     * 'failed', 'refused' or 'released' of each; rows: the ids that are given up. clean.sql: no parameters. */
    const struct sql *take, *settle, *clean;
    int columns;
    /* OK: done comes once, later: OK; ERR_INVALID: refused for good; ERR_CLOSED: not begun; any other: tried again.
     * ERR_FULL: ask again when one of those under way is over. */
    enum err (*send)(void *sender, const struct parcel *parcel, void (*done)(void *arg, enum err err), void *arg);
};

/* *place is set to NULL when the queue is closed. */
struct outbox *outbox_new(struct app *app, const struct outbox_kind *kind, void *sender, struct outbox **place);
/* Something was written into the table: look now instead of at the next second. Cheap; call it after every
 * commit that wrote a row. */
void outbox_wake(struct outbox *o);   /* NULL, after the close, is fine */
/* What is under way is finished, the rest left to be sent by the next process. Frees itself. */
void outbox_close(struct outbox *o, void (*closed)(void *arg), void *arg);
