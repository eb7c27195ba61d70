/*
 * The nodes of a document, for this folder only.
 *
 * An item is 32 bytes. Children follow their parent at once; the next sibling begins where a subtree ends, so a subtree is
 * one run of items. Offsets are into the document's text.
 */
#ifndef DOC_ITEM_H
#define DOC_ITEM_H

#include "base/view.h"
#include "doc/doc.h"

#include <assert.h>

enum {
    ITEM_ESCAPED = 1,     /* The string holds a backslash. */
    ITEM_KEY_ESCAPED = 2, /* The key does. */
    ITEM_LAST = 4,        /* The last child of its parent, or the root. */
};

struct doc_item {
    uint32_t start; /* The value's text. */
    uint32_t size;
    uint32_t key; /* The key's text between the quotes; 0 and 0 where there is none. */
    uint32_t key_size;
    uint32_t end;   /* One past the last item of the subtree. */
    uint32_t count; /* Children. */
    /* A large object: where its sorted keys begin in doc->entries, else DOC_NONE. */
    uint32_t entries;
    uint8_t kind;
    uint8_t flags;
    uint16_t height;
};

static_assert(sizeof(struct doc_item) == 32, "two items in a cache line");
static_assert(DOC_DEPTH_BOUND <= UINT16_MAX, "height holds every depth");

/* Objects with at least this many members get their keys sorted by (hash, key). Below, comparing one by one is quicker. */
enum { ENTRIES_MEMBERS_MIN = 32 };

struct doc_entry {
    uint32_t hash; /* The upper half of text_hash of the key. */
    uint32_t node;
};

static inline const struct doc_item *item_at(const struct doc *doc, doc_node node) {
    assert(node < doc->count);
    return &doc->items[node];
}

static inline stet_view item_key(const struct doc *doc, const struct doc_item *item) {
    return (stet_view){.bytes = doc->text.bytes + item->key, .size = item->key_size};
}

static inline stet_view item_text(const struct doc *doc, const struct doc_item *item) {
    return (stet_view){.bytes = doc->text.bytes + item->start, .size = item->size};
}

/* Whether two values are spelled alike: then they are equal. */
static inline bool item_same_text(const struct doc *a, const struct doc_item *ai,
                                  const struct doc *b, const struct doc_item *bi) {
    return ai->size == bi->size &&
           memcmp(a->text.bytes + ai->start, b->text.bytes + bi->start, ai->size) == 0;
}

/* A string's text between the quotes, escapes as written. */
static inline stet_view item_string(const struct doc *doc, const struct doc_item *item) {
    assert(item->kind == DOC_STRING);
    return (stet_view){.bytes = doc->text.bytes + item->start + 1, .size = item->size - 2};
}

static inline doc_node item_next(const struct doc_item *item) {
    return (item->flags & ITEM_LAST) != 0 ? DOC_NONE : item->end;
}

/*
 * Sorts the members of a large object into entries[0 … count). scratch has room for count more.
 * Returns the later node of two with the same key, or DOC_NONE when all differ.
 */
doc_node entries_sort(const struct doc *doc, doc_node object, struct doc_entry *entries,
                      struct doc_entry *scratch);

/* The member whose key has this raw text, or DOC_NONE. object: an object. */
doc_node member_find(const struct doc *doc, doc_node object, stet_view raw, bool escaped);

/* The same, trying the member `hint` first (DOC_NONE: none): documents tend to agree in their order. */
doc_node member_find_near(const struct doc *doc, doc_node object, doc_node hint, stet_view raw,
                          bool escaped);

#endif
