/* The words of JSON, shared by the parser and by what reads numbers: strings and numbers. Only
 * core/json_*.c and core/log.c include this. */
#pragma once

#include <stdbool.h>

#include "core/arena.h"
#include "core/str.h"

struct json_cursor {
    const char *at, *end;
    struct arena *arena;
    const char *why;      /* set by whoever returns false */
};

/* `at` stands behind the opening quote and is moved behind the closing one. Without escapes *out is
 * a view of the input, otherwise decoded in the arena. */
bool json_take_string(struct json_cursor *c, struct str *out);

/* The end of the number that begins at p, or NULL when none of RFC 8259's form begins there. */
const char *json_number_end(const char *p, const char *end);
