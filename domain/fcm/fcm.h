/* Pushes to devices: whoever wants one sent writes rows into push_outbox (in the
 * same transaction as what it is about) and calls outbox_wake(app->pushes). Firebase Cloud Messaging sends
 * them, or, when there is no service account, they are files in data/outbox/push. */
#pragma once

#include "domain/outbox/outbox.h"

struct fcm;

/* NULL with *fault when the directory cannot be used or the key file is no service account. Sets app->pushes. */
struct fcm *fcm_new(struct app *app, const char **fault);
void fcm_free(struct fcm *f);   /* after app->pushes was closed */

struct push_message {
    struct str token, title, body;
    struct str data;             /* a JSON object of texts, or STR_NONE */
};
/* OK: done comes once, later: OK; ERR_INVALID: the device is gone, its token has been removed; any other: not now.
 * ERR_FULL …: it will not come. */
enum err fcm_send(struct fcm *f, const struct push_message *m, void (*done)(void *arg, enum err err), void *arg);

extern const struct endpoint fcm_endpoints[];
