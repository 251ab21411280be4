/* What operators and their tools ask: alive, ready, metrics, the documents of the interface. */
#pragma once

#include "domain/app.h"

extern const struct endpoint ops_endpoints[];
