/*
 * POST …/merge: what changed in a fork since the fork point goes back into what it was forked from, three-way.
 *
 * For a record the fork point is the base, the original's head the current side, the fork's data the writer's: a write to the original
 * like any from a stale base, settled by the type's rules. In the same transaction the fork gets the merged data and the merged
 * version as its new fork point (a mutation that follows another: bind), so that a second merge does not bring the same changes again.
 *
 * For a tree it is done node by node. A node of the fork without a fork point is new: it is created under the original of its parent. An
 * original whose fork was deleted in the fork is deleted, unless it changed since the fork point. A node whose parent is not the
 * fork of its original's parent was moved, and so is its original.
 */
#include "base/error.h"
#include "base/view.h"
#include "doc/write.h"
#include "modules/trees/plan.h"
#include "modules/trees/trees.h"

#include <stdio.h>

#define NO_FOLLOW SIZE_MAX

/* A node of the fork and what it stands for in the original. */
struct pair {
    stet_view type, id; /* Of the original; made up here for a new one. */
    stet_view address;  /* Likewise. */
    uint64_t point;     /* The fork point: a version of the original; 0: the node is new. */
    bool writes;        /* The original is written. */
    size_t written;     /* By that mutation. */
};

struct merge {
    stet_view type, id;
    uint64_t base_version;
    stet_strategy on_conflict;
    stet_view data; /* Merged by hand; empty: by rules. */
    uint64_t data_hash;
    uint64_t into_version;
    bool whole_tree;
    bool planned;
    struct tree fork;
    struct pair *pairs; /* Beside the nodes of the fork. */
    size_t
        *follows; /* Beside the mutations: the one whose result it takes over; NO_FOLLOW: none. */
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
}

/* ---- What the fork changed --------------------------------------------------------------- */

static stet_status find_pair(struct stet_command *command, struct merge *merge, size_t index,
                             stet_error *err) {
    const struct tree_node *node = &merge->fork.nodes[index];
    struct pair *pair = &merge->pairs[index];
    struct arena *arena = &command->arena;
    *pair = (struct pair){.type = node->row.type};
    if (view_is_empty(node->row.forked_from)) {
        if (index == 0) {
            error_set(err, STET_BAD_REQUEST, "the record is not a fork of another one");
            error_field(err, "id", 0);
            return STET_BAD_REQUEST;
        }
        pair->id = plan_new_id(command);
    } else {
        stet_status status =
            address_split(arena, node->row.forked_from, &pair->type, &pair->id, &pair->point, err);
        if (status != STET_OK) return status;
    }
    pair->address = address_of(arena, pair->type, pair->id);
    return pair->id.size == 0 || pair->address.size == 0 ? no_memory(err) : STET_OK;
}

static stet_status is_same_data(struct arena *arena, stet_view a, stet_view b, bool *same,
                                stet_error *err) {
    struct doc a_doc, b_doc;
    *same = view_equal(a, b);
    if (*same) return STET_OK;
    stet_status status = change_parse(arena, a, &a_doc, err);
    if (status == STET_OK) status = change_parse(arena, b, &b_doc, err);
    if (status == STET_OK) *same = doc_equal(&a_doc, 0, &b_doc, 0);
    return status;
}

/* The original as it was at the fork point. */
static stet_status read_point(struct stet_command *command, struct store_reader *reader,
                              const struct pair *pair, struct store_change *row, stet_error *err) {
    struct store_head head;
    stet_status status = store_head(reader, pair->type, pair->id, &head, err);
    if (status != STET_OK) return status;
    if (head.version == 0) return error_set(err, STET_CORRUPT, "the origin of a fork is missing");
    status = store_find(reader, &command->arena, &head, STORE_BOUND_VERSION, pair->point, row, err);
    if (status == STET_OK && (row->version != pair->point || row->pruned))
        status = error_set(err, STET_PRUNED, "the version it was forked from is no longer kept");
    return status;
}

/* ---- Mutations --------------------------------------------------------------------------- */

