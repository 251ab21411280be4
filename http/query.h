/* Percent-encoding and the parameters behind a path's '?'. */
#pragma once

#include "core/arena.h"

/* Into the arena, or `s` itself when nothing is encoded. With plus_is_blank '+' is a blank (query
 * strings; not in paths). False for a '%' without two hex digits. The result is bytes: whether they
 * are UTF-8 is for the caller to look at. */
bool percent_decode(struct str s, bool plus_is_blank, struct arena *arena, struct str *out);

enum query_result { QUERY_ABSENT, QUERY_FOUND, QUERY_BROKEN /* present, with a broken escape */ };

/* The first parameter of that name; the name may be encoded, too. "a" without '=' is empty text. */
enum query_result query_get(struct str query, struct str name, struct arena *arena, struct str *out);
