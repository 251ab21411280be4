/* Who is to be told of what: the rule "the first at once, what follows within a minute in one
 * mail", as a structure without loop, database or clock of its own. A person is in one of these
 * lists:
 *
 *     (unknown) ──news──> fresh ──take──> writing ──written──> hushed ──a minute, no news──> (unknown)
 *                           ^                │ stale or failed    │ a minute, news
 *                           └────────────────┘                    └──take──> writing
 *
 * Figures are exact: of each account it is known up to which version the tables say that the owner
 * was told (`told`), and what came after it was either counted version by version, or is read from
 * the tables (`unread`). So a gap, a restart, or another process that led before costs a look into
 * the tables and never a transfer. */
#pragma once

#include <stdbool.h>

#include "core/list.h"
#include "core/map.h"

enum { ALERT_HUSH_MS = 60 * 1000 };

struct alert_account {
    struct alert_account *next;     /* of the same person */
    struct list unread;             /* in pending.unread while the tables must be read for (told, read_to] */
    struct alert_person *person;
    int64_t id;
    int64_t told, read_to;
    int64_t writing;                /* the version that is being written as told, 0: none */
    int64_t newest, balance;
    int64_t count, in, out;         /* what is counted, behind what is being written */
    bool totals_known;
};

struct alert_person {
    struct list link;
    enum { ALERT_FRESH, ALERT_WRITING, ALERT_HUSHED } state;
    int64_t user;
    uint64_t hushed_until_ms;
    bool news;
    struct alert_account *accounts;
};

struct pending {
    struct map people, accounts;          /* by id: a user may have a hundred accounts */
    struct list fresh, writing, hushed;   /* hushed: by the time at which it ends */
    struct list unread;
    size_t people_max;
    bool left_out;                        /* there was no room: the tables know who */
};

void pending_init(struct pending *p, size_t people_max);
void pending_fini(struct pending *p);     /* forgets everything; can be used again after init */

/* One side of a transfer of which the owner is to be told. */
struct alert_news {
    int64_t user, account, version, balance;
    int64_t in, out;                      /* one of them is the amount; both 0: only the version moves on */
};
void pending_note(struct pending *p, const struct alert_news *n);

/* An account as the tables have it: what is counted of it is forgotten, what the owner has not been
 * told is to be read. */
void pending_owe(struct pending *p, int64_t user, int64_t account, int64_t alerted, int64_t version, int64_t balance);
/* What the tables hold from told to read_to, as both were when asked; transfers < 0: too many to
 * add up. */
void pending_read(struct alert_account *a, int64_t read_to, int64_t transfers, int64_t in, int64_t out);

/* The next person to be written to, now in `writing`; NULL when nobody is due. `all`, for the end:
 * also the hushed who have news; the other hushed are forgotten. */
struct alert_person *pending_take(struct pending *p, uint64_t now_ms, bool all);
/* Takes what is counted of an account of somebody in `writing`; false when there is nothing to say
 * or to move. */
struct alert_figures {
    int64_t count, in, out, balance, told, newest;
    bool totals_known;
};
bool pending_figures(struct alert_account *a, struct alert_figures *f);
/* Those in `writing` have been told (but who was owed meanwhile has left it). */
void pending_written(struct pending *p, uint64_t now_ms);
/* They have not, or nobody knows: their accounts must be owed again (a scan of the tables does
 * it). */
void pending_failed(struct pending *p);
