/* A service account's key file, and what is made of it. Pure. */
#pragma once

#include "core/arena.h"
#include "core/err.h"

struct fcm_account {
    struct str project, email, private_key, token_uri;
};

/* OK and the members of {"type":"service_account", …}, in the arena, or ERR_INVALID. */
enum err fcm_account_read(struct str json, struct arena *arena, struct fcm_account *out);
/* The body of the request for an access token: a JWT signed with the account's key (RS256), good for an hour from
 * now_s. STR_NONE when the key is none. */
struct str fcm_assertion(const struct fcm_account *a, int64_t now_s, struct arena *arena);
/* The answer to it: the token and for how many seconds it is good. */
enum err fcm_read_token(struct str body, struct arena *arena, struct str *token, int64_t *seconds);
/* What an answer to a message means: OK, ERR_INVALID (the device is gone), ERR_UNAVAILABLE (again later), ERR_CLOSED
 * (the access token is not good any more). */
enum err fcm_read_answer(int status, struct str body);
