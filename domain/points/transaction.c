/* PointTransaction, and the parts of JSON that the handlers share. */
#include "domain/points/points_private.h"

void points_open_level(struct buf *b, const struct level *level)
{
    json_open(b, '{');
    json_key(b, STR("name"));
    json_string(b, level->name);
    json_key(b, STR("tier"));
    json_int(b, level->tier);
    json_key(b, STR("minPoints"));
    json_int(b, level->min_points);
}

void points_put_level(struct buf *b, const struct level *level)
{
    points_open_level(b, level);
    json_key(b, STR("perks"));
    json_raw(b, level->perks);
    json_close(b, '}');
}

/* Points taken back with a purchase are a purchase with a negative amount. */
static struct str type_of(struct str kind)
{
    struct str rest = kind;
    str_cut(&rest, '.');
    return str_eq(rest, STR("purchase_return")) ? STR("purchase") : rest;
}

struct point_transaction points_transaction_of(const struct posting *p, int leg, int64_t user, int64_t account)
{
    const struct posted *t = &p->posted[leg];
    bool is_debit = t->debit == account;
    return (struct point_transaction){
        .id = t->id,
        .user = user,
        .kind = p->legs[leg].kind,
        .amount = is_debit ? -t->amount : t->amount,
        .balance_after = is_debit ? t->debit_after : t->credit_after,
        .description = p->memo,
        .reference_type = p->reference_type,
        .reference_id = p->reference_id,
        .metadata = p->metadata,
        .created_us = p->created_us,
    };
}

void points_put_transaction(struct buf *b, const struct app *app, const struct point_transaction *t)
{
    json_open(b, '{');
    json_key(b, STR("id"));
    pid_json(b, &app->pids, PID_TRANSFER, t->id);
    json_key(b, STR("userId"));
    pid_json(b, &app->pids, PID_USER, t->user);
    json_key(b, STR("type"));
    json_string(b, type_of(t->kind));
    json_key(b, STR("amount"));
    json_int(b, t->amount);
    json_key(b, STR("balanceAfter"));
    json_int(b, t->balance_after);
    json_key(b, STR("description"));
    json_string(b, t->description);
    json_key(b, STR("referenceType"));
    json_string(b, t->reference_type);
    json_key(b, STR("referenceId"));
    json_string(b, t->reference_id);
    json_key(b, STR("metadata"));
    json_raw(b, t->metadata.p ? t->metadata : STR("{}"));
    json_key(b, STR("createdAt"));
    json_time(b, t->created_us);
    json_close(b, '}');
}
