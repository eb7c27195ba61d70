/*
 * Patches: a target and a patch, as RFC 7396 and as RFC 6902, and what doc_diff says of the two.
 */
#include "doc/patch.h"
#include "doc/diff.h"
#include "fuzz.h"

static void merge_patch(struct arena *arena, const struct doc *target, const struct doc *patch) {
    stet_view out;
    stet_error err = {0};
    struct doc once;
    struct doc twice;
    stet_status status = doc_merge_patch(arena, target, patch, &out, &err);
    REQUIRE(status == STET_OK || (status == STET_TOO_LARGE && err.limit > 0));
    if (status != STET_OK || !fuzz_parse_result(arena, out, &once)) return;
    status = doc_merge_patch(arena, &once, patch, &out, NULL);
    if (status != STET_OK || !fuzz_parse_result(arena, out, &twice)) return;
    REQUIRE(doc_equal(&once, 0, &twice, 0));
    REQUIRE(doc_hash(&once, 0) == doc_hash(&twice, 0));
}

static void json_patch(struct arena *arena, const struct doc *target, const struct doc *patch) {
    stet_view out;
    stet_error err = {0};
    struct doc doc;
    stet_status status = doc_json_patch(arena, target, patch, &out, &err);
    switch (status) {
    case STET_OK: fuzz_parse_result(arena, out, &doc); return;
    case STET_TOO_LARGE: REQUIRE(err.limit > 0); return;
    case STET_BAD_REQUEST:
    case STET_PATCH_FAILED:
    case STET_CONCURRENT_MODIFICATION: REQUIRE(err.message[0] != '\0'); return;
    default: REQUIRE(false);
    }
}

static void diff(struct arena *arena, const struct doc *a, const struct doc *b) {
    struct doc_difference *differences;
    size_t count;
    REQUIRE(doc_diff(arena, a, b, &differences, &count, NULL) == STET_OK);
    REQUIRE((count == 0) == doc_equal(a, 0, b, 0));
    for (size_t i = 0; i < count; i++) {
        REQUIRE(doc_pointer(a, differences[i].pointer) == differences[i].a);
        REQUIRE(doc_pointer(b, differences[i].pointer) == differences[i].b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct arena arena;
    arena_init(&arena, 4096);
    stet_view target_text = fuzz_text(&bytes, &size);
    stet_view patch_text = fuzz_text(&bytes, &size);
    struct doc target;
    struct doc patch;
    if (doc_parse(&arena, target_text, NULL, &target, NULL) == STET_OK &&
        doc_parse(&arena, patch_text, NULL, &patch, NULL) == STET_OK) {
        merge_patch(&arena, &target, &patch);
        merge_patch(&arena, NULL, &patch);
        json_patch(&arena, &target, &patch);
        diff(&arena, &target, &patch);
    }
    fuzz_text_free(target_text);
    fuzz_text_free(patch_text);
    arena_done(&arena);
    return 0;
}
