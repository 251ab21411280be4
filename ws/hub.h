/* Who hears what: topics and their subscribers. A topic is a 64-bit key (the user's own numbering,
 * or a hash of its name); a subscription may be narrowed by a mask of the event classes it wants. */
#pragma once

#include "core/list.h"
#include "core/map.h"
#include "ws/outlet.h"

struct ws_hub {
    struct map topics;
    int64_t subscriptions; /* in all */
};

/* One subscription; stands in the subscriber's memory (its session's extra, or allocated by it). Whoever visits it
 * finds the subscriber by list_entry. */
struct ws_subscription {
    struct list link;       /* among the topic's */
    struct ws_topic *topic; /* NULL: not subscribed */
    struct ws_outlet outlet;
    uint32_t mask;
};

void ws_hub_init(struct ws_hub *h);
void ws_hub_fini(struct ws_hub *h); /* no subscription may be left */
void ws_hub_subscribe(struct ws_hub *h, struct ws_subscription *sub, struct ws_outlet outlet, uint64_t key,
                      uint32_t mask);
void ws_hub_unsubscribe(struct ws_hub *h, struct ws_subscription *sub); /* harmless when not subscribed */
bool ws_hub_wanted(const struct ws_hub *h, uint64_t key);               /* somebody listens: worth making a frame */
/* Sends to every subscriber whose mask meets `mask`; returns how many. */
int ws_hub_publish(struct ws_hub *h, uint64_t key, uint32_t mask, struct ws_frame *frame);
/* for (sub = NULL; (sub = ws_hub_next(h, key, sub));) visits a topic's subscribers; closing or
 * unsubscribing the visited one is allowed. */
struct ws_subscription *ws_hub_next(const struct ws_hub *h, uint64_t key, struct ws_subscription *after);
