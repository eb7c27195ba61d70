/*
 * Values compared and hashed: what two documents mean, however they are spelled.
 *
 * The hash of an object is a sum over its members, so their order does not matter; that of an array chains its elements.
 * Recursion is bounded by the depth of a document, DOC_DEPTH_BOUND.
 */
#include "doc/decimal.h"
#include "doc/item.h"
#include "doc/text.h"

/* ---- Equality ---- */

static bool value_equal(const struct doc *a, doc_node an, const struct doc *b, doc_node bn);

static bool numbers_equal(stet_view a, stet_view b) {
    if (view_equal(a, b)) return true;
    struct decimal ad = decimal_normalise(a);
    struct decimal bd = decimal_normalise(b);
    return decimal_compare(&ad, &bd) == 0;
}

static bool strings_equal(const struct doc *a, const struct doc_item *ai, const struct doc *b,
                          const struct doc_item *bi) {
    bool a_escaped = (ai->flags & ITEM_ESCAPED) != 0;
    bool b_escaped = (bi->flags & ITEM_ESCAPED) != 0;
    if (!a_escaped && !b_escaped) return view_equal(item_text(a, ai), item_text(b, bi));
    return text_compare(item_string(a, ai), a_escaped, item_string(b, bi), b_escaped) == 0;
}

static bool arrays_equal(const struct doc *a, doc_node an, const struct doc *b, doc_node bn) {
    doc_node ac = an + 1;
    doc_node bc = bn + 1;
    for (uint32_t left = a->items[an].count; left > 0; left--) {
        if (!value_equal(a, ac, b, bc)) return false;
        ac = a->items[ac].end;
        bc = b->items[bc].end;
    }
    return true;
}

/* Keys are unique and the counts agree: when each member of a has its equal in b, none is left over. */
static bool objects_equal(const struct doc *a, doc_node an, const struct doc *b, doc_node bn) {
    doc_node ac = an + 1;
    doc_node hint = doc_first(b, bn);
    for (uint32_t left = a->items[an].count; left > 0; left--) {
        const struct doc_item *item = &a->items[ac];
        doc_node bc =
            member_find_near(b, bn, hint, item_key(a, item), (item->flags & ITEM_KEY_ESCAPED) != 0);
        if (bc == DOC_NONE || !value_equal(a, ac, b, bc)) return false;
        hint = item_next(&b->items[bc]);
        ac = item->end;
    }
    return true;
}

static bool value_equal(const struct doc *a, doc_node an, const struct doc *b, doc_node bn) {
    const struct doc_item *ai = item_at(a, an);
    const struct doc_item *bi = item_at(b, bn);
    if (ai->kind != bi->kind || ai->count != bi->count) return false;
    switch ((enum doc_kind)ai->kind) {
    case DOC_NULL:
    case DOC_FALSE:
    case DOC_TRUE: return true;
    case DOC_NUMBER: return numbers_equal(item_text(a, ai), item_text(b, bi));
    case DOC_STRING: return strings_equal(a, ai, b, bi);
    case DOC_ARRAY: return arrays_equal(a, an, b, bn);
    case DOC_OBJECT: return objects_equal(a, an, b, bn);
    }
    return false;
}

bool doc_equal(const struct doc *a, doc_node an, const struct doc *b, doc_node bn) {
    if (an == DOC_NONE || bn == DOC_NONE) return an == bn;
    /* Most values that are equal are spelled alike, and one comparison tells. */
    return item_same_text(a, item_at(a, an), b, item_at(b, bn)) || value_equal(a, an, b, bn);
}

/* ---- Hash. Every constant and every step below is a file format: never change one. ---- */

#define SEED_STRING HASH_K4
#define SEED_KEY (HASH_K4 ^ HASH_K1)
#define SEED_NUMBER (HASH_K4 ^ HASH_K2)
#define SEED_ARRAY (HASH_K4 ^ HASH_K3)
#define SEED_OBJECT (HASH_K4 ^ HASH_K0)

enum { CHUNK_DIGITS = 18 };

static uint64_t number_hash(stet_view text) {
    struct decimal decimal = decimal_normalise(text);
    uint64_t hash = SEED_NUMBER;
    uint64_t chunk = 0;
    uint64_t chunk_digits = 0;
    for (size_t i = 0; i < decimal.digits.size; i++) {
        char c = decimal.digits.bytes[i];
        if (c == '.') continue;
        if (chunk_digits == CHUNK_DIGITS) {
            hash = hash_mix(hash ^ chunk, HASH_K0 + chunk_digits);
            chunk = 0;
            chunk_digits = 0;
        }
        chunk = chunk * 10 + (uint64_t)(c - '0');
        chunk_digits++;
    }
    hash = hash_mix(hash ^ chunk, HASH_K0 + chunk_digits);
    uint64_t exponent = (uint64_t)decimal.exponent;
    if (decimal.huge)
        exponent = decimal.exponent_negative ? (uint64_t)INT64_MIN : (uint64_t)INT64_MAX;
    return hash_mix(hash ^ exponent, decimal.negative ? HASH_K2 : HASH_K1);
}

static uint64_t value_hash(const struct doc *doc, doc_node node) {
    const struct doc_item *item = &doc->items[node];
    doc_node child = node + 1;
    uint64_t hash;
    switch ((enum doc_kind)item->kind) {
    case DOC_NULL: return HASH_K0;
    case DOC_FALSE: return HASH_K1;
    case DOC_TRUE: return HASH_K2;
    case DOC_NUMBER: return number_hash(item_text(doc, item));
    case DOC_STRING:
        return text_hash(item_string(doc, item), (item->flags & ITEM_ESCAPED) != 0, SEED_STRING);
    case DOC_ARRAY:
        hash = SEED_ARRAY;
        for (uint32_t left = item->count; left > 0; left--) {
            hash = hash_mix(hash ^ value_hash(doc, child), HASH_K3);
            child = doc->items[child].end;
        }
        return hash_mix(hash, HASH_K0 + item->count);
    case DOC_OBJECT:
        hash = SEED_OBJECT;
        for (uint32_t left = item->count; left > 0; left--) {
            const struct doc_item *member = &doc->items[child];
            uint64_t key =
                text_hash(item_key(doc, member), (member->flags & ITEM_KEY_ESCAPED) != 0, SEED_KEY);
            hash += hash_mix(key ^ HASH_K1, value_hash(doc, child) ^ HASH_K2);
            child = member->end;
        }
        return hash_mix(hash, HASH_K0 + item->count);
    }
    return 0;
}

uint64_t doc_hash(const struct doc *doc, doc_node node) {
    assert(node < doc->count);
    return value_hash(doc, node);
}
