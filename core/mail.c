/* The mailer: accepts a mail, writes it out as text, and gives it to the SMTP side or, without a
 * server, to the outbox directory on the pool.
 *
 * A mail under way is a `sending` in the mailer's list. It leaves the list by `deliver`, which
 * calls back and frees it. A mail that cannot be sent at all (an address that is none) ends at the
 * next turn, in `on_timer`, because a starting call never calls back. Closing hangs up, lets the
 * file being written come to its end, and frees the mailer when the list is empty and the timer,
 * whose close callback is the "next turn" then, is closed. */
#include "core/mail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/filer.h"
#include "core/list.h"
#include "core/log.h"
#include "core/mail_message.h"
#include "core/mail_smtp.h"
#include "core/mem.h"
#include "core/must.h"
#include "core/outbox.h"

enum { MESSAGE_BYTES_MAX = 1 << 20 };

struct mailer {
    uv_loop_t *loop;
    uv_timer_t timer;
    struct buf texts[5];            /* what the options pointed to */
    const char *from, *outbox_dir;
    struct smtp_server server;
    struct mail_sender sender;
    struct curl_loop *curl;         /* NULL: files */
    struct filer *files;            /* NULL: SMTP */
    struct list sendings;
    int under_way, parallel_max;
    enum { MAILER_OPEN, MAILER_CLOSING, MAILER_DRAINING } state;
};

struct sending {
    struct list link;
    struct mailer *mailer;
    int64_t id;
    enum { VIA_SMTP, VIA_FILE, VIA_NOTHING } via;
    struct smtp_session *smtp;
    struct filing filing;           /* VIA_FILE */
    struct buf message;
    void (*done)(void *arg, enum err err);
    void *arg;
};

/* ---------------------------------------------------------------- opening */

static const char *keep(struct buf *room, const char *text)
{
    if (!text) return NULL;
    buf_init(room, 4096);
    buf_put(room, text, strlen(text) + 1);
    must(!room->failed);
    return room->p;
}

static void open_smtp(struct mailer *m, const struct mailer_options *o)
{
    struct buf *url = &m->texts[2];
    bool brackets = strchr(o->host, ':') != NULL;
    buf_init(url, 4096);
    buf_printf(url, "%s://%s%s%s:%d/%.*s", o->tls_first ? "smtps" : "smtp", brackets ? "[" : "", o->host,
               brackets ? "]" : "", o->port, STR_FMT(m->sender.domain));
    buf_char(url, 0);
    must(!url->failed);
    m->server.url = url->p;
    m->server.user = keep(&m->texts[3], o->user);
    m->server.password = keep(&m->texts[4], o->password);
    m->curl = curl_loop_new(m->loop, o->ca_file);
}

static void texts_free(struct mailer *m)
{
    for (size_t i = 0; i < sizeof m->texts / sizeof *m->texts; i++) buf_fini(&m->texts[i]);
}

static const char *fault_of(struct mailer *m, const struct mailer_options *o)
{
    if (!mail_sender_read(str_from(m->from), &m->sender)) return "the sender of mails is no mail address";
    if (!o->host && !m->outbox_dir) return "there is neither a mail server nor an outbox directory";
    if (!o->host && !outbox_make_dir(m->outbox_dir)) {
        return errno == ENOTDIR ? "the mail outbox is no directory" : "the mail outbox directory cannot be written";
    }
    return NULL;
}

struct mailer *mailer_new(uv_loop_t *loop, const struct mailer_options *options, const char **fault)
{
    must(options->parallel_max > 0);
    struct mailer *m = mem_new(struct mailer);
    m->loop = loop;
    m->parallel_max = options->parallel_max;
    list_init(&m->sendings);
    m->from = keep(&m->texts[0], options->from);
    m->outbox_dir = keep(&m->texts[1], options->outbox_dir);
    *fault = fault_of(m, options);
    if (*fault) {
        texts_free(m);
        mem_free(m);
        return NULL;
    }
    must(uv_timer_init(loop, &m->timer) == 0);
    m->timer.data = m;
    if (options->host) {
        open_smtp(m, options);
    } else {
        m->files = filer_new(loop, m->outbox_dir, ".eml");
        must(m->files != NULL);
    }
    return m;
}

/* ---------------------------------------------------------------- ending one mail */

static void free_when_drained(struct mailer *m)
{
    if (m->state != MAILER_DRAINING || m->under_way > 0) return;
    texts_free(m);
    mem_free(m);
}

static void deliver(struct sending *s, enum err err)
{
    struct mailer *m = s->mailer;
    list_unlink(&s->link);
    m->under_way--;
    s->done(s->arg, m->state == MAILER_OPEN ? err : ERR_CLOSED);
    buf_fini(&s->message);
    mem_free(s);
    free_when_drained(m);
}

