/* Who is told of what, and when: the rule of alerts with a clock of the test's. `model` below is
 * the tables: what was told, and what moved; a mail must tell exactly what lies between. */
#include <check.h>
#include <stdlib.h>

#include "domain/alerts/pending.h"

static struct pending p;
static uint64_t now;

static void setup(void)
{
    pending_init(&p, 100);
    now = 1000000;
}

static void teardown(void) { pending_fini(&p); }

static void note(int64_t user, int64_t account, int64_t version, int64_t in, int64_t out)
{
    pending_note(&p, &(struct alert_news){ user, account, version, version * 10, in, out });
}

/* Takes everybody who is due into one mail each; the number of persons. */
static int take(struct alert_figures *f, int *figures)
{
    struct alert_person *person;
    int people = 0;
    *figures = 0;
    while ((person = pending_take(&p, now, false))) {
        people++;
        for (struct alert_account *a = person->accounts; a; a = a->next) *figures += pending_figures(a, &f[*figures]);
    }
    return people;
}

static struct alert_figures take_one(void)
{
    struct alert_figures f[10];
    int n;
    ck_assert_int_eq(take(f, &n), 1);
    ck_assert_int_eq(n, 1);
    return f[0];
}

static int due(void)
{
    struct alert_figures f[10];
    int n;
    return take(f, &n);
}

static struct alert_account *first_unread(void)
{
    struct list *l = list_first(&p.unread);
    return l ? list_entry(l, struct alert_account, unread) : NULL;
}

START_TEST(the_first_is_told_at_once)
{
    note(1, 11, 7, 500, 0);
    struct alert_figures f = take_one();
    ck_assert_int_eq(f.count, 1);
    ck_assert_int_eq(f.in, 500);
    ck_assert_int_eq(f.out, 0);
    ck_assert_int_eq(f.told, 6);
    ck_assert_int_eq(f.newest, 7);
    ck_assert_int_eq(f.balance, 70);
    ck_assert_int_eq(due(), 0);
}
END_TEST

START_TEST(what_follows_within_a_minute_is_one_mail)
{
    note(1, 11, 1, 5, 0);
    take_one();
    pending_written(&p, now);
    for (int v = 2; v <= 1000; v++) {
        note(1, 11, v, v % 2 ? 3 : 0, v % 2 ? 0 : 4);
        ck_assert_int_eq(due(), 0);
    }
    now += ALERT_HUSH_MS - 1;
    ck_assert_int_eq(due(), 0);
    now += 1;
    struct alert_figures f = take_one();
    ck_assert_int_eq(f.count, 999);
    ck_assert_int_eq(f.in, 499 * 3);
    ck_assert_int_eq(f.out, 500 * 4);
    ck_assert_int_eq(f.told, 1);
    ck_assert_int_eq(f.newest, 1000);
}
END_TEST

START_TEST(after_a_quiet_minute_a_person_is_forgotten_and_told_at_once_again)
{
    note(1, 11, 1, 5, 0);
    take_one();
    pending_written(&p, now);
    ck_assert_uint_eq(p.people.count, 1);
    now += ALERT_HUSH_MS;
    ck_assert_int_eq(due(), 0);
    ck_assert_uint_eq(p.people.count, 0);
    note(1, 11, 2, 5, 0);
    ck_assert_int_eq(take_one().count, 1);
}
END_TEST

START_TEST(what_moves_while_a_mail_is_written_is_in_the_next)
{
    note(1, 11, 1, 5, 0);
    take_one();
    note(1, 11, 2, 6, 0);
    pending_written(&p, now);
    now += ALERT_HUSH_MS;
    struct alert_figures f = take_one();
    ck_assert_int_eq(f.count, 1);
    ck_assert_int_eq(f.in, 6);
    ck_assert_int_eq(f.told, 1);
}
END_TEST

START_TEST(repeats_count_once)
{
    note(1, 11, 5, 5, 0);
    note(1, 11, 5, 5, 0);
    note(1, 11, 4, 5, 0);
    ck_assert_int_eq(take_one().count, 1);
}
END_TEST

