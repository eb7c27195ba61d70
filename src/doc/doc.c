#include "doc/doc.h"

#include "doc/decimal.h"
#include "doc/item.h"
#include "doc/text.h"

enum doc_kind doc_kind(const struct doc *doc, doc_node node) {
    return (enum doc_kind)item_at(doc, node)->kind;
}

stet_view doc_text(const struct doc *doc, doc_node node) {
    return item_text(doc, item_at(doc, node));
}

uint32_t doc_count(const struct doc *doc, doc_node node) { return item_at(doc, node)->count; }

uint32_t doc_height(const struct doc *doc, doc_node node) { return item_at(doc, node)->height; }

uint32_t doc_weight(const struct doc *doc, doc_node node) { return item_at(doc, node)->end - node; }

doc_node doc_first(const struct doc *doc, doc_node node) {
    return item_at(doc, node)->count == 0 ? DOC_NONE : node + 1;
}

doc_node doc_next(const struct doc *doc, doc_node child) { return item_next(item_at(doc, child)); }

stet_view doc_key_raw(const struct doc *doc, doc_node child) {
    return item_key(doc, item_at(doc, child));
}

stet_status doc_key(struct arena *arena, const struct doc *doc, doc_node child, stet_view *out) {
    const struct doc_item *item = item_at(doc, child);
    if ((item->flags & ITEM_KEY_ESCAPED) != 0) return text_decode(arena, item_key(doc, item), out);
    *out = item_key(doc, item);
    return STET_OK;
}

/* ---- Members ---- */

static inline bool key_is(const struct doc *doc, const struct doc_item *item, stet_view raw,
                          bool escaped) {
    stet_view key = item_key(doc, item);
    bool key_escaped = (item->flags & ITEM_KEY_ESCAPED) != 0;
    if (!escaped && !key_escaped) return view_equal(key, raw);
    return text_compare(key, key_escaped, raw, escaped) == 0;
}

static inline uint32_t key_hash(stet_view raw, bool escaped) {
    return (uint32_t)(text_hash(raw, escaped, 0) >> 32);
}

static int entry_compare(const struct doc *doc, const struct doc_entry *entry, uint32_t hash,
                         stet_view raw, bool escaped) {
    if (entry->hash != hash) return entry->hash < hash ? -1 : 1;
    const struct doc_item *item = item_at(doc, entry->node);
    return text_compare(item_key(doc, item), (item->flags & ITEM_KEY_ESCAPED) != 0, raw, escaped);
}

static doc_node entries_find(const struct doc *doc, const struct doc_item *object, stet_view raw,
                             bool escaped) {
    const struct doc_entry *entries = doc->entries + object->entries;
    uint32_t hash = key_hash(raw, escaped);
    uint32_t low = 0;
    uint32_t high = object->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = entry_compare(doc, &entries[middle], hash, raw, escaped);
        if (order == 0) return entries[middle].node;
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return DOC_NONE;
}

doc_node member_find(const struct doc *doc, doc_node object, stet_view raw, bool escaped) {
    const struct doc_item *item = item_at(doc, object);
    if (item->entries != DOC_NONE) return entries_find(doc, item, raw, escaped);
    doc_node node = object + 1;
    for (uint32_t left = item->count; left > 0; left--) {
        const struct doc_item *child = &doc->items[node];
        if (key_is(doc, child, raw, escaped)) return node;
        node = child->end;
    }
    return DOC_NONE;
}

doc_node member_find_near(const struct doc *doc, doc_node object, doc_node hint, stet_view raw,
                          bool escaped) {
    if (hint != DOC_NONE && key_is(doc, item_at(doc, hint), raw, escaped)) return hint;
    return member_find(doc, object, raw, escaped);
}

doc_node doc_member(const struct doc *doc, doc_node object, stet_view key) {
    if (item_at(doc, object)->kind != DOC_OBJECT) return DOC_NONE;
    return member_find(doc, object, key, false);
}

