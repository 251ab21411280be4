/* One's own profile: USR-12, 13, 15. */
#pragma once

#include "domain/app.h"

extern const struct endpoint profile_endpoints[];
