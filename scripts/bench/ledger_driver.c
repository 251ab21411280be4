/* How many transfers a second does the ledger commit, without HTTP in front of it? Closed-loop clients
 * in one process, on a database that this program fills itself.
 *
 *     ledger_driver URL [accounts=1024] [clients=64] [seconds=5] [mode=plain|hot|replays|refused]
 *
 * hot: every transfer debits one account. replays: 1 in 100 repeats an earlier key. refused: 1 in 100
 * asks for more than there is. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/clock.h"
#include "core/digest.h"
#include "core/must.h"
#include "db/migrate.h"
#include "domain/ledger/ledger.h"
#include "migrations.h"

enum { CLIENTS_MAX = 4096, KEY_BYTES = 24 };
enum mode { PLAIN, HOT, REPLAYS, REFUSED };

struct client {
    struct posting posting;
    char key[KEY_BYTES], request[64];
    uint64_t started_us;
};

static struct {
    int accounts, clients, seconds;
    enum mode mode;
    struct book book;
    struct ledger *ledger;
    struct client *all;
    int64_t first_account;
    uint64_t random, serial, run, end_ms, done, outcomes[OUTCOME_COUNT], errors;
    uint64_t latencies[1 << 16];     /* by 10 us */
    int busy;
    bool up;
} d;

static uint64_t roll(void)
{
    d.random ^= d.random << 13;
    d.random ^= d.random >> 7;
    d.random ^= d.random << 17;
    return d.random;
}

static void submit(struct client *c);

static void on_done(struct posting *p, enum err err)
{
    struct client *c = p->arg;
    uint64_t slot = (clock_mono_us() - c->started_us) / 10;
    d.latencies[slot < 65535 ? slot : 65535]++;
    if (err != OK) d.errors++;
    else d.outcomes[p->outcome]++;
    d.done++;
    d.busy--;
    if (clock_mono_ms() < d.end_ms) submit(c);
}

static void submit(struct client *c)
{
    struct posting *p = &c->posting;
    memset(p, 0, offsetof(struct posting, posted));
    uint64_t from = roll() % (uint64_t) d.accounts, serial = ++d.serial;
    uint64_t to = (from + 1 + roll() % (uint64_t) (d.accounts - 1)) % (uint64_t) d.accounts;
    if (d.mode == HOT) from = 0, to = 1 + roll() % (uint64_t) (d.accounts - 1);
    if (d.mode == REPLAYS && roll() % 100 == 0 && serial > 10000) serial -= 5000 + roll() % 1000;
    p->legs[0] = (struct leg){ d.first_account + (int64_t) from, d.first_account + (int64_t) to,
                               d.mode == REFUSED && roll() % 100 == 0 ? 1ll << 60 : 1, STR("bank.transfer") };
    p->leg_count = 1;
    p->scope = STR("u1");
    int n = snprintf(c->key, sizeof c->key, "%08llx%08llx", (unsigned long long) (d.run & 0xffffffff),
                     (unsigned long long) serial);
    p->key = (struct str){ c->key, (size_t) n };
    n = snprintf(c->request, sizeof c->request, "bank.transfer %llu", (unsigned long long) serial);
    p->request = (struct str){ c->request, (size_t) n };
    p->done = on_done;
    p->arg = c;
    c->started_us = clock_mono_us();
    enum err err = ledger_submit(d.ledger, p);
    if (err != OK) d.errors++;
    else d.busy++;
}

static void on_state(void *arg, bool up)
{
    (void) arg;
    d.up = up;
}

static PGresult *sql(PGconn *pg, const char *text)
{
    PGresult *r = PQexec(pg, text);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK) {
        fprintf(stderr, "%s", PQerrorMessage(pg));
        exit(1);
    }
    return r;
}

