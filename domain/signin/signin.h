/* Register, log in, log out, who am I, verify the e-mail: BANK-01, 02, 20, 21, 26. */
#pragma once

#include "domain/app.h"

extern const struct endpoint signin_endpoints[];
