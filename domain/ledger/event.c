/* One transfer in about forty bytes: numbers as varints (seven bits a byte, the last without the high
 * bit; signed ones zigzag), texts with their length in front, and a byte of flags that says what is
 * there at all.
 *
 *     message  = 'L', at_us (8 bytes, big-endian, put in front by the statement that emits it), transfer…
 *     transfer = flags, transfer, [posting], debit, credit, amount, [debit_after, debit_version],
 *                [credit_after, credit_version], [lifetime_after], kind, [reference_type], [reference_id], [metadata]
 *
 * The reader checks the whole message before it hands out the first transfer. */
#include "domain/ledger/event.h"

#include <string.h>

enum {
    HAS_POSTING = 1,          /* not its posting's first transfer */
    HAS_DEBIT = 2,            /* the debit side is bounded */
    HAS_CREDIT = 4,
    HAS_LIFETIME = 8,
    HAS_REFERENCE_TYPE = 16,
    HAS_REFERENCE_ID = 32,
    HAS_METADATA = 64,
    HAS_ALL = 127,
};

enum { HEAD_BYTES = 9, VARINT_MAX = 10, NUMBERS_MAX = 11 };

static char *put_u64(char *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (char) (v | 0x80);
        v >>= 7;
    }
    *p++ = (char) v;
    return p;
}

static char *put_i64(char *p, int64_t v)
{
    return put_u64(p, (uint64_t) v << 1 ^ (uint64_t) (v >> 63));
}

static char *put_str(char *p, struct str s)
{
    p = put_u64(p, s.n);
    if (s.n) memcpy(p, s.p, s.n);
    return p + s.n;
}

void ledger_event_encode(struct buf *out, const struct ledger_event *e)
{
    size_t texts = e->kind.n + e->reference_type.n + e->reference_id.n + e->metadata.n;
    char *start = buf_reserve(out, 1 + VARINT_MAX * (NUMBERS_MAX + 4) + texts);
    if (!start) return;
    int flags =
        (e->posting != e->transfer ? HAS_POSTING : 0) | (e->debit_version != INT64_MIN ? HAS_DEBIT : 0) |
        (e->credit_version != INT64_MIN ? HAS_CREDIT : 0) |
        (e->lifetime_after != INT64_MIN ? HAS_LIFETIME : 0) | (e->reference_type.p ? HAS_REFERENCE_TYPE : 0) |
        (e->reference_id.p ? HAS_REFERENCE_ID : 0) | (e->metadata.p ? HAS_METADATA : 0);
    char *p = start;
    *p++ = (char) flags;
    p = put_i64(p, e->transfer);
    if (flags & HAS_POSTING) p = put_i64(p, e->posting);
    p = put_i64(p, e->debit);
    p = put_i64(p, e->credit);
    p = put_i64(p, e->amount);
    if (flags & HAS_DEBIT) p = put_i64(put_i64(p, e->debit_after), e->debit_version);
    if (flags & HAS_CREDIT) p = put_i64(put_i64(p, e->credit_after), e->credit_version);
    if (flags & HAS_LIFETIME) p = put_i64(p, e->lifetime_after);
    p = put_str(p, e->kind);
    if (flags & HAS_REFERENCE_TYPE) p = put_str(p, e->reference_type);
    if (flags & HAS_REFERENCE_ID) p = put_str(p, e->reference_id);
    if (flags & HAS_METADATA) p = put_str(p, e->metadata);
    buf_added(out, (size_t) (p - start));
}

struct reader {
    const unsigned char *p, *end;
    bool failed;
};

static uint64_t take_u64(struct reader *r)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        unsigned char c = *r->p++;
        v |= (uint64_t) (c & 0x7f) << shift;
        /* One way to write a number: the tenth byte holds one bit, and no last byte is empty. */
        if (shift == 63 && c > 1) break;
        if (shift > 0 && c == 0) break;
        if (c < 0x80) return v;
    }
    r->failed = true;
    return 0;
}

static int64_t take_i64(struct reader *r)
{
    uint64_t v = take_u64(r);
    return (int64_t) (v >> 1 ^ (0 - (v & 1)));
}

static struct str take_str(struct reader *r)
{
    uint64_t n = take_u64(r);
    if (r->failed || n > (uint64_t) (r->end - r->p)) {
        r->failed = true;
        return STR_NONE;
    }
    struct str s = { (const char *) r->p, (size_t) n };
    r->p += n;
    return s;
}

/* False at the end and when malformed; r->failed tells which. */
static bool take_transfer(struct reader *r, struct ledger_event *e)
{
    if (r->p == r->end) return false;
    int flags = *r->p++;
    if (flags & ~HAS_ALL) r->failed = true;
    e->transfer = take_i64(r);
    e->posting = flags & HAS_POSTING ? take_i64(r) : e->transfer;
    e->debit = take_i64(r);
    e->credit = take_i64(r);
    e->amount = take_i64(r);
    e->debit_after = flags & HAS_DEBIT ? take_i64(r) : INT64_MIN;
    e->debit_version = flags & HAS_DEBIT ? take_i64(r) : INT64_MIN;
    e->credit_after = flags & HAS_CREDIT ? take_i64(r) : INT64_MIN;
    e->credit_version = flags & HAS_CREDIT ? take_i64(r) : INT64_MIN;
    e->lifetime_after = flags & HAS_LIFETIME ? take_i64(r) : INT64_MIN;
    e->kind = take_str(r);
    e->reference_type = flags & HAS_REFERENCE_TYPE ? take_str(r) : STR_NONE;
    e->reference_id = flags & HAS_REFERENCE_ID ? take_str(r) : STR_NONE;
    e->metadata = flags & HAS_METADATA ? take_str(r) : STR_NONE;
    return !r->failed;
}

bool ledger_event_decode(struct str message, void (*take)(void *arg, const struct ledger_event *e), void *arg)
{
    if (message.n < HEAD_BYTES || message.p[0] != 'L') return false;
    const unsigned char *bytes = (const unsigned char *) message.p;
    uint64_t at = 0;
    for (int i = 1; i < HEAD_BYTES; i++) at = at << 8 | bytes[i];
    struct ledger_event e = { .at_us = (int64_t) at };
    struct reader r = { bytes + HEAD_BYTES, bytes + message.n, false };
    while (take_transfer(&r, &e)) continue;
    if (r.failed) return false;
    r = (struct reader){ bytes + HEAD_BYTES, bytes + message.n, false };
    while (take_transfer(&r, &e)) take(arg, &e);
    return true;
}
