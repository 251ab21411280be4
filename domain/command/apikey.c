/* tallyd apikey add, list and revoke. A key is 256 random bits; only its hash is stored, so it is
 * shown once. */
#include <stdio.h>
#include <string.h>

#include "core/digest.h"
#include "domain/auth/scope.h"
#include "domain/command/shell.h"
#include "sql.h"

enum { KEY_BYTES = 32 };
enum { HOLDER, SCOPE };

static const struct field add_options[] = {
    { .name = "holder", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1, .max = 64 },
    { .name = "scope", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .max = 200 },
    { 0 },
};

/* The two things that only the command can say of its options. */
static int check_options(const struct shell *sh)
{
    if (memchr(sh->values[HOLDER].s.p, ':', sh->values[HOLDER].s.n)) {
        shell_fail(sh, "--holder must not contain a colon: a client sends holder:key");
        return MISUSED;
    }
    if (scope_parse(sh->values[SCOPE].s) > 0) return DONE;
    shell_fail(sh, "--scope must be one or more of userstate, points, system, rewards, separated by commas");
    return MISUSED;
}

static int add_key(struct shell *sh)
{
    const struct db_result *r;
    uint8_t random[KEY_BYTES], hash[SHA256_BYTES];
    struct db_args args;
    random_bytes(random, sizeof random);
    struct str key = base64url_encode(&sh->arena, (struct str){ (char *) random, sizeof random });
    sha256(key, hash);
    db_args_init(&args, &sh->arena);
    db_text(&args, sh->values[HOLDER].s);
    db_bytes(&args, (struct str){ (char *) hash, sizeof hash });
    db_text(&args, scope_text(scope_parse(sh->values[SCOPE].s), &sh->arena));
    if (shell_exec(sh, &sql_command_apikey_add, &args, NULL, &r) != OK) return FAILED;
    if (db_rows(r) == 0) {
        return shell_fail(sh, "%.*s holds a key already: revoke it first (tallyd apikey revoke --holder %.*s)",
                          STR_FMT(sh->values[HOLDER].s), STR_FMT(sh->values[HOLDER].s));
    }
    printf("holder %.*s\nscopes %.*s\n", STR_FMT(sh->values[HOLDER].s), STR_FMT(db_cell(r, 0, 1)));
    printf("key, shown this once: %.*s\n", STR_FMT(key));
    return DONE;
}

static const struct field no_options[] = { { 0 } };

static int list_keys(struct shell *sh)
{
    const struct db_result *r;
    struct db_args none;
    db_args_init(&none, &sh->arena);
    if (shell_exec(sh, &sql_command_apikey_list, &none, NULL, &r) != OK) return FAILED;
    for (int i = 0; i < db_rows(r); i++) {
        printf("%.*s  %.*s  %s  made %.*s  used %.*s\n", STR_FMT(db_cell(r, i, 0)), STR_FMT(db_cell(r, i, 1)),
               db_cell_bool(r, i, 2) ? "active" : "revoked", STR_FMT(db_cell(r, i, 3)), STR_FMT(db_cell(r, i, 4)));
    }
    if (db_rows(r) == 0) puts("no keys");
    return DONE;
}

static const struct field revoke_options[] = {
    { .name = "holder", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1, .max = 64 },
    { 0 },
};

static int revoke_key(struct shell *sh)
{
    const struct db_result *r;
    struct db_args args;
    db_args_init(&args, &sh->arena);
    db_text(&args, sh->values[HOLDER].s);
    if (shell_exec(sh, &sql_command_apikey_revoke, &args, NULL, &r) != OK) return FAILED;
    if (db_rows(r) == 0)
        return shell_fail(sh, "%.*s holds no active key (tallyd apikey list)", STR_FMT(sh->values[HOLDER].s));
    printf("revoked the key of %.*s\n", STR_FMT(db_cell(r, 0, 0)));
    return DONE;
}

int command_apikey(const struct settings *s, int argc, char **argv)
{
    static const struct {
        const char *verb, *name;
        const struct field *options;
        int (*check)(const struct shell *sh);
        int (*run)(struct shell *sh);
    } verbs[] = {
        { "add", "apikey add", add_options, check_options, add_key },
        { "list", "apikey list", no_options, NULL, list_keys },
        { "revoke", "apikey revoke", revoke_options, NULL, revoke_key },
    };
    const char *verb = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verb, verbs[i].verb) != 0) continue;
        struct shell sh;
        int status = MISUSED;
        shell_init(&sh, verbs[i].name, s);
        if (shell_options(&sh, verbs[i].options, NULL, argc - 1, argv + 1) &&
            (!verbs[i].check || verbs[i].check(&sh) == DONE))
            status = shell_connect(&sh, true) ? verbs[i].run(&sh) : FAILED;
        shell_fini(&sh);
        return status;
    }
    fputs("tallyd apikey: say what to do: apikey add, apikey list, apikey revoke (tallyd --help shows how)\n",
          stderr);
    return MISUSED;
}
