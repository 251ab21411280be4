/* Messages of the change stream, and of our own statements, into the book, the sets of auth, and the push. The messages
 * are made by SQL functions of the first migration (user_message, account_message) and by ledger_event_encode. */
#include "core/json.h"
#include "core/log.h"
#include "core/must.h"
#include "domain/alerts/alerts.h"
#include "domain/live/live_private.h"
#include "domain/points/points.h"
#include "domain/rewards/rewards.h"

struct taking {
    struct live *live;
    bool gap;
};

/* A JSON message being taken. */
struct message {
    struct live *live;
    const struct json *json;
    struct arena arena;
    bool own;                      /* of our own statement, not of the stream */
    const struct account *account; /* out: the account it was about */
};

/* Applies one side of a transfer; pushes it when it is the next of its account. */
static void take_side(struct taking *t, const struct ledger_event *e, int64_t id, int64_t after, int64_t version)
{
    if (version == INT64_MIN) return; /* unbounded */
    struct live *l = t->live;
    struct account *a = book_account(&l->app->book, id);
    if (!a || version > a->pushed + 1) {
        t->gap = true;
        return;
    }
    book_move(&l->app->book, id, after, version, e->lifetime_after == INT64_MIN ? a->lifetime : e->lifetime_after,
              e->at_us);
    if (version <= a->pushed) return;
    a->pushed = version;
    if (a->kind == ACCOUNT_REWARD_POINTS) push_reward(l->app->push, e, member_of(a));
    if (!a->owner) return;
    push_transfer(l->app->push, e, a);
    alerts_transfer(l->app->alerts, e, a);
}

static void take_transfer(void *arg, const struct ledger_event *e)
{
    take_side(arg, e, e->debit, e->debit_after, e->debit_version);
    take_side(arg, e, e->credit, e->credit_after, e->credit_version);
}

static int64_t number(const struct json *m, struct str name)
{
    int64_t v = 0;
    const struct json *n = json_get(m, name);
    if (n && n->type == JSON_NUMBER) must(json_i64(n, &v));
    return v;
}

static struct str text(const struct json *m, struct str name)
{
    const struct json *s = json_get(m, name);
    return s && s->type == JSON_STRING ? s->text : STR_NONE;
}

static bool truth(const struct json *m, struct str name)
{
    const struct json *b = json_get(m, name);
    return b && b->type == JSON_TRUE;
}

static void take_user(struct message *message)
{
    struct live *l = message->live;
    const struct json *m = message->json;
    struct arena *arena = &message->arena;
    struct person *known = book_person(&l->app->book, number(m, STR("id")));
    struct str email = text(m, STR("email"));
    struct person p = {
        .id = number(m, STR("id")),
        .version = number(m, STR("version")),
        .username = (char *) arena_cstr(arena, text(m, STR("username"))),
        .name = (char *) arena_cstr(arena, text(m, STR("name"))),
        .email = email.p ? (char *) arena_cstr(arena, email) : NULL,
        .is_admin = truth(m, STR("admin")),
        .is_system = truth(m, STR("system")),
        .is_agent = truth(m, STR("agent")),
        .is_active = truth(m, STR("active")),
        .tokens_from_us = number(m, STR("tokensFrom")),
        /* The stream brings the inbox of a known user event by event. */
        .inbox_seq = known ? known->inbox_seq : number(m, STR("inbox")),
        .referrals = number(m, STR("referrals")),
    };
    person_put_referral_code(&p, text(m, STR("referral")));
    bool recheck = known && p.version >= known->version &&
                   (known->tokens_from_us != p.tokens_from_us || known->is_active != p.is_active);
    book_put_person(&l->app->book, &p);
    if (recheck) push_recheck_user(l->app->push, p.id);
}

struct account *live_put_account(struct live *l, const struct account *row, struct str code, struct str member)
{
    bool is_member = row->kind == ACCOUNT_REWARD_POINTS;
    if (is_member != (member.n > 0) || member.n > MEMBER_ID_MAX || (is_member && row->owner)) {
        log_error("live", "account_refused", "id=%lld", (long long) row->id);
        return NULL;
    }
    return is_member ? book_put_member(&l->app->book, row, member) : book_put_account(&l->app->book, row, code);
}

