/* The composition root: reads the configuration, wires the parts, runs the loop, and takes it all down again in
 * order.
 *
 * Start: what cannot work is found first (settings, database, what PostgreSQL must offer, the port), said by name
 * with its mend, and ends the process. The port is taken then, but clients are let in when the process can answer:
 * when its memory is loaded and the ledger stands. So a client meets an open port or a closed one, never a server
 * that is not there yet; and of several processes at one port only those that can answer are given clients. A single
 * process that is kept waiting by its database opens after OPEN_LATEST_MS all the same: /health then says that it is
 * alive, /ready what it waits for, and everything else 503.
 *
 * Stop (SIGTERM, SIGINT): no new connections, answers for what is under way, sockets closed with 1001, postings
 * settled, then the rest; exit 0. A second signal ends it at once. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/clock.h"
#include "core/handover.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "core/workers.h"
#include "db/migrate.h"
#include "domain/address/address.h"
#include "domain/alerts/alerts.h"
#include "domain/auth/auth.h"
#include "domain/bank/bank.h"
#include "domain/cleanup/cleanup.h"
#include "domain/closing/closing.h"
#include "domain/command/command.h"
#include "domain/device/device.h"
#include "domain/docs/docs.h"
#include "domain/faq/faq.h"
#include "domain/fcm/fcm.h"
#include "domain/live/live.h"
#include "domain/mail/outbox.h"
#include "domain/mutation/mutation.h"
#include "domain/offer/offer.h"
#include "domain/ops/ops.h"
#include "domain/password/password.h"
#include "domain/payments/payments.h"
#include "domain/phone/phone.h"
#include "domain/picture/picture.h"
#include "domain/picture/store.h"
#include "domain/points/points.h"
#include "domain/profile/profile.h"
#include "domain/push/push.h"
#include "domain/referral/referral.h"
#include "domain/rewards/rewards.h"
#include "domain/signin/signin.h"
#include "domain/signup/signup.h"
#include "domain/sms/sms.h"
#include "domain/sql_endpoint.h"
#include "domain/voucher/voucher.h"
#include "domain/wallet/wallet.h"
#include "migrations.h"
#include "sql.h"
#include "web.h"

#define TALLY_VERSION "0.1.0"

enum {
    POSTINGS_MAX = 20000,
    POSTING_DEADLINE_MS = 8000,
    DB_QUEUE_MAX = 10000,
    DB_DEADLINE_MS = 8000,
    REQUESTS_MAX = 30000,
    PASSWORDS_WAITING_MAX = 100,
    PICTURES_WAITING_MAX = 50,
    FILES_WAITING_MAX = 1000,
    OPEN_LATEST_MS = 5000,
    FILES_RESERVED = 128,
    OUTBOUND_PER_HOST_MAX = 48,
    OUTBOUND_WAITING_MAX = 1000,
};

static const struct endpoint *const endpoint_tables[] = {
    ops_endpoints, signin_endpoints, bank_endpoints, points_endpoints, rewards_endpoints, push_endpoints,
    docs_endpoints, web_endpoints,
    /* userstate */
    signin_userstate_endpoints, signup_endpoints, password_endpoints, phone_endpoints, profile_endpoints,
    picture_endpoints,
    address_endpoints, mutation_endpoints, device_endpoints, offer_endpoints, faq_endpoints,
    payments_endpoints, wallet_endpoints, voucher_endpoints, fcm_endpoints,
    NULL,
};

/* What the processes of a host have in common. */
struct house {
    struct settings *settings;
    struct handover_boxes boxes;   /* none when there is one process only */
};

struct server {
    struct app app;
    struct arena arena;
    const struct settings *settings;
    struct mailer *mailer;
    struct sms *sms;
    struct fcm *fcm;
    struct cleanup *cleanup;
    struct net_tls *tls;      /* NULL: plain */
    uv_signal_t sigterm, sigint;
    uv_prepare_t opening;     /* looks in every turn of the loop, until clients are let in */
    struct wheel_timer open_latest;
    struct closing closing;
    int status;               /* what the process will exit with */
};

/* Stopping ------------------------------------------------------------------------------------------------- */

