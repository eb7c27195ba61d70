/*
 * Rules about one scalar: the smaller or the larger of two, and counters to which everybody adds.
 */
#include "base/error.h"
#include "base/view.h"
#include "doc/item.h"
#include "doc/rule.h"
#include "doc/text.h"

static bool is_kind(const struct doc *doc, doc_node node, enum doc_kind kind) {
    return node != DOC_NONE && doc_kind(doc, node) == kind;
}

/* Compares what current and yours hold. False: they are not of one kind that has an order. */
static bool compare_sides(const struct rule_question *question, int *order) {
    const struct doc *a = question->current_doc;
    const struct doc *b = question->yours_doc;
    doc_node an = question->current;
    doc_node bn = question->yours;
    if (is_kind(a, an, DOC_NUMBER) && is_kind(b, bn, DOC_NUMBER)) {
        struct decimal ad = decimal_normalise(doc_text(a, an));
        struct decimal bd = decimal_normalise(doc_text(b, bn));
        *order = decimal_compare(&ad, &bd);
        return true;
    }
    if (!is_kind(a, an, DOC_STRING) || !is_kind(b, bn, DOC_STRING)) return false;
    const struct doc_item *ai = item_at(a, an);
    const struct doc_item *bi = item_at(b, bn);
    *order = text_compare(item_string(a, ai), (ai->flags & ITEM_ESCAPED) != 0, item_string(b, bi),
                          (bi->flags & ITEM_ESCAPED) != 0);
    return true;
}

static stet_status settle_min(const struct rule_question *question, struct rule_answer *answer,
                              stet_error *err) {
    (void)err;
    int order;
    if (!compare_sides(question, &order)) return answer_conflict(answer);
    return order < 0 ? answer_current(question, answer) : answer_yours(question, answer);
}

static stet_status settle_max(const struct rule_question *question, struct rule_answer *answer,
                              stet_error *err) {
    (void)err;
    int order;
    if (!compare_sides(question, &order)) return answer_conflict(answer);
    return order > 0 ? answer_current(question, answer) : answer_yours(question, answer);
}

static bool in_bounds(const struct rule_options *options, const struct decimal *value) {
    return (!options->has_minimum || decimal_compare(value, &options->minimum) >= 0) &&
           (!options->has_maximum || decimal_compare(value, &options->maximum) <= 0);
}

/* A counter that both created began at 0; one that somebody deleted or made a text is for people to settle. */
static stet_status settle_delta(const struct rule_question *question, struct rule_answer *answer,
                                stet_error *err) {
    if (!is_kind(question->current_doc, question->current, DOC_NUMBER) ||
        !is_kind(question->yours_doc, question->yours, DOC_NUMBER) ||
        (question->base != DOC_NONE && !is_kind(question->base_doc, question->base, DOC_NUMBER)))
        return answer_conflict(answer);
    char text[DECIMAL_TEXT_MAX];
    stet_view base =
        question->base == DOC_NONE ? VIEW("0") : doc_text(question->base_doc, question->base);
    size_t size = decimal_delta(doc_text(question->current_doc, question->current),
                                doc_text(question->yours_doc, question->yours), base, text);
    if (size == 0) return answer_conflict(answer);
    struct decimal sum = decimal_normalise(view_make(text, size));
    if (!in_bounds(&question->rules->options, &sum)) return answer_conflict(answer);
    stet_view merged = arena_copy(question->arena, view_make(text, size));
    if (merged.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "could not add up two changes of a number");
    *answer = (struct rule_answer){.state = DOC_MERGED, .merged = merged};
    return STET_OK;
}

const struct doc_rule rule_min = {.name = "min", .settle = settle_min};
const struct doc_rule rule_max = {.name = "max", .settle = settle_max};
const struct doc_rule rule_delta = {
    .name = "delta", .counts = true, .gathers = true, .settle = settle_delta};
