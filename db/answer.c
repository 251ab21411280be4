/* What comes back on a connection, matched to what was sent.
 *
 * In pipeline mode libpq gives for each Parse and each statement one result and then NULL, for each
 * Sync one PGRES_PIPELINE_SYNC and no NULL, and after an error PGRES_PIPELINE_ABORTED for each of
 * the rest up to the Sync. A refused commit is an error in front of the Sync's own answer.
 * PQgetResult is called only while something is expected and has arrived, so it never waits.
 *
 * An end that libpq meets (a read of nothing, also while it writes) makes it drop its own queue of what was sent, at
 * once: what lies in its buffer behind the answer it is at is then unexpected to it. The session's last words become a
 * notice, further answers are thrown away, and PQgetResult says NULL, "nothing is under way". So answers are taken
 * before anything is written, and statements that callbacks give are sent when all that has come is taken. Where that
 * does not help (a statement of more than 8 KB is written while it is put together) a NULL means: lost, and whether
 * what was sent has happened is not known, even if its answer had come. */
#include <string.h>

#include "core/log.h"
#include "db/private.h"

enum { FORGOTTEN_MAX = 256 };

static const char *sqlstate_of(const PGresult *r)
{
    const char *code = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    return code ? code : "";
}

/* An error that ends the session, or that libpq made itself because the session has ended. */
static bool ends_session(const PGresult *r)
{
    if (PQresultStatus(r) != PGRES_FATAL_ERROR) return false;
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    return !severity || strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}

/* Refusals that no caller decides by are defects or troubles of the database: they are logged here. */
static void log_refusal(const struct step *step, const PGresult *r)
{
    static const char *const classes[] = { "08", "0A", "26", "42", "53", "54", "57", "58", "XX" };
    const char *code = sqlstate_of(r), *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (strncmp(code, classes[i], 2) != 0) continue;
        log_error("db", "refused", "sql=%s code=%s message=%s", step->sql ? step->sql->file : "commit", code,
                  LOG_STR(str_from(message)));
        return;
    }
}

static void take_prepare(struct db_conn *c, struct step *step, PGresult *r)
{
    struct db_unit *u = step->unit;
    prepared_answer(c, step, PQresultStatus(r) == PGRES_COMMAND_OK);
    if (PQresultStatus(r) == PGRES_FATAL_ERROR) {
        must(u->error == NULL);
        log_refusal(step, r);
        u->error = r;
        u->refused = step->sql;
        return;
    }
    must(PQresultStatus(r) == PGRES_COMMAND_OK || (PQresultStatus(r) == PGRES_PIPELINE_ABORTED && u->error));
    PQclear(r);
}

/* Tells the statement's callback, and the unit's owner when he is still adding to the unit. */
static void tell_refusal(struct step *step)
{
    struct db_unit *u = step->unit;
    struct db_result result = { u->error };
    if (u->state == UNIT_GONE) return;
    if (step->done) step->done(step->arg, ERR_SQL, &result);
    if (u->state == UNIT_OPEN) unit_abandon(u);
}

static void take_answer(struct step *step, PGresult *r)
{
    struct db_unit *u = step->unit;
    must(u->error == NULL && u->state != UNIT_GONE);
    if (u->keep_result) {
        must(u->result == NULL);
        u->result = r;
        return;
    }
    struct db_result result = { r };
    if (step->done) step->done(step->arg, OK, &result);
    PQclear(r);
}

static void take_statement(struct db_conn *c, struct step *step, PGresult *r)
{
    struct db_unit *u = step->unit;
    switch (PQresultStatus(r)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        take_answer(step, r);
        return;
    case PGRES_FATAL_ERROR:
        must(u->error == NULL);
        log_refusal(step, r);
        prepared_doubt(c, step, sqlstate_of(r));
        u->error = r;
        tell_refusal(step);
        /* Writable when it was checked and read-only now: connect again, and see what is there. */
        if (strcmp(sqlstate_of(r), "25006") == 0) conn_break(c);
        return;
    default:
        must(PQresultStatus(r) == PGRES_PIPELINE_ABORTED && u->error != NULL);
        PQclear(r);
        if (u->refused != step->sql) return;
        u->refused = NULL;
        tell_refusal(step);
    }
}

static void take_commit(struct step *step, PGresult *r)
{
    struct db_unit *u = step->unit;
    if (PQresultStatus(r) == PGRES_FATAL_ERROR) {   /* a deferred constraint; the Sync's own answer follows */
        must(u->error == NULL);
        log_refusal(step, r);
        u->error = r;
        return;
    }
    must(PQresultStatus(r) == PGRES_PIPELINE_SYNC);
    PQclear(r);
    step_free(u->conn->db, step);
    unit_end(u, u->error ? ERR_SQL : OK);
}

static void take_one(struct db_conn *c, struct step *step, PGresult *r)
{
    bool whole = PQresultStatus(r) == PGRES_PIPELINE_SYNC || PQgetResult(c->wire.pg) == NULL;
    must(whole);
    if (step->kind == STEP_SYNC) {
        take_commit(step, r);
        return;
    }
    list_unlink(&step->link);   /* the callback may send more, and must find the list in order */
    if (step->kind == STEP_PREPARE) take_prepare(c, step, r);
    else take_statement(c, step, r);
    step_free(c->db, step);
}

static void take_all(struct db_conn *c)
{
    while (c->wire.state == WIRE_OPEN && !list_empty(&c->sent) && !PQisBusy(c->wire.pg)) {
        PGresult *r = PQgetResult(c->wire.pg);
        if (!r || ends_session(r)) {
            char why[WIRE_WHY_MAX];
            wire_reason(r ? PQresultErrorMessage(r) : wire_why(&c->wire), why);
            PQclear(r);
            conn_lose(c, why);
            return;
        }
        take_one(c, list_entry(list_first(&c->sent), struct step, link), r);
    }
}

void answer_take(struct db_conn *c)
{
    c->taking = true;
    take_all(c);
    c->taking = false;
    send_pump(c);
    /* Statements prepared anew leave their predecessors on the server: a fresh session frees them. */
    if (c->state == CONN_READY && c->forgotten > FORGOTTEN_MAX && list_empty(&c->units)) {
        conn_lose(c, "too many statements were prepared anew");
    }
}
