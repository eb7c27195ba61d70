#include "store/memory/entries.h"

#include "base/view.h"

#include <stdlib.h>
#include <string.h>

void entries_done(struct entries *entries) {
    struct entry_node *node = entries->first[0];
    while (node != NULL) {
        struct entry_node *next = node->next[0];
        free(node);
        node = next;
    }
    *entries = (struct entries){0};
}

/* Each level holds about a quarter of the one below. */
static unsigned draw_levels(struct entries *entries) {
    uint64_t random = entries->random += UINT64_C(0x9E3779B97F4A7C15);
    unsigned levels = 1;
    random = (random ^ (random >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    random = (random ^ (random >> 27)) * UINT64_C(0x94D049BB133111EB);
    random ^= random >> 31;
    for (; (random & 3) == 0 && levels < ENTRIES_LEVELS; random >>= 2)
        levels++;
    return levels;
}

struct entry_node *entries_make(struct entries *entries, const struct store_entry *entry) {
    unsigned levels = draw_levels(entries);
    size_t links = levels * sizeof(struct entry_node *);
    struct entry_node *node = malloc(sizeof *node + links + entry->key.size);
    if (node == NULL) return NULL;
    char *key = (char *)node->next + links;
    memcpy(key, entry->key.bytes, entry->key.size);
    node->previous = NULL;
    node->index = entry->index;
    node->levels = levels;
    node->record = entry->record;
    node->key = view_make(key, entry->key.size);
    return node;
}

int entries_compare(const struct entry_node *node, const struct store_place *place) {
    if (node->index != place->index) return node->index < place->index ? -1 : 1;
    int order = view_compare(node->key, place->key);
    if (order != 0) return order;
    return (node->record > place->record) - (node->record < place->record);
}

/* links[level]: the link behind which the place lies on that level. Returns the first node at the place or behind it;
   *before: the one in front of that. */
static struct entry_node *find(struct entries *entries, const struct store_place *place,
                               struct entry_node **links[ENTRIES_LEVELS],
                               struct entry_node **before) {
    struct entry_node *at = NULL;
    for (unsigned level = ENTRIES_LEVELS; level-- > 0;) {
        struct entry_node **link = at == NULL ? &entries->first[level] : &at->next[level];
        while (*link != NULL && entries_compare(*link, place) < 0) {
            at = *link;
            link = &at->next[level];
        }
        links[level] = link;
    }
    *before = at;
    return *links[0];
}

void entries_link(struct entries *entries, struct entry_node *node) {
    const struct store_place place = {
        .index = node->index, .key = node->key, .record = node->record};
    struct entry_node **links[ENTRIES_LEVELS], *before;
    struct entry_node *after = find(entries, &place, links, &before);
    if (after != NULL && entries_compare(after, &place) == 0) {
        free(node);
        return;
    }
    for (unsigned level = 0; level < node->levels; level++) {
        node->next[level] = *links[level];
        *links[level] = node;
    }
    node->previous = before;
    if (after != NULL) {
        after->previous = node;
    } else {
        entries->last = node;
    }
}

void entries_remove(struct entries *entries, uint32_t index, stet_view key, uint64_t record) {
    const struct store_place place = {.index = index, .key = key, .record = record};
    struct entry_node **links[ENTRIES_LEVELS], *before;
    struct entry_node *node = find(entries, &place, links, &before);
    if (node == NULL || entries_compare(node, &place) != 0) return;
    for (unsigned level = 0; level < node->levels; level++)
        *links[level] = node->next[level];
    if (node->next[0] != NULL) {
        node->next[0]->previous = before;
    } else {
        entries->last = before;
    }
    free(node);
}

struct entry_node *entries_beside(const struct entries *entries, const struct store_place *place,
                                  bool reverse) {
    const struct entry_node *at = NULL;
    for (unsigned level = ENTRIES_LEVELS; level-- > 0;) {
        struct entry_node *next = at == NULL ? entries->first[level] : at->next[level];
        while (next != NULL && entries_compare(next, place) < 0) {
            at = next;
            next = at->next[level];
        }
    }
    if (reverse) return (struct entry_node *)at;
    struct entry_node *node = at == NULL ? entries->first[0] : at->next[0];
    if (node != NULL && entries_compare(node, place) == 0) node = node->next[0];
    return node;
}
