/* A batch: postings that go to PostgreSQL together, and the accounts they change, netted. */
#pragma once

#include "db/db.h"
#include "domain/ledger/forecast.h"

enum batch_form { BATCH_OPTIMISTIC, BATCH_LOOK, BATCH_EXACT, BATCH_FORMS };

enum { BATCH_POSTINGS_MAX = 512, BATCH_LEGS_MAX = 1024, BATCH_STATEMENTS_MAX = 64 };

/* A bounded account that the batch changes, as it was before and will be after. */
struct touch {
    struct forecast *forecast;
    int64_t id;
    int64_t balance, version, lifetime;
    int64_t balance_after, version_after, lifetime_after;
};

/* What was committed with a key: rows first … first + legs - 1 of the answer. */
struct key_found {
    int posting;                   /* index into batch->postings */
    int64_t request_hash, created_us;
    int leg_count;
    struct posted legs[POSTING_LEGS_MAX];
};

struct statement {
    struct batch *batch;
    const struct sql *sql;
};

struct batch {
    struct ledger *ledger;
    struct list link;
    enum batch_form form;
    uint64_t serial, started_us;
    struct db_unit *unit;
    struct arena arena;            /* parameters, until the end of the unit */

    struct posting *postings[BATCH_POSTINGS_MAX];   /* all, in the order of submission */
    int count;
    struct posting *admitted[BATCH_POSTINGS_MAX];   /* those decided in their favour, in the order of decision */
    int admitted_count, leg_count;
    struct touch touches[2 * BATCH_LEGS_MAX];
    int touch_count;
    int64_t unbounded[2 * BATCH_LEGS_MAX];
    int unbounded_count;

    struct statement statements[BATCH_STATEMENTS_MAX];
    int statement_count;
    const struct sql *failed;      /* the statement PostgreSQL refused */
    int64_t created_us;
    bool written;                  /* executed; told before the commit when it was sent by db_flush_sync */

    /* Exact batches and look-ups: what was read. */
    struct forecast **found;       /* by id */
    int found_count, found_cap;
    struct key_found *keys;        /* by posting */
    int key_count, key_cap;
    struct posting *guarded;
    struct rules_verdict guarded_verdict;
    int guard_rows;
};

/* Room for one column of a statement at a time; the ledger has one, since statements are built one after the other. */
struct columns {
    int64_t numbers[2 * BATCH_LEGS_MAX];
    struct str texts[BATCH_LEGS_MAX];
    uint8_t uuids[BATCH_LEGS_MAX][16];
    struct row { const struct posting *posting; int leg; } rows[BATCH_LEGS_MAX];
    struct posting *order[BATCH_POSTINGS_MAX];
    struct buf events;
    struct buf places, place_numbers;   /* where keys may lie (16 bytes), and whose they are (8) */
};

struct batch *batch_new(struct ledger *l);
void batch_free(struct batch *b);
void batch_clear(struct batch *b);

/* One more posting with so many legs? */
bool batch_has_room(const struct batch *b, const struct posting *p);
/* Takes a posting that the rules have decided in its favour; its ids have been given. */
void batch_admit(struct batch *b, struct posting *p, const struct rules_verdict *v);
/* Adds a statement of the batch to its unit; batch->failed tells when it was the one that PostgreSQL refused. */
void batch_statement(struct batch *b, const struct sql *sql, const struct db_args *args, db_done done);
/* Adds the statements that make all admitted postings happen; the unit is not synced yet. */
void batch_write(struct batch *b, struct columns *columns);
/* For batch_write and write_one: nobody has a memo, a reference or metadata; the message's parameter; the statement's
 * answer. */
bool batch_is_plain(const struct batch *b);
void batch_put_events(struct batch *b, struct columns *columns, struct db_args *args);
/* The parameters about keys, which come last. */
void batch_put_keys(struct batch *b, struct columns *columns, struct db_args *args);
void batch_written(void *arg, enum err err, const struct db_result *r);

/* write_one.c: true when the batch is one transfer between two ordinary accounts; its statement has been added then. */
bool write_one(struct batch *b, struct columns *columns);
