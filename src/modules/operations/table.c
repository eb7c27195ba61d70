/*
 * Unfinished operations by id, and how one is made from its record.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/operations/state.h"

#include <stdlib.h>

/* ---- Operations by id -------------------------------------------------------------------- */

static struct operation **bucket_of(const struct operations *operations, uint64_t hash) {
    return &operations->buckets[hash & (operations->bucket_count - 1)];
}

struct operation *operations_find_any(const struct operations *operations, stet_view id) {
    uint64_t hash = view_hash(id, operations->space->hash_seed);
    struct operation *operation = *bucket_of(operations, hash);
    while (operation != NULL && (operation->hash != hash || !view_equal(operation->id, id)))
        operation = operation->bucket_next;
    return operation;
}

struct operation *operations_find(const struct operations *operations, stet_view id) {
    struct operation *operation = operations_find_any(operations, id);
    return operation == NULL || operation->stale ? NULL : operation;
}

/* Longer rows cost time, not correctness: without memory the buckets stay as they are. */
static void grow_buckets(struct operations *operations) {
    size_t count = operations->bucket_count * 2, old_count = operations->bucket_count;
    struct operation **old = operations->buckets;
    struct operation **buckets = calloc(count, sizeof(struct operation *));
    if (buckets == NULL) return;
    operations->buckets = buckets;
    operations->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct operation *operation = old[i];
            old[i] = operation->bucket_next;
            struct operation **bucket = bucket_of(operations, operation->hash);
            operation->bucket_next = *bucket;
            *bucket = operation;
        }
    }
    free(old);
}

void operations_add(struct operations *operations, struct operation *operation) {
    operation->hash = view_hash(operation->id, operations->space->hash_seed);
    if (operations->count >= operations->bucket_count) grow_buckets(operations);
    struct operation **bucket = bucket_of(operations, operation->hash);
    operation->bucket_next = *bucket;
    *bucket = operation;
    operations->count++;
    by_id_insert(&operations->by_id, BY_ID_SPACE, operation);
    by_id_insert(&operation->lane->by_id, BY_ID_LANE, operation);
}

void operations_take_out(struct operations *operations, struct operation *operation) {
    struct operation **slot = bucket_of(operations, operation->hash);
    while (*slot != operation)
        slot = &(*slot)->bucket_next;
    *slot = operation->bucket_next;
    operations->count--;
    if (operation->stale) return; /* The trees have forgotten it already. */
    by_id_remove(&operations->by_id, BY_ID_SPACE, operation);
    by_id_remove(&operation->lane->by_id, BY_ID_LANE, operation);
}

/* ---- Making one -------------------------------------------------------------------------- */

static stet_view put_bytes(char **next, stet_view text) {
    stet_view kept = view_make(*next, text.size);
    if (text.size > 0) memcpy(*next, text.bytes, text.size);
    *next += text.size;
    return kept;
}

struct hand *hand_create(const struct operation_record *record) {
    struct hand *hand = malloc(sizeof *hand + record->current_agent.size + record->worker.size +
                               record->claimed_by.size);
    if (hand == NULL) return NULL;
    char *next = hand->bytes;
    hand->agent = put_bytes(&next, record->current_agent);
    hand->worker = put_bytes(&next, record->worker);
    hand->actor = put_bytes(&next, record->claimed_by);
    return hand;
}

void operation_free(struct operation *operation) {
    if (operation == NULL) return;
    free(operation->dependencies);
    free(operation->hand);
    free(operation->note);
    free(operation);
}

struct operation *operation_create(stet_view id, const struct operation_record *record) {
    size_t bytes = id.size + record->by.size + record->agent.size + record->function.size +
                   record->op_type.size + record->parent.size + record->batch_key.size;
    size_t count = record->depends_on.count;
    size_t depends_bytes = 0;
    for (size_t i = 0; i < count; i++)
        depends_bytes += record->depends_on.items[i].size;
    struct operation *operation = calloc(1, sizeof *operation + bytes);
    if (operation == NULL) return NULL;
    char *next = operation->bytes;
    operation->id = put_bytes(&next, id);
    operation->by = put_bytes(&next, record->by);
    operation->agent = put_bytes(&next, record->agent);
    operation->function = put_bytes(&next, record->function);
    operation->op_type = put_bytes(&next, record->op_type);
    operation->parent = put_bytes(&next, record->parent);
    operation->batch_key = put_bytes(&next, record->batch_key);
    operation->class_ = record->class_;
    operation->effective = record->effective;
    operation->depth = record->depth;
    operation->max_retries = record->max_retries;
    operation->timeout_s = record->timeout_s;
    operation->turn = record->turn;
    operation->tag = record->tag;
    operation->created_at = record->created_at;
    operation->queued_at = record->queued_at;
    operation->not_before = record->not_before;
    operation->deadline = record->deadline;
    if (count == 0) return operation;
    operation->dependencies = calloc(1, count * sizeof *operation->dependencies + depends_bytes);
    if (operation->dependencies == NULL) {
        operation_free(operation);
        return NULL;
    }
    next = (char *)(operation->dependencies + count);
    operation->dependency_count = count;
    for (size_t i = 0; i < count; i++)
        operation->dependencies[i] = (struct dependency){
            .waiter = operation, .id = put_bytes(&next, record->depends_on.items[i])};
    return operation;
}

struct operation_state operation_state_of(const struct operation_record *record, uint64_t version,
                                          uint64_t seq) {
    return (struct operation_state){
        .status = record->status,
        .version = version,
        .seq = seq,
        .attempts = record->attempts,
        .retries = record->retries,
        .level = record->level,
        .held = record->held,
        .token = record->token,
        .ttl_s = record->ttl_s,
        .started_at = record->started_at,
        .after = record->after,
        .batch = record->batch,
        .has_percent = record->has_percent,
        .percent = record->percent,
        .estimated_s = record->estimated_s,
    };
}

struct queue_place operation_place(const struct operation *operation) {
    int64_t since = operation->queued_at;
    return (struct queue_place){
        .lane = operation->lane->name,
        .class_ = operation->effective,
        .for_ = operation->function.size > 0 ? QUEUE_FOR_SERVER
                : operation->agent.size > 0  ? QUEUE_FOR_AGENT
                                             : QUEUE_FOR_ANYONE,
        .agent = operation->agent,
        .actor = operation->by,
        .batch_key = operation->batch_key,
        .turn = operation->turn,
        .tag = operation->tag,
        .since = operation->not_before > since ? operation->not_before : since,
    };
}
