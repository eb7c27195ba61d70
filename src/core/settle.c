/*
 * The strategies, one function each. See core/settle.h.
 */
#include "core/settle.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/patch.h"
#include "doc/write.h"

#include <assert.h>

/* ---- Strategies -------------------------------------------------------------------------- */

/* {"strategy", "parents": [base, current], "over": [versions the writer had not seen]}; the list is cut at its first and last. */
static stet_view provenance(struct staging *staging, const struct mutation *mutation,
                            const struct store_head *head) {
    struct buffer buffer;
    struct json_writer writer;
    uint64_t base = mutation->base.kind == STET_BASE_VERSION ? mutation->base.value : 0;
    if (base > head->version) base = 0;
    buffer_init(&buffer, &staging->command->arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("strategy"), VIEW("last_writer_wins"));
    json_key(&writer, VIEW("parents"));
    json_array_begin(&writer);
    json_u64(&writer, base);
    json_u64(&writer, head->version);
    json_array_end(&writer);
    json_key(&writer, VIEW("over"));
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("from"), base + 1);
    json_member_u64(&writer, VIEW("to"), head->version);
    json_object_end(&writer);
    json_object_end(&writer);
    return json_end(&writer) == STET_OK ? buffer_view(&buffer) : (stet_view){0};
}

static bool is_patch(const struct mutation *mutation) {
    return mutation->op == STET_OP_PATCH || mutation->op == STET_OP_PATCH_JSON;
}

/* A patch on top of what stands there now. */
static stet_status patch_head(struct staging *staging, struct mutation *mutation,
                              const struct store_head *head, stet_view *data, uint64_t *hash,
                              stet_error *err) {
    struct arena *arena = &staging->command->arena;
    struct store_change row;
    struct doc target, result;
    stet_status status = staging_head_change(staging, head, &row, err);
    if (status != STET_OK) return status;
    status = change_parse(arena, row.data, &target, err);
    if (status != STET_OK) return status;
    /* Every operation may look at the whole record, and the whole space waits meanwhile. */
    uint64_t steps = (uint64_t)doc_count(&mutation->body_doc, 0) * doc_weight(&target, 0);
    if (mutation->op == STET_OP_PATCH_JSON && steps > PATCH_INLINE_STEPS_MAX) {
        error_set(err, STET_TOO_LARGE,
                  "the patch is too dear to be applied on top of another change");
        error_field(err, "patch", PATCH_INLINE_STEPS_MAX);
        return STET_TOO_LARGE;
    }
    status = mutation->op == STET_OP_PATCH
                 ? doc_merge_patch(arena, &target, &mutation->body_doc, data, err)
                 : doc_json_patch(arena, &target, &mutation->body_doc, data, err);
    if (status != STET_OK) return status;
    status = doc_parse(arena, *data, NULL, &result, err);
    if (status != STET_OK) return status;
    if (doc_kind(&result, 0) != DOC_OBJECT)
        return error_set(err, STET_PATCH_FAILED, "the patch does not leave a JSON object");
    *hash = doc_hash(&result, 0);
    return STET_OK;
}

static stet_status last_writer_wins(struct staging *staging, struct mutation *mutation,
                                    struct store_head *head, stet_error *err) {
    stet_view merge = provenance(staging, mutation, head);
    if (view_is_empty(merge)) return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
    if (mutation->op == STET_OP_DELETE) {
        staging->merged = true;
        return staging_tombstone(staging, mutation, merge, head, err);
    }
    stet_view data = mutation->yours_data;
    uint64_t hash = mutation->yours_hash;
    if (is_patch(mutation) && !head->deleted) {
        stet_status status = patch_head(staging, mutation, head, &data, &hash, err);
        if (status != STET_OK) return status;
        if (hash == head->hash) {
            struct mutation as_head = *mutation;
            bool equal;
            as_head.has_yours = true;
            as_head.yours_data = data;
            as_head.yours_hash = hash;
            status = staging_equals_head(staging, &as_head, head, &equal, err);
            if (status != STET_OK) return status;
            if (equal) {
                mutation->decision = DECISION_UNCHANGED;
                return STET_OK;
            }
        }
    } else if (!mutation->has_yours) {
        return error_set(err, STET_CONCURRENT_MODIFICATION, "the base of the patch is not kept");
    }
    staging->merged = true;
    return staging_data(staging, mutation, data, hash, merge, head, err);
}

stet_status settle_stale(struct staging *staging, struct mutation *mutation,
                         struct store_head *head, stet_error *err) {
    switch (mutation->on_conflict) {
    case STET_STRATEGY_LAST_WRITER_WINS: return last_writer_wins(staging, mutation, head, err);
    case STET_STRATEGY_DEFAULT:
    case STET_STRATEGY_REJECT:
    case STET_STRATEGY_MERGE:
    case STET_STRATEGY_NEWEST:
    case STET_STRATEGY_SERVER_WINS:
    case STET_STRATEGY_ASK: break;
    }
    return error_set(err, STET_CONCURRENT_MODIFICATION, "somebody else changed the record");
}

/* ---- Late preparation -------------------------------------------------------------------- */

static stet_status revert_late(struct staging *staging, struct mutation *mutation,
                               const struct store_head *head, stet_error *err) {
    struct arena *arena = &staging->command->arena;
    struct store_change row;
    struct doc doc;
    stet_status status = staging_version(staging, mutation, head, mutation->revert_to, &row, err);
    if (status != STET_OK) return status;
    if (row.op == STORE_DELETE || row.pruned) return STET_NOT_FOUND;
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
