/* What the flows of people have in common: statements run, a password is hashed or verified, and it ends with a
 * session, with a refusal in its own words, or with an error.
 *
 *     struct login { struct signin_steps steps; … };
 *     signin_start(&l->steps, req, login_steps, finished, l);
 *
 * Callbacks of statements get the flow's own struct (`l`). Only the last two calls may be made from `finished`. */
#pragma once

#include "core/flow.h"
#include "core/password.h"
#include "domain/app.h"

enum { SIGNIN_RETRY_S = 2 };   /* Retry-After while too many passwords wait to be hashed */

/* What came out of a flow: a session, or a refusal with its own words (message NULL: what the error
 * says). */
struct signin_result {
    const struct person *person;
    struct str jti;                  /* in the request's arena */
    int64_t issued_s, expires_s;
    int refusal, retry_after_s;
    const char *message;
};

struct signin_steps {
    struct flow flow;
    struct http_request *req;
    struct password_job password;
    struct signin_result result;
};

void signin_start(struct signin_steps *s, struct http_request *req, const struct flow_step *steps,
                  void (*finished)(void *arg, enum err err), void *arg);

/* Steps end with these. */
enum flow_result signin_exec(struct signin_steps *s, const struct sql *sql, const struct db_args *args, db_done done);
enum flow_result signin_hash(struct signin_steps *s, struct str password);
/* s->password tells. A password that is too long, or no hash, costs the same time and matches nothing. */
enum flow_result signin_verify(struct signin_steps *s, struct str password, struct str hash);

/* From a statement's callback: ends the flow. */
void signin_refuse(struct signin_steps *s, int status, const char *message);
void signin_refuse_retry(struct signin_steps *s, int status, const char *message, int retry_after_s);
void signin_sql_failed(struct signin_steps *s, enum err err, const struct db_result *result);
/* The session that a statement has written: jti, issued and expiry in seconds, in this and the next two columns. */
void signin_take_session(struct signin_steps *s, int64_t user, const struct db_result *result, int column);

/* True when the flow ended with a refusal or an error, which has been answered. */
bool signin_refused(struct signin_steps *s, enum err err);
/* The token of the session. */
struct str signin_token(struct signin_steps *s);
