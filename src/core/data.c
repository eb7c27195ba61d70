#include "core/data.h"

#include "base/error.h"
#include "base/view.h"
#include "core/merging.h"
#include "core/validate.h"

/* Whether absent fields are filled in: a new version as a whole, not a change of what is there. */
static bool takes_defaults(const struct mutation *mutation) {
    /* What a version of a history had, it had. */
    if (mutation->imported && mutation->origin.history) return false;
    return mutation->op == STET_OP_CREATE || mutation->op == STET_OP_PUT;
}

/* Puts defaults in. doc: of data; replaced along with it. */
static stet_status fill(struct arena *arena, const struct policy *policy, struct doc *doc,
                        stet_view *data, uint64_t *hash, stet_error *err) {
    stet_view filled;
    stet_status status = validate_fill(arena, policy->validator, doc, &filled, err);
    if (status != STET_OK || view_is_empty(filled)) return status;
    status = doc_parse(arena, filled, NULL, doc, err);
    if (status != STET_OK) return status;
    *data = filled;
    *hash = doc_hash(doc, 0);
    return STET_OK;
}

/* The data the write was made from, where it is at hand. */
static bool parse_base(struct stet_command *command, const struct mutation *mutation,
                       struct doc *doc) {
    const struct change *base = mutation->base_change;
    return base != NULL && !change_is_delete(base) && mutation->base.kind == STET_BASE_VERSION &&
           base->row.version == mutation->base.value &&
           change_parse(&command->arena, base->row.data, doc, NULL) == STET_OK;
}

/* The type's policy, if data has to be compared with it. */
static const struct policy *judging_policy(const struct mutation *mutation) {
    const struct policy *policy = mutation->policy;
    return policy == NULL || policy->validator == NULL || type_is_system(mutation->type) ? NULL
                                                                                         : policy;
}

stet_status data_fill(struct stet_command *command, struct mutation *mutation, stet_error *err) {
    const struct policy *policy = judging_policy(mutation);
    struct doc doc = mutation->body_doc;
    if (policy == NULL || !takes_defaults(mutation)) return STET_OK;
    return fill(&command->arena, policy, &doc, &mutation->yours_data, &mutation->yours_hash, err);
}

stet_status data_judge(struct stet_command *command, struct mutation *mutation, stet_error *err) {
    const struct policy *policy = judging_policy(mutation);
    struct arena *arena = &command->arena;
    struct doc doc = mutation->body_doc, base;
    stet_error ignored;
    mutation->validated = false;
    mutation->validated_from = 0;
    if (policy == NULL) return STET_OK;
    if (doc_is_of(&mutation->yours_doc, mutation->yours_data)) {
        doc = mutation->yours_doc;
    } else if (mutation->yours_data.bytes != mutation->body.bytes) {
        stet_status status = doc_parse(arena, mutation->yours_data, NULL, &doc, err);
        if (status != STET_OK) return status;
    }
    bool has_base = policy->checks_old && parse_base(command, mutation, &base);
    /* What is refused here is judged once more when its turn comes, and refused there. */
    mutation->validated =
        validate(arena, policy->validator, &doc, has_base ? &base : NULL, &ignored) == STET_OK;
    if (has_base) mutation->validated_from = mutation->base.value;
    return STET_OK;
}

stet_status data_replace(struct staging *staging, struct mutation *mutation,
                         const struct policy *policy, stet_view data, stet_error *err) {
    struct arena *arena = staging_arena(staging);
    struct doc doc;
    stet_status status = doc_parse(arena, data, NULL, &doc, err);
    if (status != STET_OK) return status;
    uint64_t hash = doc_hash(&doc, 0);
    if (policy != NULL && policy->validator != NULL && takes_defaults(mutation))
        status = fill(arena, policy, &doc, &data, &hash, err);
    if (status != STET_OK) return status;
    /* A merge that was made ahead was made of this. */
    if (mutation->has_yours && view_equal(mutation->yours_data, data)) return STET_OK;
    mutation->yours_data = data;
    mutation->yours_hash = hash;
    mutation->yours_doc = (struct doc){0};
    mutation->has_yours = true;
    mutation->validated = false;
    mutation->ahead = NULL;
    return STET_OK;
}

/* Whether data_judge's approval holds here. */
static bool is_approved(const struct mutation *mutation, const struct policy *policy,
                        const struct store_head *head, stet_view data) {
    bool lives = head->version > 0 && !head->deleted;
    return mutation->validated && mutation->policy != NULL &&
           mutation->policy->seq == policy->seq && data.bytes == mutation->yours_data.bytes &&
           data.size == mutation->yours_data.size &&
           (!policy->checks_old || !lives || mutation->validated_from == head->version);
}

stet_status data_check(struct staging *staging, const struct mutation *mutation,
                       const struct store_head *head, stet_view *data, uint64_t *hash,
                       stet_error *err) {
    struct arena *arena = &staging->command->arena;
    const struct policy *policy = policy_staged(staging->space, mutation->type);
    struct doc doc, old;
    bool lives = head->version > 0 && !head->deleted;
    if (policy == NULL || policy->validator == NULL || is_approved(mutation, policy, head, *data))
        return STET_OK;
    stet_status status = change_parse(arena, *data, &doc, err);
    if (status != STET_OK) return status;
    bool moved = mutation->policy == NULL || mutation->policy->seq != policy->seq;
    if (moved && takes_defaults(mutation)) {
        status = fill(arena, policy, &doc, data, hash, err);
        if (status != STET_OK) return status;
    }
    bool compares = policy->checks_old && lives;
    if (compares) {
        struct store_change row;
        status = staging_head_change(staging, head, &row, err);
        if (status == STET_OK) status = change_parse(arena, row.data, &old, err);
        if (status != STET_OK) return status;
    }
    return validate(arena, policy->validator, &doc, compares ? &old : NULL, err);
}
