/* What the capabilities share: made and wired by tallyd.c, handed to every handler as http_context(req). */
#pragma once

#include "core/limiter.h"
#include "core/mail.h"
#include "core/metrics.h"
#include "core/outbound.h"
#include "core/turn.h"
#include "core/wheel.h"
#include "core/work.h"
#include "db/db.h"
#include "db/stream.h"
#include "domain/book/book.h"
#include "domain/ledger/ledger.h"
#include "domain/pid/pid.h"
#include "domain/settings.h"
#include "http/server.h"
#include "ws/hub.h"
#include "ws/socketio.h"

struct app {
    const struct settings *settings;
    uv_loop_t *loop;
    struct turn turn;
    struct wheel *wheel;
    struct metrics metrics;
    struct db *db;                    /* reads and plain writes */
    struct ledger *ledger;
    struct book book;
    struct pid_key pids;
    struct work_queue *pictures;      /* decoding and encoding, one at a time */
    struct work_queue *files;         /* reading and removing files */
    struct work_queue *passwords;     /* argon2id, one at a time */
    struct auth *auth;                /* domain/auth: tokens, keys, revocations */
    struct live *live;                /* domain/live: the stream into book and push */
    struct push *push;                /* domain/push: who hears what */
    struct points *points;            /* domain/points: levels */
    struct rewards *rewards;          /* domain/rewards: what points may be redeemed for */
    struct referrals *referrals;      /* domain/referral: rewards that are owed */
    struct outbound *outbound;        /* HTTP to the outside */
    struct outbox *outbox;            /* domain/mail: the queue of mails */
    struct outbox *sms;               /* domain/sms: the queue of text messages */
    struct outbox *pushes;            /* domain/fcm: the queue of pushes to devices */
    struct picture_store *picture_store;   /* domain/picture: files, or the provider */
    struct outbox *removals;          /* domain/picture: the queue of pictures that are to go */
    struct fcm *fcm;                  /* domain/fcm: who sends them */
    struct payments *payments;        /* domain/payments: invoices and payouts */
    struct alerts *alerts;            /* domain/alerts: transfer alerts */
    struct docs *docs;                /* domain/docs: what is said of the interface */
    struct http_server *http;
    struct ws_server *ws;
    struct sio_server *socketio;
    struct ws_hub hub;
    int worker;                       /* which of the host's processes this is, from 0 */
    uint64_t started_us;              /* monotonic */
    bool stopping;
};

static inline struct app *app_of(const struct http_request *req)
{
    return http_context(req);
}
