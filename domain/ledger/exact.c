/* The exact form: accounts are locked, then everything is read, decided and written, in one unit of
 * two or three waits. For whatever must not fail its neighbours or cannot be predicted: guards,
 * postings of a batch that failed, postings whose fate is unknown after a lost connection.
 *
 *     generation_hold.sql, lock.sql,
 *     look.sql (unbounded), keys.sql           │ flush, wait
 *         decide all but the guarded one; then that
 *     its guard                                │ flush, wait          only if it would succeed
 *     move, insert, attached, emit             │ sync
 *
 * The keys are read after the locks: a posting with the same accounts and the same key that is under
 * way elsewhere has then either committed, and its key is found, or it will fail on ours. The unique
 * index stands behind it for one that comes later still.
 *
 * While it waits before its sync, the connection is its own (ledger->locking); afterwards optimistic
 * batches are predicted on what it leaves behind. */
#include "core/clock.h"
#include "core/must.h"
#include "domain/ledger/private.h"
#include "sql.h"

enum { EXACT_MAX = 256 };

static void on_end(void *arg, enum err err, const struct db_result *r)
{
    struct batch *b = arg;
    struct ledger *l = b->ledger;
    if (l->locking == b) l->locking = NULL;
    if (err == OK) {
        meters_batch(l->meters, b->form, b->count, clock_mono_us() - b->started_us);
        ledger_commit(b);
        for (int i = 0; i < b->count; i++) ledger_settle(l, b->postings[i], OK);
    } else {
        retry_batch(b, err, r);
    }
    ledger_batch_over(b);
    ledger_pump(l);
}

/* What the batch leaves behind is what the next one is predicted on. */
static void attach_forecasts(struct batch *b)
{
    for (int i = 0; i < b->touch_count; i++) {
        struct forecast *f = b->touches[i].forecast;
        if (!f->account) continue;
        must(!f->account->forecast);
        f->account->forecast = f;
    }
}

static void finish(struct batch *b)
{
    struct ledger *l = b->ledger;
    if (b->admitted_count) batch_write(b, &l->columns);
    found_clear(b);
    attach_forecasts(b);
    l->locking = NULL;
    db_sync(b->unit, on_end, b);
    ledger_pump(l);
}

static void admit(struct batch *b, struct posting *p, const struct rules_verdict *v)
{
    batch_admit(b, p, v);
    p->outcome = POSTING_DONE;
    if (p->decided) p->decided(p, v->lifetime_before);
}

static void decide(struct batch *b, int i)
{
    struct posting *p = b->postings[i];
    const struct rules_accounts accounts = { found_account, b };
    const struct key_found *key = found_key(b, i);
    struct rules_verdict v;
    rules_decide(&accounts, key ? &key->request_hash : NULL, p, &v);
    p->outcome = v.outcome;
    if (key) keys_remember(&b->ledger->keys, p);
    /* Found with the id we gave it: the answer was lost, not the posting. */
    if (v.outcome == POSTING_REPLAYED && found_take(key, p)) {
        p->outcome = POSTING_DONE;
        b->ledger->meters->recovered.value++;
        return;
    }
    if (v.outcome != POSTING_DONE) return;
    if (p == b->guarded) b->guarded_verdict = v;
    else admit(b, p, &v);
}

static void on_guard(void *arg, enum err err, const struct db_result *r)
{
    struct statement *s = arg;
    struct batch *b = s->batch;
    if (err != OK) {
        b->failed = s->sql;
        return;
    }
    if (db_rows(r) > 0) {
        admit(b, b->guarded, &b->guarded_verdict);
    } else {
        rules_undo(&b->guarded_verdict);
        b->guarded->outcome = POSTING_GUARDED;
    }
    finish(b);
}

static void decide_all(struct batch *b)
{
    int guarded = -1;
    b->guarded_verdict.outcome = POSTING_GUARDED;
    for (int i = 0; i < b->count; i++) {
        if (b->postings[i] == b->guarded) guarded = i;
        else decide(b, i);
    }
    if (guarded >= 0) decide(b, guarded);
    if (guarded >= 0 && b->guarded_verdict.outcome == POSTING_DONE) {
        batch_statement(b, b->guarded->guard, b->guarded->guard_args, on_guard);
        db_flush(b->unit);
    } else {
        finish(b);
    }
}

static void on_accounts(void *arg, enum err err, const struct db_result *r)
{
    struct statement *s = arg;
    if (err == OK) found_accounts(s->batch, r);
    else s->batch->failed = s->sql;
}

static void on_keys(void *arg, enum err err, const struct db_result *r)
{
    struct statement *s = arg;
    if (err == OK) {
        found_keys(s->batch, r);
        decide_all(s->batch);
    } else {
        s->batch->failed = s->sql;
    }
}

/* Takes what fits into one batch: at most one guarded posting, and no more suspects than each of them may be with. */
static void take(struct ledger *l, struct batch *b)
{
    int suspects = 0, share = EXACT_MAX, legs = 0;
    list_each(&l->queues[QUEUE_EXACT], link) {
        struct posting *p = list_entry(link, struct posting, link);
        if (b->count == EXACT_MAX || legs + p->leg_count > BATCH_LEGS_MAX) break;
        if (p->guard && b->guarded) continue;
        if (p->share) {
            int least = p->share < share ? p->share : share;
            if (suspects + 1 > least) continue;
            share = least;
            suspects++;
        }
        if (!ledger_ids(l, p)) break;
        if (p->guard) b->guarded = p;
        legs += p->leg_count;
        list_unlink(&p->link);
        b->postings[b->count++] = p;
    }
}

bool exact_start(struct ledger *l)
{
    if (list_empty(&l->queues[QUEUE_EXACT])) return false;
    struct batch *b = ledger_batch(l, BATCH_EXACT);
    take(l, b);
    enum err err = b->count ? db_begin(l->db, &b->unit, on_end, b) : ERR_UNAVAILABLE;
    if (err != OK) {
        retry_batch(b, err, NULL);
        ledger_batch_over(b);
        return false;
    }
    struct db_args args;
    l->locking = b;
    found_hold_generation(b);
    db_args_init(&args, &b->arena);
    found_ask_accounts(b, &args);
    batch_statement(b, &sql_ledger_lock, &args, on_accounts);
    db_bool(&args, false);
    batch_statement(b, &sql_ledger_look, &args, on_accounts);
    db_args_init(&args, &b->arena);
    found_ask_keys(b, &args);
    batch_statement(b, &sql_ledger_keys, &args, on_keys);
    db_flush(b->unit);
    return true;
}
