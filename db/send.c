/* What goes out on a connection: the statements of its units, unit after unit, never mixed.
 *
 * The sender is the oldest unit whose Sync has not gone out. As soon as it has, the next unit is the
 * sender, although nothing may have been answered yet: that is the pipelining. Everything that is
 * sent is put into conn->sent at the same moment, which db/answer.c takes apart. */
#include "db/private.h"

static bool sent(struct db_conn *c, struct step *step, int ok)
{
    if (!ok) {
        list_append(&step->unit->unsent, &step->link);   /* freed with its unit when the connection is lost */
        return false;
    }
    list_append(&c->sent, &step->link);
    step->unit->sending = true;
    return true;
}

static bool send_prepare(struct db_conn *c, struct db_unit *u, const struct sql *sql)
{
    char room[128];
    /* As the unit's first message it depends on nothing before it, so others may rely on it. */
    const struct prepared *p = prepared_ask(c, sql, u, !u->sending);
    struct step *step = step_new(c->db, STEP_PREPARE, u, sql);
    step->generation = p->generation;
    return sent(c, step, PQsendPrepare(c->wire.pg, prepared_name(sql, p->generation, room), sql->text, 0, NULL));
}

/* All that is missing is prepared before the first statement, for then little can go wrong with it. */
static bool send_prepares(struct db_conn *c, struct db_unit *u)
{
    list_each(&u->unsent, link) {
        const struct step *step = list_entry(link, struct step, link);
        if (!prepared_is_known(c, step->sql, u) && !send_prepare(c, u, step->sql)) return false;
    }
    return true;
}

static bool send_statement(struct db_conn *c, struct step *step)
{
    char room[128];
    step->generation = c->prepared[step->sql->index].generation;
    return sent(c, step, PQsendQueryPrepared(c->wire.pg, prepared_name(step->sql, step->generation, room),
                                             step->count, step->values, step->lengths, step->formats, 0));
}

static bool send_statements(struct db_conn *c, struct db_unit *u)
{
    if (!send_prepares(c, u)) return false;
    struct list *link;
    while ((link = list_shift(&u->unsent))) {
        if (!send_statement(c, list_entry(link, struct step, link))) return false;
    }
    return true;
}

static bool send_sync(struct db_conn *c, struct db_unit *u)
{
    /* From here on the unit may have happened, whatever the call below says. */
    if (u->state == UNIT_SYNCED) u->state = UNIT_SENT;
    c->sender = u->link.next == &c->units ? NULL : list_entry(u->link.next, struct db_unit, link);
    struct step *step = step_new(c->db, STEP_SYNC, u, NULL);
    return sent(c, step, (!u->flush_wanted || PQsendFlushRequest(c->wire.pg)) && PQpipelineSync(c->wire.pg));
}

void send_pump(struct db_conn *c)
{
    if (c->wire.state != WIRE_OPEN || turn_is_deferred(&c->broken) || c->taking) return;
    bool any = false, ok = true;
    while (ok && c->sender) {
        struct db_unit *u = c->sender;
        if (u->state == UNIT_OPEN && !u->flush_wanted) break;
        any = true;
        ok = send_statements(c, u);
        if (ok && u->state == UNIT_OPEN) {
            u->flush_wanted = false;
            ok = PQsendFlushRequest(c->wire.pg) == 1;
            break;
        }
        if (ok) ok = send_sync(c, u);
    }
    if (ok && any) ok = wire_flush(&c->wire);
    if (!ok) conn_break(c);
    /* libpq reads when it cannot write, and then no event of the socket would tell us of the answers. */
    else if (!list_empty(&c->sent) && !PQisBusy(c->wire.pg)) turn_defer(c->db->turn, &c->arrived);
}
