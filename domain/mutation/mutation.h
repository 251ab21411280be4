/* The points and referrals of the userstate surface, as lists: USR-34, 36, 37. The values are domain/points'. */
#pragma once

#include "domain/app.h"

extern const struct endpoint mutation_endpoints[];
