/*
 * Interference: what others did in a tree since somebody read it, node by node, for the one whose change has to be refused.
 */
#ifndef MODULES_TREES_INTERFERENCE_H
#define MODULES_TREES_INTERFERENCE_H

#include "modules/trees/tree.h"

enum interference_kind {
    INTERFERENCE_CHANGED,
    INTERFERENCE_ADDED,
    INTERFERENCE_MOVED,
    INTERFERENCE_DELETED,
};

struct interference {
    enum interference_kind kind;
    struct store_change row; /* The change that did it last. */
};

struct interferences {
    struct interference *rows; /* In the arena. */
    size_t count;
};

/* A record that was in the tree as the caller knows it. */
struct known_record {
    stet_view type, id;
};

/*
 * Compares the tree as it is with how it was at seq. Nodes that only got a new version because something below them changed are left
 * out unless there is nothing else to tell. Those that are gone are found in the changes since, up to TREE_DEPARTED_CHANGES_MAX of them;
 * known: to name them also behind that.
 */
stet_status interference_find(struct store_reader *reader, struct arena *arena,
                              const struct tree *tree, uint64_t seq,
                              const struct known_record *known, size_t known_count,
                              struct interferences *found, stet_error *err);

const char *interference_word(enum interference_kind kind);

#endif
