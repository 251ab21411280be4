/* Levels as tables: what may be read, which level a lifetime has, and when a step crosses one. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "domain/points/levels.h"

#define DEFAULTS                                                                                                    \
    "[{\"name\":\"bronze\",\"tier\":1,\"minPoints\":0,\"perks\":[]},"                                               \
    "{\"name\":\"silver\",\"tier\":2,\"minPoints\":1000,\"perks\":[\"Free delivery\",\"\\u00e9\"]},"                \
    "{\"name\":\"gold\",\"tier\":3,\"minPoints\":2500,\"perks\":[]},"                                                  \
    "{\"name\":\"platinum\",\"tier\":4,\"minPoints\":5000}]"

static struct levels levels;

static void set_up(void)
{
    const char *why;
    levels_init(&levels);
    ck_assert_int_eq(levels_read(&levels, STR(DEFAULTS), &why), OK);
}

static void tear_down(void)
{
    levels_fini(&levels);
}

static const char *name_of(const struct level *level)
{
    static char name[64];
    snprintf(name, sizeof name, "%.*s", level ? (int) level->name.n : 4, level ? level->name.p : "none");
    return name;
}

/* Reading ------------------------------------------------------------------------------------------- */

static const struct reading {
    const char *json, *why;   /* why NULL: it is read */
} readings[] = {
    { "[{\"name\":\"one\",\"tier\":1,\"minPoints\":0}]", NULL },
    { "[{\"name\":\"one\",\"tier\":-3,\"minPoints\":5,\"perks\":[\"a\"]},"
      "{\"name\":\"one\",\"tier\":9,\"minPoints\":6}]", NULL },
    { "[]", "there must be 1 to 50 levels" },
    { "{}", "there must be 1 to 50 levels" },
    { "[1]", "a level has no name" },
    { "[{\"tier\":1,\"minPoints\":0}]", "a level has no name" },
    { "[{\"name\":\"\",\"tier\":1,\"minPoints\":0}]", "a level has no name" },
    { "[{\"name\":7,\"tier\":1,\"minPoints\":0}]", "a level has no name" },
    { "[{\"name\":\"one\",\"minPoints\":0}]", "a tier is no whole number" },
    { "[{\"name\":\"one\",\"tier\":\"1\",\"minPoints\":0}]", "a tier is no whole number" },
    { "[{\"name\":\"one\",\"tier\":1,\"minPoints\":0.5}]", "a minPoints is no whole number" },
    { "[{\"name\":\"one\",\"tier\":1,\"minPoints\":1e30}]", "a minPoints is no whole number" },
    { "[{\"name\":\"one\",\"tier\":1,\"minPoints\":-1}]", "a minPoints is below 0" },
    { "[{\"name\":\"a\",\"tier\":1,\"minPoints\":0},"
      "{\"name\":\"b\",\"tier\":1,\"minPoints\":1}]", "tiers must ascend" },
    { "[{\"name\":\"a\",\"tier\":1,\"minPoints\":1},"
      "{\"name\":\"b\",\"tier\":2,\"minPoints\":1}]", "minPoints must ascend" },
    { "[{\"name\":\"a\",\"tier\":1,\"minPoints\":0,\"perks\":\"x\"}]", "perks must be an array of texts" },
    { "[{\"name\":\"a\",\"tier\":1,\"minPoints\":0,\"perks\":[1]}]", "perks must be an array of texts" },
};

START_TEST(reads_only_what_makes_sense)
{
    const struct reading *r = &readings[_i];
    const struct level *next;
    const char *why = NULL;
    ck_assert_int_eq(levels_read(&levels, str_from(r->json), &why), r->why ? ERR_INVALID : OK);
    if (r->why) {
        ck_assert_str_eq(why, r->why);
        ck_assert_int_eq(levels.count, 4);   /* the old ones stand */
        ck_assert_str_eq(name_of(levels_at(&levels, 1000, &next)), "silver");
    } else {
        ck_assert_ptr_null(why);
        ck_assert_str_eq(name_of(levels_at(&levels, 1000, &next)), "one");
    }
}
END_TEST

START_TEST(takes_fifty_levels_and_no_more)
{
    for (int count = LEVELS_MAX; count <= LEVELS_MAX + 1; count++) {
        struct buf b;
        const char *why;
        buf_init(&b, 1 << 16);
        buf_char(&b, '[');
        for (int i = 0; i < count; i++)
            buf_printf(&b, "%s{\"name\":\"l%d\",\"tier\":%d,\"minPoints\":%d}", i ? "," : "", i, i, i);
        buf_char(&b, ']');
        ck_assert_int_eq(levels_read(&levels, buf_view(&b), &why), count <= LEVELS_MAX ? OK : ERR_INVALID);
        ck_assert_int_eq(levels.count, LEVELS_MAX);
        buf_fini(&b);
    }
}
END_TEST

START_TEST(keeps_perks_as_they_were_written)
{
    ck_assert(str_eq(levels.list[0].perks, STR("[]")));
    ck_assert(str_eq(levels.list[1].perks, STR("[\"Free delivery\",\"\\u00e9\"]")));
    ck_assert(str_eq(levels.list[3].perks, STR("[]")));   /* none given */
}
END_TEST

/* What new levels must keep to -------------------------------------------------------------------------- */

#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16

