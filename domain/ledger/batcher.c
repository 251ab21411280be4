/* How postings become durable. They wait in one of three queues and go out in batches, one transaction
 * each, over ONE connection whose batches PostgreSQL executes one after the other:
 *
 *     submit ─▶ NEW ──predicted to succeed──▶ optimistic batch: one round trip, nothing locked beforehand
 *                │                                 │ failed: retry.c
 *                ├─predicted to be refused,        ▼
 *                │ unknown, perhaps a replay ─▶ DOUBT ─▶ look-up: one round trip, read only (look.c)
 *                │                                 │ may succeed after all
 *                └─guarded ─────────────────────▶ EXACT ─▶ exact batch: decided under locks (exact.c)
 *
 * Several batches are in flight: since the connection answers in order, the next batch may be predicted
 * on what the one before will leave behind (forecast.c). What is written says what it was predicted
 * on, to the last unit, and PostgreSQL refuses the batch when that is not so. Memory therefore never
 * decides: a wrong prediction costs a round trip, not money.
 *
 * At low load a batch is one posting and leaves at the end of the turn; under load all that arrives while one is
 * being executed goes into the next, which leaves while that one commits (worth). There is no timer. */
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "domain/ledger/private.h"
#include "sql.h"

enum { EVENTS_MAX = 64 << 20, PLACES_MAX = 256 << 20 };
enum { UNITS_MAX = 16, EXACT_EVERY = 2, DISTRUST_FIRST = 2, UNIT_DEADLINE_MIN_MS = 500 };

/* Joins must be nested loops in the order of the arrays, which is the lock order of all processes; and
 * statements with arrays of unknown length are not worth planning each time. */
static const char session[] =
    "-c enable_hashjoin=off -c enable_mergejoin=off -c enable_seqscan=off -c enable_bitmapscan=off "
    "-c plan_cache_mode=force_generic_plan";

static void on_pump(struct turn_item *item);
static void on_tick(struct wheel_timer *t);
static void on_pause_over(struct wheel_timer *t);

static int64_t queue_length(void *arg)
{
    return ledger_queue_length(arg);
}

static void on_db_state(void *arg, bool up)
{
    struct ledger *l = arg;
    l->up = up;
    l->generations.known = false;   /* it may be another database, or the same one set back */
    if (up) ledger_pump(l);
    if (l->options.on_state) l->options.on_state(l->options.arg, up);
}

struct ledger *ledger_new(const struct ledger_options *options)
{
    struct ledger *l = mem_new(struct ledger);
    l->options = *options;
    for (int i = 0; i < QUEUES; i++) list_init(&l->queues[i]);
    list_init(&l->flight);
    list_init(&l->spare);
    l->distrust_next = DISTRUST_FIRST;
    keys_init(&l->keys);
    generations_init(&l->generations, l);
    buf_init(&l->columns.events, EVENTS_MAX);
    buf_init(&l->columns.places, PLACES_MAX);
    buf_init(&l->columns.place_numbers, PLACES_MAX);
    l->meters = meters_new(options->metrics, queue_length, l);
    turn_item_init(&l->pump, on_pump);
    wheel_timer_init(&l->tick, on_tick);
    wheel_timer_init(&l->pause, on_pause_over);
    /* Half a deadline for a batch leaves the other half to ask again, should its answer be lost. */
    int half = options->deadline_ms / 2;
    struct db_options db = {
        .url = options->database_url, .name = "ledger", .connections_max = 1, .queue_max = UNITS_MAX,
        .deadline_ms = half > UNIT_DEADLINE_MIN_MS ? half : UNIT_DEADLINE_MIN_MS, .session = session,
        .sql_count = SQL_COUNT, .schema_version = options->schema_version, .on_state = on_db_state, .arg = l,
    };
    l->db = db_new(options->loop, options->turn, options->wheel, &db);
    return l;
}

bool ledger_is_up(const struct ledger *l)
{
    return l && l->up;
}

int ledger_queue_length(const struct ledger *l)
{
    return l->queued;
}

