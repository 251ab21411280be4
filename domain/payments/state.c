#include "domain/payments/state.h"

#include "core/must.h"

static const struct str invoice_names[INVOICE_STATUS_COUNT] = {
    [INVOICE_PENDING] = { "PENDING", 7 }, [INVOICE_PAID] = { "PAID", 4 }, [INVOICE_EXPIRED] = { "EXPIRED", 7 },
    [INVOICE_CANCELLED] = { "CANCELLED", 9 }, [INVOICE_FAILED] = { "FAILED", 6 },
};

/* Rows: what it is; columns: what is reported. Nothing leads away from PAID, and nothing back to PENDING. */
static const enum invoice_move moves[INVOICE_STATUS_COUNT][INVOICE_STATUS_COUNT] = {
    [INVOICE_PENDING] = { [INVOICE_PAID] = INVOICE_CREDITS, [INVOICE_EXPIRED] = INVOICE_CHANGES,
                          [INVOICE_CANCELLED] = INVOICE_CHANGES, [INVOICE_FAILED] = INVOICE_CHANGES },
    [INVOICE_EXPIRED] = { [INVOICE_PAID] = INVOICE_CREDITS },
    [INVOICE_CANCELLED] = { [INVOICE_PAID] = INVOICE_CREDITS },
    [INVOICE_FAILED] = { [INVOICE_PAID] = INVOICE_CREDITS },
};

enum invoice_move invoice_move(enum invoice_status now, enum invoice_status reported)
{
    must((unsigned) now < INVOICE_STATUS_COUNT && (unsigned) reported < INVOICE_STATUS_COUNT);
    return moves[now][reported];
}

struct str invoice_status_name(enum invoice_status s)
{
    must((unsigned) s < INVOICE_STATUS_COUNT);
    return invoice_names[s];
}

bool invoice_status_parse(struct str s, enum invoice_status *out)
{
    for (int i = 0; i < INVOICE_STATUS_COUNT; i++) {
        if (!str_eq(invoice_names[i], s)) continue;
        *out = (enum invoice_status) i;
        return true;
    }
    return false;
}

bool invoice_report_parse(struct str word, enum invoice_status *out)
{
    if (str_eq(word, STR("SETTLED"))) *out = INVOICE_PAID;
    else if (str_eq(word, STR("CANCELLED")) || !invoice_status_parse(word, out)) return false;
    return true;
}

static const enum payout_move payout_moves[PAYOUT_STATUS_COUNT][PAYOUT_REPORTS] = {
    [PAYOUT_PENDING] = { [PAYOUT_SAYS_DONE] = PAYOUT_COMPLETES, [PAYOUT_SAYS_FAILED] = PAYOUT_RETURNS,
                         [PAYOUT_SAYS_REVERSED] = PAYOUT_RETURNS },
    [PAYOUT_COMPLETED] = { [PAYOUT_SAYS_REVERSED] = PAYOUT_RETURNS },
};

enum payout_move payout_move(enum payout_status now, enum payout_report report)
{
    must((unsigned) now < PAYOUT_STATUS_COUNT && (unsigned) report < PAYOUT_REPORTS);
    return payout_moves[now][report];
}

bool payout_status_parse(struct str s, enum payout_status *out)
{
    static const struct str names[PAYOUT_STATUS_COUNT] = { { "PENDING", 7 }, { "COMPLETED", 9 }, { "FAILED", 6 } };
    for (int i = 0; i < PAYOUT_STATUS_COUNT; i++) {
        if (!str_eq(names[i], s)) continue;
        *out = (enum payout_status) i;
        return true;
    }
    return false;
}

bool payout_report_parse(struct str word, enum payout_report *out)
{
    static const struct {
        struct str word;
        enum payout_report report;
    } words[] = {
        { { "ACCEPTED", 8 }, PAYOUT_SAYS_PENDING }, { { "REQUESTED", 9 }, PAYOUT_SAYS_PENDING },
        { { "PENDING", 7 }, PAYOUT_SAYS_PENDING }, { { "LOCKED", 6 }, PAYOUT_SAYS_PENDING },
        { { "PENDING_COMPLIANCE_ASSESSMENT", 29 }, PAYOUT_SAYS_PENDING },
        { { "SUCCEEDED", 9 }, PAYOUT_SAYS_DONE }, { { "COMPLETED", 9 }, PAYOUT_SAYS_DONE },
        { { "FAILED", 6 }, PAYOUT_SAYS_FAILED }, { { "CANCELLED", 9 }, PAYOUT_SAYS_FAILED },
        { { "EXPIRED", 7 }, PAYOUT_SAYS_FAILED }, { { "REJECTED", 8 }, PAYOUT_SAYS_FAILED },
        { { "REVERSED", 8 }, PAYOUT_SAYS_REVERSED },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!str_eq(words[i].word, word)) continue;
        *out = words[i].report;
        return true;
    }
    return false;
}
