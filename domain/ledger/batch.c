/* Building a batch's statements. Every column of every table is an array over the whole batch, built in
 * room that is used again, so that a posting costs no allocation: only the parameters themselves lie
 * in the batch's arena until PostgreSQL has answered.
 *
 * Two orders matter. Accounts are moved by ascending id and transfers inserted by ascending key, so
 * that two processes never wait for each other in a circle; events keep the order of the decisions,
 * in which an account's versions ascend. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/must.h"
#include "domain/ledger/event.h"
#include "domain/ledger/private.h"
#include "sql.h"

struct batch *batch_new(struct ledger *l)
{
    struct batch *b = mem_new(struct batch);
    b->ledger = l;
    list_init(&b->link);
    return b;
}

void batch_free(struct batch *b)
{
    mem_free(b->found);
    mem_free(b->keys);
    mem_free(b);
}

void batch_clear(struct batch *b)
{
    must(b->found_count == 0 && b->touch_count == 0);
    b->count = b->admitted_count = b->leg_count = 0;
    b->unbounded_count = b->statement_count = b->key_count = 0;
    b->failed = NULL;
    b->guarded = NULL;
    b->unit = NULL;
    b->written = false;
}

bool batch_has_room(const struct batch *b, const struct posting *p)
{
    /* Four attached statements of one posting may all be new to the batch; others are its own. */
    return b->count < BATCH_POSTINGS_MAX && b->leg_count + p->leg_count <= BATCH_LEGS_MAX;
}

void batch_admit(struct batch *b, struct posting *p, const struct rules_verdict *v)
{
    b->admitted[b->admitted_count++] = p;
    for (int i = 0; i < p->leg_count; i++) p->posted[i].id = p->first_id + i;
    b->leg_count += p->leg_count;
    for (int i = 0; i < v->changed; i++) {
        const struct rules_change *before = &v->before[i];
        struct forecast *f = (struct forecast *) before->account;
        if (f->batch == b->serial) continue;
        f->batch = b->serial;
        if (f->state.unbounded) {
            b->unbounded[b->unbounded_count++] = f->state.id;
            continue;
        }
        f->batches++;
        b->touches[b->touch_count++] = (struct touch){
            .forecast = f, .id = f->state.id,
            .balance = before->balance, .version = before->version, .lifetime = before->lifetime,
        };
    }
}

static void on_statement(void *arg, enum err err, const struct db_result *r)
{
    struct statement *s = arg;
    (void) r;
    if (err != OK) s->batch->failed = s->sql;
}

void batch_statement(struct batch *b, const struct sql *sql, const struct db_args *args, db_done done)
{
    must(b->statement_count < BATCH_STATEMENTS_MAX);
    struct statement *s = &b->statements[b->statement_count++];
    *s = (struct statement){ b, sql };
    db_stmt(b->unit, sql, args, done ? done : on_statement, s);
}

/* write.sql: accounts ------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const struct touch *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static void add_numbers(struct batch *b, struct columns *c, struct db_args *args, size_t offset)
{
    for (int i = 0; i < b->touch_count; i++)
        memcpy(&c->numbers[i], (const char *) &b->touches[i] + offset, sizeof(int64_t));
    db_i64_array(args, c->numbers, b->touch_count);
}

static void put_moves(struct batch *b, struct columns *c, struct db_args *args)
{
    for (int i = 0; i < b->touch_count; i++) {
        struct touch *t = &b->touches[i];
        t->balance_after = t->forecast->state.balance;
        t->version_after = t->forecast->state.version;
        t->lifetime_after = t->forecast->state.lifetime;
    }
    qsort(b->touches, (size_t) b->touch_count, sizeof *b->touches, by_id);
    static const size_t offsets[] = {
        offsetof(struct touch, id), offsetof(struct touch, balance), offsetof(struct touch, version),
        offsetof(struct touch, lifetime), offsetof(struct touch, balance_after), offsetof(struct touch, version_after),
        offsetof(struct touch, lifetime_after),
    };
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) add_numbers(b, c, args, offsets[i]);
    db_i64_array(args, b->unbounded, b->unbounded_count);
    db_i64(args, b->touch_count + b->unbounded_count);
}

/* write.sql: transfers ----------------------------------------------------------------------------------- */

static int by_idem(const void *a, const void *b)
{
    struct posting *const *x = a, *const *y = b;
    return memcmp((*x)->idem, (*y)->idem, sizeof (*x)->idem);
}

