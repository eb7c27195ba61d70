#include "http/body.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/params.h"

#include <stdio.h>
#include <stdlib.h>

const struct doc_limits body_limits = {
    .bytes_max = TRANSACTION_BYTES_MAX,
    .depth_max = JSON_DEPTH_MAX + 4,
    .nodes_max = 16 * JSON_NODES_MAX,
};

static const stet_view names[MEMBER_COUNT] = {
#define NAME(member, text) [member] = {text, sizeof(text) - 1}
    NAME(MEMBER_OP, "op"),
    NAME(MEMBER_TYPE, "type"),
    NAME(MEMBER_ID, "id"),
    NAME(MEMBER_PARENT, "parent"),
    NAME(MEMBER_LOCK, "lock"),
    NAME(MEMBER_BASE_VERSION, "base_version"),
    NAME(MEMBER_BASE_UPDATED_AT, "base_updated_at"),
    NAME(MEMBER_DATA, "data"),
    NAME(MEMBER_PATCH, "patch"),
    NAME(MEMBER_ON_CONFLICT, "on_conflict"),
    NAME(MEMBER_CLIENT_MUTATION_ID, "client_mutation_id"),
    NAME(MEMBER_MODIFIED_AT, "modified_at"),
    NAME(MEMBER_TO, "to"),
    NAME(MEMBER_MUTATIONS, "mutations"),
    NAME(MEMBER_RESOLUTION_TOKEN, "resolution_token"),
    NAME(MEMBER_CHOICE, "choice"),
    NAME(MEMBER_YOURS, "yours"),
    NAME(MEMBER_FIELDS, "fields"),
    NAME(MEMBER_ACTOR, "actor"),
    NAME(MEMBER_NAME, "name"),
    NAME(MEMBER_ADMIN, "admin"),
    NAME(MEMBER_EXPIRES_AT, "expires_at"),
    NAME(MEMBER_REPLACE, "replace"),
    NAME(MEMBER_TYPES, "types"),
    NAME(MEMBER_VERSION, "version"),
    NAME(MEMBER_CREATED_AT, "created_at"),
    NAME(MEMBER_CREATED_BY, "created_by"),
    NAME(MEMBER_UPDATED_AT, "updated_at"),
    NAME(MEMBER_UPDATED_BY, "updated_by"),
    NAME(MEMBER_TOKEN, "token"),
    NAME(MEMBER_TTL_S, "ttl_s"),
    NAME(MEMBER_WAIT_S, "wait_s"),
    NAME(MEMBER_NOTE, "note"),
    NAME(MEMBER_TREE, "tree"),
    NAME(MEMBER_TREE_VERSION, "tree_version"),
    NAME(MEMBER_INTO_VERSION, "into_version"),
    NAME(MEMBER_CONFLICTS, "conflicts"),
    NAME(MEMBER_FILTER, "filter"),
    NAME(MEMBER_RECORD, "record"),
    NAME(MEMBER_PERSON, "person"),
    NAME(MEMBER_OLDER_THAN, "older_than"),
    NAME(MEMBER_AFTER, "after"),
    NAME(MEMBER_IDS, "ids"),
    NAME(MEMBER_ALL, "all"),
    NAME(MEMBER_SEQ, "seq"),
    NAME(MEMBER_TRANSACTION, "transaction"),
    NAME(MEMBER_SOURCE, "source"),
    NAME(MEMBER_MERGE, "merge"),
    NAME(MEMBER_FORKED_FROM, "forked_from"),
    NAME(MEMBER_LANE, "lane"),
    NAME(MEMBER_CLASS, "class"),
    NAME(MEMBER_OP_TYPE, "op_type"),
    NAME(MEMBER_AGENT, "agent"),
    NAME(MEMBER_FUNCTION, "function"),
    NAME(MEMBER_OPERATION, "operation"),
    NAME(MEMBER_INPUTS, "inputs"),
    NAME(MEMBER_FUNCTIONS, "functions"),
    NAME(MEMBER_INPUT, "input"),
    NAME(MEMBER_TARGET, "target"),
    NAME(MEMBER_DEPENDS_ON, "depends_on"),
    NAME(MEMBER_BATCH_KEY, "batch_key"),
    NAME(MEMBER_NOT_BEFORE, "not_before"),
    NAME(MEMBER_DEADLINE, "deadline"),
    NAME(MEMBER_TIMEOUT_S, "timeout_s"),
    NAME(MEMBER_MAX_RETRIES, "max_retries"),
    NAME(MEMBER_REASON, "reason"),
    NAME(MEMBER_WORKER, "worker"),
    NAME(MEMBER_HANDS, "hands"),
    NAME(MEMBER_MAX, "max"),
    NAME(MEMBER_BATCH, "batch"),
    NAME(MEMBER_BIND, "bind"),
    NAME(MEMBER_LEASE, "lease"),
    NAME(MEMBER_PERCENT, "percent"),
    NAME(MEMBER_MESSAGE, "message"),
    NAME(MEMBER_ESTIMATED_S, "estimated_s"),
    NAME(MEMBER_RESULT, "result"),
    NAME(MEMBER_CLAIM_NEXT, "claim_next"),
    NAME(MEMBER_ERROR, "error"),
    NAME(MEMBER_RETRY, "retry"),
    NAME(MEMBER_RETRY_AFTER_S, "retry_after_s"),
    NAME(MEMBER_ASYNC, "async"),
    NAME(MEMBER_USER, "user"),
    NAME(MEMBER_PASSWORD, "password"),
    NAME(MEMBER_OLD, "old"),
    NAME(MEMBER_NEW, "new"),
    NAME(MEMBER_ROLES, "roles"),
    NAME(MEMBER_SCOPES, "scopes"),
    NAME(MEMBER_EMAIL, "email"),
    NAME(MEMBER_DISABLED, "disabled"),
    NAME(MEMBER_KIND, "kind"),
    NAME(MEMBER_LINK, "link"),
    NAME(MEMBER_DEVICE, "device"),
    NAME(MEMBER_BYPASS, "bypass"),
    NAME(MEMBER_SUB, "sub"),
    NAME(MEMBER_WHERE, "where"),
    NAME(MEMBER_EVENTS, "events"),
    NAME(MEMBER_SINCE, "since"),
    NAME(MEMBER_CSRF, "csrf"),
    NAME(MEMBER_CLIENT, "client"),
    NAME(MEMBER_ADDRESS, "address"),
#undef NAME
};

