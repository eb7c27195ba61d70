/* What spans.c and spans_check.c share. */
#ifndef CORE_SPANS_INTERNAL_H
#define CORE_SPANS_INTERNAL_H

#include "core/spans.h"

/* A span that the command at hand adds or takes away. */
struct pending_slot {
    uint32_t index;
    stet_view resource;
    struct slot slot;
    stet_view key;
    bool remove;
    size_t order; /* In the batch. */
};

/* Both sorted by index, resource and begin. */
struct pending {
    struct pending_slot *adds;
    size_t add_count;
    struct pending_slot *removes;
    size_t remove_count;
    int64_t longest; /* Of the adds. */
};

/* What the command at hand comes to so far. In the arena. */
stet_status pending_make(struct arena *arena, const struct batch *batch, struct pending *pending,
                         stet_error *err);

/* The cache of an index, with what is pending laid over it. */
struct span_source {
    struct slot_source source;
    struct space *space;
    const struct batch *batch;
    uint32_t index;
    const struct pending *pending;
    const struct pending_slot *self; /* The one that is judged, which is not in its own way. */
};
/* pending: may be NULL. now: held spans count until theirs is over. */
void span_source_init(struct span_source *source, struct space *space, const struct batch *batch,
                      uint32_t index, const struct pending *pending, int64_t now);

#endif
