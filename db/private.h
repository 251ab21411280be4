/* What the files of db/ share behind db/db.h: connections, units and what they wait for. */
#pragma once

#include "core/list.h"
#include "core/mem.h"
#include "core/must.h"
#include "db/db.h"
#include "db/wire.h"

struct db_result {
    PGresult *pg;
};

/* One thing PostgreSQL will answer. Steps of a unit wait in unit->unsent until the unit may send,
 * then in conn->sent, in the order of the answers. */
enum step_kind { STEP_PREPARE, STEP_STATEMENT, STEP_SYNC };

struct step {
    struct list link;
    enum step_kind kind;
    struct db_unit *unit;
    const struct sql *sql;
    int generation;                 /* of the prepared statement it makes or uses */
    db_done done;
    void *arg;
    int count;                      /* parameters, in the caller's arena */
    const char *const *values;
    const int *lengths, *formats;
};

/* What a connection knows of a statement. The name on the server carries the generation, because a
 * name cannot be prepared twice and libpq 15 cannot take one back.
 *
 *     unknown ── Parse sent ──▶ asked ── answered ──▶ ready ── 26000, 0A000, 42… ──▶ unknown (next generation)
 *
 * While it is only asked for, the unit that asked relies on it. Others do when the Parse was its
 * unit's first message: then nothing but the statement itself can make it fail. */
struct prepared {
    int generation;
    enum { PREPARED_UNKNOWN, PREPARED_ASKED, PREPARED_READY } state;
    bool sure;
    uint64_t asker;                 /* serial of the unit that asked */
};

/*     open ── db_sync ──▶ synced ── its turn: all is sent ──▶ sent ──▶ answered, on_end
 *      └── a statement failed ──▶ gone (on_lost was called; our own Sync ends the transaction)       */
enum unit_state { UNIT_OPEN, UNIT_SYNCED, UNIT_SENT, UNIT_GONE };

enum { UNIT_MAGIC = 0x0db07a11 };

struct db_unit {
    struct list link;               /* conn->units */
    uint32_t magic;
    enum unit_state state;
    struct db_conn *conn;
    uint64_t serial, begun_ms;
    struct list unsent;
    bool flush_wanted;
    bool sending;                   /* something of it has been sent */
    bool keep_result;               /* db_exec: the answer is given at the end */
    db_done on_lost, on_end;
    void *lost_arg, *end_arg;
    const struct sql *refused;      /* its Parse failed; its statement's callback is still to be told */
    PGresult *error, *result;
};

enum conn_state { CONN_OFF, CONN_CONNECTING, CONN_CHECKING, CONN_READY };

struct db_conn {
    struct db *db;
    int number;
    enum conn_state state;
    struct wire wire;
    struct list units;              /* all that are under way, oldest first */
    int unit_count;
    struct db_unit *sender;         /* the first of them whose Sync has not been sent; others wait behind it */
    struct list sent;               /* steps whose answers are awaited, in order */
    struct prepared *prepared;      /* by sql->index */
    bool taking;                    /* answers: what callbacks give is sent afterwards */
    int forgotten;                  /* statements prepared anew since it stands */
    struct wheel_timer deadline;    /* of the oldest unit */
    struct turn_item broken;        /* it broke while somebody was calling us: told at the end of the turn */
    struct turn_item arrived;       /* answers came in while we were sending: taken at the end of the turn */
    struct {                        /* what the checks after connecting have found */
        bool read_only, not_migrated;
        int64_t server_version, schema_version;
    } found;
};

struct db {
    uv_loop_t *loop;
    struct turn *turn;
    struct wheel *wheel;
    struct db_options options;
    struct wire_params params;
    char params_room[1024];
    struct db_conn *conns;          /* connections_max of them, most off until needed */
    int ready_count, queue_length, sql_count;
    uint64_t serial;
    bool closing;
    struct turn_item close;         /* the last unit has ended while closing */
    int conns_open;                 /* whose handles are not closed yet */
    void (*closed)(void *arg);
    void *closed_arg;
    char trouble[WIRE_WHY_MAX];
    struct list spare_units, spare_steps;
    int spare_count;
};

/* pool.c */
void pool_trouble(struct db *db, const char *why, bool log);
void pool_conn_ready(struct db_conn *c);
void pool_conn_lost(struct db_conn *c, bool was_ready);
void pool_unit_ended(struct db *db);

/* conn.c */
void conn_init(struct db_conn *c, struct db *db, int number);
void conn_open(struct db_conn *c);
void conn_lose(struct db_conn *c, const char *why);        /* ends its units; calls back */
void conn_break(struct db_conn *c);                        /* loses it at the end of the turn */
void conn_close(struct db_conn *c, void (*closed)(struct wire *w));
bool conn_is_usable(const struct db_conn *c);

/* send.c: what goes out. */
void send_pump(struct db_conn *c);

/* answer.c: what comes back. */
void answer_take(struct db_conn *c);

/* unit.c */
struct db_unit *unit_begin(struct db_conn *c, db_done on_lost, void *arg);
void unit_end(struct db_unit *u, enum err err);            /* the last callback, then it is freed */
void unit_abandon(struct db_unit *u);                      /* a statement of an open unit failed */
void unit_release(struct db_unit *u);                      /* without any callback */
void unit_steps_drop(struct db *db, struct list *steps);
struct step *step_new(struct db *db, enum step_kind kind, struct db_unit *u, const struct sql *sql);
void step_free(struct db *db, struct step *step);

/* prepared.c */
const char *prepared_name(const struct sql *sql, int generation, char room[128]);
bool prepared_is_known(const struct db_conn *c, const struct sql *sql, const struct db_unit *u);
struct prepared *prepared_ask(struct db_conn *c, const struct sql *sql, const struct db_unit *u, bool sure);
void prepared_answer(struct db_conn *c, const struct step *step, bool made);
void prepared_doubt(struct db_conn *c, const struct step *step, const char *sqlstate);
