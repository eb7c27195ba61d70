/*
 * Drafting the rules of "fields": every pointer with a rule is put into a tree with one node for each token. What is misspelled,
 * or stands there twice, is found here.
 *
 * The elements of a by_key list are the "*" below it, and its nested "fields" are drafted there: an entry nested in the list
 * and a pointer that goes through the list with "*" are two spellings of one thing.
 */
#include "doc/draft.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

stet_status draft_fail_memory(struct compiler *compiler) {
    return error_set(compiler->err, STET_NO_MEMORY, "could not compile the rules of a type");
}

stet_status draft_fail_at(struct compiler *compiler, const struct pointer_path *where,
                          stet_status status, uint64_t limit) {
    stet_view text;
    if (pointer_format(compiler->arena, where, &text) != STET_OK)
        return draft_fail_memory(compiler);
    error_field_view(compiler->err, text, limit);
    return status;
}

stet_status draft_count(struct compiler *compiler, size_t count) {
    if (count <= TYPE_RULE_NODES_MAX - compiler->nodes) {
        compiler->nodes += (uint32_t)count;
        return STET_OK;
    }
    error_set(compiler->err, STET_TOO_LARGE,
              "the fields, with every combination of their \"*\", need more than %d rules",
              TYPE_RULE_NODES_MAX);
    error_field(compiler->err, "/fields", TYPE_RULE_NODES_MAX);
    return STET_TOO_LARGE;
}

static stet_status draft_create(struct compiler *compiler, struct draft **out) {
    stet_status status = draft_count(compiler, 1);
    if (status != STET_OK) return status;
    *out = arena_zalloc(compiler->arena, 1, sizeof **out);
    return *out == NULL ? draft_fail_memory(compiler) : STET_OK;
}

struct draft *draft_find(const struct draft *draft, stet_view token) {
    struct draft *child = draft->first;
    while (child != NULL && !view_equal(child->token, token))
        child = child->next;
    return child;
}

/* The child with this token, made when it is not there. */
static stet_status draft_child(struct compiler *compiler, struct draft *draft, stet_view token,
                               struct draft **out) {
    struct draft **link = view_equal(token, VIEW("*")) ? &draft->any : &draft->first;
    if (link == &draft->first) {
        while (*link != NULL && !view_equal((*link)->token, token))
            link = &(*link)->next;
    }
    if (*link == NULL) {
        stet_status status = draft_create(compiler, link);
        if (status != STET_OK) return status;
        (*link)->token = arena_copy(compiler->arena, token);
        if ((*link)->token.bytes == NULL) return draft_fail_memory(compiler);
        (*link)->depth = draft->depth + 1;
    }
    *out = *link;
    return STET_OK;
}

const struct draft *draft_entry(const struct draft *draft) {
    while (draft->where.bytes == NULL)
        draft = draft->first != NULL ? draft->first : draft->any;
    return draft;
}

stet_status draft_path(struct compiler *compiler, struct draft *draft, stet_view pointer,
                       const struct pointer_path *where, struct draft **out) {
    if (!pointer_is_valid(pointer))
        return REFUSE(
            compiler, where,
            "is not a JSON pointer: \"\" or \"/member/member\", with ~ as ~0 and / as ~1");
    stet_view token;
    while (pointer_next(&pointer, &token)) {
        if (draft->depth >= JSON_DEPTH_MAX) {
            return draft_fail_at(compiler, where,
                                 error_set(compiler->err, STET_TOO_LARGE,
                                           "no record is more than %d levels deep", JSON_DEPTH_MAX),
                                 JSON_DEPTH_MAX);
        }
        stet_status status = pointer_decode(compiler->arena, token, &token);
        if (status != STET_OK) return draft_fail_memory(compiler);
        status = draft_child(compiler, draft, token, &draft);
        if (status != STET_OK) return status;
    }
    *out = draft;
    return STET_OK;
}

