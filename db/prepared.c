/* Which statements a connection has prepared. A statement is prepared just before its first use, in
 * the same pipeline, and counts as made only when the server has said so. A schema that changed
 * under us shows as 26000, 0A000 or 42…: then the statement is prepared anew at its next use. */
#include <stdio.h>
#include <string.h>

#include "db/private.h"

const char *prepared_name(const struct sql *sql, int generation, char room[128])
{
    if (generation == 0) return sql->name;
    snprintf(room, 128, "%.100s#%d", sql->name, generation);
    return room;
}

static struct prepared *prepared_of(const struct db_conn *c, const struct sql *sql)
{
    must(sql->index >= 0 && sql->index < c->db->sql_count);
    return &c->prepared[sql->index];
}

bool prepared_is_known(const struct db_conn *c, const struct sql *sql, const struct db_unit *u)
{
    const struct prepared *p = prepared_of(c, sql);
    if (p->state == PREPARED_READY) return true;
    return p->state == PREPARED_ASKED && (p->sure || p->asker == u->serial);
}

struct prepared *prepared_ask(struct db_conn *c, const struct sql *sql, const struct db_unit *u, bool sure)
{
    struct prepared *p = prepared_of(c, sql);
    /* Another unit's Parse under the same name may still succeed or be skipped: take a name of our own. */
    if (p->state == PREPARED_ASKED) p->generation++;
    p->state = PREPARED_ASKED;
    p->sure = sure;
    p->asker = u->serial;
    return p;
}

static void forget(struct db_conn *c, struct prepared *p)
{
    p->state = PREPARED_UNKNOWN;
    p->generation++;
    c->forgotten++;
}

void prepared_answer(struct db_conn *c, const struct step *step, bool made)
{
    struct prepared *p = prepared_of(c, step->sql);
    if (p->generation != step->generation) return;   /* somebody has asked anew meanwhile */
    if (made) p->state = PREPARED_READY;
    else forget(c, p);
}

void prepared_doubt(struct db_conn *c, const struct step *step, const char *sqlstate)
{
    struct prepared *p = prepared_of(c, step->sql);
    if (p->generation != step->generation || p->state != PREPARED_READY) return;
    if (strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "0A000") == 0 || strncmp(sqlstate, "42P", 3) == 0) {
        forget(c, p);
    }
}
