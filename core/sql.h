/* One SQL statement, embedded at build from its .sql file (see scripts/embed_sql.c); the generated
 * "sql.h" declares them all. The text reaches PostgreSQL unchanged, comments included. */
#pragma once

struct sql {
    int index;           /* 0 … SQL_COUNT - 1: a connection's list of what it has prepared */
    int params;          /* the highest $n */
    const char *name;    /* "bank_account_list": the prepared statement's name */
    const char *file;    /* "domain/bank/account_list.sql" */
    const char *text;
};
