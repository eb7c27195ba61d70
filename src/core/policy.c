/*
 * The table of policies: a chained hash table under a reader-writer lock, and a short list of what the batch at hand has staged.
 */
#include "core/policy.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/index.h"
#include "core/space.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS_FIRST = 16 };

struct policies_entry {
    struct policies_entry *chain;
    const struct policy *policy;
};

struct policies_staged {
    const struct policy *policy; /* NULL: the definition was deleted. */
    /* Kept here: a deleted definition has no policy to borrow it from. */
    size_t type_bytes;
    char type[TYPE_BYTES_MAX];
};

struct policies {
    pthread_rwlock_t lock; /* Over what is published; the sequencer's thread is the only writer. */
    struct policies_entry **buckets;
    size_t bucket_count; /* A power of two. */
    atomic_size_t count; /* Also read without the lock: most spaces declare nothing. */
    uint64_t hash_seed;
    struct policies_staged *staged;
    size_t staged_count, staged_capacity;
    /* Made ahead, so that publishing cannot fail. */
    struct policies_entry *spare;
    size_t spare_count;
    atomic_uint generation; /* How often what is published changed. */
};

struct policy *policy_ref(const struct policy *policy) {
    struct policy *counted = (struct policy *)(uintptr_t)policy;
    if (counted != NULL) atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
    return counted;
}

void policy_unref(const struct policy *policy) {
    struct policy *counted = (struct policy *)(uintptr_t)policy;
    if (counted == NULL) return;
    if (atomic_fetch_sub_explicit(&counted->refs, 1, memory_order_acq_rel) > 1) return;
    struct arena arena = counted->arena; /* The policy itself lives in it. */
    arena_done(&arena);
}

static const char *const strategy_names[] = {
    [STET_STRATEGY_DEFAULT] = "default",
    [STET_STRATEGY_REJECT] = "reject",
    [STET_STRATEGY_LAST_WRITER_WINS] = "last_writer_wins",
    [STET_STRATEGY_MERGE] = "merge",
    [STET_STRATEGY_NEWEST] = "newest",
    [STET_STRATEGY_SERVER_WINS] = "server_wins",
    [STET_STRATEGY_ASK] = "ask",
};

const char *strategy_name(stet_strategy strategy) { return strategy_names[strategy]; }

stet_status strategy_parse(stet_view text, stet_strategy *strategy, stet_error *err) {
    for (int i = STET_STRATEGY_REJECT; i <= STET_STRATEGY_ASK; i++) {
        if (!view_equal(text, view_of(strategy_names[i]))) continue;
        *strategy = (stet_strategy)i;
        return STET_OK;
    }
    bool function = text.size > 9 && memcmp(text.bytes, "function:", 9) == 0;
    error_set(err, STET_BAD_REQUEST,
              function
                  ? "a function is not asked for by a write: it is the strategy of a type"
                  : "on_conflict is reject, merge, last_writer_wins, newest, server_wins or ask");
    error_field(err, "on_conflict", 0);
    return STET_BAD_REQUEST;
}

stet_status policy_strategy(const struct policy *policy, stet_strategy asked,
                            stet_strategy *strategy, stet_error *err) {
    if (asked == STET_STRATEGY_DEFAULT) {
        *strategy = policy == NULL ? STET_STRATEGY_REJECT : policy->on_conflict;
        return STET_OK;
    }
    /* To be refused may always be asked for. */
    if (policy != NULL && asked != STET_STRATEGY_REJECT && asked != policy->on_conflict &&
        (policy->overrides & 1u << asked) == 0) {
        error_set(err, STET_STRATEGY_NOT_ALLOWED,
                  "type \"%.*s\" does not let a request choose this strategy",
                  VIEW_ARG(policy->type));
        error_field(err, "on_conflict", 0);
        return STET_STRATEGY_NOT_ALLOWED;
    }
    *strategy = asked;
    return STET_OK;
}

/* ---- The table --------------------------------------------------------------------------- */

