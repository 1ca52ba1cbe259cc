/* list.h: a circular list whose links lie in its items. An item leaves it without knowing which list it is in.
 *
 * Invariants  A list is never NULL-linked: empty is a head that points to itself. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *next, *prev;
};

static inline void
link_init(struct link *head)
{
    head->next = head->prev = head;
}

static inline bool
link_empty(const struct link *head)
{
    return head->next == head;
}

/** Add at the end. */
static inline void
link_add(struct link *head, struct link *item)
{
    item->next = head;
    item->prev = head->prev;
    head->prev->next = item;
    head->prev = item;
}

static inline void
link_remove(struct link *item)
{
    item->next->prev = item->prev;
    item->prev->next = item->next;
}

/** The object of a type in which a member lies. */
#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

#endif
