/* Validation by example: fields, data, the data before, and the place that is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/view.h"
#include "core/validate.h"

#define TEST(name) static void name(void **state)

static struct arena arena;

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 4096);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

static struct doc *must_parse(const char *text) {
    struct doc *doc = arena_alloc(&arena, sizeof *doc);
    stet_error err = {0};
    assert_non_null(doc);
    if (doc_parse(&arena, view_of(text), NULL, doc, &err) != STET_OK)
        fail_msg("%s: %s", text, err.message);
    return doc;
}

static const struct validator *must_compile(const char *fields, bool *checks_old) {
    struct doc *doc = must_parse(fields);
    const struct validator *validator;
    stet_error err = {0};
    if (validator_compile(&arena, doc, 0, &validator, checks_old, &err) != STET_OK)
        fail_msg("%s: %s (%s)", fields, err.message, err.field);
    return validator;
}

struct example {
    const char *fields;
    const char *data;
    const char *old;   /* NULL: none. */
    const char *field; /* NULL: valid. */
};

static void check_examples(const struct example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct example *example = &examples[i];
        bool checks_old;
        stet_error err = {0};
        const struct validator *validator = must_compile(example->fields, &checks_old);
        const struct doc *old = example->old == NULL ? NULL : must_parse(example->old);
        assert_true(old == NULL || checks_old);
        stet_status status = validate(&arena, validator, must_parse(example->data), old, &err);
        if (example->field == NULL && status != STET_OK)
            fail_msg("%s %s: %s %s", example->fields, example->data, err.field, err.message);
        if (example->field == NULL) continue;
        if (status != STET_INVALID_DATA) fail_msg("valid: %s %s", example->fields, example->data);
        assert_string_equal(err.field, example->field);
    }
}

#define CHECK(table) check_examples(table, sizeof table / sizeof table[0])

TEST(kinds_of_values) {
    (void)state;
    static const struct example table[] = {
        {"{\"/a\":{\"type\":\"string\"}}", "{\"a\":\"x\"}", NULL, NULL},
        {"{\"/a\":{\"type\":\"string\"}}", "{}", NULL, NULL},
        {"{\"/a\":{\"type\":\"string\"}}", "{\"a\":null}", NULL, "/a"},
        {"{\"/a\":{\"type\":[\"string\",\"null\"]}}", "{\"a\":null}", NULL, NULL},
        {"{\"/a\":{\"type\":\"number\"}}", "{\"a\":1.5}", NULL, NULL},
        {"{\"/a\":{\"type\":\"integer\"}}", "{\"a\":1.5}", NULL, "/a"},
        {"{\"/a\":{\"type\":\"integer\"}}", "{\"a\":1.50e1}", NULL, NULL},
        {"{\"/a\":{\"type\":\"integer\"}}", "{\"a\":-0.0}", NULL, NULL},
        {"{\"/a\":{\"type\":\"integer\"}}", "{\"a\":1e999999999999999999999}", NULL, NULL},
        {"{\"/a\":{\"type\":\"integer\"}}", "{\"a\":1e-999999999999999999999}", NULL, "/a"},
        {"{\"/a\":{\"type\":\"boolean\"}}", "{\"a\":false}", NULL, NULL},
        {"{\"/a\":{\"type\":\"object\"}}", "{\"a\":[]}", NULL, "/a"},
        {"{\"/a\":{\"type\":\"array\"}}", "{\"a\":[]}", NULL, NULL},
        {"{\"/a\":{\"type\":\"any\"}}", "{\"a\":[]}", NULL, NULL},
    };
    CHECK(table);
}

