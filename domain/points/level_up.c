/* A level-up is a row of the user's inbox that is written with the posting that caused it, or not
 * at all. Whether it is one follows from the lifetime points before and after, which the ledger has
 * decided under the account's lock: so of any number of parallel grants exactly one crosses the
 * threshold. */
#include "core/must.h"
#include "domain/points/points_private.h"
#include "sql.h"

enum { FIELD_USER, FIELD_TYPE, FIELD_DATA, FIELD_COUNT };

/* The posting may be decided anew: what an earlier decision attached goes first. */
static void detach(struct posting *posting)
{
    int kept = 0;
    for (int i = 0; i < posting->attached_count; i++) {
        if (posting->attached[i].sql != &sql_points_level_up) posting->attached[kept++] = posting->attached[i];
    }
    posting->attached_count = kept;
}

static struct str make_data(const struct app *app, const struct posted *posted, const struct person *person,
                            const struct level *previous, const struct level *reached, struct arena *arena)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    json_open(&b, '{');
    json_key(&b, STR("userId"));
    pid_json(&b, &app->pids, PID_USER, person->id);
    json_key(&b, STR("username"));
    json_string(&b, str_from(person->username));
    json_key(&b, STR("previousLevel"));
    if (previous) {
        points_open_level(&b, previous);
        json_close(&b, '}');
    } else {
        json_null(&b);
    }
    json_key(&b, STR("level"));
    points_put_level(&b, reached);
    json_key(&b, STR("lifetimePoints"));
    json_int(&b, posted->lifetime_after);
    json_key(&b, STR("transactionId"));
    pid_json(&b, &app->pids, PID_TRANSFER, posted->id);
    json_close(&b, '}');
    must(!b.failed);
    struct str data = arena_str(arena, buf_view(&b));
    buf_fini(&b);
    return data;
}

void points_attach_level_up(struct points *p, struct posting *posting, int leg, const struct person *person,
                            int64_t lifetime_before, struct arena *arena)
{
    const struct posted *posted = &posting->posted[leg];
    const struct level *previous, *reached;
    detach(posting);
    if (posted->lifetime_after == INT64_MIN) return;
    if (!levels_crossed(&p->levels, lifetime_before, posted->lifetime_after, &previous, &reached)) return;
    must(posting->attached_count < POSTING_ATTACHED_MAX);
    struct attached *row = &posting->attached[posting->attached_count++];
    *row = (struct attached){ .sql = &sql_points_level_up, .field_count = FIELD_COUNT };
    row->fields[FIELD_USER] = arena_printf(arena, "%lld", (long long) person->id);
    row->fields[FIELD_TYPE] = STR("level-up");
    row->fields[FIELD_DATA] = make_data(p->app, posted, person, previous, reached, arena);
}
