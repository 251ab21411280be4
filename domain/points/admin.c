/* POINTS-09: an administrator grants points or takes them. A grant raises the lifetime points and
 * may cross a level; a deduction leaves both. */
#include <string.h>

#include "domain/auth/auth.h"
#include "domain/idempotency.h"
#include "domain/points/points_private.h"

/* The fields of the row in points.c. */
enum { USER, AMOUNT, REASON, METADATA };

static void otherwise(struct mint *m)
{
    const struct posting *p = &m->posting;
    if (p->outcome == POSTING_INSUFFICIENT) {
        reply_error(m->req, 400, "Balance would go below zero");
    } else if (p->outcome == POSTING_REFUSED && memcmp(p->sqlstate, "22", 2) == 0) {
        /* A value that JSON can hold and PostgreSQL cannot: a number with a million digits. */
        struct reply_faults faults = { 0 };
        reply_fault(m->req, &faults, "metadata", "cannot be stored");
        reply_faults(m->req, &faults);
    } else {
        mint_reply_refused(m);
    }
}

static void grant(struct http_request *req, const struct person *person)
{
    int64_t amount = req->values[AMOUNT].i;
    struct str reason = req->values[REASON].s;
    struct mint *m = mint_new(req, person, amount, amount > 0 ? STR("points.admin_grant") : STR("points.admin_deduct"));
    if (!m || !idempotency_read(req, &m->posting)) return;
    struct posting *p = &m->posting;
    p->actor = caller_of(req)->user;
    p->memo = reason;
    if (req->values[METADATA].set) p->metadata = req->values[METADATA].json->text;
    p->request = arena_printf(&req->arena, "points.admin %lld %lld %zu %.*s %.*s", (long long) person->id,
                              (long long) amount, reason.n, STR_FMT(reason), STR_FMT(p->metadata));
    mint_submit(m, otherwise);
}

void points_admin_add(struct http_request *req)
{
    if (req->values[AMOUNT].i != 0) {
        points_find_named(req, req->values[USER].s, grant);
        return;
    }
    struct reply_faults faults = { 0 };
    reply_fault(req, &faults, "amount", "must not be 0");
    reply_faults(req, &faults);
}
