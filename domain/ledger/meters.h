/* The ledger's figures for /metrics. */
#pragma once

#include "core/metrics.h"
#include "domain/ledger/batch.h"

struct meters {
    struct metric outcomes[OUTCOME_COUNT], errors[ERR_COUNT];
    struct metric batches[BATCH_FORMS], postings[BATCH_FORMS], seconds[BATCH_FORMS];
    struct metric lone, lone_conflicts; /* by write_one.sql */
    struct metric conflicts, failures, recovered, queue;
    struct metric generations, unfiltered;   /* of the idempotency keys */
    char labels[OUTCOME_COUNT + ERR_COUNT][32];
    struct meters *next;
};

/* The registry (may be NULL) reads them for as long as it lives, so they outlive the ledger. */
struct meters *meters_new(struct metrics *registry, int64_t (*queue)(void *arg), void *arg);
void meters_retire(struct meters *m);          /* the ledger is gone: its queue is not asked any more */
void meters_settled(struct meters *m, enum err err, enum outcome outcome);
void meters_batch(struct meters *m, enum batch_form form, int postings, uint64_t us);
