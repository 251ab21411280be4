/* USR-40: a service sends a push to all devices of a user, and hears how many took it. */
#include "domain/auth/auth.h"
#include "domain/fcm/fcm.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

enum { USERNAME, TITLE, BODY, DATA };   /* the fields */

struct round {
    struct http_request *req;
    int left, sent, failed;
};

static void reply(struct round *r)
{
    struct str head = STR("{\"status\":true,\"message\":\"Notification sent\",\"data\":");
    reply_json(r->req, 200, arena_printf(&r->req->arena, "%.*s{\"sent\":%d,\"failed\":%d}}", STR_FMT(head), r->sent,
                                         r->failed));
}

static void on_sent(void *arg, enum err err)
{
    struct round *r = arg;
    if (err == OK) r->sent++;
    else r->failed++;
    if (--r->left == 0) reply(r);
}

static void on_devices(void *arg, enum err err, const struct db_result *result)
{
    struct round *r = arg;
    struct http_request *req = r->req;
    if (err != OK) {
        sql_endpoint_failed(req, err, result);
        return;
    }
    if (db_rows(result) == 0) {
        reply_error(req, 500, "Account does not exist");
        return;
    }
    /* One more than there are, so that the last answer cannot come before all are asked. */
    r->left = 1;
    for (int i = 0; i < db_rows(result); i++) {
        struct push_message m = { db_cell(result, i, 0), req->values[TITLE].s, req->values[BODY].s,
                                  req->values[DATA].set ? req->values[DATA].json->text : STR_NONE };
        if (!m.token.p) continue;
        r->left++;
        if (fcm_send(app_of(req)->fcm, &m, on_sent, r) != OK) on_sent(r, ERR_UNAVAILABLE);
    }
    if (--r->left == 0) reply(r);
}

static bool check_data(struct http_request *req)
{
    const struct value *data = &req->values[DATA];
    bool good = true;
    for (const struct json *m = data->set ? data->json->child : NULL; m; m = m->next) good &= m->type == JSON_STRING;
    if (good) return true;
    struct reply_faults faults = { 0 };
    reply_fault(req, &faults, "data", "may hold texts only");
    reply_faults(req, &faults);
    return false;
}

static void send_push(struct http_request *req)
{
    struct round *r = arena_new(&req->arena, struct round);
    struct db_args args;
    if (!check_data(req)) return;
    r->req = req;
    db_args_init(&args, &req->arena);
    db_text(&args, req->values[USERNAME].s);
    enum err err = db_exec(app_of(req)->db, &sql_fcm_devices, &args, on_devices, r);
    if (err != OK) reply_err(req, err);
}

const struct endpoint fcm_endpoints[] = {
    { .id = "USR-40", .method = HTTP_POST, .path = "/fcm/send", .auth = AUTH_KEY_USERSTATE, .run = send_push,
      .summary = "Send a push to all devices of a user",
      .fields = { { .name = "username", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1, .max = 64 },
                  { .name = "title", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = 200 },
                  { .name = "body", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_MULTILINE,
                    .min = 1, .max = 2000 },
                  { .name = "data", .type = FIELD_OBJECT, .flags = FIELD_NULLABLE, .max = 4096,
                    .help = "texts by name" } },
      .example = "{\"username\":\"john_doe\",\"title\":\"Hello\",\"body\":\"Your order is on its way\","
                 "\"data\":{\"order\":\"17\"}}",
      .reply = "{\"status\":true,\"message\":\"Notification sent\",\"data\":{\"sent\":1,\"failed\":0}}" },
    { 0 },
};
