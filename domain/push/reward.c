/* A rewards member's transfer, told to those who may hear of him. This is the one place where it becomes events: what
 * an event of any form needs is read here once (struct reward_event), and each form that somebody listens for is made
 * once for all of its listeners. */
#include <string.h>

#include "domain/push/push_private.h"

/* "rewards:john123", the topic of one member. */
static uint64_t member_key(const struct push *p, const struct reward_member *m)
{
    static const char prefix[] = "rewards:";
    enum { PREFIX = sizeof prefix - 1 };
    char name[PREFIX + MEMBER_ID_MAX];
    memcpy(name, prefix, PREFIX);
    memcpy(name + PREFIX, m->id, m->id_bytes);
    return topic_named_key(p, (struct str){ name, PREFIX + m->id_bytes });
}

static struct str text_of(const struct json *metadata, struct str name)
{
    const struct json *value = metadata ? json_get(metadata, name) : NULL;
    return value && value->type == JSON_STRING ? value->text : STR_NONE;
}

static void read_event(const struct ledger_event *e, const struct reward_member *m, struct arena *arena,
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

/* points-updated on /ws, to the topics "rewards" and "rewards:<memberId>"; nobody is in both (see topic.c). */
static void publish_canonical(struct push *p, const struct reward_event *r, uint64_t topic)
{
    struct ws_frame *frame = event_reward(p, r);
    if (!frame) return;
    ws_hub_publish(&p->app->hub, p->rewards_key, TOPIC_SHARED, frame);
    ws_hub_publish(&p->app->hub, topic, TOPIC_SHARED, frame);
    ws_frame_unref(frame);
    p->events.value++;
}

void push_reward(struct push *p, const struct ledger_event *e, const struct reward_member *m)
{
    uint64_t topic = member_key(p, m);
    struct arena arena;
    struct reward_event r;
    if (!ws_hub_wanted(&p->app->hub, p->rewards_key) && !ws_hub_wanted(&p->app->hub, topic)) return;
    arena_init(&arena);
    read_event(e, m, &arena, &r);
    publish_canonical(p, &r, topic);
    arena_fini(&arena);
}
