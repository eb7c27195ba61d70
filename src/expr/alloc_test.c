/*
 * Every allocation of parsing fails in turn: the answer is STET_NO_MEMORY, no output is touched, and it works when there is memory
 * again. The link gives the arena's functions to these (--wrap).
 */
#include "expr/expr_testing.h"

void *__real_arena_alloc(struct arena *arena, size_t size);
void *__real_arena_zalloc(struct arena *arena, size_t count, size_t size);
char *__real_arena_bytes(struct arena *arena, size_t size);
void *__wrap_arena_alloc(struct arena *arena, size_t size);
void *__wrap_arena_zalloc(struct arena *arena, size_t count, size_t size);
char *__wrap_arena_bytes(struct arena *arena, size_t size);

static long fail_at = -1; /* How many allocations work; -1: all. */
static long allocations;

static bool allowed(void) { return fail_at < 0 || allocations++ < fail_at; }

void *__wrap_arena_alloc(struct arena *arena, size_t size) {
    return allowed() ? __real_arena_alloc(arena, size) : NULL;
}

void *__wrap_arena_zalloc(struct arena *arena, size_t count, size_t size) {
    return allowed() ? __real_arena_zalloc(arena, count, size) : NULL;
}

char *__wrap_arena_bytes(struct arena *arena, size_t size) {
    return allowed() ? __real_arena_bytes(arena, size) : NULL;
}

static void parsing_survives_every_failure(void **state) {
    (void)state;
    static const char text[] =
        "!(a.b['c'] in [1, 'x\\n']) && $id != \"y\" || d is null && (e || f starts_with 'g')";
    long failures = 0;
    stet_status status = STET_NO_MEMORY;
    for (fail_at = 0; status != STET_OK; fail_at++) {
        struct expr *expr = NULL;
        stet_error err = {0};
        allocations = 0;
        status = try_parse(text, &expr, &err);
        if (status == STET_OK) break;
        assert_int_equal(status, STET_NO_MEMORY);
        assert_int_equal(err.status, STET_NO_MEMORY);
        assert_null(expr);
        failures++;
    }
    fail_at = -1;
    assert_in_range(failures, 10, 1000);
}

static void a_field_survives_every_failure(void **state) {
    (void)state;
    static const char *const texts[] = {"a.b['c']", "/a/b"};
    for (size_t index = 0; index < 2; index++) {
        stet_status status = STET_NO_MEMORY;
        for (fail_at = 0; status != STET_OK; fail_at++) {
            struct expr_options options = {0};
            struct expr_field field = {.meta = EXPR_META_SEQ};
            allocations = 0;
            status = expr_field_parse(&test_arena, view_of(texts[index]), &options, &field, NULL);
            assert_true(status == STET_OK || status == STET_NO_MEMORY);
            assert_int_equal(field.meta, status == STET_OK ? EXPR_META_NONE : EXPR_META_SEQ);
        }
        fail_at = -1;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(parsing_survives_every_failure),
        ARENA_TEST(a_field_survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
