/* The rows of pictures, and USR-14: remake, announce, store, enter. What the steps leave behind when something dies
 * between them, and the former picture, is removed out of a table (see store.h). */
#include "domain/picture/picture.h"

#include <sys/mman.h>

#include "core/flow.h"
#include "domain/auth/auth.h"
#include "domain/outbox/outbox.h"
#include "domain/picture/image.h"
#include "domain/picture/picture_private.h"
#include "domain/picture/store.h"
#include "domain/sql_endpoint.h"
#include "http/upload.h"
#include "sql.h"

enum { PICTURE_BYTES_MAX = 5 << 20, FORM_BYTES_MAX = 64 << 10, RETRY_S = 2 };

static void change(struct http_request *req);

#define FIELD_FILE { .name = "file", .in = IN_PATH, .type = FIELD_TEXT }

const struct endpoint picture_endpoints[] = {
    { .id = "USR-14", .method = HTTP_POST, .path = "/user/update-profile-img", .auth = AUTH_CUSTOMER, .run = change,
      .upload = "profile_img", .upload_max = PICTURE_BYTES_MAX, .body_max = PICTURE_BYTES_MAX + FORM_BYTES_MAX,
      .summary = "Change one's picture: JPEG, PNG or WebP, at most 5 MiB",
      .description = "It is stored anew, at most 1024 by 1024, upright and without metadata. 502 when it is to be "
                     "stored at a provider that does not take it; then nothing has changed.",
      .reply = "{\"status\":true,\"message\":\"Profile image updated\","
               "\"profile_img\":\"/resources/user_profile_img/0f1e2d3c4b5a69788796a5b4c3d2e1f0.jpg\"}",
      .refusals = { "400 Invalid file type", "502 Picture provider unavailable" } },
    { .id = "USR-45", .method = HTTP_GET, .path = "/" PICTURE_FOLDER_PROFILE "/:file", .run = picture_show_profile,
      .produces = "image/jpeg image/png", .not_found = "Not Found", .summary = "Somebody's picture",
      .fields = { FIELD_FILE } },
    { .id = "USR-71", .method = HTTP_GET, .path = "/" PICTURE_FOLDER_OFFERS "/:file", .run = picture_show_offer,
      .produces = "image/jpeg image/png image/webp", .not_found = "Not Found",
      .summary = "A picture of an offer, out of the operator's folder", .fields = { FIELD_FILE } },
    { 0 },
};

struct change {
    struct flow flow;
    struct http_request *req;
    struct work work;
    int fd;
    size_t size;
    struct buf remade;            /* of the form; on its way to the store */
    enum image_form form;
    enum { NOT_READ, NO_PICTURE, REMADE, NOT_STORED, TOO_LATE, ENTERED } outcome;
    struct picture_place place;
    struct picture_put put;
    bool reserved, busy;
};

static void release(void *arg)
{
    struct change *c = arg;
    buf_fini(&c->remade);
    if (c->reserved) picture_store_release(app_of(c->req)->picture_store);
}

/* What cannot be begun ends the flow; of what is full there is more in a moment. */
static enum flow_result began(struct change *c, enum err err)
{
    if (err == OK) return FLOW_WAIT;
    c->busy = err == ERR_FULL;
    flow_set_error(&c->flow, err);
    return FLOW_FAIL;
}

/* --- made anew, on the pool -------------------------------------------------------------------------------------- */

static void on_remake(struct work *w)
{
    struct change *c = list_entry(w, struct change, work);
    void *map = mmap(NULL, c->size, PROT_READ, MAP_PRIVATE, c->fd, 0);
    if (map == MAP_FAILED) return;
    c->outcome = image_remake((struct str){ map, c->size }, &c->remade, &c->form) ? REMADE : NO_PICTURE;
    munmap(map, c->size);
}

static void on_remade(struct work *w, enum err err)
{
    struct change *c = list_entry(w, struct change, work);
    if (err == OK) flow_resume(&c->flow);
    else flow_fail(&c->flow, ERR_UNAVAILABLE);
}

