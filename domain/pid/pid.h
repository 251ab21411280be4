/* Public ids: 24 hexadecimal characters that stand for (kind, row id) by a keyed permutation of 96 bits.
 * No second index, no look-up, not enumerable; an id of another kind, or one that was made up, decodes to
 * nothing. */
#pragma once

#include "core/buf.h"
#include "core/digest.h"

enum pid_kind { PID_USER = 'u', PID_ACCOUNT = 'a', PID_TRANSFER = 't', PID_INBOX = 'i' };

enum { PID_CHARS = 24 };

struct pid_key {
    uint8_t rounds[4][SIPHASH_KEY_BYTES];
};

void pid_key_init(struct pid_key *key, const uint8_t secret[SHA256_BYTES]);
void pid_encode(const struct pid_key *key, enum pid_kind kind, int64_t id, char out[PID_CHARS]);
/* As a JSON string, where a value is wanted. */
void pid_json(struct buf *b, const struct pid_key *key, enum pid_kind kind, int64_t id);
int64_t pid_decode(const struct pid_key *key, enum pid_kind kind, struct str text);   /* -1: none */

/* Replaces each mark that SQL's pid(kind, id) wrote by the public id; appends to out. A fast copy when
 * there is none. */
void pid_expand(const struct pid_key *key, struct str text, struct buf *out);
