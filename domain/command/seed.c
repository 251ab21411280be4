/* Sample data for a first look. Idempotent: everything has a name or a key by which the next run
 * finds it. Value moves by real postings, one transaction each, told to running servers like any
 * other, so that the audit holds and sockets hear of it. */
#include "domain/command/seed.h"

#include <stdio.h>

#include "core/digest.h"
#include "core/must.h"
#include "domain/command/person.h"
#include "domain/ledger/event.h"
#include "sql.h"

static const struct new_person people[] = {
    { { "system@example.com", 18 }, { "password", 8 }, { "System", 6 }, { "system", 6 } },
    { { "admin@example.com", 17 }, { "password", 8 }, { "Admin", 5 }, { "admin", 5 } },
    { { "alice@example.com", 17 }, { "password", 8 }, { "Alice Example", 13 }, { "user", 4 } },
    { { "bob@example.com", 15 }, { "password", 8 }, { "Bob Example", 11 }, { "user", 4 } },
};

enum place { TREASURY, ISSUER, ALICE, BOB, ALICE_POINTS, BOB_POINTS, PLACES };

static const struct movement {
    const char *key, *kind, *memo;
    enum place debit, credit;
    int64_t amount;
} movements[] = {
    { "funds-alice", "bank.initial_funds", NULL, TREASURY, ALICE, 100000 },
    { "funds-bob", "bank.initial_funds", NULL, TREASURY, BOB, 100000 },
    { "points-alice", "points.admin_grant", "Welcome", ISSUER, ALICE_POINTS, 320 },
    { "points-bob", "points.admin_grant", "Welcome", ISSUER, BOB_POINTS, 80 },
    { "transfer-1", "bank.transfer", NULL, ALICE, BOB, 12550 },
    { "transfer-2", "bank.transfer", NULL, BOB, ALICE, 4000 },
    { "transfer-3", "bank.transfer", NULL, ALICE, BOB, 1225 },
};

enum { PEOPLE = sizeof people / sizeof *people, MOVEMENTS = sizeof movements / sizeof *movements };
enum { STEPS = PEOPLE + 2 + 2 + MOVEMENTS };   /* and the key, the voucher, and two bank accounts */

void seed_say(struct seed *seed, bool made, const char *what, struct str name)
{
    printf("[%2d/%d] %-5s  %s %.*s\n", ++seed->step, seed->steps, made ? "made" : "found", what, STR_FMT(name));
    fflush(stdout);
}

static bool add_people(struct seed *seed)
{
    for (int i = 0; i < PEOPLE; i++) {
        int64_t id;
        struct str username;
        enum person_added added = person_add(seed->sh, &people[i], &id, &username);
        if (added == PERSON_FAILED) return false;
        seed_say(seed, added == PERSON_ADDED, people[i].role.p, people[i].email);
    }
    return true;
}

static bool add_key(struct seed *seed)
{
    const struct db_result *r;
    struct db_args args;
    uint8_t hash[SHA256_BYTES];
    sha256(STR("demo"), hash);
    db_args_init(&args, &seed->sh->arena);
    db_text(&args, STR("demo"));
    db_bytes(&args, (struct str){ (char *) hash, sizeof hash });
    db_text(&args, STR("userstate,points,system,rewards"));
    if (shell_exec(seed->sh, &sql_command_apikey_add, &args, NULL, &r) != OK) return false;
    seed_say(seed, db_rows(r) > 0, "Basic key", STR("demo:demo"));
    return true;
}

static bool add_voucher(struct seed *seed)
{
    const struct db_result *r;
    struct db_args none;
    db_args_init(&none, &seed->sh->arena);
    if (shell_exec(seed->sh, &sql_command_seed_voucher, &none, NULL, &r) != OK) return false;
    seed_say(seed, db_rows(r) > 0, "voucher", STR("PROMO123"));
    return true;
}

/* Accounts ------------------------------------------------------------------------------------ */

static bool read_accounts(struct seed *seed, struct str email, const struct db_result **r)
{
    struct db_args args;
    db_args_init(&args, &seed->sh->arena);
    db_text(&args, email);
    if (shell_exec(seed->sh, &sql_command_seed_accounts, &args, NULL, r) != OK) return false;
    if (db_rows(*r) == 1) return true;
    shell_fail(seed->sh, "%.*s has no points account: the database is not whole", STR_FMT(email));
    return false;
}

static bool open_account(struct seed *seed, int64_t user)
{
    const struct db_result *r;
    struct db_args args;
    db_args_init(&args, &seed->sh->arena);
    db_i64(&args, user);
    return shell_exec(seed->sh, &sql_bank_account_open, &args, NULL, &r) == OK;
}

