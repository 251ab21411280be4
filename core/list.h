/* A doubly linked list whose links stand in its members. Being in no list is being linked to
 * oneself, so unlinking twice is harmless. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

#define list_entry(link, type, member) ((type *) ((char *) (link) - offsetof(type, member)))

/* The body may unlink (and free) the member it stands on, but no other. */
#define list_each(head, it) \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head); \
         it = it##_next, it##_next = it->next)

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_append(struct list *head, struct list *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static inline void list_unlink(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

static inline struct list *list_first(const struct list *head)
{
    return list_empty(head) ? NULL : head->next;
}

static inline struct list *list_shift(struct list *head)
{
    struct list *l = list_first(head);
    if (l) list_unlink(l);
    return l;
}

/* Moves all members of `from` behind those of `to`; `from` is empty then. */
static inline void list_move(struct list *to, struct list *from)
{
    if (list_empty(from)) return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}