static void on_closed(void *arg)
{
    struct server *s = arg;
    struct app *app = &s->app;
    sio_server_free(app->socketio);
    http_server_free(app->http);
    ws_server_free(app->ws);
    push_free(app->push);
    live_free(app->live);
    auth_free(app->auth);
    points_free(app->points);
    rewards_free(app->rewards);
    cleanup_free(s->cleanup);
    docs_free(app->docs);
    mailer_close(s->mailer);
    sms_free(s->sms);
    fcm_free(s->fcm);
    payments_free(app->payments);
    picture_store_free(app->picture_store);
    uv_close((uv_handle_t *) &s->opening, NULL);
    uv_close((uv_handle_t *) &s->sigterm, NULL);
    uv_close((uv_handle_t *) &s->sigint, NULL);
    log_info("tallyd", "stopped", "uptime_s=%d", (int) ((clock_mono_us() - app->started_us) / 1000000));
    log_detach();
    wheel_close(app->wheel);
    turn_close(&app->turn);
}

static void begin_stop(struct server *s)
{
    s->app.stopping = true;
    uv_prepare_stop(&s->opening);
    wheel_cancel(&s->open_latest);
    uv_ref((uv_handle_t *) &s->sigterm);   /* the loop goes on until the last step, whatever has been closed by then */
    closing_start(&s->closing, &s->app, on_closed, s);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct server *s = handle->data;
    if (s->app.stopping) {
        log_error("tallyd", "second_signal", "signal=%d", signum);
        log_detach();
        _Exit(1);
    }
    log_info("tallyd", "stopping", "signal=%d", signum);
    begin_stop(s);
}

/* Starting ------------------------------------------------------------------------------------------------- */

static void fail(const char *what)
{
    log_error("tallyd", "cannot_start", "why=%s", LOG_STR(str_from(what)));
}

/* The database is there, offers what is needed, and has this binary's schema; reads the secret of the public ids. */
static bool check_database(struct server *s)
{
    const char *fault = NULL;
    const struct db_result *r = NULL;
    struct buf missing;
    struct db_blocking *db = db_blocking_open(s->settings->database_url, &fault);
    if (!db) {
        fail(fault);
        return false;
    }
    buf_init(&missing, 1 << 16);
    bool good = db_check(db, migrations_all, &missing) == 0;
    for (struct str rest = buf_view(&missing); rest.n;) {
        char line[1024];
        struct str text = str_cut(&rest, '\n');
        snprintf(line, sizeof line, "%.*s", STR_FMT(text));
        fail(line);
    }
    struct db_args none;
    uint8_t secret[SHA256_BYTES];
    db_args_init(&none, &s->arena);
    if (good && db_blocking_exec(db, &sql_pid_secret, &none, &s->arena, &r) == OK && db_rows(r) == 1 &&
        hex_decode(db_cell(r, 0, 0), secret, sizeof secret)) {
        pid_key_init(&s->app.pids, secret);
    } else if (good) {
        fail("cannot read the secret of the public ids");
        good = false;
    }
    buf_fini(&missing);
    db_blocking_close(db);
    return good;
}

/* As many files as the system allows; some stay reserved for the database, logs and outboxes. */
static int connections_bound(const struct settings *settings)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NOFILE, &files);
    int64_t room = (int64_t) files.rlim_cur - FILES_RESERVED;
    if (room < 16) room = 16;
    return (int) (settings->connections_max < room ? settings->connections_max : room);
}

static bool make_outbound(struct server *s)
{
    const struct settings *settings = s->settings;
    const char *fault = NULL;
    struct mailer_options options = {
        .host = settings->smtp_host,
        .port = (int) settings->smtp_port,
        .tls_first = settings->smtp_tls_first,
        .ca_file = settings->ca_file,
        .user = settings->smtp_user,
        .password = settings->smtp_password,
        .from = settings->mail_from,
        .outbox_dir = arena_printf(&s->arena, "%s/outbox/mail", settings->data_dir).p,
        .parallel_max = 4,
    };
    s->mailer = mailer_new(s->app.loop, &options, &fault);
    if (!s->mailer) fail(fault);
    else log_info("tallyd", "service", "name=mail active=%s", options.host ? "smtp" : "outbox");
    s->app.outbound = outbound_new(s->app.loop, settings->ca_file, OUTBOUND_PER_HOST_MAX, OUTBOUND_WAITING_MAX);
    return s->mailer != NULL;
}

/* The queues of what is to be sent, and who sends it. */
static bool make_outboxes(struct server *s)
{
    const char *fault = NULL;
    s->app.outbox = mail_outbox_new(&s->app, s->mailer);
    s->sms = sms_new(&s->app, &fault);
    s->app.picture_store = picture_store_new(&s->app);
    s->app.removals = picture_removals_new(&s->app, s->app.picture_store);
    s->fcm = s->sms ? fcm_new(&s->app, &fault) : NULL;
    if (fault) fail(fault);
    return fault == NULL;
}

