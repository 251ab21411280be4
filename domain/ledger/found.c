/* What an exact batch or a look-up has read: accounts by id, and what was committed with the postings'
 * keys. Accounts become forecasts that are not attached to the book; the rules are applied to them
 * as they are to predicted ones. What was read is at least as new as the book, so the book takes it. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/must.h"
#include "domain/ledger/private.h"
#include "sql.h"

enum { ID, OWNER, ASSET, STATUS, UNBOUNDED, BALANCE, VERSION, LIFETIME };

static int by_id(const void *a, const void *b)
{
    struct forecast *const *x = a, *const *y = b;
    return ((*x)->state.id > (*y)->state.id) - ((*x)->state.id < (*y)->state.id);
}

static struct forecast *read_account(struct ledger *l, const struct db_result *r, int row)
{
    struct forecast *f = forecast_new(&l->forecasts);
    enum asset asset;
    enum account_status status;
    must(asset_parse(db_cell(r, row, ASSET), &asset) && account_status_parse(db_cell(r, row, STATUS), &status));
    f->state = (struct rules_account){
        .id = db_cell_i64(r, row, ID), .owner = db_cell_i64(r, row, OWNER),
        .balance = db_cell_i64(r, row, BALANCE), .version = db_cell_i64(r, row, VERSION),
        .lifetime = db_cell_i64(r, row, LIFETIME), .asset = (uint8_t) asset, .status = (uint8_t) status,
        .unbounded = db_cell_bool(r, row, UNBOUNDED),
    };
    f->account = book_account(l->options.book, f->state.id);
    return f;
}

void found_accounts(struct batch *b, const struct db_result *r)
{
    int rows = db_rows(r);
    if (b->found_count + rows > b->found_cap) {
        b->found_cap = b->found_count + rows;
        b->found = mem_realloc(b->found, (size_t) b->found_cap * sizeof(struct forecast *));
    }
    for (int row = 0; row < rows; row++) {
        struct forecast *f = read_account(b->ledger, r, row);
        b->found[b->found_count++] = f;
        if (!f->state.unbounded)
            book_move(b->ledger->options.book, f->state.id, f->state.balance, f->state.version, f->state.lifetime, 0);
    }
    if (b->found_count) qsort(b->found, (size_t) b->found_count, sizeof(struct forecast *), by_id);
}

struct rules_account *found_account(void *arg, int64_t id)
{
    struct batch *b = arg;
    int low = 0, high = b->found_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (b->found[middle]->state.id < id) low = middle + 1;
        else high = middle;
    }
    return low < b->found_count && b->found[low]->state.id == id ? &b->found[low]->state : NULL;
}

void found_clear(struct batch *b)
{
    for (int i = 0; i < b->found_count; i++) {
        /* The others belong to the touches now, and to their accounts. */
        if (b->found[i]->batches == 0) forecast_free(&b->ledger->forecasts, b->found[i]);
    }
    b->found_count = 0;
}

static int64_t or_none(const struct db_result *r, int row, int column)
{
    return db_cell(r, row, column).p ? db_cell_i64(r, row, column) : INT64_MIN;
}

static struct key_found *key_for(struct batch *b, int posting)
{
    if (b->key_count && b->keys[b->key_count - 1].posting == posting) return &b->keys[b->key_count - 1];
    if (b->key_count == b->key_cap) {
        b->key_cap = b->key_cap ? b->key_cap * 2 : 16;
        b->keys = mem_realloc(b->keys, (size_t) b->key_cap * sizeof *b->keys);
    }
    struct key_found *k = &b->keys[b->key_count++];
    k->posting = posting;
    k->leg_count = 0;
    return k;
}

void found_keys(struct batch *b, const struct db_result *r)
{
    enum { N, HASH, CREATED, POSTING, TRANSFER, DEBIT, CREDIT, AMOUNT, DEBIT_AFTER, DEBIT_VERSION, CREDIT_AFTER,
           CREDIT_VERSION, LIFETIME_AFTER };
    b->key_count = 0;
    for (int row = 0; row < db_rows(r); row++) {
        struct key_found *k = key_for(b, (int) db_cell_i64(r, row, N));
        if (k->leg_count == 0) k->request_hash = db_cell_i64(r, row, HASH);
        if (k->leg_count == 0) k->created_us = db_cell_i64(r, row, CREATED);
        must(k->leg_count < POSTING_LEGS_MAX);
        k->legs[k->leg_count++] = (struct posted){
            .id = db_cell_i64(r, row, TRANSFER), .debit = db_cell_i64(r, row, DEBIT),
            .credit = db_cell_i64(r, row, CREDIT), .amount = db_cell_i64(r, row, AMOUNT),
            .debit_after = or_none(r, row, DEBIT_AFTER), .debit_version = or_none(r, row, DEBIT_VERSION),
            .credit_after = or_none(r, row, CREDIT_AFTER), .credit_version = or_none(r, row, CREDIT_VERSION),
            .lifetime_after = or_none(r, row, LIFETIME_AFTER),
        };
    }
}

const struct key_found *found_key(const struct batch *b, int posting)
{
    int low = 0, high = b->key_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (b->keys[middle].posting < posting) low = middle + 1;
        else high = middle;
    }
    return low < b->key_count && b->keys[low].posting == posting ? &b->keys[low] : NULL;
}

bool found_take(const struct key_found *key, struct posting *p)
{
    bool own = p->first_id == key->legs[0].id;
    memcpy(p->posted, key->legs, (size_t) key->leg_count * sizeof *key->legs);
    p->created_us = key->created_us;
    return own;
}

void found_ask_accounts(struct batch *b, struct db_args *args)
{
    int64_t *ids = arena_raw(&b->arena, sizeof *ids * 2 * (size_t) (b->count ? b->count : 1) * POSTING_LEGS_MAX);
    int n = 0;
    for (int i = 0; i < b->count; i++) {
        const struct posting *p = b->postings[i];
        for (int leg = 0; leg < p->leg_count; leg++) {
            ids[n++] = p->legs[leg].debit;
            ids[n++] = p->legs[leg].credit;
        }
    }
    db_i64_array(args, ids, n);
}

void found_hold_generation(struct batch *b)
{
    struct db_args args;
    db_args_init(&args, &b->arena);
    db_i64(&args, b->ledger->generations.count);
    batch_statement(b, &sql_ledger_generation_hold, &args, NULL);
}

void found_ask_keys(struct batch *b, struct db_args *args)
{
    const struct generations *g = &b->ledger->generations;
    struct buf *places = &b->ledger->columns.places, *numbers = &b->ledger->columns.place_numbers;
    int n = 0;
    buf_clear(places);
    buf_clear(numbers);
    for (int64_t i = 0; i < b->count; i++) {
        uint8_t idem[16];
        generations_stamp(g, b->postings[i], idem);
        buf_put(places, idem, sizeof idem);
        for (int k = generations_places(g, b->postings[i], places); k >= 0; k--, n++) buf_put(numbers, &i, sizeof i);
    }
    must(!places->failed && !numbers->failed);
    db_uuid_array(args, (const uint8_t (*)[16]) places->p, n);
    db_i64_array(args, (const int64_t *) numbers->p, n);
}
