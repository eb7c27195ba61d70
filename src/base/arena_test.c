#include "base/arena.h"
#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The link gives malloc and realloc to these (--wrap): the n-th call from now fails, and all after
 * it. */
void *__real_malloc(size_t size);
void *__real_realloc(void *bytes, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *bytes, size_t size);
static int allocations_left = -1;

static bool allowed(void) {
    if (allocations_left < 0) return true;
    if (allocations_left == 0) return false;
    allocations_left--;
    return true;
}

void *__wrap_malloc(size_t size) { return allowed() ? __real_malloc(size) : NULL; }

void *__wrap_realloc(void *bytes, size_t size) {
    return allowed() ? __real_realloc(bytes, size) : NULL;
}

static void allocations_are_aligned_and_do_not_overlap(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 256);
    unsigned char *seen[200];
    for (size_t i = 0; i < 200; i++) {
        size_t size = i * 7 % 90 + 1;
        arena_bytes(&arena, i % 3);
        seen[i] = arena_alloc(&arena, size);
        assert_non_null(seen[i]);
        assert_int_equal((uintptr_t)seen[i] % _Alignof(max_align_t), 0);
        memset(seen[i], (int)i, size);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t k = 0; k < i * 7 % 90 + 1; k++)
            assert_int_equal(seen[i][k], i);
    }
    arena_done(&arena);
}

static void an_oversized_allocation_leaves_the_current_block_in_use(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 256);
    char *first = arena_bytes(&arena, 10);
    char *large = arena_bytes(&arena, 5000);
    memset(large, 1, 5000);
    assert_ptr_equal(arena_bytes(&arena, 10), first + 10);
    arena_done(&arena);
}

static void an_oversized_first_allocation_works(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 256);
    memset(arena_bytes(&arena, 5000), 1, 5000);
    memset(arena_alloc(&arena, 100), 2, 100);
    arena_reset(&arena);
    assert_true(arena_footprint(&arena) < 1000);
    memset(arena_alloc(&arena, 100), 2, 100);
    arena_done(&arena);
}

static void a_reset_arena_needs_no_further_memory(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024);
    for (int i = 0; i < 100; i++)
        arena_alloc(&arena, 100);
    arena_bytes(&arena, 100000);
    arena_reset(&arena);
    size_t footprint = arena_footprint(&arena);
    assert_in_range(footprint, 1024, 1100);
    allocations_left = 0;
    for (int i = 0; i < 10; i++) {
        assert_non_null(arena_alloc(&arena, 1000));
        arena_reset(&arena);
    }
    allocations_left = -1;
    assert_int_equal(arena_footprint(&arena), footprint);
    arena_done(&arena);
}

static void nothing_has_a_pointer_of_its_own(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 256);
    void *a = arena_alloc(&arena, 0);
    void *b = arena_alloc(&arena, 0);
    assert_non_null(a);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(arena_bytes(&arena, 0), arena_bytes(&arena, 0));
    arena_done(&arena);
}

static void zeroed_memory_is_zero_and_overflow_is_refused(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 256);
    memset(arena_alloc(&arena, 200), 0xFF, 200);
    arena_reset(&arena);
    const char *zeroed = arena_zalloc(&arena, 50, 4);
    for (int i = 0; i < 200; i++)
        assert_int_equal(zeroed[i], 0);
    assert_null(arena_zalloc(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_bytes(&arena, SIZE_MAX - 8));
    assert_null(arena_copy(&arena, view_make("", SIZE_MAX)).bytes);
    arena_done(&arena);
}

static void copies_and_formats_end_in_nul(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 256);
    stet_view copy = arena_copy(&arena, VIEW("a\0b"));
    assert_int_equal(copy.size, 3);
    assert_memory_equal(copy.bytes, "a\0b", 4);
    stet_view text = arena_format(&arena, "%s/%d", "tasks", 7);
    assert_int_equal(text.size, 7);
    assert_string_equal(text.bytes, "tasks/7");
    assert_string_equal(arena_copy(&arena, (stet_view){0}).bytes, "");
    text = arena_format(&arena, "%01000d", 0);
    assert_int_equal(text.size, 1000);
    assert_int_equal(strlen(text.bytes), 1000);
    arena_done(&arena);
}

static void running_out_of_memory_leaves_the_arena_usable(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 256);
    for (int allowed_calls = 0; allowed_calls < 3; allowed_calls++) {
        allocations_left = allowed_calls;
        while (arena_alloc(&arena, 60) != NULL)
            continue;
        assert_null(arena_bytes(&arena, 5000));
        assert_null(arena_zalloc(&arena, 50, 50));
        assert_null(arena_format(&arena, "%0500d", 0).bytes);
        allocations_left = -1;
        assert_non_null(arena_alloc(&arena, 60));
        arena_reset(&arena);
    }
    arena_done(&arena);
}

static void done_accepts_what_was_never_used(void **state) {
    (void)state;
    struct arena arena = {0};
    arena_done(&arena);
    arena_init(&arena, 256);
    arena_reset(&arena);
    assert_int_equal(arena_footprint(&arena), 0);
    arena_done(&arena);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_do_not_overlap),
        cmocka_unit_test(an_oversized_allocation_leaves_the_current_block_in_use),
        cmocka_unit_test(an_oversized_first_allocation_works),
        cmocka_unit_test(a_reset_arena_needs_no_further_memory),
        cmocka_unit_test(nothing_has_a_pointer_of_its_own),
        cmocka_unit_test(zeroed_memory_is_zero_and_overflow_is_refused),
        cmocka_unit_test(copies_and_formats_end_in_nul),
        cmocka_unit_test(running_out_of_memory_leaves_the_arena_usable),
        cmocka_unit_test(done_accepts_what_was_never_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
