#include "base/buffer.h"
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

static void append_all(struct buffer *buffer) {
    buffer_append_text(buffer, "{\"n\":");
    buffer_append_u64(buffer, 0);
    buffer_append_char(buffer, ',');
    buffer_append_u64(buffer, UINT64_MAX);
    buffer_append_view(buffer, VIEW("\0x"));
    buffer_append_view(buffer, (stet_view){0});
    buffer_append_format(buffer, "%s-%d", "v", 5);
}

#define ALL "{\"n\":0,18446744073709551615\0xv-5"

static void pieces_follow_one_another(void **state) {
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, NULL, 0);
    append_all(&buffer);
    assert_int_equal(buffer_status(&buffer), STET_OK);
    assert_true(view_equal(buffer_view(&buffer), VIEW(ALL)));
    buffer_done(&buffer);
}

static void it_grows_in_malloc_and_in_an_arena(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    for (int round = 0; round < 3; round++) {
        struct buffer buffer;
        buffer_init(&buffer, round == 0 ? NULL : &arena, 0);
        for (int i = 0; i < 100000; i++) {
            buffer_append_char(&buffer, (char)i);
            /* In the third round something else moves in behind, so that growing in place cannot
             * work. */
            if (round == 2 && i % 1000 == 0) arena_bytes(&arena, 1);
        }
        assert_int_equal(buffer.size, 100000);
        for (int i = 0; i < 100000; i++)
            assert_int_equal(buffer.bytes[i], (char)i);
        buffer_done(&buffer);
    }
    arena_done(&arena);
}

static void it_takes_exactly_its_limit(void **state) {
    (void)state;
    for (size_t limit = 1; limit <= sizeof ALL; limit++) {
        struct buffer buffer;
        buffer_init(&buffer, NULL, limit);
        append_all(&buffer);
        bool fits = limit >= sizeof ALL - 1;
        assert_int_equal(buffer_status(&buffer), fits ? STET_OK : STET_TOO_LARGE);
        assert_true(buffer.size <= limit);
        assert_true(buffer.capacity <= limit);
        buffer_done(&buffer);
    }
}

static void the_first_failure_sticks_until_reset(void **state) {
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, NULL, 4);
    buffer_append_text(&buffer, "abc");
    buffer_append_text(&buffer, "de");
    buffer_append_text(&buffer, "f");
    assert_null(buffer_reserve(&buffer, 1));
    buffer_advance(&buffer, 1);
    assert_int_equal(buffer_status(&buffer), STET_TOO_LARGE);
    assert_true(view_equal(buffer_view(&buffer), VIEW("abc")));
    buffer_reset(&buffer);
    buffer_append_text(&buffer, "defg");
    assert_int_equal(buffer_status(&buffer), STET_OK);
    assert_true(view_equal(buffer_view(&buffer), VIEW("defg")));
    buffer_done(&buffer);
}

static void reserved_room_counts_when_advanced(void **state) {
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, NULL, 0);
    char *room = buffer_reserve(&buffer, 1000);
    memset(room, 'x', 1000);
    buffer_advance(&buffer, 3);
    buffer_append_char(&buffer, 'y');
    assert_true(view_equal(buffer_view(&buffer), VIEW("xxxy")));
    assert_non_null(buffer_reserve(&buffer, 0));
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    buffer_done(&buffer);
}

static void every_failing_allocation_is_no_memory(void **state) {
    (void)state;
    for (int with_arena = 0; with_arena < 2; with_arena++) {
        for (int allowed_calls = 0; allowed_calls < 4; allowed_calls++) {
            struct arena arena;
            struct buffer buffer;
            arena_init(&arena, 256);
            buffer_init(&buffer, with_arena ? &arena : NULL, 0);
            allocations_left = allowed_calls;
            for (int i = 0; i < 1000; i++)
                append_all(&buffer);
            buffer_append_format(&buffer, "%0500d", 1);
            allocations_left = -1;
            assert_int_equal(buffer_status(&buffer), STET_NO_MEMORY);
            buffer_done(&buffer);
            arena_done(&arena);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_follow_one_another),
        cmocka_unit_test(it_grows_in_malloc_and_in_an_arena),
        cmocka_unit_test(it_takes_exactly_its_limit),
        cmocka_unit_test(the_first_failure_sticks_until_reset),
        cmocka_unit_test(reserved_room_counts_when_advanced),
        cmocka_unit_test(every_failing_allocation_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
