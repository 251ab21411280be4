/* The statement of a lone transfer: a batch of one posting with one leg between two ordinary accounts and nothing
 * besides. That is what a client waits for at low load, and there the fixed cost of a statement over arrays is most of
 * it. */
#include "domain/ledger/private.h"
#include "sql.h"

static bool fits(const struct batch *b)
{
    return b->admitted_count == 1 && b->leg_count == 1 && b->touch_count == 2 && b->unbounded_count == 0 &&
           batch_is_plain(b);
}

static struct touch *touch_of(struct batch *b, int64_t account)
{
    return &b->touches[b->touches[0].id == account ? 0 : 1];
}

static void put_side(struct db_args *args, struct touch *t)
{
    t->balance_after = t->forecast->state.balance;
    t->version_after = t->forecast->state.version;
    t->lifetime_after = t->forecast->state.lifetime;
    db_i64(args, t->id);
    db_i64(args, t->balance);
    db_i64(args, t->version);
    db_i64(args, t->lifetime);
    db_i64(args, t->balance_after);
    db_i64(args, t->lifetime_after);
}

static void put_optional(struct db_args *args, int64_t v, bool is_null)
{
    if (is_null) db_null(args);
    else db_i64(args, v);
}

bool write_one(struct batch *b, struct columns *columns)
{
    struct db_args args;
    uint8_t idem[16];
    if (!fits(b)) return false;
    const struct posting *p = b->admitted[0];
    const struct posted *t = &p->posted[0];
    db_args_init(&args, &b->arena);
    put_side(&args, touch_of(b, t->debit));
    put_side(&args, touch_of(b, t->credit));
    db_i64(&args, t->id);
    db_text(&args, p->legs[0].kind);
    db_i64(&args, t->amount);
    put_optional(&args, t->lifetime_after, t->lifetime_after == INT64_MIN);
    put_optional(&args, p->actor, !p->actor);
    generations_stamp(&b->ledger->generations, p, idem);
    db_bytes(&args, (struct str){ (const char *) idem, sizeof idem });
    db_text(&args, p->key);
    put_optional(&args, p->request_hash, !p->has_idem);
    batch_put_events(b, columns, &args);
    batch_put_keys(b, columns, &args);
    batch_statement(b, &sql_ledger_write_one, &args, batch_written);
    b->ledger->meters->lone.value++;
    return true;
}