stet_status draft_text(struct compiler *compiler, doc_node node, stet_view *out) {
    return doc_string(compiler->arena, compiler->definition, node, out) == STET_NO_MEMORY
               ? draft_fail_memory(compiler)
               : STET_OK;
}

/* "minimum" or "maximum" of a delta. */
static stet_status read_bound(struct compiler *compiler, doc_node entry, stet_view name,
                              const struct pointer_path *where, bool *has, struct decimal *bound) {
    const struct doc *definition = compiler->definition;
    doc_node node = doc_member(definition, entry, name);
    *has = node != DOC_NONE;
    if (!*has) return STET_OK;
    struct pointer_path at = path_name(where, name);
    if (doc_kind(definition, node) != DOC_NUMBER)
        return REFUSE(compiler, &at, "is not a number: a delta stays between two numbers");
    stet_view text = arena_copy(compiler->arena, doc_text(definition, node));
    if (text.bytes == NULL) return draft_fail_memory(compiler);
    *bound = decimal_normalise(text);
    if (!decimal_in_bounds(bound))
        return REFUSE(compiler, &at,
                      "has more than %d digits or an exponent past %d: exact arithmetic ends there",
                      DECIMAL_DIGITS_MAX, DECIMAL_EXPONENT_MAX);
    return STET_OK;
}

static stet_status read_bounds(struct compiler *compiler, doc_node entry,
                               const struct pointer_path *where, struct rule_options *options) {
    stet_status status = read_bound(compiler, entry, VIEW("minimum"), where, &options->has_minimum,
                                    &options->minimum);
    if (status != STET_OK) return status;
    status = read_bound(compiler, entry, VIEW("maximum"), where, &options->has_maximum,
                        &options->maximum);
    if (status != STET_OK) return status;
    if (options->has_minimum && options->has_maximum &&
        decimal_compare(&options->minimum, &options->maximum) > 0) {
        struct pointer_path at = path_name(where, VIEW("minimum"));
        return REFUSE(compiler, &at, "is above \"maximum\": no number lies between them");
    }
    return STET_OK;
}

/* "key" of a by_key list: the name of a member of its elements, or a pointer inside them. */
static stet_status read_key(struct compiler *compiler, doc_node entry,
                            const struct pointer_path *where, stet_view *key) {
    const struct doc *definition = compiler->definition;
    doc_node node = doc_member(definition, entry, VIEW("key"));
    struct pointer_path at = path_name(where, VIEW("key"));
    if (node == DOC_NONE || doc_kind(definition, node) != DOC_STRING)
        return REFUSE(compiler, &at,
                      "by_key needs it: the name of the member that tells elements apart, such as "
                      "\"id\", or a pointer inside them");
    stet_view text;
    stet_status status = draft_text(compiler, node, &text);
    if (status != STET_OK) return status;
    if (text.size == 0 || (text.bytes[0] == '/' && !pointer_is_valid(text)))
        return REFUSE(compiler, &at, "is neither the name of a member nor a JSON pointer");
    if (text.bytes[0] == '/') {
        *key = arena_copy(compiler->arena, text);
        return key->bytes == NULL ? draft_fail_memory(compiler) : STET_OK;
    }
    struct pointer_path root = {0};
    struct pointer_path name = path_name(&root, text);
    return pointer_format(compiler->arena, &name, key) == STET_OK ? STET_OK
                                                                  : draft_fail_memory(compiler);
}

