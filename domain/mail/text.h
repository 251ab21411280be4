/* What our mails say: plain text, and the same as simple HTML. Pure. Names are other people's words
 * sent to addresses that may be anybody's, so a name that could carry a message or a link of its
 * own is left out. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

struct mail_text {
    struct str subject, text, html;   /* in the arena; terminated by a NUL that is not counted */
};

/* After registration: a greeting and the link that proves the address. */
struct mail_text mail_text_welcome(struct arena *arena, struct str name, struct str link);
/* The link once more. */
struct mail_text mail_text_verify(struct arena *arena, struct str name, struct str link);

/* The link that confirms a sign-up, and the one to a new password. */
struct mail_text mail_text_signup(struct arena *arena, struct str name, struct str link);
struct mail_text mail_text_reset(struct arena *arena, struct str name, struct str link);

/* What moved on one account. */
struct mail_movement {
    struct str account;               /* its public id */
    int64_t count;                    /* transfers; 0 does not stand in a mail */
    int64_t in, out;                  /* totals in minor units */
    bool totals_known;                /* false: too many to add up */
    int64_t balance;                  /* after the newest */
};

/* A transfer alert. One movement of one transfer is told as such, anything else as a summary by
 * account. */
struct mail_text mail_text_alert(struct arena *arena, struct str name, struct str currency,
                                 const struct mail_movement *m, int count);

/* That a payment has been credited to the wallet. */
struct mail_text mail_text_receipt(struct arena *arena, struct str name, struct str currency, int64_t amount,
                                   struct str description, struct str reference);

/* The name as it may stand in a mail; STR_NONE when it had better not. */
struct str mail_text_name(struct str name);
/* Appends s as text of an HTML page. */
void mail_text_escape(struct buf *b, struct str s);
