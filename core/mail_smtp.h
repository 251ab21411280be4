/* One mail to one receiver over one SMTP connection, on the loop. */
#pragma once

#include "core/curl_loop.h"
#include "core/err.h"
#include "core/str.h"

struct smtp_server {
    const char *url;              /* smtp://host:port/name-we-greet-with, or smtps:// */
    const char *user, *password;  /* NULL: no log-in; a password demands TLS */
};

struct smtp_envelope {
    struct str from, to;          /* safe addresses, see mail_message.h */
    struct str message;           /* lines end in CRLF */
};

/* How it ended: OK, ERR_UNAVAILABLE (may go another time) or ERR_INVALID (refused for good). For the log: `step` and
 * `code` tell where and by which reply (or libcurl's code while connecting), `why` in words what was wrong, until
 * `done` returns. No name or password is in them, but the server may have had a hand in the words. */
struct smtp_end {
    enum err err;
    const char *step;
    int code;
    struct str why;
};

struct smtp_session;

/* Copies the envelope, not the server. `done` comes once, later. */
struct smtp_session *smtp_start(uv_loop_t *loop, struct curl_loop *curl, const struct smtp_server *server,
                                const struct smtp_envelope *envelope,
                                void (*done)(void *arg, const struct smtp_end *end), void *arg);
/* Hangs up; `done` will not come. A mail that was not accepted yet is not delivered cut short. */
void smtp_cancel(struct smtp_session *s);
