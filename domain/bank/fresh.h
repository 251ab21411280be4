/* Accounts out of memory, or out of the tables first when memory cannot tell: while the change
 * stream is not live, and for an account that another process opened a moment ago. Either way the
 * handler's next step looks into the book. */
#pragma once

#include "domain/app.h"

/* Calls then(req) at once or later, unless the request had to be answered with an error. */
void fresh_account(struct http_request *req, int64_t account, void (*then)(struct http_request *req));
void fresh_accounts_of(struct http_request *req, int64_t user, void (*then)(struct http_request *req));
