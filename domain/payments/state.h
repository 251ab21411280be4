/* How invoices and payouts may move. Pure, so that it can be tested as a table. */
#pragma once

#include <stdbool.h>

#include "core/str.h"

/*            ┌──────────▶ PAID ◀───────────────┐  the money has arrived, however late
 *   PENDING ─┼─▶ EXPIRED ──────────────────────┤
 *            ├─▶ FAILED ───────────────────────┤
 *            └─▶ CANCELLED (by its owner) ─────┘  */
enum invoice_status {
    INVOICE_PENDING, INVOICE_PAID, INVOICE_EXPIRED, INVOICE_CANCELLED, INVOICE_FAILED, INVOICE_STATUS_COUNT
};

enum invoice_move {
    INVOICE_STAYS,      /* nothing to do; also a repeat */
    INVOICE_CHANGES,    /* takes the new status; no value moves */
    INVOICE_CREDITS,    /* becomes PAID and credits what was paid, in one posting */
};

enum invoice_move invoice_move(enum invoice_status now, enum invoice_status reported);
struct str invoice_status_name(enum invoice_status s);
bool invoice_status_parse(struct str s, enum invoice_status *out);
/* A provider's word: SETTLED is PAID, too. False: a word that means nothing to us. */
bool invoice_report_parse(struct str word, enum invoice_status *out);

/*   PENDING ─▶ COMPLETED ──only reversed──▶ FAILED
 *        └────────────────────────────────────▲      FAILED returns the money, once */
enum payout_status { PAYOUT_PENDING, PAYOUT_COMPLETED, PAYOUT_FAILED, PAYOUT_STATUS_COUNT };
enum payout_report { PAYOUT_SAYS_PENDING, PAYOUT_SAYS_DONE, PAYOUT_SAYS_FAILED, PAYOUT_SAYS_REVERSED, PAYOUT_REPORTS };
enum payout_move { PAYOUT_STAYS, PAYOUT_COMPLETES, PAYOUT_RETURNS };

enum payout_move payout_move(enum payout_status now, enum payout_report report);
bool payout_status_parse(struct str s, enum payout_status *out);
bool payout_report_parse(struct str word, enum payout_report *out);
