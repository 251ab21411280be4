/* Looking up what memory must not decide alone. A posting that was predicted to be refused, whose
 * account the book does not know, or whose key may have been used, is answered from the tables: one
 * unit that reads the accounts and then the keys, without locks, pipelined behind the batches under
 * way like any other, so it costs neither a wait nor a flush of the log.
 *
 *     key committed before              -> its first result, or a conflict: rows never change
 *     refused by the rules as read      -> refused: there was a moment, after it was asked for, when this
 *                                          was the truth. The keys are read after the accounts, so a
 *                                          posting that had just succeeded under this key is found.
 *     else                              -> it may succeed: to be decided under locks (exact.c)        */
#include "domain/ledger/private.h"

#include "core/clock.h"
#include "sql.h"

enum { LOOK_MAX = 256 };

static void on_accounts(void *arg, enum err err, const struct db_result *r)
{
    struct batch *b = ((struct statement *) arg)->batch;
    if (err == OK) found_accounts(b, r);
}

static void on_keys(void *arg, enum err err, const struct db_result *r)
{
    struct batch *b = ((struct statement *) arg)->batch;
    if (err == OK) found_keys(b, r);
}

static void answer(struct batch *b, int i)
{
    struct ledger *l = b->ledger;
    struct posting *p = b->postings[i];
    const struct rules_accounts accounts = { found_account, b };
    const struct key_found *key = found_key(b, i);
    struct rules_verdict v;
    rules_decide(&accounts, key ? &key->request_hash : NULL, p, &v);
    if (v.outcome == POSTING_DONE) {
        rules_undo(&v);
        ledger_queue(l, QUEUE_EXACT, p);
        return;
    }
    if (v.outcome == POSTING_REPLAYED) found_take(key, p);
    if (key) keys_remember(&l->keys, p);
    p->outcome = v.outcome;
    ledger_settle(l, p, OK);
}

static void on_end(void *arg, enum err err, const struct db_result *r)
{
    struct batch *b = arg;
    struct ledger *l = b->ledger;
    if (err == OK) {
        meters_batch(l->meters, b->form, b->count, clock_mono_us() - b->started_us);
        for (int i = 0; i < b->count; i++) answer(b, i);
    } else {
        /* It only read, so nothing happened, whatever the error. */
        retry_batch(b, err == ERR_UNCERTAIN ? ERR_UNAVAILABLE : err, r);
    }
    ledger_batch_over(b);
    ledger_pump(l);
}

bool look_start(struct ledger *l)
{
    struct list *queue = &l->queues[QUEUE_DOUBT];
    if (list_empty(queue)) return false;
    struct batch *b = ledger_batch(l, BATCH_LOOK);
    struct list *link;
    while (b->count < LOOK_MAX && (link = list_shift(queue)))
        b->postings[b->count++] = list_entry(link, struct posting, link);
    enum err err = db_begin(l->db, &b->unit, on_end, b);
    if (err != OK) {
        retry_batch(b, err, NULL);
        ledger_batch_over(b);
        return false;
    }
    struct db_args args;
    found_hold_generation(b);
    db_args_init(&args, &b->arena);
    found_ask_accounts(b, &args);
    db_bool(&args, true);
    batch_statement(b, &sql_ledger_look, &args, on_accounts);
    db_args_init(&args, &b->arena);
    found_ask_keys(b, &args);
    batch_statement(b, &sql_ledger_keys, &args, on_keys);
    db_sync(b->unit, on_end, b);
    return true;
}
