/* One statement an hour and process. Two processes at the same moment delete each other's rows only
 * once: the second waits for nothing but the row and finds it gone. When a statement was full there
 * is more, and the next follows after a second. */
#include "domain/cleanup/cleanup.h"

#include "core/log.h"
#include "core/mem.h"
#include "sql.h"

enum { FIRST_MS = 60 * 1000, HOUR_MS = 60 * 60 * 1000, MORE_MS = 1000, ROWS_MAX = 5000 };
enum { ATTEMPTS, LINKS, SESSIONS, SIGNUPS, CODES, WORDS, KINDS };   /* the statement's columns */

struct cleanup {
    struct app *app;
    struct arena arena;
    struct wheel_timer timer;
};

static void on_deleted(void *arg, enum err err, const struct db_result *r)
{
    struct cleanup *c = arg;
    bool more = false;
    arena_fini(&c->arena);
    if (err == ERR_SQL) log_warn("cleanup", "failed", "message=%s", LOG_STR(str_from(db_message(r))));
    if (err == OK) {
        long long n[KINDS];
        for (int i = 0; i < KINDS; i++) {
            n[i] = db_cell_i64(r, 0, i);
            more |= n[i] == ROWS_MAX;
        }
        log_debug("cleanup", "deleted", "attempts=%lld links=%lld sessions=%lld signups=%lld codes=%lld words=%lld",
                  n[ATTEMPTS], n[LINKS], n[SESSIONS], n[SIGNUPS], n[CODES], n[WORDS]);
    }
    wheel_set(c->app->wheel, &c->timer, more ? MORE_MS : HOUR_MS);
}

static void on_time(struct wheel_timer *timer)
{
    struct cleanup *c = list_entry(timer, struct cleanup, timer);
    struct db_args args;
    db_args_init(&args, &c->arena);
    db_i64(&args, ROWS_MAX);
    if (db_exec(c->app->db, &sql_cleanup_expired, &args, on_deleted, c) == OK) return;
    arena_fini(&c->arena);
    wheel_set(c->app->wheel, timer, FIRST_MS);
}

struct cleanup *cleanup_new(struct app *app)
{
    struct cleanup *c = mem_new(struct cleanup);
    c->app = app;
    arena_init(&c->arena);
    wheel_timer_init(&c->timer, on_time);
    wheel_set(app->wheel, &c->timer, FIRST_MS);
    return c;
}

void cleanup_free(struct cleanup *c)
{
    wheel_cancel(&c->timer);
    arena_fini(&c->arena);
    mem_free(c);
}
