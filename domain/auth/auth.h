/* Who is calling: tokens, Basic keys, and who may call what.
 *
 * Tokens are checked against the book and the set of revoked ones, both in memory and kept by the
 * change stream; while the stream is not live but the database answers, the database is asked;
 * while the database is away, memory answers. Verified tokens and keys are cached, so that a
 * request costs a hash and a compare. */
#pragma once

#include "domain/app.h"

/* endpoint.auth: who may call. Zero is everybody, without looking at a token. */
enum auth_rule {
    AUTH_NONE,
    AUTH_OPTIONAL,        /* a token may be sent; a bad one is 401 all the same */
    AUTH_CUSTOMER,        /* a customer's token, as Bearer or cookie */
    AUTH_CUSTOMER_QUERY,  /* the same, or as query parameter `token` */
    AUTH_ADMIN,           /* a customer with the admin flag, or staff that administers points */
    AUTH_FUNDS,           /* system user or key with scope system; any customer with TALLY_OPEN */
    AUTH_SYSTEM,          /* system user or key with scope system */
    AUTH_KEY_POINTS,      /* Basic key with the scope */
    AUTH_REWARDS,         /* Basic key with the scope, or a customer with the admin flag; anybody with TALLY_OPEN */
    AUTH_KEY_USERSTATE,
    AUTH_METRICS,         /* by TALLY_METRICS: loopback, key (scope system), all */
    AUTH_CALLBACK,        /* the payment provider: header x-callback-token */
    AUTH_RULE_COUNT
};

enum auth_scope { SCOPE_USERSTATE = 1, SCOPE_POINTS = 2, SCOPE_SYSTEM = 4, SCOPE_REWARDS = 8, SCOPE_ALL = 15 };

enum { JTI_CHARS = 24 };

/* request.caller after the gate; NULL for AUTH_NONE, and without a token for AUTH_OPTIONAL and AUTH_REWARDS. */
struct caller {
    int64_t user;                 /* users.id, 0 for a key */
    int64_t key;                  /* api_keys.id, 0 for a token */
    unsigned scopes;              /* of the key */
    const struct person *person;  /* of the user; valid while the book is */
    char jti[JTI_CHARS];
    int64_t expires_s;
};

/* The caller of an endpoint that needs one; never NULL there. (Not for AUTH_REWARDS: open, it needs none.) */
const struct caller *caller_of(const struct http_request *req);
/* Whose idempotency keys these are: "u17", "k3", or "anybody" without a caller. */
struct str caller_scope(const struct caller *c, struct arena *arena);

struct auth *auth_new(struct app *app, struct str jwt_secret);
void auth_free(struct auth *a);

/* For http_options.authenticate and .auth_schemes. */
void auth_gate(struct http_request *req);
const char *auth_schemes(int rule);

/* Checks a customer's token, wherever it came from. `done` comes once, possibly before the call
 * returns (then *who is already set and the result is not AUTH_WAIT). AUTH_NO: bad, expired or
 * revoked. AUTH_AWAY: cannot be told now (503). */
enum auth_result { AUTH_YES, AUTH_NO, AUTH_AWAY, AUTH_WAIT };
typedef void (*auth_done)(void *arg, enum auth_result result, const struct caller *who);
enum auth_result auth_token(struct auth *a, struct str token, struct caller *who, auth_done done, void *arg);
/* The same for a Basic key: `credentials` is "holder:key". */
enum auth_result auth_key(struct auth *a, struct str credentials, struct caller *who, auth_done done, void *arg);

/* A token for a session row that has just been written (its jti comes from the database). */
struct str auth_sign(struct auth *a, const struct person *person, struct str jti, int64_t issued_s, int64_t expires_s,
                     struct arena *arena);
/* The same without a server: for operator commands. Only the person's id, username and is_agent are
 * looked at. */
struct str auth_sign_with(const struct hmac_key *secret, const struct pid_key *pids, const struct person *person,
                          struct str jti, int64_t issued_s, int64_t expires_s, struct arena *arena);
/* A MAC with the server's secret, the same in every process. No text that a token signs has a ':', so neither stands
 * for the other as long as `text` has one. */
void auth_mac(const struct auth *a, struct str text, uint8_t out[SHA256_BYTES]);
/* Set-Cookie for register and log-in, and the one that clears it. */
void auth_set_cookie(struct http_request *req, struct str token);
void auth_clear_cookie(struct http_request *req);
/* Whether a cookie may be the proof: the request comes from no page, a page of ours, or one of an
 * origin allowed by name. */
bool auth_origin_good(const struct http_request *req);

/* From the change stream and from our own commits, in any order, repeats are harmless. */
void auth_revoked(struct auth *a, struct str jti, int64_t expires_s);
void auth_key_changed(struct auth *a);            /* forgets all cached keys */
/* Whether a token that was good when a socket opened still is (revoked, user disabled, password
 * changed). */
bool auth_still_good(const struct auth *a, const struct caller *c);
