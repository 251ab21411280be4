/* Topics beyond a user's own events, and the choice among these. Who may hear what: contract/00-overview "Strict by
 * default, open on request" and 70-events. */
#include <string.h>

#include "core/mem.h"
#include "core/must.h"
#include "domain/push/push_private.h"

enum { TOPIC_NAME_MAX = 256 };
enum verdict { TOPIC_FINE, TOPIC_FORBIDDEN, TOPIC_UNKNOWN, TOPIC_TOO_MANY };

uint64_t topic_user_key(int64_t user)
{
    return (uint64_t) user;
}

/* Of one name in one form; the first byte keeps the kinds of topics apart. */
static uint64_t named_key(const struct push *p, char kind, struct str name)
{
    char text[1 + TOPIC_NAME_MAX] = { kind };
    must(name.n < sizeof text);
    if (name.n) memcpy(text + 1, name.p, name.n);
    return siphash(p->cursor_key, text, 1 + name.n) | (uint64_t) 1 << 63;
}

uint64_t topic_member_key(const struct push *p, enum member_form form, struct str member)
{
    return named_key(p, (char) ('a' + form), member);
}

uint64_t topic_payments_key(const struct push *p, enum payments_form form, struct str username)
{
    char lower[TOPIC_NAME_MAX];
    if (username.n > sizeof lower) username.n = sizeof lower;
    for (size_t i = 0; i < username.n; i++) {
        char c = username.p[i];
        lower[i] = (char) (c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return named_key(p, (char) ('A' + form), (struct str){ lower, username.n });
}

static bool is_own(const struct caller *who, struct str username)
{
    return who->person && str_eq_nocase(username, str_from(who->person->username));
}

/* The user's own payments have two names. */
static unsigned own_topic(const struct listener *l, struct str name)
{
    struct str rest = name, kind = str_cut(&rest, ':');
    if (str_eq(name, STR("points"))) return TOPIC_POINTS;
    if (str_eq(name, STR("payments"))) return TOPIC_PAYMENTS;
    if (str_eq(name, STR("accounts"))) return TOPIC_ACCOUNTS;
    return str_eq(kind, STR("payments")) && rest.n && is_own(&l->who, rest) ? TOPIC_PAYMENTS : 0;
}

bool topic_may_hear_payments(const struct push *p, const struct caller *who, struct str username)
{
    if (p->app->settings->open) return true;
    return who->key ? (who->scopes & SCOPE_USERSTATE) != 0 : is_own(who, username);
}

bool topic_may_hear_rewards(const struct push *p, const struct caller *who)
{
    if (p->app->settings->open) return true;
    if (who->key) return (who->scopes & SCOPE_REWARDS) != 0;
    return who->person && who->person->is_admin;
}

static enum verdict judge(const struct listener *l, struct str name)
{
    struct str rest = name, kind = str_cut(&rest, ':');
    if (own_topic(l, name)) return l->who.user ? TOPIC_FINE : TOPIC_FORBIDDEN;
    if (name.n > TOPIC_NAME_MAX || (rest.p && rest.n == 0)) return TOPIC_UNKNOWN;
    if (str_eq(kind, STR("payments")))
        return topic_may_hear_payments(l->push, &l->who, rest) ? TOPIC_FINE : TOPIC_FORBIDDEN;
    if (str_eq(kind, STR("rewards"))) return topic_may_hear_rewards(l->push, &l->who) ? TOPIC_FINE : TOPIC_FORBIDDEN;
    return TOPIC_UNKNOWN;
}

static struct extra_topic *find_extra(struct listener *l, struct str name)
{
    list_each(&l->extra, it)
    {
        struct extra_topic *t = list_entry(it, struct extra_topic, link);
        if (str_eq(t->name, name)) return t;
    }
    return NULL;
}

/* Who hears all members hears none of them a second time. */
static void mute_members(struct listener *l)
{
    bool all = find_extra(l, STR("rewards")) != NULL;
    list_each(&l->extra, it)
    {
        struct extra_topic *t = list_entry(it, struct extra_topic, link);
        if (str_starts(t->name, STR("rewards:"))) t->subscription.mask = all ? 0 : TOPIC_SHARED;
    }
}

static void set_own(struct listener *l, unsigned mask)
{
    l->own_mask = (uint8_t) mask;
    l->own.mask = mask;
}

/* How many, own ones included. */
static int topics_of(const struct listener *l)
{
    return l->topics + __builtin_popcount(l->own_mask);
}

void topic_listen(struct listener *l, struct str name, uint64_t key)
{
    struct extra_topic *t = mem_alloc(sizeof *t + name.n);
    char *copy = (char *) (t + 1);
    memcpy(copy, name.p, name.n);
    t->name = (struct str){ copy, name.n };
    list_append(&l->extra, &t->link);
    ws_hub_subscribe(&l->push->app->hub, &t->subscription, ws_session_outlet(l->session), key, TOPIC_SHARED);
    l->topics++;
}

static enum verdict join(struct listener *l, struct str name)
{
    enum verdict verdict = judge(l, name);
    if (verdict != TOPIC_FINE) return verdict;
    unsigned own = own_topic(l, name);
    if (own) {
        if (!(l->own_mask & own) && topics_of(l) >= TOPICS_MAX) return TOPIC_TOO_MANY;
        set_own(l, l->own_mask | own);
        return TOPIC_FINE;
    }
    if (find_extra(l, name)) return TOPIC_FINE;
    if (topics_of(l) >= TOPICS_MAX) return TOPIC_TOO_MANY;
    struct str rest = name, kind = str_cut(&rest, ':');
    topic_listen(l, name, str_eq(kind, STR("payments")) ? topic_payments_key(l->push, PAYMENTS_WS, rest)
                                                        : topic_member_key(l->push, MEMBER_WS, rest));
    mute_members(l);
    return TOPIC_FINE;
}

static void leave(struct listener *l, struct str name)
{
    unsigned own = own_topic(l, name);
    if (own) set_own(l, l->own_mask & ~own);
    struct extra_topic *t = find_extra(l, name);
    if (!t) return;
    ws_hub_unsubscribe(&l->push->app->hub, &t->subscription);
    list_unlink(&t->link);
    mem_free(t);
    l->topics--;
    mute_members(l);
}

void topic_leave_all(struct listener *l)
{
    while (!list_empty(&l->extra)) leave(l, list_entry(list_first(&l->extra), struct extra_topic, link)->name);
    ws_hub_unsubscribe(&l->push->app->hub, &l->own);
}

static void send_error(struct listener *l, enum verdict verdict, struct str name)
{
    struct buf b;
    buf_init(&b, 4096);
    json_open(&b, '{');
    json_key(&b, STR("type"));
    json_string(&b, STR("error"));
    json_key(&b, STR("code"));
    json_string(&b, verdict == TOPIC_FORBIDDEN ? STR("forbidden")
                    : verdict == TOPIC_UNKNOWN ? STR("unknown_topic")
                                               : STR("too_many_topics"));
    json_key(&b, STR("message"));
    json_string(&b, verdict == TOPIC_FORBIDDEN ? STR("Not allowed to hear this topic")
                    : verdict == TOPIC_UNKNOWN ? STR("No such topic")
                                               : STR("At most 100 topics a connection"));
    json_key(&b, STR("topic"));
    json_string(&b, name);
    json_close(&b, '}');
    if (!b.failed) ws_session_send_text(l->session, buf_view(&b));
    buf_fini(&b);
}

static void answer(struct listener *l, struct str type, const struct json *topics, bool join_them)
{
    struct buf b;
    buf_init(&b, 1 << 17);
    json_open(&b, '{');
    json_key(&b, STR("type"));
    json_string(&b, type);
    json_key(&b, STR("topics"));
    json_open(&b, '[');
    for (const struct json *t = topics->child; t; t = t->next) {
        struct str name = t->type == JSON_STRING ? t->text : STR_NONE;
        enum verdict verdict = join_them ? join(l, name) : TOPIC_FINE;
        if (!join_them) leave(l, name);
        if (verdict == TOPIC_FINE) json_string(&b, name);
        else send_error(l, verdict, name);
    }
    json_close(&b, ']');
    json_close(&b, '}');
    if (!b.failed) ws_session_send_text(l->session, buf_view(&b));
    buf_fini(&b);
}

void topic_subscribe(struct listener *l, const struct json *topics)
{
    answer(l, STR("subscribed"), topics, true);
    if (!l->who.user && !l->who.key && l->topics > 0) ws_session_deadline(l->session, 0);
}

void topic_unsubscribe(struct listener *l, const struct json *topics)
{
    answer(l, STR("unsubscribed"), topics, false);
    if (!l->who.user && !l->who.key && l->topics == 0) ws_session_deadline(l->session, ANONYMOUS_MS);
}
