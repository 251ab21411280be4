/* Becoming a customer by a proof: the sign-up waits until the link that was mailed or the code that was sent by SMS
 * comes back. USR-02, 03, 04, 60. */
#pragma once

#include "domain/app.h"

extern const struct endpoint signup_endpoints[];

/* What is wrong with a username that a person chooses, or NULL: A–Z a–z 0–9 . _ - only, and nothing that looks like
 * an id (all digits, or 24 hexadecimal characters). Its length is looked at elsewhere. Pure. */
const char *signup_name_fault(struct str name);
