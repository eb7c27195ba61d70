/*
 * From the "fields" of a type's definition to a validator. See core/validate.h.
 *
 * Three passes: the tree is built from the entries; what each entry says is read, with all that contradicts itself in one entry; and
 * then what contradicts itself between entries is looked for, for which the whole tree must be there.
 */
#include "core/validator.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

#include <stdio.h>

struct compiler {
    struct arena *arena;
    const struct doc *definition;
    uint32_t fields;
    stet_error *err;
};

/* ---- Failing ----------------------------------------------------------------------------- */

static stet_status no_memory(struct compiler *compiler) {
    return error_set(compiler->err, STET_NO_MEMORY, "out of memory for a type");
}

static stet_status place(struct compiler *compiler, const struct pointer_path *where,
                         stet_status status, uint64_t limit) {
    stet_view pointer;
    if (pointer_format(compiler->arena, where, &pointer) != STET_OK) return no_memory(compiler);
    error_field_view(compiler->err, pointer, limit);
    return status;
}

#define REFUSE(compiler, where, ...)                                                               \
    place(compiler, where, error_set((compiler)->err, STET_INVALID_TYPE, __VA_ARGS__), 0)

static struct pointer_path path_name(const struct pointer_path *parent, const char *name) {
    return (struct pointer_path){.parent = parent, .key = view_of(name)};
}

/* A value of the definition that breaks a rule of the same definition. */
static stet_status as_type_error(struct compiler *compiler, stet_status status) {
    if (status != STET_INVALID_DATA) return status;
    if (compiler->err != NULL) compiler->err->status = STET_INVALID_TYPE;
    return STET_INVALID_TYPE;
}

/* ---- The tree ---------------------------------------------------------------------------- */

static stet_status node_child(struct compiler *compiler, struct validator *node, stet_view token,
                              struct validator **out) {
    struct validator **link = &node->first;
    bool any = view_equal(token, VIEW("*"));
    while (*link != NULL && (any ? !(*link)->any : !view_equal((*link)->token, token)) &&
           !((*link)->any && !any))
        link = &(*link)->next;
    if (*link == NULL || ((*link)->any && !any)) {
        struct validator *child = arena_zalloc(compiler->arena, 1, sizeof *child);
        if (child == NULL) return no_memory(compiler);
        child->token = token;
        child->any = any;
        child->depth = node->depth + 1;
        child->starred = node->starred || any;
        child->kinds = VALUE_ANY;
        child->values = DOC_NONE;
        child->max_bytes = UINT64_MAX;
        child->definition = compiler->definition;
        child->next = *link; /* Before "*". */
        *link = child;
    }
    *out = *link;
    return STET_OK;
}

static stet_status node_path(struct compiler *compiler, struct validator *node, stet_view pointer,
                             struct validator **out) {
    stet_view token;
    while (pointer_next(&pointer, &token)) {
        if (pointer_decode(compiler->arena, token, &token) != STET_OK) return no_memory(compiler);
        stet_status status = node_child(compiler, node, token, &node);
        if (status != STET_OK) return status;
    }
    *out = node;
    return STET_OK;
}

/* ---- One entry --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned kinds;
} kind_names[] = {
    {"string", VALUE_STRING},   {"number", VALUE_NUMBER}, {"integer", VALUE_INTEGER},
    {"boolean", VALUE_BOOLEAN}, {"object", VALUE_OBJECT}, {"array", VALUE_ARRAY},
    {"null", VALUE_NULL},       {"any", VALUE_ANY},
};

#define KIND_WORDS "string, number, integer, boolean, object, array, null or any"

static stet_status read_kind(struct compiler *compiler, doc_node node,
                             const struct pointer_path *where, unsigned *kinds) {
    stet_view text;
    stet_status status = doc_string(compiler->arena, compiler->definition, node, &text);
    if (status == STET_NO_MEMORY) return no_memory(compiler);
    for (size_t i = 0; status == STET_OK && i < sizeof kind_names / sizeof kind_names[0]; i++) {
        if (!view_equal(text, view_of(kind_names[i].name))) continue;
        *kinds |= kind_names[i].kinds;
        return STET_OK;
    }
    return REFUSE(compiler, where, "is " KIND_WORDS ", or a list of them");
}

/* "a string, an integer or null" */
static stet_status name_kinds(struct compiler *compiler, struct validator *node) {
    static const char *const words[] = {"a string",  "a number", "an integer", "true or false",
                                        "an object", "an array", "null"};
    char text[160];
    size_t size = 0, left = 0;
    for (size_t i = 0; i < 7; i++)
        left += (node->kinds & kind_names[i].kinds) == kind_names[i].kinds;
    for (size_t i = 0; i < 7; i++) {
        if ((node->kinds & kind_names[i].kinds) != kind_names[i].kinds) continue;
        int written = snprintf(text + size, sizeof text - size, "%s%s",
                               size == 0   ? ""
                               : left == 1 ? " or "
                                           : ", ",
                               words[i]);
        size += (size_t)written;
        left--;
    }
    stet_view kept = arena_copy(compiler->arena, view_make(text, size));
    node->kinds_name = kept.bytes;
    return kept.bytes == NULL ? no_memory(compiler) : STET_OK;
}

