/* A user out of memory, or out of the tables first when memory cannot tell: by name, when the
 * change stream is not live, or when another process created him a moment ago. */
#include "domain/live/live.h"
#include "domain/points/points_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

struct finding {
    struct http_request *req;
    int64_t user;   /* 0: by name */
    void (*then)(struct http_request *req, const struct person *person);
};

static void on_rows(void *arg, enum err err, const struct db_result *r)
{
    struct finding *f = arg;
    struct app *app = app_of(f->req);
    bool from_memory = err != OK && err != ERR_SQL && f->user && live_memory_is_good(app->live);
    if (err != OK && !from_memory) {
        sql_endpoint_failed(f->req, err, r);
        return;
    }
    for (int i = 0; err == OK && i < db_rows(r); i++) {
        if (i == 0) f->user = db_cell_i64(r, i, 0);
        live_apply_own(app->live, db_cell(r, i, 1));
    }
    const struct person *person = err == OK && db_rows(r) == 0 ? NULL : book_person(&app->book, f->user);
    if (person) f->then(f->req, person);
    else reply_error(f->req, 404, "User not found");
}

void points_find_user(struct http_request *req, int64_t user, struct str username,
                      void (*then)(struct http_request *req, const struct person *person))
{
    struct app *app = app_of(req);
    const struct person *person = user ? book_person(&app->book, user) : NULL;
    bool away = !db_is_up(app->db) && live_was_loaded(app->live);
    if (person && (away || live_memory_is_good(app->live))) {
        then(req, person);
        return;
    }
    struct finding *f = arena_new(&req->arena, struct finding);
    struct db_args args;
    *f = (struct finding){ req, user, then };
    db_args_init(&args, &req->arena);
    if (user) db_i64(&args, user);
    else db_null(&args);
    db_text(&args, username);
    enum err err = db_exec(app->db, &sql_points_find_user, &args, on_rows, f);
    if (err != OK) reply_err(req, err);
}

static bool all_digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    }
    return s.n > 0;
}

/* A username is never all digits and never 24 hexadecimal characters, so the three forms cannot be
 * mistaken for each other. */
void points_find_named(struct http_request *req, struct str who,
                       void (*then)(struct http_request *req, const struct person *person))
{
    int64_t user = -1;
    bool by_number = all_digits(who) && who.n < PID_CHARS;
    if (by_number) str_to_i64(who, &user);
    else user = pid_decode(&app_of(req)->pids, PID_USER, who);
    if (user > 0) points_find_user(req, user, STR_NONE, then);
    else if (by_number) reply_error(req, 404, "User not found");
    else points_find_user(req, 0, who, then);
}
