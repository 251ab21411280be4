/* tallyd user add and user role. */
#include <stdio.h>
#include <string.h>

#include "core/password.h"
#include "domain/command/person.h"
#include "domain/command/shell.h"
#include "sql.h"

enum { ADD_EMAIL, ADD_PASSWORD, ADD_NAME, ADD_ROLE };

static const struct field add_options[] = {
    { .name = "email", .type = FIELD_EMAIL, .flags = FIELD_REQUIRED },
    { .name = "password", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 8, .max = 128 },
    { .name = "name", .type = FIELD_TEXT, .flags = FIELD_TRIM, .min = 1, .max = 100 },
    { .name = "role", .type = FIELD_ENUM, .choices = "user admin system agent", .initial = "user" },
    { 0 },
};

static int add(struct shell *sh)
{
    const struct value *v = sh->values;
    struct new_person person = { v[ADD_EMAIL].s, v[ADD_PASSWORD].s, v[ADD_NAME].s, v[ADD_ROLE].s };
    struct str username;
    int64_t id;
    switch (person_add(sh, &person, &id, &username)) {
    case PERSON_ADDED:
        printf("id %lld\nusername %.*s\n", (long long) id, STR_FMT(username));
        return DONE;
    case PERSON_EXISTS:
        return shell_fail(sh, "there is already a user with the e-mail %.*s (tallyd user role changes the role)",
                          STR_FMT(person.email));
    default:
        return FAILED;
    }
}

enum { ROLE_EMAIL, ROLE_ROLE };

static const struct field role_options[] = {
    { .name = "email", .type = FIELD_EMAIL, .flags = FIELD_REQUIRED },
    { .name = "role", .type = FIELD_ENUM, .flags = FIELD_REQUIRED, .choices = "user admin system agent" },
    { 0 },
};

static int role(struct shell *sh)
{
    const struct db_result *r;
    struct db_args args;
    db_args_init(&args, &sh->arena);
    db_text(&args, sh->values[ROLE_EMAIL].s);
    db_text(&args, sh->values[ROLE_ROLE].s);
    if (shell_exec(sh, &sql_command_user_role, &args, NULL, &r) != OK) return FAILED;
    if (db_rows(r) == 0)
        return shell_fail(sh, "there is no user with the e-mail %.*s", STR_FMT(sh->values[ROLE_EMAIL].s));
    printf("%.*s is %.*s\n", STR_FMT(db_cell(r, 0, 0)), STR_FMT(sh->values[ROLE_ROLE].s));
    return DONE;
}

int command_user(const struct settings *s, int argc, char **argv)
{
    static const struct {
        const char *verb, *name;
        const struct field *options;
        int (*run)(struct shell *sh);
    } verbs[] = { { "add", "user add", add_options, add }, { "role", "user role", role_options, role } };
    const char *verb = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verb, verbs[i].verb) != 0) continue;
        struct shell sh;
        int status = MISUSED;
        shell_init(&sh, verbs[i].name, s);
        if (shell_options(&sh, verbs[i].options, "password", argc - 1, argv + 1))
            status = shell_connect(&sh, true) ? verbs[i].run(&sh) : FAILED;
        shell_fini(&sh);
        return status;
    }
    fprintf(stderr, "tallyd user: say what to do: user add, user role (tallyd --help shows how)\n");
    return MISUSED;
}
