#include "modules/feed/index.h"

#include "base/view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 16 };

struct topic {
    struct topic *next; /* In the bucket. */
    uint64_t hash;
    struct topic_node *nodes;
    uint32_t type_size;
    uint32_t id_size; /* 0: the whole type; ids are never empty. */
    char bytes[];     /* Type, then id. */
};

static uint64_t hash_of(stet_view type, stet_view id) { return view_hash(id, view_hash(type, 0)); }

static bool topic_is(const struct topic *topic, uint64_t hash, stet_view type, stet_view id) {
    return topic->hash == hash && topic->type_size == type.size && topic->id_size == id.size &&
           memcmp(topic->bytes, type.bytes, type.size) == 0 &&
           (id.size == 0 || memcmp(topic->bytes + type.size, id.bytes, id.size) == 0);
}

static struct topic **topic_slot(const struct index *index, uint64_t hash, stet_view type,
                                 stet_view id) {
    struct topic **slot = &index->buckets[hash & (index->bucket_count - 1)];
    while (*slot != NULL && !topic_is(*slot, hash, type, id))
        slot = &(*slot)->next;
    return slot;
}

static struct topic_node *topic_nodes(const struct index *index, stet_view type, stet_view id) {
    struct topic *topic;
    if (index->count == 0) return NULL;
    topic = *topic_slot(index, hash_of(type, id), type, id);
    return topic == NULL ? NULL : topic->nodes;
}

struct index_hits index_find(const struct index *index, const struct store_change *change) {
    struct index_hits hits = {{topic_nodes(index, change->type, (stet_view){0}),
                               topic_nodes(index, change->type, change->id), index->everything}};
    return hits;
}

/* Only a lack of memory for the first table is a failure: a full one just gets slower. */
static bool make_room(struct index *index) {
    size_t count = index->bucket_count == 0 ? BUCKETS_MIN : index->bucket_count * 2;
    struct topic **buckets;
    if (index->count < index->bucket_count) return true;
    buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL) return index->bucket_count > 0;
    for (size_t bucket = 0; bucket < index->bucket_count; bucket++) {
        struct topic *topic = index->buckets[bucket];
        while (topic != NULL) {
            struct topic *next = topic->next;
            struct topic **slot = &buckets[topic->hash & (count - 1)];
            topic->next = *slot;
            *slot = topic;
            topic = next;
        }
    }
    free(index->buckets);
    index->buckets = buckets;
    index->bucket_count = count;
    return true;
}

static struct topic *topic_get(struct index *index, stet_view type, stet_view id) {
    uint64_t hash = hash_of(type, id);
    struct topic **slot;
    struct topic *topic;
    if (!make_room(index)) return NULL;
    slot = topic_slot(index, hash, type, id);
    if (*slot != NULL) return *slot;
    topic = malloc(sizeof *topic + type.size + id.size);
    if (topic == NULL) return NULL;
    *topic = (struct topic){
        .hash = hash, .type_size = (uint32_t)type.size, .id_size = (uint32_t)id.size};
    memcpy(topic->bytes, type.bytes, type.size);
    if (id.size > 0) memcpy(topic->bytes + type.size, id.bytes, id.size);
    *slot = topic;
    index->count++;
    return topic;
}

static void topic_remove(struct index *index, struct topic *topic) {
    struct topic **slot = &index->buckets[topic->hash & (index->bucket_count - 1)];
    while (*slot != topic)
        slot = &(*slot)->next;
    *slot = topic->next;
    index->count--;
    free(topic);
}

static struct topic_node **head_of(struct index *index, struct topic *topic) {
    return topic == NULL ? &index->everything : &topic->nodes;
}

static void node_link(struct index *index, struct topic_node *node) {
    struct topic_node **head = head_of(index, node->topic);
    node->prev = NULL;
    node->next = *head;
    if (*head != NULL) (*head)->prev = node;
    *head = node;
}

static void node_unlink(struct index *index, struct topic_node *node) {
    if (node->prev != NULL)
        node->prev->next = node->next;
    else
        *head_of(index, node->topic) = node->next;
    if (node->next != NULL) node->next->prev = node->prev;
    if (node->topic != NULL && node->topic->nodes == NULL) topic_remove(index, node->topic);
}

size_t index_nodes(const struct filter *filter) {
    size_t names = filter->type_count + filter->record_count;
    return names == 0 ? 1 : names;
}

stet_status index_add(struct index *index, const struct filter *filter,
                      struct stet_subscription *subscription, struct topic_node *nodes) {
    size_t count = filter->type_count + filter->record_count;
    size_t added = 0;
    if (count == 0) {
        nodes[0].subscription = subscription;
        node_link(index, &nodes[0]);
        return STET_OK;
    }
    while (added < count) {
        bool of_type = added < filter->type_count;
        const struct filter_record *record =
            of_type ? NULL : &filter->records[added - filter->type_count];
        nodes[added].topic = of_type ? topic_get(index, filter->types[added], (stet_view){0})
                                     : topic_get(index, record->type, record->id);
        if (nodes[added].topic == NULL) break;
        nodes[added].subscription = subscription;
        node_link(index, &nodes[added]);
        added++;
    }
    if (added == count) return STET_OK;
    while (added > 0)
        node_unlink(index, &nodes[--added]);
    return STET_NO_MEMORY;
}

void index_remove(struct index *index, const struct filter *filter, struct topic_node *nodes) {
    for (size_t node = 0; node < index_nodes(filter); node++)
        node_unlink(index, &nodes[node]);
}

void index_done(struct index *index) {
    assert(index->count == 0 && index->everything == NULL);
    free(index->buckets);
    *index = (struct index){0};
}
