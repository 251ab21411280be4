/* Decoding what a walsender says. All numbers are big-endian; times count microseconds from 2000.
 *
 * Every read asks the reader for its bytes; when they are not there, the reader fails and stays
 * failed, and the one check at the end tells. */
#include "db/pgoutput.h"

#include <string.h>

/* Microseconds from 1970 to 2000. */
static const int64_t EPOCH_US = INT64_C(946684800) * 1000000;

struct reader {
    const char *p, *end;
    bool failed;
};

static const char *take(struct reader *r, size_t n)
{
    if (r->failed || (size_t) (r->end - r->p) < n) {
        r->failed = true;
        return NULL;
    }
    const char *p = r->p;
    r->p += n;
    return p;
}

static uint64_t take_number(struct reader *r, size_t bytes)
{
    const char *p = take(r, bytes);
    uint64_t v = 0;
    for (size_t i = 0; p && i < bytes; i++) v = v << 8 | (uint8_t) p[i];
    return v;
}

/* Far times wrap instead of overflowing; they are no times anyway. */
static int64_t take_time(struct reader *r)
{
    return (int64_t) (take_number(r, 8) + (uint64_t) EPOCH_US);
}

static struct str take_terminated(struct reader *r)
{
    const char *nul = r->failed ? NULL : memchr(r->p, 0, (size_t) (r->end - r->p));
    if (!nul) {
        r->failed = true;
        return STR_NONE;
    }
    struct str s = { r->p, (size_t) (nul - r->p) };
    r->p = nul + 1;
    return s;
}

static void decode_message(struct reader *r, struct pgoutput *out)
{
    out->kind = PGOUTPUT_MESSAGE;
    out->transactional = take_number(r, 1) & 1;
    take(r, 8);   /* the message's own position */
    out->prefix = take_terminated(r);
    size_t n = (size_t) take_number(r, 4);
    out->content = (struct str){ take(r, n), n };
}

static void decode_wal(struct reader *r, struct pgoutput *out)
{
    take(r, 24);   /* start, end of the WAL, time of sending */
    switch ((char) take_number(r, 1)) {
    case 'B':
        out->kind = PGOUTPUT_BEGIN;
        take(r, 8);    /* where its commit will be */
        out->time_us = take_time(r);
        take(r, 4);    /* transaction id */
        break;
    case 'C':
        out->kind = PGOUTPUT_COMMIT;
        take(r, 9);    /* flags, where the commit began */
        out->position = take_number(r, 8);
        out->time_us = take_time(r);
        break;
    case 'M':
        decode_message(r, out);
        break;
    default:
        out->kind = PGOUTPUT_OTHER;
        r->p = r->end;
    }
}

bool pgoutput_decode(struct str frame, struct pgoutput *out)
{
    *out = (struct pgoutput){ .kind = PGOUTPUT_OTHER };
    if (frame.n == 0) return false;
    struct reader r = { frame.p, frame.p + frame.n, false };
    switch ((char) take_number(&r, 1)) {
    case 'k':
        out->kind = PGOUTPUT_KEEPALIVE;
        out->position = take_number(&r, 8);
        out->time_us = take_time(&r);
        out->reply_wanted = take_number(&r, 1) != 0;
        break;
    case 'w':
        decode_wal(&r, out);
        break;
    default:
        return false;
    }
    return !r.failed && r.p == r.end;
}

static char *put64(char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++) p[i] = (char) (v >> (56 - 8 * i));
    return p + 8;
}

void pgoutput_status(char out[PGOUTPUT_STATUS_BYTES], uint64_t position, int64_t wall_us, bool reply_wanted)
{
    char *p = out;
    *p++ = 'r';
    for (int i = 0; i < 3; i++) p = put64(p, position);   /* written, flushed, applied */
    p = put64(p, (uint64_t) (wall_us - EPOCH_US));
    *p = (char) reply_wanted;
}
