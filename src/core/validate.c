/*
 * Judging data, and filling in defaults. See core/validate.h.
 *
 * The walk goes down the validator's tree and the data together: each node of the tree is followed on its own, so one place in
 * the data is looked at once for every node that names it.
 */
#include "core/validate.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/validator.h"
#include "doc/tree.h"

#include <stdio.h>

struct judging {
    struct arena *arena;
    const struct doc *doc;
    const struct doc *old; /* NULL: nothing to compare with. */
    uint64_t steps;
    stet_error *err;
};

/* The place of a child whose token is decoded, or an index written out. */
static struct pointer_path path_token(const struct pointer_path *parent, stet_view token) {
    return (struct pointer_path){.parent = parent, .key = token};
}

enum { INDEX_TEXT_BYTES = 12 };

static struct pointer_path path_index(const struct pointer_path *parent, uint32_t index,
                                      char text[INDEX_TEXT_BYTES]) {
    int size = snprintf(text, INDEX_TEXT_BYTES, "%u", index);
    return path_token(parent, view_make(text, (size_t)size));
}

/* err has its message; this adds the place. */
static stet_status refuse(struct judging *judging, const struct pointer_path *where,
                          uint64_t limit) {
    stet_view pointer;
    if (pointer_format(judging->arena, where, &pointer) != STET_OK)
        return error_set(judging->err, STET_NO_MEMORY, "out of memory for a validation");
    error_field_view(judging->err, pointer, limit);
    return STET_INVALID_DATA;
}

#define REFUSE(judging, where, limit, ...)                                                         \
    (error_set((judging)->err, STET_INVALID_DATA, __VA_ARGS__), refuse(judging, where, limit))

static stet_status spend(struct judging *judging, uint64_t steps) {
    judging->steps += steps;
    if (judging->steps <= VALIDATE_STEPS_MAX) return STET_OK;
    error_set(judging->err, STET_TOO_LARGE,
              "the data is too large to be checked against the fields of its type");
    error_field(judging->err, "fields", VALIDATE_STEPS_MAX);
    return STET_TOO_LARGE;
}

/* ---- One value --------------------------------------------------------------------------- */

static bool is_integer(stet_view text) {
    struct decimal decimal = decimal_normalise(text);
    if (view_is_empty(decimal.digits)) return true;
    if (decimal.huge) return decimal.exponent > 0;
    return decimal.exponent + 1 >= (int64_t)decimal.digit_count;
}

unsigned value_kinds(const struct doc *doc, doc_node node) {
    switch (doc_kind(doc, node)) {
    case DOC_NULL: return VALUE_NULL;
    case DOC_FALSE:
    case DOC_TRUE: return VALUE_BOOLEAN;
    case DOC_NUMBER:
        return is_integer(doc_text(doc, node)) ? VALUE_NUMBER | VALUE_INTEGER : VALUE_NUMBER;
    case DOC_STRING: return VALUE_STRING;
    case DOC_ARRAY: return VALUE_ARRAY;
    case DOC_OBJECT: return VALUE_OBJECT;
    }
    return 0;
}

static stet_status judge_number(struct judging *judging, const struct validator *rule,
                                doc_node node, const struct pointer_path *where) {
    struct decimal value = decimal_normalise(doc_text(judging->doc, node));
    if (rule->has_minimum && decimal_compare(&value, &rule->minimum) < 0)
        return REFUSE(judging, where, 0, "must be at least %.*s", VIEW_ARG(rule->minimum_text));
    if (rule->has_maximum && decimal_compare(&value, &rule->maximum) > 0)
        return REFUSE(judging, where, 0, "must be at most %.*s", VIEW_ARG(rule->maximum_text));
    return STET_OK;
}

static stet_status judge_string(struct judging *judging, const struct validator *rule,
                                doc_node node, const struct pointer_path *where) {
    stet_view text;
    if (doc_string(judging->arena, judging->doc, node, &text) != STET_OK)
        return error_set(judging->err, STET_NO_MEMORY, "out of memory for a validation");
    if (text.size < rule->min_bytes)
        return REFUSE(judging, where, rule->min_bytes, "must have at least %llu bytes",
                      (unsigned long long)rule->min_bytes);
    if (text.size > rule->max_bytes)
        return REFUSE(judging, where, rule->max_bytes, "must have at most %llu bytes and has %zu",
                      (unsigned long long)rule->max_bytes, text.size);
    return STET_OK;
}

