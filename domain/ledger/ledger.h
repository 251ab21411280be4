/* Postings: 1..n transfers that all happen or none do, durable when `done` says so.
 *
 * All postings that arrive while earlier batches are in flight go into the next batch together: one
 * transaction, several hundred times a second, however many requests. At low load a batch is one
 * posting and leaves at the end of the turn. Each posting has its own outcome; one that fails does not
 * disturb its neighbours. See rules.h for what is decided, batcher.c for how it is made durable. */
#pragma once

#include "core/list.h"
#include "core/metrics.h"
#include "core/turn.h"
#include "core/wheel.h"
#include "db/db.h"
#include "domain/book/book.h"

enum { POSTING_LEGS_MAX = 8, POSTING_ATTACHED_MAX = 4, ATTACHED_FIELDS_MAX = 12 };
/* A key may have 128 characters of any language; POSTING_KEY_MAX are bytes. */
enum { POSTING_KEY_CHARS_MAX = 128, POSTING_KEY_MAX = 4 * POSTING_KEY_CHARS_MAX };

struct leg {
    int64_t debit, credit;        /* account ids; -1 for one that does not exist */
    int64_t amount;               /* > 0, minor units of the asset */
    struct str kind;              /* "bank.transfer"; static text */
};

/* Rows that are written with the posting, or not at all. The statement takes arrays, so that those of a whole
 * batch go in one: $1::bigint[] the postings' ids (transfer.posting), $2::text[] … the fields, one element a
 * posting. */
struct attached {
    const struct sql *sql;
    int field_count;
    struct str fields[ATTACHED_FIELDS_MAX];   /* p == NULL: NULL */
};

/* A leg as it was committed. */
struct posted {
    int64_t id;                               /* transfer.id */
    int64_t debit, credit, amount;
    int64_t debit_after, debit_version;       /* INT64_MIN on an unbounded side */
    int64_t credit_after, credit_version;
    int64_t lifetime_after;                   /* of the points account; INT64_MIN: no points moved */
};

struct posting {
    /* Set by the caller; lives, with all it points to, until `done`. Zero what is not needed. */
    struct leg legs[POSTING_LEGS_MAX];
    int leg_count;
    int64_t actor;                /* users.id of who asked, 0: nobody's */
    int64_t owner;                /* the first leg's debit account must belong to this user; 0: no such rule */
    /* Idempotency: key is the client's, at most POSTING_KEY_MAX bytes, or key.p NULL: none; scope says whose
     * ("u17", "k3"), at most 256 bytes; request is what was asked, canonically ("bank.transfer 5 6 100"),
     * compared when the key is repeated. */
    struct str scope, key, request;
    struct str memo, reference_type, reference_id, metadata;   /* of the first transfer; metadata is JSON text */
    /* Must return a row, else POSTING_GUARDED; it may change rows. A batch takes one guarded posting at most. */
    const struct sql *guard;
    const struct db_args *guard_args;
    struct attached attached[POSTING_ATTACHED_MAX];
    int attached_count;
    /* Called whenever the posting has been decided in its favour, before it is committed (again when it must be
     * decided anew): may look at `posted` (ids included) and at the lifetime points before (of the first
     * points account that moves, else 0), and (re)write attached rows. No I/O. May be NULL. */
    void (*decided)(struct posting *p, int64_t lifetime_before);
    void (*done)(struct posting *p, enum err err);
    void *arg;

    /* Set before `done`. err OK: look at outcome. ERR_UNAVAILABLE, ERR_TIMEOUT: nothing happened.
     * ERR_UNCERTAIN: not known, ask again with the same key. `posted` is for POSTING_DONE and for
     * POSTING_REPLAYED, then as it was stored. */
    enum outcome outcome;
    struct posted posted[POSTING_LEGS_MAX];
    int64_t created_us;
    char sqlstate[6], constraint[64];         /* of POSTING_REFUSED; "" when none */

    /* The batcher's. */
    struct list link, same;       /* same: the postings with this key that came while it was under way */
    uint8_t idem[16];             /* as stored, but for the generation (generations.h) */
    int64_t request_hash;
    uint64_t submitted_ms;
    int64_t first_id;             /* of its transfers; kept whatever becomes of them, 0 until it is given */
    int tries;
    int share;                    /* looking for a culprit: how many suspects its next batch may have; 0: no suspect */
    bool has_idem, uncertain;
};

struct ledger_options {
    uv_loop_t *loop;
    struct turn *turn;
    struct wheel *wheel;
    struct metrics *metrics;
    struct book *book;
    const char *database_url;
    struct db *db;                /* for what is not urgent; NULL: the ledger's own connection does it too */
    int64_t schema_version;
    int queue_max;                /* postings waiting and in flight; beyond it ERR_FULL */
    int deadline_ms;              /* of a posting, from submission to `done` */
    void (*on_state)(void *arg, bool up);
    void *arg;
};

struct ledger;

struct ledger *ledger_new(const struct ledger_options *options);
/* OK: done comes once, later. ERR_UNAVAILABLE, ERR_FULL: it will not. */
enum err ledger_submit(struct ledger *l, struct posting *p);
bool ledger_is_up(const struct ledger *l);
int ledger_queue_length(const struct ledger *l);
/* Finishes what was submitted, then frees itself. Let `closed` set your pointer to NULL: to whoever submits later, NULL
 * is a ledger that is away. */
void ledger_close(struct ledger *l, void (*closed)(void *arg), void *arg);
