#include "domain/alerts/pending.h"

#include "core/mem.h"
#include "core/must.h"

void pending_init(struct pending *p, size_t people_max)
{
    *p = (struct pending){ .people_max = people_max };
    map_init(&p->people);
    map_init(&p->accounts);
    list_init(&p->fresh);
    list_init(&p->writing);
    list_init(&p->hushed);
    list_init(&p->unread);
}

static void forget_person(struct pending *p, struct alert_person *person)
{
    for (struct alert_account *a = person->accounts, *next; a; a = next) {
        next = a->next;
        list_unlink(&a->unread);
        map_remove(&p->accounts, (uint64_t) a->id);
        mem_free(a);
    }
    list_unlink(&person->link);
    map_remove(&p->people, (uint64_t) person->user);
    mem_free(person);
}

void pending_fini(struct pending *p)
{
    struct list *lists[] = { &p->fresh, &p->writing, &p->hushed };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        list_each(lists[i], it) forget_person(p, list_entry(it, struct alert_person, link));
    }
    must(list_empty(&p->unread));
    map_fini(&p->people);
    map_fini(&p->accounts);
}

static struct alert_person *find_person(struct pending *p, int64_t user)
{
    struct alert_person *person = map_get(&p->people, (uint64_t) user);
    if (person) return person;
    if (p->people.count >= p->people_max) {
        p->left_out = true;
        return NULL;
    }
    person = mem_new(struct alert_person);
    person->user = user;
    person->state = ALERT_FRESH;
    list_append(&p->fresh, &person->link);
    map_set(&p->people, (uint64_t) user, person);
    return person;
}

static struct alert_account *add_account(struct pending *p, struct alert_person *person, int64_t id, int64_t told)
{
    struct alert_account *a = mem_new(struct alert_account);
    a->id = id;
    a->person = person;
    a->told = a->newest = told;
    a->totals_known = true;
    list_init(&a->unread);
    a->next = person->accounts;
    person->accounts = a;
    map_set(&p->accounts, (uint64_t) id, a);
    return a;
}

/* Drops what was counted; the tables have it. */
static void read_again(struct pending *p, struct alert_account *a)
{
    a->count = a->in = a->out = 0;
    a->totals_known = true;
    a->read_to = a->newest;
    list_unlink(&a->unread);
    list_append(&p->unread, &a->unread);
}

void pending_note(struct pending *p, const struct alert_news *n)
{
    bool says = n->in || n->out;
    if (!says && !map_get(&p->people, (uint64_t) n->user)) return;
    struct alert_person *person = find_person(p, n->user);
    if (!person) return;
    struct alert_account *a = map_get(&p->accounts, (uint64_t) n->account);
    if (!a && !says) return;
    if (!a) a = add_account(p, person, n->account, n->version - 1);
    if (n->version <= a->newest) return;
    bool gap = n->version > a->newest + 1;
    a->newest = n->version;
    a->balance = n->balance;
    person->news = true;
    if (gap) {
        read_again(p, a);
    } else if (says) {
        a->count++;
        if (__builtin_add_overflow(a->in, n->in, &a->in) || __builtin_add_overflow(a->out, n->out, &a->out))
            a->totals_known = false;
    }
}

void pending_owe(struct pending *p, int64_t user, int64_t account, int64_t alerted, int64_t version, int64_t balance)
{
    struct alert_person *person = find_person(p, user);
    if (!person) return;
    struct alert_account *a = map_get(&p->accounts, (uint64_t) account);
    if (!a) a = add_account(p, person, account, alerted);
    if (version >= a->newest) {
        a->newest = version;
        a->balance = balance;
    }
    a->told = alerted;
    a->writing = 0;
    person->news = true;
    read_again(p, a);
    if (a->read_to <= a->told) list_unlink(&a->unread);   /* told by another; the stream is only late */
    if (person->state != ALERT_WRITING) return;
    person->state = ALERT_FRESH;
    list_unlink(&person->link);
    list_append(&p->fresh, &person->link);
}

void pending_read(struct alert_account *a, int64_t read_to, int64_t transfers, int64_t in, int64_t out)
{
    if (a->read_to != read_to) return;   /* another gap meanwhile: it is still unread */
    list_unlink(&a->unread);
    if (transfers < 0) {
        a->count += a->read_to - a->told;
        a->totals_known = false;
        return;
    }
    a->count += transfers;
    if (__builtin_add_overflow(a->in, in, &a->in) || __builtin_add_overflow(a->out, out, &a->out))
        a->totals_known = false;
}

static struct alert_person *start_writing(struct pending *p, struct alert_person *person)
{
    person->state = ALERT_WRITING;
    person->news = false;
    list_unlink(&person->link);
    list_append(&p->writing, &person->link);
    return person;
}

struct alert_person *pending_take(struct pending *p, uint64_t now_ms, bool all)
{
    list_each(&p->hushed, it) {
        struct alert_person *person = list_entry(it, struct alert_person, link);
        bool over = person->hushed_until_ms <= now_ms;
        if (!over && !all) break;
        if (person->news) return start_writing(p, person);
        if (over || all) forget_person(p, person);
    }
    struct list *first = list_first(&p->fresh);
    return first ? start_writing(p, list_entry(first, struct alert_person, link)) : NULL;
}

bool pending_figures(struct alert_account *a, struct alert_figures *f)
{
    must(list_empty(&a->unread) && !a->writing);
    if (a->newest <= a->told) return false;
    *f = (struct alert_figures){ a->count, a->in, a->out, a->balance, a->told, a->newest, a->totals_known };
    a->writing = a->newest;
    a->count = a->in = a->out = 0;
    a->totals_known = true;
    return true;
}

void pending_written(struct pending *p, uint64_t now_ms)
{
    list_each(&p->writing, it) {
        struct alert_person *person = list_entry(it, struct alert_person, link);
        for (struct alert_account *a = person->accounts; a; a = a->next) {
            if (a->writing) a->told = a->writing;
            a->writing = 0;
        }
        person->state = ALERT_HUSHED;
        person->hushed_until_ms = now_ms + ALERT_HUSH_MS;
        list_unlink(&person->link);
        list_append(&p->hushed, &person->link);
    }
}

void pending_failed(struct pending *p)
{
    list_each(&p->writing, it) {
        struct alert_person *person = list_entry(it, struct alert_person, link);
        for (struct alert_account *a = person->accounts; a; a = a->next) {
            if (a->writing) read_again(p, a);
            a->writing = 0;
        }
        person->news = true;
        person->state = ALERT_FRESH;
    }
    list_move(&p->fresh, &p->writing);
}
