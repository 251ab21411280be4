/* A cursor: the numbers of a user's streams, as an opaque text. It stands for everything that was sent to the user
 * up to then, so that a client that hands it in again gets exactly what it missed, from any process, without anybody
 * having remembered him.
 *
 * base64url of: version byte, inbox number, then for each account with a history its id (less the one before) and
 * its version, all as varints by ascending id, and four bytes of a keyed hash over that and the user, which tells a
 * cursor of this user's from nonsense. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"
#include "core/digest.h"

enum { CURSOR_STREAMS_MAX = 128, CURSOR_CHARS_MAX = 3200 };

struct cursor_stream {
    int64_t account;
    int64_t seq;
};

struct cursor {
    int64_t inbox;
    int count;
    struct cursor_stream streams[CURSOR_STREAMS_MAX]; /* by ascending account */
};

void cursor_encode(const uint8_t key[SIPHASH_KEY_BYTES], int64_t user, const struct cursor *c, struct buf *out);
/* False: not a cursor of this user. */
bool cursor_decode(const uint8_t key[SIPHASH_KEY_BYTES], int64_t user, struct str text, struct arena *arena,
                   struct cursor *out);
int64_t cursor_seq(const struct cursor *c, int64_t account); /* 0 when it is not in there */
/* Keeps the order; beyond the maximum nothing happens. */
void cursor_set(struct cursor *c, int64_t account, int64_t seq);
