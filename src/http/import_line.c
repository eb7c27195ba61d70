#include "http/import_line.h"

#include "base/error.h"
#include "base/view.h"
#include "http/body.h"

static const member_set line_members =
    MEMBER_BIT(MEMBER_TYPE) | MEMBER_BIT(MEMBER_ID) | MEMBER_BIT(MEMBER_DATA) |
    MEMBER_BIT(MEMBER_VERSION) | MEMBER_BIT(MEMBER_CREATED_AT) | MEMBER_BIT(MEMBER_CREATED_BY) |
    MEMBER_BIT(MEMBER_UPDATED_AT) | MEMBER_BIT(MEMBER_UPDATED_BY) |
    MEMBER_BIT(MEMBER_BASE_VERSION) | MEMBER_BIT(MEMBER_CLIENT_MUTATION_ID) |
    MEMBER_BIT(MEMBER_PARENT) | MEMBER_BIT(MEMBER_SEQ); /* seq: where it stood elsewhere. */

static const member_set history_members =
    MEMBER_BIT(MEMBER_OP) | MEMBER_BIT(MEMBER_TRANSACTION) | MEMBER_BIT(MEMBER_MODIFIED_AT) |
    MEMBER_BIT(MEMBER_SOURCE) | MEMBER_BIT(MEMBER_MERGE) | MEMBER_BIT(MEMBER_FORKED_FROM) |
    MEMBER_BIT(MEMBER_OPERATION) | MEMBER_BIT(MEMBER_FUNCTION) | MEMBER_BIT(MEMBER_INPUTS) |
    MEMBER_BIT(MEMBER_BYPASS);

static const enum member origin_members[] = {MEMBER_VERSION, MEMBER_CREATED_AT, MEMBER_CREATED_BY,
                                             MEMBER_UPDATED_AT, MEMBER_UPDATED_BY};

static stet_status read_names(const struct body *body, stet_mutation *mutation, stet_error *err) {
    stet_status status = body_text(body, MEMBER_TYPE, &mutation->type, err);
    if (status == STET_OK) status = body_text(body, MEMBER_ID, &mutation->id, err);
    if (status == STET_OK) status = body_json(body, MEMBER_DATA, false, &mutation->body, err);
    if (status == STET_OK) status = body_text(body, MEMBER_PARENT, &mutation->parent, err);
    mutation->sets_parent = mutation->parent.size > 0;
    if (status != STET_OK) return status;
    if (mutation->type.size == 0) return body_bad(body, MEMBER_TYPE, "is missing", err);
    if (mutation->id.size == 0) return body_bad(body, MEMBER_ID, "is missing", err);
    if (mutation->body.size == 0 && mutation->op != STET_OP_DELETE)
        return body_bad(body, MEMBER_DATA, "is missing", err);
    return STET_OK;
}

static stet_status read_origin(const struct body *body, stet_origin *origin, stet_error *err) {
    stet_status status = body_u64(body, MEMBER_VERSION, &origin->version, err);
    if (status == STET_OK && body_has(body, MEMBER_VERSION) && origin->version == 0)
        status = body_bad(body, MEMBER_VERSION, "must be at least 1", err);
    if (status == STET_OK) status = body_time(body, MEMBER_CREATED_AT, &origin->created_at, err);
    if (status == STET_OK) status = body_text(body, MEMBER_CREATED_BY, &origin->created_by, err);
    if (status == STET_OK) status = body_time(body, MEMBER_UPDATED_AT, &origin->updated_at, err);
    if (status == STET_OK) status = body_text(body, MEMBER_UPDATED_BY, &origin->updated_by, err);
    return status;
}

/* What a version of a history says of how it came about. */
static stet_status read_history(const struct body *body, stet_mutation *mutation,
                                stet_origin *origin, stet_error *err) {
    stet_status status = body_time(body, MEMBER_MODIFIED_AT, &mutation->modified_at, err);
    if (status == STET_OK) status = body_u64(body, MEMBER_BASE_VERSION, &origin->base_version, err);
    if (status == STET_OK) status = body_text(body, MEMBER_SOURCE, &origin->source, err);
    if (status == STET_OK)
        status = body_text(body, MEMBER_CLIENT_MUTATION_ID, &origin->mutation_key, err);
    if (status == STET_OK) status = body_json(body, MEMBER_MERGE, false, &origin->merge, err);
    if (status == STET_OK) status = body_text(body, MEMBER_FORKED_FROM, &origin->forked_from, err);
    if (status == STET_OK) status = body_text(body, MEMBER_OPERATION, &origin->operation, err);
    if (status == STET_OK) status = body_text(body, MEMBER_FUNCTION, &origin->function, err);
    if (status == STET_OK) status = body_json(body, MEMBER_INPUTS, true, &origin->inputs, err);
    if (status == STET_OK) status = body_flag(body, MEMBER_BYPASS, &origin->bypass, err);
    if (status == STET_OK && !body_has(body, MEMBER_VERSION))
        status = body_bad(body, MEMBER_VERSION, "is missing", err);
    origin->history = true;
    mutation->sets_parent = true; /* None said is none. */
    mutation->origin = origin;
    return status;
}

