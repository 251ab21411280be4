/* A forgotten password and a new one: USR-05, 06, 07. Whatever sets a password ends every token that was issued
 * before. */
#pragma once

#include "domain/app.h"

extern const struct endpoint password_endpoints[];