doc_node doc_member_like(const struct doc *doc, doc_node object, const struct doc *other,
                         doc_node child) {
    if (item_at(doc, object)->kind != DOC_OBJECT) return DOC_NONE;
    const struct doc_item *item = item_at(other, child);
    return member_find(doc, object, item_key(other, item), (item->flags & ITEM_KEY_ESCAPED) != 0);
}

static bool entry_before(const struct doc *doc, const struct doc_entry *a,
                         const struct doc_entry *b, doc_node *twice) {
    if (a->hash != b->hash) return a->hash < b->hash;
    const struct doc_item *item = item_at(doc, b->node);
    int order =
        entry_compare(doc, a, b->hash, item_key(doc, item), (item->flags & ITEM_KEY_ESCAPED) != 0);
    if (order == 0) *twice = a->node > b->node ? a->node : b->node;
    return order < 0;
}

/* Merge sort from the bottom up: O(n log n) comparisons whatever keys somebody chose. */
doc_node entries_sort(const struct doc *doc, doc_node object, struct doc_entry *entries,
                      struct doc_entry *scratch) {
    const struct doc_item *item = item_at(doc, object);
    size_t count = item->count;
    doc_node node = object + 1;
    for (size_t i = 0; i < count; i++) {
        const struct doc_item *child = &doc->items[node];
        bool escaped = (child->flags & ITEM_KEY_ESCAPED) != 0;
        entries[i] =
            (struct doc_entry){.hash = key_hash(item_key(doc, child), escaped), .node = node};
        node = child->end;
    }
    doc_node twice = DOC_NONE;
    struct doc_entry *from = entries;
    struct doc_entry *to = scratch;
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * run) {
            size_t middle = begin + run < count ? begin + run : count;
            size_t end = begin + 2 * run < count ? begin + 2 * run : count;
            size_t left = begin;
            size_t right = middle;
            for (size_t i = begin; i < end; i++) {
                if (left < middle &&
                    (right == end || !entry_before(doc, &from[right], &from[left], &twice))) {
                    to[i] = from[left++];
                } else {
                    to[i] = from[right++];
                }
            }
        }
        struct doc_entry *swapped = from;
        from = to;
        to = swapped;
    }
    if (from != entries) memcpy(entries, from, count * sizeof *entries);
    return twice;
}

/* ---- Elements and values ---- */

doc_node doc_element(const struct doc *doc, doc_node array, uint32_t index) {
    const struct doc_item *item = item_at(doc, array);
    if (item->kind != DOC_ARRAY || index >= item->count) return DOC_NONE;
    if (item->height == 1) return array + 1 + index; /* Scalars only: one item each. */
    doc_node node = array + 1;
    while (index-- > 0)
        node = doc->items[node].end;
    return node;
}

stet_status doc_string(struct arena *arena, const struct doc *doc, doc_node node, stet_view *out) {
    const struct doc_item *item = item_at(doc, node);
    if (item->kind != DOC_STRING) return STET_BAD_REQUEST;
    if ((item->flags & ITEM_ESCAPED) != 0) return text_decode(arena, item_string(doc, item), out);
    *out = item_string(doc, item);
    return STET_OK;
}

stet_view doc_string_raw(const struct doc *doc, doc_node node, bool *escaped) {
    const struct doc_item *item = item_at(doc, node);
    *escaped = (item->flags & ITEM_ESCAPED) != 0;
    return item_string(doc, item);
}

bool doc_u64(const struct doc *doc, doc_node node, uint64_t *out) {
    const struct doc_item *item = item_at(doc, node);
    if (item->kind != DOC_NUMBER) return false;
    struct decimal decimal = decimal_normalise(item_text(doc, item));
    return decimal_u64(&decimal, out);
}

bool doc_bool(const struct doc *doc, doc_node node, bool *out) {
    const struct doc_item *item = item_at(doc, node);
    if (item->kind != DOC_TRUE && item->kind != DOC_FALSE) return false;
    *out = item->kind == DOC_TRUE;
    return true;
}
