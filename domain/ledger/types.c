/* The ledger's words as tables: what stands in the database and in replies on one side, enums on the
 * other. The kinds that earn points stand here and in the first migration (lifetime_credit,
 * lifetime_debit), where the audit reads them; test/sim/sim_ledger.c holds one against the other. */
#include "domain/ledger/types.h"

#include "core/must.h"

static const struct str assets[ASSET_COUNT] = {
    [ASSET_MONEY] = { "MONEY", 5 }, [ASSET_PTS] = { "PTS", 3 }, [ASSET_RWD] = { "RWD", 3 },
};

static const struct str kinds[ACCOUNT_KIND_COUNT] = {
    [ACCOUNT_BANK] = { "bank", 4 },
    [ACCOUNT_ATM] = { "atm", 3 },
    [ACCOUNT_WALLET] = { "wallet", 6 },
    [ACCOUNT_POINTS] = { "points", 6 },
    [ACCOUNT_REWARD_POINTS] = { "reward_points", 13 },
    [ACCOUNT_SYSTEM] = { "system", 6 },
    [ACCOUNT_POS] = { "pos", 3 },
};

static const struct str statuses[ACCOUNT_STATUS_COUNT] = {
    [ACCOUNT_ACTIVE] = { "active", 6 }, [ACCOUNT_FROZEN] = { "frozen", 6 }, [ACCOUNT_CLOSED] = { "closed", 6 },
};

static const struct outcome_info outcomes[OUTCOME_COUNT] = {
    [POSTING_DONE] = { "done", 200, "Transaction completed successfully" },
    [POSTING_REPLAYED] = { "replayed", 200, "Transaction already processed" },
    [POSTING_KEY_CONFLICT] = { "key_conflict", 409, "idempotencyKey was already used with different data" },
    [POSTING_SAME_ACCOUNT] = { "same_account", 400, "fromAccount and toAccount must be different" },
    [POSTING_NO_ACCOUNT] = { "no_account", 404, "Account not found" },
    [POSTING_NOT_OWNER] = { "not_owner", 403, "This account does not belong to you" },
    [POSTING_NOT_ACTIVE] = { "not_active", 400, "Account is not active" },
    [POSTING_ASSET_MISMATCH] = { "asset_mismatch", 400, "Accounts hold different assets" },
    [POSTING_INSUFFICIENT] = { "insufficient", 400, "Insufficient balance" },
    [POSTING_OVERFLOW] = { "overflow", 400, "Amount is too large" },
    [POSTING_GUARDED] = { "guarded", 409, "Not possible in the current state" },
    [POSTING_REFUSED] = { "refused", 409, "Refused by the database" },
};

struct str asset_name(enum asset a)
{
    must((unsigned) a < ASSET_COUNT);
    return assets[a];
}

struct str account_kind_name(enum account_kind k)
{
    must((unsigned) k < ACCOUNT_KIND_COUNT);
    return kinds[k];
}

struct str account_status_name(enum account_status s)
{
    must((unsigned) s < ACCOUNT_STATUS_COUNT);
    return statuses[s];
}

const struct outcome_info *outcome_info(enum outcome o)
{
    must((unsigned) o < OUTCOME_COUNT);
    return &outcomes[o];
}

static int find(const struct str *names, int count, struct str s)
{
    for (int i = 0; i < count; i++) {
        if (str_eq(names[i], s)) return i;
    }
    return -1;
}

bool asset_parse(struct str s, enum asset *out)
{
    int i = find(assets, ASSET_COUNT, s);
    if (i >= 0) *out = (enum asset) i;
    return i >= 0;
}

bool account_kind_parse(struct str s, enum account_kind *out)
{
    int i = find(kinds, ACCOUNT_KIND_COUNT, s);
    if (i >= 0) *out = (enum account_kind) i;
    return i >= 0;
}

bool account_status_parse(struct str s, enum account_status *out)
{
    int i = find(statuses, ACCOUNT_STATUS_COUNT, s);
    if (i >= 0) *out = (enum account_status) i;
    return i >= 0;
}

int transfer_lifetime_credit(struct str kind)
{
    static const struct str earning[] = {
        { "points.earn", 11 }, { "points.referral", 15 }, { "points.purchase", 15 },
        { "points.review", 13 }, { "points.admin_grant", 18 }, { "rewards.earn", 12 },
    };
    /* Most transfers are of money: they are told apart by their first letter. */
    if (kind.n == 0 || (kind.p[0] != 'p' && kind.p[0] != 'r')) return 0;
    return find(earning, (int) (sizeof earning / sizeof *earning), kind) >= 0;
}

int transfer_lifetime_debit(struct str kind)
{
    return str_eq(kind, STR("points.purchase_return")) ? -1 : 0;
}