static int make_rows(const struct batch *b, struct columns *c)
{
    int n = 0;
    memcpy(c->order, b->admitted, (size_t) b->admitted_count * sizeof *c->order);
    qsort(c->order, (size_t) b->admitted_count, sizeof *c->order, by_idem);
    for (int i = 0; i < b->admitted_count; i++) {
        for (int leg = 0; leg < c->order[i]->leg_count; leg++) c->rows[n++] = (struct row){ c->order[i], leg };
    }
    return n;
}

static void numbers(struct columns *c, int n, struct db_args *args, int64_t (*get)(const struct posting *p, int leg))
{
    for (int i = 0; i < n; i++) c->numbers[i] = get(c->rows[i].posting, c->rows[i].leg);
    db_i64_array(args, c->numbers, n);
}

static void texts(struct columns *c, int n, struct db_args *args, struct str (*get)(const struct posting *p, int leg))
{
    for (int i = 0; i < n; i++) c->texts[i] = get(c->rows[i].posting, c->rows[i].leg);
    db_text_array(args, c->texts, n);
}

static int64_t get_id(const struct posting *p, int leg) { return p->posted[leg].id; }
static int64_t get_posting(const struct posting *p, int leg) { (void) leg; return p->posted[0].id; }
static int64_t get_debit(const struct posting *p, int leg) { return p->posted[leg].debit; }
static int64_t get_credit(const struct posting *p, int leg) { return p->posted[leg].credit; }
static int64_t get_amount(const struct posting *p, int leg) { return p->posted[leg].amount; }
static int64_t get_debit_after(const struct posting *p, int leg) { return p->posted[leg].debit_after; }
static int64_t get_debit_version(const struct posting *p, int leg) { return p->posted[leg].debit_version; }
static int64_t get_credit_after(const struct posting *p, int leg) { return p->posted[leg].credit_after; }
static int64_t get_credit_version(const struct posting *p, int leg) { return p->posted[leg].credit_version; }
static int64_t get_lifetime(const struct posting *p, int leg) { return p->posted[leg].lifetime_after; }
static int64_t get_actor(const struct posting *p, int leg) { (void) leg; return p->actor ? p->actor : INT64_MIN; }
static int64_t get_hash(const struct posting *p, int leg) { return leg || !p->has_idem ? INT64_MIN : p->request_hash; }
static struct str get_kind(const struct posting *p, int leg) { return p->legs[leg].kind; }
static struct str get_key(const struct posting *p, int leg) { return leg ? STR_NONE : p->key; }
static struct str get_memo(const struct posting *p, int leg) { return leg ? STR_NONE : p->memo; }
static struct str get_type(const struct posting *p, int leg) { return leg ? STR_NONE : p->reference_type; }
static struct str get_reference(const struct posting *p, int leg) { return leg ? STR_NONE : p->reference_id; }
static struct str get_metadata(const struct posting *p, int leg) { return leg ? STR_NONE : p->metadata; }

static void idems(const struct batch *b, struct columns *c, int n, struct db_args *args)
{
    for (int i = 0; i < n; i++) {
        if (c->rows[i].leg) memset(c->uuids[i], 0, 16);
        else generations_stamp(&b->ledger->generations, c->rows[i].posting, c->uuids[i]);
    }
    db_uuid_array(args, (const uint8_t (*)[16]) c->uuids, n);
}

bool batch_is_plain(const struct batch *b)
{
    for (int i = 0; i < b->admitted_count; i++) {
        const struct posting *p = b->admitted[i];
        if (p->memo.p || p->reference_type.p || p->reference_id.p || p->metadata.p) return false;
    }
    return true;
}

static int put_transfers(struct batch *b, struct columns *c, struct db_args *args)
{
    int n = make_rows(b, c);
    numbers(c, n, args, get_id);
    numbers(c, n, args, get_posting);
    texts(c, n, args, get_kind);
    numbers(c, n, args, get_debit);
    numbers(c, n, args, get_credit);
    numbers(c, n, args, get_amount);
    numbers(c, n, args, get_debit_after);
    numbers(c, n, args, get_debit_version);
    numbers(c, n, args, get_credit_after);
    numbers(c, n, args, get_credit_version);
    numbers(c, n, args, get_lifetime);
    numbers(c, n, args, get_actor);
    idems(b, c, n, args);
    texts(c, n, args, get_key);
    numbers(c, n, args, get_hash);
    return n;
}

static void put_notes(struct columns *c, int n, struct db_args *args)
{
    texts(c, n, args, get_memo);
    texts(c, n, args, get_type);
    texts(c, n, args, get_reference);
    texts(c, n, args, get_metadata);
}

/* Attached rows --------------------------------------------------------------------------------- */

