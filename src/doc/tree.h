/*
 * A document that is being changed: spans of parsed documents, taken apart only where something changes. For JSON patch.
 *
 * A tree is a small value. A SPAN borrows a node of a document. An OBJECT or ARRAY owns its list of members: two trees never
 * share one, so copying a value goes through tree_copy while moving it just moves the struct.
 *
 * Work is counted in steps (members looked at or moved); a function that passes steps_max answers TREE_STEPS or leaves
 * work->steps past it for its caller to see. So no patch is dearer than its limit, whatever it is made of.
 */
#ifndef DOC_TREE_H
#define DOC_TREE_H

#include "base/buffer.h"
#include "doc/doc.h"

struct tree_member;

struct tree {
    enum { TREE_SPAN, TREE_OBJECT, TREE_ARRAY } kind;
    uint32_t count; /* Of members. */
    uint32_t capacity;
    doc_node node; /* Of a SPAN. */
    const struct doc *doc;
    struct tree_member *members;
};

struct tree_member {
    stet_view key; /* Raw; of an OBJECT. */
    bool key_escaped;
    struct tree value;
};

struct tree_work {
    struct arena *arena;
    uint64_t steps;
    uint64_t steps_max;
};

enum tree_outcome {
    TREE_DONE,
    TREE_ABSENT, /* The path names nothing. */
    TREE_INDEX,  /* The last token is no index into its array. */
    TREE_STEPS,
    TREE_NO_MEMORY,
};

struct tree tree_span(const struct doc *doc, doc_node node);

/* The value at a valid pointer. It still belongs to root: read it, or tree_copy it. */
enum tree_outcome tree_find(struct tree_work *work, const struct tree *root, stet_view pointer,
                            struct tree *out);

/* What RFC 6902 means by add, replace and remove. The path is a valid pointer; of remove not "". */
enum tree_outcome tree_add(struct tree_work *work, struct tree *root, stet_view pointer,
                           struct tree value);
enum tree_outcome tree_replace(struct tree_work *work, struct tree *root, stet_view pointer,
                               struct tree value);
enum tree_outcome tree_remove(struct tree_work *work, struct tree *root, stet_view pointer,
                              struct tree *removed);

/* A tree that shares no list of members with the first. out may be the same as tree. */
enum tree_outcome tree_copy(struct tree_work *work, const struct tree *tree, struct tree *out);

bool tree_equal(struct tree_work *work, const struct tree *tree, const struct doc *doc,
                doc_node node);

/* Levels of containers, and an upper bound on the bytes tree_write makes. */
uint32_t tree_height(struct tree_work *work, const struct tree *tree);
size_t tree_bytes(struct tree_work *work, const struct tree *tree);

void tree_write(const struct tree *tree, struct buffer *out);

#endif
