/* What the files of signin share. */
#pragma once

#include "core/digest.h"
#include "domain/signin/signin.h"
#include "domain/signin/steps.h"

void signin_register(struct http_request *req);        /* BANK-01 */
void signin_login(struct http_request *req);           /* BANK-02 */
void signin_auth(struct http_request *req);            /* USR-01 */
void signin_logout(struct http_request *req);          /* BANK-20 */
void signin_me(struct http_request *req);              /* BANK-21 */
void signin_verify_email(struct http_request *req);    /* BANK-26 */
void signin_verify_resend(struct http_request *req);
void signin_extend(struct http_request *req);          /* USR-08 */
void signin_show(struct http_request *req);            /* USR-09 */
void signin_logoff(struct http_request *req);          /* USR-10 */

/* Answers with the session as the bank surface does, token and cookie, or with what came instead. */
void signin_reply(struct signin_steps *s, int status, const char *message, enum err err);

/* Hashes the password anew, after the answer, when its hash was weak. Best effort; copies what it
 * needs. */
void signin_rehash(struct app *app, int64_t user, struct str password, struct str old_hash);
