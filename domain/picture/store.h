/* Where pictures are kept: files in the data directory, served by path; or at Cloudinary, when it is configured. This
 * is the place to put another store.
 *
 * A picture is stored before the row that names it is written and removed after no row does, and its key stands in
 * picture_removals whenever no row names it. So the steps of whoever brings one are: picture_place_new, announce.sql
 * with the key, picture_put, a statement like enter.sql, outbox_wake(app->removals). What ends in between is removed
 * ten minutes later, by whichever process is there. */
#pragma once

#include "core/arena.h"
#include "domain/app.h"
#include "domain/picture/image.h"

/* What users.avatar_url and users.avatar_key say of a stored picture. */
struct picture_place {
    const char *url;      /* "/resources/user_profile_img/<file>", or one of the provider's; NULL: not known yet */
    const char *key;      /* "resources/user_profile_img/<file>", or the provider's public id, "avatars/<name>" */
};

struct picture_store;

/* Says in the log which store it is. */
struct picture_store *picture_store_new(struct app *app);
void picture_store_free(struct picture_store *s);   /* after the queues and the outbound calls are closed */
/* Whether somebody else keeps the pictures: what fails then is his failure. */
bool picture_store_is_remote(const struct picture_store *s);

/* Pictures are held in memory while they are on their way: so many may be at once. False: too many; else release it. */
bool picture_store_reserve(struct picture_store *s);
bool picture_store_is_full(const struct picture_store *s);
void picture_store_release(struct picture_store *s);

/* A new place; nobody can guess it, and none is used twice. */
struct picture_place picture_place_new(const struct picture_store *s, struct arena *arena, enum image_form form);

/* A picture on its way into the store: the caller's memory until `done`. */
struct picture_put {
    struct work work;
    struct outbound_call call;
    struct picture_store *store;
    struct arena *arena;
    struct picture_place *place;
    struct str bytes;
    bool written;
    void (*done)(struct picture_put *put, enum err err);
};

/* OK: done comes once, later: OK, and place->url is set (in the arena); or it is not stored, or (ERR_UNCERTAIN)
 * nobody knows. The bytes must live until then. Any other: done does not come. */
enum err picture_put(struct picture_store *s, struct picture_put *put, struct str bytes, enum image_form form,
                     struct picture_place *place, struct arena *arena, void (*done)(struct picture_put *, enum err));

/* The queue of those that are to go: app->removals. */
struct outbox *picture_removals_new(struct app *app, struct picture_store *s);

/* The folder of a kind of pictures below the data directory. */
#define PICTURE_FOLDER_PROFILE "resources/user_profile_img"
#define PICTURE_FOLDER_OFFERS "images"

/* Whether a name from outside may be a file's: letters, digits, '.', '_' and '-' only, and no '.' at its beginning.
 * Pure. */
bool picture_name_good(struct str name);
