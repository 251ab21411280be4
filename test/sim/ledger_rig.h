/* What the simulations of the ledger on a real PostgreSQL share: random postings that follow from a
 * seed and a number, processes that submit them, a log that all processes write to, and the check of
 * that log against the tables.
 *
 * A posting is known by its key (a small number) and its variant: the same key with another variant is
 * a conflict. Both processes draw from the same keys, so they repeat each other's. */
#pragma once

#include "../unit/fixture_pg.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <time.h>

#include "core/digest.h"
#include "core/mem.h"
#include "core/must.h"
#include "db/migrate.h"
#include "domain/ledger/audit.h"
#include "domain/ledger/private.h"
#include "migrations.h"
#include "sql.h"

enum {
    RIG_ACCOUNTS = 34, RIG_USERS = 4, RIG_GUARDS = 8, RIG_GUARD_MAX = 12, RIG_LOG_MAX = 400000, RIG_KEYS_MAX = 100000,
    RIG_SLOTS = 48, RIG_PROCESSES_MAX = 4, RIG_FROZEN = 20,
};

/* What a posting asks for. */
struct rig_work {
    int leg_count, owner, guard;          /* guard: 0 none, else the row's id */
    struct { int debit, credit; int64_t amount; bool earns; } legs[3];
    bool attached, bad, keyless, overfull;
};

struct rig_entry {
    uint32_t key, variant;
    int8_t err, outcome;
    bool keyless;
    int64_t transfer;
};

struct rig_log {
    _Atomic int count;
    _Atomic bool stop;
    _Atomic int64_t done, recovered, lone, lone_conflicts;
    struct rig_entry entries[RIG_LOG_MAX];
};

static struct {
    uint64_t seed;
    int64_t accounts[RIG_ACCOUNTS];       /* ids; 0 treasury, 1 points issuer, 2 … 25 money, 26 … 33 points */
    int64_t owners[RIG_ACCOUNTS];
    struct rig_log *log;
    uint32_t keys;                        /* how many different ones */
    int slots;                            /* how many postings a process has under way, at most RIG_SLOTS */
} rig;

static inline uint64_t rig_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline uint64_t rig_roll(uint64_t *state, uint64_t n)
{
    *state = rig_mix(*state);
    return *state % n;
}

static inline bool rig_is_points(int i) { return i == 1 || i >= 26; }

/* More than 64 bits hold, whatever the account has: the second transfer comes on top of the first. */
static inline void rig_overfill(struct rig_work *w, uint64_t *s)
{
    bool points = rig_roll(s, 4) == 0;
    int issuer = points ? 1 : 0, credit = points ? 26 + (int) rig_roll(s, 8) : 2 + (int) rig_roll(s, 24);
    w->leg_count = 2;
    w->overfull = true;
    for (int i = 0; i < 2; i++) {
        w->legs[i].debit = issuer;
        w->legs[i].credit = credit;
        w->legs[i].amount = i ? INT64_MAX : 5;
        w->legs[i].earns = points;
    }
}

static inline struct rig_work rig_work_of(uint32_t key, uint32_t variant)
{
    uint64_t s = rig_mix(rig.seed ^ ((uint64_t) key << 8 | variant));
    struct rig_work w = { .leg_count = rig_roll(&s, 5) ? 1 : 1 + (int) rig_roll(&s, 3) };
    for (int i = 0; i < w.leg_count; i++) {
        bool points = rig_roll(&s, 4) == 0;
        int base = points ? 26 : 2, n = points ? 8 : 24, hot = rig_roll(&s, 2) ? 3 : n;
        w.legs[i].debit = base + (int) rig_roll(&s, (uint64_t) hot);
        w.legs[i].credit = base + (int) rig_roll(&s, (uint64_t) n);
        w.legs[i].amount = 1 + (int64_t) rig_roll(&s, 300);
        if (rig_roll(&s, 3) == 0) {
            w.legs[i].debit = points ? 1 : 0;
            w.legs[i].earns = points;
            w.legs[i].amount *= 3;
        }
        if (rig_roll(&s, 200) == 0) w.legs[i].credit = -1;
        if (rig_roll(&s, 200) == 0) w.legs[i].credit = points ? 3 : 27;
    }
    if (rig_roll(&s, 300) == 0) rig_overfill(&w, &s);
    if (rig_roll(&s, 6) == 0) w.owner = 1 + (int) rig_roll(&s, RIG_USERS);
    if (rig_roll(&s, 25) == 0) w.guard = 1 + (int) rig_roll(&s, RIG_GUARDS);
    w.attached = rig_roll(&s, 8) == 0;
    w.bad = w.attached && rig_roll(&s, 6) == 0;
    w.keyless = key % 10 == 0;
    return w;
}