/* The mutation that brings one node's changes into its original; none where there are none. */
static stet_status plan_node(struct plan *plan, struct merge *merge, struct store_reader *reader,
                             size_t index, stet_error *err) {
    struct stet_command *command = plan->command;
    const struct tree_node *node = &merge->fork.nodes[index];
    struct pair *pair = &merge->pairs[index];
    stet_view parent = index == 0 ? (stet_view){0} : merge->pairs[node->parent].address;
    struct mutation *mutation;
    pair->written = command->mutation_count;
    if (pair->point == 0) {
        mutation = plan_create(plan, pair->type, pair->id, node->row.data, node->head.hash);
        mutation->generated_id = true;
        mutation->sets_parent = true;
        mutation->parent = parent;
        pair->writes = true;
        return STET_OK;
    }
    struct store_change point;
    bool same;
    stet_status status = read_point(command, reader, pair, &point, err);
    if (status == STET_OK)
        status = is_same_data(&command->arena, point.data, node->row.data, &same, err);
    if (status != STET_OK) return status;
    bool by_hand = index == 0 && merge->data.size > 0;
    bool moved = index != 0 && !view_equal(point.parent, parent);
    if (same && !moved && !by_hand) return STET_OK;
    mutation = by_hand ? plan_put(plan, pair->type, pair->id, merge->into_version, merge->data,
                                  merge->data_hash)
                       : plan_put(plan, pair->type, pair->id, pair->point, node->row.data,
                                  node->head.hash);
    mutation->on_conflict = by_hand ? STET_STRATEGY_REJECT : merge->on_conflict;
    mutation->sets_parent = moved;
    mutation->parent = parent;
    pair->writes = true;
    return STET_OK;
}

/* Whether a record was one of the fork's nodes before it was deleted there. */
static bool was_in_fork(const struct tree *fork, const uint64_t *gone, size_t gone_count,
                        uint64_t parent) {
    for (size_t i = 0; i < fork->count; i++)
        if (fork->nodes[i].number == parent) return true;
    for (size_t i = 0; i < gone_count; i++)
        if (gone[i] == parent) return true;
    return false;
}

/* The fork of an original node that was deleted in this fork; *number 0: there is none. */
static stet_status find_deleted(struct stet_command *command, struct store_reader *reader,
                                const struct merge *merge, const struct tree_node *original,
                                const uint64_t *gone, size_t gone_count, uint64_t *number,
                                uint64_t *point, stet_error *err) {
    enum { FORKS_MAX = 64 };
    struct arena *arena = &command->arena;
    struct store_entry_row rows[FORKS_MAX];
    uint8_t from[STORE_NUMBER_BYTES], to[STORE_NUMBER_BYTES];
    size_t count = FORKS_MAX;
    *number = 0;
    store_number_key(original->number, from);
    store_number_key(original->number + 1, to);
    struct store_entry_range range = {.index = STORE_INDEX_FORK,
                                      .from = view_make(from, sizeof from),
                                      .to = view_make(to, sizeof to)};
    while (count == FORKS_MAX) {
        stet_status status =
            store_entries_scan(reader, arena, &range, FORKS_MAX, rows, &count, err);
        if (status != STET_OK) return status;
        for (size_t i = 0; i < count; i++) {
            struct store_head head;
            struct store_change row;
            stet_view type, id;
            status = store_records_of(reader, arena, &rows[i].record, 1, false, &head, &row, err);
            if (status != STET_OK) return status;
            if (head.version == 0 || !head.deleted || !head.forked ||
                !was_in_fork(&merge->fork, gone, gone_count, head.parent))
                continue;
            *number = rows[i].record;
            return address_split(arena, row.forked_from, &type, &id, point, err);
        }
        if (count > 0) {
            range.after_key = rows[count - 1].key;
            range.after_record = rows[count - 1].record;
        }
    }
    return STET_OK;
}

static bool is_paired(const struct merge *merge, const struct tree_node *original) {
    for (size_t i = 0; i < merge->fork.count; i++)
        if (view_equal(merge->pairs[i].id, original->row.id) &&
            view_equal(merge->pairs[i].type, original->row.type))
            return true;
    return false;
}

/* Deletes the originals of what was deleted in the fork. */
static stet_status plan_deletions(struct plan *plan, struct merge *merge,
                                  struct store_reader *reader, stet_error *err) {
    struct stet_command *command = plan->command;
    struct arena *arena = &command->arena;
    struct tree original;
    size_t gone_count = 0;
    stet_status status = trees_read_for(command, reader, TREE_WHOLE, merge->pairs[0].type,
                                        merge->pairs[0].id, &original, err);
    if (status == STET_NOT_FOUND || status == STET_DELETED) {
        /* Whoever writes it is told so. */
        if (err != NULL) *err = (stet_error){0};
        return STET_OK;
    }
    if (status != STET_OK) return status;
    uint64_t *gone = arena_alloc(arena, original.count * sizeof *gone);
    uint64_t *points = arena_zalloc(arena, original.count, sizeof *points);
    if (gone == NULL || points == NULL) return no_memory(err);
    /* From the top down, so that a parent that is gone is known before its children. */
    for (size_t i = 1; i < original.count; i++) {
        uint64_t number;
        if (is_paired(merge, &original.nodes[i])) continue;
        status = find_deleted(command, reader, merge, &original.nodes[i], gone, gone_count, &number,
                              &points[i], err);
        if (status != STET_OK) return status;
        if (number != 0) gone[gone_count++] = number;
        if (number == 0) points[i] = 0;
    }
    for (size_t i = original.count; i-- > 1;) {
        if (points[i] == 0) continue;
        struct mutation *mutation = plan_delete(plan, &original.nodes[i].row);
        mutation->base.value = points[i];
        mutation->on_conflict = merge->on_conflict;
    }
    return STET_OK;
}

