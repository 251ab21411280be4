/* Marketing offers, for everybody or for one user: USR-41, 42. */
#pragma once

#include "domain/app.h"

extern const struct endpoint offer_endpoints[];