enum err ledger_submit(struct ledger *l, struct posting *p)
{
    if (!l || l->closing || !l->up) return ERR_UNAVAILABLE;
    if (l->queued >= l->options.queue_max) return ERR_FULL;
    must(p->leg_count > 0 && p->leg_count <= POSTING_LEGS_MAX && p->done);
    p->uncertain = false;
    p->tries = p->share = 0;
    p->sqlstate[0] = p->constraint[0] = 0;
    p->created_us = 0;
    p->first_id = 0;
    p->submitted_ms = clock_mono_ms();
    list_init(&p->link);
    l->queued++;
    keys_sign(&l->keys, p);
    if (keys_enter(&l->keys, p)) ledger_queue(l, QUEUE_NEW, p);
    if (!wheel_is_set(&l->tick)) wheel_set(l->options.wheel, &l->tick, TICK_MS);
    return OK;
}

void ledger_queue(struct ledger *l, enum queue queue, struct posting *p)
{
    list_append(&l->queues[queue], &p->link);
    ledger_pump(l);
}

void ledger_pump(struct ledger *l)
{
    turn_defer(l->options.turn, &l->pump);
}

/* Transfer ids -------------------------------------------------------------------------------- */

static void on_block(void *arg, enum err err, const struct db_result *r)
{
    struct ledger *l = arg;
    l->fetching = false;
    arena_fini(&l->block_arena);
    if (err != OK) return;
    l->spare_block = db_cell_i64(r, 0, 0);
    ledger_pump(l);
}

static void fetch_block(struct ledger *l)
{
    if (l->fetching || l->spare_block || !l->up) return;
    struct db_args args;
    arena_init(&l->block_arena);
    db_args_init(&args, &l->block_arena);
    l->fetching = db_exec(l->db, &sql_ledger_block, &args, on_block, l) == OK;
}

bool ledger_ids(struct ledger *l, struct posting *p)
{
    if (p->first_id) return true;
    /* The legs of a posting are neighbours: keys.sql finds them by that. */
    if (l->end_id - l->next_id < p->leg_count) {
        if (!l->spare_block) {
            fetch_block(l);
            return false;
        }
        l->next_id = l->spare_block;
        l->end_id = l->next_id + ID_BLOCK;
        l->spare_block = 0;
        fetch_block(l);
    }
    p->first_id = l->next_id;
    l->next_id += p->leg_count;
    return true;
}

/* Batches ------------------------------------------------------------------------------------- */

struct batch *ledger_batch(struct ledger *l, enum batch_form form)
{
    struct list *link = list_shift(&l->spare);
    struct batch *b = link ? list_entry(link, struct batch, link) : batch_new(l);
    arena_init(&b->arena);
    b->form = form;
    b->serial = ++l->serial;
    b->started_us = clock_mono_us();
    list_append(&l->flight, &b->link);
    l->flight_count++;
    return b;
}

void ledger_batch_over(struct batch *b)
{
    struct ledger *l = b->ledger;
    found_clear(b);
    for (int i = 0; i < b->touch_count; i++) forecast_release(&l->forecasts, b->touches[i].forecast);
    b->touch_count = 0;
    arena_fini(&b->arena);
    batch_clear(b);
    list_unlink(&b->link);
    list_append(&l->spare, &b->link);
    l->flight_count--;
}

void ledger_commit(struct batch *b)
{
    for (int i = 0; i < b->touch_count; i++) {
        const struct touch *t = &b->touches[i];
        book_move(b->ledger->options.book, t->id, t->balance_after, t->version_after, t->lifetime_after, b->created_us);
    }
    for (int i = 0; i < b->admitted_count; i++) b->admitted[i]->created_us = b->created_us;
}

static struct rules_account *predicted(void *arg, int64_t id)
{
    struct ledger *l = arg;
    struct account *a = book_account(l->options.book, id);
    return a ? &forecast_of(&l->forecasts, a)->state : NULL;
}

static void predict(struct ledger *l, struct batch *b, struct posting *p)
{
    const struct rules_accounts accounts = { predicted, l };
    struct rules_verdict v;
    if (p->guard) {
        ledger_queue(l, QUEUE_EXACT, p);
        return;
    }
    v.outcome = POSTING_REPLAYED;
    if (!keys_suspect(&l->keys, p)) rules_decide(&accounts, NULL, p, &v);
    if (v.outcome != POSTING_DONE) {
        ledger_queue(l, QUEUE_DOUBT, p);
        return;
    }
    b->postings[b->count++] = p;
    batch_admit(b, p, &v);
    p->outcome = POSTING_DONE;
    if (p->decided) p->decided(p, v.lifetime_before);
}

