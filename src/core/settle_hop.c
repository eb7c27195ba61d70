#include "core/settle_hop.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/merging.h"
#include "core/space.h"
#include "core/veil.h"

static bool wants_merge(const struct policy *policy, const struct mutation *mutation,
                        stet_strategy *strategy) {
    *strategy = mutation->on_conflict;
    if (*strategy == STET_STRATEGY_DEFAULT)
        *strategy = policy == NULL ? STET_STRATEGY_REJECT : policy->on_conflict;
    if (*strategy != STET_STRATEGY_MERGE && *strategy != STET_STRATEGY_ASK) return false;
    return mutation->base.kind == STET_BASE_VERSION && mutation->op != STET_OP_DELETE &&
           mutation->op != STET_OP_CHECK;
}

static bool is_mergeable(const struct store_change *row) {
    return row->op != STORE_DELETE && !row->pruned;
}

/* ---- On a worker ------------------------------------------------------------------------- */

static stet_status merge_one(struct stet_command *command, struct mutation *mutation,
                             struct store_reader *reader, const struct policy *policy,
                             stet_strategy strategy, stet_error *err) {
    struct arena *arena = &command->arena;
    struct store_head head;
    struct store_change base, current;
    stet_status status = store_head(reader, mutation->type, mutation->id, &head, err);
    if (status != STET_OK) return status;
    if (head.version == 0 || head.deleted || mutation->base.value >= head.version) return STET_OK;
    if (mutation->ahead != NULL && mutation->ahead->head_seq == head.seq &&
        mutation->ahead->policy_seq == policy_seq(policy) && !mutation->ahead->too_dear)
        return STET_OK;
    status = store_change_at(reader, arena, head.seq, &current, err);
    if (status == STET_OK)
        status =
            store_find(reader, arena, &head, STORE_BOUND_VERSION, mutation->base.value, &base, err);
    if (status != STET_OK) return status;
    if (!is_mergeable(&base) || base.version != mutation->base.value) return STET_OK;
    /* The sequencer may have had it from a base that was not stored yet, and forgot it again. */
    if (!mutation->has_yours &&
        (mutation->op == STET_OP_PATCH || mutation->op == STET_OP_PATCH_JSON)) {
        const struct veil veil = {
            .space = command->space, .policy = policy, .actor = &command->actor, .arena = arena};
        status = veil_base(&veil, &base, err);
        if (status == STET_OK)
            status = veil_patch(&veil, mutation, &base, &mutation->yours_data, &mutation->yours_doc,
                                &mutation->yours_hash, err);
        if (status != STET_OK) return status;
        mutation->has_yours = true;
        mutation->prepare_status = STET_OK;
    }
    if (!mutation->has_yours) return STET_OK;
    struct merging *merging = arena_alloc(arena, sizeof *merging);
    if (merging == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
    struct merging_sides sides = {.runner = {.space = command->space, .functions = MERGING_FULLY},
                                  .policy = policy,
                                  .strategy = strategy,
                                  .base = &base,
                                  .current = &current,
                                  .yours = mutation->yours_data,
                                  .yours_doc = &mutation->yours_doc};
    status = merging_run(arena, &sides, MERGE_STEPS_MAX, merging, err);
    if (status == STET_OK) mutation->ahead = merging;
    return status;
}

stet_status settle_hop(struct stet_command *command, struct store_reader *reader, stet_error *err) {
    for (size_t i = 0; i < command->mutation_count; i++) {
        struct mutation *mutation = &command->mutations[i];
        const struct policy *policy = policy_find(command->space, mutation->type);
        stet_strategy strategy;
        stet_status status = STET_OK;
        stet_error why = {0};
        if (wants_merge(policy, mutation, &strategy))
            status = merge_one(command, mutation, reader, policy, strategy, &why);
        policy_unref(policy);
        /* Anything else is found again, and answered in its place, by the sequencer. */
        if (status == STET_NO_MEMORY) {
            *err = why;
            return status;
        }
    }
    return STET_OK;
}

/* ---- On the client's thread -------------------------------------------------------------- */

bool settle_merges(const struct mutation *mutation) {
    stet_strategy strategy;
    return wants_merge(mutation->policy, mutation, &strategy);
}

/* The base of a write that is stale already: better here than on the sequencer's thread. NULL when it is not to be had. */
static stet_status find_base(struct stet_command *command, struct mutation *mutation,
                             const struct change *current, stet_error *err) {
    struct space *space = command->space;
    struct arena *arena = &command->arena;
    const struct store_change *newer = &current->row;
    struct store_reader *reader;
    struct store_head head;
    struct store_change row;
    stet_error why = {0};
    mutation->base_change = ring_find_version(&space->ring, newer, mutation->base.value);
    if (mutation->base_change != NULL) return STET_OK;
    if (space_reader_take(space, &reader, &why) != STET_OK) return STET_OK;
    stet_status status;
    if (mutation->base.value + 1 == newer->version && newer->prev != 0) {
        status = store_change_at(reader, arena, newer->prev, &row, &why);
    } else {
        status = store_head(reader, mutation->type, mutation->id, &head, &why);
        if (status == STET_OK && head.version > 0)
            status = store_find(reader, arena, &head, STORE_BOUND_VERSION, mutation->base.value,
                                &row, &why);
        if (status == STET_OK && (head.version == 0 || row.version != mutation->base.value))
            status = STET_NOT_FOUND;
    }
    space_reader_give(space, reader);
    if (status != STET_OK)
        return status == STET_NO_MEMORY ? error_set(err, status, "out of memory") : STET_OK;
    mutation->base_change = change_from_row(&row);
    return mutation->base_change == NULL ? error_set(err, STET_NO_MEMORY, "out of memory")
                                         : STET_OK;
}

stet_status settle_ahead(struct stet_command *command, struct mutation *mutation,
                         struct change *current, stet_error *err) {
    struct arena *arena = &command->arena;
    stet_strategy strategy;
    stet_error why = {0};
    if (current == NULL || !wants_merge(mutation->policy, mutation, &strategy)) return STET_OK;
    if (mutation->base.value >= current->row.version) {
        if (mutation->base.value == current->row.version && mutation->base_change == NULL)
            mutation->base_change = change_ref(current);
        return STET_OK;
    }
    change_unref(mutation->newer_change); /* Of a submission that was refused as busy. */
    mutation->newer_change = change_ref(current);
    stet_status status = STET_OK;
    if (mutation->base_change == NULL) status = find_base(command, mutation, current, err);
    if (status != STET_OK || mutation->base_change == NULL || !mutation->has_yours) return status;
    const struct store_change *base = &mutation->base_change->row;
    size_t bytes = base->data.size + current->row.data.size + mutation->yours_data.size;
    /* What others are busy with will have moved on when its turn comes. */
    bool quiet =
        ring_published(&command->space->ring) - current->row.seq > MERGE_AHEAD_QUIET_CHANGES;
    if ((!quiet && bytes < MERGE_AHEAD_BYTES_MIN) || !is_mergeable(base) ||
        !is_mergeable(&current->row))
        return STET_OK;
    bool may_hop = !command->internal && command->hop == NULL;
    if (bytes > MERGE_INLINE_BYTES_MAX) {
        if (may_hop) command->hop = settle_hop;
        return STET_OK;
    }
    struct merging *merging = arena_alloc(arena, sizeof *merging);
    if (merging == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
    struct merging_sides sides = {.runner = {.space = command->space},
                                  .policy = mutation->policy,
                                  .strategy = strategy,
                                  .base = base,
                                  .current = &mutation->newer_change->row,
                                  .yours = mutation->yours_data,
                                  .yours_doc = &mutation->yours_doc};
    status = merging_run(arena, &sides, MERGE_INLINE_STEPS_MAX, merging, &why);
    if (status == STET_NO_MEMORY) {
        *err = why;
        return status;
    }
    if (status != STET_OK) return STET_OK;
    if (!merging->too_dear) {
        mutation->ahead = merging;
    } else if (may_hop) {
        command->hop = settle_hop;
    }
    return STET_OK;
}
