/*
 * Runs every example of docs/types.md: each block fenced as json holds a definition and what it accepts and refuses. Those of docs/merging.md
 * are rules that a type must take, or refuse at the same place. The arguments are the files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/view.h"
#include "core/validate.h"
#include "modules/types/definition.h"

#include <stdio.h>

enum { EXAMPLES_MIN = 10 }; /* A page that lost its fences must not pass. */

static char **page_paths;
static const char *page_path;
static struct arena arena;

static stet_view read_page(void) {
    struct buffer text;
    char block[4096];
    size_t size;
    FILE *file = fopen(page_path, "rb");
    if (file == NULL) fail_msg("could not open %s", page_path);
    buffer_init(&text, &arena, 0);
    while ((size = fread(block, 1, sizeof block, file)) > 0)
        buffer_append(&text, block, size);
    fclose(file);
    buffer_append_char(&text, '\0');
    assert_int_equal(buffer_status(&text), STET_OK);
    return buffer_view(&text);
}

static struct doc must_parse(stet_view text) {
    struct doc doc;
    stet_error err = {0};
    if (doc_parse(&arena, text, NULL, &doc, &err) != STET_OK)
        fail_msg("%.*s: %s", VIEW_ARG(text), err.message);
    return doc;
}

static stet_view text_of(const struct doc *doc, doc_node node) {
    stet_view text;
    assert_int_equal(doc_string(&arena, doc, node, &text), STET_OK);
    return text;
}

static void check_field(const stet_error *err, stet_view expected, stet_view what) {
    if (!view_equal(view_of(err->field), expected))
        fail_msg("refused at %s (%s): %.*s", err->field, err->message, VIEW_ARG(what));
}

static void check_data(const struct doc *example, const struct policy *policy) {
    doc_node old_node = doc_member(example, 0, VIEW("old"));
    doc_node valid = doc_member(example, 0, VIEW("valid"));
    doc_node refused = doc_member(example, 0, VIEW("refused"));
    struct doc old;
    if (old_node != DOC_NONE) old = must_parse(doc_text(example, old_node));
    const struct doc *before = old_node == DOC_NONE ? NULL : &old;
    assert_true(valid != DOC_NONE && refused != DOC_NONE);
    for (doc_node one = doc_first(example, valid); one != DOC_NONE; one = doc_next(example, one)) {
        struct doc data = must_parse(doc_text(example, one));
        stet_error err = {0};
        if (validate(&arena, policy->validator, &data, before, &err) != STET_OK)
            fail_msg("%.*s: %s %s", VIEW_ARG(data.text), err.field, err.message);
    }
    for (doc_node one = doc_first(example, refused); one != DOC_NONE;
         one = doc_next(example, one)) {
        struct doc data = must_parse(doc_text(example, doc_member(example, one, VIEW("data"))));
        stet_error err = {0};
        if (validate(&arena, policy->validator, &data, before, &err) != STET_INVALID_DATA)
            fail_msg("valid: %.*s", VIEW_ARG(data.text));
        check_field(&err, text_of(example, doc_member(example, one, VIEW("at"))), data.text);
    }
}

static void check_stored(const struct doc *example, const struct policy *policy, doc_node stored) {
    struct doc data = must_parse(doc_text(example, doc_member(example, 0, VIEW("data"))));
    stet_view filled;
    assert_int_equal(validate_fill(&arena, policy->validator, &data, &filled, NULL), STET_OK);
    struct doc result = filled.size == 0 ? data : must_parse(filled);
    if (!doc_equal(&result, 0, example, stored)) fail_msg("stored: %.*s", VIEW_ARG(filled));
}

/* Of docs/merging.md: whether a type may have such rules. What they do is tested where they are. */
static void run_rules(const struct doc *example, doc_node fields) {
    doc_node units = doc_member(example, 0, VIEW("units"));
    doc_node refused = doc_member(example, 0, VIEW("refused"));
    stet_view none = VIEW("[]");
    stet_view definition = arena_format(
        &arena, "{\"fields\":%.*s,\"units\":%.*s}", VIEW_ARG(doc_text(example, fields)),
        VIEW_ARG(units == DOC_NONE ? none : doc_text(example, units)));
    struct policy *policy = NULL;
    stet_error err = {0};
    assert_non_null(definition.bytes);
    stet_status status = definition_compile(VIEW("deal"), definition, &policy, &err);
    if (refused != DOC_NONE) {
        if (status != STET_INVALID_TYPE) fail_msg("accepted: %.*s", VIEW_ARG(definition));
        check_field(&err, text_of(example, refused), definition);
        return;
    }
    if (status != STET_OK) fail_msg("%.*s: %s %s", VIEW_ARG(definition), err.field, err.message);
    policy_unref(policy);
}

static void run_example(stet_view text) {
    struct doc example = must_parse(text);
    doc_node fields = doc_member(&example, 0, VIEW("fields"));
    if (fields != DOC_NONE) {
        run_rules(&example, fields);
        return;
    }
    stet_view definition = doc_text(&example, doc_member(&example, 0, VIEW("definition")));
    doc_node refused_at = doc_member(&example, 0, VIEW("refused_at"));
    doc_node stored = doc_member(&example, 0, VIEW("stored"));
    struct policy *policy = NULL;
    stet_error err = {0};
    stet_status status = definition_compile(VIEW("deal"), definition, &policy, &err);
    if (refused_at != DOC_NONE) {
        if (status != STET_INVALID_TYPE) fail_msg("accepted: %.*s", VIEW_ARG(definition));
        check_field(&err, text_of(&example, refused_at), definition);
        return;
    }
    if (status != STET_OK) fail_msg("%.*s: %s %s", VIEW_ARG(definition), err.field, err.message);
    if (stored != DOC_NONE) {
        check_stored(&example, policy, stored);
    } else {
        check_data(&example, policy);
    }
    policy_unref(policy);
}

static void check_page(void) {
    unsigned count = 0;
    arena_init(&arena, 65536);
    const char *at = read_page().bytes;
    while ((at = strstr(at, "```json\n")) != NULL) {
        at += sizeof "```json\n" - 1;
        const char *end = strstr(at, "```");
        assert_non_null(end);
        run_example(view_make(at, (size_t)(end - at)));
        at = end + 3;
        count++;
    }
    assert_true(count >= EXAMPLES_MIN);
    arena_done(&arena);
}

static void the_examples_hold(void **state) {
    (void)state;
    for (char **path = page_paths; *path != NULL; path++) {
        page_path = *path;
        check_page();
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_examples_hold)};
    if (argc < 2) return 2;
    page_paths = argv + 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