static void on_optimistic_end(void *arg, enum err err, const struct db_result *r)
{
    struct batch *b = arg;
    struct ledger *l = b->ledger;
    if (err == OK) {
        meters_batch(l->meters, b->form, b->count, clock_mono_us() - b->started_us);
        if (l->distrust_next > DISTRUST_FIRST) l->distrust_next /= 2;
        ledger_commit(b);
        for (int i = 0; i < b->count; i++) ledger_settle(l, b->postings[i], OK);
    } else {
        retry_batch(b, err, r);
    }
    ledger_batch_over(b);
    ledger_pump(l);
}

/* How many postings are worth a transaction of their own, behind those under way? Each costs a flush of the log, so
 * the more go together the better, while PostgreSQL must always have something to do. A batch that is still being
 * executed is followed by one as large, for then it makes no difference to those who wait; one of which only the commit
 * is outstanding by a quarter of it, so that what came meanwhile is there when the log has been flushed. */
static int worth(const struct ledger *l)
{
    int wanted = 1;
    list_each(&l->flight, link) {
        const struct batch *b = list_entry(link, struct batch, link);
        if (b->form == BATCH_OPTIMISTIC) wanted += b->written ? b->count / 4 : b->count - 1;
    }
    return wanted;
}

static bool is_worth_sending(const struct ledger *l)
{
    int wanted = worth(l);
    list_each(&l->queues[QUEUE_NEW], link) {
        if (--wanted == 0) return true;
    }
    return false;
}

static bool optimistic_start(struct ledger *l)
{
    struct list *queue = &l->queues[QUEUE_NEW], *link;
    if (!is_worth_sending(l)) return false;
    struct batch *b = ledger_batch(l, BATCH_OPTIMISTIC);
    while ((link = list_first(queue))) {
        struct posting *p = list_entry(link, struct posting, link);
        if (!batch_has_room(b, p) || !ledger_ids(l, p)) break;
        list_unlink(link);
        predict(l, b, p);
    }
    forecasts_settle(&l->forecasts);
    enum err err = b->count ? db_begin(l->db, &b->unit, on_optimistic_end, b) : OK;
    if (err != OK) retry_batch(b, err, NULL);
    if (err != OK || b->count == 0) {
        ledger_batch_over(b);
        return false;
    }
    batch_write(b, &l->columns);
    (b->count > 1 ? db_flush_sync : db_sync)(b->unit, on_optimistic_end, b);
    return true;
}

/* Another process moves our accounts: locking them first is cheaper than being refused. */
static void distrust_new(struct ledger *l)
{
    int n = 0;
    struct list *link;
    while (n++ < BATCH_POSTINGS_MAX / 2 && (link = list_shift(&l->queues[QUEUE_NEW])))
        list_append(&l->queues[QUEUE_EXACT], link);
}

static bool start_exact(struct ledger *l)
{
    if (!exact_start(l)) return false;
    l->since_exact = 0;
    if (l->distrust > 0) l->distrust--;
    l->last_form = BATCH_EXACT;
    return true;
}

static bool start_look(struct ledger *l)
{
    if (!look_start(l)) return false;
    l->last_form = BATCH_LOOK;
    return true;
}

/* The three queues take turns, so that none starves another: a look-up at most every other time, an exact batch at most
 * every third while there is ordinary work. */
static bool start_one(struct ledger *l)
{
    if (l->distrust > 0) distrust_new(l);
    if (l->since_exact >= EXACT_EVERY && start_exact(l)) return true;
    if (l->last_form != BATCH_LOOK && start_look(l)) return true;
    if (optimistic_start(l)) {
        l->since_exact++;
        l->last_form = BATCH_OPTIMISTIC;
        return true;
    }
    return start_look(l) || start_exact(l);
}

static bool can_send(struct ledger *l)
{
    if (l->drain && l->flight_count == 0) l->drain = false;
    bool may = l->up && l->generations.known && !l->drain && !l->locking;
    return may && !wheel_is_set(&l->pause) && l->flight_count < FLIGHT_MAX;
}

