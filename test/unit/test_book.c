/* The book: what comes late, twice or in the wrong order changes nothing that is newer. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "domain/book/book.h"

static struct book b;

static void setup(void) { book_init(&b); }
static void teardown(void) { book_fini(&b); }

static struct account *put(int64_t id, int64_t owner, enum account_kind kind, int64_t balance, int64_t version)
{
    struct account row = { .id = id, .owner = owner, .kind = (uint8_t) kind, .balance = balance, .version = version,
                           .lifetime = version, .updated_us = version * 10 };
    return book_put_account(&b, &row, STR_NONE);
}

static struct person *person(int64_t id, const char *username, const char *email)
{
    struct person row = { .id = id, .username = (char *) username, .name = (char *) "Ann", .email = (char *) email,
                          .inbox_seq = 3, .is_active = true };
    return book_put_person(&b, &row);
}

START_TEST(what_is_unknown_is_null)
{
    ck_assert_ptr_null(book_account(&b, 1));
    ck_assert_ptr_null(book_person(&b, 1));
    ck_assert_ptr_null(book_system(&b, STR("treasury")));
    ck_assert_ptr_null(book_owned(&b, 1, ACCOUNT_BANK));
    ck_assert(!book_move(&b, 1, 1, 1, 0, 1));
}
END_TEST

START_TEST(only_newer_versions_count)
{
    struct account *a = put(1, 0, ACCOUNT_BANK, 100, 5);
    ck_assert(!book_move(&b, 1, 90, 4, 0, 1));
    ck_assert(!book_move(&b, 1, 90, 5, 0, 1));
    ck_assert_int_eq(a->balance, 100);
    ck_assert(book_move(&b, 1, 70, 7, 9, 99));
    ck_assert_int_eq(a->balance, 70);
    ck_assert_int_eq(a->version, 7);
    ck_assert_int_eq(a->lifetime, 9);
    ck_assert_int_eq(a->updated_us, 99);
    ck_assert_ptr_eq(put(1, 0, ACCOUNT_BANK, 100, 6), a);
    ck_assert_int_eq(a->balance, 70);
    ck_assert_int_eq(a->updated_us, 99);
}
END_TEST

START_TEST(a_status_counts_whatever_its_version)
{
    struct account *a = put(1, 0, ACCOUNT_BANK, 100, 5);
    struct account row = { .id = 1, .version = 3, .balance = 1, .status = ACCOUNT_FROZEN };
    book_put_account(&b, &row, STR_NONE);
    ck_assert_int_eq(a->status, ACCOUNT_FROZEN);
    ck_assert_int_eq(a->balance, 100);
}
END_TEST

START_TEST(an_unbounded_account_is_never_moved)
{
    struct account row = { .id = 1, .kind = ACCOUNT_SYSTEM, .unbounded = true };
    struct account *a = book_put_account(&b, &row, STR("treasury"));
    ck_assert_ptr_eq(book_system(&b, STR("treasury")), a);
    ck_assert_ptr_null(book_system(&b, STR("treasur")));
    ck_assert(!book_move(&b, 1, 5, 1, 0, 0));
    ck_assert_int_eq(a->balance, 0);
}
END_TEST

START_TEST(accounts_stand_with_their_owner_by_id_whoever_came_first)
{
    put(30, 7, ACCOUNT_BANK, 0, 0);
    put(10, 7, ACCOUNT_ATM, 0, 0);
    ck_assert_ptr_null(book_owned(&b, 7, ACCOUNT_BANK));
    struct person *p = person(7, "ann", NULL);
    put(20, 7, ACCOUNT_BANK, 0, 0);
    ck_assert_int_eq(p->accounts->id, 10);
    ck_assert_int_eq(p->accounts->next->id, 20);
    ck_assert_int_eq(p->accounts->next->next->id, 30);
    ck_assert_ptr_null(p->accounts->next->next->next);
    ck_assert_int_eq(book_owned(&b, 7, ACCOUNT_BANK)->id, 20);
    book_account(&b, 20)->status = ACCOUNT_CLOSED;
    ck_assert_int_eq(book_owned(&b, 7, ACCOUNT_BANK)->id, 30);
    ck_assert_ptr_null(book_owned(&b, 7, ACCOUNT_WALLET));
}
END_TEST

START_TEST(a_person_is_replaced_but_the_inbox_only_rises)
{
    struct person *p = person(7, "ann", "ann@example.com");
    ck_assert_str_eq(p->email, "ann@example.com");
    struct person row = {
        .id = 7, .username = (char *) "bob", .name = (char *) "Bob", .inbox_seq = 2, .is_admin = true
    };
    ck_assert_ptr_eq(book_put_person(&b, &row), p);
    ck_assert_str_eq(p->username, "bob");
    ck_assert_str_eq(p->name, "Bob");
    ck_assert_ptr_null(p->email);
    ck_assert_int_eq(p->inbox_seq, 3);
    ck_assert(p->is_admin && !p->is_active);
}
END_TEST

START_TEST(an_older_word_of_a_person_changes_nothing)
{
    struct person *p = person(7, "ann", "ann@example.com");
    struct person newer = { .id = 7, .version = 6, .username = (char *) "ann", .name = (char *) "Ann",
                            .tokens_from_us = 60 };
    struct person older = { .id = 7, .version = 5, .username = (char *) "old", .name = (char *) "Old", .inbox_seq = 9,
                            .is_admin = true, .is_active = true };
    book_put_person(&b, &newer);
    ck_assert_ptr_eq(book_put_person(&b, &older), p);
    ck_assert_str_eq(p->username, "ann");
    ck_assert_int_eq(p->tokens_from_us, 60);
    ck_assert(!p->is_active && !p->is_admin);
    ck_assert_int_eq(p->inbox_seq, 9);
    older.version = 6;
    book_put_person(&b, &older);
    ck_assert_str_eq(p->username, "old");
}
END_TEST

static struct account *put_member(int64_t id, const char *name, int64_t balance, int64_t version)
{
    struct account row = { .id = id, .kind = ACCOUNT_REWARD_POINTS, .balance = balance, .version = version };
    return book_put_member(&b, &row, str_from(name));
}

START_TEST(a_member_is_found_by_his_id_and_his_account_is_his)
{
    struct account *john = put_member(1, "john", 50, 2), *other = put_member(2, "John", 0, 0);
    ck_assert_ptr_eq(book_account(&b, 1), john);
    ck_assert_ptr_eq(&book_member(&b, STR("john"))->account, john);
    ck_assert_ptr_eq(&book_member(&b, STR("John"))->account, other);
    ck_assert(str_eq(member_id(member_of(john)), STR("john")));
    ck_assert_ptr_null(book_member(&b, STR("joh")));
    ck_assert_ptr_null(book_member(&b, STR("john1")));
    ck_assert_ptr_null(book_member(&b, STR("")));
    ck_assert_ptr_eq(put_member(1, "john", 40, 1), john);
    ck_assert_int_eq(john->balance, 50);
    ck_assert(book_move(&b, 1, 30, 3, 0, 0));
    ck_assert_int_eq(book_member(&b, STR("john"))->account.balance, 30);
}
END_TEST

START_TEST(many_members_are_all_found)
{
    char name[MEMBER_ID_MAX + 1];
    for (int i = 1; i <= 5000; i++) {
        snprintf(name, sizeof name, "%0*d", 1 + i % MEMBER_ID_MAX, i);
        put_member(i, name, i, 1);
    }
    for (int i = 1; i <= 5000; i++) {
        snprintf(name, sizeof name, "%0*d", 1 + i % MEMBER_ID_MAX, i);
        ck_assert_int_eq(book_member(&b, str_from(name))->account.id, i);
    }
}
END_TEST

START_TEST(members_of_one_hash_are_told_apart)
{
    struct account *one = put_member(1, "one", 1, 1), *two = put_member(2, "two", 2, 1);
    /* As if their hashes were the same: one stands behind two, as book_put_member would have linked them. */
    map_set(&b.members, siphash(b.members_key, "one", 3), two);
    two->next = one;
    ck_assert_int_eq(book_member(&b, STR("one"))->account.id, 1);
    ck_assert_int_eq(book_member(&b, STR("two"))->account.id, 2);
}
END_TEST

START_TEST(many_accounts_are_all_found)
{
    for (int64_t id = 1; id <= 5000; id++) put(id * 7, id % 10, ACCOUNT_BANK, id, 1);
    for (int64_t id = 1; id <= 5000; id++) ck_assert_int_eq(book_account(&b, id * 7)->balance, id);
    ck_assert_ptr_null(book_account(&b, 8));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("book");
    TCase *c = tcase_create("book");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, what_is_unknown_is_null);
    tcase_add_test(c, only_newer_versions_count);
    tcase_add_test(c, a_status_counts_whatever_its_version);
    tcase_add_test(c, an_unbounded_account_is_never_moved);
    tcase_add_test(c, accounts_stand_with_their_owner_by_id_whoever_came_first);
    tcase_add_test(c, a_person_is_replaced_but_the_inbox_only_rises);
    tcase_add_test(c, an_older_word_of_a_person_changes_nothing);
    tcase_add_test(c, a_member_is_found_by_his_id_and_his_account_is_his);
    tcase_add_test(c, many_members_are_all_found);
    tcase_add_test(c, members_of_one_hash_are_told_apart);
    tcase_add_test(c, many_accounts_are_all_found);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
