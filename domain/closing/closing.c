/* The order: first the doors, so that nothing new comes; then what handlers wait for, each while what its answer leads
 * to is still there; the database last. */
#include "domain/closing/closing.h"

#include "core/must.h"
#include "domain/alerts/alerts.h"
#include "domain/live/live.h"
#include "domain/mail/outbox.h"
#include "domain/payments/payments.h"
#include "domain/referral/referral.h"
#include "ws/session.h"
#include "ws/socketio.h"

enum {
    DRAIN_MS = 8000,          /* with what follows it below the ten seconds that supervisors usually wait */
    SETTLE_MS = 500,
};

static void resume(void *arg)
{
    flow_resume(&((struct closing *) arg)->flow);
}

static void door_closed(void *arg)
{
    struct closing *c = arg;
    if (--c->doors == 0) flow_resume(&c->flow);
}

static enum flow_result close_doors(void *arg)
{
    struct closing *c = arg;
    c->doors = 3;
    http_server_drain(c->app->http, DRAIN_MS, door_closed, c);
    ws_server_drain(c->app->ws, DRAIN_MS, door_closed, c);
    sio_server_drain(c->app->socketio, DRAIN_MS, door_closed, c);
    return FLOW_WAIT;
}

/* Nobody can ask for metrics any more, and their owners are about to go. */
static enum flow_result close_meters(void *arg)
{
    struct closing *c = arg;
    metrics_fini(&c->app->metrics);
    return FLOW_NEXT;
}

/* From here on one part after the other closes. A handler may still work for a client that has gone: the part it waits
 * for ends its wait, and the parts that are closed already say so to it. */
static void passwords_closed(void *arg)
{
    struct closing *c = arg;
    c->app->passwords = NULL;
    flow_resume(&c->flow);
}

static enum flow_result close_passwords(void *arg)
{
    struct closing *c = arg;
    work_queue_close_then(c->app->passwords, passwords_closed, c);
    return FLOW_WAIT;
}

static void pictures_closed(void *arg)
{
    struct closing *c = arg;
    c->app->pictures = NULL;
    flow_resume(&c->flow);
}

static enum flow_result close_pictures(void *arg)
{
    struct closing *c = arg;
    work_queue_close_then(c->app->pictures, pictures_closed, c);
    return FLOW_WAIT;
}

static void files_closed(void *arg)
{
    struct closing *c = arg;
    c->app->files = NULL;
    flow_resume(&c->flow);
}

static enum flow_result close_files(void *arg)
{
    struct closing *c = arg;
    work_queue_close_then(c->app->files, files_closed, c);
    return FLOW_WAIT;
}

static void outbound_closed(void *arg)
{
    struct closing *c = arg;
    c->app->outbound = NULL;
    flow_resume(&c->flow);
}

/* What waits for an answer from outside learns that there will be none, while there is still a database to note it. */
static enum flow_result close_outbound(void *arg)
{
    struct closing *c = arg;
    outbound_close(c->app->outbound, outbound_closed, c);
    return FLOW_WAIT;
}

static enum flow_result close_payments(void *arg)
{
    struct closing *c = arg;
    payments_close(c->app->payments, resume, c);
    return FLOW_WAIT;
}

static void referrals_closed(void *arg)
{
    struct closing *c = arg;
    c->app->referrals = NULL;
    flow_resume(&c->flow);
}

static enum flow_result close_referrals(void *arg)
{
    struct closing *c = arg;
    referrals_close(c->app->referrals, referrals_closed, c);
    return FLOW_WAIT;
}

static void ledger_closed(void *arg)
{
    struct closing *c = arg;
    c->app->ledger = NULL;
    flow_resume(&c->flow);
}

static enum flow_result close_ledger(void *arg)
{
    struct closing *c = arg;
    ledger_close(c->app->ledger, ledger_closed, c);
    return FLOW_WAIT;
}

static enum flow_result close_alerts(void *arg)
{
    struct closing *c = arg;
    alerts_close(c->app->alerts, resume, c);
    return FLOW_WAIT;
}

static enum flow_result close_outbox(void *arg)
{
    struct closing *c = arg;
    outbox_close(c->app->outbox, resume, c);
    return FLOW_WAIT;
}

static enum flow_result close_sms(void *arg)
{
    struct closing *c = arg;
    outbox_close(c->app->sms, resume, c);
    return FLOW_WAIT;
}

static enum flow_result close_pushes(void *arg)
{
    struct closing *c = arg;
    outbox_close(c->app->pushes, resume, c);
    return FLOW_WAIT;
}

static enum flow_result close_removals(void *arg)
{
    struct closing *c = arg;
    outbox_close(c->app->removals, resume, c);
    return FLOW_WAIT;
}

static enum flow_result close_stream(void *arg)
{
    struct closing *c = arg;
    live_close(c->app->live, resume, c);
    return FLOW_WAIT;
}

static void database_closed(void *arg)
{
    struct closing *c = arg;
    c->app->db = NULL;
    flow_resume(&c->flow);
}

static enum flow_result close_database(void *arg)
{
    struct closing *c = arg;
    db_close(c->app->db, database_closed, c);
    return FLOW_WAIT;
}

static enum flow_result close_handlers(void *arg)
{
    struct closing *c = arg;
    http_server_settle(c->app->http, SETTLE_MS, resume, c);
    return FLOW_WAIT;
}

static const struct flow_step steps[] = {
    { "doors", close_doors },
    { "meters", close_meters },
    { "passwords", close_passwords },
    { "pictures", close_pictures },
    { "files", close_files },
    { "outbound", close_outbound },
    { "payments", close_payments },
    { "referrals", close_referrals },
    { "ledger", close_ledger },
    { "alerts", close_alerts },
    { "outbox", close_outbox },
    { "sms", close_sms },
    { "pushes", close_pushes },
    { "removals", close_removals },
    { "stream", close_stream },
    { "database", close_database },
    { "handlers", close_handlers },
    { NULL, NULL },
};

static void all_closed(void *arg, enum err err)
{
    struct closing *c = arg;
    must(err == OK);
    c->closed(c->arg);
}

void closing_start(struct closing *c, struct app *app, void (*closed)(void *arg), void *arg)
{
    *c = (struct closing){ .app = app, .closed = closed, .arg = arg };
    flow_start(&c->flow, steps, all_closed, c);
}
