/* A hierarchical timing wheel: four levels of 64 slots. A slot of level 0 is one tick of 100 ms
 * wide, of level 1 64 ticks, and so on; the whole wheel spans 19 days, and what is due later waits
 * in the last level and is looked at again. When time reaches the beginning of a slot of a higher
 * level, its timers move down ("cascade"), so each timer moves three times at most.
 *
 * A bitmap per level tells which slots may hold something, so the wheel sleeps until the next slot
 * that must be opened instead of waking ten times a second. Cancelling only unlinks the timer and
 * does not know the wheel: a bit may be stale, and whoever looks for the next slot clears it.
 *
 * Invariants: a timer in a slot has due_tick > tick, except while its slot is being opened; the
 * slot of (level, due_tick) is opened at a tick that is > tick and <= due_tick. */
#include "core/wheel.h"

#include "core/clock.h"
#include "core/mem.h"
#include "core/must.h"

enum { TICK_MS = 100, LEVELS = 4, SLOT_BITS = 6, SLOTS = 1 << SLOT_BITS };

static const uint64_t SPAN_TICKS = (uint64_t) 1 << (LEVELS * SLOT_BITS);
static const uint64_t NEVER = UINT64_MAX;

struct wheel {
    uv_timer_t timer;
    uint64_t start_ms;           /* clock_mono_ms at tick 0 */
    uint64_t tick;               /* everything due up to here has fired */
    uint64_t armed_tick;         /* what the libuv timer waits for; NEVER: it is stopped */
    uint64_t by_hand_ms;         /* the wheel's time once wheel_advance has been called */
    bool by_hand, running, closed;
    uint64_t occupied[LEVELS];   /* a clear bit: the slot is empty */
    struct list firing;          /* due now; a member so that cancel and close reach it */
    struct list slots[LEVELS][SLOTS];
};

static uint64_t elapsed_ms(const struct wheel *w)
{
    return w->by_hand ? w->by_hand_ms : clock_mono_ms() - w->start_ms;
}

struct wheel *wheel_new(uv_loop_t *loop)
{
    struct wheel *w = mem_new(struct wheel);
    w->start_ms = clock_mono_ms();
    w->armed_tick = NEVER;
    list_init(&w->firing);
    for (int level = 0; level < LEVELS; level++) {
        for (int i = 0; i < SLOTS; i++) list_init(&w->slots[level][i]);
    }
    must(uv_timer_init(loop, &w->timer) == 0);
    w->timer.data = w;
    uv_unref((uv_handle_t *) &w->timer);
    return w;
}

/* Puts a timer into the slot for its due_tick; the tick at which that slot will be opened. */
static uint64_t insert(struct wheel *w, struct wheel_timer *t)
{
    uint64_t at = t->due_tick, distance = at - w->tick;
    if (distance >= SPAN_TICKS) {
        at = w->tick + SPAN_TICKS - 1;
        distance = SPAN_TICKS - 1;
    }
    int level = 0;
    while (distance >> (SLOT_BITS * (level + 1)) != 0) level++;
    unsigned slot = (unsigned) (at >> (SLOT_BITS * level)) % SLOTS;
    list_append(&w->slots[level][slot], &t->link);
    w->occupied[level] |= (uint64_t) 1 << slot;
    return at >> (SLOT_BITS * level) << (SLOT_BITS * level);
}

/* When the next occupied slot of this level is opened. */
static uint64_t next_of_level(struct wheel *w, int level)
{
    uint64_t base = (w->tick >> (SLOT_BITS * level)) + 1;
    unsigned turn = (unsigned) base % SLOTS;
    while (w->occupied[level]) {
        uint64_t bits = w->occupied[level];
        uint64_t ahead = turn ? bits >> turn | bits << (SLOTS - turn) : bits;
        unsigned distance = (unsigned) __builtin_ctzll(ahead);
        unsigned slot = (turn + distance) % SLOTS;
        if (!list_empty(&w->slots[level][slot])) return (base + distance) << (SLOT_BITS * level);
        w->occupied[level] &= ~((uint64_t) 1 << slot);
    }
    return NEVER;
}

