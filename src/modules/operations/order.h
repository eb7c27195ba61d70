/*
 * The order inside a level of a lane, and the treaps that keep it: by level, with sizes, and by line. A treap is a search tree by the
 * order and a heap by priorities that look random (a hash of the turn), so that it is balanced whatever comes (Seidel, Aragon,
 * "Randomized Search Trees", Algorithmica 1996). No parent pointers: an entry is found by its key. Pure memory.
 */
#ifndef MODULES_OPERATIONS_ORDER_H
#define MODULES_OPERATIONS_ORDER_H

#include "modules/operations/queue.h"

enum order_tree { ORDER_BY_LEVEL, ORDER_BY_LINE };

/* Whether a stands before b, both of one level of one lane. */
bool order_before(const struct queue_entry *a, const struct queue_entry *b);

void order_insert(struct queue_entry **root, enum order_tree tree, struct queue_entry *entry);
/* Of a tree it is in. */
void order_remove(struct queue_entry **root, enum order_tree tree, struct queue_entry *entry);
/* Takes out the root: the quick way to empty a tree, in no particular order. */
struct queue_entry *order_pop_any(struct queue_entry **root, enum order_tree tree);

/* NULL: none. */
struct queue_entry *order_first(struct queue_entry *root, enum order_tree tree);
/* The first behind an entry, which need not be in the tree. */
struct queue_entry *order_after(struct queue_entry *root, enum order_tree tree,
                                const struct queue_entry *entry);
/* How many stand before an entry, which need not be in the tree. By level only. */
size_t order_rank(const struct queue_entry *root, const struct queue_entry *entry);
/* One that is to be lifted by then; NULL: none is. By level only. */
struct queue_entry *order_due(struct queue_entry *root, int64_t now);
/* Fair lanes: the tag of the first that was not lifted; false: there is none. By level only. */
bool order_own_tag(const struct queue_entry *root, uint64_t *tag);

/* When an entry at a level is to be lifted next; QUEUE_NEVER: not at all. */
int64_t order_next_lift(const struct queue_entry *entry);

#endif