static stet_status read_type(struct compiler *compiler, struct validator *node,
                             const struct pointer_path *where) {
    const struct doc *definition = compiler->definition;
    doc_node type = doc_member(definition, node->entry, VIEW("type"));
    struct pointer_path at = path_name(where, "type");
    node->kinds_name = "anything";
    if (type == DOC_NONE) return STET_OK;
    node->kinds = 0;
    stet_status status = STET_OK;
    if (doc_kind(definition, type) != DOC_ARRAY) {
        status = read_kind(compiler, type, &at, &node->kinds);
    } else if (doc_count(definition, type) == 0) {
        return REFUSE(compiler, &at, "is " KIND_WORDS ", or a list of them");
    }
    if (doc_kind(definition, type) == DOC_ARRAY) {
        for (doc_node one = doc_first(definition, type); status == STET_OK && one != DOC_NONE;
             one = doc_next(definition, one))
            status = read_kind(compiler, one, &at, &node->kinds);
    }
    return status == STET_OK ? name_kinds(compiler, node) : status;
}

static stet_status read_flag(struct compiler *compiler, struct validator *node, const char *name,
                             const struct pointer_path *where, bool *out) {
    doc_node value = doc_member(compiler->definition, node->entry, view_of(name));
    struct pointer_path at = path_name(where, name);
    if (value == DOC_NONE || doc_bool(compiler->definition, value, out)) return STET_OK;
    return REFUSE(compiler, &at, "is true or false");
}

static stet_status read_number(struct compiler *compiler, struct validator *node, const char *name,
                               const struct pointer_path *where, bool *has, struct decimal *number,
                               stet_view *text) {
    doc_node value = doc_member(compiler->definition, node->entry, view_of(name));
    struct pointer_path at = path_name(where, name);
    *has = value != DOC_NONE;
    if (!*has) return STET_OK;
    if (doc_kind(compiler->definition, value) != DOC_NUMBER)
        return REFUSE(compiler, &at, "is a number");
    if ((node->kinds & VALUE_NUMBER) == 0 && (node->kinds & VALUE_INTEGER) == 0)
        return REFUSE(compiler, &at, "bounds numbers, and this field is %s", node->kinds_name);
    *text = doc_text(compiler->definition, value);
    *number = decimal_normalise(*text);
    return STET_OK;
}

static stet_status read_bytes(struct compiler *compiler, struct validator *node, const char *name,
                              const struct pointer_path *where, uint64_t *bytes) {
    doc_node value = doc_member(compiler->definition, node->entry, view_of(name));
    struct pointer_path at = path_name(where, name);
    if (value == DOC_NONE) return STET_OK;
    node->has_bytes = true;
    if (!doc_u64(compiler->definition, value, bytes) || *bytes > DATA_BYTES_MAX)
        return place(compiler, &at,
                     error_set(compiler->err, STET_INVALID_TYPE, "is a whole number from 0 to %u",
                               DATA_BYTES_MAX),
                     DATA_BYTES_MAX);
    if ((node->kinds & VALUE_STRING) == 0)
        return REFUSE(compiler, &at, "bounds strings, and this field is %s", node->kinds_name);
    return STET_OK;
}

