/* What operators and their tools ask: alive, ready, metrics. */
#pragma once

#include "domain/app.h"

extern const struct endpoint ops_endpoints[];

/* What /ready says: the database, the ledger and the change stream are there, and the process is not stopping. */
bool ops_is_ready(const struct app *app);
