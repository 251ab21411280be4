/* Passwords: argon2id (libsodium; t=1, m=46 MiB, p=1) on a work queue. Hashes brought along from
 * other systems ($2a$/$2b$/$2y$ bcrypt, through libcrypt) verify too and ask to be re-hashed. A
 * hash that would cost without end (bcrypt above 2^15 rounds, argon2 above 256 MiB or 16 passes)
 * matches nothing. */
#pragma once

#include "core/work.h"
#include "core/str.h"

enum { PASSWORD_HASH_BYTES = 128, PASSWORD_MAX_BYTES = 512 };

enum password_task { PASSWORD_HASH, PASSWORD_VERIFY };

struct password_job {
    struct work work;
    enum password_task task;
    char password[PASSWORD_MAX_BYTES + 1];      /* wiped when done */
    char hash[PASSWORD_HASH_BYTES];             /* out for HASH (terminated), in for VERIFY */
    bool matches;                               /* out for VERIFY */
    bool needs_rehash;                          /* out for VERIFY: matches, but old or weaker */
    uint64_t began_ms;                          /* out: monotonic, when the work began */
    enum err err;                               /* how the work ended; `done` is told */
    void (*done)(struct password_job *job, enum err err);
    void *arg;
};

/* Starts the job; it must live until done. An empty `hash` at VERIFY means "no such account": the
 * same work is done and nothing matches, so that time does not tell. ERR_FULL when the queue is at
 * its bound (the caller answers 503 with Retry-After), ERR_INVALID for a password that is too long or
 * contains a NUL. `done` gets ERR_UNAVAILABLE when the machine has no 46 MiB to spare just then. */
enum err password_start(struct work_queue *q, struct password_job *job, enum password_task task, struct str password,
                        struct str hash, void (*done)(struct password_job *job, enum err err), void *arg);

/* The same, on the caller's thread: for operator commands, never on the loop. */
bool password_hash_now(struct str password, char hash[PASSWORD_HASH_BYTES]);
