#include "domain/picture/store.h"

#include <string.h>

#include "core/digest.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "domain/picture/store_private.h"

/* A file takes milliseconds; a provider that hangs holds what it was sent for ten seconds. */
enum { RESERVED_FOR_FILES_MAX = 64, RESERVED_FOR_CALLS_MAX = 16 };

struct picture_store *picture_store_new(struct app *app)
{
    const struct settings *settings = app->settings;
    struct picture_store *s = mem_new(struct picture_store);
    s->app = app;
    s->cloudinary = (struct cloudinary){ .base_url = settings->cloudinary_base_url, .name = settings->cloudinary_name,
                                         .api_key = settings->cloudinary_api_key,
                                         .api_secret = settings->cloudinary_api_secret };
    log_info("tallyd", "service", "name=pictures active=%s", picture_store_is_remote(s) ? "cloudinary" : "files");
    return s;
}

void picture_store_free(struct picture_store *s)
{
    must(s->reserved == 0 && s->removing == 0);
    mem_free(s);
}

bool picture_store_is_remote(const struct picture_store *s)
{
    return s->cloudinary.name != NULL;
}

bool picture_store_is_full(const struct picture_store *s)
{
    return s->reserved >= (picture_store_is_remote(s) ? RESERVED_FOR_CALLS_MAX : RESERVED_FOR_FILES_MAX);
}

bool picture_store_reserve(struct picture_store *s)
{
    if (picture_store_is_full(s)) return false;
    s->reserved++;
    return true;
}

void picture_store_release(struct picture_store *s)
{
    must(s->reserved > 0);
    s->reserved--;
}

struct picture_place picture_place_new(const struct picture_store *s, struct arena *arena, enum image_form form)
{
    uint8_t random[16];
    struct buf hex;
    struct picture_place place = { 0 };
    random_bytes(random, sizeof random);
    buf_init(&hex, 2 * sizeof random);
    buf_hex(&hex, random, sizeof random);
    if (picture_store_is_remote(s)) {
        place.key = arena_printf(arena, CLOUDINARY_FOLDER "%.*s", STR_FMT(buf_view(&hex))).p;
    } else {
        place.key = arena_printf(arena, PICTURE_FOLDER_PROFILE "/%.*s%s", STR_FMT(buf_view(&hex)),
                                 form == IMAGE_PNG ? ".png" : ".jpg").p;
    }
    buf_fini(&hex);
    return place;
}

/* --- into a file ------------------------------------------------------------------------------------------------- */

static void on_write(struct work *w)
{
    struct picture_put *put = list_entry(w, struct picture_put, work);
    put->written = picture_file_write(put->store->app->settings->data_dir, put->place->key, put->bytes);
}

static void on_written(struct work *w, enum err err)
{
    struct picture_put *put = list_entry(w, struct picture_put, work);
    if (err == OK && !put->written) {
        log_error("pictures", "not_written", "key=%s", put->place->key);
        err = ERR_UNAVAILABLE;
    }
    if (err == OK) put->place->url = arena_printf(put->arena, "/%s", put->place->key).p;
    put->done(put, err);
}

static enum err put_file(struct picture_put *put)
{
    put->work.run = on_write;
    put->work.done = on_written;
    return work_submit(put->store->app->files, &put->work);
}

/* --- to the provider --------------------------------------------------------------------------------------------- */

static void on_uploaded(struct outbound_call *call, enum err err)
{
    struct picture_put *put = call->arg;
    if (err == OK) {
        err = cloudinary_read_upload(call->status, buf_view(&call->answer), str_from(put->place->key), put->arena,
                                     &put->place->url);
    }
    if (err != OK) log_warn("pictures", "not_stored", "err=%s status=%d", err_info(err)->name, call->status);
    put->done(put, err);
}

enum err picture_put(struct picture_store *s, struct picture_put *put, struct str bytes, enum image_form form,
                     struct picture_place *place, struct arena *arena, void (*done)(struct picture_put *, enum err))
{
    put->store = s;
    put->bytes = bytes;
    put->place = place;
    put->arena = arena;
    put->done = done;
    if (!picture_store_is_remote(s)) return put_file(put);
    cloudinary_upload_init(&s->cloudinary, &put->call, bytes, form, str_from(place->key), on_uploaded, put);
    return outbound_start(s->app->outbound, &put->call);
}
