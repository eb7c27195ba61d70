/*
 * Three-way merge: base, current and yours; the laws hold, and the merged document is what its fields say.
 */
#include "doc/merge.h"
#include "fuzz.h"

/* merge(base, current, yours), which must be clean and equal to expected. */
static void law(struct arena *arena, const struct doc *base, const struct doc *current,
                const struct doc *yours, const struct doc *expected) {
    struct doc_merge_result result;
    struct doc merged;
    REQUIRE(doc_merge(arena, base, current, yours, NULL, 0, &result, NULL) == STET_OK);
    REQUIRE(result.clean);
    if (fuzz_parse_result(arena, result.merged, &merged))
        REQUIRE(doc_equal(&merged, 0, expected, 0));
}

static void merge(struct arena *arena, const struct doc *base, const struct doc *current,
                  const struct doc *yours) {
    struct doc_merge_result result;
    struct doc merged;
    stet_status status = doc_merge(arena, base, current, yours, NULL, 0, &result, NULL);
    REQUIRE(status == STET_OK || status == STET_TOO_LARGE);
    if (status != STET_OK || !fuzz_parse_result(arena, result.merged, &merged)) return;
    bool clean = true;
    for (size_t i = 0; i < result.field_count; i++) {
        const struct doc_merge_field *field = &result.fields[i];
        doc_node node = doc_pointer(&merged, field->pointer);
        REQUIRE((node == DOC_NONE) == (field->merged.size == 0));
        REQUIRE(node == DOC_NONE || view_equal(doc_text(&merged, node), field->merged));
        REQUIRE(doc_pointer(base, field->pointer) == field->base);
        REQUIRE(doc_pointer(current, field->pointer) == field->current);
        REQUIRE(doc_pointer(yours, field->pointer) == field->yours);
        if (field->state == DOC_CONFLICT) clean = false;
    }
    REQUIRE(clean == result.clean);
    /* The same in no more than the same number of steps; and not in one less. */
    uint64_t steps = result.steps;
    REQUIRE(doc_merge(arena, base, current, yours, NULL, steps, &result, NULL) == STET_OK);
    if (steps < 2) return;
    REQUIRE(doc_merge(arena, base, current, yours, NULL, steps - 1, &result, NULL) ==
            STET_TOO_LARGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct arena arena;
    arena_init(&arena, 4096);
    stet_view texts[3];
    struct doc docs[3];
    bool valid = true;
    for (int i = 0; i < 3; i++) {
        texts[i] = fuzz_text(&bytes, &size);
        valid = valid && doc_parse(&arena, texts[i], NULL, &docs[i], NULL) == STET_OK;
    }
    if (valid) {
        merge(&arena, &docs[0], &docs[1], &docs[2]);
        law(&arena, &docs[0], &docs[1], &docs[0], &docs[1]);
        law(&arena, &docs[0], &docs[0], &docs[1], &docs[1]);
        law(&arena, &docs[0], &docs[1], &docs[1], &docs[1]);
    }
    for (int i = 0; i < 3; i++)
        fuzz_text_free(texts[i]);
    arena_done(&arena);
    return 0;
}
