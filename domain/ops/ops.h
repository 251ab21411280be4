/* What operators and their tools ask: alive, ready, metrics. */
#pragma once

#include "domain/app.h"

extern const struct endpoint ops_endpoints[];
