/* What the files of the ledger share behind ledger.h. */
#pragma once

#include "domain/ledger/batch.h"
#include "domain/ledger/forecast.h"
#include "domain/ledger/generations.h"
#include "domain/ledger/keys.h"
#include "domain/ledger/meters.h"

enum { ID_BLOCK = 4096, FLIGHT_MAX = 3, TICK_MS = 100 };

/* Where a posting that is not in a batch waits. All of them are bounded together by queue_max. */
enum queue {
    QUEUE_NEW,       /* to be predicted */
    QUEUE_DOUBT,     /* predicted to be refused, or perhaps a replay: to be looked up */
    QUEUE_EXACT,     /* to be decided under locks */
    QUEUES
};

struct ledger {
    struct ledger_options options;
    struct db *db;
    struct list queues[QUEUES];
    int queued;                    /* postings submitted and not settled, wherever they are */

    struct list flight;            /* batches under way, in the order of their answers */
    int flight_count;
    struct batch *locking;         /* the exact batch that has not been synced yet: nothing goes behind it till then */
    bool drain;                    /* a batch failed: nothing is predicted until all under way have ended */
    int distrust;                  /* batches still to be decided under locks: another process moves our accounts */
    int distrust_next;
    int since_exact;               /* batches since the last exact one */
    enum batch_form last_form;
    struct list spare;             /* batches to be used again */
    uint64_t serial;

    int64_t next_id, end_id;       /* the block of transfer ids in use, and the next one (0: none yet) */
    int64_t spare_block;
    bool fetching;
    struct arena block_arena;

    struct forecasts forecasts;
    struct keys keys;
    struct generations generations;
    struct meters *meters;
    struct columns columns;

    struct turn_item pump;
    struct wheel_timer tick, pause;
    bool up, closing, db_closed;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* batcher.c */
void ledger_pump(struct ledger *l);                    /* at the end of this turn */
struct batch *ledger_batch(struct ledger *l, enum batch_form form);
bool ledger_ids(struct ledger *l, struct posting *p);  /* gives p its transfer ids, if there are enough */
void ledger_queue(struct ledger *l, enum queue queue, struct posting *p);
/* The batch is over: takes it out of flight, lets go of its forecasts. Its postings must have been dealt with. */
void ledger_batch_over(struct batch *b);
void ledger_commit(struct batch *b);                   /* enters the batch's accounts into the book */
void ledger_settle(struct ledger *l, struct posting *p, enum err err);

/* exact.c */
bool exact_start(struct ledger *l);                    /* false: nothing was started */

/* look.c */
bool look_start(struct ledger *l);

/* found.c: what look.sql, lock.sql and keys.sql answer. */
void found_accounts(struct batch *b, const struct db_result *r);
void found_keys(struct batch *b, const struct db_result *r);
struct rules_account *found_account(void *arg, int64_t id);   /* for struct rules_accounts; arg: the batch */
const struct key_found *found_key(const struct batch *b, int posting);
/* Writes what was committed with p's key into p->posted; true when it was this posting's own doing. */
bool found_take(const struct key_found *key, struct posting *p);
void found_clear(struct batch *b);
/* Adds the statement that goes before them: what keys.sql finds then is all there is, until the unit ends. */
void found_hold_generation(struct batch *b);
/* The parameters of those statements, for the batch's postings. */
void found_ask_accounts(struct batch *b, struct db_args *args);
void found_ask_keys(struct batch *b, struct db_args *args);

/* retry.c: what becomes of the postings of a batch that failed. */
void retry_batch(struct batch *b, enum err err, const struct db_result *r);
