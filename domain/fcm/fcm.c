/* A message is one call with an access token. The token is asked for with an assertion signed by the service
 * account's key and kept until a minute before its end; messages that come while it is on its way wait for it.
 * A token that is refused is forgotten; the message is tried again like any other.
 *
 *     send ──token good──▶ calling ──answer──▶ done        (device gone: its token is removed first)
 *       └──none──▶ waiting ──token comes──▶ calling …
 *                     └──it does not──▶ done: not now */
#include "domain/fcm/fcm.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/outbound.h"
#include "core/spool.h"
#include "domain/fcm/account.h"
#include "sql.h"

enum { TOKEN, TITLE, BODY, DATA, COLUMNS };   /* the texts of take.sql */
enum { PARALLEL_MAX = 16, WAITING_MAX = 1000, MESSAGE_BYTES_MAX = 65536, KEY_FILE_MAX = 65536, SPARE_S = 60 };

struct fcm {
    struct app *app;
    struct spool *spool;              /* NULL: Firebase */
    struct arena arena;               /* the account */
    struct fcm_account account;
    struct str url;
    char token[4097];                 /* "": none */
    uint64_t token_till_ms;
    bool asking;
    struct outbound_call token_call;
    struct list waiting;
    int under_way;
};

struct sending {
    struct list link;
    struct fcm *fcm;
    struct arena arena;
    struct outbound_call call;
    struct str device, content;
    void (*done)(void *arg, enum err err);
    void *arg;
};

/* One message --------------------------------------------------------------------------------------------- */

static void end(struct sending *s, enum err err)
{
    s->fcm->under_way--;
    s->done(s->arg, err);
    arena_fini(&s->arena);
    mem_free(s);
}

static void on_forgotten(void *arg, enum err err, const struct db_result *r)
{
    if (err == ERR_SQL) log_error("push", "forget_failed", "message=%s", LOG_STR(str_from(db_message(r))));
    end(arg, ERR_INVALID);
}

static void forget_device(struct sending *s)
{
    struct db_args args;
    db_args_init(&args, &s->arena);
    db_text(&args, s->device);
    if (db_exec(s->fcm->app->db, &sql_fcm_forget, &args, on_forgotten, s) != OK) end(s, ERR_UNAVAILABLE);
}

static void on_answer(struct outbound_call *call, enum err err)
{
    struct sending *s = call->arg;
    if (err == OK) err = fcm_read_answer(call->status, buf_view(&call->answer));
    if (err == ERR_CLOSED && call->status == 401) {
        s->fcm->token[0] = 0;
        err = ERR_UNAVAILABLE;
    }
    if (err != OK) log_warn("push", "not_sent", "err=%s status=%d", err_info(err)->name, call->status);
    if (err == ERR_INVALID) forget_device(s);
    else end(s, err);
}

static void call(struct sending *s)
{
    struct fcm *f = s->fcm;
    outbound_call_init(&s->call, "POST", f->url, on_answer, s);
    outbound_header(&s->call, "Authorization: Bearer %s", f->token);
    outbound_json(&s->call, s->content);
    enum err err = outbound_start(f->app->outbound, &s->call);
    if (err != OK) end(s, err == ERR_CLOSED ? err : ERR_UNAVAILABLE);
}

/* The access token ---------------------------------------------------------------------------------------- */

static void call_waiting(struct fcm *f, enum err err)
{
    struct list *link, now;
    list_init(&now);
    list_move(&now, &f->waiting);
    while ((link = list_shift(&now))) {
        struct sending *s = list_entry(link, struct sending, link);
        if (err == OK) call(s);
        else end(s, err == ERR_CLOSED ? err : ERR_UNAVAILABLE);
    }
}

static void on_token(struct outbound_call *answer, enum err err)
{
    struct fcm *f = answer->arg;
    struct arena arena;
    struct str token;
    int64_t seconds;
    arena_init(&arena);
    f->asking = false;
    if (err == OK && (answer->status != 200 ||
                      fcm_read_token(buf_view(&answer->answer), &arena, &token, &seconds) != OK)) err = ERR_UNAVAILABLE;
    if (err == OK) {
        struct buf b = { .p = f->token, .cap = sizeof f->token, .max = sizeof f->token };
        buf_str(&b, token);
        buf_char(&b, 0);
        f->token_till_ms = clock_mono_ms() + (uint64_t) (seconds > SPARE_S ? seconds - SPARE_S : 1) * 1000;
    } else {
        log_warn("push", "no_access_token", "err=%s status=%d", err_info(err)->name, answer->status);
    }
    arena_fini(&arena);
    call_waiting(f, err);
}

static enum err ask_token(struct fcm *f)
{
    struct arena arena;
    arena_init(&arena);
    struct str form = fcm_assertion(&f->account, clock_wall_s(), &arena);
    enum err err = form.p ? OK : ERR_INVALID;
    if (err == OK) {
        outbound_call_init(&f->token_call, "POST", f->account.token_uri, on_token, f);
        outbound_body(&f->token_call, "application/x-www-form-urlencoded", form);
        err = outbound_start(f->app->outbound, &f->token_call);
    }
    arena_fini(&arena);
    f->asking = err == OK;
    return err;
}

/* Sending ------------------------------------------------------------------------------------------------- */

