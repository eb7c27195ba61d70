/*
 * Three-way merge: base, current, yours and, where there is a fourth text, the definition of a type ("fields", "units"). The
 * laws hold, and the merged document is what its fields say.
 */
#include "doc/merge.h"
#include "doc/rules.h"
#include "fuzz.h"

/* merge(base, current, yours), which must be clean and equal to expected. */
static void law(struct arena *arena, const struct doc *base, const struct doc *current,
                const struct doc *yours, const struct doc_rules *rules,
                const struct doc *expected) {
    struct doc_merge_result result;
    struct doc merged;
    REQUIRE(doc_merge(arena, base, current, yours, rules, 0, &result, NULL) == STET_OK);
    REQUIRE(result.clean);
    if (fuzz_parse_result(arena, result.merged, &merged))
        REQUIRE(doc_equal(&merged, 0, expected, 0));
}

static void merge(struct arena *arena, const struct doc *base, const struct doc *current,
                  const struct doc *yours, const struct doc_rules *rules) {
    struct doc_merge_result result;
    struct doc merged;
    stet_status status = doc_merge(arena, base, current, yours, rules, 0, &result, NULL);
    REQUIRE(status == STET_OK || status == STET_TOO_LARGE);
    if (status != STET_OK || !fuzz_parse_result(arena, result.merged, &merged)) return;
    bool clean = true;
    for (size_t i = 0; i < result.field_count; i++) {
        const struct doc_merge_field *field = &result.fields[i];
        doc_node node = doc_pointer(&merged, field->pointer);
        REQUIRE((node == DOC_NONE) == (field->merged.size == 0));
        REQUIRE(node == DOC_NONE || view_equal(doc_text(&merged, node), field->merged));
        REQUIRE(field->dropped == DOC_DROPPED_NONE || field->state == DOC_MERGED);
        if (field->list.bytes == NULL) {
            REQUIRE(doc_pointer(base, field->pointer) == field->base);
            REQUIRE(doc_pointer(current, field->pointer) == field->current);
            REQUIRE(doc_pointer(yours, field->pointer) == field->yours);
        } else {
            REQUIRE(doc_pointer(current, field->list) != DOC_NONE);
            REQUIRE(doc_pointer(yours, field->list) != DOC_NONE);
        }
        if (field->state == DOC_CONFLICT) clean = false;
    }
    REQUIRE(clean == result.clean);
    /* The same in no more than the same number of steps; and not in one less. */
    uint64_t steps = result.steps;
    REQUIRE(doc_merge(arena, base, current, yours, rules, steps, &result, NULL) == STET_OK);
    if (steps < 2) return;
    REQUIRE(doc_merge(arena, base, current, yours, rules, steps - 1, &result, NULL) ==
            STET_TOO_LARGE);
}

/* Rules from the last text, if it is a definition that holds. *guards: some of them refuse what only yours changed. */
static const struct doc_rules *compile(struct arena *arena, stet_view text, bool *guards) {
    struct doc definition;
    struct doc_rules *rules = NULL;
    stet_error err = {0};
    *guards = memmem(text.bytes, text.size, "immut", 5) != NULL ||
              memchr(text.bytes, '\\', text.size) != NULL;
    if (doc_parse(arena, text, NULL, &definition, NULL) != STET_OK) return NULL;
    stet_status status =
        rules_compile(arena, &definition, doc_member(&definition, 0, VIEW("fields")),
                      doc_member(&definition, 0, VIEW("units")), &rules, &err);
    REQUIRE(status == STET_OK || status == STET_INVALID_TYPE || status == STET_TOO_LARGE);
    REQUIRE(status == STET_OK || (err.field[0] == '/' && err.message[0] != '\0'));
    return rules;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    enum { DOCS = 3, TEXTS };
    struct arena arena;
    arena_init(&arena, 4096);
    stet_view texts[TEXTS];
    struct doc docs[DOCS];
    bool valid = true;
    for (int i = 0; i < TEXTS; i++) {
        texts[i] = fuzz_text(&bytes, &size);
        if (i < DOCS) valid = valid && doc_parse(&arena, texts[i], NULL, &docs[i], NULL) == STET_OK;
    }
    bool guards;
    const struct doc_rules *rules = compile(&arena, texts[DOCS], &guards);
    if (valid) {
        merge(&arena, &docs[0], &docs[1], &docs[2], rules);
        law(&arena, &docs[0], &docs[1], &docs[0], rules, &docs[1]);
        if (!guards) law(&arena, &docs[0], &docs[0], &docs[1], rules, &docs[1]);
        if (!rules_count(rules)) law(&arena, &docs[0], &docs[1], &docs[1], rules, &docs[1]);
    }
    for (int i = 0; i < TEXTS; i++)
        fuzz_text_free(texts[i]);
    arena_done(&arena);
    return 0;
}