static bool make_http(struct server *s)
{
    struct app *app = &s->app;
    const struct settings *settings = s->settings;
    struct http_options options = {
        .tables = endpoint_tables,
        .context = app,
        .authenticate = auth_gate,
        .auth_schemes = auth_schemes,
        .run_sql = sql_endpoint_run,
        .decode_id = sql_endpoint_decode_id,
        .unknown_path = points_unknown_path,
        .cors_origins = settings->cors_list,
        .public_url = settings->public_url,
        .trusted_proxies = settings->proxy_list,
        .title = "tally",
        .description = docs_description,
        .tags = docs_tags,
        .version = TALLY_VERSION,
        .rate_per_minute = settings->rate_limit ? (int) settings->rate_per_minute : 0,
        .requests_max = REQUESTS_MAX,
        .upload_dir = arena_printf(&s->arena, "%s/tmp", settings->data_dir).p,
    };
    app->http = http_server_new(app->loop, &app->turn, app->wheel, &app->metrics, &options);
    return true;
}

static void make_database(struct server *s)
{
    struct app *app = &s->app;
    int64_t version = db_migrations_version(migrations_all);
    struct db_options reads = {
        .url = s->settings->database_url,
        .name = "read",
        .connections_max = s->settings->db_pool > 3 ? (int) s->settings->db_pool - 2 : 1,
        .queue_max = DB_QUEUE_MAX,
        .deadline_ms = DB_DEADLINE_MS,
        .sql_count = SQL_COUNT,
        .schema_version = version,
    };
    struct ledger_options ledger = {
        .loop = app->loop,
        .turn = &app->turn,
        .wheel = app->wheel,
        .metrics = &app->metrics,
        .book = &app->book,
        .database_url = s->settings->database_url,
        .schema_version = version,
        .queue_max = POSTINGS_MAX,
        .deadline_ms = POSTING_DEADLINE_MS,
    };
    app->db = db_new(app->loop, &app->turn, app->wheel, &reads);
    ledger.db = app->db;
    app->ledger = ledger_new(&ledger);
}

static bool listen_on(struct server *s, const struct handover_boxes *boxes)
{
    const struct settings *settings = s->settings;
    const char *fault = NULL;
    struct net_listener_options options = {
        .host = settings->host,
        .port = (int) settings->port,
        .reuse_port = settings->workers > 1,
        .backlog = 4096,
        .connections_max = connections_bound(settings),
        .hold = true,
    };
    if (settings->tls_cert) {
        options.tls = s->tls = net_tls_new(settings->tls_cert, settings->tls_key, &fault);
        if (!options.tls) {
            fail(fault);
            return false;
        }
    }
    if (http_server_listen(s->app.http, &options, &fault) != OK) {
        fail(fault);
        return false;
    }
    if (boxes->count) http_server_join(s->app.http, boxes, s->app.worker);
    return true;
}

static void let_in(struct server *s, bool ready)
{
    const struct settings *settings = s->settings;
    const char *fault = NULL;
    uv_prepare_stop(&s->opening);
    wheel_cancel(&s->open_latest);
    if (!http_server_open(s->app.http, &fault)) {
        fail(fault);
        s->status = 1;
        begin_stop(s);
        return;
    }
    log_info("http", "listening", "host=%s port=%d tls=%d ready=%d url=%s", settings->host ? settings->host : "*",
             http_server_port(s->app.http), s->tls != NULL, ready, settings->public_url);
}

/* In every turn of the loop: nothing that is waited for happens without one. */
static void on_opening(uv_prepare_t *handle)
{
    struct server *s = handle->data;
    if (ops_is_ready(&s->app)) let_in(s, true);
}

static void on_open_latest(struct wheel_timer *timer)
{
    let_in(list_entry(timer, struct server, open_latest), false);
}

static void watch_opening(struct server *s)
{
    must(uv_prepare_init(s->app.loop, &s->opening) == 0);
    s->opening.data = s;
    must(uv_prepare_start(&s->opening, on_opening) == 0);
    uv_unref((uv_handle_t *) &s->opening);
    wheel_timer_init(&s->open_latest, on_open_latest);
    if (s->settings->workers == 1) wheel_set(s->app.wheel, &s->open_latest, OPEN_LATEST_MS);
}

