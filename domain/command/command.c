/* The commands' table, and those that are a few lines. */
#include "domain/command/command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/net.h"
#include "db/migrate.h"
#include "domain/command/shell.h"
#include "domain/ledger/audit.h"
#include "migrations.h"

const struct command commands[] = {
    { "migrate", "migrate", "bring the database's schema up to date", command_migrate },
    { "seed", "seed", "sample data, not in production", command_seed },
    { "check", "check", "look at the configuration and the database", command_check },
    { "audit", "audit", "prove the ledger; exit status 1 when it does not hold", command_audit },
    { "user", "user add --email E --password P [--name N] [--role R]",
      "a person; R is user, admin, system or agent", command_user },
    { "user", "user role --email E --role R", "another role", command_user },
    { "apikey", "apikey add --holder H --scope S[,S...]",
      "a key; S is userstate, points, rewards or system", command_apikey },
    { "apikey", "apikey list", "the keys' holders and scopes", command_apikey },
    { "apikey", "apikey revoke --holder H", "ends a key at once", command_apikey },
    { "token", "token --email E [--ttl SECONDS]", "a token of a person", command_token },
    { "pos-admin", "pos-admin add --email E --password P",
      "an administrator of the point of sale", command_pos_admin },
    { NULL, NULL, NULL, NULL },
};

static const struct field no_options[] = { { 0 } };

/* migrate */

static void say_applied(const char *name)
{
    printf("applied %s\n", name);
    fflush(stdout);
}

static int migrate(struct shell *sh)
{
    const char *fault = NULL;
    int64_t before, ours = db_migrations_version(migrations_all);
    if (!shell_connect(sh, false) || !shell_schema(sh, &before)) return FAILED;
    if (db_migrate(sh->db, migrations_all, say_applied, &fault) != OK) return shell_fail(sh, "%s", fault);
    if (before == ours) printf("nothing to do: the schema is version %lld\n", (long long) ours);
    return DONE;
}

int command_migrate(const struct settings *s, int argc, char **argv)
{
    struct shell sh;
    shell_init(&sh, "migrate", s);
    int status = shell_options(&sh, no_options, NULL, argc, argv) ? migrate(&sh) : MISUSED;
    shell_fini(&sh);
    return status;
}

/* audit */

int command_audit(const struct settings *s, int argc, char **argv)
{
    struct shell sh;
    int status = DONE;
    shell_init(&sh, "audit", s);
    if (!shell_options(&sh, no_options, NULL, argc, argv)) {
        status = MISUSED;
    } else if (!shell_connect(&sh, true)) {
        status = FAILED;
    } else {
        struct buf lines;
        buf_init(&lines, 1 << 20);
        int failed = ledger_audit(sh.db, &lines);
        fwrite(lines.p, 1, lines.n, stdout);
        printf(failed ? "the ledger does NOT hold\n" : "the ledger holds\n");
        buf_fini(&lines);
        if (failed) status = FAILED;
    }
    shell_fini(&sh);
    return status;
}

/* check */

static int check_files(const struct shell *sh)
{
    const struct settings *s = sh->settings;
    int faults = 0;
    if (s->tls_cert) {
        const char *fault = NULL;
        struct net_tls *tls = net_tls_new(s->tls_cert, s->tls_key, &fault);
        if (!tls) {
            printf("TLS_CERT, TLS_KEY: %s\n", fault);
            faults++;
        } else {
            net_tls_free(tls);
        }
    }
    /* The server makes the directory when it needs it, so one that is not there yet is fine if it
     * can be made here. */
    bool writable = access(s->data_dir, W_OK | X_OK) == 0 ||
                    (access(s->data_dir, F_OK) != 0 && access(".", W_OK | X_OK) == 0);
    if (!writable) {
        printf("TALLY_DATA_DIR: %s is not writable for this user\n", s->data_dir);
        faults++;
    }
    return faults;
}

static int check_database(struct shell *sh)
{
    const char *fault = NULL;
    struct buf missing;
    sh->db = db_blocking_open(sh->settings->database_url, &fault);
    if (!sh->db) {
        printf("TALLY_DATABASE_URL: cannot connect: %s\n", fault);
        return 1;
    }
    buf_init(&missing, 1 << 16);
    int faults = db_check(sh->db, migrations_all, &missing);
    if (missing.n) fwrite(missing.p, 1, missing.n, stdout);
    buf_fini(&missing);
    return faults;
}

int command_check(const struct settings *s, int argc, char **argv)
{
    struct shell sh;
    int status = MISUSED;
    shell_init(&sh, "check", s);
    if (shell_options(&sh, no_options, NULL, argc, argv)) {
        /* What is wrong with a single setting has ended the program before it came here. */
        int faults = check_files(&sh) + check_database(&sh);
        if (!faults) puts("all is well");
        status = faults ? FAILED : DONE;
    }
    shell_fini(&sh);
    return status;
}

/* pos-admin */

int command_pos_admin(const struct settings *s, int argc, char **argv)
{
    (void) s;
    (void) argc;
    (void) argv;
    fputs("tallyd pos-admin: comes with the point of sale, which this version does not have yet\n", stderr);
    return MISUSED;
}
