/* Files of an outbox directory (core/outbox.h), off the loop. Those that come while others are being written are
 * written together: what costs is not their bytes but that they are on disk, and twenty are after two flushes as one
 * is. The directory keeps its newest 1,000. */
#pragma once

#include <uv.h>

#include "core/err.h"
#include "core/list.h"
#include "core/str.h"

enum { FILER_NAME_BYTES = 128 };

struct filer;

/* Lives, with the content, until `done`. */
struct filing {
    struct list link;
    char name[FILER_NAME_BYTES];
    struct str content;
    /* Once, never from inside filer_write: OK, it is on disk; ERR_UNAVAILABLE, see error; ERR_CLOSED. */
    void (*done)(struct filing *f, enum err err);
    int error;                    /* errno */
};

/* `suffix`: of the names, static; it says what is counted. NULL with errno: the directory cannot be made or written. */
struct filer *filer_new(uv_loop_t *loop, const char *dir, const char *suffix);
/* OK: done comes once, later. ERR_CLOSED: it will not. How many may wait is the caller's to bound. */
enum err filer_write(struct filer *f, struct filing *filing);
/* What is being written comes to its end, the others hear ERR_CLOSED at the next turn; then it frees itself. */
void filer_close(struct filer *f);