static const struct reading checks[] = {
    { "[{\"name\":\"" X64 "\",\"tier\":0,\"minPoints\":0,\"perks\":[\"" X64 X64 X64 "\"]}]", NULL },
    { "[{\"name\":\"a\",\"tier\":1,\"minPoints\":0},"
      "{\"name\":\"b\",\"tier\":1000000,\"minPoints\":9007199254740991}]", NULL },
    { "[{\"name\":\"a\",\"tier\":1,\"minPoints\":1}]", "the first minPoints must be 0" },
    { "[{\"name\":\"x" X64 "\",\"tier\":1,\"minPoints\":0}]", "a name has 1 to 64 characters" },
    { "[{\"name\":\"  \",\"tier\":1,\"minPoints\":0}]", "a name has 1 to 64 characters" },
    { "[{\"name\":\"a\",\"tier\":-1,\"minPoints\":0}]", "a tier is within 0 to 1000000" },
    { "[{\"name\":\"a\",\"tier\":1000001,\"minPoints\":0}]", "a tier is within 0 to 1000000" },
    { "[{\"name\":\"a\",\"tier\":1,\"minPoints\":0},"
      "{\"name\":\"b\",\"tier\":2,\"minPoints\":9007199254740992}]", "a minPoints is too large" },
    { "[{\"name\":\"a\",\"tier\":1,\"minPoints\":0,\"perks\":[\"a\",\"\"]}]", "a perk has 1 to 200 characters" },
    { "[{\"name\":\"a\",\"tier\":1,\"minPoints\":0,\"perks\":[\"" X64 X64 X64 X16 "\"]}]",
      "a perk has 1 to 200 characters" },
    { "[{\"name\":\"a\",\"tier\":1,\"minPoints\":0,\"perks\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\","
      "\"i\",\"j\",\"k\",\"l\",\"m\",\"n\",\"o\",\"p\",\"q\",\"r\",\"s\",\"t\",\"u\"]}]",
      "a level has at most 20 perks" },
};

START_TEST(takes_new_levels_within_bounds_only)
{
    const struct reading *r = &checks[_i];
    const char *why = NULL;
    ck_assert_int_eq(levels_read(&levels, str_from(r->json), &why), OK);
    ck_assert_int_eq(levels_check(&levels, &why), r->why ? ERR_INVALID : OK);
    if (r->why) ck_assert_str_eq(why, r->why);
    else ck_assert_ptr_null(why);
}
END_TEST

/* Finding ------------------------------------------------------------------------------------------- */

static const struct place {
    int64_t lifetime;
    const char *level, *next;
} places[] = {
    { INT64_MIN + 1, "none", "bronze" }, { -1, "none", "bronze" },
    { 0, "bronze", "silver" }, { 999, "bronze", "silver" },
    { 1000, "silver", "gold" }, { 1001, "silver", "gold" }, { 2499, "silver", "gold" },
    { 2500, "gold", "platinum" }, { 4999, "gold", "platinum" },
    { 5000, "platinum", "none" }, { INT64_MAX, "platinum", "none" },
};

START_TEST(finds_the_level_of_a_lifetime)
{
    const struct level *next;
    ck_assert_str_eq(name_of(levels_at(&levels, places[_i].lifetime, &next)), places[_i].level);
    ck_assert_str_eq(name_of(next), places[_i].next);
}
END_TEST

static const struct step {
    int64_t before, after;
    const char *previous, *reached;   /* NULL: nothing is crossed */
} steps[] = {
    { 0, 0, NULL, NULL }, { 0, 999, NULL, NULL }, { 1000, 2499, NULL, NULL }, { 5000, 999999, NULL, NULL },
    { 999, 1000, "bronze", "silver" }, { 0, 1001, "bronze", "silver" }, { 1000, 2500, "silver", "gold" },
    { 0, 2500, "bronze", "gold" }, { 0, INT64_MAX, "bronze", "platinum" },   /* the highest reached, once */
    { -5, 0, "none", "bronze" }, { -5, 1000, "none", "silver" },
    { 1000, 999, NULL, NULL }, { 5000, 0, NULL, NULL },                      /* downward is no event */
};

START_TEST(crosses_upward_only_and_tells_the_highest)
{
    const struct step *s = &steps[_i];
    const struct level *previous = NULL, *reached = NULL;
    ck_assert_int_eq(levels_crossed(&levels, s->before, s->after, &previous, &reached), s->reached != NULL);
    if (!s->reached) return;
    ck_assert_str_eq(name_of(previous), s->previous);
    ck_assert_str_eq(name_of(reached), s->reached);
}
END_TEST

#define COUNT(table) ((int) (sizeof(table) / sizeof *(table)))

int main(void)
{
    Suite *suite = suite_create("levels");
    TCase *tcase = tcase_create("levels");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, reads_only_what_makes_sense, 0, COUNT(readings));
    tcase_add_test(tcase, takes_fifty_levels_and_no_more);
    tcase_add_loop_test(tcase, takes_new_levels_within_bounds_only, 0, COUNT(checks));
    tcase_add_test(tcase, keeps_perks_as_they_were_written);
    tcase_add_loop_test(tcase, finds_the_level_of_a_lifetime, 0, COUNT(places));
    tcase_add_loop_test(tcase, crosses_upward_only_and_tells_the_highest, 0, COUNT(steps));
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
