/* A directory of files that stand in for what would have been sent: mails, text messages, push
 * messages. The functions block and are for pool threads. */
#pragma once

#include <stdbool.h>

#include "core/str.h"

/* Writes the file under a temporary name, syncs it and gives it its name; false with errno. */
bool outbox_write(const char *dir, const char *name, struct str content);

struct outbox_file {
    const char *name;
    struct str content;
    int error;                    /* set: errno, or 0: it is there, and will be after a crash */
    int fd;                       /* its own */
};
/* The same for several, whose syncs go together. */
void outbox_write_all(const char *dir, struct outbox_file *files, int count);

/* Removes all but the `keep` last names (they begin with the time) that end with the suffix, and
 * temporary files that a stopped process left an hour ago. */
void outbox_prune(const char *dir, const char *suffix, size_t keep);

/* Creates the directory and what is missing above it; false with errno. */
bool outbox_make_dir(const char *dir);
