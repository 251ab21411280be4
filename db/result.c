/* Reading the answer of a statement; all values come as text. */
#include "db/private.h"

int db_rows(const struct db_result *r)
{
    return PQntuples(r->pg);
}

int db_columns(const struct db_result *r)
{
    return PQnfields(r->pg);
}

int db_affected(const struct db_result *r)
{
    int64_t n = 0;
    if (!str_to_i64(str_from(PQcmdTuples(r->pg)), &n)) return 0;   /* "" for statements that count nothing */
    return (int) n;
}

struct str db_cell(const struct db_result *r, int row, int column)
{
    must(row >= 0 && row < PQntuples(r->pg) && column >= 0 && column < PQnfields(r->pg));
    if (PQgetisnull(r->pg, row, column)) return STR_NONE;
    return (struct str){ PQgetvalue(r->pg, row, column), (size_t) PQgetlength(r->pg, row, column) };
}

int64_t db_cell_i64(const struct db_result *r, int row, int column)
{
    struct str s = db_cell(r, row, column);
    int64_t v = 0;
    if (s.p) must(str_to_i64(s, &v));
    return v;
}

bool db_cell_bool(const struct db_result *r, int row, int column)
{
    struct str s = db_cell(r, row, column);
    must(!s.p || (s.n == 1 && (*s.p == 't' || *s.p == 'f')));
    return s.p && *s.p == 't';
}

static const char *field(const struct db_result *r, int which)
{
    const char *text = PQresultErrorField(r->pg, which);
    return text ? text : "";
}

const char *db_sqlstate(const struct db_result *r)
{
    return field(r, PG_DIAG_SQLSTATE);
}

const char *db_constraint(const struct db_result *r)
{
    return field(r, PG_DIAG_CONSTRAINT_NAME);
}

const char *db_message(const struct db_result *r)
{
    return field(r, PG_DIAG_MESSAGE_PRIMARY);
}
