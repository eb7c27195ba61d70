/*
 * Who is concerned by a change: a hash table of topics, one for each type and each record that a subscriber of this client names,
 * and one topic for those that name nothing. A change looks at three topics, however many subscribers there are.
 *
 * Thread: the client's.
 */
#ifndef FEED_INDEX_H
#define FEED_INDEX_H

#include "modules/feed/filter.h"

struct topic;

/* A subscription's place in one topic. Part of the subscription's own memory. */
struct topic_node {
    struct stet_subscription *subscription;
    struct topic *topic;
    struct topic_node *next, *prev;
};

struct index {
    struct topic **buckets;
    size_t bucket_count; /* A power of two, or 0. */
    size_t count;
    struct topic_node *everything; /* Subscriptions that name nothing. */
};

void index_done(struct index *index); /* Every subscription has been removed. */

/* How many nodes a filter needs. */
size_t index_nodes(const struct filter *filter);

/* nodes: index_nodes of them, zeroed. STET_NO_MEMORY: nothing was added. */
stet_status index_add(struct index *index, const struct filter *filter,
                      struct stet_subscription *subscription, struct topic_node *nodes);
void index_remove(struct index *index, const struct filter *filter, struct topic_node *nodes);

/* The nodes that a change may concern, in three lists; each may be NULL. A subscription can be in more than one. */
struct index_hits {
    struct topic_node *lists[3];
};
struct index_hits index_find(const struct index *index, const struct store_change *change);

#endif
