/* Work for the end of this turn of the loop: writes that are joined into one, batches that take
 * all that arrived together, log lines that leave in one write. Deferred items run once, in the
 * order of deferral, before the loop waits for the next events. An item deferred from inside a
 * running item still runs in the same turn. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "core/list.h"

struct turn {
    uv_prepare_t prepare;
    struct list items;
};

struct turn_item {
    struct list link;
    void (*run)(struct turn_item *item);
};

void turn_init(struct turn *t, uv_loop_t *loop);   /* does not keep the loop alive */
void turn_close(struct turn *t);                   /* runs what is deferred, then closes the handle */
void turn_item_init(struct turn_item *item, void (*run)(struct turn_item *item));
void turn_defer(struct turn *t, struct turn_item *item);   /* harmless when already deferred */
void turn_cancel(struct turn_item *item);                  /* harmless when not deferred */
bool turn_is_deferred(const struct turn_item *item);
