#include "core/merging.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"
#include "core/engine.h"
#include "core/function.h"
#include "core/provenance.h"
#include "doc/patch.h"

static stet_status finish(struct arena *arena, const struct merging_sides *sides,
                          struct merging *merging, stet_error *err) {
    stet_status status = change_parse(arena, merging->result.merged, &merging->merged, err);
    if (status != STET_OK) return status;
    merging->hash = doc_hash(&merging->merged, 0);
    return provenance_of_merge(arena, sides->strategy, sides->base->version,
                               sides->current->version, &merging->result, &merging->base,
                               &merging->yours, &merging->provenance, err);
}

static stet_status run_function(void *context, struct arena *arena, stet_view name, stet_view base,
                                stet_view current, stet_view yours, stet_view *merged,
                                stet_error *err) {
    const struct merging_runner *runner = context;
    const struct function_runner *functions = runner->space->engine->functions;
    *merged = (stet_view){0};
    if (functions == NULL) return STET_OK;
    return functions->merge(runner->space, arena, name, runner->functions == MERGING_BRIEFLY, base,
                            current, yours, merged, err);
}

/* At most one in this time in a space: a broken function may fail at every write. */
enum { REPORT_INTERVAL_S = 60 };

void merging_report(struct space *space, const struct doc_merge_result *result) {
    const struct doc_rule_error *error = NULL;
    for (size_t i = 0; error == NULL && i < result->field_count; i++)
        error = result->fields[i].error;
    if (error == NULL) return;
    int64_t now = clock_monotonic_ns(space->engine->clock);
    int64_t next = atomic_load_explicit(&space->merge_report_next, memory_order_relaxed);
    if (now < next || !atomic_compare_exchange_strong(&space->merge_report_next, &next,
                                                      now + REPORT_INTERVAL_S * CLOCK_NS_PER_S))
        return;
    engine_report(
        space->engine, STET_REPORT_WARNING,
        "space \"%s\": function \"%.*s\" failed to merge, which left a conflict: %s: %.*s",
        space->name, VIEW_ARG(error->function), status_code(error->status),
        VIEW_ARG(error->detail));
}

struct doc_functions merging_functions(struct merging_runner *runner) {
    return (struct doc_functions){
        .merge = runner->functions == MERGING_ELSEWHERE ? NULL : run_function, .context = runner};
}

stet_status merging_run(struct arena *arena, struct merging_sides *sides, uint64_t steps_max,
                        struct merging *merging, stet_error *err) {
    stet_error why = {0};
    *merging = (struct merging){.head_seq = sides->current->seq,
                                .policy_seq = policy_seq(sides->policy),
                                .strategy = sides->strategy};
    stet_status status = change_parse(arena, sides->base->data, &merging->base, err);
    if (status == STET_OK)
        status = change_parse(arena, sides->current->data, &merging->current, err);
    if (status == STET_OK && doc_is_of(sides->yours_doc, sides->yours))
        merging->yours = *sides->yours_doc;
    else if (status == STET_OK)
        status = change_parse(arena, sides->yours, &merging->yours, err);
    if (status != STET_OK) return status;
    const struct doc_functions functions = merging_functions(&sides->runner);
    status = doc_merge_with(arena, &merging->base, &merging->current, &merging->yours,
                            sides->policy == NULL ? NULL : sides->policy->rules, &functions,
                            steps_max, &merging->result, &why);
    if (status == STET_TOO_LARGE) {
        merging->too_dear = true;
        return STET_OK;
    }
    if (status != STET_OK) {
        if (err != NULL) *err = why;
        return status;
    }
    merging_report(sides->runner.space, &merging->result);
    return merging->result.clean ? finish(arena, sides, merging, err) : STET_OK;
}

stet_status merging_patch(struct arena *arena, stet_op op, const struct doc *patch, stet_view onto,
                          stet_view *data, struct doc *result, uint64_t *hash, stet_error *err) {
    struct doc target;
    stet_status status = change_parse(arena, onto, &target, err);
    if (status != STET_OK) return status;
    status = op == STET_OP_PATCH ? doc_merge_patch(arena, &target, patch, data, err)
                                 : doc_json_patch(arena, &target, patch, data, err);
    if (status != STET_OK) return status;
    status = doc_parse(arena, *data, NULL, result, err);
    if (status != STET_OK) return status;
    if (doc_kind(result, 0) != DOC_OBJECT) {
        error_set(err, STET_PATCH_FAILED, "the patch does not leave a JSON object");
        error_field(err, "patch", 0);
        return STET_PATCH_FAILED;
    }
    *hash = doc_hash(result, 0);
    return STET_OK;
}
