/* Transfer alerts: the loop side of pending.h. One statement at a time, on a connection of its own,
 * whose session holds the advisory lock: when the session is lost, so is the lead, and nothing of
 * ours can be written any more; another process then finds in the tables (account.alerted <
 * version) what this one had not told.
 *
 *     follower ──lock──> leader: scan the tables, read what is unread, then write who is due, each second
 *        ^                  │
 *        └──session lost────┘   everything in memory is forgotten
 *
 * A process that does not lead keeps nothing and spends nothing but a question every second. */
#include "domain/alerts/alerts.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "db/migrate.h"
#include "domain/alerts/pending.h"
#include "domain/mail/outbox.h"
#include "domain/mail/text.h"
#include "migrations.h"
#include "sql.h"

enum {
    TICK_MS = 1000,
    PEOPLE_MAX = 200000,
    SCAN_ACCOUNTS = 20000,
    READ_MAX = 200,
    WRITE_PEOPLE = 500, WRITE_ACCOUNTS = 2000,
    CLOSING_WRITES = 20,      /* the rest is left to the tables */
    DEADLINE_MS = 8000,
    PERSON_ACCOUNTS_MAX = 100,
};

struct alerts {
    struct app *app;
    struct db *db;
    struct wheel_timer tick;
    struct pending pending;
    bool leads, busy;
    bool session_lost;
    bool scanning;
    int64_t scan_from;                    /* the last account looked at; -1: begin anew */
    struct arena arena;                   /* of the statement under way */
    struct alert_account *reading[READ_MAX];
    int64_t read_to[READ_MAX];
    int reading_count;
    int writes;                           /* while closing */
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void proceed(struct alerts *a);

/* Leading
 * ---------------------------------------------------------------------------------------------
 * ---- */

static void begin_scan(struct alerts *a)
{
    a->scanning = true;
    a->scan_from = -1;
}

static void step_down(struct alerts *a)
{
    if (a->leads) log_info("alerts", "lead_lost", "pending=%zu", a->pending.people.count);
    a->leads = false;
    a->scanning = false;
    pending_fini(&a->pending);
    pending_init(&a->pending, PEOPLE_MAX);
}

/* The statement is answered: false when it failed, which was looked after. */
static bool answered(struct alerts *a, const char *what, enum err err, const struct db_result *r)
{
    a->busy = false;
    arena_fini(&a->arena);
    if (err == OK && !a->session_lost) return true;
    log_warn("alerts", "failed", "step=%s err=%s message=%s", what, err_info(err)->name,
             LOG_STR(str_from(r ? db_message(r) : "")));
    if (err == ERR_SQL && !a->session_lost) pending_failed(&a->pending);
    else step_down(a);   /* the session, and with it the lock, may be gone */
    a->session_lost = false;
    if (a->closing) proceed(a);
    return false;
}

static bool ask(struct alerts *a, const struct sql *sql, const struct db_args *args, db_done done)
{
    a->busy = db_exec(a->db, sql, args, done, a) == OK;
    if (!a->busy) arena_fini(&a->arena);
    return a->busy;
}

static void on_lead(void *arg, enum err err, const struct db_result *r)
{
    struct alerts *a = arg;
    if (!answered(a, "lead", err, r)) return;
    a->leads = db_cell_bool(r, 0, 0);
    if (a->leads) {
        log_info("alerts", "leading", "people_max=%d", PEOPLE_MAX);
        begin_scan(a);
    }
    if (a->leads || a->closing) proceed(a);
}

static void ask_for_lead(struct alerts *a)
{
    struct db_args none;
    db_args_init(&none, &a->arena);
    ask(a, &sql_alerts_lead, &none, on_lead);
}

/* A connection that comes back is another session: the lock must be asked for again. */
static void on_state(void *arg, bool up)
{
    struct alerts *a = arg;
    if (up) return;
    if (a->busy) a->session_lost = true;   /* the answer, which comes, sees to it */
    else step_down(a);
}

/* What the tables say is owed
 * ------------------------------------------------------------------------------- */

static void on_scanned(void *arg, enum err err, const struct db_result *r)
{
    struct alerts *a = arg;
    if (!answered(a, "scan", err, r)) return;
    int last = db_rows(r) - 1;
    for (int i = 0; i < last; i++) {
        pending_owe(&a->pending, db_cell_i64(r, i, 1), db_cell_i64(r, i, 0), db_cell_i64(r, i, 2), db_cell_i64(r, i, 3),
                    db_cell_i64(r, i, 4));
    }
    bool end = !db_cell(r, last, 0).p || a->pending.left_out;
    if (a->scan_from >= 0 && end) a->scanning = false;
    if (a->scan_from >= 0 && !end) a->scan_from = db_cell_i64(r, last, 0);
    proceed(a);
}

static void scan(struct alerts *a)
{
    struct db_args args;
    if (a->scan_from < 0) a->scan_from = 0;
    a->pending.left_out = false;
    db_args_init(&args, &a->arena);
    db_i64(&args, a->scan_from);
    db_i64(&args, SCAN_ACCOUNTS);
    ask(a, &sql_alerts_scan, &args, on_scanned);
}

static void on_read(void *arg, enum err err, const struct db_result *r)
{
    struct alerts *a = arg;
    if (!answered(a, "read", err, r)) return;
    must(db_rows(r) == a->reading_count);
    for (int i = 0; i < a->reading_count; i++) {
        int64_t transfers = db_cell(r, i, 0).p ? db_cell_i64(r, i, 0) : -1;
        pending_read(a->reading[i], a->read_to[i], transfers, db_cell_i64(r, i, 1), db_cell_i64(r, i, 2));
    }
    proceed(a);
}

static void read_unread(struct alerts *a)
{
    int64_t ids[READ_MAX], told[READ_MAX];
    struct db_args args;
    int n = 0;
    list_each(&a->pending.unread, it) {
        if (n == READ_MAX) break;
        struct alert_account *account = list_entry(it, struct alert_account, unread);
        a->reading[n] = account;
        ids[n] = account->id;
        told[n] = account->told;
        a->read_to[n++] = account->read_to;
    }
    a->reading_count = n;
    db_args_init(&args, &a->arena);
    db_i64_array(&args, ids, n);
    db_i64_array(&args, told, n);
    db_i64_array(&args, a->read_to, n);
    ask(a, &sql_alerts_read, &args, on_read);
}

/* Writing
 * ---------------------------------------------------------------------------------------------
 * ----- */

/* The arrays of write.sql. */
struct writing {
    int people, accounts;
    int64_t persons[WRITE_PEOPLE];
    struct str subjects[WRITE_PEOPLE], texts[WRITE_PEOPLE], htmls[WRITE_PEOPLE];
    int64_t ids[WRITE_ACCOUNTS], owners[WRITE_ACCOUNTS], told[WRITE_ACCOUNTS], newest[WRITE_ACCOUNTS];
};

static void add_person(struct alerts *a, struct writing *w, struct alert_person *person)
{
    struct mail_movement movements[PERSON_ACCOUNTS_MAX];
    struct alert_figures f;
    int n = 0, before = w->accounts;
    for (struct alert_account *account = person->accounts; account; account = account->next) {
        if (w->accounts == WRITE_ACCOUNTS || !pending_figures(account, &f)) continue;
        w->ids[w->accounts] = account->id;
        w->owners[w->accounts] = person->user;
        w->told[w->accounts] = f.told;
        w->newest[w->accounts++] = f.newest;
        if (f.count == 0 || n == PERSON_ACCOUNTS_MAX) continue;
        char pid[PID_CHARS];
        pid_encode(&a->app->pids, PID_ACCOUNT, account->id, pid);
        movements[n++] = (struct mail_movement){
            .account = arena_str(&a->arena, (struct str){ pid, sizeof pid }),
            .count = f.count, .in = f.in, .out = f.out, .totals_known = f.totals_known, .balance = f.balance,
        };
    }
    if (w->accounts == before) return;
    const struct person *known = book_person(&a->app->book, person->user);
    struct mail_text mail = { 0 };
    if (n > 0) {
        mail = mail_text_alert(&a->arena, str_from(known ? known->name : NULL), str_from(a->app->settings->currency),
                               movements, n);
    }
    w->persons[w->people] = person->user;
    w->subjects[w->people] = mail.subject;
    w->texts[w->people] = mail.text;
    w->htmls[w->people++] = mail.html;
}

static void on_written(void *arg, enum err err, const struct db_result *r)
{
    struct alerts *a = arg;
    if (!answered(a, "write", err, r)) return;
    if (!db_cell_bool(r, 0, 0)) {
        step_down(a);
        proceed(a);
        return;
    }
    for (int i = 0; i < db_rows(r); i++) {
        if (!db_cell(r, i, 1).p) continue;
        pending_owe(&a->pending, db_cell_i64(r, i, 1), db_cell_i64(r, i, 2), db_cell_i64(r, i, 3), db_cell_i64(r, i, 4),
                    db_cell_i64(r, i, 5));
    }
    pending_written(&a->pending, clock_mono_ms());
    outbox_wake(a->app->outbox);
    proceed(a);
}

/* False: nobody is due. */
static bool write_due(struct alerts *a)
{
    struct writing *w = arena_raw(&a->arena, sizeof *w);
    struct alert_person *person;
    struct db_args args;
    w->people = w->accounts = 0;
    while (w->people < WRITE_PEOPLE && w->accounts <= WRITE_ACCOUNTS - PERSON_ACCOUNTS_MAX &&
           (person = pending_take(&a->pending, clock_mono_ms(), a->closing)))
        add_person(a, w, person);
    if (w->people == 0) {
        arena_fini(&a->arena);
        pending_written(&a->pending, clock_mono_ms());   /* those of whom nothing was left to say */
        return false;
    }
    db_args_init(&args, &a->arena);
    db_i64_array(&args, w->persons, w->people);
    db_text_array(&args, w->subjects, w->people);
    db_text_array(&args, w->texts, w->people);
    db_text_array(&args, w->htmls, w->people);
    db_i64_array(&args, w->ids, w->accounts);
    db_i64_array(&args, w->owners, w->accounts);
    db_i64_array(&args, w->told, w->accounts);
    db_i64_array(&args, w->newest, w->accounts);
    if (!ask(a, &sql_alerts_write, &args, on_written)) pending_failed(&a->pending);
    return a->busy;
}

/* The order of things
 * ---------------------------------------------------------------------------------------- */

static void on_db_closed(void *arg)
{
    struct alerts *a = arg;
    void (*closed)(void *arg) = a->closed;
    void *closed_arg = a->closed_arg;
    a->app->alerts = NULL;
    pending_fini(&a->pending);
    arena_fini(&a->arena);
    mem_free(a);
    closed(closed_arg);
}

static void proceed(struct alerts *a)
{
    if (a->busy || !a->db) return;
    bool reads = a->scanning || !list_empty(&a->pending.unread);
    if (a->closing && (!a->leads || reads || a->writes++ == CLOSING_WRITES || !write_due(a))) {
        struct db *db = a->db;
        a->db = NULL;
        db_close(db, on_db_closed, a);   /* ends the session, and with it the lock */
        return;
    }
    if (a->closing) return;
    if (!a->leads) return;
    if (!list_empty(&a->pending.unread)) read_unread(a);
    else if (a->scanning) scan(a);
    else write_due(a);
}

static void on_tick(struct wheel_timer *timer)
{
    struct alerts *a = list_entry(timer, struct alerts, tick);
    wheel_set(a->app->wheel, timer, TICK_MS);
    if (a->leads && a->pending.left_out && a->pending.people.count < PEOPLE_MAX / 2) begin_scan(a);
    if (!a->leads && !a->busy && db_is_up(a->db)) ask_for_lead(a);
    else proceed(a);
}

struct alerts *alerts_new(struct app *app)
{
    struct alerts *a = mem_new(struct alerts);
    a->app = app;
    arena_init(&a->arena);
    pending_init(&a->pending, PEOPLE_MAX);
    struct db_options options = {
        .url = app->settings->database_url,
        .name = "alerts",
        .connections_max = 1,
        .queue_max = 4,
        .deadline_ms = DEADLINE_MS,
        /* Locks are let go without waiting for the disk: what a crash of PostgreSQL takes back is
         * owed again. */
        .session = "-c synchronous_commit=off",
        .sql_count = SQL_COUNT,
        .schema_version = db_migrations_version(migrations_all),
        .on_state = on_state,
        .arg = a,
    };
    a->db = db_new(app->loop, &app->turn, app->wheel, &options);
    wheel_timer_init(&a->tick, on_tick);
    wheel_set(app->wheel, &a->tick, TICK_MS);
    return a;
}

void alerts_transfer(struct alerts *a, const struct ledger_event *e, const struct account *account)
{
    if (!a || !a->leads || account->kind != ACCOUNT_BANK) return;
    bool credit = e->credit == account->id, told = str_starts(e->kind, STR("bank."));
    const struct person *person = told ? book_person(&a->app->book, account->owner) : NULL;
    if (told && (!person || !person->email)) return;
    pending_note(&a->pending, &(struct alert_news){
        .user = account->owner,
        .account = account->id,
        .version = credit ? e->credit_version : e->debit_version,
        .balance = credit ? e->credit_after : e->debit_after,
        .in = told && credit ? e->amount : 0,
        .out = told && !credit ? e->amount : 0,
    });
}

void alerts_loaded(struct alerts *a)
{
    if (a && a->leads) begin_scan(a);
}

void alerts_close(struct alerts *a, void (*closed)(void *arg), void *arg)
{
    must(!a->closing);
    a->closing = true;
    a->closed = closed;
    a->closed_arg = arg;
    wheel_cancel(&a->tick);
    proceed(a);
}
