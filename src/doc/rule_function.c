/*
 * function:NAME: the owner's own function merges the value. Whoever asks for the merge lends the means (struct doc_functions); what it cannot
 * settle is in conflict, as is everything where nobody lent any.
 */
#include "base/error.h"
#include "base/view.h"
#include "doc/rule.h"
#include "doc/rules.h"

static stet_view text_of(const struct doc *doc, doc_node node) {
    return node == DOC_NONE ? (stet_view){0} : doc_text(doc, node);
}

static bool is_object(stet_view text) { return text.size > 0 && text.bytes[0] == '{'; }

/* In conflict, and why. */
static stet_status answer_failure(const struct rule_question *question, const stet_error *why,
                                  struct rule_answer *answer) {
    struct doc_rule_error *error = arena_zalloc(question->arena, 1, sizeof *error);
    if (error == NULL) return STET_NO_MEMORY;
    *error = (struct doc_rule_error){
        .function = arena_copy(question->arena, question->rules->options.function),
        .status = why->status,
        .detail = arena_copy(question->arena, view_of(why->message)),
    };
    if (error->function.bytes == NULL || error->detail.bytes == NULL) return STET_NO_MEMORY;
    answer_conflict(answer);
    answer->error = error;
    return STET_OK;
}

static stet_status settle_function(const struct rule_question *question, struct rule_answer *answer,
                                   stet_error *err) {
    const struct doc_functions *functions = question->functions;
    const struct rule_options *options = &question->rules->options;
    stet_view merged = {0};
    stet_error why = {0};
    if (functions == NULL) return answer_conflict(answer);
    if (functions->merge == NULL) {
        /* Whoever set a bound meant to be spared this. */
        answer_conflict(answer);
        if (question->steps_max < UINT64_MAX) answer->steps = question->steps_max + 1;
        return STET_OK;
    }
    stet_status status =
        functions->merge(functions->context, question->arena, options->function,
                         text_of(question->base_doc, question->base),
                         text_of(question->current_doc, question->current),
                         text_of(question->yours_doc, question->yours), &merged, &why);
    if (status == STET_NO_MEMORY) {
        if (err != NULL) *err = why;
        return status;
    }
    if (status == STET_OK && merged.size == 0) return answer_conflict(answer);
    if (status == STET_OK && options->record && !is_object(merged))
        status = error_set(&why, STET_FUNCTION_FAILED,
                           "what it returned is no object, which a record is");
    if (status != STET_OK) {
        why.status = status;
        status = answer_failure(question, &why, answer);
        return status == STET_OK ? status : error_set(err, status, "out of memory for a merge");
    }
    *answer = (struct rule_answer){.state = DOC_MERGED, .merged = merged};
    return STET_OK;
}

/* What it makes may have something of both sides. */
const struct doc_rule rule_function = {
    .name = "function", .gathers = true, .settle = settle_function};

stet_status rules_of_function(struct arena *arena, stet_view name, struct doc_rules **rules) {
    *rules = arena_zalloc(arena, 1, sizeof **rules);
    if (*rules == NULL) return STET_NO_MEMORY;
    (*rules)->rule = &rule_function;
    (*rules)->options.function = arena_copy(arena, name);
    (*rules)->options.record = true;
    return (*rules)->options.function.bytes == NULL ? STET_NO_MEMORY : STET_OK;
}
