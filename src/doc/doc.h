/*
 * JSON documents: validated text plus a flat array of nodes over it.
 *
 * What was stored comes back exactly: a document is never turned into numbers and maps and printed again. Parsing checks
 * RFC 8259 to the letter (UTF-8 validated, lone surrogate escapes and duplicate keys refused, depth and size bounded) and
 * notes where each value lies; whatever is written later copies those spans.
 *
 * Nodes are in document order, parents before children; 0 is the root. A node is only meaningful with its document.
 *
 * Lifetime: a document borrows its text from the caller and its nodes from the arena; it is a plain value that may be copied
 * while both live. Nothing here does I/O, keeps globals or calls malloc.
 *
 * Thread: a parsed document is never changed; any number of threads may read it.
 */
#ifndef DOC_DOC_H
#define DOC_DOC_H

#include "base/arena.h"
#include "stet.h"

typedef uint32_t doc_node;
#define DOC_NONE UINT32_MAX /* Not there. Accepted by no function unless it says so. */

enum doc_kind { DOC_NULL, DOC_FALSE, DOC_TRUE, DOC_NUMBER, DOC_STRING, DOC_ARRAY, DOC_OBJECT };

struct doc_item;  /* doc/item.h: for this folder only. */
struct doc_entry; /* Likewise. */

struct doc {
    stet_view text;
    const struct doc_item *items;
    const struct doc_entry *entries; /* Sorted keys of the large objects. */
    uint32_t count;                  /* Nodes. */
};

struct doc_limits {
    size_t bytes_max; /* At most UINT32_MAX - 64 counts. */
    /* A scalar has depth 0, [] has 1. At most DOC_DEPTH_BOUND counts: readers recurse. */
    uint32_t depth_max;
    uint32_t nodes_max; /* Values; keys are not counted. */
};

#define DOC_DEPTH_BOUND 512

/* DATA_BYTES_MAX, JSON_DEPTH_MAX, JSON_NODES_MAX. */
extern const struct doc_limits doc_limits_default;

/**
 * Parses one JSON text.
 *
 * @param arena   Where the nodes go: 32 bytes for each value, and 8 for each member of an object with many. A failure
 *                leaves garbage in it until it is reset.
 * @param text    Borrowed as long as the document lives. Needs no NUL and no padding.
 * @param limits  NULL: doc_limits_default.
 * @param doc     Out.
 * @param err     Out, may be NULL: message says byte offset (from 0), line (from 1) and what was wrong there.
 *
 * @return STET_OK
 *         STET_BAD_JSON   not JSON; a duplicate key names its pointer in err->field.
 *         STET_TOO_LARGE  err->field is "bytes", "depth" or "nodes", err->limit the limit passed.
 */
stet_status doc_parse(struct arena *arena, stet_view text, const struct doc_limits *limits,
                      struct doc *doc, stet_error *err);

enum doc_kind doc_kind(const struct doc *doc, doc_node node);

/* The exact bytes of the value in the source, quotes included. Lives as long as the document's text. */
stet_view doc_text(const struct doc *doc, doc_node node);

/* Members or elements; 0 for scalars. */
uint32_t doc_count(const struct doc *doc, doc_node node);

/* Levels of arrays and objects: 0 for scalars, 1 for [] and [1]. */
uint32_t doc_height(const struct doc *doc, doc_node node);

/* Nodes in the value, itself included: a measure of the work it makes. */
uint32_t doc_weight(const struct doc *doc, doc_node node);

/*
 * Iteration in document order; for objects a child is the node of the VALUE. DOC_NONE at the end.
 *
 *     for (doc_node child = doc_first(doc, node); child != DOC_NONE; child = doc_next(doc, child))
 */
doc_node doc_first(const struct doc *doc, doc_node node);
doc_node doc_next(const struct doc *doc, doc_node child);

/* The key of an object's child: the bytes between the quotes, escapes as written. */
stet_view doc_key_raw(const struct doc *doc, doc_node child);

/* The key decoded: borrowed from the text when it has no escapes, else in the arena. STET_OK or STET_NO_MEMORY. */
stet_status doc_key(struct arena *arena, const struct doc *doc, doc_node child, stet_view *out);

/* The member with this key (given decoded; compared decoded), or DOC_NONE; also for what is not an object. O(log n). */
doc_node doc_member(const struct doc *doc, doc_node object, stet_view key);

/* The member of `object` with the same key as `child` of another document's object. */
doc_node doc_member_like(const struct doc *doc, doc_node object, const struct doc *other,
                         doc_node child);

/* DOC_NONE past the end and for what is not an array. Constant time for an array of scalars. */
doc_node doc_element(const struct doc *doc, doc_node array, uint32_t index);

/* RFC 6901 from the root ("" is the root); DOC_NONE when absent or malformed. */
doc_node doc_pointer(const struct doc *doc, stet_view pointer);

/*
 * A string's value, decoded: borrowed from the text when it has no escapes, else in the arena. May hold NUL bytes.
 * STET_OK, STET_NO_MEMORY, or STET_BAD_REQUEST when the node is not a string (the caller knows the field's name: no err).
 */
stet_status doc_string(struct arena *arena, const struct doc *doc, doc_node node, stet_view *out);

/* A string's text between the quotes, escapes as written, and whether there are any. node: a string. */
stet_view doc_string_raw(const struct doc *doc, doc_node node, bool *escaped);

/* An exact integer 0 … UINT64_MAX in any spelling (1.0, 10e-1, -0). False for anything else; out is untouched. */
bool doc_u64(const struct doc *doc, doc_node node, uint64_t *out);
bool doc_bool(const struct doc *doc, doc_node node, bool *out);

/*
 * Equality by value: key order, number spelling and escapes make no difference, decoded bytes do (no Unicode normalisation).
 * Exponents are never expanded. O(n log n). Both nodes may be DOC_NONE: absent equals absent only.
 */
bool doc_equal(const struct doc *a, doc_node an, const struct doc *b, doc_node bn);

/*
 * 64 bits of a value: equal values have equal hashes. Stored on disk, so it never changes: value_test.c holds vectors.
 * Not for security: somebody who tries can make two values collide; who compares hashes compares the values as well.
 */
uint64_t doc_hash(const struct doc *doc, doc_node node);

#endif
