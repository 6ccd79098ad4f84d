/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list.h - an intrusive, circular, doubly linked list; a zeroed or removed node is not linked */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}
static inline bool list_empty(const struct list *head)
{
	return head->next == head || !head->next;
}
static inline bool list_linked(const struct list *n)
{
	return n->next != NULL;
}
static inline void list_append(struct list *head, struct list *n)
{
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}
static inline void list_remove(struct list *n) /* idempotent */
{
	if (!n->next)
		return;
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = NULL;
}
static inline size_t list_len(const struct list *head) /* walks it */
{
	size_t n = 0;

	for (const struct list *p = head->next; p && p != head; p = p->next)
		n++;
	return n;
}
#define list_entry(ptr, type, member) CONTAINER_OF(ptr, type, member)
/* the body may remove @it, and nothing else */
#define list_for_each(it, head, member)                                                            \
	for (typeof(it) it##_n_ = (it = list_entry((head)->next, typeof(*it), member),             \
				  list_entry(it->member.next, typeof(*it), member));               \
	     &it->member != (head);                                                                \
	     it = it##_n_, it##_n_ = list_entry(it->member.next, typeof(*it), member))
