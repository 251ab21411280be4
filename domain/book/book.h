/* The book: every user and every account in memory. Reads are answered from it, tokens are checked against
 * it, and the ledger predicts from it. It is loaded at start and kept by the change stream; an entry takes
 * only newer versions, and what this process commits is entered at once, so a client reads its own writes.
 * It never calls the database itself: domain/live feeds it. */
#pragma once

#include "core/arena.h"
#include "core/digest.h"
#include "core/map.h"
#include "domain/ledger/types.h"

enum { MEMBER_ID_MAX = 64 };

struct account {
    int64_t id, owner;            /* owner: users.id, 0 for system accounts */
    int64_t balance, version;     /* committed; version is the number of its transfers */
    int64_t lifetime;             /* points ever earned */
    int64_t pushed;               /* the version up to which the change stream has brought it: see domain/live */
    int64_t created_us, updated_us;
    struct account *next;         /* of the same owner, by ascending id; of a member: see members */
    struct forecast *forecast;    /* the ledger's prediction while batches are in flight, else NULL */
    uint8_t kind, asset, status;
    bool unbounded;               /* neither locked nor carrying a balance or version */
};

/* Of the rewards surface: an account of kind reward_points, and the name by which it is known. */
struct reward_member {
    struct account account;       /* first: each account of that kind is part of a member */
    uint8_t id_bytes;
    char id[];                    /* not terminated */
};

struct person {
    int64_t id;
    int64_t version;              /* of what follows, but accounts and inbox */
    int64_t tokens_from_us;       /* tokens issued before are void */
    int64_t inbox_seq;            /* newest number of the inbox that the stream has brought */
    struct account *accounts;     /* by ascending id */
    char *username, *name, *email;   /* email may be NULL */
    int64_t referrals;            /* people who used his code, pending ones included */
    char referral_code[9];        /* terminated; "" while there is none */
    bool is_admin, is_system, is_agent, is_active;
};

struct book {
    struct map accounts, people;  /* by id */
    struct map strays;            /* accounts whose owner is not known yet, by owner */
    struct map members;           /* by a keyed hash of their ids; those of one hash are linked by account.next */
    uint8_t members_key[SIPHASH_KEY_BYTES];
    struct arena arena;           /* accounts and people; they are never taken out again */
    struct account *system[16];   /* the few accounts with a code */
    char *system_codes[16];
    int system_count;
};

void book_init(struct book *b);
void book_fini(struct book *b);

struct account *book_account(const struct book *b, int64_t id);                  /* NULL: unknown here */
struct person *book_person(const struct book *b, int64_t id);
struct account *book_system(const struct book *b, struct str code);              /* "treasury"; NULL: unknown */
struct reward_member *book_member(const struct book *b, struct str id);                 /* NULL: unknown here */
struct str member_id(const struct reward_member *m);
/* Whose account of kind reward_points this is. */
const struct reward_member *member_of(const struct account *a);
/* The user's oldest account of the kind that is not closed, or NULL. */
struct account *book_owned(const struct book *b, int64_t user, enum account_kind kind);

/* Enters an account as the tables have it, or as a message told it; an older version changes nothing but
 * status, which comes in commit order. Returns the entry. `code` may be STR_NONE. */
struct account *book_put_account(struct book *b, const struct account *row, struct str code);
/* The same for an account of kind reward_points: `id` is its member's, 1 to MEMBER_ID_MAX bytes. */
struct account *book_put_member(struct book *b, const struct account *row, struct str id);
/* One side of a committed transfer: takes it when it is newer than what is known; false when it was not. */
bool book_move(struct book *b, int64_t account, int64_t balance, int64_t version, int64_t lifetime, int64_t at_us);

/* For filling a row that is to be entered; STR_NONE: there is none. */
void person_put_referral_code(struct person *p, struct str code);
/* Enters a user; texts are copied. What is older than what is known changes nothing; inbox_seq is only ever raised. */
struct person *book_put_person(struct book *b, const struct person *row);
