/* A new person, for `user add` and for the sample data. */
#pragma once

#include "domain/command/shell.h"

struct new_person {
    struct str email, password;
    struct str name;              /* STR_NONE: the e-mail's local part */
    struct str role;              /* "user", "admin", "system", "agent" */
};

enum person_added { PERSON_ADDED, PERSON_EXISTS, PERSON_FAILED };   /* FAILED has been said */

enum person_added person_add(struct shell *sh, const struct new_person *person, int64_t *id, struct str *username);
