/* The scopes of Basic keys by name, for the keys' rows and the operator's commands. */
#pragma once

#include "core/arena.h"

/* "userstate,points" as a set of enum auth_scope; -1 when a name is none. */
int scope_parse(struct str list);
/* The other way round, in a fixed order. */
struct str scope_text(int set, struct arena *arena);
