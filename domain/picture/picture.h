/* Pictures of people and of offers: USR-14, 45, 71. */
#pragma once

#include "domain/app.h"

extern const struct endpoint picture_endpoints[];
