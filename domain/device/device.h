/* Devices that get pushes: USR-38, 39. */
#pragma once

#include "domain/app.h"

extern const struct endpoint device_endpoints[];
