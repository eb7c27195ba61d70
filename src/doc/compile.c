/*
 * From a type's definition to the tree of rules that merging descends, in two steps.
 *
 * Drafting puts every pointer with a rule into a tree with one node for each token; what stands in the definition twice or
 * contradicts itself on one path is found there. Freezing turns drafts into rules. A path can be named by several drafts: "/a/x"
 * and a pattern with "*" both say something about what lies below "a". So freezing goes down with the list of all drafts that name the
 * place, the one that is exact where another has "*" before it, judged from the left; the first in the list that has a rule
 * gives it. Patterns can combine into many more rules than there are pointers, so their number is bounded.
 *
 * The elements of a by_key list are the "*" below it, and its nested "fields" are drafted there: an entry nested in the list
 * and a pointer that goes through the list with "*" are two spellings of one thing.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/pointer.h"
#include "doc/rule.h"
#include "doc/rules.h"

#include <stdlib.h>

struct draft {
    struct draft *next; /* Sibling. */
    struct draft *first;
    struct draft *any;
    stet_view token;
    stet_view where; /* The entry in the definition: "/fields/~1amount"; bytes == NULL: has none. */
    const struct doc_rule *rule;
    struct rule_options options;
    uint32_t unit;
    struct doc_rules *frozen; /* Of this draft alone. */
};

struct compiler {
    struct arena *arena;
    const struct doc *definition;
    struct draft root;
    uint32_t fields;
    uint32_t units;
    uint32_t nodes;
    bool used; /* Some field has a rule, or there is a unit. */
    stet_error *err;
};

/* ---- Failing ---- */

static stet_status fail_memory(struct compiler *compiler) {
    return error_set(compiler->err, STET_NO_MEMORY, "could not compile the rules of a type");
}

/* err has its message; this adds the place. */
static stet_status place(struct compiler *compiler, const struct pointer_path *where,
                         stet_status status, uint64_t limit) {
    stet_view text;
    if (pointer_format(compiler->arena, where, &text) != STET_OK) return fail_memory(compiler);
    error_field_view(compiler->err, text, limit);
    return status;
}

#define REFUSE(compiler, where, ...)                                                               \
    place(compiler, where, error_set((compiler)->err, STET_INVALID_TYPE, __VA_ARGS__), 0)

static struct pointer_path path_name(const struct pointer_path *parent, stet_view name) {
    return (struct pointer_path){.parent = parent, .key = name};
}

/* At a draft's own entry; name: the member of it that is meant, or "". */
static stet_status refuse_draft(struct compiler *compiler, const struct draft *draft,
                                const char *name) {
    stet_view text = arena_format(compiler->arena, "%.*s%s", VIEW_ARG(draft->where),
                                  draft->unit == 0 ? name : "");
    if (text.bytes == NULL) return fail_memory(compiler);
    error_field_view(compiler->err, text, 0);
    return STET_INVALID_TYPE;
}

/* ---- Drafting ---- */

static stet_status nodes_count(struct compiler *compiler, size_t count) {
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
    stet_status status = nodes_count(compiler, 1);
    if (status != STET_OK) return status;
    *out = arena_zalloc(compiler->arena, 1, sizeof **out);
    return *out == NULL ? fail_memory(compiler) : STET_OK;
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
        if ((*link)->token.bytes == NULL) return fail_memory(compiler);
    }
    *out = *link;
    return STET_OK;
}

static bool takes_all(const struct draft *draft) {
    return draft->rule != NULL && !draft->rule->descends && !draft->rule->keyed;
}

/* Some draft of an entry at or below. */
static const struct draft *draft_entry(const struct draft *draft) {
    while (draft->where.bytes == NULL)
        draft = draft->first != NULL ? draft->first : draft->any;
    return draft;
}

/* draft, which stands for one value, has something below it. */
static stet_status refuse_below(struct compiler *compiler, const struct draft *above,
                                const struct draft *below) {
    below = draft_entry(below);
    error_set(
        compiler->err, STET_INVALID_TYPE,
        "lies below \"%.*s\", which is merged as one value (%s): give only one of them a rule",
        VIEW_ARG(above->where), above->rule->name);
    return refuse_draft(compiler, below, "/merge");
}

static stet_status refuse_element(struct compiler *compiler, const struct draft *list,
                                  const struct draft *below) {
    below = draft_entry(below);
    error_set(
        compiler->err, STET_INVALID_TYPE,
        "names one element of \"%.*s\", a list that is merged by_key: \"*\" names every element",
        VIEW_ARG(list->where));
    return refuse_draft(compiler, below, "/merge");
}

