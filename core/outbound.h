/* HTTP to the outside: one place for every provider, so that a slow or dead one cannot slow anybody
 * else down. Calls run on the loop through curl_loop (10 s, TLS verified, no redirects, names
 * resolved on libcurl's own threads). To one host at most `per_host_max` run at once and
 * `waiting_max` wait behind them, in order; waiting counts against the 10 s. Answers are bounded.
 *
 *     static void on_answer(struct outbound_call *call, enum err err) …
 *     outbound_call_init(&call, "POST", url, on_answer, arg);
 *     outbound_header(&call, "Authorization: Basic %.*s", STR_FMT(proof));
 *     outbound_json(&call, body);
 *     enum err err = outbound_start(app->outbound, &call);
 *
 * Nothing here writes a path, a header or a body to the log; of a host whose TLS fails it says the name and why. */
#pragma once

#include "core/buf.h"
#include "core/curl_loop.h"
#include "core/err.h"
#include "core/list.h"

enum { OUTBOUND_ANSWER_MAX = 1 << 20 };

struct outbound;

/* The caller's memory, until `done`. Everything given to it is copied. */
struct outbound_call {
    struct list link;
    struct outbound *outbound;
    struct outbound_host *host;
    struct curl_transfer transfer;
    struct curl_slist *headers;
    uint64_t started_ms;
    enum err err;             /* how it ended, until `done` */
    bool failed;              /* a header or body did not fit */
    char fault[CURL_ERROR_SIZE];   /* libcurl's words; while it runs */
    void (*done)(struct outbound_call *call, enum err err);
    void *arg;

    /* Set before `done`. OK: there is a whole answer, whatever its status. ERR_UNAVAILABLE, ERR_TIMEOUT,
     * ERR_CLOSED before sending: the other side was not asked. ERR_UNCERTAIN: it was, and what became of it
     * is not known (no answer in time, cut off, or longer than OUTBOUND_ANSWER_MAX). */
    int status;
    struct buf answer;        /* valid during `done` */
};

/* ca_file: see curl_loop_new. */
struct outbound *outbound_new(uv_loop_t *loop, const char *ca_file, int per_host_max, int waiting_max);
/* Calls under way and waiting end with ERR_CLOSED or ERR_UNCERTAIN at the next turn, later ones are refused.
 * Frees itself; `closed` comes when the last `done` has. */
void outbound_close(struct outbound *o, void (*closed)(void *arg), void *arg);

void outbound_call_init(struct outbound_call *call, const char *method, struct str url,
                        void (*done)(struct outbound_call *call, enum err err), void *arg);
/* "Name: value"; line ends make the call fail with ERR_INVALID at outbound_start. */
void outbound_header(struct outbound_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
void outbound_body(struct outbound_call *call, const char *content_type, struct str body);
void outbound_json(struct outbound_call *call, struct str body);

/* OK: done comes once, later. ERR_FULL: too many wait for this host; ERR_CLOSED; ERR_INVALID: no URL of http or
 * https, or a malformed header. Then done does not come, and the call is released. */
enum err outbound_start(struct outbound *o, struct outbound_call *call);
/* For a call that is not to be started after all. */
void outbound_call_drop(struct outbound_call *call);
