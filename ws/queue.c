/* The frames that wait for one session. Nearly always there is none or one, so one is held in the
 * session itself; more stand in a ring of pointers, whose smallest size is kept in a free-list of
 * the server. An empty queue holds no memory.
 *
 * Conflation goes through the queue once, from the newest frame to the oldest, and lets the newest
 * of each key swallow the older ones where it stands; the rest keeps its order. */
#include "core/map.h"
#include "core/mem.h"
#include "core/must.h"
#include "ws/session_private.h"

static struct ws_ring *ring_new(struct ws_rings *rings, uint32_t capacity)
{
    struct ws_ring *r = rings->free;
    if (capacity == WS_RING_SLOTS && r) {
        rings->free = r->next_free;
        rings->kept--;
        r->first = 0;
        return r;
    }
    r = mem_alloc(sizeof *r + capacity * sizeof(struct ws_frame *));
    r->capacity = capacity;
    return r;
}

static void ring_free(struct ws_rings *rings, struct ws_ring *r)
{
    if (r->capacity > WS_RING_SLOTS || rings->kept >= WS_RINGS_KEPT) {
        mem_free(r);
        return;
    }
    r->next_free = rings->free;
    rings->free = r;
    rings->kept++;
}

void ws_rings_fini(struct ws_rings *rings)
{
    while (rings->free) {
        struct ws_ring *r = rings->free;
        rings->free = r->next_free;
        mem_free(r);
    }
    rings->kept = 0;
}

static struct ws_frame **slot(const struct ws_queue *q, uint32_t i)
{
    return &q->ring->slots[(q->ring->first + i) & (q->ring->capacity - 1)];
}

struct ws_frame *ws_queue_at(const struct ws_queue *q, uint32_t i)
{
    must(i < q->count);
    return q->ring ? *slot(q, i) : q->one;
}

static void make_room(struct ws_queue *q, struct ws_rings *rings)
{
    if (q->ring && q->count < q->ring->capacity) return;
    struct ws_ring *old = q->ring, *bigger = ring_new(rings, old ? old->capacity * 2 : WS_RING_SLOTS);
    for (uint32_t i = 0; i < q->count; i++) bigger->slots[i] = ws_queue_at(q, i);
    q->ring = bigger;
    q->one = NULL;
    if (old) ring_free(rings, old);
}

void ws_queue_push(struct ws_queue *q, struct ws_rings *rings, struct ws_frame *frame)
{
    if (q->count == 0 && !q->ring) {
        q->one = frame;
    } else {
        make_room(q, rings);
        *slot(q, q->count) = frame;
    }
    q->count++;
    q->bytes += frame->size;
}

void ws_queue_drop(struct ws_queue *q, struct ws_rings *rings, uint32_t n)
{
    must(n <= q->count);
    for (uint32_t i = 0; i < n; i++) {
        struct ws_frame *f = ws_queue_at(q, i);
        q->bytes -= f->size;
        ws_frame_unref(f);
    }
    q->count -= n;
    if (q->ring) q->ring->first = (q->ring->first + n) & (q->ring->capacity - 1);
    if (q->count > 0) return;
    must(q->bytes == 0);
    if (q->ring) ring_free(rings, q->ring);
    q->ring = NULL;
    q->one = NULL;
}

void ws_queue_clear(struct ws_queue *q, struct ws_rings *rings)
{
    ws_queue_drop(q, rings, q->count);
}

/* The frame at i goes into the newest of its key, unless it is that one. */
static bool swallow(struct ws_queue *q, uint32_t i, struct map *newest)
{
    struct ws_frame *f = *slot(q, i);
    if (f->key == 0) return false;
    struct ws_frame **keeper = map_get(newest, f->key);
    struct ws_frame *both = keeper ? ws_frame_conflate(f, *keeper) : NULL;
    if (!both) {
        map_set(newest, f->key, slot(q, i));
        return false;
    }
    ws_frame_unref(*keeper);
    ws_frame_unref(f);
    *keeper = both;
    *slot(q, i) = NULL;
    return true;
}

uint32_t ws_queue_conflate(struct ws_queue *q)
{
    if (!q->ring) return 0;
    struct map newest;
    map_init(&newest);
    uint32_t gone = 0, kept = 0;
    for (uint32_t i = q->count; i-- > 0;) gone += swallow(q, i, &newest);
    map_fini(&newest);
    q->bytes = 0;
    for (uint32_t i = 0; i < q->count; i++) {
        struct ws_frame *f = *slot(q, i);
        if (!f) continue;
        q->bytes += f->size;
        *slot(q, kept++) = f;
    }
    q->count = kept;
    must(kept > 0 && gone <= UINT32_MAX - kept);
    return gone;
}
