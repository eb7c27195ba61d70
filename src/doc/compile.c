/*
 * Freezing: from drafts (draft.h) to the tree of rules that merging descends.
 *
 * A place can be named by several drafts: "/a/x" and a pattern with "*" both say something about what lies below "a". So freezing
 * goes down with the list of all drafts that name the place, those that are exact where others have "*" first, judged from the
 * left; the first in the list that has a rule gives it. What contradicts itself is found here, because a pattern may do so. And
 * patterns can combine into many more rules than there are pointers, so their number is bounded.
 */
#include "doc/draft.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/rules.h"

#include <stdlib.h>

/* Drafts that name one place, those that are exact before those with "*". */
struct drafts {
    struct draft **at;
    size_t count;
};

/* What the drafts say of a member with this token; NULL token: of those that no draft names. */
static stet_status drafts_below(struct compiler *compiler, const struct drafts *drafts,
                                const stet_view *token, struct drafts *out) {
    out->count = 0;
    out->at = arena_alloc(compiler->arena, 2 * drafts->count * sizeof(struct draft *));
    if (out->at == NULL) return draft_fail_memory(compiler);
    for (size_t i = 0; i < drafts->count; i++) {
        struct draft *draft = drafts->at[i];
        if (token != NULL) {
            struct draft *child = draft_find(draft, *token);
            if (child != NULL) out->at[out->count++] = child;
        }
        if (draft->any != NULL) out->at[out->count++] = draft->any;
    }
    return draft_count(compiler, out->count);
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
    if (*tokens == NULL) return draft_fail_memory(compiler);
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

/* At a draft's own entry; name: the member of it that is meant, or "". */
static stet_status refuse_draft(struct compiler *compiler, const struct draft *draft,
                                const char *name) {
    stet_view text = arena_format(compiler->arena, "%.*s%s", VIEW_ARG(draft->where),
                                  draft->unit == 0 ? name : "");
    if (text.bytes == NULL) return draft_fail_memory(compiler);
    error_field_view(compiler->err, text, 0);
    return STET_INVALID_TYPE;
}

static bool takes_all(const struct draft *draft) {
    return draft->rule != NULL && !draft->rule->descends && !draft->rule->keyed;
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
    if (children == NULL) return draft_fail_memory(compiler);
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
    if (rules == NULL) return draft_fail_memory(compiler);
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
