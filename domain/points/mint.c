/* Points between the issuer and one user, because somebody who may says so: an administrator
 * (POINTS-09) or a service (POINTS-20). What is asked differs, what becomes of it does not. */
#include "domain/points/points_private.h"

enum { REPLY_BYTES_MAX = 16384 };

struct mint *mint_new(struct http_request *req, const struct person *person, int64_t amount, struct str kind)
{
    struct app *app = app_of(req);
    const struct account *issuer = book_system(&app->book, STR("points-issuer"));
    const struct account *account = book_owned(&app->book, person->id, ACCOUNT_POINTS);
    if (!issuer) {   /* nothing has been loaded yet */
        reply_err(req, ERR_UNAVAILABLE);
        return NULL;
    }
    if (!account) {   /* closed: the user has been erased */
        reply_error(req, 404, "User not found");
        return NULL;
    }
    struct mint *m = arena_new(&req->arena, struct mint);
    m->req = req;
    m->person = person;
    m->account = account->id;
    m->posting.legs[0] = amount > 0 ? (struct leg){ issuer->id, account->id, amount, kind }
                                    : (struct leg){ account->id, issuer->id, -amount, kind };
    m->posting.leg_count = 1;
    return m;
}

static void on_posted(struct posting *p, enum err err)
{
    struct mint *m = p->arg;
    if (err != OK) reply_err(m->req, err);
    else if (p->outcome == POSTING_DONE) mint_reply(m);
    else m->otherwise(m);
}

static void on_decided(struct posting *p, int64_t lifetime_before)
{
    struct mint *m = p->arg;
    points_attach_level_up(app_of(m->req)->points, p, 0, m->person, lifetime_before, &m->req->arena);
}

void mint_submit(struct mint *m, void (*otherwise)(struct mint *m))
{
    m->otherwise = otherwise;
    m->posting.decided = on_decided;
    m->posting.done = on_posted;
    m->posting.arg = m;
    enum err err = ledger_submit(app_of(m->req)->ledger, &m->posting);
    if (err != OK) reply_err(m->req, err);
}

void mint_reply(const struct mint *m)
{
    struct point_transaction t = points_transaction_of(&m->posting, 0, m->person->id, m->account);
    struct buf b;
    buf_init(&b, REPLY_BYTES_MAX);
    json_open(&b, '{');
    json_key(&b, STR("success"));
    json_bool(&b, true);
    json_key(&b, STR("data"));
    json_open(&b, '{');
    json_key(&b, STR("transaction"));
    points_put_transaction(&b, app_of(m->req), &t);
    json_key(&b, STR("newBalance"));
    json_int(&b, t.balance_after);
    json_close(&b, '}');
    json_close(&b, '}');
    if (b.failed) reply_err(m->req, ERR_INTERNAL);
    else reply_json(m->req, 200, buf_view(&b));
    buf_fini(&b);
}

void mint_reply_replayed(const struct mint *m)
{
    reply_header(m->req, STR("Idempotent-Replayed"), STR("true"));
    mint_reply(m);
}

void mint_reply_refused(const struct mint *m)
{
    const struct outcome_info *info = outcome_info(m->posting.outcome);
    if (m->posting.outcome == POSTING_REPLAYED) mint_reply_replayed(m);
    else if (m->posting.outcome == POSTING_NO_ACCOUNT) reply_error(m->req, 404, "User not found");
    else reply_error(m->req, info->http_status, info->message);
}