TEST(bounds) {
    (void)state;
    static const struct example table[] = {
        {"{\"/a\":{\"minimum\":1,\"maximum\":2.5}}", "{\"a\":1.0}", NULL, NULL},
        {"{\"/a\":{\"minimum\":1,\"maximum\":2.5}}", "{\"a\":25e-1}", NULL, NULL},
        {"{\"/a\":{\"minimum\":1,\"maximum\":2.5}}", "{\"a\":0.99}", NULL, "/a"},
        {"{\"/a\":{\"minimum\":1,\"maximum\":2.5}}", "{\"a\":2.50000001}", NULL, "/a"},
        {"{\"/a\":{\"minimum\":1}}", "{\"a\":\"0\"}", NULL, NULL},
        {"{\"/a\":{\"min_bytes\":2,\"max_bytes\":3}}", "{\"a\":\"\\u00e4\"}", NULL, NULL},
        {"{\"/a\":{\"min_bytes\":2,\"max_bytes\":3}}", "{\"a\":\"x\"}", NULL, "/a"},
        {"{\"/a\":{\"min_bytes\":2,\"max_bytes\":3}}", "{\"a\":\"\\u00e4\\u00e4\"}", NULL, "/a"},
        {"{\"/a\":{\"enum\":[\"x\",1,null]}}", "{\"a\":1.0}", NULL, NULL},
        {"{\"/a\":{\"enum\":[\"x\",1,null]}}", "{\"a\":\"y\"}", NULL, "/a"},
    };
    CHECK(table);
}

TEST(required_where_the_parent_is_there) {
    (void)state;
    static const struct example table[] = {
        {"{\"/a\":{\"required\":true}}", "{}", NULL, "/a"},
        {"{\"/a\":{\"required\":true}}", "{\"a\":null}", NULL, NULL},
        {"{\"/a/b\":{\"required\":true}}", "{}", NULL, NULL},
        {"{\"/a/b\":{\"required\":true}}", "{\"a\":{}}", NULL, "/a/b"},
        {"{\"/a/b\":{\"required\":true}}", "{\"a\":7}", NULL, NULL},
        {"{\"/a/*/b\":{\"required\":true}}", "{\"a\":[{\"b\":1},{}]}", NULL, "/a/1/b"},
        {"{\"/a/*/b\":{\"required\":true}}", "{\"a\":{\"x/y\":{}}}", NULL, "/a/x~1y/b"},
        {"{\"/a/1\":{\"required\":true}}", "{\"a\":[0]}", NULL, "/a/1"},
        {"{\"/l\":{\"merge\":\"by_key\",\"key\":\"id\",\"fields\":{\"/q\":{\"type\":\"number\"}}}}",
         "{\"l\":[{\"id\":1,\"q\":2},{\"id\":2,\"q\":\"x\"}]}", NULL, "/l/1/q"},
        {"{\"/*\":{\"type\":\"string\"},\"/a\":{\"max_bytes\":1}}", "{\"a\":\"xy\"}", NULL, "/a"},
        {"{\"/*\":{\"type\":\"string\"},\"/a\":{\"max_bytes\":1}}", "{\"a\":\"x\",\"b\":1}", NULL,
         "/b"},
    };
    CHECK(table);
}

#define IMMUTABLE "{\"merge\":\"immutable\"}"

TEST(immutable_fields_stay) {
    (void)state;
    static const struct example table[] = {
        {"{\"/a\":" IMMUTABLE "}", "{\"a\":1.0}", "{\"a\":1}", NULL},
        {"{\"/a\":" IMMUTABLE "}", "{\"a\":2}", "{\"a\":1}", "/a"},
        {"{\"/a\":" IMMUTABLE "}", "{}", "{\"a\":1}", "/a"},
        {"{\"/a\":" IMMUTABLE "}", "{\"a\":1}", "{}", NULL},
        {"{\"/a/b\":" IMMUTABLE "}", "{}", "{\"a\":{\"b\":1}}", "/a/b"},
        {"{\"/a/b\":" IMMUTABLE "}", "{\"a\":7}", "{\"a\":{\"b\":1}}", "/a/b"},
        {"{\"/a/*\":" IMMUTABLE "}", "{\"a\":{\"c\":1}}", "{\"a\":{\"b\":1}}", "/a/b"},
        {"{\"/l\":{\"merge\":\"by_key\",\"key\":\"id\",\"fields\":{\"/q\":" IMMUTABLE "}}}",
         "{\"l\":[{\"id\":2,\"q\":3},{\"id\":1,\"q\":9}]}",
         "{\"l\":[{\"id\":1,\"q\":2},{\"id\":2,\"q\":3}]}", "/l/1/q"},
        {"{\"/l\":{\"merge\":\"by_key\",\"key\":\"id\",\"fields\":{\"/q\":" IMMUTABLE "}}}",
         "{\"l\":[{\"id\":2,\"q\":3}]}", "{\"l\":[{\"id\":1,\"q\":2},{\"id\":2,\"q\":3}]}", NULL},
    };
    CHECK(table);
}

