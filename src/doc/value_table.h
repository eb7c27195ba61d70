/*
 * A table of JSON values that tells which are equal, for lists that are merged by what they hold. For this folder.
 *
 * Open addressing over doc_hash. That hash is no secret, so somebody can send values that collide; comparing those is counted,
 * and past MERGE_LIST_STEPS_MAX the table gives up. The count depends on the values alone.
 */
#ifndef DOC_VALUE_TABLE_H
#define DOC_VALUE_TABLE_H

#include "doc/doc.h"

struct table_value {
    const struct doc *doc;
    doc_node node;
    uint64_t hash;
};

struct table_slot {
    uint32_t tag;   /* The lower half of the hash: most of what differs is told apart here. */
    uint32_t index; /* Into values plus 1; 0: free. */
};

struct value_table {
    struct table_value *values; /* Distinct ones, in the order they were added. */
    uint32_t count;
    uint32_t capacity;
    struct table_slot *slots;
    uint32_t slot_mask;
    uint64_t steps; /* Comparisons that a good hash would have spared. */
};

/* values_max: how many are added at most. STET_OK or STET_NO_MEMORY. */
stet_status value_table_init(struct value_table *table, struct arena *arena, size_t values_max);

/* Adds a value unless an equal one is there. *index: its place in values. False: the table gave up. */
bool value_table_add(struct value_table *table, const struct doc *doc, doc_node node,
                     uint32_t *index);

#endif
