/* What live.c, load.c, apply.c and missed.c share. */
#pragma once

#include "domain/auth/auth.h"
#include "domain/live/live.h"
#include "domain/push/push.h"
#include "domain/replay/replay.h"

enum { WAITING_BYTES_MAX = 64 << 20, CHUNK_ROWS = 5000, MISSED_MAX = 1000, RETRY_MS = 200 };

struct live {
    struct app *app;
    struct db_stream *stream;
    enum live_state state;
    bool loaded;              /* at least once since the start */
    struct buf waiting;       /* messages that came while loading: length (4), commit time (8), content */
    struct wheel_timer retry; /* a chunk that failed is read again */

    /* loading */
    const struct load_step *step;
    uint32_t generation; /* a chunk of an earlier loading that comes back late is dropped */
    int64_t last_id;
    bool chunk_under_way;
    struct arena chunk_args;
    struct list missed; /* struct missed: what is to be read and pushed before going live */
};

/* One account or inbox that is behind the tables. */
struct missed {
    struct list link;
    struct live *live;
    uint32_t generation;
    struct replay replay;
};

void load_start(struct live *l);
void load_stop(struct live *l);

/* Remembers that a stream is behind; pushes nothing yet. */
void missed_note(struct live *l, int64_t user, int64_t account, int64_t first, int64_t last);
/* Reads and pushes the next one; live_caught_up when there is none left. */
void missed_next(struct live *l);
void missed_forget(struct live *l);
void live_caught_up(struct live *l);

/* Enters an account: a member's with his id, any other without. NULL, and logged, when it is neither. */
struct account *live_put_account(struct live *l, const struct account *row, struct str code, struct str member);

/* One message of the stream, in commit order. False: a number is missing, memory must be loaded anew. */
bool apply_message(struct live *l, struct str content);
