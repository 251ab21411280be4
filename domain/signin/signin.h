/* Register, log in, log out, who am I, verify the e-mail: BANK-01, 02, 20, 21, 26 and USR-01, 08 to 11. */
#pragma once

#include "core/digest.h"
#include "domain/app.h"

extern const struct endpoint signin_endpoints[];            /* bank */
extern const struct endpoint signin_userstate_endpoints[];

/* In the document: of the rows that count attempts. */
#define SIGNIN_TOO_MANY "429 Too many attempts, try again later"

/* A link that works once, and the hash of its token, under which it is kept. */
struct signin_link {
    struct str token, url;           /* in the arena */
    uint8_t hash[SHA256_BYTES];
};
/* To `path` ("/verify-email") of the front end. */
struct signin_link signin_link_new(const struct app *app, struct arena *arena, const char *path);

/* The token of such a link, as Bearer or as one of two fields (query and body), and its hash; STR_NONE when there is
 * none, which has been answered with 401. */
struct str signin_special_token(struct http_request *req, const struct value *query, const struct value *body,
                                uint8_t hash[SHA256_BYTES]);

/* { "status": true, "message": …, "token": …, "agent": … }, the first two only with a message. */
void signin_reply_token(struct http_request *req, const char *message, struct str token, bool agent);