TEST(fields_freeze_while_the_record_before_says_so) {
    (void)state;
#define SENT "{\"immutable_when\":\"status != 'draft'\"}"
    static const struct example table[] = {
        {"{\"/t\":" SENT "}", "{\"t\":2,\"status\":\"sent\"}", "{\"t\":1,\"status\":\"draft\"}",
         NULL},
        {"{\"/t\":" SENT "}", "{\"t\":1.0,\"status\":\"paid\"}", "{\"t\":1,\"status\":\"sent\"}",
         NULL},
        {"{\"/t\":" SENT "}", "{\"t\":2,\"status\":\"draft\"}", "{\"t\":1,\"status\":\"sent\"}",
         "/t"},
        {"{\"/t\":" SENT "}", "{\"status\":\"sent\"}", "{\"t\":1,\"status\":\"sent\"}", "/t"},
        {"{\"/t\":" SENT "}", "{\"t\":1,\"status\":\"sent\"}", "{\"status\":\"sent\"}", "/t"},
        {"{\"/l\":" SENT "}", "{\"l\":[{\"id\":1},{\"id\":2}],\"status\":\"sent\"}",
         "{\"l\":[{\"id\":1}],\"status\":\"sent\"}", "/l"},
        {"{\"/a/b\":" SENT "}", "{\"a\":{\"b\":1,\"c\":2},\"status\":\"sent\"}",
         "{\"a\":{\"b\":1},\"status\":\"sent\"}", NULL},
        {"{\"/t\":" SENT "}", "{\"t\":5,\"status\":\"sent\"}", NULL, NULL},
    };
    CHECK(table);
}

static void check_filled(const char *fields, const char *data, const char *expected) {
    bool checks_old;
    stet_view filled;
    stet_error err = {0};
    const struct validator *validator = must_compile(fields, &checks_old);
    if (validate_fill(&arena, validator, must_parse(data), &filled, &err) != STET_OK)
        fail_msg("%s: %s", data, err.message);
    if (expected == NULL) {
        assert_int_equal(filled.size, 0);
        return;
    }
    assert_int_equal(filled.size, strlen(expected));
    assert_memory_equal(filled.bytes, expected, filled.size);
}

TEST(defaults_are_filled_in) {
    (void)state;
    check_filled("{\"/a\":{\"default\":1.0}}", "{\"b\":2}", "{\"b\":2,\"a\":1.0}");
    check_filled("{\"/a\":{\"default\":1}}", "{\"a\":null}", NULL);
    check_filled("{\"/a/b\":{\"default\":1}}", "{}", NULL);
    check_filled("{\"/a/b\":{\"default\":1}}", "{\"a\":{}}", "{\"a\":{\"b\":1}}");
    check_filled("{\"/a/b\":{\"default\":1},\"/a\":{\"default\":{}}}", "{}", "{\"a\":{\"b\":1}}");
    check_filled("{\"/l/*/n\":{\"default\":\"x/~\"}}", "{\"l\":[{},{\"n\":1},7]}",
                 "{\"l\":[{\"n\":\"x/~\"},{\"n\":1},7]}");
    check_filled("{\"/a~1b\":{\"default\":[1]}}", "{}", "{\"a/b\":[1]}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kinds_of_values, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(required_where_the_parent_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(immutable_fields_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(fields_freeze_while_the_record_before_says_so, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(defaults_are_filled_in, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
