/*
 * Rules about whole lists: sets of values, and logs that only grow.
 */
#include "doc/item.h"
#include "doc/result.h"
#include "doc/rule.h"
#include "doc/splice.h"
#include "doc/table.h"

static bool is_list(const struct doc *doc, doc_node node) {
    return node != DOC_NONE && doc_kind(doc, node) == DOC_ARRAY;
}

/* Lists on both sides, and where there is a base, in it. One that both created began empty. */
static bool are_lists(const struct rule_question *question) {
    return is_list(question->current_doc, question->current) &&
           is_list(question->yours_doc, question->yours) &&
           (question->base == DOC_NONE || is_list(question->base_doc, question->base));
}

static doc_node first_of(const struct doc *doc, doc_node node) {
    return node == DOC_NONE ? DOC_NONE : doc_first(doc, node);
}

static uint32_t count_of(const struct doc *doc, doc_node node) {
    return node == DOC_NONE ? 0 : doc_count(doc, node);
}

static void result_open(const struct rule_question *question, struct buffer *buffer,
                        struct splice *splice) {
    result_begin(buffer, question->arena,
                 doc_text(question->current_doc, question->current).size +
                     doc_text(question->yours_doc, question->yours).size);
    splice_begin(splice, buffer, false);
}

static stet_status result_close(struct buffer *buffer, struct splice *splice,
                                struct rule_answer *answer, stet_error *err) {
    splice_end(splice);
    answer->state = DOC_MERGED;
    return result_end(buffer, "a merged list", &answer->merged, err);
}

/* ---- set ---- */

enum { IN_BASE = 1, IN_CURRENT = 2, IN_YOURS = 4, WRITTEN = 8 };

/* Notes which values a list holds. *gave_up: the table did. */
static void set_note(struct table *table, uint8_t *flags, const struct doc *doc, doc_node list,
                     uint8_t flag, bool *gave_up) {
    for (doc_node child = first_of(doc, list); child != DOC_NONE && !*gave_up;
         child = doc_next(doc, child)) {
        uint32_t index;
        if (table_add(table, doc, child, &index)) {
            flags[index] |= flag;
        } else {
            *gave_up = true;
        }
    }
}

/* Writes the elements of a list that belong to the result and do not stand there yet. */
static bool set_write(struct table *table, uint8_t *flags, const struct doc *doc, doc_node list,
                      struct splice *splice) {
    for (doc_node child = doc_first(doc, list); child != DOC_NONE; child = doc_next(doc, child)) {
        uint32_t index;
        if (!table_add(table, doc, child, &index)) return false;
        uint8_t in = flags[index];
        bool removed = (in & IN_BASE) != 0 && ((in & IN_CURRENT) == 0 || (in & IN_YOURS) == 0);
        if (removed || (in & WRITTEN) != 0) continue;
        flags[index] |= WRITTEN;
        splice_keep(splice, doc, child);
    }
    return true;
}

static stet_status settle_set(const struct rule_question *question, struct rule_answer *answer,
                              stet_error *err) {
    if (!are_lists(question)) return answer_conflict(answer);
    size_t values_max = count_of(question->base_doc, question->base) +
                        doc_count(question->current_doc, question->current) +
                        doc_count(question->yours_doc, question->yours);
    struct table table;
    uint8_t *flags = arena_zalloc(question->arena, values_max, sizeof *flags);
    if (flags == NULL || table_init(&table, question->arena, values_max) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "could not merge two sets");
    bool gave_up = false;
    set_note(&table, flags, question->base_doc, question->base, IN_BASE, &gave_up);
    set_note(&table, flags, question->current_doc, question->current, IN_CURRENT, &gave_up);
    set_note(&table, flags, question->yours_doc, question->yours, IN_YOURS, &gave_up);
    struct buffer buffer;
    struct splice splice;
    *answer = (struct rule_answer){.state = DOC_CONFLICT};
    if (!gave_up) {
        result_open(question, &buffer, &splice);
        gave_up = !set_write(&table, flags, question->current_doc, question->current, &splice) ||
                  !set_write(&table, flags, question->yours_doc, question->yours, &splice);
    }
    answer->steps = table.steps;
    if (gave_up) return STET_OK;
    return result_close(&buffer, &splice, answer, err);
}

/* ---- append ---- */

/* Whether a list begins with the base. *rest: the first element behind it. */
static bool begins_with(const struct doc *doc, doc_node list, const struct doc *base,
                        doc_node base_list, doc_node *rest) {
    doc_node child = doc_first(doc, list);
    for (doc_node old = first_of(base, base_list); old != DOC_NONE; old = doc_next(base, old)) {
        if (child == DOC_NONE || !doc_equal(doc, child, base, old)) return false;
        child = doc_next(doc, child);
    }
    *rest = child;
    return true;
}

static stet_status settle_append(const struct rule_question *question, struct rule_answer *answer,
                                 stet_error *err) {
    const struct doc *current = question->current_doc;
    const struct doc *yours = question->yours_doc;
    doc_node current_rest;
    doc_node yours_rest;
    if (!are_lists(question) ||
        !begins_with(current, question->current, question->base_doc, question->base,
                     &current_rest) ||
        !begins_with(yours, question->yours, question->base_doc, question->base, &yours_rest))
        return answer_conflict(answer);
    struct buffer buffer;
    struct splice splice;
    *answer = (struct rule_answer){0};
    result_open(question, &buffer, &splice);
    for (doc_node child = doc_first(current, question->current); child != DOC_NONE;
         child = doc_next(current, child))
        splice_keep(&splice, current, child);
    for (doc_node child = yours_rest; child != DOC_NONE; child = doc_next(yours, child))
        splice_keep(&splice, yours, child);
    return result_close(&buffer, &splice, answer, err);
}

const struct doc_rule rule_set = {.name = "set", .settle = settle_set};
const struct doc_rule rule_append = {.name = "append", .counts = true, .settle = settle_append};
