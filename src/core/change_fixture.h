/*
 * For tests: numbered changes, and a space that has nothing but a ring.
 */
#ifndef CORE_CHANGE_FIXTURE_H
#define CORE_CHANGE_FIXTURE_H

#include "base/view.h"
#include "core/space.h"

#include <stdlib.h>

/* A change of one record at a seq, alone in its transaction. data NULL: a delete. */
static inline struct change *fixture_change(const char *type, const char *id, uint64_t seq,
                                            uint64_t version, const char *data) {
    struct change *change = change_create(&(struct change_parts){
        .op = data == NULL   ? STORE_DELETE
              : version == 1 ? STORE_CREATE
                             : STORE_UPDATE,
        .type = view_of(type),
        .id = view_of(id),
        .by = VIEW("ann"),
        .data = view_of(data == NULL ? "{}" : data),
        .base_version = version - 1,
    });
    if (change == NULL) abort();
    change->row.seq = seq;
    change->row.transaction = seq;
    change->row.version = version;
    change->row.ordinal = version;
    change->row.stamp = (int64_t)seq * 1000;
    return change;
}

static inline void fixture_space_init(struct space *space, uint64_t instance, uint64_t published) {
    *space = (struct space){.instance = instance};
    if (ring_init(&space->ring, published) != STET_OK) abort();
}

#endif
