/* Options are rows like the fields of an endpoint, and are validated by the same code, so that what
 * a command accepts as an e-mail address or a password is what the server accepts. */
#include "domain/command/shell.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/must.h"
#include "db/migrate.h"
#include "http/validate.h"
#include "migrations.h"
#include "sql.h"

void shell_init(struct shell *sh, const char *name, const struct settings *settings)
{
    *sh = (struct shell){ .name = name, .settings = settings };
    arena_init(&sh->arena);
}

void shell_fini(struct shell *sh)
{
    arena_fini(&sh->arena);   /* results go before their connection */
    db_blocking_close(sh->db);
}

int shell_fail(const struct shell *sh, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "tallyd %s: ", sh->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return FAILED;
}

/* Options ------------------------------------------------------------------------------------- */

static int find_field(const struct field *fields, struct str name)
{
    for (int i = 0; fields[i].name; i++) {
        if (str_eq(str_from(fields[i].name), name)) return i;
    }
    return -1;
}

static void list_options(const struct field *fields)
{
    fprintf(stderr, "  options:%s", fields[0].name ? "" : " none");
    for (; fields->name; fields++)
        fprintf(stderr, " --%s%s", fields->name, fields->flags & FIELD_REQUIRED ? "" : " (optional)");
    fputc('\n', stderr);
}

/* Faults of a field as lines: the validator words them for the "errors" of a reply. */
static void say_faults(struct shell *sh, const struct reply_faults *faults)
{
    struct json *list;
    const char *why;
    struct str json = arena_printf(&sh->arena, "[%.*s]", (int) faults->json.n, faults->json.p);
    must(json_parse(json, &sh->arena, &list, &why) == OK);
    for (const struct json *fault = list->child; fault; fault = fault->next) {
        struct str field = json_get(fault, STR("field"))->text, message = json_get(fault, STR("message"))->text;
        shell_fail(sh, "--%.*s %.*s", STR_FMT(field), STR_FMT(message));
    }
}

static bool validate_option(struct shell *sh, const struct field *field, const char *text, struct value *out)
{
    struct endpoint one = { .id = "option", .fields = { *field } };
    struct str value = arena_str(&sh->arena, str_from(text));
    struct validate_input in = { .arena = &sh->arena, .path_params = &value };
    struct reply_faults faults = { 0 };
    one.fields[0].in = IN_PATH;   /* text, not JSON */
    if (validate(&one, &in, out, &faults) == 0) return true;
    say_faults(sh, &faults);
    buf_fini(&faults.json);
    return false;
}

/* The value of the option at argv[*i], which is moved to its last word; NULL, and said, when it has
 * none. */
static char *value_of(struct shell *sh, int argc, char **argv, int *i)
{
    char *equals = strchr(argv[*i], '=');
    if (equals) return equals + 1;
    if (*i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0) return argv[++*i];
    shell_fail(sh, "%s needs a value (one that begins with two dashes is written %s=VALUE)", argv[*i], argv[*i]);
    return NULL;
}

static bool take_option(struct shell *sh, const struct field *fields, const char *secret, int argc, char **argv,
                        int *i)
{
    const char *word = argv[*i];
    struct str rest = { word, strlen(word) };
    if (!str_starts(rest, STR("--"))) {
        shell_fail(sh, "unexpected argument: %s", word);
        return false;
    }
    struct str name = str_cut(&rest, '=');
    name = (struct str){ name.p + 2, name.n - 2 };
    int n = find_field(fields, name);
    if (n < 0) {
        shell_fail(sh, "unknown option: --%.*s", STR_FMT(name));
        if (!rest.p && *i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0) ++*i;   /* its value */
        return false;
    }
    if (sh->values[n].set) {
        shell_fail(sh, "--%s is given twice", fields[n].name);
        return false;
    }
    char *value = value_of(sh, argc, argv, i);
    bool good = value && validate_option(sh, &fields[n], value, &sh->values[n]);
    if (value && secret && strcmp(secret, fields[n].name) == 0) memset(value, '*', strlen(value));
    sh->values[n].set = value != NULL;   /* it was given, so it is not missing too */
    return good;
}

bool shell_options(struct shell *sh, const struct field *fields, const char *secret, int argc, char **argv)
{
    int faults = 0;
    for (int i = 1; i < argc; i++) faults += !take_option(sh, fields, secret, argc, argv, &i);
    for (int n = 0; !faults && fields[n].name; n++) {
        must(n < OPTIONS_MAX);
        if (sh->values[n].set) continue;
        if (fields[n].flags & FIELD_REQUIRED) {
            shell_fail(sh, "--%s is missing", fields[n].name);
            list_options(fields);
            return false;
        } else if (fields[n].initial) {
            must(validate_option(sh, &fields[n], fields[n].initial, &sh->values[n]));
        }
    }
    if (faults) list_options(fields);
    return faults == 0;
}

/* The database -------------------------------------------------------------------------------- */

bool shell_schema(struct shell *sh, int64_t *version)
{
    const struct db_result *r = NULL;
    struct db_args none;
    db_args_init(&none, &sh->arena);
    enum err err = db_blocking_exec(sh->db, &sql_db_check_schema, &none, &sh->arena, &r);
    bool missing = err == ERR_SQL && strcmp(db_sqlstate(r), "42P01") == 0;   /* no such table */
    *version = err == OK ? db_cell_i64(r, 0, 0) : 0;
    if (err == OK || missing) return true;
    shell_fail(sh, "the schema's version cannot be read: %s", r ? db_message(r) : err_info(err)->name);
    return false;
}

static bool schema_is_current(struct shell *sh)
{
    int64_t found, expected = db_migrations_version(migrations_all);
    if (!shell_schema(sh, &found)) return false;
    if (found == expected) return true;
    shell_fail(sh, "the database's schema is version %lld, this binary's is %lld: %s", (long long) found,
               (long long) expected, found < expected ? "run tallyd migrate first" : "use a newer tallyd");
    return false;
}

bool shell_connect(struct shell *sh, bool current)
{
    const char *fault = NULL;
    sh->db = db_blocking_open(sh->settings->database_url, &fault);
    if (!sh->db) {
        shell_fail(sh, "cannot connect to the database: %s (set TALLY_DATABASE_URL)", fault);
        return false;
    }
    return !current || schema_is_current(sh);
}

enum err shell_exec(struct shell *sh, const struct sql *sql, const struct db_args *args, const char *constraint,
                    const struct db_result **r)
{
    const struct db_result *result = NULL;
    enum err err = db_blocking_exec(sh->db, sql, args, &sh->arena, &result);
    *r = result;
    if (err == ERR_SQL && constraint && strcmp(db_constraint(result), constraint) == 0) return err;
    if (err == ERR_SQL) shell_fail(sh, "the database refused (%s): %s", db_sqlstate(result), db_message(result));
    else if (err != OK) shell_fail(sh, "the database has gone away: it is not known whether this was done");
    return err;
}