static stet_status judge_choice(struct judging *judging, const struct validator *rule,
                                doc_node node, const struct pointer_path *where) {
    const struct doc *definition = rule->definition;
    for (doc_node value = doc_first(definition, rule->values); value != DOC_NONE;
         value = doc_next(definition, value)) {
        stet_status status = spend(judging, 1);
        if (status != STET_OK) return status;
        if (doc_equal(judging->doc, node, definition, value)) return STET_OK;
    }
    stet_view choices = doc_text(definition, rule->values);
    return REFUSE(judging, where, 0, "must be one of %.*s", VIEW_ARG(choices));
}

/* The value by itself, without what lies below it. */
static stet_status judge_value(struct judging *judging, const struct validator *rule, doc_node node,
                               const struct pointer_path *where) {
    unsigned kinds = value_kinds(judging->doc, node);
    stet_status status = STET_OK;
    if ((kinds & rule->kinds) == 0)
        return REFUSE(judging, where, 0, "must be %s", rule->kinds_name);
    if (rule->values != DOC_NONE) status = judge_choice(judging, rule, node, where);
    if (status == STET_OK && (kinds & VALUE_NUMBER) != 0)
        status = judge_number(judging, rule, node, where);
    if (status == STET_OK && (kinds & VALUE_STRING) != 0 && rule->has_bytes)
        status = judge_string(judging, rule, node, where);
    return status;
}

/* ---- The walk ---------------------------------------------------------------------------- */

static stet_status judge(struct judging *judging, const struct validator *rule, doc_node node,
                         doc_node old, const struct pointer_path *where);

static doc_node child_of(const struct doc *doc, doc_node node, stet_view token) {
    uint32_t index;
    if (doc == NULL || node == DOC_NONE) return DOC_NONE;
    if (doc_kind(doc, node) == DOC_OBJECT) return doc_member(doc, node, token);
    if (doc_kind(doc, node) == DOC_ARRAY && pointer_index(token, &index))
        return doc_element(doc, node, index);
    return DOC_NONE;
}

static stet_status judge_child(struct judging *judging, const struct validator *rule, doc_node node,
                               doc_node old, const struct pointer_path *where) {
    struct pointer_path at = path_token(where, rule->token);
    doc_node child = child_of(judging->doc, node, rule->token);
    if (child == DOC_NONE && rule->required && node != DOC_NONE)
        return REFUSE(judging, &at, 0, "is required");
    return judge(judging, rule, child, child_of(judging->old, old, rule->token), &at);
}

/* The element of the list before with the same key: elements move, so their places say nothing. */
static stet_status find_element(struct judging *judging, const struct validator *list,
                                doc_node element, doc_node old_list, doc_node *found) {
    const struct doc *doc = judging->doc;
    *found = DOC_NONE;
    if (old_list == DOC_NONE || view_is_empty(list->key) ||
        doc_kind(judging->old, old_list) != DOC_ARRAY)
        return STET_OK;
    doc_node key = element;
    stet_view rest = list->key, token;
    while (key != DOC_NONE && pointer_next(&rest, &token))
        key = doc_kind(doc, key) == DOC_OBJECT ? pointer_member(doc, key, token) : DOC_NONE;
    if (key == DOC_NONE) return STET_OK;
    for (doc_node old = doc_first(judging->old, old_list); old != DOC_NONE;
         old = doc_next(judging->old, old)) {
        stet_status status = spend(judging, 1);
        if (status != STET_OK) return status;
        doc_node old_key = old;
        rest = list->key;
        while (old_key != DOC_NONE && pointer_next(&rest, &token))
            old_key = doc_kind(judging->old, old_key) == DOC_OBJECT
                          ? pointer_member(judging->old, old_key, token)
                          : DOC_NONE;
        if (old_key == DOC_NONE || !doc_equal(doc, key, judging->old, old_key)) continue;
        *found = old;
        return STET_OK;
    }
    return STET_OK;
}

