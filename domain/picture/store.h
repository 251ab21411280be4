/* Where pictures are kept: files in the data directory, served by path. This is the place to put another one.
 * Everything here blocks and is for the pool. */
#pragma once

#include "core/arena.h"

/* What users.avatar_url and users.avatar_key say of a stored picture. */
struct picture_place {
    const char *url;      /* "/resources/user_profile_img/<file>" */
    const char *key;      /* names it for picture_remove */
};

/* A new place; nobody can guess it, and none is used twice. `extension` is ".jpg" or ".png". */
struct picture_place picture_place_new(struct arena *arena, const char *extension);
/* False when it cannot be written. */
bool picture_store(const char *data_dir, const char *key, struct str bytes);
/* Keys that are not ours are left alone. */
void picture_remove(const char *data_dir, const char *key);

/* The folder of a kind of pictures below the data directory. */
#define PICTURE_FOLDER_PROFILE "resources/user_profile_img"
#define PICTURE_FOLDER_OFFERS "images"

/* Whether a name from outside may be a file's: letters, digits, '.', '_' and '-' only, and no '.' at its beginning.
 * Pure. */
bool picture_name_good(struct str name);
