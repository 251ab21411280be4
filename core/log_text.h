/* Texts that come from outside, made fit for a log line. Only core/log*.c include this. */
#pragma once

#include "core/buf.h"

/* As a JSON string; bytes that are no UTF-8, NUL, and control characters above U+007E
 * become '?'. */
void log_put_json(struct buf *b, struct str s);
/* As it stands, all control characters and broken bytes replaced by '?'. */
void log_put_plain(struct buf *b, struct str s);
/* As it stands when it is one plain word, otherwise quoted. */
void log_put_word(struct buf *b, struct str s);
