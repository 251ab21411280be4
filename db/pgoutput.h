/* What the server says over a replication connection: the frame (a piece of WAL or a keepalive) and,
 * inside a piece of WAL, one message of the pgoutput plugin, protocol version 1. Pure, bounds-checked, fuzzed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/str.h"

enum pgoutput_kind {
    PGOUTPUT_KEEPALIVE,
    PGOUTPUT_BEGIN,
    PGOUTPUT_COMMIT,
    PGOUTPUT_MESSAGE,
    PGOUTPUT_OTHER,         /* something we did not ask for and may skip: rows, relations, types */
};

struct pgoutput {
    enum pgoutput_kind kind;
    uint64_t position;      /* keepalive: end of the WAL there is; commit: where the transaction ends */
    bool reply_wanted;      /* keepalive */
    int64_t time_us;        /* begin: when it was committed, microseconds since 1970 */
    bool transactional;     /* message */
    struct str prefix, content;   /* message; they point into the input */
};

bool pgoutput_decode(struct str frame, struct pgoutput *out);   /* false: malformed */

/* A standby status update: everything before `position` has been taken. */
enum { PGOUTPUT_STATUS_BYTES = 34 };
void pgoutput_status(char out[PGOUTPUT_STATUS_BYTES], uint64_t position, int64_t wall_us, bool reply_wanted);