/* The draft at the end of a pointer from `draft`. where: the place that holds the pointer. */
static stet_status draft_path(struct compiler *compiler, struct draft *draft, stet_view pointer,
                              const struct pointer_path *where, struct draft **out) {
    if (!pointer_is_valid(pointer))
        return REFUSE(
            compiler, where,
            "is not a JSON pointer: \"\" or \"/member/member\", with ~ as ~0 and / as ~1");
    uint32_t depth = 0;
    stet_view token;
    while (pointer_next(&pointer, &token)) {
        if (++depth > JSON_DEPTH_MAX) {
            return place(compiler, where,
                         error_set(compiler->err, STET_TOO_LARGE,
                                   "no record is more than %d levels deep", JSON_DEPTH_MAX),
                         JSON_DEPTH_MAX);
        }
        stet_status status = pointer_decode(compiler->arena, token, &token);
        if (status != STET_OK) return fail_memory(compiler);
        status = draft_child(compiler, draft, token, &draft);
        if (status != STET_OK) return status;
    }
    *out = draft;
    return STET_OK;
}

static stet_status read_text(struct compiler *compiler, doc_node node, stet_view *out) {
    return doc_string(compiler->arena, compiler->definition, node, out) == STET_NO_MEMORY
               ? fail_memory(compiler)
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
    if (text.bytes == NULL) return fail_memory(compiler);
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
    stet_status status = read_text(compiler, node, &text);
    if (status != STET_OK) return status;
    if (text.size == 0 || (text.bytes[0] == '/' && !pointer_is_valid(text)))
        return REFUSE(compiler, &at, "is neither the name of a member nor a JSON pointer");
    if (text.bytes[0] == '/') {
        *key = arena_copy(compiler->arena, text);
        return key->bytes == NULL ? fail_memory(compiler) : STET_OK;
    }
    struct pointer_path root = {0};
    struct pointer_path name = path_name(&root, text);
    return pointer_format(compiler->arena, &name, key) == STET_OK ? STET_OK : fail_memory(compiler);
}

static stet_status read_rule(struct compiler *compiler, doc_node entry, doc_node merge,
                             const struct pointer_path *where, const struct doc_rule **rule) {
    struct pointer_path at = path_name(where, VIEW("merge"));
    if (doc_kind(compiler->definition, merge) != DOC_STRING)
        return REFUSE(compiler, &at, "is the name of a rule: %s", rule_names);
    stet_view name;
    stet_status status = read_text(compiler, merge, &name);
    if (status != STET_OK) return status;
    *rule = rule_find(name);
    if (*rule == NULL && view_starts(name, VIEW("function:")))
        return REFUSE(compiler, &at, "functions cannot merge fields yet; possible are %s",
                      rule_names);
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

static stet_status draft_fields(struct compiler *compiler, struct draft *root, doc_node fields,
                                const struct pointer_path *where);

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
    stet_status status = read_rule(compiler, entry, merge, where, &rule);
    if (status != STET_OK) return status;
    struct draft *draft;
    status = draft_path(compiler, root, key, where, &draft);
    if (status != STET_OK) return status;
    if (draft->rule != NULL)
        return REFUSE(compiler, where, "has a rule already, at \"%.*s\"", VIEW_ARG(draft->where));
    if (pointer_format(compiler->arena, where, &draft->where) != STET_OK)
        return fail_memory(compiler);
    draft->rule = rule;
    compiler->used = true;
    if (rule == &rule_delta) return read_bounds(compiler, entry, where, &draft->options);
    if (!rule->keyed) return STET_OK;
    status = read_key(compiler, entry, where, &draft->options.key);
    if (status != STET_OK) return status;
    doc_node nested = doc_member(definition, entry, VIEW("fields"));
    if (nested == DOC_NONE || doc_count(definition, nested) == 0) return STET_OK;
    struct draft *elements;
    status = draft_child(compiler, draft, VIEW("*"), &elements);
    if (status != STET_OK) return status;
    struct pointer_path at = path_name(where, VIEW("fields"));
    return draft_fields(compiler, elements, nested, &at);
}

