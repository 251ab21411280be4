/* Pictures that no row names any more, or never did: files are unlinked on the pool, the provider's destroyed by a
 * call. A key of the other store, from when the configuration was another one, fails until it is given up. */
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "domain/outbox/outbox.h"
#include "domain/picture/store_private.h"
#include "sql.h"

enum { KEY, COLUMNS };   /* the texts of removal_take.sql */
enum { PARALLEL_MAX = 8 };

struct removal {
    struct work work;
    struct outbound_call call;
    struct picture_store *store;
    const char *key;              /* the parcel's */
    bool removed;
    void (*done)(void *arg, enum err err);
    void *arg;
};

static void finish(struct removal *r, enum err err)
{
    r->store->removing--;
    r->done(r->arg, err);
    mem_free(r);
}

static void on_remove(struct work *w)
{
    struct removal *r = list_entry(w, struct removal, work);
    r->removed = picture_file_remove(r->store->app->settings->data_dir, r->key);
}

static void on_removed(struct work *w, enum err err)
{
    struct removal *r = list_entry(w, struct removal, work);
    finish(r, err == OK && !r->removed ? ERR_UNAVAILABLE : err);
}

static void on_destroyed(struct outbound_call *call, enum err err)
{
    struct removal *r = call->arg;
    if (err == OK) err = cloudinary_read_destroy(call->status, buf_view(&call->answer));
    if (err != OK) log_warn("pictures", "not_removed", "err=%s status=%d", err_info(err)->name, call->status);
    finish(r, err);
}

static enum err start(struct removal *r)
{
    struct app *app = r->store->app;
    bool remote = strncmp(r->key, CLOUDINARY_FOLDER, strlen(CLOUDINARY_FOLDER)) == 0;
    if (remote && picture_store_is_remote(r->store)) {
        cloudinary_destroy_init(&r->store->cloudinary, &r->call, str_from(r->key), on_destroyed, r);
        return outbound_start(app->outbound, &r->call);
    }
    r->work.run = on_remove;
    r->work.done = on_removed;
    return work_submit(app->files, &r->work);
}

static enum err remove_picture(void *sender, const struct parcel *parcel, void (*done)(void *arg, enum err err),
                               void *arg)
{
    struct picture_store *s = sender;
    if (s->removing >= PARALLEL_MAX) return ERR_FULL;
    struct removal *r = mem_new(struct removal);
    r->store = s;
    r->key = parcel->cells[KEY].p;
    r->done = done;
    r->arg = arg;
    enum err err = start(r);
    if (err == OK) s->removing++;
    else mem_free(r);
    return err;
}

struct outbox *picture_removals_new(struct app *app, struct picture_store *s)
{
    static const struct outbox_kind kind = {
        .name = "picture", .take = &sql_picture_removal_take, .settle = &sql_picture_removal_settle,
        .clean = &sql_picture_removal_clean, .columns = COLUMNS, .send = remove_picture,
    };
    return outbox_new(app, &kind, s, &app->removals);
}
