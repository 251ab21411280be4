/* A directory of files that stand in for what would have been sent: mails, text messages, push
 * messages. Both functions block and are for pool threads. */
#pragma once

#include <stdbool.h>

#include "core/str.h"

/* Writes the file under a temporary name, syncs it and gives it its name; false with errno. */
bool outbox_write(const char *dir, const char *name, struct str content);

/* Removes all but the `keep` last names (they begin with the time) that end with the suffix, and
 * temporary files that a stopped process left an hour ago. */
void outbox_prune(const char *dir, const char *suffix, size_t keep);

/* Creates the directory and what is missing above it; false with errno. */
bool outbox_make_dir(const char *dir);