/* The reason that does not depend on balances, found without the ledger's help. */
static inline enum outcome rig_reason(const struct rig_work *w)
{
    for (int i = 0; i < w->leg_count; i++) if (w->legs[i].debit == w->legs[i].credit) return POSTING_SAME_ACCOUNT;
    for (int i = 0; i < w->leg_count; i++) if (w->legs[i].credit < 0) return POSTING_NO_ACCOUNT;
    if (w->owner && rig.owners[w->legs[0].debit] != w->owner) return POSTING_NOT_OWNER;
    for (int i = 0; i < w->leg_count; i++)
        if (w->legs[i].debit == RIG_FROZEN || w->legs[i].credit == RIG_FROZEN) return POSTING_NOT_ACTIVE;
    for (int i = 0; i < w->leg_count; i++)
        if (rig_is_points(w->legs[i].debit) != rig_is_points(w->legs[i].credit)) return POSTING_ASSET_MISMATCH;
    return POSTING_DONE;
}

/* Statements of the test's own. Their indexes are those of statements that the ledger's connection never uses. */
static struct sql rig_guard_sql = {
    .params = 1, .name = "rig_guard", .file = "rig",
    .text = "UPDATE rig_guard SET n = n + 1 WHERE id = $1::bigint AND n < 12 RETURNING n",
};
static struct sql rig_row_sql = {
    .params = 2, .name = "rig_row", .file = "rig",
    .text = "INSERT INTO rig_row (posting, what) SELECT * FROM unnest($1::bigint[], $2::text[])",
};

