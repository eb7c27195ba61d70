#include "modules/operations/order.h"

#include <assert.h>

#define NS_PER_S INT64_C(1000000000)

bool order_before(const struct queue_entry *a, const struct queue_entry *b) {
    if (a->lane->settings.fair) {
        /* Tags of different classes say nothing about each other: who waited longest goes first. */
        if (a->lifted != b->lifted) return a->lifted > b->lifted;
        if (a->tag != b->tag) return a->tag < b->tag;
    }
    return a->turn < b->turn;
}

/* The finisher of SplitMix64: turns are consecutive, priorities are not to be. */
static uint64_t priority(const struct queue_entry *entry) {
    uint64_t x = entry->turn ^ entry->lane->seed;
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

int64_t order_next_lift(const struct queue_entry *entry) {
    if (entry->lane->settings.age_s == 0 || entry->level >= QUEUE_HIGH) return QUEUE_NEVER;
    int64_t wait = (int64_t)entry->lane->settings.age_s * NS_PER_S * (entry->lifted + 1);
    return entry->since > QUEUE_NEVER - wait ? QUEUE_NEVER : entry->since + wait;
}

/* Anew from the two below it. */
static void refresh(struct queue_entry *entry, enum order_tree tree) {
    if (tree != ORDER_BY_LEVEL) return;
    entry->size = 1;
    entry->oldest = entry->since;
    entry->next_lift = order_next_lift(entry);
    for (int side = 0; side < 2; side++) {
        const struct queue_entry *below = entry->child[ORDER_BY_LEVEL][side];
        if (below == NULL) continue;
        entry->size += below->size;
        if (below->oldest < entry->oldest) entry->oldest = below->oldest;
        if (below->next_lift < entry->next_lift) entry->next_lift = below->next_lift;
    }
}

/* Into what stands before the entry, and what stands behind it. */
static void split(struct queue_entry *root, enum order_tree tree, const struct queue_entry *entry,
                  struct queue_entry **before, struct queue_entry **behind) {
    if (root == NULL) {
        *before = *behind = NULL;
    } else if (order_before(root, entry)) {
        split(root->child[tree][1], tree, entry, &root->child[tree][1], behind);
        refresh(root, tree);
        *before = root;
    } else {
        split(root->child[tree][0], tree, entry, before, &root->child[tree][0]);
        refresh(root, tree);
        *behind = root;
    }
}

static struct queue_entry *join(struct queue_entry *before, struct queue_entry *behind,
                                enum order_tree tree) {
    if (before == NULL) return behind;
    if (behind == NULL) return before;
    if (priority(before) > priority(behind)) {
        before->child[tree][1] = join(before->child[tree][1], behind, tree);
        refresh(before, tree);
        return before;
    }
    behind->child[tree][0] = join(before, behind->child[tree][0], tree);
    refresh(behind, tree);
    return behind;
}

void order_insert(struct queue_entry **root, enum order_tree tree, struct queue_entry *entry) {
    struct queue_entry *top = *root;
    if (top == NULL || priority(entry) > priority(top)) {
        split(top, tree, entry, &entry->child[tree][0], &entry->child[tree][1]);
        refresh(entry, tree);
        *root = entry;
        return;
    }
    assert(top->turn != entry->turn);
    order_insert(&top->child[tree][order_before(top, entry)], tree, entry);
    refresh(top, tree);
}

void order_remove(struct queue_entry **root, enum order_tree tree, struct queue_entry *entry) {
    struct queue_entry *top = *root;
    assert(top != NULL);
    if (top == entry) {
        (void)order_pop_any(root, tree);
        return;
    }
    order_remove(&top->child[tree][order_before(top, entry)], tree, entry);
    refresh(top, tree);
}

struct queue_entry *order_pop_any(struct queue_entry **root, enum order_tree tree) {
    struct queue_entry *top = *root;
    if (top == NULL) return NULL;
    *root = join(top->child[tree][0], top->child[tree][1], tree);
    top->child[tree][0] = top->child[tree][1] = NULL;
    return top;
}

struct queue_entry *order_first(struct queue_entry *root, enum order_tree tree) {
    if (root == NULL) return NULL;
    while (root->child[tree][0] != NULL)
        root = root->child[tree][0];
    return root;
}

struct queue_entry *order_after(struct queue_entry *root, enum order_tree tree,
                                const struct queue_entry *entry) {
    struct queue_entry *found = NULL;
    while (root != NULL) {
        bool behind = order_before(entry, root);
        if (behind) found = root;
        root = root->child[tree][!behind];
    }
    return found;
}

size_t order_rank(const struct queue_entry *root, const struct queue_entry *entry) {
    size_t rank = 0;
    while (root != NULL) {
        const struct queue_entry *smaller = root->child[ORDER_BY_LEVEL][0];
        bool before = order_before(root, entry);
        if (before) rank += 1 + (smaller == NULL ? 0 : smaller->size);
        root = root->child[ORDER_BY_LEVEL][before];
    }
    return rank;
}

struct queue_entry *order_due(struct queue_entry *root, int64_t now) {
    while (root != NULL && root->next_lift <= now) {
        if (order_next_lift(root) <= now) return root;
        struct queue_entry *smaller = root->child[ORDER_BY_LEVEL][0];
        bool left = smaller != NULL && smaller->next_lift <= now;
        root = root->child[ORDER_BY_LEVEL][!left];
    }
    return NULL;
}

bool order_own_tag(const struct queue_entry *root, uint64_t *tag) {
    bool found = false;
    while (root != NULL) {
        bool own = root->lifted == 0;
        if (own) {
            *tag = root->tag;
            found = true;
        }
        root = root->child[ORDER_BY_LEVEL][!own];
    }
    return found;
}
