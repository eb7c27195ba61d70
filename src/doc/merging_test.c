/*
 * Runs every example of docs/merging.md: each block fenced as json holds rules and either three documents with what they merge
 * to, or the place where the rules are refused. The argument is the file.
 */
#include "base/buffer.h"
#include "doc/doc_testing.h"
#include "doc/rules.h"

enum { EXAMPLES_MIN = 25 }; /* A page that lost its fences must not pass. */

static const char *page_path;
static unsigned page_line; /* Of the example that runs. */

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        print_error("%s:%u: ", page_path, page_line);                                              \
        fail_msg(__VA_ARGS__);                                                                     \
    } while (0)

static stet_view read_page(void) {
    struct buffer text;
    FILE *file = fopen(page_path, "rb");
    if (file == NULL) fail_msg("could not open %s", page_path);
    buffer_init(&text, &test_arena, 0);
    char block[4096];
    size_t size;
    while ((size = fread(block, 1, sizeof block, file)) > 0)
        buffer_append(&text, block, size);
    fclose(file);
    assert_int_equal(buffer_status(&text), STET_OK);
    return buffer_view(&text);
}

/* A member of the example as a document of its own. */
static struct doc must_member(const struct doc *example, const char *name) {
    doc_node node = doc_member(example, 0, view_of(name));
    if (node == DOC_NONE) FAIL("the example has no \"%s\"", name);
    return must_parse_view(doc_text(example, node));
}

static void check_conflicts(const struct doc *expected, const struct doc_merge_result *result) {
    doc_node next = doc_first(expected, 0);
    for (size_t i = 0; i < result->field_count; i++) {
        if (result->fields[i].state != DOC_CONFLICT) continue;
        stet_view pointer = result->fields[i].pointer;
        stet_view wanted;
        if (next == DOC_NONE) FAIL("unexpected conflict at %.*s", VIEW_ARG(pointer));
        assert_int_equal(doc_string(&test_arena, expected, next, &wanted), STET_OK);
        if (!view_equal(wanted, pointer))
            FAIL("conflict at %.*s, expected at %.*s", VIEW_ARG(pointer), VIEW_ARG(wanted));
        next = doc_next(expected, next);
    }
    if (next != DOC_NONE) FAIL("no conflict at %.*s", VIEW_ARG(doc_text(expected, next)));
}

static void check_merge(const struct doc *example, const struct doc_rules *rules) {
    struct doc base = must_member(example, "base");
    struct doc current = must_member(example, "current");
    struct doc yours = must_member(example, "yours");
    struct doc merged = must_member(example, "merged");
    struct doc conflicts = must_member(example, "conflicts");
    struct doc_merge_result result;
    assert_int_equal(doc_merge(&test_arena, &base, &current, &yours, rules, 0, &result, NULL),
                     STET_OK);
    struct doc got = must_parse_view(result.merged);
    if (!doc_equal(&got, 0, &merged, 0)) FAIL("merged to %.*s", VIEW_ARG(result.merged));
    check_conflicts(&conflicts, &result);
}

static void check_example(stet_view text) {
    struct doc example = must_parse_view(text);
    struct doc_rules *rules = NULL;
    stet_error err = {0};
    doc_node refused = doc_member(&example, 0, VIEW("refused"));
    stet_status status =
        rules_compile(&test_arena, &example, doc_member(&example, 0, VIEW("fields")),
                      doc_member(&example, 0, VIEW("units")), &rules, &err);
    if (refused == DOC_NONE) {
        if (status != STET_OK) FAIL("refused at %s: %s", err.field, err.message);
        check_merge(&example, rules);
        return;
    }
    stet_view field;
    assert_int_equal(doc_string(&test_arena, &example, refused, &field), STET_OK);
    if (status != STET_INVALID_TYPE || !view_equal(field, view_of(err.field)))
        FAIL("status %d at %s: %s", (int)status, err.field, err.message);
}

static void every_example_is_true(void **state) {
    (void)state;
    stet_view page = read_page();
    unsigned examples = 0;
    unsigned line = 0;
    const char *begin = NULL;
    for (const char *p = page.bytes; p < page.bytes + page.size;) {
        const char *end = memchr(p, '\n', (size_t)(page.bytes + page.size - p));
        stet_view text = view_make(p, (size_t)(end - p));
        line++;
        p = end + 1;
        if (view_equal(text, VIEW("```json"))) {
            begin = p;
            page_line = line;
        } else if (view_equal(text, VIEW("```")) && begin != NULL) {
            check_example(view_make(begin, (size_t)(text.bytes - begin)));
            begin = NULL;
            examples++;
        }
    }
    assert_null(begin);
    assert_true(examples >= EXAMPLES_MIN);
    print_message("%u examples\n", examples);
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    page_path = argv[1];
    const struct CMUnitTest tests[] = {ARENA_TEST(every_example_is_true)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