static inline void rig_open(uint32_t keys)
{
    const char *seed = getenv("SEED"), *fault = NULL;
    rig.seed = seed ? strtoull(seed, NULL, 10) : (uint64_t) time(NULL);
    rig.keys = keys;
    rig.slots = RIG_SLOTS;
    printf("SEED=%" PRIu64 "\n", rig.seed);
    fflush(stdout);
    digest_init();
    rig_guard_sql.index = sql_ledger_audit_floor.index;
    rig_row_sql.index = sql_ledger_audit_keys.index;
    struct db_blocking *db = db_blocking_open(fx.url, &fault);
    ck_assert_msg(db && db_migrate(db, migrations_all, NULL, &fault) == OK, "%s", fault);
    db_blocking_close(db);
    if (atoi(fx_sql("SELECT count(*) FROM users")) == 0) {
        fx_sql("INSERT INTO users (username, first_name) SELECT 'sim' || chr(96 + n), 'Sim' FROM "
               "generate_series(1, %d) n",
               RIG_USERS);
        fx_sql("INSERT INTO account (owner_user_id, kind, asset, status) SELECT 1 + n %% %d, "
               "(CASE WHEN n < 26 THEN 'bank' ELSE 'pos' END)::account_kind, "
               "(CASE WHEN n < 26 THEN 'MONEY' ELSE 'PTS' END)::asset, "
               "(CASE WHEN n = %d THEN 'frozen' ELSE 'active' END)::account_status FROM generate_series(2, %d) n",
               RIG_USERS, RIG_FROZEN, RIG_ACCOUNTS - 1);
        fx_sql("CREATE TABLE rig_guard (id bigint PRIMARY KEY, n int NOT NULL)");
        fx_sql("CREATE TABLE rig_row (posting bigint NOT NULL, what text NOT NULL, CONSTRAINT rig_row_good "
               "CHECK (what <> 'bad'))");
        fx_sql("CREATE INDEX ON rig_row (posting)");
    }
    fx_sql("TRUNCATE transfer, rig_guard, rig_row");
    fx_sql("UPDATE account SET balance = 0, version = 0, lifetime = 0");
    fx_sql("INSERT INTO rig_guard SELECT n, 0 FROM generate_series(1, %d) n", RIG_GUARDS);
    rig.accounts[0] = atoll(fx_sql("SELECT id FROM account WHERE code = 'treasury'"));
    rig.accounts[1] = atoll(fx_sql("SELECT id FROM account WHERE code = 'points-issuer'"));
    for (int i = 2; i < RIG_ACCOUNTS; i++) {
        rig.accounts[i] =
            atoll(fx_sql("SELECT id FROM account WHERE code IS NULL ORDER BY id OFFSET %d LIMIT 1", i - 2));
        rig.owners[i] = 1 + i % RIG_USERS;
    }
    rig.log = mmap(NULL, sizeof *rig.log, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(rig.log, MAP_FAILED);
}

/* A process ------------------------------------------------------------------------------------ */

struct rig_slot {
    struct posting posting;
    struct rig_work work;
    uint32_t key, variant;
    char key_text[32], request[64], memo[32];
    struct arena arena;
    struct db_args guard_args;
    bool busy;
};

static struct {
    struct book book;
    struct ledger *ledger;
    struct rig_slot slots[RIG_SLOTS];
    uint64_t random;
    uint32_t process, serial;
    int busy;
    bool closed;
} me;

static inline void rig_load_book(void)
{
    PGconn *pg = fx_connect();
    must(pg != NULL);
    PGresult *r = PQexec(
        pg,
        "SELECT id, coalesce(owner_user_id, 0), asset = 'PTS', status = 'frozen', unbounded, balance, version, "
        "lifetime FROM account WHERE asset IN ('MONEY', 'PTS')");
    for (int i = 0; i < PQntuples(r); i++) {
        /* One account in eight is unknown to this process. */
        if ((atoi(PQgetvalue(r, i, 0)) + (int) me.process) % 8 == 0) continue;
        struct account a = {
            .id = atoll(PQgetvalue(r, i, 0)), .owner = atoll(PQgetvalue(r, i, 1)),
            .asset = PQgetvalue(r, i, 2)[0] == 't' ? ASSET_PTS : ASSET_MONEY,
            .status = PQgetvalue(r, i, 3)[0] == 't' ? ACCOUNT_FROZEN : ACCOUNT_ACTIVE,
            .unbounded = PQgetvalue(r, i, 4)[0] == 't', .balance = atoll(PQgetvalue(r, i, 5)),
            .version = atoll(PQgetvalue(r, i, 6)), .lifetime = atoll(PQgetvalue(r, i, 7)),
        };
        book_put_account(&me.book, &a, STR_NONE);
    }
    PQclear(r);
    PQfinish(pg);
}

static inline void rig_log_entry(const struct rig_slot *s, enum err err)
{
    const struct posting *p = &s->posting;
    int i = rig.log->count++;
    must(i < RIG_LOG_MAX);
    rig.log->entries[i] =
        (struct rig_entry){ s->key,          s->variant,     (int8_t) err, (int8_t) p->outcome,
                            s->work.keyless, p->posted[0].id };
    if (err == OK && p->outcome == POSTING_REFUSED)
        must(strcmp(p->sqlstate, "23514") == 0 && strcmp(p->constraint, "rig_row_good") == 0);
    if (err == OK && p->outcome <= POSTING_REPLAYED) must(p->created_us > 1600000000000000);
    if (err == OK && p->outcome == POSTING_DONE) rig.log->done++;
}

static inline void rig_on_done(struct posting *p, enum err err)
{
    struct rig_slot *s = p->arg;
    must(s->busy);
    rig_log_entry(s, err);
    arena_fini(&s->arena);
    s->busy = false;
    me.busy--;
}

static inline struct str rig_text(char *room, size_t size, const char *what, uint32_t key, uint32_t variant)
{
    int n = *what ? snprintf(room, size, "%s %u %u", what, key, variant) : snprintf(room, size, "%u", key);
    return (struct str){ room, (size_t) n };
}

static inline void rig_submit(struct rig_slot *s)
{
    struct posting *p = &s->posting;
    memset(p, 0, sizeof *p);
    s->key = (uint32_t) rig_roll(&me.random, rig.keys);
    s->variant = rig_roll(&me.random, 12) == 0;
    /* A keyless posting is unique, wherever it comes from: its key becomes its serial number. */
    if (s->key % 10 == 0) {
        s->key = RIG_KEYS_MAX + (++me.serial * RIG_PROCESSES_MAX + me.process) * 10;
        s->variant = 0;
    }
    s->work = rig_work_of(s->key, s->variant);
    p->leg_count = s->work.leg_count;
    for (int i = 0; i < p->leg_count; i++) {
        int credit = s->work.legs[i].credit;
        p->legs[i] = (struct leg){ rig.accounts[s->work.legs[i].debit], credit < 0 ? -1 : rig.accounts[credit],
                                   s->work.legs[i].amount,
                                   s->work.legs[i].earns ? STR("points.earn") : STR("bank.transfer") };
    }
    p->owner = s->work.owner;
    p->scope = STR("sim");
    if (!s->work.keyless) p->key = rig_text(s->key_text, sizeof s->key_text, "", s->key, 0);
    p->request = rig_text(s->request, sizeof s->request, "sim", s->key, s->variant);
    if (s->work.keyless || s->key % 3 == 0) p->memo = rig_text(s->memo, sizeof s->memo, "", s->key, 0);
    arena_init(&s->arena);
    if (s->work.guard) {
        db_args_init(&s->guard_args, &s->arena);
        db_i64(&s->guard_args, s->work.guard);
        p->guard = &rig_guard_sql;
        p->guard_args = &s->guard_args;
    }
    if (s->work.attached) {
        p->attached[0] = (struct attached){ &rig_row_sql, 1, { s->work.bad ? STR("bad") : STR("good") } };
        p->attached_count = 1;
    }
    p->done = rig_on_done;
    p->arg = s;
    enum err err = ledger_submit(me.ledger, p);
    if (err != OK) {
        arena_fini(&s->arena);
        return;
    }
    s->busy = true;
    me.busy++;
}

/* As after a million transfers. */
static inline void rig_close_generation(void)
{
    fx_sql("SELECT close_key_generation(max(number)) FROM key_generation");
}

static inline void rig_on_closed(void *arg)
{
    (void) arg;
    me.closed = true;
}

/* Submits until the log says stop; never returns. */
static inline void rig_process(uint32_t number, const char *url, int deadline_ms)
{
    me.process = number;
    me.random = rig_mix(rig.seed + number);
    book_init(&me.book);
    rig_load_book();
    fixture_loop_open();
    struct metrics metrics;
    metrics_init(&metrics);
    struct ledger_options options = {
        .loop = &fx.loop,
        .turn = &fx.turn,
        .wheel = fx.wheel,
        .metrics = &metrics,
        .book = &me.book,
        .database_url = url,
        .schema_version = db_migrations_version(migrations_all),
        .queue_max = RIG_SLOTS,
        .deadline_ms = deadline_ms,
    };
    me.ledger = ledger_new(&options);
    while (!rig.log->stop) {
        uv_run(&fx.loop, UV_RUN_ONCE);
        if (!ledger_is_up(me.ledger)) continue;
        for (int i = 0; i < rig.slots && !rig.log->stop; i++) {
            if (!me.slots[i].busy) rig_submit(&me.slots[i]);
        }
    }
    uint64_t start = clock_mono_ms();
    while (me.busy) {
        uv_run(&fx.loop, UV_RUN_ONCE);
        must(clock_mono_ms() - start < 30000);   /* every posting is answered */
    }
    rig.log->recovered += me.ledger->meters->recovered.value;
    rig.log->lone += me.ledger->meters->lone.value;
    rig.log->lone_conflicts += me.ledger->meters->lone_conflicts.value;
    ledger_close(me.ledger, rig_on_closed, NULL);
    while (!me.closed) uv_run(&fx.loop, UV_RUN_ONCE);
    if (getenv("METRICS")) {
        struct buf out;
        buf_init(&out, 1 << 20);
        metrics_print(&metrics, &out);
        fwrite(out.p, 1, out.n, stdout);
        fflush(stdout);
        buf_fini(&out);
    }
    metrics_fini(&metrics);
    fixture_loop_close();
    book_fini(&me.book);
    exit(0);
}

static inline pid_t rig_start(uint32_t number, const char *url, int deadline_ms)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        rig_process(number, url, deadline_ms);
    }
    ck_assert_int_gt(pid, 0);
    return pid;
}

