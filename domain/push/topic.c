/* Topics beyond a user's own events, and the choice among these. Who may hear what: contract/00-overview "Strict by
 * default, open on request" and 70-events. */
#include "core/mem.h"
#include "domain/push/push_private.h"

enum verdict { TOPIC_FINE, TOPIC_FORBIDDEN, TOPIC_UNKNOWN, TOPIC_TOO_MANY };

uint64_t topic_user_key(int64_t user)
{
    return (uint64_t) user;
}

uint64_t topic_named_key(const struct push *p, struct str name)
{
    return siphash(p->cursor_key, name.p, name.n) | (uint64_t) 1 << 63;
}

static unsigned own_topic(struct str name)
{
    if (str_eq(name, STR("points"))) return TOPIC_POINTS;
    if (str_eq(name, STR("payments"))) return TOPIC_PAYMENTS;
    if (str_eq(name, STR("accounts"))) return TOPIC_ACCOUNTS;
    return 0;
}

static bool may_hear_payments(const struct listener *l, struct str username)
{
    if (l->push->app->settings->open) return true;
    if (l->who.key) return (l->who.scopes & SCOPE_USERSTATE) != 0;
    return l->who.person && str_eq_nocase(username, str_from(l->who.person->username));
}

static bool may_hear_rewards(const struct listener *l)
{
    if (l->push->app->settings->open) return true;
    if (l->who.key) return (l->who.scopes & SCOPE_REWARDS) != 0;
    return l->who.person && l->who.person->is_admin;
}

static enum verdict judge(const struct listener *l, struct str name)
{
    struct str rest = name, kind = str_cut(&rest, ':');
    if (own_topic(name)) return l->who.user ? TOPIC_FINE : TOPIC_FORBIDDEN;
    if (name.n > 256 || (rest.p && rest.n == 0)) return TOPIC_UNKNOWN;
    if (str_eq(kind, STR("payments"))) return may_hear_payments(l, rest) ? TOPIC_FINE : TOPIC_FORBIDDEN;
    if (str_eq(kind, STR("rewards"))) return may_hear_rewards(l) ? TOPIC_FINE : TOPIC_FORBIDDEN;
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

static enum verdict join(struct listener *l, struct str name)
{
    enum verdict verdict = judge(l, name);
    if (verdict != TOPIC_FINE) return verdict;
    unsigned own = own_topic(name);
    if (own) {
        if (!(l->own_mask & own) && topics_of(l) >= TOPICS_MAX) return TOPIC_TOO_MANY;
        set_own(l, l->own_mask | own);
        return TOPIC_FINE;
    }
    if (find_extra(l, name)) return TOPIC_FINE;
    if (topics_of(l) >= TOPICS_MAX) return TOPIC_TOO_MANY;
    struct extra_topic *t = mem_alloc(sizeof *t + name.n);
    char *copy = (char *) (t + 1);
    for (size_t i = 0; i < name.n; i++) copy[i] = name.p[i];
    t->name = (struct str){ copy, name.n };
    list_append(&l->extra, &t->link);
    ws_hub_subscribe(&l->push->app->hub, &t->subscription, ws_session_outlet(l->session),
                     topic_named_key(l->push, name), TOPIC_SHARED);
    l->topics++;
    mute_members(l);
    return TOPIC_FINE;
}

static void leave(struct listener *l, struct str name)
{
    unsigned own = own_topic(name);
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
