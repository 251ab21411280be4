/* Text messages: whoever wants one sent writes a row into sms_outbox (to_phone: digits, text), in the same
 * transaction as what it is about, and then calls outbox_wake(app->sms). SMSViro sends them, or, when it is not
 * configured, they are files in data/outbox/sms. */
#pragma once

#include "domain/outbox/outbox.h"

struct sms;

/* NULL with *fault (static text) when the outbox directory cannot be used. Sets app->sms. */
struct sms *sms_new(struct app *app, const char **fault);
void sms_free(struct sms *s);   /* after app->sms was closed */

/* SMSViro's answer to a message: OK, ERR_INVALID (refused for good), ERR_UNAVAILABLE (try again). */
enum err sms_read_answer(int status, struct str body);