static inline void rig_join(pid_t pid)
{
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a process ended with status %d", status);
}

/* The check ------------------------------------------------------------------------------------ */

struct rig_key {
    int64_t row;                  /* transfer.id, 0: none */
    int64_t amount, debit;
    int done, uncertain;
    uint32_t variant;             /* of the one that was done */
};

static inline void rig_check_audit(void)
{
    const char *fault = NULL;
    struct db_blocking *db = db_blocking_open(fx.url, &fault);
    ck_assert_msg(db != NULL, "%s", fault);
    struct buf out;
    buf_init(&out, 1 << 16);
    int failed = ledger_audit(db, &out);
    buf_char(&out, 0);
    printf("%s", out.p);
    ck_assert_int_eq(failed, 0);
    buf_fini(&out);
    db_blocking_close(db);
}

/* Everything the check gathers. */
struct rig_sums {
    struct map keys;                          /* struct rig_key by key */
    int rows, unexplained, outcomes[OUTCOME_COUNT], errors[ERR_COUNT];
    int64_t balances[RIG_ACCOUNTS], guards[RIG_GUARDS + 1], attached;
};

static inline void rig_read_tables(struct rig_sums *sums)
{
    PGconn *pg = fx_connect();
    must(pg != NULL);
    PGresult *r = PQexec(pg, "SELECT coalesce(idem_key, memo), id, amount, debit FROM transfer WHERE id = posting");
    sums->rows = PQntuples(r);
    for (int i = 0; i < sums->rows; i++) {
        struct rig_key *k = mem_new(struct rig_key);
        k->row = atoll(PQgetvalue(r, i, 1));
        k->amount = atoll(PQgetvalue(r, i, 2));
        k->debit = atoll(PQgetvalue(r, i, 3));
        ck_assert_ptr_null(map_set(&sums->keys, (uint64_t) atoll(PQgetvalue(r, i, 0)), k));
    }
    PQclear(r);
    PQfinish(pg);
}

