/*
 * The module: what must hold whenever a record gets a parent or goes away, decided against the staged state.
 */
#include "modules/trees/trees.h"

#include "base/error.h"
#include "base/view.h"
#include "core/engine.h"
#include "core/render.h"
#include "core/staging.h"
#include "modules/trees/tree.h"

#include <stdlib.h>

struct trees {
    struct space *space;
    bool any; /* Some record has, or lately had, a parent. */
    /* What one command moves: its mutations come in order, and from the first again when it is decided anew. */
    const struct stet_command *moving;
    size_t moving_index;
    size_t moved; /* Records, those below included. */
};

static stet_status trees_open(struct space *space, void **state, stet_error *err) {
    struct trees *trees = calloc(1, sizeof *trees);
    const struct store_entry_range all = {.index = STORE_INDEX_PARENT};
    uint64_t count;
    if (trees == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for trees");
    stet_status status =
        store_entries_count(store_writer_reader(space->store), &all, 1, &count, err);
    if (status != STET_OK) {
        free(trees);
        return status;
    }
    trees->space = space;
    trees->any = count > 0;
    *state = trees;
    return STET_OK;
}

/* ---- Children, as they stand for the command at hand ---------------------------------------- */

struct children {
    uint64_t *numbers;
    size_t count;
};

/* The entry that was staged last for a child decides whether it is there. */
static bool is_staged_away(const struct batch *batch, stet_view key, uint64_t child, bool *staged) {
    const struct store_entry *entry = NULL;
    *staged = false;
    while ((entry = batch_find_entry(batch, STORE_INDEX_PARENT, key, entry)) != NULL) {
        if (entry->record != child) continue;
        *staged = true;
        return entry->remove;
    }
    return false;
}

static bool holds(const struct children *children, uint64_t number) {
    for (size_t i = 0; i < children->count; i++)
        if (children->numbers[i] == number) return true;
    return false;
}

/* Appends the children of a record, at most max in all. */
static stet_status find_children(struct trees *trees, struct arena *arena, uint64_t parent,
                                 size_t max, struct children *children, stet_error *err) {
    enum { PAGE = 64 };
    const struct batch *batch = trees->space->sequencer->batch;
    const struct store_entry *entry = NULL;
    struct store_entry_row rows[PAGE];
    uint8_t from[STORE_NUMBER_BYTES], to[STORE_NUMBER_BYTES];
    size_t found = PAGE;
    bool staged;
    store_number_key(parent, from);
    store_number_key(parent + 1, to);
    stet_view key = view_make(from, sizeof from);
    struct store_entry_range range = {
        .index = STORE_INDEX_PARENT, .from = key, .to = view_make(to, sizeof to)};
    while (found == PAGE && children->count < max) {
        stet_status status = store_entries_scan(store_writer_reader(trees->space->store), arena,
                                                &range, PAGE, rows, &found, err);
        if (status != STET_OK) return status;
        for (size_t i = 0; i < found && children->count < max; i++)
            if (!is_staged_away(batch, key, rows[i].record, &staged))
                children->numbers[children->count++] = rows[i].record;
        if (found > 0) {
            range.after_key = rows[found - 1].key;
            range.after_record = rows[found - 1].record;
        }
    }
    while (children->count < max &&
           (entry = batch_find_entry(batch, STORE_INDEX_PARENT, key, entry)) != NULL)
        if (!is_staged_away(batch, key, entry->record, &staged) && !holds(children, entry->record))
            children->numbers[children->count++] = entry->record;
    return STET_OK;
}

/* ---- Rules ------------------------------------------------------------------------------- */

static stet_status refuse_parent(stet_error *err, stet_status status, const char *message,
                                 uint64_t limit) {
    error_set(err, status, "%s", message);
    error_field(err, "parent", limit);
    return status;
}

/* How many levels a record and what is below it fill. */
static stet_status measure(struct trees *trees, struct arena *arena, uint64_t number,
                           uint32_t *levels, size_t *count, stet_error *err) {
    uint64_t *numbers = arena_alloc(arena, (TREE_NODES_MAX + 1) * sizeof *numbers);
    if (numbers == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a tree");
    struct children below = {.numbers = numbers, .count = 1};
    numbers[0] = number;
    *levels = 0;
    for (size_t first = 0, last = 1; first < last; last = below.count) {
        ++*levels;
        for (; first < last; first++) {
            stet_status status =
                find_children(trees, arena, numbers[first], TREE_NODES_MAX + 1, &below, err);
            if (status != STET_OK) return status;
        }
        if (below.count > TREE_NODES_MAX)
            return refuse_parent(err, STET_TOO_LARGE, "the record has too many descendants to move",
                                 TREE_NODES_MAX);
        if (*levels > TREE_DEPTH_MAX) break;
    }
    *count = below.count;
    return STET_OK;
}

/* The head of a record and the address of its parent, as they stand now. */
static stet_status look_up(struct trees *trees, struct arena *arena, stet_view type, stet_view id,
                           struct store_head *head, stet_view *parent, stet_error *err) {
    struct space *space = trees->space;
    struct store_head *found;
    struct store_change row;
    stet_status status =
        heads_get(&space->heads, store_writer_reader(space->store), type, id, &found, err);
    if (status != STET_OK) return status;
    *head = *found;
    *parent = (stet_view){0};
    if (head->version == 0 || head->parent == 0) return STET_OK;
    const struct change *staged = batch_find_change(space->sequencer->batch, head->seq);
    if (staged != NULL) {
        *parent = staged->row.parent;
        return STET_OK;
    }
    status = store_change_at(store_writer_reader(space->store), arena, head->seq, &row, err);
    if (status == STET_OK) *parent = row.parent;
    return status;
}

/* Counts the records from the new parent up, and meets the record itself where that would close a circle. */
static stet_status climb(struct trees *trees, struct arena *arena, const struct proposal *proposal,
                         uint32_t *above, stet_error *err) {
    stet_view address = proposal->mutation->parent;
    *above = 0;
    while (!view_is_empty(address)) {
        struct store_head head;
        stet_view type, id;
        stet_status status = address_parse(arena, address, &type, &id, err);
        if (status != STET_OK) return status;
        if (view_equal(type, proposal->type) && view_equal(id, proposal->id))
            return refuse_parent(err, STET_TREE_CYCLE, "a record cannot be its own ancestor", 0);
        if (type_is_system(type))
            return refuse_parent(err, STET_BAD_REQUEST, "a record of the system is no parent", 0);
        status = look_up(trees, arena, type, id, &head, &address, err);
        if (status != STET_OK) return status;
        /* That it does not exist is told by whoever looks it up for good. */
        if (head.version == 0 || head.deleted) return STET_OK;
        if (++*above >= TREE_DEPTH_MAX)
            return refuse_parent(err, STET_TOO_LARGE, "the tree would be too deep", TREE_DEPTH_MAX);
    }
    return STET_OK;
}

/* Everybody waits while what is below a record is counted: a transaction may not have that done without end. */
static stet_status count_moved(struct trees *trees, const struct proposal *proposal, size_t count,
                               stet_error *err) {
    if (trees->moving != proposal->command || proposal->index <= trees->moving_index)
        trees->moved = 0;
    trees->moving = proposal->command;
    trees->moving_index = proposal->index;
    trees->moved += count;
    if (trees->moved <= TREE_MOVED_MAX) return STET_OK;
    return refuse_parent(err, STET_TOO_LARGE, "too many records would be moved at once",
                         TREE_MOVED_MAX);
}

static stet_status check_parent(struct trees *trees, struct arena *arena,
                                const struct proposal *proposal, stet_error *err) {
    const struct store_head *head = proposal->head;
    uint32_t above, levels = 1;
    size_t moved = 0;
    if (type_is_system(proposal->type))
        return refuse_parent(err, STET_BAD_REQUEST, "a record of the system has no parent", 0);
    trees->any = true;
    stet_status status = climb(trees, arena, proposal, &above, err);
    /* Who writes a whole tree has measured it as it will be, and moves its nodes in an order that may pass through deeper ones. */
    bool exists = head->version > 0 && !head->deleted;
    if (status == STET_OK && exists && proposal->command->owner != &trees_module)
        status = measure(trees, arena, head->first, &levels, &moved, err);
    if (status == STET_OK && moved > 0) status = count_moved(trees, proposal, moved, err);
    if (status == STET_OK && above + levels > TREE_DEPTH_MAX)
        status = refuse_parent(err, STET_TOO_LARGE, "the tree would be too deep", TREE_DEPTH_MAX);
    return status;
}

static stet_status name_child(struct space *space, struct arena *arena, uint64_t number,
                              stet_view *address, stet_error *err) {
    const struct batch *batch = space->sequencer->batch;
    struct store_head head;
    stet_view type = {0}, id = {0};
    for (size_t i = batch->change_count; i-- > 0 && type.size == 0;) {
        if (batch->changes[i]->row.first != number) continue;
        type = batch->changes[i]->row.type;
        id = batch->changes[i]->row.id;
    }
    if (type.size == 0) {
        stet_status status =
            store_head_of(store_writer_reader(space->store), arena, number, &type, &id, &head, err);
        if (status != STET_OK) return status;
    }
    *address = address_of(arena, type, id);
    return address->size > 0 ? STET_OK : error_set(err, STET_NO_MEMORY, "out of memory");
}

/* Nobody may be left without the parent they name. */
static stet_status check_childless(struct trees *trees, struct arena *arena,
                                   const struct proposal *proposal, stet_error *err) {
    enum { NAMED_MAX = 4 };
    uint64_t numbers[NAMED_MAX];
    struct children children = {.numbers = numbers};
    struct space *space = trees->space;
    stet_view address;
    stet_status status =
        find_children(trees, arena, proposal->head->first, NAMED_MAX, &children, err);
    if (status != STET_OK || children.count == 0) return status;
    status = name_child(space, arena, numbers[0], &address, err);
    if (status != STET_OK) return status;
    return error_set(err, STET_HAS_CHILDREN,
                     "the record has children (\"%.*s\"%s); delete or move them first, or delete "
                     "the whole tree",
                     (int)(address.size > 100 ? 100 : address.size), address.bytes,
                     children.count > 1 ? " and others" : "");
}

static stet_status trees_check(void *state, const struct proposal *proposal, stet_error *err) {
    struct trees *trees = state;
    const struct mutation *mutation = proposal->mutation;
    struct arena arena;
    stet_status status = STET_OK;
    bool gets_parent = mutation != NULL && mutation->sets_parent && mutation->parent.size > 0 &&
                       proposal->op != STORE_DELETE;
    if (!gets_parent && (proposal->op != STORE_DELETE || !trees->any)) return STET_OK;
    arena_init(&arena, 4096);
    status = gets_parent ? check_parent(trees, &arena, proposal, err)
                         : check_childless(trees, &arena, proposal, err);
    arena_done(&arena);
    return status;
}

const struct module trees_module = {
    .name = "trees",
    .open = trees_open,
    .close = free,
    .check = trees_check,
};
