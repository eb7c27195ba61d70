/*
 * A tree as it was at one position: a record with all its descendants, read from the store by a thread that is not the sequencer's. Also
 * the *tree version*: a short text from which the next writer learns whether anything in the tree changed since.
 *
 * Every lookup of the store sees what was committed when it began, so a tree that is read in many of them may be torn. The reader notes
 * the published position first; when it is through it looks at everything committed since then, and starts again if
 * any of it concerned the tree. What did not concern it cannot have torn it: the tree holds at the position noted.
 */
#ifndef MODULES_TREES_TREE_H
#define MODULES_TREES_TREE_H

#include "core/client.h"

#define TREE_NONE UINT32_MAX

struct tree_node {
    uint64_t number; /* The record's. */
    struct store_head head;
    struct store_change row; /* With its data; in the arena. */
    uint32_t parent;         /* Index of a node; TREE_NONE: the top. */
    uint32_t depth;          /* 0: the top. */
    uint32_t first_child, next_sibling;
};

/* Nodes level by level, children in the order they were created; in the arena of the read. */
struct tree {
    struct tree_node *nodes;
    size_t count;
    uint64_t seq; /* At which it holds. */
};

/*
 * @return STET_OK
 *         STET_NOT_FOUND, STET_DELETED  of the top.
 *         STET_TOO_LARGE  it has more than TREE_NODES_MAX nodes.
 *         STET_BUSY       others changed it again and again while it was read. Try again.
 * Thread: any, with a reader of its own.
 */
stet_status trees_read(struct space *space, struct store_reader *reader, struct arena *arena,
                       stet_view type, stet_view id, struct tree *tree, stet_error *err);

/* The same of a record alone, whatever it has below it. */
stet_status trees_read_top(struct space *space, struct store_reader *reader, struct arena *arena,
                           stet_view type, stet_view id, struct tree *tree, stet_error *err);

/* Whether the command's actor may know that a deleted record was there. */
bool trees_shows_tombstone(struct stet_command *command, struct store_reader *reader,
                           stet_view type, stet_view id);

/*
 * Either of both for a command's actor, who must be allowed to read all of it: STET_FORBIDDEN. A top that they may not read is
 * STET_NOT_FOUND, also when it is deleted.
 */
enum tree_extent { TREE_TOP, TREE_WHOLE };
stet_status trees_read_for(struct stet_command *command, struct store_reader *reader,
                           enum tree_extent extent, stet_view type, stet_view id, struct tree *tree,
                           stet_error *err);

/* The node of a record; TREE_NONE: it is not in the tree. */
uint32_t trees_find(const struct tree *tree, stet_view type, stet_view id);

/* What two readings of a tree have in common exactly when they have the same nodes in the same versions. */
struct tree_version {
    uint64_t seq;
    uint64_t count;
    uint64_t digest;
};

void tree_version_begin(struct tree_version *version, uint64_t seq);
void tree_version_add(struct tree_version *version, uint64_t number, uint64_t record_version);
struct tree_version tree_version_of(const struct tree *tree);
static inline bool tree_version_same(const struct tree_version *a, const struct tree_version *b) {
    return a->count == b->count && a->digest == b->digest;
}

enum { TREE_VERSION_BYTES_MAX = 64 };
/* text: TREE_VERSION_BYTES_MAX bytes. */
stet_view tree_version_format(const struct tree_version *version, char *text);
/* False: not one of ours. */
bool tree_version_parse(stet_view text, struct tree_version *version);

/* "type/id" and "type/id@version", in the arena; empty: out of memory. */
stet_view address_of(struct arena *arena, stet_view type, stet_view id);
stet_view address_at(struct arena *arena, stet_view type, stet_view id, uint64_t version);
/* Splits "type/id@version". STET_CORRUPT: not such an address. */
stet_status address_split(struct arena *arena, stet_view address, stet_view *type, stet_view *id,
                          uint64_t *version, stet_error *err);

#endif
