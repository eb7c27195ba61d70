#include "http/mutations.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/terms.h"

static stet_status read_op(const struct body *body, stet_mutation *mutation, stet_error *err) {
    static const struct {
        const char *word;
        stet_op op;
        enum member payload; /* MEMBER_COUNT: none. */
    } ops[] = {
        {"create", STET_OP_CREATE, MEMBER_DATA}, {"put", STET_OP_PUT, MEMBER_DATA},
        {"patch", STET_OP_PATCH, MEMBER_PATCH},  {"delete", STET_OP_DELETE, MEMBER_COUNT},
        {"check", STET_OP_CHECK, MEMBER_COUNT},
    };
    stet_view word = {0};
    stet_status status = body_text(body, MEMBER_OP, &word, err);
    if (status != STET_OK) return status;
    size_t i = 0;
    while (i < sizeof ops / sizeof ops[0] && !view_equal(word, view_of(ops[i].word)))
        i++;
    if (i == sizeof ops / sizeof ops[0])
        return body_bad(body, MEMBER_OP, "must be create, put, patch, delete or check", err);
    mutation->op = ops[i].op;
    static const enum member payloads[] = {MEMBER_DATA, MEMBER_PATCH};
    for (int j = 0; j < 2; j++) {
        bool wanted = payloads[j] == ops[i].payload;
        if (wanted && !body_has(body, payloads[j]))
            return body_bad(body, payloads[j], "is missing", err);
        if (!wanted && body_has(body, payloads[j]))
            return body_bad(body, payloads[j], "does not belong to this op", err);
    }
    if (ops[i].payload == MEMBER_COUNT) return STET_OK;
    bool patch = ops[i].payload == MEMBER_PATCH;
    status = body_json(body, ops[i].payload, patch, &mutation->body, err);
    if (status == STET_OK && patch && doc_kind(body->doc, body->nodes[MEMBER_PATCH]) == DOC_ARRAY)
        mutation->op = STET_OP_PATCH_JSON;
    return status;
}

static stet_status read_mutation(struct arena *arena, const struct doc *doc, doc_node node,
                                 size_t index, stet_mutation *mutation, stet_error *err) {
    struct body body;
    stet_view strategy = {0};
    stet_time updated_at = 0;
    uint64_t version = 0;
    stet_view prefix = arena_format(arena, "/mutations/%zu", index);
    if (prefix.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    stet_status status = body_read(
        &body, arena, doc, node,
        MEMBER_BIT(MEMBER_OP) | MEMBER_BIT(MEMBER_TYPE) | MEMBER_BIT(MEMBER_ID) |
            MEMBER_BIT(MEMBER_BASE_VERSION) | MEMBER_BIT(MEMBER_BASE_UPDATED_AT) |
            MEMBER_BIT(MEMBER_DATA) | MEMBER_BIT(MEMBER_PATCH) | MEMBER_BIT(MEMBER_ON_CONFLICT) |
            MEMBER_BIT(MEMBER_PARENT) | MEMBER_BIT(MEMBER_LOCK) | MEMBER_BIT(MEMBER_MODIFIED_AT),
        prefix.bytes, err);
    if (status == STET_OK) status = read_op(&body, mutation, err);
    if (status == STET_OK) status = terms_read_relations(&body, mutation, err);
    if (status == STET_OK) status = body_text(&body, MEMBER_TYPE, &mutation->type, err);
    if (status == STET_OK && mutation->type.size == 0)
        status = body_bad(&body, MEMBER_TYPE, "is missing", err);
    if (status == STET_OK) status = body_text(&body, MEMBER_ID, &mutation->id, err);
    if (status == STET_OK && mutation->id.size == 0 && mutation->op != STET_OP_CREATE)
        status = body_bad(&body, MEMBER_ID, "is missing", err);
    if (status == STET_OK) status = body_u64(&body, MEMBER_BASE_VERSION, &version, err);
    if (status == STET_OK) status = body_time(&body, MEMBER_BASE_UPDATED_AT, &updated_at, err);
    if (status == STET_OK) status = body_text(&body, MEMBER_ON_CONFLICT, &strategy, err);
    if (status == STET_OK)
        status = body_time(&body, MEMBER_MODIFIED_AT, &mutation->modified_at, err);
    if (status != STET_OK) return status;
    if (body_has(&body, MEMBER_MODIFIED_AT) && mutation->modified_at <= 0)
        return body_bad(&body, MEMBER_MODIFIED_AT, "must be after 1970", err);
    if (body_has(&body, MEMBER_BASE_VERSION) && body_has(&body, MEMBER_BASE_UPDATED_AT))
        return body_bad(&body, MEMBER_BASE_UPDATED_AT, "and base_version exclude each other", err);
    if (body_has(&body, MEMBER_BASE_VERSION)) {
        if (version == 0) return body_bad(&body, MEMBER_BASE_VERSION, "must be at least 1", err);
        mutation->base = (stet_base){STET_BASE_VERSION, version};
    } else if (body_has(&body, MEMBER_BASE_UPDATED_AT)) {
        mutation->base = (stet_base){STET_BASE_UPDATED_AT, (uint64_t)updated_at};
    }
    if (strategy.size == 0) return STET_OK;
    status = stet_strategy_parse(strategy, &mutation->on_conflict, err);
    return status == STET_OK
               ? STET_OK
               : body_bad(&body, MEMBER_ON_CONFLICT, "is not a strategy known here", err);
}

stet_status mutations_read(const struct body *body, stet_mutation **mutations, size_t *count,
                           stet_error *err) {
    const struct doc *doc = body->doc;
    doc_node list = body->nodes[MEMBER_MUTATIONS];
    *mutations = NULL;
    *count = 0;
    if (list == DOC_NONE) return STET_OK;
    if (doc_kind(doc, list) != DOC_ARRAY)
        return body_bad(body, MEMBER_MUTATIONS, "must be an array", err);
    size_t size = doc_count(doc, list);
    if (size > TRANSACTION_MUTATIONS_MAX) {
        error_set(err, STET_TOO_LARGE, "a transaction may have at most %d mutations",
                  TRANSACTION_MUTATIONS_MAX);
        error_field(err, "/mutations", TRANSACTION_MUTATIONS_MAX);
        return STET_TOO_LARGE;
    }
    if (size == 0) return STET_OK;
    stet_mutation *found = arena_zalloc(body->arena, size, sizeof *found);
    if (found == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    size_t index = 0;
    for (doc_node child = doc_first(doc, list); child != DOC_NONE;
         child = doc_next(doc, child), index++) {
        stet_status status = read_mutation(body->arena, doc, child, index, &found[index], err);
        if (status != STET_OK) return status;
    }
    *mutations = found;
    *count = size;
    return STET_OK;
}
