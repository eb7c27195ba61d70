/*
 * The strategies, one function each. See core/settle.h.
 */
#include "core/settle.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/losses.h"
#include "core/merging.h"
#include "core/permit.h"
#include "core/provenance.h"
#include "core/render.h"
#include "core/settle_hop.h"
#include "core/veil.h"

#include <assert.h>

/* One stale write on its way. */
struct settling {
    struct staging *staging;
    struct mutation *mutation;
    struct store_head *head;
    const struct policy *policy;
    stet_strategy strategy;
    bool has_base, has_current; /* Known, and not a deletion. */
    uint64_t base_version;      /* 0: the record never had it. */
    struct store_change base, current;
    const struct merging *merging; /* NULL: not merged. */
};

static bool is_patch(const struct mutation *mutation) {
    return mutation->op == STET_OP_PATCH || mutation->op == STET_OP_PATCH_JSON;
}

static stet_status conflict(stet_error *err) {
    return error_set(err, STET_CONCURRENT_MODIFICATION, "somebody else changed the record");
}

/* ---- What the strategy is ---------------------------------------------------------------- */

stet_status settle_check_strategy(const struct staging *staging, const struct mutation *mutation,
                                  stet_error *err) {
    stet_strategy strategy;
    if (mutation->on_conflict == STET_STRATEGY_DEFAULT) return STET_OK;
    /* What a module writes follows its own rules. */
    if (staging->command->owner != NULL) return STET_OK;
    return policy_strategy(policy_staged(staging->space, mutation->type), mutation->on_conflict,
                           &strategy, err);
}

static stet_strategy strategy_of(const struct policy *policy, const struct mutation *mutation) {
    if (mutation->on_conflict != STET_STRATEGY_DEFAULT) return mutation->on_conflict;
    return policy == NULL ? STET_STRATEGY_REJECT : policy->on_conflict;
}

bool settle_counts(struct staging *staging, const struct mutation *mutation) {
    const struct policy *policy = policy_staged(staging->space, mutation->type);
    if (policy == NULL || !policy->counts || mutation->op == STET_OP_DELETE) return false;
    stet_strategy strategy = strategy_of(policy, mutation);
    return strategy == STET_STRATEGY_MERGE || strategy == STET_STRATEGY_ASK;
}

/* ---- The sides --------------------------------------------------------------------------- */

static stet_status load_sides(struct settling *settling, stet_error *err) {
    const struct mutation *mutation = settling->mutation;
    struct staging *staging = settling->staging;
    stet_status status = STET_OK;
    const struct change *newer = mutation->newer_change;
    if (newer != NULL && newer->row.seq == settling->head->seq) {
        settling->current = newer->row;
    } else {
        status = staging_head_change(staging, settling->head, &settling->current, err);
    }
    if (status != STET_OK) return status;
    settling->has_current = !settling->head->deleted && !settling->current.pruned;
    if (mutation->base.kind != STET_BASE_VERSION || mutation->base.value > settling->head->version)
        return STET_OK;
    settling->base_version = mutation->base.value;
    const struct change *kept = mutation->base_change;
    if (kept != NULL && kept->row.version == settling->base_version) {
        settling->base = kept->row;
    } else {
        stet_error why = {0};
        status = staging_version(staging, mutation, settling->head, settling->base_version,
                                 &settling->base, &why);
        if (status == STET_NOT_FOUND) settling->base_version = 0;
        if (status == STET_NOT_FOUND || status == STET_PRUNED) return STET_OK;
        if (status != STET_OK) {
            *err = why;
            return status;
        }
    }
    settling->has_base = settling->base.op != STORE_DELETE && !settling->base.pruned;
    return settling->has_base && !staging->command->actor.admin
               ? permit_base(staging, mutation, &settling->base, &settling->has_base, err)
               : STET_OK;
}

