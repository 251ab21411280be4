/* Accounts and transfers: BANK-03 … 07, 22 … 25. */
#pragma once

#include "domain/app.h"

extern const struct endpoint bank_endpoints[];
