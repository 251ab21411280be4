#include "core/turn.h"

#include "core/must.h"

static void run_all(struct turn *t)
{
    struct list *link;
    while ((link = list_shift(&t->items))) {
        struct turn_item *item = list_entry(link, struct turn_item, link);
        item->run(item);
    }
}

static void on_prepare(uv_prepare_t *handle)
{
    run_all(handle->data);
}

void turn_init(struct turn *t, uv_loop_t *loop)
{
    list_init(&t->items);
    must(uv_prepare_init(loop, &t->prepare) == 0);
    t->prepare.data = t;
    must(uv_prepare_start(&t->prepare, on_prepare) == 0);
    uv_unref((uv_handle_t *) &t->prepare);
}

void turn_close(struct turn *t)
{
    run_all(t);
    uv_close((uv_handle_t *) &t->prepare, NULL);
}

void turn_item_init(struct turn_item *item, void (*run)(struct turn_item *item))
{
    list_init(&item->link);
    item->run = run;
}

bool turn_is_deferred(const struct turn_item *item)
{
    return !list_empty(&item->link);
}

void turn_defer(struct turn *t, struct turn_item *item)
{
    if (!turn_is_deferred(item)) list_append(&t->items, &item->link);
}

void turn_cancel(struct turn_item *item)
{
    list_unlink(&item->link);
}
