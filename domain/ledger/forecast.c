/* A forecast lives from the first batch that touches its account until the last such batch has ended.
 * When a batch fails, those behind it that touch the same accounts fail too, since they find other
 * versions than they expect; the batcher then predicts nothing until all under way have ended, and by
 * then no forecast is left. So a forecast that came to nothing is never built upon. */
#include "domain/ledger/forecast.h"

#include "core/mem.h"
#include "core/must.h"

void forecasts_fini(struct forecasts *f)
{
    must(!f->fresh);
    for (struct forecast *one = f->spare, *next; one; one = next) {
        next = one->next;
        mem_free(one);
    }
    f->spare = NULL;
}

struct forecast *forecast_new(struct forecasts *f)
{
    struct forecast *one = f->spare;
    if (!one) return mem_new(struct forecast);
    f->spare = one->next;
    *one = (struct forecast){ .batch = 0 };
    return one;
}

void forecast_free(struct forecasts *f, struct forecast *one)
{
    one->next = f->spare;
    f->spare = one;
}

struct forecast *forecast_of(struct forecasts *f, struct account *a)
{
    struct forecast *one = a->forecast;
    if (one) {
        /* The stream may have told a new status meanwhile; the rest is ours alone. */
        one->state.status = a->status;
        return one;
    }
    one = forecast_new(f);
    one->state = (struct rules_account){
        .id = a->id, .owner = a->owner, .balance = a->balance, .version = a->version, .lifetime = a->lifetime,
        .asset = a->asset, .status = a->status, .unbounded = a->unbounded,
    };
    one->account = a;
    a->forecast = one;
    one->next = f->fresh;
    f->fresh = one;
    return one;
}

static void drop(struct forecasts *f, struct forecast *one)
{
    if (one->account && one->account->forecast == one) one->account->forecast = NULL;
    forecast_free(f, one);
}

void forecasts_settle(struct forecasts *f)
{
    for (struct forecast *one = f->fresh, *next; one; one = next) {
        next = one->next;
        one->next = NULL;
        if (one->batches == 0) drop(f, one);
    }
    f->fresh = NULL;
}

void forecast_release(struct forecasts *f, struct forecast *one)
{
    must(one->batches > 0);
    if (--one->batches == 0) drop(f, one);
}
