/* Vouchers: a code that credits a wallet, once per user and never more often than its limit. */
#pragma once

#include "domain/app.h"

extern const struct endpoint voucher_endpoints[];
