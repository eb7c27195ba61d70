/*
 * What the tests of this folder share: one arena for a test, and must_… helpers that hide plumbing.
 */
#ifndef DOC_DOC_TESTING_H
#define DOC_DOC_TESTING_H

#include "base/view.h"
#include "doc/diff.h"
#include "doc/doc.h"
#include "doc/merge.h"
#include "doc/patch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Of the running test; reset before each by setup_arena. */
static struct arena test_arena;

static inline int setup_arena(void **state) {
    (void)state;
    arena_init(&test_arena, 4096);
    return 0;
}

static inline int teardown_arena(void **state) {
    (void)state;
    arena_done(&test_arena);
    return 0;
}

#define ARENA_TEST(name) cmocka_unit_test_setup_teardown(name, setup_arena, teardown_arena)

/* The text is copied: the document lives as long as the arena. */
static inline struct doc must_parse_view(stet_view text) {
    struct doc doc;
    stet_error err = {0};
    char *copy = arena_bytes(&test_arena, text.size);
    assert_non_null(copy);
    if (text.size > 0) memcpy(copy, text.bytes, text.size);
    stet_status status = doc_parse(&test_arena, view_make(copy, text.size), NULL, &doc, &err);
    if (status != STET_OK) fail_msg("could not parse %.*s: %s", VIEW_ARG(text), err.message);
    return doc;
}

static inline struct doc must_parse(const char *text) { return must_parse_view(view_of(text)); }

static inline void check_view(stet_view view, const char *expected) {
    if (!view_equal(view, view_of(expected)))
        fail_msg("expected %s, got %.*s", expected, VIEW_ARG(view));
}

/* The same value, however it is spelled. */
static inline void check_json(stet_view view, const char *expected) {
    struct doc a = must_parse_view(view);
    struct doc b = must_parse(expected);
    if (!doc_equal(&a, 0, &b, 0)) fail_msg("expected %s, got %.*s", expected, VIEW_ARG(view));
}

#endif
