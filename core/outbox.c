/* A reader of the directory sees whole files only. Several processes may share one: names carry
 * time and id, and pruning is by what lies there, not by what this process remembers. */
#include "core/outbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"

enum { LEFT_OVER_S = 3600 };

bool outbox_make_dir(const char *dir)
{
    char path[PATH_MAX];
    size_t n = strlen(dir);
    if (n == 0 || n >= sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(path, dir, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != 0) continue;
        char kept = path[i];
        path[i] = 0;
        if (mkdir(path, 0750) != 0 && errno != EEXIST) return false;
        path[i] = kept;
    }
    struct stat about;
    if (stat(dir, &about) != 0) return false;
    if (!S_ISDIR(about.st_mode)) {
        errno = ENOTDIR;
        return false;
    }
    return access(dir, W_OK | X_OK) == 0;
}

static bool write_all(int fd, struct str content)
{
    while (content.n > 0) {
        ssize_t n = write(fd, content.p, content.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        content.p += n;
        content.n -= (size_t) n;
    }
    return fsync(fd) == 0;
}

static bool write_and_rename(int dir_fd, const char *temporary, const char *name, struct str content)
{
    int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) return false;
    bool written = write_all(fd, content);
    if (close(fd) != 0) written = false;
    if (written && renameat(dir_fd, temporary, dir_fd, name) == 0) return fsync(dir_fd) == 0;
    unlinkat(dir_fd, temporary, 0);
    return false;
}

bool outbox_write(const char *dir, const char *name, struct str content)
{
    char temporary[NAME_MAX + 1];
    int n = snprintf(temporary, sizeof temporary, ".%s.%ld.tmp", name, (long) getpid());
    if (n < 0 || (size_t) n >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return false;
    }
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) return false;
    bool written = write_and_rename(dir_fd, temporary, name, content);
    close(dir_fd);
    return written;
}

/* ---------------------------------------------------------------- pruning */

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return n >= m && memcmp(name + n - m, suffix, m) == 0;
}

static void remove_left_over(int dir_fd, const char *name)
{
    struct stat about;
    if (fstatat(dir_fd, name, &about, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (about.st_mtime + LEFT_OVER_S < time(NULL)) unlinkat(dir_fd, name, 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

void outbox_prune(const char *dir, const char *suffix, size_t keep)
{
    DIR *d = opendir(dir);
    if (!d) return;
    char **names = NULL;
    size_t count = 0, room = 0;
    struct dirent *entry;
    while ((entry = readdir(d))) {
        if (entry->d_name[0] == '.') {
            if (ends_with(entry->d_name, ".tmp")) remove_left_over(dirfd(d), entry->d_name);
            continue;
        }
        if (!ends_with(entry->d_name, suffix)) continue;
        if (count == room) {
            room = room ? room * 2 : 2048;
            names = mem_realloc(names, room * sizeof *names);
        }
        size_t n = strlen(entry->d_name) + 1;
        names[count++] = memcpy(mem_alloc(n), entry->d_name, n);
    }
    if (count > keep) {
        qsort(names, count, sizeof *names, by_name);
        for (size_t i = 0; i < count - keep; i++) unlinkat(dirfd(d), names[i], 0);
    }
    for (size_t i = 0; i < count; i++) mem_free(names[i]);
    mem_free(names);
    closedir(d);
}
