/* Who has what, in memory. An account is in one map by id and on its owner's list by ascending id; the
 * few with a code are found by that, those of rewards members by the member's id. Entries are never removed (accounts
 * are closed, not deleted), so a pointer into the book stays good until book_fini, and all live in one
 * arena: a million accounts cost their own size and a slot of the map.
 *
 * What may come in any order is put right here: an account may be told before its owner (it waits
 * among the strays), and states of an account may come twice or late (only newer versions count). */
#include "domain/book/book.h"

#include <string.h>

#include "core/mem.h"
#include "core/must.h"

void book_init(struct book *b)
{
    *b = (struct book){ 0 };
    map_init(&b->accounts);
    map_init(&b->people);
    map_init(&b->strays);
    map_init(&b->members);
    random_bytes(b->members_key, sizeof b->members_key);
    arena_init(&b->arena);
}

void book_fini(struct book *b)
{
    struct person *p;
    for (size_t i = 0; (p = map_next(&b->people, &i));) mem_free(p->username);
    for (int i = 0; i < b->system_count; i++) mem_free(b->system_codes[i]);
    map_fini(&b->accounts);
    map_fini(&b->people);
    map_fini(&b->strays);
    map_fini(&b->members);
    arena_fini(&b->arena);
    *b = (struct book){ 0 };
}

struct account *book_account(const struct book *b, int64_t id)
{
    return map_get(&b->accounts, (uint64_t) id);
}

struct person *book_person(const struct book *b, int64_t id)
{
    return map_get(&b->people, (uint64_t) id);
}

struct account *book_system(const struct book *b, struct str code)
{
    for (int i = 0; i < b->system_count; i++) {
        if (str_eq(str_from(b->system_codes[i]), code)) return b->system[i];
    }
    return NULL;
}

struct account *book_owned(const struct book *b, int64_t user, enum account_kind kind)
{
    const struct person *p = book_person(b, user);
    for (struct account *a = p ? p->accounts : NULL; a; a = a->next) {
        if (a->kind == kind && a->status != ACCOUNT_CLOSED) return a;
    }
    return NULL;
}

/* Members -------------------------------------------------------------------------------------- */

/* Their ids are chosen by callers: only a keyed hash cannot be made to collide. */
static uint64_t member_key(const struct book *b, struct str id)
{
    return siphash(b->members_key, id.p, id.n);
}

struct str member_id(const struct reward_member *m)
{
    return (struct str){ m->id, m->id_bytes };
}

const struct reward_member *member_of(const struct account *a)
{
    must(a->kind == ACCOUNT_REWARD_POINTS);
    return (const struct reward_member *) a;
}

struct reward_member *book_member(const struct book *b, struct str id)
{
    struct account *a = map_get(&b->members, member_key(b, id));
    while (a && !str_eq(member_id(member_of(a)), id)) a = a->next;
    return (struct reward_member *) a;
}

static struct account *new_member(struct book *b, struct str id)
{
    must(id.n > 0 && id.n <= MEMBER_ID_MAX);
    struct reward_member *m = arena_alloc(&b->arena, sizeof *m + id.n);
    m->id_bytes = (uint8_t) id.n;
    memcpy(m->id, id.p, id.n);
    return &m->account;
}

/* Accounts ------------------------------------------------------------------------------------- */

static void link_by_id(struct account **list, struct account *a)
{
    while (*list && (*list)->id < a->id) list = &(*list)->next;
    a->next = *list;
    *list = a;
}

static void give_to_owner(struct book *b, struct account *a)
{
    struct person *owner = book_person(b, a->owner);
    if (owner) {
        link_by_id(&owner->accounts, a);
        return;
    }
    struct account *strays = map_get(&b->strays, (uint64_t) a->owner);
    link_by_id(&strays, a);
    map_set(&b->strays, (uint64_t) a->owner, strays);
}