static stet_status read_bounds(struct compiler *compiler, struct validator *node,
                               const struct pointer_path *where) {
    stet_status status = read_number(compiler, node, "minimum", where, &node->has_minimum,
                                     &node->minimum, &node->minimum_text);
    if (status == STET_OK)
        status = read_number(compiler, node, "maximum", where, &node->has_maximum, &node->maximum,
                             &node->maximum_text);
    if (status == STET_OK && node->has_minimum && node->has_maximum &&
        decimal_compare(&node->minimum, &node->maximum) > 0) {
        struct pointer_path at = path_name(where, "minimum");
        return REFUSE(compiler, &at, "is above \"maximum\": no number lies between them");
    }
    if (status == STET_OK)
        status = read_bytes(compiler, node, "min_bytes", where, &node->min_bytes);
    if (status == STET_OK)
        status = read_bytes(compiler, node, "max_bytes", where, &node->max_bytes);
    if (status == STET_OK && node->min_bytes > node->max_bytes) {
        struct pointer_path at = path_name(where, "min_bytes");
        return REFUSE(compiler, &at, "is above \"max_bytes\": no string lies between them");
    }
    return status;
}

static stet_status read_choices(struct compiler *compiler, struct validator *node,
                                const struct pointer_path *where) {
    const struct doc *definition = compiler->definition;
    struct pointer_path at = path_name(where, "enum");
    doc_node values = doc_member(definition, node->entry, VIEW("enum"));
    if (values == DOC_NONE) return STET_OK;
    if (doc_kind(definition, values) != DOC_ARRAY || doc_count(definition, values) == 0 ||
        doc_count(definition, values) > TYPE_ENUM_VALUES_MAX)
        return place(compiler, &at,
                     error_set(compiler->err, STET_INVALID_TYPE, "is a list of 1 to %d values",
                               TYPE_ENUM_VALUES_MAX),
                     TYPE_ENUM_VALUES_MAX);
    uint32_t index = 0;
    for (doc_node value = doc_first(definition, values); value != DOC_NONE;
         value = doc_next(definition, value)) {
        char text[12];
        snprintf(text, sizeof text, "%u", index++);
        struct pointer_path one = path_name(&at, text);
        stet_status status =
            validate_value(compiler->arena, node, definition, value, &one, compiler->err);
        if (status != STET_OK) return as_type_error(compiler, status);
    }
    node->values = values;
    return STET_OK;
}

static stet_status read_default(struct compiler *compiler, struct validator *node,
                                const struct pointer_path *where) {
    doc_node value = doc_member(compiler->definition, node->entry, VIEW("default"));
    struct pointer_path at = path_name(where, "default");
    if (value == DOC_NONE) return STET_OK;
    if (node->any)
        return REFUSE(compiler, &at, "says nothing here: what \"*\" names is there already");
    node->has_default = true;
    /* A document of its own: what fills a record in must have a root. */
    return doc_parse(compiler->arena, doc_text(compiler->definition, value), NULL, &node->fallback,
                     compiler->err);
}