START_TEST(other_transfers_move_the_version_and_say_nothing)
{
    note(1, 11, 1, 0, 0);
    ck_assert_uint_eq(p.people.count, 0);
    note(1, 11, 2, 5, 0);
    note(1, 11, 3, 0, 0);
    note(1, 11, 4, 5, 0);
    struct alert_figures f = take_one();
    ck_assert_int_eq(f.count, 2);
    ck_assert_int_eq(f.newest, 4);
    ck_assert_ptr_null(first_unread());
}
END_TEST

START_TEST(a_gap_is_read_from_the_tables)
{
    note(1, 11, 3, 5, 0);       /* told: 2 */
    note(1, 11, 6, 5, 0);       /* 4 and 5 did not come */
    struct alert_account *a = first_unread();
    ck_assert_ptr_nonnull(a);
    ck_assert_int_eq(a->told, 2);
    ck_assert_int_eq(a->read_to, 6);
    note(1, 11, 7, 100, 0);     /* while it is being read */
    pending_read(a, 6, 4, 20, 1);
    ck_assert_ptr_null(first_unread());
    struct alert_figures f = take_one();
    ck_assert_int_eq(f.count, 5);
    ck_assert_int_eq(f.in, 120);
    ck_assert_int_eq(f.out, 1);
    ck_assert_int_eq(f.newest, 7);
}
END_TEST

START_TEST(a_gap_while_reading_is_read_again)
{
    note(1, 11, 3, 5, 0);
    note(1, 11, 6, 5, 0);
    struct alert_account *a = first_unread();
    note(1, 11, 9, 5, 0);
    pending_read(a, 6, 4, 20, 1);
    ck_assert_ptr_eq(first_unread(), a);
    ck_assert_int_eq(a->read_to, 9);
    pending_read(a, 9, 7, 35, 1);
    ck_assert_int_eq(take_one().count, 7);
}
END_TEST

START_TEST(what_the_tables_owe_replaces_what_was_counted)
{
    note(1, 11, 8, 5, 0);
    pending_owe(&p, 1, 11, 4, 7, 70);   /* told up to 4; the scan had not seen 8 */
    struct alert_account *a = first_unread();
    ck_assert_int_eq(a->told, 4);
    ck_assert_int_eq(a->read_to, 8);
    pending_read(a, 8, 4, 20, 0);
    struct alert_figures f = take_one();
    ck_assert_int_eq(f.count, 4);
    ck_assert_int_eq(f.balance, 80);
}
END_TEST

START_TEST(whom_another_has_told_is_not_told_again)
{
    note(1, 11, 5, 5, 0);
    note(1, 11, 6, 5, 0);
    take_one();
    pending_owe(&p, 1, 11, 7, 7, 70);   /* the tables were ahead of the stream */
    pending_written(&p, now);
    ck_assert_ptr_null(first_unread());
    note(1, 11, 7, 5, 0);
    struct alert_figures f[2];
    int n;
    take(f, &n);
    ck_assert_int_eq(n, 0);
    pending_written(&p, now);
    note(1, 11, 8, 5, 0);
    now += ALERT_HUSH_MS;
    ck_assert_int_eq(take_one().told, 7);
}
END_TEST

START_TEST(what_could_not_be_written_is_read_and_told)
{
    note(1, 11, 5, 5, 0);
    take_one();
    note(1, 11, 6, 7, 0);
    pending_failed(&p);
    struct alert_account *a = first_unread();
    ck_assert_int_eq(a->told, 4);
    pending_read(a, 6, 2, 12, 0);
    struct alert_figures f = take_one();
    ck_assert_int_eq(f.count, 2);
    ck_assert_int_eq(f.in, 12);
}
END_TEST

START_TEST(people_are_bounded)
{
    for (int user = 1; user <= 150; user++) note(user, user, 1, 5, 0);
    ck_assert_uint_eq(p.people.count, 100);
    ck_assert(p.left_out);
}
END_TEST

START_TEST(totals_that_do_not_fit_are_not_told)
{
    note(1, 11, 1, INT64_MAX, 0);
    note(1, 11, 2, 1, 0);
    struct alert_figures f = take_one();
    ck_assert_int_eq(f.count, 2);
    ck_assert(!f.totals_known);
}
END_TEST

