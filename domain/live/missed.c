/* What connected users missed while there was no stream: read from the tables and pushed, one stream of events after
 * the other, before anything newer. Whoever missed too much is asked to come again with his cursor. */
#include "core/log.h"
#include "core/mem.h"
#include "domain/live/live_private.h"

static bool is_current(const struct missed *m)
{
    return m->generation == m->live->generation && m->live->state == LIVE_LOADING;
}

static void on_transfer(struct replay *r, const struct ledger_event *e, int64_t seq)
{
    struct missed *m = list_entry(r, struct missed, replay);
    struct account *a = book_account(&m->live->app->book, r->account);
    if (!is_current(m) || !a || seq <= a->pushed) return;
    a->pushed = seq;
    push_transfer(m->live->app->push, e, a);
}

static void on_inbox(struct replay *r, int64_t seq, struct str type, struct str data, int64_t at_us)
{
    struct missed *m = list_entry(r, struct missed, replay);
    struct person *p = book_person(&m->live->app->book, r->user);
    if (!is_current(m) || !p || seq <= p->inbox_seq) return;
    p->inbox_seq = seq;
    push_inbox(m->live->app->push, p, seq, type, data, at_us);
}

static void on_done(struct replay *r, enum err err)
{
    struct missed *m = list_entry(r, struct missed, replay);
    struct live *l = m->live;
    bool current = is_current(m);
    mem_free(m);
    if (!current) return;
    if (err == OK) missed_next(l);
    else wheel_set(l->app->wheel, &l->retry, RETRY_MS);
}

void missed_note(struct live *l, int64_t user, int64_t account, int64_t first, int64_t last)
{
    struct missed *m = mem_new(struct missed);
    m->live = l;
    m->replay = (struct replay){ .app = l->app,
                                 .user = user,
                                 .account = account,
                                 .first = first,
                                 .last = last,
                                 .on_transfer = on_transfer,
                                 .on_inbox = on_inbox,
                                 .done = on_done };
    list_append(&l->missed, &m->link);
}

void missed_forget(struct live *l)
{
    struct list *link;
    while ((link = list_shift(&l->missed))) mem_free(list_entry(link, struct missed, link));
}

/* Too much for a socket that has waited: its user comes again and gets a snapshot. */
static void restart(struct live *l, const struct replay *r)
{
    struct account *a = book_account(&l->app->book, r->account);
    struct person *p = book_person(&l->app->book, r->user);
    push_restart_user(l->app->push, r->user);
    if (a) a->pushed = r->last;
    else if (p) p->inbox_seq = r->last;
}

void missed_next(struct live *l)
{
    struct list *link;
    while ((link = list_shift(&l->missed))) {
        struct missed *m = list_entry(link, struct missed, link);
        m->generation = l->generation;
        if (m->replay.last - m->replay.first >= MISSED_MAX) {
            restart(l, &m->replay);
            mem_free(m);
            continue;
        }
        if (replay_start(&m->replay) == OK) return;
        mem_free(m);
        wheel_set(l->app->wheel, &l->retry, RETRY_MS);
        return;
    }
    live_caught_up(l);
}