/* Which kinds of values a merge rule can do something with; 0: all of them. */
static unsigned rule_kinds(stet_view rule) {
    static const struct {
        const char *name;
        unsigned kinds;
    } rules[] = {
        {"delta", VALUE_NUMBER | VALUE_INTEGER},
        {"min", VALUE_NUMBER | VALUE_INTEGER | VALUE_STRING},
        {"max", VALUE_NUMBER | VALUE_INTEGER | VALUE_STRING},
        {"set", VALUE_ARRAY},
        {"by_key", VALUE_ARRAY},
        {"append", VALUE_ARRAY},
        {"text", VALUE_STRING},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (view_equal(rule, view_of(rules[i].name))) return rules[i].kinds;
    return 0;
}

static stet_status read_merge(struct compiler *compiler, struct validator *node,
                              const struct pointer_path *where) {
    const struct doc *definition = compiler->definition;
    doc_node merge = doc_member(definition, node->entry, VIEW("merge"));
    stet_view rule = {0};
    if (merge != DOC_NONE &&
        doc_string(compiler->arena, definition, merge, &rule) == STET_NO_MEMORY)
        return no_memory(compiler);
    unsigned kinds = rule_kinds(rule);
    struct pointer_path at = path_name(where, "merge");
    if (kinds != 0 && (kinds & node->kinds) == 0)
        return REFUSE(compiler, &at, "is no rule for %s", node->kinds_name);
    node->immutable = view_equal(rule, VIEW("immutable"));
    if (view_equal(rule, VIEW("by_key"))) {
        stet_view key;
        doc_node name = doc_member(definition, node->entry, VIEW("key"));
        if (name == DOC_NONE || doc_string(compiler->arena, definition, name, &key) != STET_OK)
            return no_memory(compiler); /* rules_compile has accepted it. */
        struct pointer_path root = {0};
        struct pointer_path member = {.parent = &root, .key = key};
        node->key = key;
        if ((key.size == 0 || key.bytes[0] != '/') &&
            pointer_format(compiler->arena, &member, &node->key) != STET_OK)
            return no_memory(compiler);
        return STET_OK;
    }
    static const char *const options[] = {"key", "fields"};
    for (size_t i = 0; i < 2; i++) {
        if (doc_member(definition, node->entry, view_of(options[i])) == DOC_NONE) continue;
        at = path_name(where, options[i]);
        return REFUSE(compiler, &at, "belongs to \"merge\": \"by_key\"");
    }
    return STET_OK;
}

static stet_status read_immutable_when(struct compiler *compiler, struct validator *node,
                                       const struct pointer_path *where) {
    const struct doc *definition = compiler->definition;
    doc_node member = doc_member(definition, node->entry, VIEW("immutable_when"));
    struct pointer_path at = path_name(where, "immutable_when");
    struct expr_options options = {0};
    struct expr *expr = NULL;
    stet_error err = {0};
    stet_view text;
    if (member == DOC_NONE) return STET_OK;
    if (node->starred)
        return REFUSE(compiler, &at,
                      "cannot be said of elements: say it of the field that holds them");
    stet_status status = doc_string(compiler->arena, definition, member, &text);
    if (status == STET_NO_MEMORY) return no_memory(compiler);
    if (status != STET_OK) return REFUSE(compiler, &at, "is an expression, as a string");
    status = expr_parse(compiler->arena, text, &options, &expr, &err);
    if (status == STET_NO_MEMORY) return no_memory(compiler);
    if (status != STET_OK) return REFUSE(compiler, &at, "%s", err.message);
    node->immutable_when = expr;
    return STET_OK;
}

static stet_status check_names(struct compiler *compiler, doc_node entry,
                               const struct pointer_path *where) {
    static const char *const names[] = {
        "type",      "required", "default", "enum",   "minimum", "maximum",     "min_bytes",
        "max_bytes", "merge",    "key",     "fields", "title",   "description", "immutable_when"};
    const struct doc *definition = compiler->definition;
    for (doc_node member = doc_first(definition, entry); member != DOC_NONE;
         member = doc_next(definition, member)) {
        stet_view raw = doc_key_raw(definition, member);
        bool known = false;
        for (size_t i = 0; i < sizeof names / sizeof names[0] && !known; i++)
            known = view_equal(raw, view_of(names[i]));
        struct pointer_path at = path_member(where, definition, member);
        if (!known)
            return REFUSE(
                compiler, &at,
                "is not known; a field has type, required, default, enum, minimum, "
                "maximum, min_bytes, max_bytes, merge, key, fields, immutable_when, title, "
                "description");
        bool words = view_equal(raw, VIEW("title")) || view_equal(raw, VIEW("description"));
        if (words && doc_kind(definition, member) != DOC_STRING)
            return REFUSE(compiler, &at, "is a string");
    }
    return STET_OK;
}

static stet_status read_fields(struct compiler *compiler, struct validator *root, doc_node fields,
                               const struct pointer_path *where);

/* The pointer "": the whole record, or the whole element. All that can be said of it is how it merges. */
static stet_status read_whole(struct compiler *compiler, doc_node entry,
                              const struct pointer_path *where) {
    static const char *const names[] = {"merge", "title", "description"};
    static const char *const rules[] = {"reject", "last_writer_wins", "first", "atomic"};
    const struct doc *definition = compiler->definition;
    stet_status status = check_names(compiler, entry, where);
    if (status != STET_OK) return status;
    for (doc_node member = doc_first(definition, entry); member != DOC_NONE;
         member = doc_next(definition, member)) {
        stet_view raw = doc_key_raw(definition, member), rule;
        bool known = false;
        for (size_t i = 0; i < sizeof names / sizeof names[0] && !known; i++)
            known = view_equal(raw, view_of(names[i]));
        struct pointer_path at = path_member(where, definition, member);
        if (!known)
            return REFUSE(compiler, &at, "cannot be said of the whole record: name a field");
        if (!view_equal(raw, VIEW("merge"))) continue;
        status = doc_string(compiler->arena, definition, member, &rule);
        if (status == STET_NO_MEMORY) return no_memory(compiler);
        known = false;
        for (size_t i = 0; status == STET_OK && i < sizeof rules / sizeof rules[0] && !known; i++)
            known = view_equal(rule, view_of(rules[i]));
        if (!known)
            return REFUSE(compiler, &at,
                          "is reject, last_writer_wins, first or atomic for the whole record");
    }
    return STET_OK;
}

static stet_status read_field(struct compiler *compiler, struct validator *root, doc_node entry,
                              const struct pointer_path *where) {
    const struct doc *definition = compiler->definition;
    struct validator *node = NULL;
    stet_view pointer;
    if (doc_kind(definition, entry) != DOC_OBJECT)
        return REFUSE(compiler, where, "is an object such as {\"type\": \"string\"}");
    if (doc_key(compiler->arena, definition, entry, &pointer) != STET_OK)
        return no_memory(compiler);
    if (pointer.size == 0) return read_whole(compiler, entry, where);
    if (!pointer_is_valid(pointer))
        return REFUSE(compiler, where,
                      "is not the JSON pointer of a field: \"/member\" or \"/member/member\", with "
                      "~ as ~0 and / as ~1");
    stet_status status = check_names(compiler, entry, where);
    if (status == STET_OK) status = node_path(compiler, root, pointer, &node);
    if (status != STET_OK) return status;
    if (node->declared) return REFUSE(compiler, where, "names a field that has an entry already");
    node->declared = true;
    node->entry = entry;
    if (pointer_format(compiler->arena, where, &node->where) != STET_OK) return no_memory(compiler);
    status = read_type(compiler, node, where);
    if (status == STET_OK) status = read_merge(compiler, node, where);
    if (status == STET_OK) status = read_immutable_when(compiler, node, where);
    if (status == STET_OK) status = read_flag(compiler, node, "required", where, &node->required);
    if (status == STET_OK) status = read_bounds(compiler, node, where);
    if (status == STET_OK) status = read_choices(compiler, node, where);
    if (status == STET_OK) status = read_default(compiler, node, where);
    if (status != STET_OK) return status;
    if (node->any && node->required) {
        struct pointer_path at = path_name(where, "required");
        return REFUSE(compiler, &at, "says nothing here: what \"*\" names is there already");
    }
    doc_node nested = doc_member(definition, entry, VIEW("fields"));
    if (nested == DOC_NONE) return STET_OK;
    struct validator *elements = NULL;
    struct pointer_path at = path_name(where, "fields");
    status = node_child(compiler, node, VIEW("*"), &elements);
    if (status != STET_OK) return status;
    return read_fields(compiler, elements, nested, &at);
}

static stet_status read_fields(struct compiler *compiler, struct validator *root, doc_node fields,
                               const struct pointer_path *where) {
    const struct doc *definition = compiler->definition;
    if (doc_kind(definition, fields) != DOC_OBJECT)
        return REFUSE(compiler, where, "is an object from JSON pointers to what holds there");
    for (doc_node entry = doc_first(definition, fields); entry != DOC_NONE;
         entry = doc_next(definition, entry)) {
        struct pointer_path at = path_member(where, definition, entry);
        if (++compiler->fields > TYPE_FIELDS_MAX)
            return place(compiler, where,
                         error_set(compiler->err, STET_TOO_LARGE,
                                   "a type has at most %d fields, nested ones included",
                                   TYPE_FIELDS_MAX),
                         TYPE_FIELDS_MAX);
        stet_status status = read_field(compiler, root, entry, &at);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

/* ---- Between entries --------------------------------------------------------------------- */

/* err has its message; this adds a member of an entry as its place. */
static stet_status place_entry(struct compiler *compiler, const struct validator *node,
                               const char *member) {
    stet_view text = arena_format(compiler->arena, "%.*s%s", VIEW_ARG(node->where), member);
    if (text.bytes == NULL) return no_memory(compiler);
    error_field_view(compiler->err, text, 0);
    return STET_INVALID_TYPE;
}

/* A field below one that can hold nothing. */
static stet_status check_holds(struct compiler *compiler, const struct validator *parent,
                               const struct validator *node) {
    uint32_t index;
    if (parent == NULL || !parent->declared) return STET_OK;
    bool fits =
        (parent->kinds & VALUE_OBJECT) != 0 ||
        ((parent->kinds & VALUE_ARRAY) != 0 && (node->any || pointer_index(node->token, &index)));
    if (fits) return STET_OK;
    while (!node->declared)
        node = node->first; /* A node is only made on the way to an entry. */
    error_set(compiler->err, STET_INVALID_TYPE,
              "lies inside the field of \"%.*s\", which is %s and cannot hold it",
              VIEW_ARG(parent->where), parent->kinds_name);
    return place_entry(compiler, node, "");
}

static stet_status check_default(struct compiler *compiler, const struct validator *node,
                                 uint32_t depth_max) {
    struct pointer_path root = {0};
    struct doc filled = node->fallback;
    stet_error err = {0};
    stet_view text;
    stet_status status =
        validate_fill_below(compiler->arena, node, depth_max, &node->fallback, &text, &err);
    if (status == STET_OK && text.size > 0)
        status = doc_parse(compiler->arena, text, NULL, &filled, &err);
    if (status == STET_OK) status = validate_value(compiler->arena, node, &filled, 0, &root, &err);
    if (status == STET_OK) return STET_OK;
    if (compiler->err != NULL) *compiler->err = err;
    if (status != STET_INVALID_DATA) return status;
    char member[sizeof err.field + 16];
    snprintf(member, sizeof member, "/default%s", err.field);
    if (compiler->err != NULL) compiler->err->status = STET_INVALID_TYPE;
    return place_entry(compiler, node, member);
}

/* Passes up what lies below. */
static void sum_up(struct validator *node, uint32_t *depth_max) {
    node->immutable_within = node->immutable || node->immutable_when != NULL;
    node->default_within = node->has_default;
    if (node->has_default && node->depth > *depth_max) *depth_max = node->depth;
    for (struct validator *child = node->first; child != NULL; child = child->next) {
        sum_up(child, depth_max);
        node->immutable_within = node->immutable_within || child->immutable_within;
        node->default_within = node->default_within || child->default_within;
    }
}

static stet_status check_tree(struct compiler *compiler, const struct validator *parent,
                              const struct validator *node, uint32_t depth_max) {
    stet_status status = check_holds(compiler, parent, node);
    if (status == STET_OK && node->has_default) status = check_default(compiler, node, depth_max);
    for (const struct validator *child = node->first; status == STET_OK && child != NULL;
         child = child->next)
        status = check_tree(compiler, node, child, depth_max);
    return status;
}

stet_status validator_compile(struct arena *arena, const struct doc *definition, doc_node fields,
                              const struct validator **validator, bool *checks_old,
                              stet_error *err) {
    struct compiler compiler = {.arena = arena, .definition = definition, .err = err};
    struct pointer_path root = {0};
    struct pointer_path where = path_name(&root, "fields");
    *validator = NULL;
    *checks_old = false;
    if (fields == DOC_NONE || doc_count(definition, fields) == 0) return STET_OK;
    struct validator *tree = arena_zalloc(arena, 1, sizeof *tree);
    if (tree == NULL) return no_memory(&compiler);
    tree->kinds = VALUE_ANY;
    tree->values = DOC_NONE;
    tree->max_bytes = UINT64_MAX;
    stet_status status = read_fields(&compiler, tree, fields, &where);
    if (status != STET_OK) return status;
    sum_up(tree, &tree->default_depth_max);
    status = check_tree(&compiler, NULL, tree, tree->default_depth_max);
    if (status != STET_OK) return status;
    *validator = tree;
    *checks_old = tree->immutable_within;
    return STET_OK;
}

/* ---- Comparing --------------------------------------------------------------------------- */

bool validator_same(const struct doc *a, doc_node a_fields, const struct doc *b,
                    doc_node b_fields) {
    /* Fields that say the same in other words are looked at as if they differed: that costs a scan, nothing else. */
    return doc_equal(a, a_fields, b, b_fields);
}
