/* What the operator commands' files share: a connection that waits. */
#pragma once

#include "db/private.h"

struct db_blocking {
    PGconn *pg;
    char fault[WIRE_WHY_MAX];   /* why the last call failed */
};

/* Several statements at once, in the simple protocol: a migration's file. */
enum err db_blocking_script(struct db_blocking *db, const char *text);
