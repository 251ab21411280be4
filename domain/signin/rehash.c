/* A password that matched a weak hash (of another system, or of older parameters) is hashed anew
 * while it is known. Nobody waits for it; when anything fails, the next log-in tries again. */
#include "core/log.h"
#include "core/mem.h"
#include "domain/signin/signin_private.h"
#include "sql.h"

struct rehash {
    struct password_job password;
    struct arena arena;
    struct app *app;
    int64_t user;
    struct str old_hash;
};

static void rehash_free(struct rehash *r)
{
    arena_fini(&r->arena);
    mem_free(r);
}

static void on_written(void *arg, enum err err, const struct db_result *result)
{
    struct rehash *r = arg;
    (void) result;
    if (err != OK) log_warn("signin", "rehash_failed", "user=%lld err=%s", (long long) r->user, err_info(err)->name);
    rehash_free(r);
}

static void on_hashed(struct password_job *job, enum err err)
{
    struct rehash *r = job->arg;
    struct db_args args;
    if (err == OK) {
        db_args_init(&args, &r->arena);
        db_i64(&args, r->user);
        db_text(&args, r->old_hash);
        db_text(&args, str_from(job->hash));
        err = db_exec(r->app->db, &sql_signin_rehash, &args, on_written, r);
    }
    if (err != OK) rehash_free(r);
}

void signin_rehash(struct app *app, int64_t user, struct str password, struct str old_hash)
{
    struct rehash *r = mem_new(struct rehash);
    arena_init(&r->arena);
    r->app = app;
    r->user = user;
    r->old_hash = arena_str(&r->arena, old_hash);
    enum err err = password_start(app->passwords, &r->password, PASSWORD_HASH, password, STR_NONE, on_hashed, r);
    if (err != OK) rehash_free(r);
}
