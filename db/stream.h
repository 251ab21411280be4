/* The change stream: what committed, in commit order, from every process on every host.
 *
 * A connection in replication mode with a temporary slot (nothing to leak, nothing that can fill a
 * disk) reads the logical messages that transactions wrote with pg_logical_emit_message(true,
 * 'tally', …), through pgoutput with messages and an empty publication, on the loop. Nothing is
 * delivered before its transaction has committed.
 *
 * Life: connecting → slot made (on_live: everything that commits from here on will be delivered; read
 * your tables now) → messages → lost (on_lost) → connecting … A process that missed something
 * because the slot was lost learns it from the tables after the next on_live. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "core/str.h"
#include "core/wheel.h"

struct db_stream;

struct db_stream_options {
    const char *url;
    void (*on_live)(void *arg);
    void (*on_lost)(void *arg, const char *why);
    /* One logical message of a committed transaction; committed_us is the commit's wall time. */
    void (*on_message)(void *arg, struct str content, int64_t committed_us);
    void (*on_commit)(void *arg);        /* after the last message of a transaction that had any; may be NULL */
    void *arg;
    int silence_ms;                      /* nothing heard for so long (keepalives count): lost */
};

struct db_stream *db_stream_new(uv_loop_t *loop, struct wheel *wheel, const struct db_stream_options *options);
bool db_stream_is_live(const struct db_stream *s);
void db_stream_close(struct db_stream *s, void (*closed)(void *arg), void *arg);   /* ends the slot; frees itself */
