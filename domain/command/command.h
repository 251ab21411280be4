/* The operator's commands besides `serve`: they talk to the database directly, print plainly, and
 * end. */
#pragma once

#include "domain/settings.h"

struct command {
    const char *name;        /* "user add" is the command "user" */
    const char *usage;       /* behind "tallyd " */
    const char *summary;
    int (*run)(const struct settings *s, int argc, char **argv);   /* argv[0] is the command; the exit status */
};

/* Ends at name == NULL. */
extern const struct command commands[];
