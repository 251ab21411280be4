/* What a provider says about an invoice: the body of a callback, or of an answer. Pure. */
#pragma once

#include "core/arena.h"
#include "core/err.h"
#include "core/json.h"
#include "domain/payments/state.h"

struct report {
    struct str id, external_id;          /* STR_NONE: not said */
    enum invoice_status status;
    bool has_status;                     /* false: a word that means nothing to us */
    int64_t amount, paid_amount;         /* minor units; -1: not said */
    int64_t paid_us, expiry_us;          /* INT64_MIN: not said */
    struct str url, currency, method, channel;
};

/* OK, or ERR_INVALID when a member is not what it should be: nothing of it is to be believed then. Ids are 1 to 128
 * of A–Z a–z 0–9 . _ -, amounts above 0 with at most 2 decimals. Texts point into `object`. */
enum err report_read(const struct json *object, struct report *out);
/* The same for an answer's text, which must be an object with an id; the texts live in the arena and `body`. */
enum err report_parse(struct str body, struct arena *arena, struct report *out);

/* What a provider says about a payout, within "data" or by itself. */
struct payout_said {
    struct str id, reference_id;
    enum payout_report report;
    bool has_report;
};
enum err payout_said_read(const struct json *object, struct payout_said *out);
