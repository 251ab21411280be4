/* The provider takes one message a call: POST {"to":…,"text":…} with the key in Authorization: App. It answers
 * 200 for messages it has taken and for ones it rejects, too; the status group in the body tells. */
#include "domain/sms/sms.h"

#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/outbound.h"
#include "core/spool.h"
#include "sql.h"

enum { PHONE, TEXT, COLUMNS };   /* the texts of take.sql */
enum { PARALLEL_MAX = 8, BODY_BYTES_MAX = 16384, GROUP_UNDELIVERABLE = 2, GROUP_REJECTED = 5 };

struct sms {
    struct app *app;
    struct spool *spool;         /* NULL: SMSViro */
    const char *token;
    struct str url;
    struct arena arena;
    int under_way;
};

struct message {
    struct outbound_call call;
    struct sms *sms;
    void (*done)(void *arg, enum err err);
    void *arg;
};

enum err sms_read_answer(int status, struct str body)
{
    struct arena arena;
    struct json *answer;
    const char *why;
    int64_t group = 0;
    if (status >= 500 || status == 429 || status == 401 || status == 403) return ERR_UNAVAILABLE;
    if (status >= 400) return ERR_INVALID;
    if (status < 200 || status >= 300) return ERR_UNAVAILABLE;
    arena_init(&arena);
    if (json_parse(body, &arena, &answer, &why) == OK) {
        const struct json *messages = json_get(answer, STR("messages"));
        const struct json *first = messages && messages->type == JSON_ARRAY ? messages->child : NULL;
        const struct json *id = json_get(json_get(first, STR("status")), STR("groupId"));
        if (id && id->type == JSON_NUMBER && !json_i64(id, &group)) group = 0;
    }
    arena_fini(&arena);
    return group == GROUP_REJECTED || group == GROUP_UNDELIVERABLE ? ERR_INVALID : OK;
}

static void on_answer(struct outbound_call *call, enum err err)
{
    struct message *m = call->arg;
    struct sms *s = m->sms;
    if (err == OK) err = sms_read_answer(call->status, buf_view(&call->answer));
    if (err != OK) log_warn("sms", "not_sent", "err=%s status=%d", err_info(err)->name, call->status);
    s->under_way--;
    m->done(m->arg, err);
    mem_free(m);
}

static void put_body(struct buf *b, const struct parcel *parcel)
{
    buf_init(b, BODY_BYTES_MAX);
    json_open(b, '{');
    json_key(b, STR("to"));
    json_string(b, parcel->cells[PHONE]);
    json_key(b, STR("text"));
    json_string(b, parcel->cells[TEXT]);
    json_close(b, '}');
}

static enum err post(struct sms *s, struct str body, void (*done)(void *arg, enum err err), void *arg)
{
    if (s->under_way >= PARALLEL_MAX) return ERR_FULL;
    struct message *m = mem_new(struct message);
    m->sms = s;
    m->done = done;
    m->arg = arg;
    outbound_call_init(&m->call, "POST", s->url, on_answer, m);
    outbound_header(&m->call, "Authorization: App %s", s->token);
    outbound_header(&m->call, "Accept: application/json");
    outbound_json(&m->call, body);
    enum err err = outbound_start(s->app->outbound, &m->call);
    if (err == OK) s->under_way++;
    else mem_free(m);
    return err;
}

static enum err send_text(void *sender, const struct parcel *parcel, void (*done)(void *arg, enum err err), void *arg)
{
    struct sms *s = sender;
    struct buf body;
    put_body(&body, parcel);
    enum err err = body.failed ? ERR_TOO_BIG
                 : s->spool    ? spool_write(s->spool, parcel->cells[PHONE], buf_view(&body), done, arg)
                               : post(s, buf_view(&body), done, arg);
    buf_fini(&body);
    return err;
}

/* The configured address, with the provider's path when it has none of its own. */
static struct str url_of(const char *base, struct arena *arena)
{
    const char *host = strstr(base, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    if (path && path[1]) return arena_str(arena, str_from(base));
    int n = (int) (path ? (size_t) (path - base) : strlen(base));
    return arena_printf(arena, "%.*s/restapi/sms/1/text/single", n, base);
}

struct sms *sms_new(struct app *app, const char **fault)
{
    static const struct outbox_kind kind = {
        .name = "sms", .take = &sql_sms_take, .settle = &sql_sms_settle, .clean = &sql_sms_clean,
        .columns = COLUMNS, .send = send_text,
    };
    const struct settings *settings = app->settings;
    struct sms *s = mem_new(struct sms);
    s->app = app;
    arena_init(&s->arena);
    if (settings->smsviro_url && settings->smsviro_token) {
        s->token = settings->smsviro_token;
        s->url = url_of(settings->smsviro_url, &s->arena);
    } else {
        s->spool = spool_new(app->loop, arena_printf(&s->arena, "%s/outbox/sms", settings->data_dir).p, PARALLEL_MAX);
    }
    if (!s->spool && !s->token) {
        *fault = "the directory of text messages (outbox/sms) cannot be written";
        sms_free(s);
        return NULL;
    }
    log_info("tallyd", "service", "name=sms active=%s", s->spool ? "outbox" : "smsviro");
    app->sms = outbox_new(app, &kind, s, &app->sms);
    return s;
}

void sms_free(struct sms *s)
{
    if (s->spool) spool_close(s->spool);
    arena_fini(&s->arena);
    mem_free(s);
}
