/* Outbound mail over libcurl's multi-socket interface on the loop, or files in an outbox directory
 * when no server is configured (the newest 1,000 are kept). This part sends one mail when told to;
 * queueing and retries are the caller's, in tables that survive a restart. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "core/err.h"
#include "core/str.h"

struct mailer_options {
    const char *host;            /* NULL: files */
    int port;
    bool tls_first;              /* TLS from the start; otherwise STARTTLS when offered, demanded with a password */
    const char *ca_file;         /* NULL, or see curl_loop_new */
    const char *user, *password; /* NULL: no log-in */
    const char *from;
    const char *outbox_dir;      /* created when missing */
    int parallel_max;            /* sessions at once */
};

struct mail {
    struct str to, subject, text, html;   /* html may be empty: then text/plain alone */
    int64_t id;                           /* for Message-ID and the file's name: the same mail twice can be told */
};

struct mailer;

/* NULL with *fault (static text) when the outbox directory cannot be used. */
struct mailer *mailer_new(uv_loop_t *loop, const struct mailer_options *options, const char **fault);
/* OK: done comes once, later: OK, ERR_UNAVAILABLE (try again), or ERR_INVALID (the server refused it for good; also
 * an address with CR or LF). ERR_FULL: parallel_max are under way, done will not come. The mail is copied. */
enum err mailer_send(struct mailer *m, const struct mail *mail, void (*done)(void *arg, enum err err), void *arg);
void mailer_close(struct mailer *m);      /* mails under way get ERR_CLOSED; frees itself */