static void on_db_closed(void *arg)
{
    struct ledger *l = arg;
    void (*closed)(void *) = l->closed;
    void *closed_arg = l->closed_arg;
    struct list *link;
    must(l->flight_count == 0 && l->queued == 0);
    turn_cancel(&l->pump);
    while ((link = list_shift(&l->spare))) batch_free(list_entry(link, struct batch, link));
    forecasts_fini(&l->forecasts);
    keys_fini(&l->keys);
    generations_fini(&l->generations);
    buf_fini(&l->columns.events);
    buf_fini(&l->columns.places);
    buf_fini(&l->columns.place_numbers);
    meters_retire(l->meters);
    mem_free(l);
    if (closed) closed(closed_arg);
}

static void finish_closing(struct ledger *l)
{
    if (l->db_closed || l->queued || l->flight_count || l->generations.reading || l->generations.job.busy) return;
    filters_stop(&l->generations);
    l->db_closed = true;
    wheel_cancel(&l->tick);
    wheel_cancel(&l->pause);
    db_close(l->db, on_db_closed, l);
}

static void on_pump(struct turn_item *item)
{
    struct ledger *l = (struct ledger *) ((char *) item - offsetof(struct ledger, pump));
    if (l->up && !l->db_closed) fetch_block(l);
    if (l->up && !l->db_closed && !l->generations.known) generations_read(&l->generations);
    while (can_send(l) && start_one(l)) continue;
    if (!l->closing) generations_turn(&l->generations, l->next_id);
    if (l->closing) finish_closing(l);
}

void ledger_close(struct ledger *l, void (*closed)(void *arg), void *arg)
{
    must(!l->closing);
    l->closing = true;
    l->closed = closed;
    l->closed_arg = arg;
    ledger_pump(l);
}

/* Ends ---------------------------------------------------------------------------------------- */

static void end(struct ledger *l, struct posting *p, enum err err)
{
    l->queued--;
    meters_settled(l->meters, err, p->outcome);
    p->done(p, err);
}

/* Those that waited for p with the same key: answered with p's result when that stays; else the first of them
 * goes on. */
static void settle_same(struct ledger *l, const struct posting *p, enum err err, struct list *same,
                        struct list *answered)
{
    bool stays = err == OK && (p->outcome == POSTING_DONE || p->outcome == POSTING_REPLAYED);
    struct posting *next = NULL;
    struct list *link;
    while ((link = list_shift(same))) {
        struct posting *q = list_entry(link, struct posting, link);
        if (stays && memcmp(q->idem, p->idem, sizeof p->idem) == 0) {
            q->outcome = rules_replay(p->request_hash, q);
            q->created_us = p->created_us;
            memcpy(q->posted, p->posted, sizeof q->posted);
            list_append(answered, link);
        } else if (!next) {
            next = q;
            must(keys_enter(&l->keys, q));
            ledger_queue(l, err == OK && p->outcome != POSTING_KEY_CONFLICT ? QUEUE_NEW : QUEUE_EXACT, q);
        } else {
            list_append(&next->same, link);
        }
    }
}

void ledger_settle(struct ledger *l, struct posting *p, enum err err)
{
    struct list same, answered;
    list_init(&answered);
    keys_leave(&l->keys, p, &same);
    if (err == OK && p->outcome <= POSTING_KEY_CONFLICT) keys_remember(&l->keys, p);
    if (!list_empty(&same)) settle_same(l, p, err, &same, &answered);
    end(l, p, err);
    struct list *link;
    while ((link = list_shift(&answered))) end(l, list_entry(link, struct posting, link), OK);
}

/* Postings that have waited too long. Those in a batch are not touched: the batch's own deadline ends it. */
static void on_tick(struct wheel_timer *t)
{
    struct ledger *l = (struct ledger *) ((char *) t - offsetof(struct ledger, tick));
    uint64_t now = clock_mono_ms();
    for (int i = 0; i < QUEUES; i++) {
        list_each(&l->queues[i], link) {
            struct posting *p = list_entry(link, struct posting, link);
            if (now - p->submitted_ms < (uint64_t) l->options.deadline_ms) continue;
            list_unlink(link);
            ledger_settle(l, p, p->uncertain ? ERR_UNCERTAIN : ERR_TIMEOUT);
        }
    }
    ledger_pump(l);
    if (l->queued > 0) wheel_set(l->options.wheel, &l->tick, TICK_MS);
}

static void on_pause_over(struct wheel_timer *t)
{
    ledger_pump((struct ledger *) ((char *) t - offsetof(struct ledger, pause)));
}
