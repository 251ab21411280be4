/* The ledger on a real PostgreSQL: two processes with the same accounts and keys, and what their answers
 * said against what the tables say. SEED and SECONDS in the environment choose another run. */
#include "ledger_rig.h"

START_TEST(two_processes_and_the_tables_agree)
{
    rig_open(30000);
    pid_t first = rig_start(0, fx.url, 10000), second = rig_start(1, fx.url, 10000);
    for (int i = 0; i < rig_seconds(5) * 10; i++) {
        rig_wait(100);
        rig_close_generation();
        ck_assert_int_lt(rig.log->count, RIG_LOG_MAX * 9 / 10);
    }
    rig.log->stop = true;
    rig_join(first);
    rig_join(second);
    rig_check(true, true);
    /* Keys were used again in later generations, and answered by filters as well as by looking. */
    ck_assert_int_gt(atoi(fx_sql("SELECT count(*) FROM key_generation")), rig_seconds(5) * 5);
    ck_assert_int_gt(atoi(fx_sql("SELECT count(*) FROM key_generation WHERE filter IS NOT NULL")), rig_seconds(5) * 5);
    rig_close();
}
END_TEST

START_TEST(one_process_and_the_tables_agree)
{
    rig_open(8000);
    pid_t only = rig_start(0, fx.url, 10000);
    rig_wait(rig_seconds(3) * 1000);
    rig.log->stop = true;
    rig_join(only);
    rig_check(true, true);
    rig_close();
}
END_TEST

/* One client a process: nearly every batch is a lone transfer, which has a statement of its own, and what a process
 * remembers of an account is often out of date, because the other one has changed it. */
START_TEST(two_clients_alone_and_the_tables_agree)
{
    rig_open(30000);
    rig.slots = 1;
    pid_t first = rig_start(0, fx.url, 10000), second = rig_start(1, fx.url, 10000);
    rig_wait(rig_seconds(3) * 1000);
    rig.log->stop = true;
    rig_join(first);
    rig_join(second);
    printf("lone transfers: %" PRId64 ", that met the other process: %" PRId64 "\n", rig.log->lone,
           rig.log->lone_conflicts);
    ck_assert_int_gt(rig.log->lone, 0);
    ck_assert_int_gt(rig.log->lone_conflicts, 0);
    rig_check(true, false);
    rig_close();
}
END_TEST

/* Ninety-six clients in two processes with ten keys between them: each key is one transfer, and everybody is
 * told the same. */
START_TEST(one_key_from_many_clients_at_once_is_one_transfer)
{
    rig_open(11);
    pid_t first = rig_start(0, fx.url, 10000), second = rig_start(1, fx.url, 10000);
    rig_wait(1000);
    rig.log->stop = true;
    rig_join(first);
    rig_join(second);
    rig_check(true, false);
    rig_close();
}
END_TEST

