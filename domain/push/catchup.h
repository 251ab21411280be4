/* Telling somebody what he missed, whatever he listens by: reads the streams that his cursor is behind from the
 * tables and hands over event after event. While the tables are read, newer events may be pushed to others; so when
 * all that was missing at the beginning has been told, the numbers are compared again, and only when nothing is
 * missing any more `caught_up` comes, in which he is subscribed, in one step. Nothing live can thus overtake what
 * was missed, and nothing falls between.
 *
 *     cursor ahead of us (another process was faster) ──> deferred, looked at again every 100 ms; after 3 s the tables
 *                            tell whether we are behind (AWAY) or the cursor is of another world (UNKNOWN)
 *     something committed here has not come by the stream yet ──> deferred likewise, for 300 ms at most
 *     not ahead ──> ready ──> for each stream: behind? read the next part … none behind ──> caught_up
 *                              └── the client reads slowly: deferred until it has taken what waits */
#pragma once

#include "domain/ledger/event.h"
#include "domain/push/cursor.h"
#include "domain/push/push.h"

enum { CATCHUP_STREAM_MAX = 1000 }; /* events of a stream; who missed more is told the newest of them, or nothing */

struct catchup;

enum catchup_end {
    CATCHUP_AWAY,     /* cannot be told now: try later, or at another process */
    CATCHUP_UNKNOWN,  /* the cursor tells of what never happened here: another database, or before a restore */
    CATCHUP_TOO_MUCH, /* ready or skip said no */
};

enum catchup_skip {
    CATCHUP_SKIP_END,  /* that is too much: `failed` comes */
    CATCHUP_SKIP_TELL, /* the newest are to be told */
    CATCHUP_SKIP_WAIT, /* not yet: it is asked again after catchup_go_on */
};

/* None of them is called from inside catchup_start. Each may end the socket; only `caught_up` and `failed` are the
 * last. */
struct catchup_listener {
    /* This process has seen all that the cursor has. False: nothing is to be told after all (TOO_MUCH). May be NULL. */
    bool (*ready)(void *owner, struct catchup *c);
    /* The next event of a stream; the cursor has been moved on to it. */
    void (*transfer)(void *owner, struct catchup *c, const struct ledger_event *e, const struct account *a);
    void (*inbox)(void *owner, struct catchup *c, int64_t seq, struct str type, struct str data, int64_t at_us);
    /* More than CATCHUP_STREAM_MAX events of the account (0: the inbox) were missed. */
    enum catchup_skip (*skip)(void *owner, struct catchup *c, int64_t account);
    size_t (*waiting)(void *owner); /* bytes sent and not taken yet */
    void (*caught_up)(void *owner, int64_t told);
    void (*failed)(void *owner, enum catchup_end why);
};

/* `person`: all of his streams, or NULL: the accounts of the cursor. */
struct catchup *catchup_start(struct push *p, const struct catchup_listener *listener, void *owner,
                              const struct person *person, const struct cursor *cursor);
void catchup_cancel(struct catchup *c); /* no call comes any more */
void catchup_go_on(struct catchup *c);  /* after CATCHUP_SKIP_WAIT, not from inside of it */
const struct cursor *catchup_cursor(const struct catchup *c);
/* Whether a stream is behind by more than CATCHUP_STREAM_MAX events. */
bool catchup_is_too_much(const struct catchup *c);
void catchup_told(struct catchup *c, size_t bytes); /* an event was sent: for the size of the next part */
void catchup_init(struct push *p);
