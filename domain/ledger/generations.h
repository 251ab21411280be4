/* Generations of the idempotency keys: which one is open, and which closed ones perhaps know a key.
 *
 * A key is stored under the number of the generation that was open when it was used; why, is told in
 * migrations/0010_key_generations.sql. So a key may lie in any of them; but all that is in a closed one is known, and a
 * filter made of it (two bytes a key) answers for nearly every new key without asking PostgreSQL. A closed generation
 * whose filter is not there yet is asked instead. Filters are made by whichever process comes to it, kept in the table,
 * and read from there at the start.
 *
 *     unknown ──generations.sql──▶ known ──a million transfer ids later──▶ close ──▶ unknown
 *        ▲                           │
 *        └────────── TL004: another process has closed it ──┘
 *
 * While they are unknown no batch is sent: a millisecond for a million transfers. */
#pragma once

#include "core/bloom.h"
#include "db/db.h"
#include "domain/ledger/ledger.h"

struct generation {
    int64_t from_id, closed_us;
    bool filtered;                /* the filter knows all that is in it */
    struct bloom filter;
};

struct generations {
    struct ledger *ledger;
    struct generation *closed;    /* by number */
    int count, cap;               /* of closed ones, which is the number of the open one */
    int64_t from_id;              /* of the open one */
    bool known, reading, sound;   /* sound: what was read is what the table must look like */
    int64_t tried_id;             /* the next transfer id when it was last tried to close the open one */
    struct arena arena;

    struct filter_job {           /* filters.c: the filter that is being read or made */
        bool busy;
        int number;
        int64_t closed_us;        /* of the generation, to know it again */
        struct bloom filter;
        char last[33];            /* the newest key in it, in hexadecimal digits */
        struct arena arena;
        struct wheel_timer again;
    } job;
};

void generations_init(struct generations *g, struct ledger *l);
void generations_fini(struct generations *g);

/* Reads them anew; until then they are unknown. The ledger is pumped when they are known. */
void generations_read(struct generations *g);
/* Closes the open one if it has lasted long enough, given the next transfer id, and reads them anew. */
void generations_turn(struct generations *g, int64_t next_id);

/* Under what a key that is used now is stored. */
void generations_stamp(const struct generations *g, const struct posting *p, uint8_t out[16]);
/* Adds to `out` the 16 bytes under which p's key may have been stored in each closed generation that perhaps knows it;
 * returns how many. */
int generations_places(const struct generations *g, const struct posting *p, struct buf *out);

/* filters.c: reads or makes the filters that are missing, one after the other, none while the ledger is closing. */
void filters_init(struct generations *g);
void filters_next(struct generations *g);
void filters_stop(struct generations *g);      /* a step under way still ends: job.busy */
/* For keys: which bits of a filter are a key's. */
uint64_t filters_hash(const uint8_t idem[16]);
