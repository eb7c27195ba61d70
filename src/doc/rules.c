#include "doc/rule.h"

#include "base/view.h"
#include "doc/text.h"

static stet_status settle_reject(const struct rule_question *question, struct rule_answer *answer,
                                 stet_error *err) {
    (void)question;
    (void)err;
    *answer = (struct rule_answer){.state = DOC_CONFLICT};
    return STET_OK;
}

const struct doc_rule rule_reject = {.name = "reject", .descends = true, .settle = settle_reject};

const struct doc_rule *rules_rule(const struct doc_rules *rules) {
    return rules == NULL || rules->rule == NULL ? &rule_reject : rules->rule;
}

const struct doc_rules *rules_member(const struct doc_rules *rules, stet_view raw, bool escaped) {
    if (rules == NULL) return NULL;
    for (size_t i = 0; i < rules->child_count; i++) {
        const struct doc_rules *child = &rules->children[i];
        if (view_equal(child->token, VIEW("*"))) return child;
        if (text_compare(raw, escaped, child->token, false) == 0) return child;
    }
    return NULL;
}
