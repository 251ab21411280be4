/* Addresses to deliver to: USR-16 to 20. One of them bears the mark of the default, as long as there is any. */
#pragma once

#include "domain/app.h"

extern const struct endpoint address_endpoints[];