stet_status body_bad(const struct body *body, enum member member, const char *what,
                     stet_error *err) {
    char pointer[64];
    snprintf(pointer, sizeof pointer, "%s/%s", body->prefix, names[member].bytes);
    error_set(err, STET_BAD_REQUEST, "%s %s", pointer, what);
    error_field(err, pointer, 0);
    return STET_BAD_REQUEST;
}

void body_point(const struct body *body, stet_error *err) {
    stet_view field = view_make(err->field, strcspn(err->field, "/"));
    for (int i = 0; i < MEMBER_COUNT; i++) {
        if (!body_has(body, (enum member)i) || !view_equal(field, names[i])) continue;
        char pointer[sizeof err->field];
        snprintf(pointer, sizeof pointer, "/%.*s", (int)sizeof pointer - 2, err->field);
        error_field(err, pointer, err->limit);
        return;
    }
}

static stet_status unknown_member(const struct body *body, stet_view key, stet_error *err) {
    char pointer[160];
    int size = snprintf(pointer, sizeof pointer, "%s/", body->prefix);
    for (size_t i = 0; i < key.size && size < (int)sizeof pointer - 3; i++) {
        if (key.bytes[i] == '~' || key.bytes[i] == '/') {
            pointer[size++] = '~';
            pointer[size++] = key.bytes[i] == '~' ? '0' : '1';
        } else {
            pointer[size++] = key.bytes[i];
        }
    }
    stet_view view = view_make(pointer, (size_t)size);
    error_set(err, STET_BAD_REQUEST, "the member \"%.*s\" is not known here", VIEW_ARG(view));
    error_field_view(err, view, 0);
    return STET_BAD_REQUEST;
}

static enum member member_of(stet_view key) {
    if (view_equal(key, VIEW("clientMutationId"))) return MEMBER_CLIENT_MUTATION_ID;
    for (int i = 0; i < MEMBER_COUNT; i++) {
        if (view_equal(key, names[i])) return (enum member)i;
    }
    return MEMBER_COUNT;
}

stet_status body_read(struct body *body, struct arena *arena, const struct doc *doc, doc_node node,
                      member_set allowed, const char *prefix, stet_error *err) {
    body->arena = arena;
    body->doc = doc;
    body->prefix = prefix;
    body->nulls = 0;
    for (int i = 0; i < MEMBER_COUNT; i++)
        body->nodes[i] = DOC_NONE;
    if (doc_kind(doc, node) != DOC_OBJECT) {
        error_set(err, STET_BAD_REQUEST, "%s must be an object",
                  prefix[0] == '\0' ? "the body" : prefix);
        error_field(err, prefix[0] == '\0' ? "body" : prefix, 0);
        return STET_BAD_REQUEST;
    }
    for (doc_node child = doc_first(doc, node); child != DOC_NONE; child = doc_next(doc, child)) {
        stet_view key;
        stet_status status = doc_key(arena, doc, child, &key);
        if (status != STET_OK) return error_set(err, status, "out of memory");
        enum member member = member_of(key);
        if (member == MEMBER_COUNT || (allowed & MEMBER_BIT(member)) == 0)
            return unknown_member(body, key, err);
        if (body->nodes[member] != DOC_NONE || body_is_null(body, member))
            return body_bad(body, member, "is given in two spellings", err);
        if (doc_kind(doc, child) == DOC_NULL) {
            body->nulls |= MEMBER_BIT(member);
        } else {
            body->nodes[member] = child;
        }
    }
    return STET_OK;
}

