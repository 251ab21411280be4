/* A mail as text: RFC 5322 headers, MIME bodies in UTF-8. Pure. */
#pragma once

#include "core/buf.h"
#include "core/mail.h"

/* "Tally <no-reply@example.com>" or the address alone; the parts point into the text. False when
 * the address could not be one. */
struct mail_sender {
    struct str name, address, domain;
};
bool mail_sender_read(struct str from, struct mail_sender *out);

/* Something@something of printable ASCII without blanks and brackets, at most 254 characters. Says
 * that it can do no harm in a command or header, not that it exists. */
bool mail_address_is_safe(struct str address);

/* Lines end in CRLF, none is longer than 998 bytes. A mail of the same id and content gets the
 * same Message-ID, so that a mail sent twice can be told. */
void mail_message_write(struct buf *out, const struct mail *mail, const struct mail_sender *from, int64_t wall_s);
