/* Pictures as files. They are written under another name first, and the folder is synced: one that was announced as
 * stored is there after a power cut. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/outbox.h"
#include "domain/picture/store_private.h"

enum { PATH_BYTES = 4096 };

static const char folder[] = PICTURE_FOLDER_PROFILE "/";

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

static bool path_of_folder(const char *data_dir, char path[PATH_BYTES])
{
    return snprintf(path, PATH_BYTES, "%s/%s", data_dir, PICTURE_FOLDER_PROFILE) < PATH_BYTES;
}

bool picture_file_write(const char *data_dir, const char *key, struct str bytes)
{
    char path[PATH_BYTES];
    const char *name = name_of(key);
    return name && path_of_folder(data_dir, path) && outbox_make_dir(path) && outbox_write(path, name, bytes);
}

/* What a process left that died while it wrote: ".<name>.<its id>.tmp". */
static void remove_half_written(int dir_fd, const char *name)
{
    struct dirent *entry;
    size_t n = strlen(name);
    DIR *d = fdopendir(dir_fd);
    if (!d) {
        close(dir_fd);
        return;
    }
    while ((entry = readdir(d))) {
        const char *found = entry->d_name;
        if (found[0] == '.' && strncmp(found + 1, name, n) == 0 && found[1 + n] == '.') unlinkat(dir_fd, found, 0);
    }
    closedir(d);
}

bool picture_file_remove(const char *data_dir, const char *key)
{
    char path[PATH_BYTES];
    const char *name = name_of(key);
    if (!name || !path_of_folder(data_dir, path)) return false;
    int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) return errno == ENOENT;
    bool removed = unlinkat(dir_fd, name, 0) == 0;
    bool missing = !removed && errno == ENOENT;
    if (missing) remove_half_written(dir_fd, name);
    else close(dir_fd);
    return removed || missing;
}
