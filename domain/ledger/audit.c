/* The ledger's invariants, each as one set-based statement that says how many rows break it. They read
 * whole tables and sort them once: at ten million transfers they take a minute, not an hour. */
#include "domain/ledger/audit.h"

#include "sql.h"

static const struct check {
    const struct sql *sql;
    const char *what;
} checks[] = {
    { &sql_ledger_audit_balances, "every account is the sum of its transfers" },
    { &sql_ledger_audit_chain, "every account's history has no gap and adds up" },
    { &sql_ledger_audit_sides, "every transfer has two accounts of one asset" },
    { &sql_ledger_audit_zero, "every asset sums to nothing" },
    { &sql_ledger_audit_postings, "every posting is whole" },
    { &sql_ledger_audit_keys, "every key was used once" },
    { &sql_ledger_audit_floor, "no balance was ever below zero" },
    { &sql_ledger_audit_inbox, "every inbox is numbered without gap" },
    { &sql_rewards_audit, "every rewards member has one account, and the sums are those of the transfers" },
    { &sql_points_audit_redemptions, "every redemption has its posting, and every such posting its redemption" },
    { &sql_referral_audit_rewards, "every referral was rewarded once" },
};

static bool run(struct db_blocking *db, const struct check *check, struct arena *arena, struct buf *out)
{
    const struct db_result *r = NULL;
    struct db_args none;
    db_args_init(&none, arena);
    enum err err = db_blocking_exec(db, check->sql, &none, arena, &r);
    if (err != OK || db_rows(r) != 1) {
        buf_printf(out, "FAILED %s: not checked (%s)\n", check->what, r ? db_message(r) : err_info(err)->name);
        return false;
    }
    int64_t wrong = db_cell_i64(r, 0, 0);
    struct str figures = db_cell(r, 0, 1);
    if (wrong == 0) buf_printf(out, "ok     %s (%.*s)\n", check->what, STR_FMT(figures));
    else buf_printf(out, "FAILED %s: %lld wrong (%.*s)\n", check->what, (long long) wrong, STR_FMT(figures));
    return wrong == 0;
}

int ledger_audit(struct db_blocking *db, struct buf *out)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct arena arena;
        arena_init(&arena);
        failed += !run(db, &checks[i], &arena, out);
        arena_fini(&arena);
    }
    return failed;
}
