/*
 * Rules about whole lists: sets of values, and logs that only grow.
 */
#include "doc/item.h"
#include "doc/result.h"
#include "doc/rule.h"
#include "doc/splice.h"
#include "doc/value_table.h"

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

/* Notes which values a list holds, and their places in the table. False: it gave up. */
static bool set_note(struct value_table *table, uint8_t *flags, const struct doc *doc,
                     doc_node list, uint8_t flag, uint32_t *places) {
    for (doc_node child = first_of(doc, list); child != DOC_NONE; child = doc_next(doc, child)) {
        if (!value_table_add(table, doc, child, places)) return false;
        flags[*places++] |= flag;
    }
    return true;
}

/* Writes the elements of a list that belong to the result and do not stand there yet. */
static void set_write(uint8_t *flags, const struct doc *doc, doc_node list, const uint32_t *places,
                      struct splice *splice) {
    for (doc_node child = doc_first(doc, list); child != DOC_NONE; child = doc_next(doc, child)) {
        uint8_t *in = &flags[*places++];
        bool removed = (*in & IN_BASE) != 0 && ((*in & IN_CURRENT) == 0 || (*in & IN_YOURS) == 0);
        if (removed || (*in & WRITTEN) != 0) continue;
        *in |= WRITTEN;
        splice_keep(splice, doc, child);
    }
}

static stet_status settle_set(const struct rule_question *question, struct rule_answer *answer,
                              stet_error *err) {
    if (!are_lists(question)) return answer_conflict(answer);
    size_t base_count = count_of(question->base_doc, question->base);
    size_t current_count = doc_count(question->current_doc, question->current);
    size_t total = base_count + current_count + doc_count(question->yours_doc, question->yours);
    struct value_table table;
    uint8_t *flags = arena_zalloc(question->arena, total, sizeof *flags);
    uint32_t *places = arena_alloc(question->arena, total * sizeof *places);
    if (flags == NULL || places == NULL ||
        value_table_init(&table, question->arena, total) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "could not merge two sets");
    uint32_t *current_places = places + base_count;
    uint32_t *yours_places = current_places + current_count;
    bool noted =
        set_note(&table, flags, question->base_doc, question->base, IN_BASE, places) &&
        set_note(&table, flags, question->current_doc, question->current, IN_CURRENT,
                 current_places) &&
        set_note(&table, flags, question->yours_doc, question->yours, IN_YOURS, yours_places);
    *answer = (struct rule_answer){.state = DOC_CONFLICT, .steps = table.steps};
    if (!noted) return STET_OK;
    struct buffer buffer;
    struct splice splice;
    result_open(question, &buffer, &splice);
    set_write(flags, question->current_doc, question->current, current_places, &splice);
    set_write(flags, question->yours_doc, question->yours, yours_places, &splice);
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

const struct doc_rule rule_set = {.name = "set", .gathers = true, .settle = settle_set};
const struct doc_rule rule_append = {
    .name = "append", .counts = true, .gathers = true, .settle = settle_append};
