/* USR-45, 71: files out of two folders, by plain names, read on the pool. What is no picture is not served, whatever
 * its name says; the answer's type is what the content is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/picture/image.h"
#include "domain/picture/picture_private.h"
#include "domain/picture/store.h"

struct showing {
    struct work work;
    struct http_request *req;
    char path[4096];
    struct buf file;
    bool found;
    struct str caching;
};

static void release(void *arg)
{
    buf_fini(&((struct showing *) arg)->file);
}

/* The whole file; false when it is none, or too long. */
static bool read_file(int fd, struct buf *out)
{
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size > IMAGE_BYTES_MAX) return false;
    for (;;) {
        char *room = buf_reserve(out, 64 << 10);
        if (!room) return false;
        ssize_t n = read(fd, room, 64 << 10);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n == 0;
        buf_added(out, (size_t) n);
    }
}

static void on_run(struct work *w)
{
    struct showing *s = list_entry(w, struct showing, work);
    int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return;
    s->found = read_file(fd, &s->file);
    close(fd);
}

static void on_done(struct work *w, enum err err)
{
    static const struct str types[] = {
        [IMAGE_JPEG] = { "image/jpeg", 10 }, [IMAGE_PNG] = { "image/png", 9 }, [IMAGE_WEBP] = { "image/webp", 10 },
    };
    struct showing *s = list_entry(w, struct showing, work);
    struct http_request *req = s->req;
    enum image_form form = s->found ? image_recognise(buf_view(&s->file)) : IMAGE_NONE;
    if (err != OK) {
        reply_err(req, ERR_UNAVAILABLE);
    } else if (form == IMAGE_NONE) {
        reply_error(req, 404, req->endpoint->not_found);
    } else {
        reply_header(req, STR("Cache-Control"), s->caching);
        reply_header(req, STR("Content-Security-Policy"), STR("default-src 'none'; sandbox"));
        reply_body(req, 200, types[form], buf_view(&s->file));
    }
}

static void show(struct http_request *req, const char *folder, struct str caching)
{
    struct str name = req->values[0].s;
    struct showing *s = arena_new(&req->arena, struct showing);
    const char *data_dir = app_of(req)->settings->data_dir;
    if (!picture_name_good(name) ||
        snprintf(s->path, sizeof s->path, "%s/%s/%.*s", data_dir, folder, STR_FMT(name)) >= (int) sizeof s->path) {
        reply_error(req, 404, req->endpoint->not_found);
        return;
    }
    s->req = req;
    s->caching = caching;
    s->work.run = on_run;
    s->work.done = on_done;
    buf_init(&s->file, IMAGE_BYTES_MAX + (64 << 10));
    arena_defer(&req->arena, release, s);
    enum err err = work_submit(app_of(req)->files, &s->work);
    if (err != OK) reply_err(req, err);
}

/* A new picture has a new address. */
void picture_show_profile(struct http_request *req)
{
    show(req, PICTURE_FOLDER_PROFILE, STR("public, max-age=31536000, immutable"));
}

void picture_show_offer(struct http_request *req)
{
    show(req, PICTURE_FOLDER_OFFERS, STR("public, max-age=3600"));
}