static void put_code(struct book *b, struct account *a, struct str code)
{
    if (!code.p || book_system(b, code)) return;
    int max = (int) (sizeof b->system / sizeof *b->system);
    must(b->system_count < max);
    char *copy = mem_alloc(code.n + 1);
    memcpy(copy, code.p, code.n);
    b->system[b->system_count] = a;
    b->system_codes[b->system_count++] = copy;
}

static void enter(struct book *b, struct account *a, const struct account *row)
{
    *a = *row;
    a->next = NULL;
    a->forecast = NULL;
    map_set(&b->accounts, (uint64_t) a->id, a);
    if (a->owner) give_to_owner(b, a);
}

static void renew(struct account *a, const struct account *row)
{
    if (row->version > a->version) {
        a->balance = row->balance;
        a->version = row->version;
        a->lifetime = row->lifetime;
    }
    if (row->updated_us > a->updated_us) a->updated_us = row->updated_us;
    if (row->pushed > a->pushed) a->pushed = row->pushed;
    a->status = row->status;
}

struct account *book_put_account(struct book *b, const struct account *row, struct str code)
{
    struct account *a = book_account(b, row->id);
    must(row->kind != ACCOUNT_REWARD_POINTS);
    if (a) {
        renew(a, row);
    } else {
        a = arena_new(&b->arena, struct account);
        enter(b, a, row);
    }
    put_code(b, a, code);
    return a;
}

struct account *book_put_member(struct book *b, const struct account *row, struct str id)
{
    struct account *a = book_account(b, row->id);
    must(row->kind == ACCOUNT_REWARD_POINTS && row->owner == 0);
    if (a) {
        renew(a, row);
        return a;
    }
    a = new_member(b, id);
    enter(b, a, row);
    a->next = map_set(&b->members, member_key(b, id), a);
    return a;
}

bool book_move(struct book *b, int64_t account, int64_t balance, int64_t version, int64_t lifetime, int64_t at_us)
{
    struct account *a = book_account(b, account);
    if (!a || a->unbounded || version <= a->version) return false;
    a->balance = balance;
    a->version = version;
    a->lifetime = lifetime;
    if (at_us > a->updated_us) a->updated_us = at_us;
    return true;
}

/* The three texts lie behind one another in one block, which username owns. */
static void copy_texts(struct person *p, const struct person *row)
{
    const char *name = row->name ? row->name : "", *username = row->username ? row->username : "";
    size_t username_bytes = strlen(username) + 1, name_bytes = strlen(name) + 1;
    size_t email_bytes = row->email ? strlen(row->email) + 1 : 0;
    char *block = mem_alloc(username_bytes + name_bytes + email_bytes);
    memcpy(block, username, username_bytes);
    memcpy(block + username_bytes, name, name_bytes);
    if (email_bytes) memcpy(block + username_bytes + name_bytes, row->email, email_bytes);
    mem_free(p->username);
    p->username = block;
    p->name = block + username_bytes;
    p->email = email_bytes ? block + username_bytes + name_bytes : NULL;
}

void person_put_referral_code(struct person *p, struct str code)
{
    memset(p->referral_code, 0, sizeof p->referral_code);
    if (code.n < sizeof p->referral_code) memcpy(p->referral_code, code.n ? code.p : "", code.n);
}

struct person *book_put_person(struct book *b, const struct person *row)
{
    struct person *p = book_person(b, row->id);
    if (!p) {
        p = arena_new(&b->arena, struct person);
        p->id = row->id;
        p->accounts = map_remove(&b->strays, (uint64_t) row->id);
        map_set(&b->people, (uint64_t) p->id, p);
    }
    if (row->inbox_seq > p->inbox_seq) p->inbox_seq = row->inbox_seq;
    if (row->version < p->version) return p;
    p->version = row->version;
    copy_texts(p, row);
    p->tokens_from_us = row->tokens_from_us;
    p->is_admin = row->is_admin;
    p->is_system = row->is_system;
    p->is_agent = row->is_agent;
    p->is_active = row->is_active;
    p->referrals = row->referrals;
    memcpy(p->referral_code, row->referral_code, sizeof p->referral_code);
    return p;
}
