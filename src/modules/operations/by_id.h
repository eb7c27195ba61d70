/*
 * Unfinished operations in the order of their ids, for lists: treaps like those of the queue (order.h), but nobody asks them for a rank.
 * Each operation is in the tree of the space and in its lane's, and in that of the held ones while somebody has it in hand, so that
 * the few that are worked on are found among the many that wait. Pure memory; nothing here can fail.
 */
#ifndef MODULES_OPERATIONS_BY_ID_H
#define MODULES_OPERATIONS_BY_ID_H

#include "stet.h"

#include <stdbool.h>

struct operation;

enum by_id_tree { BY_ID_SPACE, BY_ID_LANE, BY_ID_HELD };
#define BY_ID_TREES 3

/* operation->hash must be set: it is what balances the tree. */
void by_id_insert(struct operation **root, enum by_id_tree tree, struct operation *operation);
/* Of a tree it is in. */
void by_id_remove(struct operation **root, enum by_id_tree tree, struct operation *operation);
/* Shows those behind an id in order, until `visit` says false; answers whether it never did. */
bool by_id_walk(const struct operation *root, enum by_id_tree tree, stet_view after,
                bool (*visit)(void *context, const struct operation *operation), void *context);

#endif
