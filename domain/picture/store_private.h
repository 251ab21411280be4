/* What the files of the store share. */
#pragma once

#include "domain/picture/cloudinary.h"
#include "domain/picture/store.h"

struct picture_store {
    struct app *app;
    struct cloudinary cloudinary;   /* without a name: files */
    int reserved;
    int removing;                   /* under way */
};

/* Both block and are for the pool; keys that are no file's of ours are left alone. False when it cannot be written, or
 * is still there. */
bool picture_file_write(const char *data_dir, const char *key, struct str bytes);
bool picture_file_remove(const char *data_dir, const char *key);
