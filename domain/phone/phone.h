/* Phone numbers and the codes that prove them. */
#pragma once

#include "core/digest.h"
#include "domain/app.h"

/* In the document: of phone_take(), and of the rows that send codes. */
#define PHONE_FORMAT "400 PhoneFormatErr"
#define PHONE_TOO_MANY "429 Too many OTP requests"

enum { PHONE_CHARS_MAX = 15, PHONE_CODE_DIGITS = 6 };

/* The one form of a number on all surfaces: 8 to 15 digits. As written it may begin with '+'; a leading 0 is replaced
 * by the country's digits. False when it is no number. Pure. */
bool phone_normalise(struct str text, const char *country, char out[PHONE_CHARS_MAX + 1]);

/* A field's number in place of what was sent; true also when the field was not sent. Otherwise the request has been
 * answered with 400 PhoneFormatErr. */
bool phone_take(struct http_request *req, struct value *value);

/* A code by SMS, and the hash under which it is kept: of six digits a plain hash could be tried out, so it is a MAC
 * with the server's secret over `scope` (whose code it is) and the digits. */
struct phone_code {
    struct str text;                 /* of the message; in the arena */
    uint8_t hash[SHA256_BYTES];
};
struct phone_code phone_code_new(const struct app *app, struct arena *arena, struct str scope);
/* What a code that somebody sends is compared by. */
void phone_code_hash(const struct app *app, struct str scope, struct str digits, uint8_t out[SHA256_BYTES]);

extern const struct endpoint phone_endpoints[];
