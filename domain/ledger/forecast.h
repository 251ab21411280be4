/* What an account will be once the batches under way have committed. The book holds what has committed;
 * a batch is predicted on the forecast where there is one, else on the book. The same struct holds an
 * account as an exact batch found it under its lock, because that is what it leaves behind for the
 * next batch to be predicted on. */
#pragma once

#include "domain/book/book.h"
#include "domain/ledger/rules.h"

struct forecast {
    struct rules_account state;    /* first: the rules' pointer is ours */
    struct account *account;       /* the book's entry, NULL when unknown there */
    int batches;                   /* under way that change it */
    uint64_t batch;                /* serial of the newest of them */
    struct forecast *next;
};

struct forecasts {
    struct forecast *spare;        /* to be used again */
    struct forecast *fresh;        /* looked at for the batch being put together, perhaps not changed by it */
};

void forecasts_fini(struct forecasts *f);
struct forecast *forecast_new(struct forecasts *f);
void forecast_free(struct forecasts *f, struct forecast *one);

/* The account's forecast, made from the book when there is none. */
struct forecast *forecast_of(struct forecasts *f, struct account *a);
/* Drops those that were only looked at. */
void forecasts_settle(struct forecasts *f);
/* A batch that changed it has ended. */
void forecast_release(struct forecasts *f, struct forecast *one);