START_TEST(at_the_end_the_hushed_are_told_too)
{
    note(1, 11, 1, 5, 0);
    note(2, 21, 1, 5, 0);
    ck_assert_int_eq(due(), 2);
    pending_written(&p, now);
    note(1, 11, 2, 5, 0);
    struct alert_person *person = pending_take(&p, now, true);
    ck_assert_int_eq(person->user, 1);
    ck_assert_ptr_null(pending_take(&p, now, true));
}
END_TEST

/* A leader against the tables: events that are lost, late or repeated, writes that fail or were
 * done by another. Whatever comes, what is told adds up to what moved. */
START_TEST(everything_is_told_once)
{
    enum { ACCOUNTS = 4, STEPS = 4000 };
    struct { int64_t version, alerted, streamed, mails; } model[ACCOUNTS] = { 0 };
    struct alert_figures f[ACCOUNTS];
    unsigned seed = (unsigned) _i * 7919 + 1;
    for (int step = 0; step < STEPS + 200; step++) {
        bool calm = step >= STEPS;
        unsigned dice = (unsigned) rand_r(&seed) % 100;
        int i = rand_r(&seed) % ACCOUNTS;
        now += (unsigned) rand_r(&seed) % 5000;
        if (!calm && dice < 60) model[i].version++;
        while (model[i].streamed < model[i].version && (calm || dice % 3)) {
            model[i].streamed++;
            if (calm || dice % 17) note(1 + i / 2, i, model[i].streamed, 1, 0);
        }
        if (dice < 5 || calm) {
            for (int k = 0; k < ACCOUNTS; k++) {
                if (model[k].alerted < model[k].version)
                    pending_owe(&p, 1 + k / 2, k, model[k].alerted, model[k].version, 0);
            }
        }
        for (struct alert_account *a; (a = first_unread());)
            pending_read(a, a->read_to, a->read_to - a->told, a->read_to - a->told, 0);
        if (dice % 2 && !calm) continue;
        if (calm) now += ALERT_HUSH_MS;
        struct alert_person *person;
        while ((person = pending_take(&p, now, false))) {
            int n = 0;
            bool stale = false;
            int64_t of[ACCOUNTS];
            for (struct alert_account *a = person->accounts; a; a = a->next) {
                if (!pending_figures(a, &f[n])) continue;
                of[n] = a->id;
                stale |= model[a->id].alerted != f[n++].told;
            }
            if (dice > 90 && !calm) continue;   /* the statement fails, see below */
            for (int k = 0; k < n; k++) {
                if (stale) {
                    pending_owe(&p, person->user, of[k], model[of[k]].alerted, model[of[k]].version, 0);
                    continue;
                }
                ck_assert_int_eq(f[k].count, f[k].newest - f[k].told);
                ck_assert_int_eq(f[k].in, f[k].count);
                ck_assert_int_le(f[k].newest, model[of[k]].version);
                model[of[k]].alerted = f[k].newest;
                model[of[k]].mails += f[k].count;
            }
            if (stale) break;
        }
        if (dice > 90 && !calm) pending_failed(&p);
        else pending_written(&p, now);
    }
    for (int k = 0; k < ACCOUNTS; k++) {
        ck_assert_int_eq(model[k].alerted, model[k].version);
        ck_assert_int_eq(model[k].mails, model[k].version);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("alerts");
    TCase *t = tcase_create("alerts");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_first_is_told_at_once);
    tcase_add_test(t, what_follows_within_a_minute_is_one_mail);
    tcase_add_test(t, after_a_quiet_minute_a_person_is_forgotten_and_told_at_once_again);
    tcase_add_test(t, what_moves_while_a_mail_is_written_is_in_the_next);
    tcase_add_test(t, repeats_count_once);
    tcase_add_test(t, other_transfers_move_the_version_and_say_nothing);
    tcase_add_test(t, a_gap_is_read_from_the_tables);
    tcase_add_test(t, a_gap_while_reading_is_read_again);
    tcase_add_test(t, what_the_tables_owe_replaces_what_was_counted);
    tcase_add_test(t, whom_another_has_told_is_not_told_again);
    tcase_add_test(t, what_could_not_be_written_is_read_and_told);
    tcase_add_test(t, people_are_bounded);
    tcase_add_test(t, totals_that_do_not_fit_are_not_told);
    tcase_add_test(t, at_the_end_the_hushed_are_told_too);
    tcase_add_loop_test(t, everything_is_told_once, 0, 20);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