static enum flow_result remake(void *arg)
{
    struct change *c = arg;
    if (picture_store_is_full(app_of(c->req)->picture_store)) return began(c, ERR_FULL);   /* rather than in vain */
    c->work.run = on_remake;
    c->work.done = on_remade;
    return began(c, work_submit(app_of(c->req)->pictures, &c->work));
}

/* --- announced, so that it is removed when nothing comes of it --------------------------------------------------- */

static void on_announced(void *arg, enum err err, const struct db_result *r)
{
    struct change *c = arg;
    (void) r;
    if (err == OK) flow_resume(&c->flow);
    else flow_fail(&c->flow, err);
}

static enum flow_result announce(void *arg)
{
    struct change *c = arg;
    struct app *app = app_of(c->req);
    struct db_args args;
    if (c->outcome != REMADE) return FLOW_END;
    c->reserved = picture_store_reserve(app->picture_store);
    if (!c->reserved) return began(c, ERR_FULL);
    c->place = picture_place_new(app->picture_store, &c->req->arena, c->form);
    db_args_init(&args, &c->req->arena);
    db_text(&args, str_from(c->place.key));
    return began(c, db_exec(app->db, &sql_picture_announce, &args, on_announced, c));
}

/* --- stored ------------------------------------------------------------------------------------------------------ */

static void on_put(struct picture_put *put, enum err err)
{
    struct change *c = list_entry(put, struct change, put);
    if (err != OK) c->outcome = NOT_STORED;
    flow_resume(&c->flow);
}

static enum flow_result store(void *arg)
{
    struct change *c = arg;
    struct http_request *req = c->req;
    return began(c, picture_put(app_of(req)->picture_store, &c->put, buf_view(&c->remade), c->form, &c->place,
                                &req->arena, on_put));
}

/* --- entered ----------------------------------------------------------------------------------------------------- */

static void on_entered(void *arg, enum err err, const struct db_result *r)
{
    struct change *c = arg;
    if (err != OK || db_rows(r) == 0) {
        flow_fail(&c->flow, err == OK ? ERR_INTERNAL : err);
        return;
    }
    c->outcome = db_cell_bool(r, 0, 0) ? ENTERED : TOO_LATE;
    outbox_wake(app_of(c->req)->removals);
    flow_resume(&c->flow);
}

static enum flow_result enter(void *arg)
{
    struct change *c = arg;
    struct db_args args;
    if (c->outcome != REMADE) return FLOW_END;
    db_args_init(&args, &c->req->arena);
    db_i64(&args, caller_of(c->req)->user);
    db_text(&args, str_from(c->place.url));
    db_text(&args, str_from(c->place.key));
    return began(c, db_exec(app_of(c->req)->db, &sql_picture_enter, &args, on_entered, c));
}

static void finished(void *arg, enum err err)
{
    struct change *c = arg;
    struct http_request *req = c->req;
    bool remote = picture_store_is_remote(app_of(req)->picture_store);
    if (c->busy) reply_error_retry(req, 503, err_info(ERR_FULL)->message, RETRY_S);
    else if (err != OK) reply_err(req, err);
    else if (c->outcome == NO_PICTURE) reply_error(req, 400, "Invalid file type");
    else if (c->outcome == NOT_STORED && remote) reply_error(req, 502, "Picture provider unavailable");
    else if (c->outcome != ENTERED) reply_err(req, ERR_UNAVAILABLE);
    else reply_json(req, 200, arena_printf(&req->arena, "{\"status\":true,\"message\":\"Profile image updated\","
                                                        "\"profile_img\":\"%s\"}", c->place.url));
}

static const struct flow_step steps[] = {
    { "remake", remake }, { "announce", announce }, { "store", store }, { "enter", enter }, { NULL, NULL },
};

static void change(struct http_request *req)
{
    struct http_upload *file = upload_take(req);
    if (!file) return;
    struct change *c = arena_new(&req->arena, struct change);
    c->req = req;
    c->fd = file->fd;
    c->size = (size_t) file->size;
    buf_init(&c->remade, IMAGE_BYTES_MAX);
    arena_defer(&req->arena, release, c);
    flow_start(&c->flow, steps, finished, c);
}