/* Each fork whose original is written takes over what became of it. */
static void plan_forks(struct plan *plan, struct merge *merge) {
    for (size_t i = 0; i < merge->fork.count; i++) {
        const struct tree_node *node = &merge->fork.nodes[i];
        if (!merge->pairs[i].writes) continue;
        merge->follows[plan->command->mutation_count] = merge->pairs[i].written;
        struct mutation *mutation = plan_put(plan, node->row.type, node->row.id, node->head.version,
                                             node->row.data, node->head.hash);
        mutation->touches = true;
    }
}

static stet_status plan_merge(struct stet_command *command, struct merge *merge,
                              struct store_reader *reader, stet_error *err) {
    size_t capacity = 2 * merge->fork.count + TREE_NODES_MAX;
    struct plan plan;
    merge->pairs = arena_zalloc(&command->arena, merge->fork.count, sizeof *merge->pairs);
    merge->follows = arena_alloc(&command->arena, capacity * sizeof *merge->follows);
    if (merge->pairs == NULL || merge->follows == NULL) return no_memory(err);
    for (size_t i = 0; i < capacity; i++)
        merge->follows[i] = NO_FOLLOW;
    stet_status status = plan_begin(&plan, command, capacity, err);
    for (size_t i = 0; status == STET_OK && i < merge->fork.count; i++)
        status = find_pair(command, merge, i, err);
    if (status != STET_OK) return status;
    const struct tree_node *top = &merge->fork.nodes[0];
    if (top->head.version != merge->base_version) {
        /* Refused as a write of the fork would be, with what was changed meanwhile. */
        struct mutation *mutation = plan_put(&plan, merge->type, merge->id, merge->base_version,
                                             top->row.data, top->head.hash);
        mutation->touches = true;
        mutation->on_conflict = STET_STRATEGY_REJECT;
        return STET_OK;
    }
    for (size_t i = 0; status == STET_OK && i < merge->fork.count; i++)
        status = plan_node(&plan, merge, reader, i, err);
    if (status == STET_OK && merge->whole_tree) status = plan_deletions(&plan, merge, reader, err);
    if (status == STET_OK) plan_forks(&plan, merge);
    return status;
}

static stet_status merge_hop(struct stet_command *command, struct store_reader *reader,
                             stet_error *err) {
    struct merge *merge = command->module_data;
    stet_status status = trees_read_for(command, reader, merge->whole_tree ? TREE_WHOLE : TREE_TOP,
                                        merge->type, merge->id, &merge->fork, err);
    if (status == STET_OK) status = plan_merge(command, merge, reader, err);
    merge->planned = status == STET_OK;
    return status;
}

/* ---- On the sequencer -------------------------------------------------------------------- */

static stet_status answer_nothing(struct stet_command *command, struct json_writer *writer,
                                  stet_error *err) {
    (void)err;
    json_object_begin(writer);
    json_key(writer, VIEW("results"));
    json_array_begin(writer);
    json_array_end(writer);
    json_member_bool(writer, VIEW("unchanged"), true);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
    command->outcome.unchanged = true;
    return STET_OK;
}

static stet_status merge_begin(struct staging *staging, stet_error *err) {
    struct stet_command *command = staging->command;
    struct merge *merge = command->module_data;
    bool same = merge->planned;
    if (same && merge->whole_tree && command->mutation_count > 0) {
        stet_status status = plan_holds(staging, &merge->fork, &same, err);
        if (status != STET_OK) return status;
    }
    command->answer = command->mutation_count == 0 ? answer_nothing : NULL;
    if (same) return STET_OK;
    merge->planned = false;
    return plan_again(command, merge_hop, err);
}

