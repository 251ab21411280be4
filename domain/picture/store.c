#include "domain/picture/store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/digest.h"
#include "core/outbox.h"

enum { PATH_BYTES = 4096 };

static const char folder[] = PICTURE_FOLDER_PROFILE "/";

struct picture_place picture_place_new(struct arena *arena, const char *extension)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[16];
    char hex[2 * sizeof random + 1] = "";
    random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        hex[2 * i] = digits[random[i] >> 4];
        hex[2 * i + 1] = digits[random[i] & 15];
    }
    const char *key = arena_printf(arena, "%s%s%s", folder, hex, extension).p;
    return (struct picture_place){ .url = arena_printf(arena, "/%s", key).p, .key = key };
}

bool picture_name_good(struct str name)
{
    if (name.n == 0 || name.n > 200 || name.p[0] == '.') return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

/* The file's name within the folder; NULL when the key is none of ours. */
static const char *name_of(const char *key)
{
    if (strncmp(key, folder, sizeof folder - 1) != 0) return NULL;
    const char *name = key + sizeof folder - 1;
    return picture_name_good(str_from(name)) ? name : NULL;
}

bool picture_store(const char *data_dir, const char *key, struct str bytes)
{
    char path[PATH_BYTES];
    const char *name = name_of(key);
    int n = snprintf(path, sizeof path, "%s/%s", data_dir, PICTURE_FOLDER_PROFILE);
    return name && n < PATH_BYTES && outbox_make_dir(path) && outbox_write(path, name, bytes);
}

void picture_remove(const char *data_dir, const char *key)
{
    char path[PATH_BYTES];
    const char *name = name_of(key);
    if (name && snprintf(path, sizeof path, "%s/%s%s", data_dir, folder, name) < PATH_BYTES) unlink(path);
}
