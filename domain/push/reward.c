/* A rewards member's transfer, told to those who may hear of him. This is the one place where it becomes events: what
 * an event of any form needs is read here once (struct reward_event), and each form that somebody listens for is made
 * once for all of its listeners. */
#include "domain/push/push_private.h"

static struct str text_of(const struct json *metadata, struct str name)
{
    const struct json *value = metadata ? json_get(metadata, name) : NULL;
    return value && value->type == JSON_STRING ? value->text : STR_NONE;
}

void reward_read(const struct ledger_event *e, const struct reward_member *m, struct arena *arena,
                 struct reward_event *r)
{
    bool is_debit = e->debit == m->account.id;
    struct json *metadata = NULL;
    const char *why;
    if (e->metadata.n && json_parse(e->metadata, arena, &metadata, &why) != OK) metadata = NULL;
    const struct json *amount = metadata ? json_get(metadata, STR("amount")) : NULL;
    *r = (struct reward_event){
        .member = m,
        .transfer = e->transfer,
        .seq = is_debit ? e->debit_version : e->credit_version,
        .at_us = e->at_us,
        .delta = is_debit ? -e->amount : e->amount,
        .balance = is_debit ? e->debit_after : e->credit_after,
        .category = text_of(metadata, STR("category")),
        .reward_type = text_of(metadata, STR("rewardType")),
    };
    if (amount && amount->type == JSON_NUMBER && !json_i64(amount, &r->amount)) r->amount = 0;
}

/* One frame to those who hear all members and to those who have asked for this one; nobody is in both. */
static void publish(struct push *p, const struct reward_event *r, enum member_form form,
                    struct ws_frame *(*make)(struct push *p, const struct reward_event *r))
{
    struct ws_hub *hub = &p->app->hub;
    uint64_t one = topic_member_key(p, form, member_id(r->member));
    if (!ws_hub_wanted(hub, p->rewards_keys[form]) && !ws_hub_wanted(hub, one)) return;
    struct ws_frame *frame = make(p, r);
    if (!frame) return;
    ws_hub_publish(hub, p->rewards_keys[form], TOPIC_SHARED, frame);
    ws_hub_publish(hub, one, TOPIC_SHARED, frame);
    ws_frame_unref(frame);
    p->events.value++;
}

static bool is_wanted(const struct push *p, const struct reward_member *m)
{
    for (int form = 0; form < MEMBER_FORMS; form++) {
        if (ws_hub_wanted(&p->app->hub, p->rewards_keys[form]) ||
            ws_hub_wanted(&p->app->hub, topic_member_key(p, (enum member_form) form, member_id(m))))
            return true;
    }
    return false;
}

void push_reward(struct push *p, const struct ledger_event *e, const struct reward_member *m)
{
    struct arena arena;
    struct reward_event r;
    if (!is_wanted(p, m)) return;
    arena_init(&arena);
    reward_read(e, m, &arena, &r);
    publish(p, &r, MEMBER_WS, event_reward);
    publish(p, &r, MEMBER_BARE, socketio_reward_bare);
    publish(p, &r, MEMBER_OFFSET, socketio_reward_offset);
    publish(p, &r, MEMBER_PLAIN, stream_reward);
    arena_fini(&arena);
}
