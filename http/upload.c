#include "http/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "core/outbox.h"
#include "http/conn_private.h"

/* --- on the pool ------------------------------------------------------------------------------------------------- */

/* A file without a name: there is nothing to remove, whatever happens. */
static int open_nameless(const char *dir)
{
    char path[4096];
    if (!outbox_make_dir(dir)) return -1;
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return fd;
    if (snprintf(path, sizeof path, "%s/upload.XXXXXX", dir) >= (int) sizeof path) return -1;
    fd = mkostemp(path, O_CLOEXEC);   /* this file system has none such */
    if (fd >= 0) unlink(path);
    return fd;
}

static bool write_all(int fd, struct str data)
{
    while (data.n > 0) {
        ssize_t n = write(fd, data.p, data.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        data.p += n;
        data.n -= (size_t) n;
    }
    return true;
}

static void on_run(struct work *w)
{
    struct http_upload *u = list_entry(w, struct http_upload, work);
    if (u->fd < 0) u->fd = open_nameless(u->req->server->options.upload_dir);
    u->err = u->fd >= 0 && write_all(u->fd, buf_view(&u->writing)) ? OK : ERR_UNAVAILABLE;
}

/* --- on the loop ------------------------------------------------------------------------------------------------- */

static void on_closed(uv_fs_t *closing)
{
    uv_fs_req_cleanup(closing);
    mem_free(closing);
}

static void release(void *arg)
{
    struct http_upload *u = arg;
    must(!u->under_way);
    buf_fini(&u->pending);
    buf_fini(&u->writing);
    if (u->fd >= 0) must(uv_fs_close(u->req->server->loop, mem_new(uv_fs_t), u->fd, on_closed) == 0);
}

static void go_on(struct http_upload *u);

static void fail(struct http_upload *u, int status, const char *why)
{
    if (u->stage == UPLOAD_FAILED || u->stage == UPLOAD_READY) return;
    u->stage = UPLOAD_FAILED;
    u->status = status;
    u->why = why;
}

static void on_written(struct work *w, enum err err)
{
    struct http_upload *u = list_entry(w, struct http_upload, work);
    u->under_way = false;
    buf_clear(&u->writing);
    if (err == OK && u->err != OK) log_error("http", "upload_not_written", "req=%.*s", STR_FMT(u->req->id));
    if (err != OK || u->err != OK) fail(u, 503, err_info(ERR_UNAVAILABLE)->message);
    go_on(u);
}

static void start_writing(struct http_upload *u)
{
    struct buf full = u->pending;
    u->pending = u->writing;
    u->writing = full;
    u->under_way = true;
    u->work.run = on_run;
    u->work.done = on_written;
    struct work_queue *uploads = u->req->server->uploads;
    enum err err = uploads ? work_submit(uploads, &u->work) : ERR_CLOSED;
    if (err == OK) return;
    u->under_way = false;
    upload_fail(u, 503, err_info(ERR_FULL)->message);
}

/* What follows from the state it is in now, when no write is under way. */
static void go_on(struct http_upload *u)
{
    struct http_request *req = u->req;
    if (u->under_way || u->stage == UPLOAD_ASKING || u->stage == UPLOAD_READY || req->status) return;
    if (u->stage == UPLOAD_FAILED) {
        if (!u->complete) req->keep_alive = false;
        if (u->status == 503) reply_error_retry(req, u->status, u->why, 1);
        else reply_error(req, u->status, u->why);
    } else if (u->pending.n > 0 && (u->complete || u->pending.n >= UPLOAD_BACKLOG_BYTES / 2)) {
        start_writing(u);
    } else if (u->complete) {
        u->stage = UPLOAD_READY;
        request_authenticated(req);
        return;
    }
    if (req->conn) turn_defer(req->server->turn, &req->conn->flush);   /* the reading may go on */
}

bool upload_may_read(const struct http_upload *u)
{
    return u->stage == UPLOAD_OPEN && u->pending.n < UPLOAD_BACKLOG_BYTES;
}

static void on_part(void *arg, struct str name, struct str file)
{
    struct http_upload *u = arg;
    u->in_file = !u->found && file.p && str_eq(name, str_from(u->req->endpoint->upload));
    u->found |= u->in_file;
}

static void on_text(void *arg, const uint8_t *data, size_t n)
{
    struct http_upload *u = arg;
    if (!u->in_file) return;
    u->size += (int64_t) n;
    if (u->size <= u->req->endpoint->upload_max) buf_put(&u->pending, data, n);
}

void upload_begin(struct http_request *req, bool expects_continue)
{
    struct http_upload *u = arena_new(&req->arena, struct http_upload);
    u->req = req;
    u->fd = -1;
    u->keep_alive = req->keep_alive;
    u->expects_continue = expects_continue;
    buf_init(&u->pending, UPLOAD_PENDING_BYTES_MAX);
    buf_init(&u->writing, UPLOAD_PENDING_BYTES_MAX);
    u->is_form = multipart_init(&u->parser, request_header(req, STR("content-type")));
    u->parser.on_part = on_part;
    u->parser.on_text = on_text;
    u->parser.arg = u;
    arena_defer(&req->arena, release, u);
    req->upload = u;
    req->keep_alive = false;   /* whoever is not let in is not read on */
}

bool upload_let_in(struct http_request *req)
{
    struct http_upload *u = req->upload;
    if (u->stage == UPLOAD_READY) return true;
    if (u->stage == UPLOAD_ASKING) {
        u->stage = UPLOAD_OPEN;
        req->keep_alive = u->keep_alive;
        if (req->conn) req->conn->want_continue = u->expects_continue;
    }
    go_on(u);
    return false;
}

void upload_body(struct http_upload *u, const uint8_t *data, size_t n)
{
    if (!u->is_form || u->stage != UPLOAD_OPEN) return;
    multipart_feed(&u->parser, data, n);
    must(!u->pending.failed);   /* one feed is less than the room above the backlog */
    go_on(u);
}

void upload_end(struct http_upload *u)
{
    u->complete = true;
    if (u->is_form && u->parser.state != MULTIPART_DONE) upload_fail(u, 400, "Malformed multipart body");
    else go_on(u);
}

void upload_fail(struct http_upload *u, int status, const char *why)
{
    bool asking = u->stage == UPLOAD_ASKING;
    fail(u, status, why);
    if (!asking) go_on(u);   /* otherwise the gates answer, or come to upload_let_in */
}

struct http_upload *upload_take(struct http_request *req)
{
    struct http_upload *u = req->upload;
    if (!u || !u->found || u->size == 0) reply_error(req, 400, "No file uploaded");
    else if (u->size > req->endpoint->upload_max) reply_error(req, 413, "File too large");
    else return u;
    return NULL;
}