static stet_status read_op(const struct body *body, stet_mutation *mutation, stet_error *err) {
    stet_view op;
    stet_status status = body_text(body, MEMBER_OP, &op, err);
    if (status != STET_OK) return status;
    bool deletes = view_equal(op, VIEW("delete"));
    if (!deletes && !view_equal(op, VIEW("create")) && !view_equal(op, VIEW("update")))
        return body_bad(body, MEMBER_OP, "must be create, update or delete", err);
    mutation->op = deletes ? STET_OP_DELETE : STET_OP_PUT;
    return STET_OK;
}

/* A line that is a record's state, made from elsewhere or from a version here. */
static stet_status read_state(const struct body *body, stet_mutation *mutation, stet_origin *origin,
                              stet_view *key, stet_error *err) {
    uint64_t base = 0;
    stet_status status = body_u64(body, MEMBER_BASE_VERSION, &base, err);
    if (status == STET_OK) status = body_text(body, MEMBER_CLIENT_MUTATION_ID, key, err);
    if (status != STET_OK) return status;
    bool has_origin = false;
    for (size_t i = 0; i < sizeof origin_members / sizeof origin_members[0]; i++)
        has_origin = has_origin || body_has(body, (enum member)origin_members[i]);
    if (body_has(body, MEMBER_BASE_VERSION)) {
        if (has_origin)
            return body_bad(body, MEMBER_BASE_VERSION,
                            "and metadata of another place exclude each other", err);
        if (base == 0) return body_bad(body, MEMBER_BASE_VERSION, "must be at least 1", err);
        mutation->base = (stet_base){STET_BASE_VERSION, base};
        return STET_OK;
    }
    /* An origin, be it empty, makes it an import: repeating it is no conflict, and undoes no delete. */
    mutation->op = STET_OP_CREATE;
    mutation->origin = origin;
    return STET_OK;
}

stet_status import_read_line(struct arena *arena, stet_view text, stet_mutation *mutation,
                             stet_origin *origin, stet_view *key, stet_error *err) {
    struct doc *doc = arena_alloc(arena, sizeof *doc);
    struct body body;
    *mutation = (stet_mutation){.op = STET_OP_PUT};
    *origin = (stet_origin){0};
    if (doc == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    stet_status status = doc_parse(arena, text, &body_limits, doc, err);
    if (status != STET_OK) return status;
    bool history = doc_kind(doc, 0) == DOC_OBJECT && doc_member(doc, 0, VIEW("op")) != DOC_NONE;
    status = body_read(&body, arena, doc, 0,
                       history ? line_members | history_members : line_members, "", err);
    if (status == STET_OK && history) status = read_op(&body, mutation, err);
    if (status == STET_OK) status = read_names(&body, mutation, err);
    if (status == STET_OK) status = read_origin(&body, origin, err);
    if (status != STET_OK) return status;
    return history ? read_history(&body, mutation, origin, err)
                   : read_state(&body, mutation, origin, key, err);
}

uint64_t import_transaction_of(stet_view text) {
    static const char seq[] = "{\"seq\":", transaction[] = ",\"transaction\":";
    uint64_t number = 0;
    size_t at = sizeof seq - 1;
    if (!view_starts(text, view_of(seq))) return 0;
    while (at < text.size && text.bytes[at] >= '0' && text.bytes[at] <= '9')
        at++;
    if (!view_starts(view_make(text.bytes + at, text.size - at), view_of(transaction))) return 0;
    size_t from = at + sizeof transaction - 1, to = from;
    while (to < text.size && text.bytes[to] >= '0' && text.bytes[to] <= '9')
        to++;
    return view_parse_u64(view_make(text.bytes + from, to - from), &number) ? number : 0;
}

bool import_is_marker(stet_view text) { return view_starts(text, VIEW("{\"stet_export\":")); }