/* Yours, where the preparation did not find the base of a patch or the version to go back to. */
static stet_status need_yours(struct settling *settling, stet_error *err) {
    struct mutation *mutation = settling->mutation;
    stet_status status;
    if (mutation->has_yours || mutation->op == STET_OP_DELETE) return STET_OK;
    bool was_missing =
        mutation->prepare_status == STET_NOT_FOUND || mutation->prepare_status == STET_PRUNED;
    if (!was_missing && mutation->prepare_error != NULL) {
        *err = *mutation->prepare_error;
        return err->status;
    }
    if (!is_patch(mutation))
        return settle_prepare_late(settling->staging, mutation, settling->head, err);
    if (!settling->has_base) return conflict(err);
    const struct veil veil = permit_veil(settling->staging, settling->policy);
    status = veil_patch(&veil, mutation, &settling->base, &mutation->yours_data,
                        &mutation->yours_doc, &mutation->yours_hash, err);
    mutation->has_yours = status == STET_OK;
    mutation->prepared_late = mutation->has_yours;
    return status;
}

/* ---- Telling the modules ----------------------------------------------------------------- */

static stet_status tell(struct settling *settling, enum settlement_kind kind, stet_view result,
                        const struct losses *losses, stet_error *err) {
    struct staging *staging = settling->staging;
    struct space *space = staging->space;
    struct mutation *mutation = settling->mutation;
    const struct merging *merging = settling->merging;
    struct settlement settlement = {
        .kind = kind,
        .command = staging->command,
        .mutation = mutation,
        .index = (size_t)(mutation - staging->command->mutations),
        .strategy = settling->strategy,
        .base_version = settling->base_version,
        .head = &mutation->before, /* Where heads_get's stood may be somebody else's by now. */
        .base = settling->has_base ? settling->base.data : (stet_view){0},
        .current = settling->has_current ? settling->current.data : (stet_view){0},
        .yours = mutation->has_yours ? mutation->yours_data : (stet_view){0},
        .result = result,
        .deletes = mutation->op == STET_OP_DELETE,
        .merge = merging == NULL || merging->too_dear ? NULL : &merging->result,
        .losses = losses == NULL ? NULL : losses->items,
        .loss_count = losses == NULL ? 0 : losses->count,
        .now = staging->now,
    };
    for (size_t i = 0; i < space->module_count; i++) {
        const struct engine_module_state *module = &space->modules[i];
        if (module->module->settled == NULL) continue;
        stet_status status = module->module->settled(module->state, staging, &settlement, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static void count(const struct settling *settling, enum settled_how how) {
    if (settling->staging->command->dry_run) return;
    atomic_fetch_add_explicit(&settling->staging->space->counters.settled[settling->strategy][how],
                              1, memory_order_relaxed);
}

static stet_status drop(struct settling *settling, stet_error *err) {
    settling->mutation->decision = DECISION_DROPPED;
    count(settling, SETTLED_DROPPED);
    return tell(settling, SETTLEMENT_DROPPED, (stet_view){0}, NULL, err);
}

static stet_status unchanged(struct settling *settling) {
    settling->mutation->decision = DECISION_UNCHANGED;
    count(settling, SETTLED_UNCHANGED);
    return STET_OK;
}

/* ---- On top ------------------------------------------------------------------------------ */

/* A patch on top of what stands there now. */
static stet_status patch_head(struct staging *staging, struct mutation *mutation,
                              const struct store_head *head, stet_view *data, uint64_t *hash,
                              stet_error *err) {
    struct arena *arena = staging_arena(staging);
    struct store_change row;
    struct doc result;
    stet_status status = staging_head_change(staging, head, &row, err);
    if (status != STET_OK) return status;
    if (mutation->op == STET_OP_PATCH_JSON) {
        /* Every operation may look at the whole record, and the whole space waits meanwhile. */
        struct doc target;
        status = change_parse(arena, row.data, &target, err);
        if (status != STET_OK) return status;
        uint64_t steps = (uint64_t)doc_count(&mutation->body_doc, 0) * doc_weight(&target, 0);
        if (steps > PATCH_INLINE_STEPS_MAX) {
            error_set(err, STET_TOO_LARGE,
                      "the patch is too dear to be applied on top of another change");
            error_field(err, "patch", PATCH_INLINE_STEPS_MAX);
            return STET_TOO_LARGE;
        }
    }
    const struct veil veil = permit_veil(staging, policy_staged(staging->space, mutation->type));
    return veil_patch(&veil, mutation, &row, data, &result, hash, err);
}

/* On top of a record of which they do not see all, what they wrote leaves that as it stands now: not as it was when they read it. */
static stet_status veil_on_top(struct settling *settling, stet_view *data, uint64_t *hash,
                               stet_error *err) {
    const struct veil veil = permit_veil(settling->staging, settling->policy);
    struct store_change yours = {.data = *data};
    stet_view seen = settling->mutation->shown;
    struct doc doc;
    stet_status status = STET_OK;
    if (settling->head->deleted || !veil_is_on(&veil)) return STET_OK;
    if (seen.bytes == NULL) status = veil_show(&veil, &yours, &seen, err);
    if (status == STET_OK) status = veil_put(&veil, &settling->current, seen, data, err);
    if (status == STET_OK) status = change_parse(veil.arena, *data, &doc, err);
    if (status == STET_OK) *hash = doc_hash(&doc, 0);
    return status;
}

/* Who loses what when `result` (NULL: a deletion) replaces the head. */
static stet_status find_losses(struct settling *settling, const stet_view *result,
                               struct losses *losses, stet_error *err) {
    struct arena *arena = staging_arena(settling->staging);
    struct doc base, current, after;
    stet_view *pointers = NULL;
    size_t count = 0;
    if (settling->has_base && settling->has_current) {
        stet_status status = change_parse(arena, settling->base.data, &base, err);
        if (status == STET_OK) status = change_parse(arena, settling->current.data, &current, err);
        if (status == STET_OK && result != NULL) status = change_parse(arena, *result, &after, err);
        if (status == STET_OK)
            status = losses_pointers(arena, &base, &current, result == NULL ? NULL : &after,
                                     &pointers, &count, err);
        if (status != STET_OK) return status;
    }
    return losses_find(settling->staging, settling->mutation, settling->head,
                       settling->base_version, pointers, count, losses, err);
}

/* Yours stands, whatever others did meanwhile; they are told. */
static stet_status apply_on_top(struct settling *settling, stet_error *err) {
    struct staging *staging = settling->staging;
    struct mutation *mutation = settling->mutation;
    struct store_head *head = settling->head;
    struct losses losses;
    stet_view merge = {0}, data = mutation->yours_data;
    uint64_t hash = mutation->yours_hash;
    bool deletes = mutation->op == STET_OP_DELETE;
    stet_status status = losses_check(settling->base_version, head, err);
    if (status != STET_OK) return status;
    if (is_patch(mutation) && !head->deleted) {
        status = patch_head(staging, mutation, head, &data, &hash, err);
        if (status != STET_OK) return status;
        if (hash == head->hash) {
            struct mutation as_head = *mutation;
            bool equal;
            as_head.has_yours = true;
            as_head.yours_data = data;
            as_head.yours_hash = hash;
            status = staging_equals_head(staging, &as_head, head, &equal, err);
            if (status != STET_OK) return status;
            if (equal) return unchanged(settling);
        }
    } else if (!deletes) {
        status = need_yours(settling, err);
        if (status != STET_OK) return status;
        data = mutation->yours_data;
        hash = mutation->yours_hash;
        status = veil_on_top(settling, &data, &hash, err);
        if (status != STET_OK) return status;
    }
    status = find_losses(settling, deletes ? NULL : &data, &losses, err);
    if (status != STET_OK) return status;
    status = provenance_of_overwrite(staging_arena(staging), settling->strategy,
                                     settling->base_version, head->version, &merge, err);
    if (status != STET_OK) return status;
    status = deletes ? staging_tombstone(staging, mutation, merge, head, err)
                     : staging_data(staging, mutation, data, hash, merge, head, err);
    if (status != STET_OK) return status;
    staging->merged = true;
    count(settling, SETTLED_APPLIED);
    return tell(settling, SETTLEMENT_APPLIED, deletes ? (stet_view){0} : data, &losses, err);
}

/* The client's own times decide. What was written without one counts by the time it was stored. */
static stet_status newest(struct settling *settling, stet_error *err) {
    const struct mutation *mutation = settling->mutation;
    if (mutation->modified_at == 0) {
        error_set(err, STET_BAD_REQUEST,
                  "with \"newest\" a write says when it was made: modified_at is missing");
        error_field(err, "modified_at", 0);
        return STET_BAD_REQUEST;
    }
    int64_t standing = change_modified_at(staging_arena(settling->staging), &settling->current);
    return mutation->modified_at > standing ? apply_on_top(settling, err) : drop(settling, err);
}

/* ---- Merge ------------------------------------------------------------------------------- */

/* What current loses to yours by a rule. */
static stet_status merge_losses(struct settling *settling, struct losses *losses, stet_error *err) {
    const struct doc_merge_result *result = &settling->merging->result;
    stet_view *pointers = NULL;
    size_t count = 0;
    *losses = (struct losses){0};
    for (size_t i = 0; i < result->field_count; i++) {
        if (result->fields[i].dropped != DOC_DROPPED_CURRENT) continue;
        if (pointers == NULL)
            pointers = arena_alloc(staging_arena(settling->staging),
                                   result->field_count * sizeof *pointers);
        if (pointers == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
        /* Elements have other places in other versions: whose list it is must do. */
        const struct doc_merge_field *field = &result->fields[i];
        stet_view pointer = field->list.bytes == NULL ? field->pointer : field->list;
        if (count == 0 || !view_equal(pointers[count - 1], pointer)) pointers[count++] = pointer;
    }
    if (count == 0) return STET_OK;
    return losses_find(settling->staging, settling->mutation, settling->head,
                       settling->base_version, pointers, count, losses, err);
}

static bool drops_yours(const struct doc_merge_result *result) {
    for (size_t i = 0; i < result->field_count; i++)
        if (result->fields[i].dropped == DOC_DROPPED_YOURS) return true;
    return false;
}

static stet_status stage_merged(struct settling *settling, stet_error *err) {
    struct staging *staging = settling->staging;
    struct mutation *mutation = settling->mutation;
    const struct merging *merging = settling->merging;
    struct losses losses;
    bool moves;
    stet_status status = staging_moves(staging, mutation, settling->head, &moves, err);
    if (status != STET_OK) return status;
    if (!moves && merging->hash == settling->head->hash &&
        doc_equal(&merging->merged, 0, &merging->current, 0))
        return drops_yours(&merging->result) ? drop(settling, err) : unchanged(settling);
    status = merge_losses(settling, &losses, err);
    if (status != STET_OK) return status;
    status = staging_data(staging, mutation, merging->result.merged, merging->hash,
                          merging->provenance, settling->head, err);
    /* Nobody wrote what breaks the type's rules: each of the two was right alone. */
    if (status == STET_INVALID_DATA || status == STET_INVALID_TIME) {
        stet_error why = *err;
        error_set(err, STET_CONCURRENT_MODIFICATION, "the merged record is not valid: %s",
                  why.message);
        status = STET_CONCURRENT_MODIFICATION;
    }
    if (status != STET_OK) return status;
    staging->merged = true;
    count(settling, SETTLED_MERGED);
    return tell(settling, SETTLEMENT_MERGED, merging->result.merged, &losses, err);
}

static size_t weight(const struct settling *settling) {
    return settling->base.data.size + settling->current.data.size +
           settling->mutation->yours_data.size;
}

/* Merges, or has it merged by a worker: then command->hop is set. *merging stays NULL where there is no merge to be had. */
static stet_status run_merge(struct settling *settling, stet_error *err) {
    struct stet_command *command = settling->staging->command;
    struct mutation *mutation = settling->mutation;
    struct merging *merging = mutation->ahead;
    bool may_hop = !command->internal && command->hops < PREPARE_RETRIES_MAX;
    struct merging_sides sides = {
        .runner = {.space = settling->staging->space,
                   .functions = may_hop ? MERGING_ELSEWHERE : MERGING_BRIEFLY},
        .policy = settling->policy,
        .strategy = settling->strategy,
        .base = &settling->base,
        .current = &settling->current,
        .yours = mutation->yours_data,
        .yours_doc = &mutation->yours_doc};
    if (merging != NULL && merging->head_seq == settling->head->seq &&
        merging->policy_seq == policy_seq(settling->policy) &&
        merging->strategy == settling->strategy) {
        settling->merging = merging;
        return STET_OK;
    }
    merging = arena_alloc(&command->arena, sizeof *merging);
    if (merging == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
    bool dear = weight(settling) > MERGE_INLINE_BYTES_MAX;
    if (!dear || !may_hop) {
        stet_status status =
            merging_run(staging_arena(settling->staging), &sides,
                        may_hop ? MERGE_INLINE_STEPS_MAX : MERGE_FORCED_STEPS_MAX, merging, err);
        if (status != STET_OK) return status;
        dear = merging->too_dear && may_hop;
    }
    if (dear && may_hop) {
        atomic_fetch_add_explicit(&settling->staging->space->counters.merge_detours, 1,
                                  memory_order_relaxed);
        command->hop = settle_hop;
        return STET_OK;
    }
    settling->merging = merging;
    return STET_OK;
}

/* A deletion merges with no edit but none. */
static stet_status merge_deletion(struct settling *settling, bool *merged, stet_error *err) {
    struct arena *arena = staging_arena(settling->staging);
    struct doc base, current;
    *merged = false;
    if (!settling->has_base || !settling->has_current) return STET_OK;
    stet_status status = change_parse(arena, settling->base.data, &base, err);
    if (status == STET_OK) status = change_parse(arena, settling->current.data, &current, err);
    if (status != STET_OK || !doc_equal(&base, 0, &current, 0)) return status;
    struct doc_merge_result nothing = {.clean = true};
    stet_view provenance;
    status =
        provenance_of_merge(arena, settling->strategy, settling->base_version,
                            settling->head->version, &nothing, &base, &current, &provenance, err);
    if (status == STET_OK)
        status = staging_tombstone(settling->staging, settling->mutation, provenance,
                                   settling->head, err);
    if (status != STET_OK) return status;
    *merged = true;
    settling->staging->merged = true;
    count(settling, SETTLED_MERGED);
    return tell(settling, SETTLEMENT_MERGED, (stet_view){0}, NULL, err);
}

/* Merges what can be merged. *settled false: it is a conflict, and nothing was staged; or command->hop is set. */
static stet_status merge(struct settling *settling, bool *settled, stet_error *err) {
    struct mutation *mutation = settling->mutation;
    *settled = false;
    if (mutation->op == STET_OP_DELETE) return merge_deletion(settling, settled, err);
    if (!settling->has_base || !settling->has_current) {
        bool equal;
        stet_status status =
            staging_equals_head(settling->staging, mutation, settling->head, &equal, err);
        if (status != STET_OK || !equal) return status;
        *settled = true;
        return unchanged(settling);
    }
    stet_status status = need_yours(settling, err);
    if (status == STET_OK) status = run_merge(settling, err);
    if (status != STET_OK || settling->staging->command->hop != NULL) return status;
    if (settling->merging->too_dear || !settling->merging->result.clean) return STET_OK;
    status = stage_merged(settling, err);
    *settled = status == STET_OK;
    return status;
}

static stet_status merge_or_refuse(struct settling *settling, stet_error *err) {
    bool settled;
    stet_status status = merge(settling, &settled, err);
    if (status != STET_OK || settled || settling->staging->command->hop != NULL) return status;
    if (settling->merging == NULL || !settling->merging->too_dear) return conflict(err);
    error_set(err, STET_CONCURRENT_MODIFICATION,
              "merging takes more work than is done for one write");
    error_field(err, "merge_steps", MERGE_FORCED_STEPS_MAX);
    return STET_CONCURRENT_MODIFICATION;
}

/* What the rules cannot settle waits for a person, where a module keeps it for them. */
static stet_status ask(struct settling *settling, stet_error *err) {
    struct stet_command *command = settling->staging->command;
    struct mutation *mutation = settling->mutation;
    bool settled;
    stet_error why = {0};
    stet_status status = merge(settling, &settled, &why);
    if (command->hop != NULL || (status == STET_OK && settled)) return status;
    if (status != STET_OK && status != STET_CONCURRENT_MODIFICATION) {
        *err = why;
        return status;
    }
    /* All or nothing: the others cannot wait with it. Nor is a move kept with what waits. */
    if (command->mutation_count > 1) return conflict(err);
    bool moves;
    status = staging_moves(settling->staging, mutation, settling->head, &moves, err);
    if (status != STET_OK) return status;
    if (moves) return conflict(err);
    status = tell(settling, SETTLEMENT_PARKED, (stet_view){0}, NULL, err);
    if (status != STET_OK) return status;
    if (view_is_empty(mutation->conflict_id)) return conflict(err);
    mutation->decision = DECISION_PARKED;
    count(settling, SETTLED_PARKED);
    return STET_OK;
}

/* A record has one place: two moves to different parents are settled by no rule, and by no strategy that would hide one of them. */
static stet_status check_move(struct settling *settling, stet_error *err) {
    const struct mutation *mutation = settling->mutation;
    stet_view now = settling->current.parent;
    bool moves;
    if (!mutation->sets_parent || mutation->op == STET_OP_DELETE || settling->head->deleted)
        return STET_OK;
    stet_status status = staging_moves(settling->staging, mutation, settling->head, &moves, err);
    if (status != STET_OK || !moves) return status;
    if (settling->base_version > 0 && settling->base.version == settling->base_version &&
        view_equal(settling->base.parent, now))
        return STET_OK;
    error_set(err, STET_CONCURRENT_MODIFICATION, "somebody else moved the record meanwhile: %s%.*s",
              view_is_empty(now) ? "it has no parent now" : "its parent is now ", VIEW_ARG(now));
    error_field(err, "parent", 0);
    return STET_CONCURRENT_MODIFICATION;
}

stet_status settle_stale(struct staging *staging, struct mutation *mutation,
                         struct store_head *head, stet_error *err) {
    const struct policy *policy = policy_staged(staging->space, mutation->type);
    struct settling settling = {.staging = staging,
                                .mutation = mutation,
                                .head = head,
                                .policy = policy,
                                .strategy = strategy_of(policy, mutation)};
    stet_status status = STET_OK;
    mutation->strategy = settling.strategy;
    if (settling.strategy != STET_STRATEGY_REJECT) status = load_sides(&settling, err);
    if (status != STET_OK) return status;
    if (settling.strategy != STET_STRATEGY_REJECT &&
        settling.strategy != STET_STRATEGY_SERVER_WINS) {
        status = check_move(&settling, err);
        if (status == STET_CONCURRENT_MODIFICATION) count(&settling, SETTLED_REFUSED);
        if (status != STET_OK) return status;
    }
    switch (settling.strategy) {
    case STET_STRATEGY_DEFAULT:
    case STET_STRATEGY_REJECT: status = conflict(err); break;
    case STET_STRATEGY_LAST_WRITER_WINS: status = apply_on_top(&settling, err); break;
    case STET_STRATEGY_MERGE: status = merge_or_refuse(&settling, err); break;
    case STET_STRATEGY_NEWEST: status = newest(&settling, err); break;
    case STET_STRATEGY_SERVER_WINS: status = drop(&settling, err); break;
    case STET_STRATEGY_ASK: status = ask(&settling, err); break;
    }
    if (status == STET_CONCURRENT_MODIFICATION) count(&settling, SETTLED_REFUSED);
    return status;
}

/* ---- Late preparation -------------------------------------------------------------------- */

static stet_status revert_late(struct staging *staging, struct mutation *mutation,
                               const struct store_head *head, stet_error *err) {
    struct arena *arena = &staging->command->arena;
    struct store_change row;
    struct doc doc;
    stet_status status = staging_version(staging, mutation, head, mutation->revert_to, &row, err);
    if (status != STET_OK) return status;
    bool there = row.op != STORE_DELETE && !row.pruned;
    if (there && !staging->command->actor.admin)
        status = permit_base(staging, mutation, &row, &there, err);
    if (status != STET_OK || !there) return status != STET_OK ? status : STET_NOT_FOUND;
    status = change_parse(arena, row.data, &doc, err);
    if (status != STET_OK) return status;
    mutation->yours_data = arena_copy(arena, row.data);
    if (mutation->yours_data.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    mutation->yours_hash = doc_hash(&doc, 0);
    return STET_OK;
}

stet_status settle_prepare_late(struct staging *staging, struct mutation *mutation,
                                const struct store_head *head, stet_error *err) {
    stet_status status = mutation->prepare_status;
    if (status == STET_NOT_FOUND && is_patch(mutation)) {
        status =
            patch_head(staging, mutation, head, &mutation->yours_data, &mutation->yours_hash, err);
        mutation->has_yours = status == STET_OK;
    } else if (status == STET_NOT_FOUND && mutation->op == STET_OP_REVERT) {
        stet_error late = {0};
        status = revert_late(staging, mutation, head, &late);
        mutation->has_yours = status == STET_OK;
        if (status != STET_OK && status != STET_NOT_FOUND) *err = late;
    }
    if (mutation->has_yours) {
        mutation->prepared_late = true;
        atomic_fetch_add_explicit(&staging->space->counters.retries, 1, memory_order_relaxed);
    } else if (status == mutation->prepare_status && mutation->prepare_error != NULL) {
        *err = *mutation->prepare_error;
    }
    assert(mutation->has_yours == (status == STET_OK));
    return status;
}
