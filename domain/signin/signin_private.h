/* What the files of signin share. */
#pragma once

#include "core/digest.h"
#include "core/password.h"
#include "domain/app.h"
#include "domain/signin/signin.h"

enum { SIGNIN_RETRY_S = 2 };   /* Retry-After while too many passwords wait to be hashed */

void signin_register(struct http_request *req);        /* BANK-01 */
void signin_login(struct http_request *req);           /* BANK-02 */
void signin_logout(struct http_request *req);          /* BANK-20 */
void signin_me(struct http_request *req);              /* BANK-21 */
void signin_verify(struct http_request *req);          /* BANK-26 */
void signin_verify_resend(struct http_request *req);

/* What came out of a flow: a session, or a refusal with its own words (message NULL: what the error
 * says). */
struct signin_result {
    const struct person *person;
    struct str jti;                  /* in the request's arena */
    int64_t issued_s, expires_s;
    int refusal, retry_after_s;
    const char *message;
};
/* Ends the flow with a refusal. */
void signin_refuse(struct signin_result *r, int status, const char *message, int retry_after_s);
/* Answers: the session with token and cookie, or the refusal, or the error. */
void signin_reply(struct http_request *req, int status, const char *message, const struct signin_result *r,
                  enum err err);

/* What PostgreSQL refused, for the log: once, at the cause. */
void signin_log_sql(const struct http_request *req, const char *step, enum err err, const struct db_result *r);

/* A new link for verifying an e-mail, and the hash under which it is kept. */
struct signin_link {
    struct str url;                  /* in the arena */
    uint8_t hash[SHA256_BYTES];
};
struct signin_link signin_link_new(const struct app *app, struct arena *arena);

/* Hashes the password anew, after the answer, when its hash was weak. Best effort; copies what it
 * needs. */
void signin_rehash(struct app *app, int64_t user, struct str password, struct str old_hash);
