/* The scopes of Basic keys by name, for the keys' rows and the operator's commands. */
#pragma once

#include "core/str.h"

/* "userstate,points" as a set of enum auth_scope; -1 when a name is none. */
int scope_parse(struct str list);