static inline void rig_add_done(struct rig_sums *sums, struct rig_key *k, const struct rig_entry *e)
{
    struct rig_work work = rig_work_of(e->key, e->variant);
    ck_assert_msg(k != NULL, "key %u was acknowledged and is not there", e->key);
    ck_assert_msg(k->row == e->transfer && k->done == 0, "key %u was done twice", e->key);
    ck_assert_int_eq(k->amount, work.legs[0].amount);
    ck_assert_int_eq(k->debit, rig.accounts[work.legs[0].debit]);
    k->done++;
    k->variant = e->variant;
    for (int leg = 0; leg < work.leg_count; leg++) {
        sums->balances[work.legs[leg].debit] -= work.legs[leg].amount;
        sums->balances[work.legs[leg].credit] += work.legs[leg].amount;
    }
    sums->guards[work.guard]++;
    sums->attached += work.attached;
}

static inline void rig_check_decision(const struct rig_entry *e)
{
    struct rig_work work = rig_work_of(e->key, e->variant);
    enum outcome reason = rig_reason(&work), outcome = (enum outcome) e->outcome;
    if (reason != POSTING_DONE) ck_assert_int_eq(outcome, reason);
    else if (work.overfull) ck_assert(outcome == POSTING_OVERFLOW || outcome == POSTING_GUARDED);
    else ck_assert(outcome == POSTING_DONE || outcome == POSTING_INSUFFICIENT || outcome == POSTING_GUARDED ||
                   outcome == POSTING_REFUSED);
    if (outcome == POSTING_GUARDED) ck_assert_int_ne(work.guard, 0);
    if (work.bad) ck_assert_int_ne(outcome, POSTING_DONE);
    if (outcome == POSTING_REFUSED) ck_assert(work.bad);
}

