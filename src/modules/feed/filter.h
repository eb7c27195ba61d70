/*
 * What one subscriber wants to see, and who it is. Immutable and counted by reference: the pages read for it on workers share it.
 */
#ifndef FEED_FILTER_H
#define FEED_FILTER_H

#include "core/space.h"

struct filter_record {
    stet_view type;
    stet_view id;
};

struct filter {
    atomic_uint refs;
    stet_actor actor;
    size_t type_count;
    size_t record_count;
    stet_view *types;              /* Behind the struct, in the same block, as all its texts. */
    struct filter_record *records; /* Likewise. */
};

/* Owned: filter_unref. Errors as feed_subscribe. */
stet_status filter_create(const struct space *space, const stet_actor *actor,
                          const stet_feed_options *options, struct filter **filter,
                          stet_error *err);
struct filter *filter_ref(struct filter *filter);
void filter_unref(struct filter *filter);

/* Whether a change is for this subscriber. Without names: everything but system types. Any thread. */
bool filter_matches(const struct filter *filter, const struct space *space,
                    const struct store_change *change);

/* Whether changes of a type may be for it: whose pruning it has to be told of. */
bool filter_follows(const struct filter *filter, stet_view type);

#endif
