/* POINTS-20: services report what their customers have earned. What they report with a reference is
 * minted once for it and the reporting key, in two ways that complete each other:
 *   - without an Idempotency-Key the reference is the posting's key in the ledger, so that thirty
 *     repeats at once are one posting and twenty-nine that wait for it;
 *   - a row for the reference goes with the posting, which a repeat under whatever other key meets.
 * Either way the answer to a repeat is the first transaction, as the tables have it. */
#include <string.h>

#include "core/digest.h"
#include "domain/auth/auth.h"
#include "domain/idempotency.h"
#include "domain/points/points_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

/* The fields of the row in points.c; the types in the order of its choices. */
enum { USER, USERNAME, TYPE, AMOUNT, DESCRIPTION, REFERENCE_TYPE, REFERENCE_ID };
enum { EARN, REFERRAL, PURCHASE, REVIEW };

static const struct str kinds[] = {
    [EARN] = { "points.earn", 11 }, [REFERRAL] = { "points.referral", 15 },
    [PURCHASE] = { "points.purchase", 15 }, [REVIEW] = { "points.review", 13 },
};

static struct str text_of(const struct http_request *req, int field)
{
    return req->values[field].set ? req->values[field].s : STR("");
}

static bool has_reference(const struct http_request *req)
{
    return text_of(req, REFERENCE_ID).n > 0;
}

static void put_reference(const struct mint *m, struct db_args *args)
{
    const struct http_request *req = m->req;
    db_i64(args, caller_of(req)->key);
    db_text(args, req->values[TYPE].s);
    db_text(args, text_of(req, REFERENCE_TYPE));
    db_text(args, text_of(req, REFERENCE_ID));
}

/* The repeat of a reference ---------------------------------------------------------------------------- */

static void find_first(struct mint *m, db_done found)
{
    struct db_args args;
    db_args_init(&args, &m->req->arena);
    put_reference(m, &args);
    db_i64(&args, m->account);
    db_i64(&args, m->posting.legs[0].amount);
    enum err err = db_exec(app_of(m->req)->db, &sql_points_reference_find, &args, found, m);
    if (err != OK) reply_err(m->req, err);
}

static void reply_first(struct mint *m, const struct db_result *r)
{
    if (!db_cell_bool(r, 0, 0)) {
        reply_error(m->req, 409, "Reference was already used with different data");
        return;
    }
    reply_header(m->req, STR("Idempotent-Replayed"), STR("true"));
    sql_endpoint_reply(m->req, 200, db_cell(r, 0, 1));
}

static void on_first(void *arg, enum err err, const struct db_result *r)
{
    struct mint *m = arg;
    if (err == OK && db_rows(r) == 0) err = ERR_INTERNAL;   /* something refused us for it a moment ago */
    if (err != OK) sql_endpoint_failed(m->req, err, r);
    else reply_first(m, r);
}

static void otherwise(struct mint *m)
{
    const struct posting *p = &m->posting;
    bool is_key = request_header(m->req, STR("Idempotency-Key")).p != NULL;
    bool met_row = p->outcome == POSTING_REFUSED && strcmp(p->constraint, "point_references_pkey") == 0;
    bool met_key = p->outcome == POSTING_REPLAYED || p->outcome == POSTING_KEY_CONFLICT;
    if (met_row || (met_key && !is_key)) find_first(m, on_first);
    else mint_reply_refused(m);
}

/* Minting ----------------------------------------------------------------------------------------------- */

static void attach_reference(struct mint *m)
{
    const struct http_request *req = m->req;
    m->posting.attached[m->posting.attached_count++] = (struct attached){
        .sql = &sql_points_reference, .field_count = 4,
        .fields = { arena_printf(&m->req->arena, "%lld", (long long) caller_of(req)->key), req->values[TYPE].s,
                    text_of(req, REFERENCE_TYPE), text_of(req, REFERENCE_ID) },
    };
}