static stet_status read_rule(struct compiler *compiler, doc_node entry, doc_node merge,
                             const struct pointer_path *where, const struct doc_rule **rule,
                             stet_view *function) {
    struct pointer_path at = path_name(where, VIEW("merge"));
    if (doc_kind(compiler->definition, merge) != DOC_STRING)
        return REFUSE(compiler, &at, "is the name of a rule: %s", rule_names);
    stet_view name;
    stet_status status = draft_text(compiler, merge, &name);
    if (status != STET_OK) return status;
    *rule = rule_find(name);
    if (*rule == NULL && view_starts(name, VIEW("function:"))) {
        *function = view_make(name.bytes + 9, name.size - 9);
        if (function->size == 0 || function->size > ID_BYTES_MAX)
            return REFUSE(compiler, &at, "names a function: \"function:NAME\"");
        *rule = &rule_function;
    }
    if (*rule == NULL)
        return REFUSE(compiler, &at, "there is no such rule; possible are %s", rule_names);
    static const char *const options[] = {"key", "fields"};
    for (size_t i = 0; i < 2 && !(*rule)->keyed; i++) {
        if (doc_member(compiler->definition, entry, view_of(options[i])) == DOC_NONE) continue;
        at = path_name(where, view_of(options[i]));
        return REFUSE(compiler, &at, "belongs to the rule by_key; this field has %s",
                      (*rule)->name);
    }
    return STET_OK;
}

/* One entry of "fields". key: its pointer, decoded. */
static stet_status draft_field(struct compiler *compiler, struct draft *root, stet_view key,
                               doc_node entry, const struct pointer_path *where) {
    const struct doc *definition = compiler->definition;
    if (doc_kind(definition, entry) != DOC_OBJECT)
        return REFUSE(compiler, where, "is an object such as {\"merge\": \"delta\"}");
    doc_node merge = doc_member(definition, entry, VIEW("merge"));
    if (merge == DOC_NONE) {
        if (pointer_is_valid(key)) return STET_OK;
        struct draft *unused;
        return draft_path(compiler, root, key, where, &unused);
    }
    const struct doc_rule *rule = NULL;
    stet_view function = {0};
    stet_status status = read_rule(compiler, entry, merge, where, &rule, &function);
    if (status != STET_OK) return status;
    struct draft *draft;
    status = draft_path(compiler, root, key, where, &draft);
    if (status != STET_OK) return status;
    if (draft->rule != NULL)
        return REFUSE(compiler, where, "has a rule already, at \"%.*s\"", VIEW_ARG(draft->where));
    if (pointer_format(compiler->arena, where, &draft->where) != STET_OK)
        return draft_fail_memory(compiler);
    draft->rule = rule;
    draft->options.function = function;
    compiler->used = true;
    if (rule == &rule_delta) return read_bounds(compiler, entry, where, &draft->options);
    if (!rule->keyed) return STET_OK;
    status = read_key(compiler, entry, where, &draft->options.key);
    if (status != STET_OK) return status;
    doc_node nested = doc_member(definition, entry, VIEW("fields"));
    if (nested == DOC_NONE || doc_count(definition, nested) == 0) return STET_OK;
    struct draft *elements = NULL;
    status = draft_child(compiler, draft, VIEW("*"), &elements);
    if (status != STET_OK) return status;
    struct pointer_path at = path_name(where, VIEW("fields"));
    return draft_fields(compiler, elements, nested, &at);
}

stet_status draft_fields(struct compiler *compiler, struct draft *root, doc_node fields,
                         const struct pointer_path *where) {
    const struct doc *definition = compiler->definition;
    if (doc_kind(definition, fields) != DOC_OBJECT)
        return REFUSE(compiler, where, "is an object from JSON pointers to what holds there");
    for (doc_node entry = doc_first(definition, fields); entry != DOC_NONE;
         entry = doc_next(definition, entry)) {
        struct pointer_path at = path_member(where, definition, entry);
        if (++compiler->fields > TYPE_FIELDS_MAX) {
            return draft_fail_at(compiler, where,
                                 error_set(compiler->err, STET_TOO_LARGE,
                                           "a type has at most %d fields, nested ones included",
                                           TYPE_FIELDS_MAX),
                                 TYPE_FIELDS_MAX);
        }
        stet_view key;
        if (doc_key(compiler->arena, definition, entry, &key) != STET_OK)
            return draft_fail_memory(compiler);
        stet_status status = draft_field(compiler, root, key, entry, &at);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}