static struct str make_content(const struct push_message *m, bool enveloped, struct arena *arena)
{
    struct buf b;
    buf_init(&b, MESSAGE_BYTES_MAX);
    if (enveloped) {
        json_open(&b, '{');
        json_key(&b, STR("message"));
    }
    json_open(&b, '{');
    json_key(&b, STR("token"));
    json_string(&b, m->token);
    json_key(&b, STR("notification"));
    json_open(&b, '{');
    json_key(&b, STR("title"));
    json_string(&b, m->title);
    json_key(&b, STR("body"));
    json_string(&b, m->body);
    json_close(&b, '}');
    if (m->data.n) {
        json_key(&b, STR("data"));
        json_raw(&b, m->data);
    }
    json_close(&b, '}');
    if (enveloped) json_close(&b, '}');
    struct str content = b.failed ? STR_NONE : arena_str(arena, buf_view(&b));
    buf_fini(&b);
    return content;
}

static enum err spool(struct fcm *f, const struct push_message *m, void (*done)(void *arg, enum err err), void *arg)
{
    struct arena arena;
    arena_init(&arena);
    struct str content = make_content(m, false, &arena);
    struct str name = { m->token.p, m->token.n < 16 ? m->token.n : 16 };
    enum err err = content.p ? spool_write(f->spool, name, content, done, arg) : ERR_INVALID;
    arena_fini(&arena);
    if (err == OK) log_info("push", "spooled", "bytes=%zu", content.n);
    return err;
}

enum err fcm_send(struct fcm *f, const struct push_message *m, void (*done)(void *arg, enum err err), void *arg)
{
    if (f->spool) return spool(f, m, done, arg);
    if (f->under_way >= WAITING_MAX) return ERR_FULL;
    struct sending *s = mem_new(struct sending);
    arena_init(&s->arena);
    s->fcm = f;
    s->done = done;
    s->arg = arg;
    s->device = arena_str(&s->arena, m->token);
    s->content = make_content(m, true, &s->arena);
    bool has_token = f->token[0] && clock_mono_ms() < f->token_till_ms;
    enum err err = !s->content.p ? ERR_INVALID : has_token || f->asking ? OK : ask_token(f);
    if (err != OK) {
        arena_fini(&s->arena);
        mem_free(s);
        return err;
    }
    f->under_way++;
    list_init(&s->link);
    if (has_token) call(s);
    else list_append(&f->waiting, &s->link);
    return OK;
}

static enum err send_parcel(void *sender, const struct parcel *p, void (*done)(void *arg, enum err err), void *arg)
{
    struct push_message m = { p->cells[TOKEN], p->cells[TITLE], p->cells[BODY], p->cells[DATA] };
    return fcm_send(sender, &m, done, arg);
}

/* The account --------------------------------------------------------------------------------------------- */

static bool read_file(const char *path, struct arena *arena, struct str *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    char *text = arena_raw(arena, KEY_FILE_MAX);
    ssize_t n = read(fd, text, KEY_FILE_MAX);
    close(fd);
    *out = (struct str){ text, n > 0 ? (size_t) n : 0 };
    return n > 0;
}

/* The configured file, or the first of the usual places that is there. */
static bool find_key(struct fcm *f, struct str *text, const char **fault)
{
    const struct settings *settings = f->app->settings;
    if (settings->fcm_key_file) {
        if (read_file(settings->fcm_key_file, &f->arena, text)) return true;
        *fault = "TALLY_FCM_KEY_FILE cannot be read";
        return false;
    }
    const char *in_data = arena_printf(&f->arena, "%s/keystore/onmapss-main-key.json", settings->data_dir).p;
    return read_file("keystore/onmapss-main-key.json", &f->arena, text) || read_file(in_data, &f->arena, text);
}

static void use_firebase(struct fcm *f, struct str key, const char **fault)
{
    struct arena arena;
    arena_init(&arena);
    bool good = fcm_account_read(key, &f->arena, &f->account) == OK &&
                fcm_assertion(&f->account, clock_wall_s(), &arena).p != NULL;
    arena_fini(&arena);
    if (!good) *fault = "the key file of the push service is no service account";
    f->url = arena_printf(&f->arena, "%s/v1/projects/%.*s/messages:send", f->app->settings->fcm_base_url,
                          STR_FMT(f->account.project));
}

struct fcm *fcm_new(struct app *app, const char **fault)
{
    static const struct outbox_kind kind = {
        .name = "push", .take = &sql_fcm_take, .settle = &sql_fcm_settle, .clean = &sql_fcm_clean, .columns = COLUMNS,
        .send = send_parcel,
    };
    struct fcm *f = mem_new(struct fcm);
    struct str key;
    f->app = app;
    arena_init(&f->arena);
    list_init(&f->waiting);
    *fault = NULL;
    if (find_key(f, &key, fault)) {
        use_firebase(f, key, fault);
    } else if (!*fault) {
        const char *dir = arena_printf(&f->arena, "%s/outbox/push", app->settings->data_dir).p;
        f->spool = spool_new(app->loop, dir, PARALLEL_MAX);
        if (!f->spool) *fault = "the directory of pushes (outbox/push) cannot be written";
    }
    if (*fault) {
        fcm_free(f);
        return NULL;
    }
    log_info("tallyd", "service", "name=push active=%s", f->spool ? "outbox" : "fcm");
    app->pushes = outbox_new(app, &kind, f, &app->pushes);
    app->fcm = f;
    return f;
}

void fcm_free(struct fcm *f)
{
    if (f->spool) spool_close(f->spool);
    arena_fini(&f->arena);
    mem_free(f);
}