/* Points of this type count on the referrers' board, though they complete no referral. */
static void attach_score(struct mint *m)
{
    struct arena *arena = &m->req->arena;
    m->posting.attached[m->posting.attached_count++] = (struct attached){
        .sql = &sql_points_score, .field_count = 2,
        .fields = { arena_printf(arena, "%lld", (long long) m->person->id),
                    arena_printf(arena, "%lld", (long long) m->posting.legs[0].amount) },
    };
}

/* The reference as a key, however long it is. */
static void key_by_reference(struct mint *m)
{
    const struct http_request *req = m->req;
    struct arena *arena = &m->req->arena;
    uint8_t hash[SHA256_BYTES];
    struct buf hex;
    sha256(arena_printf(arena, "%zu %.*s %.*s", text_of(req, REFERENCE_TYPE).n, STR_FMT(text_of(req, REFERENCE_TYPE)),
                        STR_FMT(text_of(req, REFERENCE_ID))), hash);
    buf_init(&hex, 2 * SHA256_BYTES);
    buf_hex(&hex, hash, sizeof hash);
    m->posting.scope = arena_printf(arena, "%.*s %.*s", STR_FMT(m->posting.scope), STR_FMT(kinds[req->values[TYPE].i]));
    m->posting.key = arena_str(arena, buf_view(&hex));
    buf_fini(&hex);
}

static struct str describe(const struct mint *m)
{
    const struct http_request *req = m->req;
    struct str type = text_of(req, REFERENCE_TYPE), id = text_of(req, REFERENCE_ID), memo = text_of(req, DESCRIPTION);
    return arena_printf(&m->req->arena, "%.*s %lld %lld %zu %.*s %zu %.*s %.*s", STR_FMT(kinds[req->values[TYPE].i]),
                        (long long) m->person->id, (long long) m->posting.legs[0].amount, type.n, STR_FMT(type), id.n,
                        STR_FMT(id), STR_FMT(memo));
}

/* Asked for by both names: the row is looked for first, or a repeat under another Idempotency-Key would
 * cost its whole batch a second try. */
static void on_looked(void *arg, enum err err, const struct db_result *r)
{
    struct mint *m = arg;
    if (err != OK) sql_endpoint_failed(m->req, err, r);
    else if (db_rows(r) > 0) reply_first(m, r);
    else mint_submit(m, otherwise);
}

static void earn(struct http_request *req, const struct person *person)
{
    struct str username = text_of(req, USERNAME);
    if (username.n && !str_eq_nocase(username, str_from(person->username))) {   /* userId names somebody else */
        reply_error(req, 404, "User not found");
        return;
    }
    struct mint *m = mint_new(req, person, req->values[AMOUNT].i, kinds[req->values[TYPE].i]);
    if (!m || !idempotency_read(req, &m->posting)) return;
    struct posting *p = &m->posting;
    bool by_header = p->key.p != NULL;
    if (text_of(req, DESCRIPTION).n) p->memo = text_of(req, DESCRIPTION);
    if (text_of(req, REFERENCE_TYPE).n) p->reference_type = text_of(req, REFERENCE_TYPE);
    if (text_of(req, REFERENCE_ID).n) p->reference_id = text_of(req, REFERENCE_ID);
    if (has_reference(req)) attach_reference(m);
    if (req->values[TYPE].i == REFERRAL) attach_score(m);
    if (has_reference(req) && !by_header) {
        key_by_reference(m);
        p->request = arena_printf(&req->arena, "%lld %lld", (long long) person->id, (long long) p->legs[0].amount);
    } else {
        p->request = describe(m);
    }
    if (has_reference(req) && by_header) find_first(m, on_looked);
    else mint_submit(m, otherwise);
}

void points_earn(struct http_request *req)
{
    if (text_of(req, USER).n) {
        points_find_named(req, text_of(req, USER), earn);
    } else if (text_of(req, USERNAME).n) {
        points_find_user(req, 0, text_of(req, USERNAME), earn);
    } else {
        struct reply_faults faults = { 0 };
        reply_fault(req, &faults, "userId", "userId or username is required");
        reply_faults(req, &faults);
    }
}