/* An audit that finds nothing wrong in wrong tables proves nothing. */
static const struct {
    const char *what, *sql;
} damages[] = {
    { "a balance",
      "UPDATE account SET balance = balance + 1 WHERE id = (SELECT max(id) FROM account WHERE version > 0)" },
    { "a lifetime",
      "UPDATE account SET lifetime = lifetime + 1 WHERE id = (SELECT max(id) FROM account WHERE version > 0)" },
    { "a lost transfer",
      "DELETE FROM transfer WHERE id = (SELECT max(id) FROM transfer WHERE credit_version IS NOT NULL)" },
    { "a gap", "UPDATE transfer SET credit_version = credit_version + 100000 WHERE id = (SELECT max(id) FROM "
               "transfer WHERE credit_version > 1)" },
    { "an amount", "UPDATE transfer SET amount = amount + 1 WHERE id = (SELECT max(id) FROM transfer)" },
    { "a balance after", "UPDATE transfer SET credit_after = credit_after + 1 WHERE id = (SELECT min(id) FROM "
                         "transfer WHERE credit_after > 0)" },
    { "an account that is not there",
      "UPDATE transfer SET credit = 999999 WHERE id = (SELECT max(id) FROM transfer)" },
    { "another asset",
      "UPDATE account SET asset = 'RWD' WHERE id = (SELECT max(id) FROM account WHERE version > 0)" },
    { "a posting without its first transfer",
      "UPDATE transfer SET posting = 1 WHERE id = (SELECT max(id) FROM transfer)" },
    { "a key that is gone", "UPDATE transfer SET idem = NULL WHERE id = (SELECT max(posting) FROM transfer)" },
    { "a key in two generations",
      "UPDATE transfer SET idem = key_idem(9, (SELECT uuid_send(idem) FROM transfer WHERE id = (SELECT min(posting) "
      "FROM transfer))) WHERE id = (SELECT max(posting) FROM transfer)" },
    { "an inbox number", "UPDATE users SET inbox_seq = 3 WHERE id = 1" },
    { "an event without a number before",
      "INSERT INTO inbox (user_id, seq, type, data) VALUES (1, 2, 'x', '{}')" },
};

START_TEST(the_audit_sees_every_damage)
{
    const char *fault = NULL;
    fx_sql("DROP DATABASE IF EXISTS damaged");
    fx_sql("CREATE DATABASE damaged TEMPLATE postgres");
    char url[256];
    snprintf(url, sizeof url, "postgresql:///damaged?host=%s&user=tally", fx.dir);
    PGconn *pg = PQconnectdb(url);
    PGresult *r = PQexec(pg, damages[_i].sql);
    ck_assert_msg(PQresultStatus(r) == PGRES_COMMAND_OK && strcmp(PQcmdTuples(r), "1") == 0, "%s: %s",
                  damages[_i].what, PQerrorMessage(pg));
    PQclear(r);
    PQfinish(pg);
    struct db_blocking *db = db_blocking_open(url, &fault);
    ck_assert_ptr_nonnull(db);
    struct buf out;
    buf_init(&out, 1 << 16);
    ck_assert_msg(ledger_audit(db, &out) > 0, "%s was not seen", damages[_i].what);
    buf_fini(&out);
    db_blocking_close(db);
}
END_TEST

START_TEST(lifetime_kinds_are_the_same_in_sql)
{
    static const struct str kinds[] = { { "bank.transfer", 13 },        { "points.earn", 11 },
                                        { "points.referral", 15 },      { "points.purchase", 15 },
                                        { "points.review", 13 },        { "points.admin_grant", 18 },
                                        { "points.admin_deduct", 19 },  { "points.redeem", 13 },
                                        { "points.purchase_return", 22 }, { "rewards.earn", 12 },
                                        { "rewards.redeem", 14 },       { "", 0 } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        ck_assert_int_eq(atoi(fx_sql("SELECT lifetime_credit('%.*s')", STR_FMT(kinds[i]))),
                         transfer_lifetime_credit(kinds[i]));
        ck_assert_int_eq(atoi(fx_sql("SELECT lifetime_debit('%.*s')", STR_FMT(kinds[i]))),
                         transfer_lifetime_debit(kinds[i]));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_ledger");
    TCase *c = tcase_create("ledger");
    tcase_set_timeout(c, 0);
    tcase_add_test(c, one_process_and_the_tables_agree);
    tcase_add_test(c, two_processes_and_the_tables_agree);
    tcase_add_test(c, two_clients_alone_and_the_tables_agree);
    tcase_add_test(c, one_key_from_many_clients_at_once_is_one_transfer);
    tcase_add_loop_test(c, the_audit_sees_every_damage, 0, sizeof damages / sizeof *damages);
    tcase_add_test(c, lifetime_kinds_are_the_same_in_sql);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    fixture_pg_start();
    srunner_run_all(runner, CK_NORMAL);
    fixture_pg_stop();
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