stet_status policies_create(struct policies **out, uint64_t hash_seed) {
    struct policies *policies = calloc(1, sizeof *policies);
    if (policies == NULL) return STET_NO_MEMORY;
    policies->buckets = calloc(BUCKETS_FIRST, sizeof(struct policies_entry *));
    if (policies->buckets == NULL) {
        free(policies);
        return STET_NO_MEMORY;
    }
    policies->bucket_count = BUCKETS_FIRST;
    policies->hash_seed = hash_seed;
    pthread_rwlock_init(&policies->lock, NULL);
    *out = policies;
    return STET_OK;
}

static stet_view type_of(const struct policies_staged *staged) {
    return view_make(staged->type, staged->type_bytes);
}

static void drop_staged(struct policies *policies) {
    while (policies->staged_count > 0) {
        struct policies_staged *staged = &policies->staged[--policies->staged_count];
        policy_unref(staged->policy);
    }
}

void policies_destroy(struct policies *policies) {
    if (policies == NULL) return;
    drop_staged(policies);
    for (size_t i = 0; i < policies->bucket_count; i++) {
        while (policies->buckets[i] != NULL) {
            struct policies_entry *entry = policies->buckets[i];
            policies->buckets[i] = entry->chain;
            policy_unref(entry->policy);
            free(entry);
        }
    }
    while (policies->spare != NULL) {
        struct policies_entry *entry = policies->spare;
        policies->spare = entry->chain;
        free(entry);
    }
    free(policies->buckets);
    free(policies->staged);
    pthread_rwlock_destroy(&policies->lock);
    free(policies);
}

static struct policies_entry **slot_of(struct policies *policies, stet_view type) {
    uint64_t hash = view_hash(type, policies->hash_seed);
    struct policies_entry **slot = &policies->buckets[hash & (policies->bucket_count - 1)];
    while (*slot != NULL && !view_equal((*slot)->policy->type, type))
        slot = &(*slot)->chain;
    return slot;
}

const struct policy *policy_find(struct space *space, stet_view type) {
    struct policies *policies = space->policies;
    if (atomic_load_explicit(&policies->count, memory_order_acquire) == 0) return NULL;
    pthread_rwlock_rdlock(&policies->lock);
    const struct policies_entry *entry = policies->count == 0 ? NULL : *slot_of(policies, type);
    const struct policy *policy = entry == NULL ? NULL : policy_ref(entry->policy);
    pthread_rwlock_unlock(&policies->lock);
    return policy;
}

const struct policy *policy_staged(const struct space *space, stet_view type) {
    struct policies *policies = space->policies;
    for (size_t i = policies->staged_count; i > 0; i--)
        if (view_equal(type_of(&policies->staged[i - 1]), type))
            return policies->staged[i - 1].policy;
    if (policies->count == 0) return NULL;
    /* This thread is the only writer: no lock is needed to read. */
    const struct policies_entry *entry = *slot_of(policies, type);
    return entry == NULL ? NULL : entry->policy;
}

bool policies_retain(const struct space *space, uint32_t *days, uint64_t *seq) {
    const struct policies *policies = space->policies;
    bool any = false;
    *days = 0;
    *seq = 0;
    for (size_t i = 0; policies->count > 0 && i < policies->bucket_count; i++) {
        for (const struct policies_entry *entry = policies->buckets[i]; entry != NULL;
             entry = entry->chain) {
            const struct policy *policy = entry->policy;
            any = any || policy->retain_versions > 0 || policy->retain_days > 0;
            if (policy->retain_days > *days) *days = policy->retain_days;
            if (policy->seq > *seq) *seq = policy->seq;
        }
    }
    return any;
}