static stet_status draft_fields(struct compiler *compiler, struct draft *root, doc_node fields,
                                const struct pointer_path *where) {
    const struct doc *definition = compiler->definition;
    if (doc_kind(definition, fields) != DOC_OBJECT)
        return REFUSE(compiler, where, "is an object from JSON pointers to what holds there");
    for (doc_node entry = doc_first(definition, fields); entry != DOC_NONE;
         entry = doc_next(definition, entry)) {
        struct pointer_path at = path_member(where, definition, entry);
        if (++compiler->fields > TYPE_FIELDS_MAX) {
            return place(compiler, where,
                         error_set(compiler->err, STET_TOO_LARGE,
                                   "a type has at most %d fields, nested ones included",
                                   TYPE_FIELDS_MAX),
                         TYPE_FIELDS_MAX);
        }
        stet_view key;
        if (doc_key(compiler->arena, definition, entry, &key) != STET_OK)
            return fail_memory(compiler);
        stet_status status = draft_field(compiler, root, key, entry, &at);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

/* ---- Units ---- */

/* Some draft below (itself not) that belongs to a unit, or else any that has a rule; NULL: nothing lies below. */
static const struct draft *draft_below(const struct draft *draft, bool unit) {
    const struct draft *found = NULL;
    if (draft->any != NULL) found = unit ? draft_below(draft->any, true) : draft_entry(draft->any);
    for (const struct draft *child = draft->first; child != NULL && found == NULL;
         child = child->next) {
        if (!unit) return draft_entry(child);
        found = child->unit != 0 ? child : draft_below(child, true);
    }
    return found;
}

static stet_status refuse_overlap(struct compiler *compiler, const struct pointer_path *where,
                                  const struct draft *other) {
    return REFUSE(compiler, where,
                  "overlaps with \"%.*s\": a field, with all below it, is in one unit only",
                  VIEW_ARG(other->where));
}

static stet_status check_unit_path(struct compiler *compiler, stet_view pointer,
                                   const struct pointer_path *where) {
    const struct draft *draft = &compiler->root;
    stet_view token;
    while (draft != NULL) {
        if (draft->unit != 0) return refuse_overlap(compiler, where, draft);
        if (!pointer_next(&pointer, &token)) break;
        if (draft->rule != NULL && !draft->rule->descends)
            return REFUSE(compiler, where, "lies below \"%.*s\", which has a rule of its own (%s)",
                          VIEW_ARG(draft->where), draft->rule->name);
        if (pointer_decode(compiler->arena, token, &token) != STET_OK) return fail_memory(compiler);
        const struct draft *child = draft->first;
        while (child != NULL && !view_equal(child->token, token))
            child = child->next;
        draft = child;
    }
    if (draft == NULL) return STET_OK;
    const struct draft *below = draft_below(draft, true);
    if (below != NULL) return refuse_overlap(compiler, where, below);
    const struct draft *ruled =
        draft->rule != NULL && draft->rule != &rule_reject ? draft : draft_below(draft, false);
    if (ruled == NULL) return STET_OK;
    return REFUSE(
        compiler, where,
        "has a rule of its own at \"%.*s\": what is in a unit merges only as the unit does",
        VIEW_ARG(ruled->where));
}

static stet_status draft_unit_field(struct compiler *compiler, doc_node node,
                                    const struct pointer_path *where) {
    if (doc_kind(compiler->definition, node) != DOC_STRING)
        return REFUSE(compiler, where, "is a JSON pointer such as \"/start\"");
    stet_view pointer;
    stet_status status = read_text(compiler, node, &pointer);
    if (status != STET_OK) return status;
    stet_view rest = pointer;
    stet_view token;
    if (pointer.size == 0)
        return REFUSE(compiler, where, "is the whole record: declare its root \"atomic\" for that");
    while (pointer_is_valid(rest) && pointer_next(&rest, &token)) {
        if (view_equal(token, VIEW("*")))
            return REFUSE(compiler, where, "a unit names its fields one by one, without \"*\"");
    }
    if (pointer_is_valid(pointer)) {
        status = check_unit_path(compiler, pointer, where);
        if (status != STET_OK) return status;
    }
    struct draft *draft;
    status = draft_path(compiler, &compiler->root, pointer, where, &draft);
    if (status != STET_OK) return status;
    if (pointer_format(compiler->arena, where, &draft->where) != STET_OK)
        return fail_memory(compiler);
    draft->rule = &rule_unit;
    draft->unit = compiler->units;
    compiler->used = true;
    return STET_OK;
}

/* The path to an element of a list in the definition. text: room for the index. */
static struct pointer_path path_index(struct compiler *compiler, const struct pointer_path *parent,
                                      size_t index) {
    return path_name(parent, arena_format(compiler->arena, "%zu", index));
}

static stet_status draft_units(struct compiler *compiler, doc_node units,
                               const struct pointer_path *where) {
    const struct doc *definition = compiler->definition;
    if (doc_kind(definition, units) != DOC_ARRAY)
        return REFUSE(compiler, where, "is a list of lists of JSON pointers");
    if (doc_count(definition, units) > TYPE_UNITS_MAX) {
        return place(
            compiler, where,
            error_set(compiler->err, STET_TOO_LARGE, "a type has at most %d units", TYPE_UNITS_MAX),
            TYPE_UNITS_MAX);
    }
    for (doc_node unit = doc_first(definition, units); unit != DOC_NONE;
         unit = doc_next(definition, unit)) {
        struct pointer_path at = path_index(compiler, where, compiler->units++);
        if (at.key.bytes == NULL) return fail_memory(compiler);
        if (doc_kind(definition, unit) != DOC_ARRAY || doc_count(definition, unit) == 0)
            return REFUSE(compiler, &at, "is a list of the pointers of fields that merge together");
        size_t index = 0;
        for (doc_node node = doc_first(definition, unit); node != DOC_NONE;
             node = doc_next(definition, node)) {
            struct pointer_path field = path_index(compiler, &at, index++);
            if (field.key.bytes == NULL) return fail_memory(compiler);
            stet_status status = draft_unit_field(compiler, node, &field);
            if (status != STET_OK) return status;
        }
    }
    return STET_OK;
}

/* ---- Freezing ---- */

/* Drafts that name one place, those that are exact before those with "*". */
struct drafts {
    struct draft **at;
    size_t count;
};

static const struct draft *find_child(const struct draft *draft, stet_view token) {
    const struct draft *child = draft->first;
    while (child != NULL && !view_equal(child->token, token))
        child = child->next;
    return child;
}

/* What the drafts say of a member with this token; NULL token: of those that no draft names. */
static stet_status drafts_below(struct compiler *compiler, const struct drafts *drafts,
                                const stet_view *token, struct drafts *out) {
    out->count = 0;
    out->at = arena_alloc(compiler->arena, 2 * drafts->count * sizeof(struct draft *));
    if (out->at == NULL) return fail_memory(compiler);
    for (size_t i = 0; i < drafts->count; i++) {
        struct draft *draft = drafts->at[i];
        if (token != NULL) {
            struct draft *child = (struct draft *)(uintptr_t)find_child(draft, *token);
            if (child != NULL) out->at[out->count++] = child;
        }
        if (draft->any != NULL) out->at[out->count++] = draft->any;
    }
    return nodes_count(compiler, out->count);
}

static int compare_tokens(const void *a, const void *b) {
    return view_compare(*(const stet_view *)a, *(const stet_view *)b);
}

/* Every token that some draft names, once each, in order. */
static stet_status drafts_tokens(struct compiler *compiler, const struct drafts *drafts,
                                 stet_view **tokens, size_t *count) {
    size_t total = 0;
    for (size_t i = 0; i < drafts->count; i++) {
        for (const struct draft *child = drafts->at[i]->first; child != NULL; child = child->next)
            total++;
    }
    *count = 0;
    *tokens = arena_alloc(compiler->arena, total * sizeof(stet_view));
    if (*tokens == NULL) return fail_memory(compiler);
    size_t filled = 0;
    for (size_t i = 0; i < drafts->count; i++) {
        for (const struct draft *child = drafts->at[i]->first; child != NULL; child = child->next)
            (*tokens)[filled++] = child->token;
    }
    if (total > 1) qsort(*tokens, total, sizeof(stet_view), compare_tokens);
    for (size_t i = 0; i < total; i++) {
        if (*count > 0 && view_equal((*tokens)[*count - 1], (*tokens)[i])) continue;
        (*tokens)[(*count)++] = (*tokens)[i];
    }
    return STET_OK;
}

/* Keeps of the drafts those that have a say below the one whose rule holds, or refuses the rest. */
static stet_status check_below(struct compiler *compiler, struct drafts *drafts, size_t ruled) {
    const struct draft *draft = drafts->at[ruled];
    if (draft->rule->descends) return STET_OK;
    drafts->count = ruled + 1;
    for (size_t i = 0; i < drafts->count; i++) {
        const struct draft *other = drafts->at[i];
        const struct draft *below = other->first != NULL ? other->first : other->any;
        if (below != NULL && takes_all(draft)) return refuse_below(compiler, draft, below);
        if (other->first != NULL) return refuse_element(compiler, draft, other->first);
    }
    return STET_OK;
}

static void add_flags(struct doc_rules *rules, const struct doc_rules *below) {
    rules->has_counts |= below->has_counts;
    rules->has_guards |= below->has_guards;
    rules->has_units |= below->has_units;
}

static stet_status freeze(struct compiler *compiler, struct drafts *drafts, stet_view token,
                          struct doc_rules **out);

static stet_status freeze_below(struct compiler *compiler, const struct drafts *drafts,
                                struct doc_rules *rules) {
    stet_view *tokens;
    stet_status status = drafts_tokens(compiler, drafts, &tokens, &rules->child_count);
    if (status != STET_OK) return status;
    struct doc_rules **children =
        arena_alloc(compiler->arena, rules->child_count * sizeof(struct doc_rules *));
    if (children == NULL) return fail_memory(compiler);
    rules->children = (const struct doc_rules *const *)children;
    struct drafts below;
    for (size_t i = 0; i < rules->child_count; i++) {
        status = drafts_below(compiler, drafts, &tokens[i], &below);
        if (status == STET_OK) status = freeze(compiler, &below, tokens[i], &children[i]);
        if (status != STET_OK) return status;
        add_flags(rules, children[i]);
    }
    status = drafts_below(compiler, drafts, NULL, &below);
    if (status != STET_OK || below.count == 0) return status;
    struct doc_rules *any;
    status = freeze(compiler, &below, (stet_view){0}, &any);
    if (status != STET_OK) return status;
    rules->any = any;
    add_flags(rules, any);
    return STET_OK;
}

static stet_status freeze(struct compiler *compiler, struct drafts *drafts, stet_view token,
                          struct doc_rules **out) {
    struct draft *alone = drafts->count == 1 ? drafts->at[0] : NULL;
    /* An exact child and the same draft behind a "*" differ only in their token. */
    if (alone != NULL && alone->frozen != NULL && view_equal(alone->frozen->token, token)) {
        *out = alone->frozen;
        return STET_OK;
    }
    struct doc_rules *rules = arena_zalloc(compiler->arena, 1, sizeof *rules);
    if (rules == NULL) return fail_memory(compiler);
    rules->token = token;
    for (size_t i = 0; i < drafts->count; i++) {
        const struct draft *draft = drafts->at[i];
        if (draft->rule == NULL) continue;
        rules->rule = draft->rule;
        rules->options = draft->options;
        rules->unit = draft->unit;
        rules->has_counts = draft->rule->counts;
        rules->has_guards = draft->rule->guards;
        rules->has_units = draft->unit != 0;
        stet_status status = check_below(compiler, drafts, i);
        if (status != STET_OK) return status;
        break;
    }
    stet_status status = freeze_below(compiler, drafts, rules);
    if (status != STET_OK) return status;
    if (alone != NULL) alone->frozen = rules;
    *out = rules;
    return STET_OK;
}

stet_status rules_compile(struct arena *arena, const struct doc *definition, doc_node fields,
                          doc_node units, struct doc_rules **rules, stet_error *err) {
    struct compiler compiler = {.arena = arena, .definition = definition, .err = err};
    struct pointer_path root = {0};
    struct pointer_path fields_path = path_name(&root, VIEW("fields"));
    struct pointer_path units_path = path_name(&root, VIEW("units"));
    stet_status status = STET_OK;
    if (fields != DOC_NONE) status = draft_fields(&compiler, &compiler.root, fields, &fields_path);
    if (status == STET_OK && units != DOC_NONE) status = draft_units(&compiler, units, &units_path);
    if (status != STET_OK) return status;
    if (!compiler.used) {
        *rules = NULL;
        return STET_OK;
    }
    struct draft *top = &compiler.root;
    struct drafts drafts = {.at = &top, .count = 1};
    struct doc_rules *frozen;
    status = freeze(&compiler, &drafts, (stet_view){0}, &frozen);
    if (status != STET_OK) return status;
    frozen->unit_count = compiler.units;
    *rules = frozen;
    return STET_OK;
}
