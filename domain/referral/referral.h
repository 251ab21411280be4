/* Referrals: somebody who came by another's code earns that other one points, once, as soon as he has
 * proved who he is.
 *
 * How other capabilities take part, whatever surface a person signs up on:
 *   - the statement that makes him calls use_referral_code(person, code, at_once), at_once being
 *     settings.open;
 *   - the statement that verifies one of his identities calls identity_proved(person, kind, value);
 *   - when that said true (or at_once was true), the handler calls referral_settle after the commit
 *     and answers when it is through.
 * From identity_proved on the reward is owed by a row of its own. A process that dies before it has
 * settled loses nothing: every process looks for what is owed, at its start and every few seconds. */
#pragma once

#include "domain/app.h"

struct referrals;

struct referrals *referrals_new(struct app *app);
/* Ends what is under way, then frees itself; before the ledger is closed. */
void referrals_close(struct referrals *r, void (*closed)(void *arg), void *arg);

/* Rewards whoever brought this person, if that is due. OK: `done` comes once, later, when the reward
 * is committed and memory shows it, or when it could not be now; then it will be before long, and
 * there is nothing for the caller to do about it. Any other result: `done` will not come; the same
 * holds. */
enum err referral_settle(struct referrals *r, int64_t person, void (*done)(void *arg), void *arg);