static bool find_accounts(struct seed *seed, struct str email, int64_t accounts[PLACES], enum place bank,
                          enum place points)
{
    const struct db_result *r;
    if (!read_accounts(seed, email, &r)) return false;
    bool missing = !db_cell(r, 0, 1).p;
    if (missing && (!open_account(seed, db_cell_i64(r, 0, 0)) || !read_accounts(seed, email, &r))) return false;
    if (!db_cell(r, 0, 1).p) {
        shell_fail(seed->sh, "%.*s has 100 accounts, none of them active", STR_FMT(email));
        return false;
    }
    accounts[bank] = db_cell_i64(r, 0, 1);
    accounts[points] = db_cell_i64(r, 0, 2);
    accounts[TREASURY] = db_cell_i64(r, 0, 3);
    accounts[ISSUER] = db_cell_i64(r, 0, 4);
    seed_say(seed, missing, "bank account of", email);
    return true;
}

/* Value --------------------------------------------------------------------------------------- */

static int64_t number_or_none(const struct db_result *r, int column)
{
    return db_cell(r, 0, column).p ? db_cell_i64(r, 0, column) : INT64_MIN;
}

/* Tells the running servers; the answer's columns are those of seed_posting.sql. */
static bool tell(struct seed *seed, const struct seed_posting *p, const struct db_result *r)
{
    const struct db_result *told;
    struct db_args args;
    struct buf message;
    struct ledger_event event = {
        .transfer = db_cell_i64(r, 0, 0), .posting = db_cell_i64(r, 0, 0),
        .debit = p->debit, .credit = p->credit, .amount = p->amount,
        .debit_after = number_or_none(r, 1), .debit_version = number_or_none(r, 2),
        .credit_after = number_or_none(r, 3), .credit_version = number_or_none(r, 4),
        .lifetime_after = number_or_none(r, 5), .kind = str_from(p->kind), .metadata = p->metadata,
    };
    buf_init(&message, 1024);
    ledger_event_encode(&message, &event);
    must(!message.failed);
    db_args_init(&args, &seed->sh->arena);
    db_bytes(&args, buf_view(&message));
    enum err err = shell_exec(seed->sh, &sql_ledger_emit, &args, NULL, &told);
    buf_fini(&message);
    return err == OK;
}

static bool post(struct seed *seed, const struct seed_posting *p, bool *made)
{
    const struct db_result *r;
    struct db_args args;
    uint8_t hash[SHA256_BYTES];
    sha256(arena_printf(&seed->sh->arena, "seed %s", p->key), hash);
    db_args_init(&args, &seed->sh->arena);
    db_bytes(&args, (struct str){ (const char *) hash, sizeof hash });
    db_text(&args, str_from(p->key));
    db_text(&args, str_from(p->kind));
    db_i64(&args, p->debit);
    db_i64(&args, p->credit);
    db_i64(&args, p->amount);
    db_text(&args, str_from(p->memo));
    db_text(&args, p->metadata);
    if (shell_exec(seed->sh, &sql_command_seed_posting, &args, NULL, &r) != OK) return false;
    *made = db_rows(r) > 0;
    if (!*made) return true;
    int64_t posting = db_cell_i64(r, 0, 0);
    return tell(seed, p, r) && (!p->attach || p->attach(seed, p, posting));
}

bool seed_post(struct seed *seed, const struct seed_posting *p)
{
    const struct db_result *r;
    struct db_args none;
    bool made;
    db_args_init(&none, &seed->sh->arena);
    if (shell_exec(seed->sh, &sql_db_begin, &none, NULL, &r) != OK || !post(seed, p, &made) ||
        shell_exec(seed->sh, &sql_db_commit, &none, NULL, &r) != OK)
        return false;
    seed_say(seed, made, p->kind, str_from(p->key));
    return true;
}

static bool move_value(struct seed *seed)
{
    int64_t accounts[PLACES] = { 0 };
    if (!find_accounts(seed, people[2].email, accounts, ALICE, ALICE_POINTS) ||
        !find_accounts(seed, people[3].email, accounts, BOB, BOB_POINTS))
        return false;
    for (int i = 0; i < MOVEMENTS; i++) {
        const struct movement *m = &movements[i];
        struct seed_posting p = { .key = m->key, .kind = m->kind, .memo = m->memo, .debit = accounts[m->debit],
                                  .credit = accounts[m->credit], .amount = m->amount };
        if (!seed_post(seed, &p)) return false;
    }
    return true;
}

int command_seed(const struct settings *s, int argc, char **argv)
{
    static const struct field no_options[] = { { 0 } };
    struct shell sh;
    struct seed seed = { .sh = &sh, .steps = STEPS + seed_rewards_steps() };
    int status = DONE;
    shell_init(&sh, "seed", s);
    if (!shell_options(&sh, no_options, NULL, argc, argv)) {
        status = MISUSED;
    } else if (s->production) {
        status = shell_fail(&sh, "refused in production: everybody knows the passwords of the sample data");
    } else if (!shell_connect(&sh, true) || !add_people(&seed) || !add_key(&seed) || !add_voucher(&seed) ||
               !move_value(&seed) || !seed_rewards(&seed)) {
        status = FAILED;
    }
    shell_fini(&sh);
    return status;
}
