/* The queue of mails: rows of mail_outbox, given to the mailer. Whoever writes one calls outbox_wake(app->outbox). */
#pragma once

#include "domain/outbox/outbox.h"

struct outbox *mail_outbox_new(struct app *app, struct mailer *mailer);
