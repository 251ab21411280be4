/* Transfer alerts by mail (BANK-06, BANK-07): the first transfer of an account's owner at once,
 * what follows within a minute in one mail, so that mail never costs what transfers cost. One
 * process does it, whichever holds the advisory lock; account.alerted says up to which version the
 * owner has been told, so that nothing is forgotten when that process dies. */
#pragma once

#include "domain/app.h"
#include "domain/ledger/event.h"

struct alerts;

struct alerts *alerts_new(struct app *app);
/* From domain/live, for each side with an owner, in commit order. Costs a hash look-up. */
void alerts_transfer(struct alerts *a, const struct ledger_event *e, const struct account *account);
/* Memory has been loaded (again): what is owed can be told from the tables. */
void alerts_loaded(struct alerts *a);
/* Writes what is pending, if it leads; frees itself and sets app->alerts to NULL, with which the
 * calls above are harmless. */
void alerts_close(struct alerts *a, void (*closed)(void *arg), void *arg);