static void prepare(const char *url)
{
    const char *fault = NULL;
    struct db_blocking *db = db_blocking_open(url, &fault);
    if (!db || db_migrate(db, migrations_all, NULL, &fault) != OK) {
        fprintf(stderr, "%s\n", fault);
        exit(1);
    }
    db_blocking_close(db);
    char text[256];
    PGconn *pg = PQconnectdb(url);
    snprintf(text, sizeof text,
             "INSERT INTO account (kind, asset, balance, version) SELECT 'bank', 'MONEY', 1000000000, 0 "
             "FROM generate_series(1, %d) RETURNING id",
             d.accounts);
    PGresult *r = sql(pg, text);
    d.first_account = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    PQclear(sql(pg, "VACUUM ANALYZE account"));
    PQclear(sql(pg, "CHECKPOINT"));
    PQfinish(pg);
    for (int i = 0; i < d.accounts; i++) {
        struct account a = {
            .id = d.first_account + i, .kind = ACCOUNT_BANK, .asset = ASSET_MONEY, .balance = 1000000000
        };
        book_put_account(&d.book, &a, STR_NONE);
    }
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double percentile(double share)
{
    uint64_t wanted = (uint64_t) ((double) d.done * share), seen = 0;
    for (int i = 0; i < 65536; i++) {
        seen += d.latencies[i];
        if (seen >= wanted) return i / 100.0;
    }
    return 0;
}

static void report(const struct metrics *metrics, double seconds, double cpu)
{
    printf("%.0f transfers/s (%llu in %.2f s), p50 %.2f ms, p99 %.2f ms, %.2f us CPU each\n", (double) d.done / seconds,
           (unsigned long long) d.done, seconds, percentile(.5), percentile(.99), cpu * 1e6 / (double) d.done);
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        if (d.outcomes[o])
            printf("  %s %llu", outcome_info((enum outcome) o)->name, (unsigned long long) d.outcomes[o]);
    }
    printf("  errors %llu\n", (unsigned long long) d.errors);
    if (!getenv("METRICS")) return;
    struct buf out;
    buf_init(&out, 1 << 20);
    metrics_print(metrics, &out);
    fwrite(out.p, 1, out.n, stdout);
    buf_fini(&out);
}

int main(int argc, char **argv)
{
    static const char *const modes[] = { "plain", "hot", "replays", "refused" };
    if (argc < 2) return 2;
    d.accounts = argc > 2 ? (int) strtol(argv[2], NULL, 10) : 1024;
    d.clients = argc > 3 ? (int) strtol(argv[3], NULL, 10) : 64;
    d.seconds = argc > 4 ? (int) strtol(argv[4], NULL, 10) : 5;
    for (int i = 0; argc > 5 && i < 4; i++) {
        if (strcmp(argv[5], modes[i]) == 0) d.mode = (enum mode) i;
    }
    must(d.clients > 0 && d.clients <= CLIENTS_MAX && d.accounts > 1);
    digest_init();
    random_bytes(&d.random, sizeof d.random);
    d.run = d.random;
    book_init(&d.book);
    prepare(argv[1]);
    uv_loop_t loop;
    struct turn turn;
    struct metrics metrics;
    uv_loop_init(&loop);
    turn_init(&turn, &loop);
    metrics_init(&metrics);
    struct wheel *wheel = wheel_new(&loop);
    struct ledger_options options = {
        .loop = &loop,
        .turn = &turn,
        .wheel = wheel,
        .metrics = &metrics,
        .book = &d.book,
        .database_url = argv[1],
        .schema_version = db_migrations_version(migrations_all),
        .queue_max = 10000,
        .deadline_ms = 10000,
        .on_state = on_state,
    };
    d.ledger = ledger_new(&options);
    while (!d.up) uv_run(&loop, UV_RUN_ONCE);
    d.all = calloc((size_t) d.clients, sizeof *d.all);
    uint64_t start = clock_mono_us();
    double cpu = cpu_seconds();
    d.end_ms = clock_mono_ms() + (uint64_t) d.seconds * 1000;
    for (int i = 0; i < d.clients; i++) submit(&d.all[i]);
    while (d.busy) uv_run(&loop, UV_RUN_ONCE);
    report(&metrics, (double) (clock_mono_us() - start) / 1e6, cpu_seconds() - cpu);
    ledger_close(d.ledger, NULL, NULL);
    wheel_close(wheel);
    return 0;
}
