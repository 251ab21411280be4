/* Forgets what is past, hourly: counted attempts, used and expired links, sessions that have
 * expired, what providers sent ninety days ago. */
#pragma once

#include "domain/app.h"

struct cleanup;

struct cleanup *cleanup_new(struct app *app);
void cleanup_free(struct cleanup *c);   /* after the database is closed */
