/* The rewards surface's sample data: members with points of several categories, some of them redeemed. */
#include "domain/command/seed.h"
#include "sql.h"

static const struct {
    const char *id, *name, *email;
} members[] = {
    { "user123", "Maria Sample", "user123@example.com" },
    { "user456", "Tom Sample", "user456@example.com" },
    { "user789", "Lena Sample", "user789@example.com" },
};

/* name: a category, with the purchase's amount in minor units, or, without one, a reward type. */
static const struct reward {
    int member;
    const char *key, *name;
    int64_t points, amount;
} rewards[] = {
    { 0, "user123-1", "shopping", 500, 10000 }, { 0, "user123-2", "dining", 120, 4850 },
    { 0, "user123-3", "travel", 300, 64000 },   { 0, "user123-4", "voucher", 200, 0 },
    { 1, "user456-1", "shopping", 250, 4999 },  { 1, "user456-2", "fuel", 80, 6230 },
    { 1, "user456-3", "discount", 50, 0 },      { 2, "user789-1", "groceries", 90, 1875 },
    { 2, "user789-2", "shopping", 150, 3000 },
};

enum { MEMBERS = sizeof members / sizeof *members, REWARDS = sizeof rewards / sizeof *rewards };

int seed_rewards_steps(void)
{
    return MEMBERS + REWARDS;
}

static bool add_member(struct seed *seed, int i, int64_t *account, int64_t *issuer)
{
    const struct db_result *r;
    struct db_args args;
    db_args_init(&args, &seed->sh->arena);
    db_text(&args, str_from(members[i].id));
    db_text(&args, str_from(members[i].name));
    db_text(&args, str_from(members[i].email));
    if (shell_exec(seed->sh, &sql_command_seed_member, &args, NULL, &r) != OK) return false;
    if (!db_cell(r, 0, 0).p) {
        shell_fail(seed->sh, "the e-mail address %s belongs to another member than %s", members[i].email,
                   members[i].id);
        return false;
    }
    *account = db_cell_i64(r, 0, 0);
    *issuer = db_cell_i64(r, 0, 2);
    seed_say(seed, db_cell_bool(r, 0, 1), "rewards member", str_from(members[i].id));
    return true;
}

/* The counts and sums, as the server attaches them. */
static bool count(struct seed *seed, const struct seed_posting *p, int64_t posting)
{
    const struct reward *reward = p->arg;
    const struct db_result *r;
    struct db_args args;
    struct arena *arena = &seed->sh->arena;
    struct str fields[] = {
        arena_printf(arena, "%lld", (long long) (reward->amount ? p->credit : p->debit)),
        reward->amount ? STR("earn") : STR("redeem"), str_from(reward->name),
        arena_printf(arena, "%lld", (long long) p->amount),
    };
    db_args_init(&args, arena);
    db_i64_array(&args, &posting, 1);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) db_text_array(&args, &fields[i], 1);
    return shell_exec(seed->sh, &sql_rewards_count, &args, NULL, &r) == OK;
}

static bool move_points(struct seed *seed, const struct reward *reward, int64_t account, int64_t issuer)
{
    bool is_earning = reward->amount > 0;
    struct seed_posting p = {
        .key = reward->key, .kind = is_earning ? "rewards.earn" : "rewards.redeem", .amount = reward->points,
        .debit = is_earning ? issuer : account, .credit = is_earning ? account : issuer,
        .metadata = is_earning ? arena_printf(&seed->sh->arena, "{\"category\":\"%s\",\"amount\":%lld}", reward->name,
                                              (long long) reward->amount)
                               : arena_printf(&seed->sh->arena, "{\"rewardType\":\"%s\"}", reward->name),
        .attach = count, .arg = reward,
    };
    return seed_post(seed, &p);
}

bool seed_rewards(struct seed *seed)
{
    int64_t accounts[MEMBERS], issuer = 0;
    for (int i = 0; i < MEMBERS; i++) {
        if (!add_member(seed, i, &accounts[i], &issuer)) return false;
    }
    for (int i = 0; i < REWARDS; i++) {
        if (!move_points(seed, &rewards[i], accounts[rewards[i].member], issuer)) return false;
    }
    return true;
}
