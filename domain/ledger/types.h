/* The words of the ledger, shared by its rules, its batcher, its events and its readers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/str.h"

enum asset { ASSET_MONEY, ASSET_PTS, ASSET_RWD, ASSET_COUNT };

enum account_kind {
    ACCOUNT_BANK, ACCOUNT_ATM, ACCOUNT_WALLET, ACCOUNT_POINTS, ACCOUNT_REWARD_POINTS, ACCOUNT_SYSTEM, ACCOUNT_POS,
    ACCOUNT_KIND_COUNT
};

enum account_status { ACCOUNT_ACTIVE, ACCOUNT_FROZEN, ACCOUNT_CLOSED, ACCOUNT_STATUS_COUNT };

struct str asset_name(enum asset a);                        /* "MONEY" */
struct str account_kind_name(enum account_kind k);          /* "bank" */
struct str account_status_name(enum account_status s);      /* "active" */
bool asset_parse(struct str s, enum asset *out);
bool account_kind_parse(struct str s, enum account_kind *out);
bool account_status_parse(struct str s, enum account_status *out);

/* How a transfer of this kind ("points.earn") changes the lifetime points of the account on its credit (+amount) or
 * debit side (-amount, for points taken back with a purchase); 0 for all that is no earning. */
int transfer_lifetime_credit(struct str kind);   /* 0 or +1 */
int transfer_lifetime_debit(struct str kind);    /* 0 or -1 */

/* What became of a posting, in the order in which the reasons are looked at: of several, the first is told. */
enum outcome {
    POSTING_DONE,            /* committed by this request */
    POSTING_REPLAYED,        /* this key was committed before with the same request: its first result */
    POSTING_KEY_CONFLICT,    /* this key was used with another request */
    POSTING_SAME_ACCOUNT,
    POSTING_NO_ACCOUNT,
    POSTING_NOT_OWNER,
    POSTING_NOT_ACTIVE,
    POSTING_ASSET_MISMATCH,
    POSTING_INSUFFICIENT,
    POSTING_OVERFLOW,        /* a balance would leave what 64 bits hold */
    POSTING_GUARDED,         /* the guard returned no row */
    POSTING_REFUSED,         /* the guard or an attached statement raised an SQL error; sqlstate tells */
    OUTCOME_COUNT
};

struct outcome_info {
    const char *name;        /* for logs and metrics: "insufficient" */
    int http_status;
    const char *message;     /* as the bank surface words it; others map what they need */
};
const struct outcome_info *outcome_info(enum outcome o);