static uint64_t next_tick(struct wheel *w)
{
    uint64_t next = NEVER;
    for (int level = 0; level < LEVELS; level++) {
        uint64_t candidate = next_of_level(w, level);
        if (candidate < next) next = candidate;
    }
    return next;
}

/* Takes all timers out of the slot of a level that begins at the current tick. */
static void open_slot(struct wheel *w, int level, struct list *to)
{
    unsigned slot = (unsigned) (w->tick >> (SLOT_BITS * level)) % SLOTS;
    list_move(to, &w->slots[level][slot]);
    w->occupied[level] &= ~((uint64_t) 1 << slot);
}

static void cascade(struct wheel *w)
{
    for (int level = LEVELS - 1; level > 0; level--) {
        if (w->tick % ((uint64_t) 1 << (SLOT_BITS * level)) != 0) continue;
        struct list moved;
        list_init(&moved);
        open_slot(w, level, &moved);
        struct list *link;
        while ((link = list_shift(&moved))) insert(w, list_entry(link, struct wheel_timer, link));
    }
}

static void run_until(struct wheel *w, uint64_t target)
{
    w->running = true;
    while (!w->closed) {
        uint64_t next = next_tick(w);
        if (next > target) break;
        w->tick = next;
        cascade(w);
        open_slot(w, 0, &w->firing);
        struct list *link;
        while ((link = list_shift(&w->firing))) {
            struct wheel_timer *t = list_entry(link, struct wheel_timer, link);
            t->fire(t);
        }
    }
    if (w->tick < target) w->tick = target;
    w->running = false;
}

static void on_timer(uv_timer_t *handle);

static void arm(struct wheel *w, uint64_t tick)
{
    w->armed_tick = tick;
    if (tick == NEVER) {
        uv_timer_stop(&w->timer);
        return;
    }
    /* libuv counts from the loop's own time, which may lag: waking early is harmless. */
    uint64_t now = elapsed_ms(w), at = tick * TICK_MS;
    uv_timer_start(&w->timer, on_timer, at > now ? at - now : 0, 0);
}

static void on_timer(uv_timer_t *handle)
{
    struct wheel *w = handle->data;
    run_until(w, elapsed_ms(w) / TICK_MS);
    if (!w->closed) arm(w, w->by_hand ? NEVER : next_tick(w));
}

void wheel_timer_init(struct wheel_timer *t, void (*fire)(struct wheel_timer *t))
{
    list_init(&t->link);
    t->due_tick = 0;
    t->fire = fire;
}

void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t after_ms)
{
    must(!w->closed);
    list_unlink(&t->link);
    uint64_t now = elapsed_ms(w), due_ms;
    if (__builtin_add_overflow(now, after_ms, &due_ms)) due_ms = UINT64_MAX;
    t->due_tick = due_ms / TICK_MS + (due_ms % TICK_MS != 0);
    if (t->due_tick <= w->tick) t->due_tick = w->tick + 1;
    uint64_t opened_at = insert(w, t);
    if (opened_at < w->armed_tick && !w->running && !w->by_hand) arm(w, opened_at);
}

void wheel_cancel(struct wheel_timer *t)
{
    list_unlink(&t->link);
}

bool wheel_is_set(const struct wheel_timer *t)
{
    return !list_empty(&t->link);
}

void wheel_advance(struct wheel *w, uint64_t ms)
{
    if (!w->by_hand) {
        w->by_hand_ms = elapsed_ms(w);
        w->by_hand = true;
        arm(w, NEVER);
    }
    w->by_hand_ms += ms;
    run_until(w, w->by_hand_ms / TICK_MS);
}

static void unlink_all(struct list *timers)
{
    while (list_shift(timers)) continue;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

/* The timers belong to others and outlive the wheel: they must not point into it any more. */
void wheel_close(struct wheel *w)
{
    if (w->closed) return;
    w->closed = true;
    unlink_all(&w->firing);
    for (int level = 0; level < LEVELS; level++) {
        for (int i = 0; i < SLOTS; i++) unlink_all(&w->slots[level][i]);
    }
    uv_close((uv_handle_t *) &w->timer, on_closed);
}
