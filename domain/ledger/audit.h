/* Proves the ledger from its tables. */
#pragma once

#include "core/buf.h"
#include "db/db.h"

/* Looks at everything, one statement a check, each of which sees one moment; the server may run meanwhile.
 * Appends a line a check with its figures; returns how many checks failed. A check that cannot be made has
 * failed. */
int ledger_audit(struct db_blocking *db, struct buf *out);
