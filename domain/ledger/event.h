/* The ledger's messages in the change stream: one a batch, first byte 'L', then the commit's time, then the transfers
 * in order. Binary and compact, because it is written and read for every transfer. All other messages are JSON
 * objects and begin with '{' (see tell() in the first migration). */
#pragma once

#include "core/buf.h"
#include "domain/ledger/types.h"

struct ledger_event {
    int64_t transfer, posting;
    int64_t debit, credit, amount;
    int64_t debit_after, debit_version;       /* INT64_MIN on an unbounded side */
    int64_t credit_after, credit_version;
    int64_t lifetime_after;                   /* INT64_MIN: no points moved */
    int64_t at_us;                            /* created_at */
    struct str kind, reference_type, reference_id, metadata;   /* views of the message */
};

/* Appends one transfer; the message's head ('L' and the time) is put in front by the statement that emits it. */
void ledger_event_encode(struct buf *out, const struct ledger_event *e);
/* Calls take for each transfer, in order; false when the message is malformed (nothing is taken then). Fuzzed. */
bool ledger_event_decode(struct str message, void (*take)(void *arg, const struct ledger_event *e), void *arg);
