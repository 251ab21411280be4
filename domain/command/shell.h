/* What the operator's commands share: their options, a connection that waits, and how they speak. */
#pragma once

#include "db/db.h"
#include "domain/command/command.h"
#include "http/endpoint.h"

/* Exit statuses. */
enum { DONE = 0, FAILED = 1, MISUSED = 2 };

enum { OPTIONS_MAX = 8 };

/* One command at work. */
struct shell {
    const char *name;              /* "user add", in front of every message */
    const struct settings *settings;
    struct db_blocking *db;        /* NULL until shell_connect */
    struct arena arena;
    struct value values[OPTIONS_MAX];
};

void shell_init(struct shell *sh, const char *name, const struct settings *settings);
void shell_fini(struct shell *sh);

/* "tallyd user add: …" and a line end, on standard error. Returns FAILED, so that a command can end
 * with it. */
int shell_fail(const struct shell *sh, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads `--name value` (or --name=value) by the same rules as the fields of a request: each field
 * is an option, found in sh->values at its index. The texts are copied and, for those named in
 * `secret`, wiped from argv, where `ps` would show them. Every fault is a line on standard error;
 * false: there was one (MISUSED). argv[0] is the last word of the command's name. */
bool shell_options(struct shell *sh, const struct field *fields, const char *secret, int argc, char **argv);

/* Opens the database; with `current` its schema must be this binary's. False, and said, when that
 * is not so. */
bool shell_connect(struct shell *sh, bool current);
/* The number of the newest migration that was applied, 0: none. False, and said, when it cannot be
 * read. */
bool shell_schema(struct shell *sh, int64_t *version);
/* Runs a statement. ERR_SQL is said unless the caller expects `constraint` (NULL: none) to be
 * violated. */
enum err shell_exec(struct shell *sh, const struct sql *sql, const struct db_args *args, const char *constraint,
                    const struct db_result **r);

/* The commands. */
int command_migrate(const struct settings *s, int argc, char **argv);
int command_check(const struct settings *s, int argc, char **argv);
int command_audit(const struct settings *s, int argc, char **argv);
int command_user(const struct settings *s, int argc, char **argv);
int command_apikey(const struct settings *s, int argc, char **argv);
int command_token(const struct settings *s, int argc, char **argv);
int command_seed(const struct settings *s, int argc, char **argv);
int command_pos_admin(const struct settings *s, int argc, char **argv);