static void on_timer(uv_timer_t *handle)
{
    struct mailer *m = handle->data;
    struct list refused;
    list_init(&refused);
    list_each(&m->sendings, link) {
        if (list_entry(link, struct sending, link)->via != VIA_NOTHING) continue;
        list_unlink(link);
        list_append(&refused, link);
    }
    /* The mailer may be closed by one of them; it goes at the earliest with its timer. */
    struct list *link;
    while ((link = list_shift(&refused))) deliver(list_entry(link, struct sending, link), ERR_INVALID);
}

static void on_smtp_done(void *arg, const struct smtp_end *end)
{
    struct sending *s = arg;
    if (end->err != OK) {
        log_warn("mail", end->err == ERR_INVALID ? "refused" : "not_sent", "id=%lld step=%s code=%d why=%s",
                 (long long) s->id, end->step, end->code, LOG_STR(end->why));
    }
    deliver(s, end->err);
}

/* ---------------------------------------------------------------- files */

static void on_written(struct filing *filing, enum err err)
{
    struct sending *s = list_entry(filing, struct sending, filing);
    if (err == ERR_UNAVAILABLE) {
        log_warn("mail", "not_written", "id=%lld errno=%d", (long long) s->id, filing->error);
    }
    deliver(s, err);
}

/* 20260209T100000.123Z-000000000042.eml sorts by time, then by id. */
static void name_file(char *name, size_t room, int64_t wall_us, int64_t id)
{
    char iso[CLOCK_ISO_BYTES], compact[CLOCK_ISO_BYTES] = { 0 };
    clock_iso(wall_us, iso);
    int n = 0;
    for (int i = 0; i < CLOCK_ISO_BYTES; i++) {
        if (iso[i] != '-' && iso[i] != ':') compact[n++] = iso[i];
    }
    snprintf(name, room, "%.*s-%012lld.eml", n, compact, (long long) id);
}

static enum err start_file(struct mailer *m, struct sending *s, int64_t wall_us)
{
    s->via = VIA_FILE;
    name_file(s->filing.name, sizeof s->filing.name, wall_us, s->id);
    s->filing.content = buf_view(&s->message);
    s->filing.done = on_written;
    return filer_write(m->files, &s->filing);
}

/* ---------------------------------------------------------------- starting */

static enum err start(struct mailer *m, struct sending *s, const struct mail *mail)
{
    int64_t wall_us = clock_wall_us();
    buf_init(&s->message, MESSAGE_BYTES_MAX);
    bool safe = mail_address_is_safe(mail->to);
    if (safe) mail_message_write(&s->message, mail, &m->sender, wall_us / 1000000);
    if (!safe || s->message.failed) {
        s->via = VIA_NOTHING;
        uv_timer_start(&m->timer, on_timer, 0, 0);
        return OK;
    }
    if (m->files) return start_file(m, s, wall_us);
    s->via = VIA_SMTP;
    struct smtp_envelope envelope = { m->sender.address, mail->to, buf_view(&s->message) };
    s->smtp = smtp_start(m->loop, m->curl, &m->server, &envelope, on_smtp_done, s);
    return OK;
}

enum err mailer_send(struct mailer *m, const struct mail *mail, void (*done)(void *arg, enum err err), void *arg)
{
    if (m->state != MAILER_OPEN) return ERR_CLOSED;
    if (m->under_way >= m->parallel_max) return ERR_FULL;
    struct sending *s = mem_new(struct sending);
    s->mailer = m;
    s->id = mail->id;
    s->done = done;
    s->arg = arg;
    list_append(&m->sendings, &s->link);
    m->under_way++;
    enum err err = start(m, s, mail);
    must(err == OK);   /* the files are open as long as the mailer */
    return OK;
}

/* ---------------------------------------------------------------- closing */

static void on_timer_closed(uv_handle_t *handle)
{
    struct mailer *m = handle->data;
    struct list gone;
    list_init(&gone);
    list_each(&m->sendings, link) {
        if (list_entry(link, struct sending, link)->via == VIA_FILE) continue;
        list_unlink(link);
        list_append(&gone, link);
    }
    struct list *link;
    while ((link = list_shift(&gone))) deliver(list_entry(link, struct sending, link), ERR_CLOSED);
    m->state = MAILER_DRAINING;
    free_when_drained(m);
}

void mailer_close(struct mailer *m)
{
    if (m->state != MAILER_OPEN) return;
    m->state = MAILER_CLOSING;
    if (m->curl) {
        list_each(&m->sendings, link) {
            struct sending *s = list_entry(link, struct sending, link);
            if (s->via == VIA_SMTP) smtp_cancel(s->smtp);
        }
        curl_loop_close(m->curl);
    } else {
        filer_close(m->files);
    }
    uv_close((uv_handle_t *) &m->timer, on_timer_closed);
}
