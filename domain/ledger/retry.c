/* What becomes of the postings of a batch that failed. Nothing of the batch happened, or it is not
 * known; either way each of its postings gets an outcome of its own in the end:
 *
 *     never sent, or the generation of   -> back to where it waited
 *       the keys was closed (TL004)
 *     answer lost                        -> uncertain: asked for by its key, under locks, on the next connection
 *     met another process (TL001, a key  -> decided anew under locks
 *       (TL005 too), a deadlock)
 *     PostgreSQL in trouble (disk full,  -> the same, after a moment's pause
 *       shutting down, a time-out)
 *     any other SQL error                -> a posting is to blame: the one whose statement failed, if that
 *                                           is one; else the suspects are halved until it stands alone */
#include <string.h>

#include "core/log.h"
#include "domain/ledger/private.h"
#include "sql.h"

enum { PAUSE_MS = 100 };

enum fault { FAULT_CLOSED, FAULT_MET, FAULT_TROUBLE, FAULT_POSTING };

static bool is(const char *sqlstate, const char *other)
{
    return strcmp(sqlstate, other) == 0;
}

static enum fault fault_of(const struct db_result *r)
{
    const char *state = db_sqlstate(r), *constraint = db_constraint(r);
    static const char *const trouble[] = { "08", "0A", "25", "26", "53", "55", "57", "58", "XX" };
    if (is(state, "TL004")) return FAULT_CLOSED;
    if (is(state, "TL001") || is(state, "TL005") || is(state, "40001") || is(state, "40P01")) return FAULT_MET;
    if (is(state, "23505") && (is(constraint, "transfer_idem") || is(constraint, "transfer_debit") ||
                               is(constraint, "transfer_credit"))) return FAULT_MET;
    for (size_t i = 0; i < sizeof trouble / sizeof *trouble; i++) {
        if (strncmp(state, trouble[i], 2) == 0) return FAULT_TROUBLE;
    }
    return FAULT_POSTING;
}

/* Postings go back in the order in which they came, in front of those that wait. */
static void put_back(struct batch *b, enum queue queue)
{
    struct list again;
    list_init(&again);
    for (int i = 0; i < b->count; i++) {
        struct posting *p = b->postings[i];
        if (p) list_append(&again, &p->link);
    }
    list_move(&again, &b->ledger->queues[queue]);
    list_move(&b->ledger->queues[queue], &again);
    b->count = 0;
}

static bool is_suspect(const struct batch *b, const struct posting *p)
{
    if (!b->failed) return true;
    if (b->failed == &sql_ledger_write || b->failed == &sql_ledger_write_plain || b->failed == &sql_ledger_write_one ||
        b->failed == &sql_ledger_lock || b->failed == &sql_ledger_look || b->failed == &sql_ledger_keys ||
        b->failed == &sql_ledger_generation_hold) return true;
    if (p->guard == b->failed) return true;
    for (int k = 0; k < p->attached_count; k++) {
        if (p->attached[k].sql == b->failed) return true;
    }
    return false;
}

static void copy(char *to, size_t size, const char *from)
{
    size_t n = strnlen(from, size - 1);
    memcpy(to, from, n);
    to[n] = 0;
}

static void refuse(struct batch *b, int i, const struct db_result *r)
{
    struct posting *p = b->postings[i];
    p->outcome = POSTING_REFUSED;
    copy(p->sqlstate, sizeof p->sqlstate, db_sqlstate(r));
    copy(p->constraint, sizeof p->constraint, db_constraint(r));
    log_debug("ledger", "posting refused", "sqlstate=%s constraint=%s statement=%s", p->sqlstate, p->constraint,
              b->failed ? b->failed->name : "");
    b->postings[i] = NULL;
    ledger_settle(b->ledger, p, OK);
}

static void blame(struct batch *b, const struct db_result *r)
{
    int suspects = 0, last = -1;
    for (int i = 0; i < b->count; i++) {
        if (!is_suspect(b, b->postings[i])) continue;
        suspects++;
        last = i;
    }
    if (suspects == 1) {
        refuse(b, last, r);
        return;
    }
    for (int i = 0; i < b->count; i++) {
        struct posting *p = b->postings[i];
        if (is_suspect(b, p)) p->share = (suspects + 1) / 2;
    }
}

static void go_home(struct batch *b)
{
    static const enum queue home[BATCH_FORMS] = { QUEUE_NEW, QUEUE_DOUBT, QUEUE_EXACT };
    put_back(b, home[b->form]);
}

static void sql_failed(struct batch *b, const struct db_result *r)
{
    struct ledger *l = b->ledger;
    enum fault fault = fault_of(r);
    log_debug("ledger", "batch failed", "form=%d size=%d sqlstate=%s constraint=%s statement=%s", b->form, b->count,
              db_sqlstate(r), db_constraint(r), b->failed ? b->failed->name : "");
    if (fault == FAULT_CLOSED) {
        generations_read(&l->generations);
        go_home(b);
        return;
    }
    if (fault == FAULT_MET) {
        l->meters->conflicts.value++;
        l->meters->lone_conflicts.value += b->failed == &sql_ledger_write_one;
        if (is(db_sqlstate(r), "TL001") && l->distrust == 0) {
            /* Twice as long each time it does not help. */
            l->distrust = l->distrust_next;
            if (l->distrust_next < 64) l->distrust_next *= 2;
        }
    } else {
        l->meters->failures.value++;
    }
    if (fault == FAULT_TROUBLE) {
        log_warn("ledger", "database in trouble", "sqlstate=%s", db_sqlstate(r));
        wheel_set(l->options.wheel, &l->pause, PAUSE_MS);
    }
    if (fault == FAULT_POSTING) blame(b, r);
    put_back(b, b->form == BATCH_LOOK && fault != FAULT_POSTING ? QUEUE_DOUBT : QUEUE_EXACT);
}

void retry_batch(struct batch *b, enum err err, const struct db_result *r)
{
    b->ledger->drain = true;
    for (int i = 0; i < b->count; i++) b->postings[i]->tries++;
    if (err == ERR_SQL && r) {
        sql_failed(b, r);
    } else if (err == ERR_UNCERTAIN) {
        for (int i = 0; i < b->count; i++) b->postings[i]->uncertain = true;
        log_warn("ledger", "answer lost", "postings=%d", b->count);
        put_back(b, QUEUE_EXACT);
    } else {
        go_home(b);
    }
}
