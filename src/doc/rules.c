/*
 * Finding the rule of a field, and the rules that look at no values: who may win, and what is taken as one.
 */
#include "doc/rules.h"

#include "base/view.h"
#include "doc/pointer.h"
#include "doc/rule.h"
#include "doc/text.h"

stet_status answer_conflict(struct rule_answer *answer) {
    *answer = (struct rule_answer){.state = DOC_CONFLICT};
    return STET_OK;
}

static stet_view text_of(const struct doc *doc, doc_node node) {
    return node == DOC_NONE ? (stet_view){0} : doc_text(doc, node);
}

stet_status answer_yours(const struct rule_question *question, struct rule_answer *answer) {
    *answer = (struct rule_answer){
        .state = DOC_MERGED,
        .dropped = DOC_DROPPED_CURRENT,
        .merged = text_of(question->yours_doc, question->yours),
    };
    return STET_OK;
}

stet_status answer_current(const struct rule_question *question, struct rule_answer *answer) {
    *answer = (struct rule_answer){
        .state = DOC_MERGED,
        .dropped = DOC_DROPPED_YOURS,
        .merged = text_of(question->current_doc, question->current),
    };
    return STET_OK;
}

static stet_status settle_conflict(const struct rule_question *question, struct rule_answer *answer,
                                   stet_error *err) {
    (void)question;
    (void)err;
    return answer_conflict(answer);
}

static stet_status settle_last_writer_wins(const struct rule_question *question,
                                           struct rule_answer *answer, stet_error *err) {
    (void)err;
    return answer_yours(question, answer);
}

static stet_status settle_first(const struct rule_question *question, struct rule_answer *answer,
                                stet_error *err) {
    (void)err;
    return answer_current(question, answer);
}

/* Setting for the first time what nobody has set is no change of it; everything else in yours is. */
static stet_status settle_immutable(const struct rule_question *question,
                                    struct rule_answer *answer, stet_error *err) {
    (void)err;
    if (question->base != DOC_NONE || question->current != DOC_NONE) return answer_conflict(answer);
    *answer = (struct rule_answer){.state = DOC_CLEAN_YOURS};
    return STET_OK;
}

const struct doc_rule rule_reject = {.name = "reject", .descends = true, .settle = settle_conflict};
const struct doc_rule rule_last_writer_wins = {
    .name = "last_writer_wins", .descends = true, .settle = settle_last_writer_wins};
const struct doc_rule rule_first = {.name = "first", .descends = true, .settle = settle_first};
const struct doc_rule rule_atomic = {.name = "atomic", .settle = settle_conflict};
const struct doc_rule rule_immutable = {
    .name = "immutable", .guards = true, .settle = settle_immutable};
const struct doc_rule rule_unit = {.name = "unit", .settle = settle_conflict};
const struct doc_rule rule_by_key = {
    .name = "by_key", .keyed = true, .gathers = true, .settle = settle_conflict};

/* What a definition can name. */
static const struct doc_rule *const all_rules[] = {
    &rule_reject, &rule_last_writer_wins, &rule_first,  &rule_min,  &rule_max,       &rule_delta,
    &rule_set,    &rule_by_key,           &rule_append, &rule_text, &rule_immutable, &rule_atomic,
};

const char rule_names[] = "reject, last_writer_wins, first, min, max, delta, set, by_key, append, "
                          "text, immutable, atomic, function:NAME";

const struct doc_rule *rule_find(stet_view name) {
    for (size_t i = 0; i < sizeof all_rules / sizeof all_rules[0]; i++) {
        if (view_equal(name, view_of(all_rules[i]->name))) return all_rules[i];
    }
    return NULL;
}

bool rules_count(const struct doc_rules *rules) { return rules != NULL && rules->has_counts; }

/* Below this many, comparing one by one is quicker: most differ in size. */
enum { CHILDREN_FEW = 8 };

const struct doc_rules *rules_member(const struct doc_rules *rules, stet_view raw, bool escaped) {
    if (rules == NULL) return NULL;
    if (rules->child_count <= CHILDREN_FEW && !escaped) {
        for (size_t i = 0; i < rules->child_count; i++) {
            if (view_equal(rules->children[i]->token, raw)) return rules->children[i];
        }
        return rules->any;
    }
    size_t begin = 0;
    size_t end = rules->child_count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        int order = text_compare(raw, escaped, rules->children[middle]->token, false);
        if (order == 0) return rules->children[middle];
        if (order < 0) {
            end = middle;
        } else {
            begin = middle + 1;
        }
    }
    return rules->any;
}

stet_status rules_gather(struct arena *arena, const struct doc_rules *rules, stet_view pointer,
                         bool *gathers) {
    stet_view rest = pointer, token;
    *gathers = false;
    while (rules != NULL && pointer_next(&rest, &token)) {
        stet_status status = pointer_decode(arena, token, &token);
        if (status != STET_OK) return status;
        rules = rules_member(rules, token, false);
    }
    *gathers = rules != NULL && rules->rule != NULL && rules->rule->gathers;
    return STET_OK;
}