/* A fork takes over what its original became. */
static stet_status merge_bind(struct staging *staging, size_t index, stet_error *err) {
    struct stet_command *command = staging->command;
    const struct merge *merge = command->module_data;
    struct mutation *mutation = &command->mutations[index];
    if (merge->follows[index] == NO_FOLLOW) return STET_OK;
    const struct mutation *original = &command->mutations[merge->follows[index]];
    bool written =
        original->decision == DECISION_STAGED || original->decision == DECISION_UNCHANGED;
    /* What was refused, dropped or has to wait leaves the fork as it is. */
    mutation->op = written ? STET_OP_PUT : STET_OP_CHECK;
    if (!written) return STET_OK;
    struct store_head head;
    struct store_change row;
    stet_status status = staging_read(staging, original->type, original->id, &head, &row, err);
    if (status != STET_OK) return status;
    mutation->yours_data = row.data;
    mutation->yours_hash = head.hash;
    mutation->body = mutation->yours_data;
    mutation->validated = false;
    mutation->forked_from =
        address_at(&command->arena, original->type, original->id, original->after_version);
    return mutation->forked_from.size == 0 ? no_memory(err) : STET_OK;
}

/* ---- Filling ----------------------------------------------------------------------------- */

static stet_status bad_field(stet_error *err, stet_status status, const char *field,
                             const char *message) {
    error_set(err, status, "%s", message);
    error_field(err, field, 0);
    return status;
}

static stet_status fill_by_hand(struct stet_command *command, struct merge *merge,
                                const stet_merge *asked, stet_error *err) {
    struct doc doc;
    if (asked->tree)
        return bad_field(err, STET_BAD_REQUEST, "data", "a tree cannot be merged by hand");
    if (asked->into_version == 0)
        return bad_field(err, STET_PRECONDITION_REQUIRED, "into_version",
                         "a merge by hand must name the original's version it was made from");
    if (asked->data.size > DATA_BYTES_MAX)
        return bad_field(err, STET_TOO_LARGE, "data", "the data is too large");
    merge->data = arena_copy(&command->arena, asked->data);
    if (merge->data.bytes == NULL) return no_memory(err);
    stet_status status = doc_parse(&command->arena, merge->data, NULL, &doc, err);
    if (status != STET_OK) return status;
    if (doc_kind(&doc, 0) != DOC_OBJECT)
        return bad_field(err, STET_BAD_REQUEST, "data", "the data must be a JSON object");
    merge->data_hash = doc_hash(&doc, 0);
    merge->into_version = asked->into_version;
    return STET_OK;
}

stet_status trees_fill_merge(struct stet_command *command, const stet_merge *asked,
                             stet_error *err) {
    struct arena *arena = &command->arena;
    char numbers[96];
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check_type_name(asked->type, "type", err);
    if (status == STET_OK) status = check_id(asked->id, "id", err);
    if (status != STET_OK) return status;
    if (asked->base_version == 0)
        return bad_field(err, STET_PRECONDITION_REQUIRED, "base_version",
                         "the merge must name the version of the fork that is to be merged");
    if (asked->on_conflict != STET_STRATEGY_DEFAULT && asked->on_conflict != STET_STRATEGY_MERGE &&
        asked->on_conflict != STET_STRATEGY_REJECT &&
        asked->on_conflict != STET_STRATEGY_LAST_WRITER_WINS)
        return bad_field(err, STET_BAD_REQUEST, "on_conflict",
                         "a fork is merged by merge, reject or last_writer_wins");
    struct merge *merge = arena_zalloc(arena, 1, sizeof *merge);
    if (merge == NULL) return no_memory(err);
    *merge = (struct merge){
        .type = arena_copy(arena, asked->type),
        .id = arena_copy(arena, asked->id),
        .base_version = asked->base_version,
        .on_conflict =
            asked->on_conflict == STET_STRATEGY_DEFAULT ? STET_STRATEGY_MERGE : asked->on_conflict,
        .whole_tree = asked->tree,
    };
    if (merge->type.bytes == NULL || merge->id.bytes == NULL) return no_memory(err);
    if (asked->data.size > 0) status = fill_by_hand(command, merge, asked, err);
    if (status == STET_OK)
        status = plan_fill(command, asked->mutation_key, asked->dry_run, merge_hop, err);
    if (status != STET_OK) return status;
    int size = snprintf(
        numbers, sizeof numbers, "%llu %llu %d %d", (unsigned long long)asked->base_version,
        (unsigned long long)asked->into_version, (int)merge->on_conflict, merge->whole_tree);
    const stet_view parts[] = {VIEW("merge"), merge->type, merge->id,
                               view_make(numbers, (size_t)size), merge->data};
    plan_hash(command, parts, sizeof parts / sizeof parts[0]);
    command->owner = &trees_module;
    command->module_data = merge;
    command->begin = merge_begin;
    command->bind = merge_bind;
    return STET_OK;
}