static void take_account(struct message *message)
{
    struct live *l = message->live;
    const struct json *m = message->json;
    enum account_kind kind;
    enum asset asset;
    enum account_status status;
    if (!account_kind_parse(text(m, STR("kind")), &kind) || !asset_parse(text(m, STR("asset")), &asset) ||
        !account_status_parse(text(m, STR("status")), &status))
        return;
    struct account a = {
        .id = number(m, STR("id")),
        .owner = number(m, STR("owner")),
        .kind = (uint8_t) kind,
        .asset = (uint8_t) asset,
        .status = (uint8_t) status,
        .unbounded = truth(m, STR("unbounded")),
        .balance = number(m, STR("balance")),
        .version = number(m, STR("version")),
        .lifetime = number(m, STR("lifetime")),
        .created_us = number(m, STR("created")),
        .updated_us = number(m, STR("updated")),
    };
    const struct account *known = book_account(&l->app->book, a.id);
    /* Of an account that is news to us the stream will bring everything from its beginning, though a statement of ours
     * may have met it later in its life. */
    a.pushed = known ? known->pushed : 0;
    message->account = live_put_account(l, &a, text(m, STR("code")), text(m, STR("member")));
}

static bool take_inbox(struct live *l, const struct json *m)
{
    struct person *p = book_person(&l->app->book, number(m, STR("user")));
    int64_t seq = number(m, STR("seq"));
    const struct json *data = json_get(m, STR("data"));
    if (!p || seq > p->inbox_seq + 1) return false;
    if (seq <= p->inbox_seq) return true;
    p->inbox_seq = seq;
    push_inbox(l->app->push, p, seq, text(m, STR("type")), data ? data->text : STR("null"), number(m, STR("at")));
    return true;
}

/* False: a number is missing. */
static bool take_json(struct message *message)
{
    const struct json *m = message->json;
    struct str type = text(m, STR("t"));
    struct app *app = message->live->app;
    if (str_eq(type, STR("inbox"))) return message->own || take_inbox(message->live, m);
    if (str_eq(type, STR("user"))) {
        take_user(message);
    } else if (str_eq(type, STR("account"))) {
        take_account(message);
    } else if (str_eq(type, STR("revoke"))) {
        auth_revoked(app->auth, text(m, STR("jti")), number(m, STR("exp")));
        push_recheck_user(app->push, number(m, STR("user")));
    } else if (str_eq(type, STR("key"))) {
        auth_key_changed(app->auth);
        push_recheck_key(app->push, number(m, STR("id")));
    } else if (str_eq(type, STR("levels"))) {
        points_set_levels(app->points, json_get(m, STR("levels"))->text);
    } else if (str_eq(type, STR("rewardOptions")) && json_get(m, STR("options"))) {
        rewards_set_options(app->rewards, json_get(m, STR("options"))->text);
    } else {
        log_warn("live", "unknown_message", "type=%s", LOG_STR(type)); /* of a newer process */
    }
    return true;
}

static bool take_text(struct message *message, struct str content)
{
    struct json *m;
    const char *why;
    bool good = true;
    arena_init(&message->arena);
    if (json_parse(content, &message->arena, &m, &why) == OK) {
        struct json *next = m->type == JSON_ARRAY ? m->child : m;
        for (; next && good; next = next->next) {
            message->json = next;
            good = take_json(message);
        }
    } else {
        log_error("live", "malformed_message", "why=%s", LOG_STR(str_from(why)));
    }
    arena_fini(&message->arena);
    return good;
}

bool apply_message(struct live *l, struct str content)
{
    struct message message = { .live = l };
    if (content.n == 0 || content.p[0] != 'L') return take_text(&message, content);
    struct taking t = { .live = l };
    if (!ledger_event_decode(content, take_transfer, &t)) log_error("live", "malformed_event", "bytes=%zu", content.n);
    return !t.gap;
}

const struct account *live_apply_own(struct live *l, struct str text_of_message)
{
    struct message message = { .live = l, .own = true };
    take_text(&message, text_of_message);
    return message.account;
}