/* Doubles the buckets; without memory for that the chains only grow longer. */
static void grow(struct policies *policies) {
    size_t bucket_count = policies->bucket_count * 2;
    struct policies_entry **buckets = calloc(bucket_count, sizeof(struct policies_entry *));
    if (buckets == NULL) return;
    pthread_rwlock_wrlock(&policies->lock);
    for (size_t i = 0; i < policies->bucket_count; i++) {
        while (policies->buckets[i] != NULL) {
            struct policies_entry *entry = policies->buckets[i];
            policies->buckets[i] = entry->chain;
            uint64_t hash = view_hash(entry->policy->type, policies->hash_seed);
            entry->chain = buckets[hash & (bucket_count - 1)];
            buckets[hash & (bucket_count - 1)] = entry;
        }
    }
    struct policies_entry **old = policies->buckets;
    policies->buckets = buckets;
    policies->bucket_count = bucket_count;
    pthread_rwlock_unlock(&policies->lock);
    free(old);
}

stet_status policies_reserve(struct policies *policies, stet_error *err) {
    return policies_reserve_many(policies, 1, err);
}

stet_status policies_reserve_many(struct policies *policies, size_t more, stet_error *err) {
    if (policies->staged_count + more > policies->staged_capacity) {
        size_t capacity = policies->staged_capacity == 0 ? 8 : policies->staged_capacity;
        while (capacity < policies->staged_count + more)
            capacity *= 2;
        struct policies_staged *staged =
            realloc(policies->staged, capacity * sizeof *policies->staged);
        if (staged == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a type");
        policies->staged = staged;
        policies->staged_capacity = capacity;
    }
    /* One for each that may be staged in this batch. */
    while (policies->spare_count < policies->staged_capacity) {
        struct policies_entry *entry = calloc(1, sizeof *entry);
        if (entry == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a type");
        entry->chain = policies->spare;
        policies->spare = entry;
        policies->spare_count++;
    }
    if (policies->count >= policies->bucket_count) grow(policies);
    return STET_OK;
}

void policies_stage(struct policies *policies, stet_view type, const struct policy *policy) {
    struct policies_staged *staged = &policies->staged[policies->staged_count];
    assert(policies->staged_count < policies->staged_capacity && type.size <= TYPE_BYTES_MAX);
    staged->policy = policy;
    staged->type_bytes = type.size;
    memcpy(staged->type, type.bytes, type.size);
    policies->staged_count++;
}

static void publish_one(struct policies *policies, struct policies_staged *staged) {
    struct policies_entry **slot = slot_of(policies, type_of(staged));
    struct policies_entry *entry = *slot;
    if (staged->policy == NULL) {
        if (entry == NULL) return;
        *slot = entry->chain;
        policies->count--;
        policy_unref(entry->policy);
        free(entry);
        return;
    }
    if (entry == NULL) {
        entry = policies->spare;
        policies->spare = entry->chain;
        policies->spare_count--;
        entry->chain = NULL;
        *slot = entry;
        policies->count++;
    } else {
        policy_unref(entry->policy);
    }
    entry->policy = policy_ref(staged->policy);
}

void policies_publish(struct policies *policies) {
    if (policies->staged_count == 0) return;
    pthread_rwlock_wrlock(&policies->lock);
    for (size_t i = 0; i < policies->staged_count; i++)
        publish_one(policies, &policies->staged[i]);
    atomic_fetch_add_explicit(&policies->generation, 1, memory_order_release);
    pthread_rwlock_unlock(&policies->lock);
    drop_staged(policies);
}

unsigned policies_generation(const struct space *space) {
    return atomic_load_explicit(&space->policies->generation, memory_order_acquire);
}

void policies_reset(struct policies *policies) { drop_staged(policies); }

static bool names_index(const struct policy *policy, uint32_t number) {
    for (size_t i = 0; i < policy->index_count; i++)
        if (policy->indexes[i]->number == number) return true;
    return false;
}

bool policies_name_index(const struct space *space, uint32_t number) {
    struct policies *policies = space->policies;
    bool found = false;
    pthread_rwlock_rdlock(&policies->lock);
    for (size_t i = 0; i < policies->bucket_count && !found; i++)
        for (const struct policies_entry *entry = policies->buckets[i]; entry != NULL && !found;
             entry = entry->chain)
            found = names_index(entry->policy, number);
    pthread_rwlock_unlock(&policies->lock);
    return found;
}