static stet_status judge_elements(struct judging *judging, const struct validator *list,
                                  const struct validator *rule, doc_node node, doc_node old,
                                  const struct pointer_path *where) {
    uint32_t index = 0;
    char text[INDEX_TEXT_BYTES];
    for (doc_node element = doc_first(judging->doc, node); element != DOC_NONE;
         element = doc_next(judging->doc, element)) {
        struct pointer_path at = path_index(where, index++, text);
        doc_node before = DOC_NONE;
        stet_status status = STET_OK;
        if (rule->immutable_within) status = find_element(judging, list, element, old, &before);
        if (status == STET_OK) status = judge(judging, rule, element, before, &at);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static stet_status judge_members(struct judging *judging, const struct validator *rule,
                                 doc_node node, doc_node old, const struct pointer_path *where) {
    const struct doc *doc = judging->doc;
    bool compares =
        rule->immutable_within && old != DOC_NONE && doc_kind(judging->old, old) == DOC_OBJECT;
    bool object = node != DOC_NONE && doc_kind(doc, node) == DOC_OBJECT;
    doc_node member = object ? doc_first(doc, node) : DOC_NONE;
    for (; member != DOC_NONE; member = doc_next(doc, member)) {
        struct pointer_path at = path_member(where, doc, member);
        doc_node before = compares ? doc_member_like(judging->old, old, doc, member) : DOC_NONE;
        stet_status status = judge(judging, rule, member, before, &at);
        if (status != STET_OK) return status;
    }
    if (!compares) return STET_OK;
    /* What is gone. */
    for (doc_node gone = doc_first(judging->old, old); gone != DOC_NONE;
         gone = doc_next(judging->old, gone)) {
        if (object && doc_member_like(doc, node, judging->old, gone) != DOC_NONE) continue;
        struct pointer_path at = path_member(where, judging->old, gone);
        stet_status status = judge(judging, rule, DOC_NONE, gone, &at);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

/* Whether the value may not change now, though it could be set: also one that was absent stays so. */
static bool is_frozen(const struct judging *judging, const struct validator *rule) {
    struct expr_subject before = {.data = judging->old};
    return rule->immutable_when != NULL && judging->old != NULL &&
           expr_matches(rule->immutable_when, &before);
}

static bool is_same(const struct judging *judging, doc_node node, doc_node old) {
    if (node == DOC_NONE || old == DOC_NONE) return node == old;
    return doc_equal(judging->doc, node, judging->old, old);
}

/* node: the value a rule names, or DOC_NONE. old: the value before, likewise. */
static stet_status judge(struct judging *judging, const struct validator *rule, doc_node node,
                         doc_node old, const struct pointer_path *where) {
    stet_status status = spend(judging, 1);
    if (status != STET_OK) return status;
    if (node == DOC_NONE && (old == DOC_NONE || !rule->immutable_within)) return STET_OK;
    if (rule->immutable && old != DOC_NONE && !is_same(judging, node, old))
        return REFUSE(judging, where, 0, "was set when the record was made and cannot be changed");
    if (is_frozen(judging, rule) && !is_same(judging, node, old))
        return REFUSE(judging, where, 0, "cannot be changed any more");
    if (node != DOC_NONE && rule->declared) {
        status = judge_value(judging, rule, node, where);
        if (status != STET_OK) return status;
    }
    bool list = node != DOC_NONE && doc_kind(judging->doc, node) == DOC_ARRAY;
    bool inside = node == DOC_NONE || list || doc_kind(judging->doc, node) == DOC_OBJECT ||
                  rule->immutable_within;
    for (const struct validator *child = rule->first; inside && child != NULL;
         child = child->next) {
        if (!child->any) {
            /* An absent parent, or one that is no container, demands nothing. */
            doc_node parent =
                list || (node != DOC_NONE && doc_kind(judging->doc, node) == DOC_OBJECT) ? node
                                                                                         : DOC_NONE;
            status = judge_child(judging, child, parent, old, where);
        } else if (list) {
            status = judge_elements(judging, rule, child, node, old, where);
        } else {
            status = judge_members(judging, child, node, old, where);
        }
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

stet_status validate_value(struct arena *arena, const struct validator *validator,
                           const struct doc *doc, doc_node node, const struct pointer_path *where,
                           stet_error *err) {
    struct judging judging = {.arena = arena, .doc = doc, .err = err};
    return judge(&judging, validator, node, DOC_NONE, where);
}

stet_status validate(struct arena *arena, const struct validator *validator, const struct doc *doc,
                     const struct doc *old, stet_error *err) {
    struct pointer_path root = {0};
    struct judging judging = {.arena = arena, .doc = doc, .old = old, .err = err};
    if (validator == NULL) return STET_OK;
    return judge(&judging, validator, 0, old == NULL ? DOC_NONE : 0, &root);
}

/* ---- Defaults ---------------------------------------------------------------------------- */

struct missing {
    struct missing *next;
    stet_view pointer;
    const struct validator *rule;
};

struct filling {
    struct arena *arena;
    const struct doc *doc;
    uint32_t depth; /* Only defaults of so many tokens: those above are in already. */
    struct missing *first, **last;
    uint64_t steps;
};

/* Notes the absent fields of one depth at and below a node. */
static stet_status find_missing(struct filling *filling, const struct validator *rule,
                                doc_node node, const struct pointer_path *where) {
    const struct doc *doc = filling->doc;
    if (++filling->steps > VALIDATE_STEPS_MAX) return STET_TOO_LARGE;
    bool object = doc_kind(doc, node) == DOC_OBJECT;
    bool list = doc_kind(doc, node) == DOC_ARRAY;
    if (!object && !list) return STET_OK;
    for (const struct validator *child = rule->first; child != NULL; child = child->next) {
        if (!child->default_within || child->depth > filling->depth) continue;
        if (child->any) {
            uint32_t index = 0;
            char text[INDEX_TEXT_BYTES];
            for (doc_node value = doc_first(doc, node); value != DOC_NONE;
                 value = doc_next(doc, value)) {
                struct pointer_path at =
                    list ? path_index(where, index++, text) : path_member(where, doc, value);
                stet_status status = find_missing(filling, child, value, &at);
                if (status != STET_OK) return status;
            }
            continue;
        }
        struct pointer_path at = path_token(where, child->token);
        doc_node value = child_of(doc, node, child->token);
        if (value != DOC_NONE) {
            stet_status status = find_missing(filling, child, value, &at);
            if (status != STET_OK) return status;
        } else if (object && child->has_default && child->depth == filling->depth) {
            struct missing *missing = arena_zalloc(filling->arena, 1, sizeof *missing);
            if (missing == NULL ||
                pointer_format(filling->arena, &at, &missing->pointer) != STET_OK)
                return STET_NO_MEMORY;
            missing->rule = child;
            *filling->last = missing;
            filling->last = &missing->next;
        }
    }
    return STET_OK;
}

static stet_status put_missing(struct filling *filling, stet_view *filled) {
    struct tree_work work = {.arena = filling->arena, .steps_max = VALIDATE_STEPS_MAX};
    struct tree tree = tree_span(filling->doc, 0);
    struct buffer buffer;
    for (const struct missing *missing = filling->first; missing != NULL; missing = missing->next) {
        struct tree value = tree_span(&missing->rule->fallback, 0);
        switch (tree_add(&work, &tree, missing->pointer, value)) {
        case TREE_DONE: break;
        case TREE_NO_MEMORY: return STET_NO_MEMORY;
        case TREE_STEPS: return STET_TOO_LARGE;
        case TREE_ABSENT:
        case TREE_INDEX: return STET_INTERNAL; /* The parent was there a moment ago. */
        }
    }
    buffer_init(&buffer, filling->arena, doc_limits_default.bytes_max);
    tree_write(&tree, &buffer);
    *filled = buffer_view(&buffer);
    return buffer_status(&buffer);
}

stet_status validate_fill_below(struct arena *arena, const struct validator *validator,
                                uint32_t depth_max, const struct doc *doc, stet_view *filled,
                                stet_error *err) {
    struct doc parsed = *doc;
    stet_view text = {0};
    *filled = (stet_view){0};
    if (!validator->default_within) return STET_OK;
    /* From the top down: a default may be the object that another one belongs into. */
    for (uint32_t depth = validator->depth + 1; depth <= depth_max; depth++) {
        struct pointer_path root = {0};
        struct filling filling = {.arena = arena, .doc = &parsed, .depth = depth};
        filling.last = &filling.first;
        stet_status status = find_missing(&filling, validator, 0, &root);
        if (status == STET_OK && filling.first == NULL) continue;
        if (status == STET_OK) status = put_missing(&filling, &text);
        if (status != STET_OK) {
            error_set(err, status, "could not fill in the defaults of the type");
            if (status == STET_TOO_LARGE) error_field(err, "bytes", DATA_BYTES_MAX);
            return status;
        }
        status = doc_parse(arena, text, NULL, &parsed, err);
        if (status != STET_OK) return status;
    }
    *filled = text;
    return STET_OK;
}

stet_status validate_fill(struct arena *arena, const struct validator *validator,
                          const struct doc *doc, stet_view *filled, stet_error *err) {
    *filled = (stet_view){0};
    if (validator == NULL) return STET_OK;
    return validate_fill_below(arena, validator, validator->default_depth_max, doc, filled, err);
}
