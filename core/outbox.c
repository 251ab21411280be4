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

/* ---------------------------------------------------------------- writing */

static bool write_all(int fd, struct str content)
{
    while (content.n > 0) {
        ssize_t n = write(fd, content.p, content.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        content.p += n;
        content.n -= (size_t) n;
    }
    return true;
}

/* With its place in the group: two may be given the same name. */
static bool name_temporary(char *temporary, const struct outbox_file *f, int place)
{
    int n = snprintf(temporary, NAME_MAX + 1, ".%s.%ld.%d.tmp", f->name, (long) getpid(), place);
    if (n > 0 && n <= NAME_MAX) return true;
    errno = ENAMETOOLONG;
    return false;
}

/* Begins to write to disk, so that the syncs that follow find all of the group on its way. */
static void write_temporary(int dir_fd, struct outbox_file *f, int place)
{
    char temporary[NAME_MAX + 1];
    f->fd = -1;
    f->error = 0;
    if (name_temporary(temporary, f, place))
        f->fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (f->fd < 0 || !write_all(f->fd, f->content)) f->error = errno;
    else sync_file_range(f->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static void give_name(int dir_fd, struct outbox_file *f, int place)
{
    char temporary[NAME_MAX + 1];
    if (f->fd < 0) return;
    if (!f->error && fsync(f->fd) != 0) f->error = errno;
    if (close(f->fd) != 0 && !f->error) f->error = errno;
    name_temporary(temporary, f, place);
    if (!f->error && renameat(dir_fd, temporary, dir_fd, f->name) != 0) f->error = errno;
    if (f->error) unlinkat(dir_fd, temporary, 0);
}

void outbox_write_all(const char *dir, struct outbox_file *files, int count)
{
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = dir_fd < 0 ? errno : 0;
    for (int i = 0; i < count && !error; i++) write_temporary(dir_fd, &files[i], i);
    for (int i = 0; i < count && !error; i++) give_name(dir_fd, &files[i], i);
    if (!error && fsync(dir_fd) != 0) error = errno;
    for (int i = 0; i < count; i++) {
        if (error && (dir_fd < 0 || !files[i].error)) files[i].error = error;
    }
    if (dir_fd >= 0) close(dir_fd);
}

bool outbox_write(const char *dir, const char *name, struct str content)
{
    struct outbox_file file = { .name = name, .content = content };
    outbox_write_all(dir, &file, 1);
    errno = file.error;
    return !file.error;
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
