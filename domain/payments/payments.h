/* Invoices by which wallets are filled, and payouts that empty them, at Xendit or, when it is not configured, at
 * a sandbox provider inside the server. */
#pragma once

#include "domain/app.h"

struct payments;

struct payments *payments_new(struct app *app);
/* A running synchronisation takes no further invoices; `closed` comes when none is under way. */
void payments_close(struct payments *p, void (*closed)(void *arg), void *arg);
void payments_free(struct payments *p);

extern const struct endpoint payments_endpoints[];