static bool make_parts(struct server *s)
{
    struct app *app = &s->app;
    const char *fault = NULL;
    const char *secret = settings_jwt_secret(s->settings, &s->arena, &fault);
    if (!secret) {
        fail(fault);
        return false;
    }
    turn_init(&app->turn, app->loop);
    log_attach(&app->turn);
    app->wheel = wheel_new(app->loop);
    metrics_init(&app->metrics);
    book_init(&app->book);
    ws_hub_init(&app->hub);
    if (!make_outbound(s)) return false;
    make_database(s);
    app->passwords = work_queue_new_patient(app->loop, PASSWORDS_WAITING_MAX);
    app->pictures = work_queue_new_patient(app->loop, PICTURES_WAITING_MAX);
    if (!app->passwords || !app->pictures) {
        fail("no more threads can be started");
        return false;
    }
    app->files = work_queue_new(app->loop, 2, FILES_WAITING_MAX);
    app->auth = auth_new(app, str_from(secret));
    app->points = points_new(app);
    app->rewards = rewards_new();
    app->referrals = referrals_new(app);
    if (!make_outboxes(s)) return false;
    app->payments = payments_new(app);
    app->alerts = alerts_new(app);
    s->cleanup = cleanup_new(app);
    app->docs = docs_new(app, TALLY_VERSION);
    app->push = push_new(app);
    app->live = live_new(app);
    return make_http(s);
}

static void watch_signal(struct server *s, uv_signal_t *handle, int signum)
{
    must(uv_signal_init(s->app.loop, handle) == 0);
    handle->data = s;
    must(uv_signal_start(handle, on_signal, signum) == 0);
    uv_unref((uv_handle_t *) handle);
}

/* One process's whole life; the exit status. */
static int serve_one(void *arg, int index)
{
    uv_loop_t loop;
    struct house *house = arg;
    struct server *s = mem_new(struct server);
    s->settings = house->settings;
    s->app.settings = s->settings;
    s->app.worker = index;
    handover_boxes_keep(&house->boxes, index);
    s->app.loop = &loop;
    s->app.started_us = clock_mono_us();
    arena_init(&s->arena);
    must(uv_loop_init(&loop) == 0);
    log_info("tallyd", "starting", "version=%s worker=%d", TALLY_VERSION, index);
    if (s->settings->open) {
        log_warn("tallyd", "open", "text=%s",
                 LOG_STR(STR("TALLY_OPEN is set: the doors that the six systems left open are open")));
    }
    if (!check_database(s) || !make_parts(s) || !listen_on(s, &house->boxes)) {
        log_detach();
        _Exit(1);   /* half a server cannot be taken down in order; the system takes it all */
    }
    watch_signal(s, &s->sigterm, SIGTERM);
    watch_signal(s, &s->sigint, SIGINT);
    watch_opening(s);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop) == 0);
    net_tls_free(s->tls);     /* outlives the last connection */
    book_fini(&s->app.book);
    ws_hub_fini(&s->app.hub);
    arena_fini(&s->arena);
    int status = s->status;
    mem_free(s);
    return status;
}

static int serve(struct settings *settings)
{
    static struct house house;
    house.settings = settings;
    signal(SIGPIPE, SIG_IGN);
    if (settings->workers == 1) return serve_one(&house, 0);
    if (settings->port == 0) {
        fprintf(stderr, "tallyd: TALLY_PORT: must be set when WORKERS is more than 1\n");
        return 1;
    }
    if (!handover_boxes_open(&house.boxes, (int) settings->workers)) {
        fprintf(stderr, "tallyd: no sockets between the workers: %s\n", strerror(errno));
        return 1;
    }
    return workers_run((int) settings->workers, serve_one, &house);
}

static int usage(FILE *out, int status)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_cstr(&b, "usage: tallyd [serve]\n");
    for (const struct command *c = commands; c->name; c++)
        buf_printf(&b, "       tallyd %-52s %s\n", c->usage, c->summary);
    buf_cstr(&b, "       tallyd version | --help\n\n"
                 "Settings (environment, or a file .env in the working directory):\n\n");
    settings_help(&b);
    fwrite(b.p, 1, b.n, out);
    buf_fini(&b);
    return status;
}

static int run_command(struct settings *settings, int argc, char **argv)
{
    const char *name = argc > 0 ? argv[0] : "serve";
    if (strcmp(name, "serve") == 0 && argc <= 1) return serve(settings);
    for (const struct command *c = commands; c->name; c++) {
        if (strcmp(name, c->name) == 0) return c->run(settings, argc, argv);
    }
    fprintf(stderr, "tallyd: unknown command: %s (tallyd --help lists them)\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    static struct settings settings;
    struct arena arena;
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) return usage(stdout, 0);
    if (strcmp(first, "version") == 0 || strcmp(first, "--version") == 0) {
        puts("tallyd " TALLY_VERSION);
        return 0;
    }
    digest_init();
    arena_init(&arena);
    int status = settings_read(&settings, &arena) ? run_command(&settings, argc - 1, argv + 1) : 2;
    arena_fini(&arena);
    return status;
}
