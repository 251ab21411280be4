/* What mails say: every word of an outsider is harmless in them, and figures are what moved. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "domain/mail/text.h"

static struct arena arena;

static void setup(void) { arena_init(&arena); }
static void teardown(void) { arena_fini(&arena); }

static const struct {
    const char *name;
    bool shown;
} names[] = {
    { "Ada", true },
    { "J. R. Smith Jr.", true },
    { "O'Brien", true },
    { "Zoë Müller-Lüdenscheidt", true },
    { "李小龙", true },
    { "", false },
    { "win.example.com", false },
    { "see http://win.example", false },
    { "a@b", false },
    { "<b>Ada</b>", false },
    { "Ada\nBcc: x", false },
    { "a name that goes on and on and says that you have won a prize now", false },
};

START_TEST(names_that_could_carry_a_message_are_left_out)
{
    struct str name = str_from(names[_i].name);
    struct mail_text mail = mail_text_welcome(&arena, name, STR("https://example.com/l"));
    ck_assert_msg((mail_text_name(name).p != NULL) == names[_i].shown, "%s", names[_i].name);
    ck_assert_msg((name.n && strstr(mail.text.p, names[_i].name) != NULL) == names[_i].shown, "%s", mail.text.p);
    if (!names[_i].shown) ck_assert_ptr_nonnull(strstr(mail.text.p, "Hello,\n"));
}
END_TEST

START_TEST(html_is_escaped)
{
    struct buf b;
    buf_init(&b, 1000);
    mail_text_escape(&b, STR("a<b> & \"c\" 'd' ü"));
    ck_assert(str_eq(buf_view(&b), STR("a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39; ü")));
    buf_fini(&b);
    struct mail_text mail = mail_text_welcome(&arena, STR("O'Brien"), STR("https://example.com/l?a=1&b=\"><script>"));
    ck_assert_ptr_nonnull(strstr(mail.html.p, "Hello O&#39;Brien,"));
    ck_assert_ptr_nonnull(strstr(mail.html.p, "<a href=\"https://example.com/l?a=1&amp;b=&quot;&gt;&lt;script&gt;\">"));
    ck_assert_ptr_null(strstr(mail.html.p, "<script>"));
}
END_TEST

START_TEST(both_forms_carry_the_link)
{
    struct str link = STR("https://example.com/verify-email?token=abc");
    struct mail_text mails[] = { mail_text_welcome(&arena, STR("Ada"), link),
                                 mail_text_verify(&arena, STR("Ada"), link) };
    ck_assert(!str_eq(mails[0].subject, mails[1].subject));
    for (int i = 0; i < 2; i++) {
        ck_assert_ptr_nonnull(strstr(mails[i].text.p, link.p));
        ck_assert_ptr_nonnull(strstr(mails[i].html.p, link.p));
    }
}
END_TEST

#define ACCOUNT { "65d4f0a1b2c3d4e5f6071829", 24 }

static const struct {
    struct mail_movement m[2];
    int count;
    const char *subject, *line;
} alerts[] = {
    { { { ACCOUNT, 1, 50000, 0, true, 150000 } }, 1, "You received 500 USD",
      "\nYou received 500 USD on account 65d4f0a1b2c3d4e5f6071829. Balance: 1500 USD.\n" },
    { { { ACCOUNT, 1, 0, 320, true, 0 } }, 1, "You sent 3.2 USD",
      "\nYou sent 3.2 USD from account 65d4f0a1b2c3d4e5f6071829. Balance: 0 USD.\n" },
    { { { ACCOUNT, 3, 5, 100, true, 7 } }, 1, "3 transfers",
      "\nAccount 65d4f0a1b2c3d4e5f6071829: 3 transfers, in 0.05 USD, out 1 USD. Balance: 0.07 USD.\n" },
    { { { ACCOUNT, 1, 5, 0, true, 7 }, { ACCOUNT, 1, 0, 5, true, 9 } }, 2, "2 transfers",
      "\nAccount 65d4f0a1b2c3d4e5f6071829: 1 transfer, in 0 USD, out 0.05 USD. Balance: 0.09 USD.\n" },
    { { { ACCOUNT, 1234567, 0, 0, false, 7 } }, 1, "1234567 transfers",
      "\nAccount 65d4f0a1b2c3d4e5f6071829: 1234567 transfers. Balance: 0.07 USD.\n" },
};

START_TEST(an_alert_says_what_moved)
{
    struct mail_text mail = mail_text_alert(&arena, STR("Ada"), STR("USD"), alerts[_i].m, alerts[_i].count);
    ck_assert_str_eq(mail.subject.p, alerts[_i].subject);
    ck_assert_msg(strstr(mail.text.p, alerts[_i].line) != NULL, "%s", mail.text.p);
}
END_TEST

START_TEST(a_summary_of_a_hundred_accounts_fits)
{
    struct mail_movement m[100];
    for (int i = 0; i < 100; i++)
        m[i] = (struct mail_movement){ ACCOUNT, INT64_MAX / 100, INT64_MAX, INT64_MAX, true, INT64_MAX };
    struct mail_text mail = mail_text_alert(&arena, STR("Ada"), STR("USD"), m, 100);
    ck_assert_ptr_nonnull(strstr(mail.text.p, "92233720368547758.07 USD"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mail_text");
    TCase *t = tcase_create("mail_text");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, names_that_could_carry_a_message_are_left_out, 0, sizeof names / sizeof *names);
    tcase_add_test(t, html_is_escaped);
    tcase_add_test(t, both_forms_carry_the_link);
    tcase_add_loop_test(t, an_alert_says_what_moved, 0, sizeof alerts / sizeof *alerts);
    tcase_add_test(t, a_summary_of_a_hundred_accounts_fits);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
