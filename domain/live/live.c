/* The life of the change stream as the rest of the server sees it; the picture stands in live.h. */
#include "domain/live/live.h"

#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "domain/alerts/alerts.h"
#include "domain/live/live_private.h"

static void on_stream_live(void *arg)
{
    struct live *l = arg;
    log_info("live", "loading", "again=%d", l->loaded);
    l->state = LIVE_LOADING;
    load_start(l);
}

static void on_stream_lost(void *arg, const char *why)
{
    struct live *l = arg;
    if (l->state != LIVE_AWAY) log_warn("live", "away", "why=%s", LOG_STR(str_from(why)));
    l->state = LIVE_AWAY;
    load_stop(l);
}

static void keep_waiting(struct live *l, struct str content, int64_t committed_us)
{
    uint32_t size = (uint32_t) content.n;
    buf_put(&l->waiting, &size, sizeof size);
    buf_put(&l->waiting, &committed_us, sizeof committed_us);
    buf_str(&l->waiting, content);
    if (!l->waiting.failed) return;
    log_warn("live", "overrun", "bytes=%zu", l->waiting.n);
    load_start(l); /* what was dropped will be in the tables when they are read again */
}

static void take(struct live *l, struct str content)
{
    if (apply_message(l, content)) return;
    log_error("live", "gap", "reloading=1");
    l->state = LIVE_LOADING;
    load_start(l);
}

static void on_message(void *arg, struct str content, int64_t committed_us)
{
    struct live *l = arg;
    if (l->state == LIVE_LIVE) take(l, content);
    else keep_waiting(l, content, committed_us);
}

/* All that was missed is pushed; now what has committed since, then live. */
void live_caught_up(struct live *l)
{
    struct buf waiting = l->waiting;
    buf_init(&l->waiting, WAITING_BYTES_MAX);
    l->state = LIVE_LIVE;
    for (size_t at = 0; at < waiting.n && l->state == LIVE_LIVE;) {
        uint32_t size;
        memcpy(&size, waiting.p + at, sizeof size);
        at += sizeof size + sizeof(int64_t);
        take(l, (struct str){ waiting.p + at, size });
        at += size;
    }
    buf_fini(&waiting);
    if (l->state != LIVE_LIVE) return;
    auth_key_changed(l->app->auth);
    if (l->loaded) push_reloaded(l->app->push);
    l->loaded = true;
    alerts_loaded(l->app->alerts);
    log_info("live", "live", "accounts=%zu users=%zu", l->app->book.accounts.count, l->app->book.people.count);
}

static void on_retry(struct wheel_timer *timer)
{
    struct live *l = list_entry(timer, struct live, retry);
    if (l->state == LIVE_LOADING) load_start(l);
}

struct live *live_new(struct app *app)
{
    struct live *l = mem_new(struct live);
    struct db_stream_options options = {
        .url = app->settings->database_url,
        .on_live = on_stream_live,
        .on_lost = on_stream_lost,
        .on_message = on_message,
        .arg = l,
        .silence_ms = 20000,
    };
    l->app = app;
    list_init(&l->missed);
    buf_init(&l->waiting, WAITING_BYTES_MAX);
    wheel_timer_init(&l->retry, on_retry);
    l->stream = db_stream_new(app->loop, app->wheel, &options);
    return l;
}

enum live_state live_state(const struct live *l)
{
    return l->state;
}

bool live_memory_is_good(const struct live *l)
{
    return l->state == LIVE_LIVE || (l->loaded && !db_is_up(l->app->db));
}

bool live_was_loaded(const struct live *l)
{
    return l->loaded;
}

void live_close(struct live *l, void (*closed)(void *arg), void *arg)
{
    load_stop(l);
    db_stream_close(l->stream, closed, arg);
    l->stream = NULL;
}

void live_free(struct live *l)
{
    must(!l->stream);
    buf_fini(&l->waiting);
    mem_free(l);
}