/* All rows of one statement, from whichever posting, in one call of it. */
static void write_attached_of(struct batch *b, struct columns *c, const struct attached *like)
{
    struct attached **rows = (struct attached **) arena_raw(&b->arena, sizeof *rows * POSTING_ATTACHED_MAX *
                                                            (size_t) b->admitted_count);
    struct str *cells;
    int n = 0;
    int64_t *ids = arena_raw(&b->arena, sizeof *ids * POSTING_ATTACHED_MAX * (size_t) b->admitted_count);
    for (int i = 0; i < b->admitted_count; i++) {
        struct posting *p = b->admitted[i];
        for (int k = 0; k < p->attached_count; k++) {
            if (p->attached[k].sql != like->sql) continue;
            must(p->attached[k].field_count == like->field_count);
            ids[n] = p->posted[0].id;
            rows[n++] = &p->attached[k];
        }
    }
    struct db_args args;
    db_args_init(&args, &b->arena);
    db_i64_array(&args, ids, n);
    cells = n <= BATCH_LEGS_MAX ? c->texts : arena_raw(&b->arena, sizeof *cells * (size_t) n);
    for (int field = 0; field < like->field_count; field++) {
        for (int i = 0; i < n; i++) cells[i] = rows[i]->fields[field];
        db_text_array(&args, cells, n);
    }
    batch_statement(b, like->sql, &args, NULL);
}

/* The first statement behind this one that some posting of the batch has attached, or NULL. */
static const struct attached *next_attached(const struct batch *b, int index)
{
    const struct attached *next = NULL;
    for (int i = 0; i < b->admitted_count; i++) {
        const struct posting *p = b->admitted[i];
        for (int k = 0; k < p->attached_count; k++) {
            int at = p->attached[k].sql->index;
            if (at > index && (!next || at < next->sql->index)) next = &p->attached[k];
        }
    }
    return next;
}

/* In one order in all processes, whatever came first: the rows that these statements lock are taken in it. */
static void write_attached(struct batch *b, struct columns *c)
{
    const struct attached *next = NULL;
    while ((next = next_attached(b, next ? next->sql->index : -1))) write_attached_of(b, c, next);
}

/* write.sql: the message -------------------------------------------------------------------------------------- */

static void encode(struct buf *out, const struct posting *p, int leg)
{
    const struct posted *t = &p->posted[leg];
    struct ledger_event e = {
        .transfer = t->id, .posting = p->posted[0].id, .debit = t->debit, .credit = t->credit, .amount = t->amount,
        .debit_after = t->debit_after, .debit_version = t->debit_version, .credit_after = t->credit_after,
        .credit_version = t->credit_version, .lifetime_after = t->lifetime_after, .kind = p->legs[leg].kind,
    };
    if (leg == 0) {
        e.reference_type = p->reference_type;
        e.reference_id = p->reference_id;
        e.metadata = p->metadata;
    }
    ledger_event_encode(out, &e);
}

void batch_put_events(struct batch *b, struct columns *c, struct db_args *args)
{
    buf_clear(&c->events);
    for (int i = 0; i < b->admitted_count; i++) {
        for (int leg = 0; leg < b->admitted[i]->leg_count; leg++) encode(&c->events, b->admitted[i], leg);
    }
    must(!c->events.failed);
    db_bytes(args, buf_view(&c->events));
}

/* A key of our own making is a new one; after a lost answer it has been looked up. */
void batch_put_keys(struct batch *b, struct columns *c, struct db_args *args)
{
    const struct generations *g = &b->ledger->generations;
    int n = 0;
    buf_clear(&c->places);
    for (int i = 0; i < b->admitted_count; i++) {
        if (b->admitted[i]->has_idem) n += generations_places(g, b->admitted[i], &c->places);
    }
    must(!c->places.failed);
    db_i64(args, g->count);
    db_uuid_array(args, (const uint8_t (*)[16]) c->places.p, n);
}

void batch_written(void *arg, enum err err, const struct db_result *r)
{
    struct statement *s = arg;
    struct batch *b = s->batch;
    if (err != OK) {
        b->failed = s->sql;
        return;
    }
    b->created_us = db_cell_i64(r, 0, 0);
    b->written = true;
    ledger_pump(b->ledger);
}

void batch_write(struct batch *b, struct columns *columns)
{
    struct db_args args;
    bool plain = batch_is_plain(b);
    db_args_init(&args, &b->arena);
    if (!write_one(b, columns)) {
        put_moves(b, columns, &args);
        int rows = put_transfers(b, columns, &args);
        batch_put_events(b, columns, &args);
        if (!plain) put_notes(columns, rows, &args);
        batch_put_keys(b, columns, &args);
        batch_statement(b, plain ? &sql_ledger_write_plain : &sql_ledger_write, &args, batch_written);
    }
    write_attached(b, columns);   /* told after the transfers that caused them */
}