stet_status body_text(const struct body *body, enum member member, stet_view *out,
                      stet_error *err) {
    doc_node node = body->nodes[member];
    char field[64];
    if (node == DOC_NONE) return STET_OK;
    if (doc_kind(body->doc, node) != DOC_STRING)
        return body_bad(body, member, "must be a string", err);
    stet_view text;
    stet_status status = doc_string(body->arena, body->doc, node, &text);
    if (status != STET_OK) return error_set(err, status, "out of memory");
    if (text.size == 0) return body_bad(body, member, "must not be empty", err);
    snprintf(field, sizeof field, "%s/%s", body->prefix, names[member].bytes);
    status = text_check(text, field, err);
    if (status == STET_OK) *out = text;
    return status;
}

stet_status body_u64(const struct body *body, enum member member, uint64_t *out, stet_error *err) {
    doc_node node = body->nodes[member];
    if (node == DOC_NONE) return STET_OK;
    if (doc_kind(body->doc, node) == DOC_NUMBER && doc_u64(body->doc, node, out)) return STET_OK;
    return body_bad(body, member, "must be a whole number from 0 on", err);
}

stet_status body_flag(const struct body *body, enum member member, bool *out, stet_error *err) {
    doc_node node = body->nodes[member];
    if (node == DOC_NONE || doc_bool(body->doc, node, out)) return STET_OK;
    return body_bad(body, member, "must be true or false", err);
}

stet_status body_time(const struct body *body, enum member member, stet_time *out,
                      stet_error *err) {
    stet_view text = {0};
    stet_status status = body_text(body, member, &text, err);
    if (status != STET_OK || text.size == 0) return status;
    if (time_parse(text, out)) return STET_OK;
    return body_bad(body, member, "must be an RFC 3339 time or decimal nanoseconds in a string",
                    err);
}

stet_status body_json(const struct body *body, enum member member, bool arrays, stet_view *out,
                      stet_error *err) {
    doc_node node = body->nodes[member];
    if (node == DOC_NONE) return STET_OK;
    enum doc_kind kind = doc_kind(body->doc, node);
    if (kind != DOC_OBJECT && !(arrays && kind == DOC_ARRAY))
        return body_bad(body, member,
                        arrays ? "must be an object or an array" : "must be an object", err);
    *out = doc_text(body->doc, node);
    return STET_OK;
}

void body_value(const struct body *body, enum member member, stet_view *out) {
    doc_node node = body->nodes[member];
    if (node != DOC_NONE) *out = doc_text(body->doc, node);
}

stet_status body_number(const struct body *body, enum member member, double *out, stet_error *err) {
    doc_node node = body->nodes[member];
    char text[64];
    if (node == DOC_NONE) return STET_OK;
    if (doc_kind(body->doc, node) != DOC_NUMBER)
        return body_bad(body, member, "must be a number", err);
    stet_view number = doc_text(body->doc, node);
    if (number.size >= sizeof text) return body_bad(body, member, "has too many digits", err);
    memcpy(text, number.bytes, number.size);
    text[number.size] = '\0';
    *out = strtod(text, NULL);
    return STET_OK;
}

stet_status body_unsigned(const struct body *body, enum member member, unsigned max, unsigned *out,
                          stet_error *err) {
    uint64_t value = *out;
    stet_status status = body_u64(body, member, &value, err);
    if (status != STET_OK) return status;
    if (value > max) {
        char what[48];
        snprintf(what, sizeof what, "must be at most %u", max);
        status = body_bad(body, member, what, err);
        err->limit = max;
        return status;
    }
    *out = (unsigned)value;
    return STET_OK;
}

stet_status body_texts(const struct body *body, enum member member, const stet_view **out,
                       size_t *count, stet_error *err) {
    doc_node node = body->nodes[member];
    *out = NULL;
    *count = 0;
    if (node == DOC_NONE) return STET_OK;
    if (doc_kind(body->doc, node) != DOC_ARRAY)
        return body_bad(body, member, "must be an array of strings", err);
    size_t size = doc_count(body->doc, node);
    if (size == 0) return STET_OK;
    stet_view *texts = arena_alloc(body->arena, size * sizeof *texts);
    if (texts == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    for (doc_node child = doc_first(body->doc, node); child != DOC_NONE;
         child = doc_next(body->doc, child)) {
        stet_status status = doc_string(body->arena, body->doc, child, &texts[(*count)++]);
        if (status == STET_BAD_REQUEST)
            return body_bad(body, member, "must be an array of strings", err);
        if (status != STET_OK) return error_set(err, status, "out of memory");
    }
    *out = texts;
    return STET_OK;
}

stet_status body_choice(const struct body *body, stet_choice *out, stet_error *err) {
    static const struct {
        const char *word;
        stet_choice choice;
    } words[] = {
        {"yours", STET_CHOICE_YOURS},   {"current", STET_CHOICE_CURRENT},
        {"merged", STET_CHOICE_MERGED}, {"fields", STET_CHOICE_FIELDS},
        {"custom", STET_CHOICE_CUSTOM},
    };
    stet_view text = {0};
    stet_status status = body_text(body, MEMBER_CHOICE, &text, err);
    if (status != STET_OK) return status;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!view_equal(text, view_of(words[i].word))) continue;
        *out = words[i].choice;
        return STET_OK;
    }
    return body_bad(body, MEMBER_CHOICE, "must be yours, current, merged, fields or custom", err);
}