static inline void rig_check_entry(const struct rig_key *k, const struct rig_entry *e)
{
    enum outcome outcome = (enum outcome) e->outcome;
    if (outcome == POSTING_REPLAYED) {
        ck_assert_msg(k && k->row == e->transfer, "key %u: a replay of nothing", e->key);
        if (k->done) ck_assert_int_eq(k->variant, e->variant);
    } else if (outcome == POSTING_KEY_CONFLICT) {
        ck_assert_msg(k && (!k->done || k->variant != e->variant), "key %u: no conflict", e->key);
    } else {
        rig_check_decision(e);
    }
}

static inline void rig_check_log(struct rig_sums *sums)
{
    for (int i = 0; i < rig.log->count; i++) {
        const struct rig_entry *e = &rig.log->entries[i];
        struct rig_key *k = map_get(&sums->keys, e->key);
        if (e->err == OK) sums->outcomes[e->outcome]++;
        else sums->errors[e->err]++;
        if (k && e->err == ERR_UNCERTAIN) k->uncertain++;
        if (e->err == OK && e->outcome == POSTING_DONE) rig_add_done(sums, k, e);
    }
    for (int i = 0; i < rig.log->count; i++) {
        const struct rig_entry *e = &rig.log->entries[i];
        if (e->err == OK) rig_check_entry(map_get(&sums->keys, e->key), e);
    }
    struct rig_key *k;
    for (size_t i = 0; (k = map_next(&sums->keys, &i));) {
        sums->unexplained += !k->done;
        ck_assert_msg(k->done || k->uncertain, "transfer %" PRId64 " was never acknowledged, nor told uncertain",
                      k->row);
    }
}

static inline void rig_check_sums(const struct rig_sums *sums)
{
    ck_assert_int_eq(sums->unexplained, 0);
    for (int i = 2; i < RIG_ACCOUNTS; i++) {
        const char *balance = fx_sql("SELECT balance FROM account WHERE id = %" PRId64, rig.accounts[i]);
        ck_assert_int_eq(atoll(balance), sums->balances[i]);
    }
    for (int i = 1; i <= RIG_GUARDS; i++)
        ck_assert_int_eq(atoll(fx_sql("SELECT n FROM rig_guard WHERE id = %d", i)), sums->guards[i]);
    ck_assert_int_eq(atoll(fx_sql("SELECT count(*) FROM rig_row")), sums->attached);
}

/* What each answer says must be so in the tables, and what is in the tables must have been asked for.
 * `certain`: no answer was lost on purpose, so balances are exactly the sum of what was acknowledged.
 * `all`: every outcome must have been told. */
static inline void rig_check(bool certain, bool all)
{
    struct rig_sums sums = { .rows = 0 };
    map_init(&sums.keys);
    rig_read_tables(&sums);
    rig_check_log(&sums);
    printf("%d postings in the tables, %d found again by their key, %d only told as uncertain\n", sums.rows,
           (int) rig.log->recovered, sums.unexplained);
    for (int o = 0; o < OUTCOME_COUNT; o++) printf("  %s %d", outcome_info((enum outcome) o)->name, sums.outcomes[o]);
    for (int o = 1; o < ERR_COUNT; o++) {
        if (sums.errors[o]) printf("  %s %d", err_info((enum err) o)->name, sums.errors[o]);
    }
    printf("\n");
    fflush(stdout);
    if (certain) rig_check_sums(&sums);
    for (int o = 0; all && o < OUTCOME_COUNT; o++) {
        ck_assert_msg(sums.outcomes[o] > 0, "%s was never told", outcome_info((enum outcome) o)->name);
    }
    /* Attached rows are there exactly when their posting is. */
    ck_assert_int_eq(atoll(fx_sql("SELECT count(*) FROM rig_row WHERE posting NOT IN (SELECT id FROM transfer)")), 0);
    struct rig_key *k;
    for (size_t i = 0; (k = map_next(&sums.keys, &i));) mem_free(k);
    map_fini(&sums.keys);
    rig_check_audit();
}

static inline int rig_seconds(int otherwise)
{
    const char *text = getenv("SECONDS");
    return text && atoi(text) > 0 ? atoi(text) : otherwise;
}

static inline void rig_wait(int ms)
{
    usleep((useconds_t) ms * 1000);
}

static inline void rig_close(void)
{
    munmap(rig.log, sizeof *rig.log);
}
