/* tallyd token: a session and its token, as log-in makes them. */
#include <stdio.h>
#include <string.h>

#include "core/digest.h"
#include "domain/auth/auth.h"
#include "domain/command/shell.h"
#include "sql.h"

enum { EMAIL, TTL, TTL_MAX_S = 10 * 365 * 86400 };

static const struct field options[] = {
    { .name = "email", .type = FIELD_EMAIL, .flags = FIELD_REQUIRED },
    { .name = "ttl", .type = FIELD_INT, .min = 1, .max = TTL_MAX_S },
    { 0 },
};

static bool find_person(struct shell *sh, struct person *person)
{
    const struct db_result *r;
    struct db_args args;
    db_args_init(&args, &sh->arena);
    db_text(&args, sh->values[EMAIL].s);
    if (shell_exec(sh, &sql_command_token_user, &args, NULL, &r) != OK) return false;
    if (db_rows(r) == 0) {
        shell_fail(sh, "there is no user with the e-mail %.*s", STR_FMT(sh->values[EMAIL].s));
        return false;
    }
    if (!db_cell_bool(r, 0, 3)) {
        shell_fail(sh, "the user with the e-mail %.*s is disabled", STR_FMT(sh->values[EMAIL].s));
        return false;
    }
    *person = (struct person){
        .id = db_cell_i64(r, 0, 0),
        .username = (char *) arena_cstr(&sh->arena, db_cell(r, 0, 1)),
        .is_agent = db_cell_bool(r, 0, 2),
    };
    return true;
}

static bool read_pid_key(struct shell *sh, struct pid_key *pids)
{
    const struct db_result *r;
    struct db_args none;
    uint8_t secret[SHA256_BYTES];
    db_args_init(&none, &sh->arena);
    if (shell_exec(sh, &sql_pid_secret, &none, NULL, &r) != OK) return false;
    if (db_rows(r) != 1 || !hex_decode(db_cell(r, 0, 0), secret, sizeof secret)) {
        shell_fail(sh, "the database has no secret of the public ids: it is not whole");
        return false;
    }
    pid_key_init(pids, secret);
    return true;
}

static bool issue(struct shell *sh, const struct person *person, const struct db_result **r)
{
    struct db_args args;
    db_args_init(&args, &sh->arena);
    db_i64(&args, person->id);
    db_i64(&args, sh->values[TTL].set ? sh->values[TTL].i : sh->settings->token_ttl);
    db_text(&args, STR("command"));
    return shell_exec(sh, &sql_auth_session_issue, &args, NULL, r) == OK;
}

static int print_token(struct shell *sh)
{
    const struct db_result *session;
    const char *fault = NULL;
    struct person person;
    struct pid_key pids;
    const char *secret = settings_jwt_secret(sh->settings, &sh->arena, &fault);
    if (!secret) return shell_fail(sh, "%s", fault);
    if (!find_person(sh, &person) || !read_pid_key(sh, &pids) || !issue(sh, &person, &session)) return FAILED;
    struct hmac_key *key = hmac_key_new(str_from(secret));
    struct str token = auth_sign_with(key, &pids, &person, db_cell(session, 0, 0), db_cell_i64(session, 0, 1),
                                      db_cell_i64(session, 0, 2), &sh->arena);
    hmac_key_free(key);
    printf("%.*s\n", STR_FMT(token));
    return DONE;
}

int command_token(const struct settings *s, int argc, char **argv)
{
    struct shell sh;
    int status = MISUSED;
    shell_init(&sh, "token", s);
    if (shell_options(&sh, options, NULL, argc, argv)) status = shell_connect(&sh, true) ? print_token(&sh) : FAILED;
    shell_fini(&sh);
    return status;
}
