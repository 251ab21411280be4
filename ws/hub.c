/* Topics and their subscribers: a map from the topic's key to a list whose links stand in the
 * subscribers' memory, so a subscription costs no allocation. A topic exists while it has
 * subscribers.
 *
 * Publishing only queues references; nobody is called back from it, so the list does not change
 * under its feet. Visiting with ws_hub_next does call the visitor's code, which may unsubscribe
 * the member it stands on: the topic remembers who comes after the one handed out last, and
 * unsubscribing that one moves the mark on. */
#include "ws/hub.h"

#include "core/mem.h"
#include "core/must.h"

enum { LINE_BYTES = 64 };

struct ws_topic {
    struct list subscribers;
    uint64_t key;
    struct list *mark; /* visited next when the member handed out last has gone; NULL: nobody is visiting */
};

void ws_hub_init(struct ws_hub *h)
{
    map_init(&h->topics);
    h->subscriptions = 0;
}

void ws_hub_fini(struct ws_hub *h)
{
    must(h->subscriptions == 0 && h->topics.count == 0);
    map_fini(&h->topics);
}

static struct ws_topic *topic_of(struct ws_hub *h, uint64_t key)
{
    struct ws_topic *t = map_get(&h->topics, key);
    if (t) return t;
    t = mem_new(struct ws_topic);
    list_init(&t->subscribers);
    t->key = key;
    map_set(&h->topics, key, t);
    return t;
}

void ws_hub_subscribe(struct ws_hub *h, struct ws_subscription *sub, struct ws_outlet outlet, uint64_t key,
                      uint32_t mask)
{
    must(sub->topic == NULL);
    struct ws_topic *t = topic_of(h, key);
    sub->topic = t;
    sub->outlet = outlet;
    sub->mask = mask;
    list_init(&sub->link);
    list_append(&t->subscribers, &sub->link);
    h->subscriptions++;
}

void ws_hub_unsubscribe(struct ws_hub *h, struct ws_subscription *sub)
{
    struct ws_topic *t = sub->topic;
    if (!t) return;
    if (t->mark == &sub->link) t->mark = sub->link.next;
    list_unlink(&sub->link);
    sub->topic = NULL;
    sub->outlet = (struct ws_outlet){ 0 };
    must(h->subscriptions > 0);
    h->subscriptions--;
    if (!list_empty(&t->subscribers)) return;
    must(map_remove(&h->topics, t->key) == t);
    mem_free(t);
}

bool ws_hub_wanted(const struct ws_hub *h, uint64_t key)
{
    return map_get(&h->topics, key) != NULL;
}

/* Ten thousand sessions do not fit the cache: the memory of the next one but one comes while this one is queued for.
 * What a session looks at then takes two lines of memory. */
static void prefetch_after(const struct ws_topic *t, const struct list *next)
{
    if (next == &t->subscribers) return;
    __builtin_prefetch(next->next);
    const char *to = list_entry(next, const struct ws_subscription, link)->outlet.to;
    __builtin_prefetch(to);
    __builtin_prefetch(to + LINE_BYTES);
}

int ws_hub_publish(struct ws_hub *h, uint64_t key, uint32_t mask, struct ws_frame *frame)
{
    struct ws_topic *t = map_get(&h->topics, key);
    if (!t) return 0;
    int sent = 0;
    list_each(&t->subscribers, it)
    {
        struct ws_subscription *sub = list_entry(it, struct ws_subscription, link);
        prefetch_after(t, it_next);
        if ((sub->mask & mask) != 0) sent += sub->outlet.send(sub->outlet.to, frame);
    }
    return sent;
}

struct ws_subscription *ws_hub_next(const struct ws_hub *h, uint64_t key, struct ws_subscription *after)
{
    struct ws_topic *t = map_get(&h->topics, key);
    if (!t) return NULL;
    struct list *next = t->subscribers.next;
    if (after) next = after->topic == t ? after->link.next : t->mark;
    if (!next || next == &t->subscribers) {
        t->mark = NULL;
        return NULL;
    }
    t->mark = next->next;
    return list_entry(next, struct ws_subscription, link);
}
