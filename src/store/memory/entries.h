/*
 * Index entries of the memory driver: a skip list in the order of (index, key, record). See Pugh, "Skip lists: a probabilistic
 * alternative to balanced trees" (1990). Whatever can fail is done before a node is linked in.
 *
 * Thread: the caller's lock covers it.
 */
#ifndef STORE_MEMORY_ENTRIES_H
#define STORE_MEMORY_ENTRIES_H

#include "store/driver.h"

enum { ENTRIES_LEVELS = 20 };

struct entry_node {
    struct entry_node *previous;
    uint32_t index;
    unsigned levels;
    uint64_t record;
    stet_view key; /* Points behind `next`. */
    struct entry_node *next[];
};

struct entries {
    struct entry_node *first[ENTRIES_LEVELS];
    struct entry_node *last;
    uint64_t random;
};

void entries_done(struct entries *entries);

/* A node that is in no list; NULL when memory is out. Freed with free, or by the list it is linked into. */
struct entry_node *entries_make(struct entries *entries, const struct store_entry *entry);

/* Takes the node; frees it when there is an equal one. */
void entries_link(struct entries *entries, struct entry_node *node);
void entries_remove(struct entries *entries, uint32_t index, stet_view key, uint64_t record);

/* The first entry behind a place, or with `reverse` the last one before it; NULL when there is none. */
struct entry_node *entries_beside(const struct entries *entries, const struct store_place *place,
                                  bool reverse);

/* How a node compares with a place: <0, 0, >0. */
int entries_compare(const struct entry_node *node, const struct store_place *place);

#endif
