/* The rows of pictures, and USR-14: remake, store, enter, remove the former one. Files are written before the row
 * that names them is, and removed after no row does: what dies in between leaves a file that nobody sees, never a
 * picture without one. */
#include "domain/picture/picture.h"

#include <sys/mman.h>

#include "core/flow.h"
#include "domain/auth/auth.h"
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
      .description = "It is stored anew, at most 1024 by 1024, upright and without metadata.",
      .reply = "{\"status\":true,\"message\":\"Profile image updated\","
               "\"profile_img\":\"/resources/user_profile_img/0f1e2d3c4b5a69788796a5b4c3d2e1f0.jpg\"}" },
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
    const char *data_dir;
    int fd;
    size_t size;
    enum { NO_PICTURE, NOT_STORED, STORED } outcome;
    struct picture_place place;
    struct arena arena;           /* of the pool's thread */
    const char *former;           /* key, or NULL */
    bool busy;
};

static void release(void *arg)
{
    arena_fini(&((struct change *) arg)->arena);
}

/* --- on the pool ------------------------------------------------------------------------------------------------- */

static void remake(struct change *c, struct str file)
{
    struct buf out;
    enum image_form form;
    buf_init(&out, IMAGE_BYTES_MAX);
    if (image_remake(file, &out, &form)) {
        c->place = picture_place_new(&c->arena, form == IMAGE_PNG ? ".png" : ".jpg");
        c->outcome = picture_store(c->data_dir, c->place.key, buf_view(&out)) ? STORED : NOT_STORED;
    }
    buf_fini(&out);
}

static void on_remake(struct work *w)
{
    struct change *c = list_entry(w, struct change, work);
    void *map = mmap(NULL, c->size, PROT_READ, MAP_PRIVATE, c->fd, 0);
    c->outcome = map == MAP_FAILED ? NOT_STORED : NO_PICTURE;
    if (map == MAP_FAILED) return;
    remake(c, (struct str){ map, c->size });
    munmap(map, c->size);
}

static void on_remove(struct work *w)
{
    struct change *c = list_entry(w, struct change, work);
    picture_remove(c->data_dir, c->former);
}

/* --- on the loop ------------------------------------------------------------------------------------------------- */

static void on_worked(struct work *w, enum err err)
{
    struct change *c = list_entry(w, struct change, work);
    if (err == OK) flow_resume(&c->flow);
    else flow_fail(&c->flow, ERR_UNAVAILABLE);
}

static enum flow_result make(void *arg)
{
    struct change *c = arg;
    c->work.run = on_remake;
    c->work.done = on_worked;
    enum err err = work_submit(app_of(c->req)->pictures, &c->work);
    if (err == OK) return FLOW_WAIT;
    c->busy = err == ERR_FULL;
    flow_set_error(&c->flow, err);
    return FLOW_FAIL;
}

static void on_entered(void *arg, enum err err, const struct db_result *r)
{
    struct change *c = arg;
    if (err == OK && db_rows(r) > 0) {
        struct str former = db_cell(r, 0, 0);
        c->former = former.p ? arena_cstr(&c->req->arena, former) : NULL;
        flow_resume(&c->flow);
    } else {
        c->former = err == ERR_UNCERTAIN ? NULL : c->place.key;   /* nobody will see the new one */
        flow_fail(&c->flow, err == OK ? ERR_INTERNAL : err);
    }
}

static enum flow_result enter(void *arg)
{
    struct change *c = arg;
    struct db_args args;
    if (c->outcome != STORED) return FLOW_END;
    db_args_init(&args, &c->req->arena);
    db_i64(&args, caller_of(c->req)->user);
    db_text(&args, str_from(c->place.url));
    db_text(&args, str_from(c->place.key));
    enum err err = db_exec(app_of(c->req)->db, &sql_picture_enter, &args, on_entered, c);
    if (err == OK) return FLOW_WAIT;
    c->former = c->place.key;
    flow_set_error(&c->flow, err);
    return FLOW_FAIL;
}

static void on_removed(struct work *w, enum err err)
{
    (void) err;
    flow_resume(&list_entry(w, struct change, work)->flow);
}

static enum flow_result forget(void *arg)
{
    struct change *c = arg;
    if (!c->former) return FLOW_NEXT;
    c->work.run = on_remove;
    c->work.done = on_removed;
    if (work_submit(app_of(c->req)->files, &c->work) == OK) return FLOW_WAIT;
    picture_remove(c->data_dir, c->former);   /* too much to do: one unlink here is better than a file for ever */
    return FLOW_NEXT;
}

static void finished(void *arg, enum err err)
{
    struct change *c = arg;
    struct http_request *req = c->req;
    if (err != OK && c->former) picture_remove(c->data_dir, c->former);
    if (c->busy) reply_error_retry(req, 503, err_info(ERR_FULL)->message, RETRY_S);
    else if (err != OK) reply_err(req, err);
    else if (c->outcome == NO_PICTURE) reply_error(req, 400, "Invalid file type");
    else if (c->outcome == NOT_STORED) reply_err(req, ERR_UNAVAILABLE);
    else reply_json(req, 200, arena_printf(&req->arena, "{\"status\":true,\"message\":\"Profile image updated\","
                                                        "\"profile_img\":\"%s\"}", c->place.url));
}

static const struct flow_step steps[] = {
    { "make", make }, { "enter", enter }, { "forget", forget }, { NULL, NULL },
};

static void change(struct http_request *req)
{
    struct http_upload *file = upload_take(req);
    if (!file) return;
    struct change *c = arena_new(&req->arena, struct change);
    c->req = req;
    c->fd = file->fd;
    c->size = (size_t) file->size;
    c->data_dir = app_of(req)->settings->data_dir;
    arena_init(&c->arena);
    arena_defer(&req->arena, release, c);
    flow_start(&c->flow, steps, finished, c);
}
