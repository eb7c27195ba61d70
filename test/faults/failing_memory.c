/* See failing_memory.h. */
#include "failing_memory.h"

#include "base/arena.h"

#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *bytes, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *bytes, size_t size);
char *__wrap_strdup(const char *text);

static _Thread_local long fail_at = -1; /* How many allocations work from now; -1: all. */
static _Thread_local enum failing failing;
static _Thread_local bool failed;

static bool allowed(void) {
    if (fail_at < 0) return true;
    if (fail_at > 0) {
        fail_at--;
        return true;
    }
    failed = true;
    if (failing == FAIL_ONCE) fail_at = -1;
    return false;
}

void *__wrap_malloc(size_t size) { return allowed() ? __real_malloc(size) : NULL; }
void *__wrap_calloc(size_t count, size_t size) {
    return allowed() ? __real_calloc(count, size) : NULL;
}
void *__wrap_realloc(void *bytes, size_t size) {
    return allowed() ? __real_realloc(bytes, size) : NULL;
}
char *__wrap_strdup(const char *text) { return allowed() ? __real_strdup(text) : NULL; }

void *__real_arena_alloc(struct arena *arena, size_t size);
void *__real_arena_zalloc(struct arena *arena, size_t count, size_t size);
char *__real_arena_bytes(struct arena *arena, size_t size);
stet_view __real_arena_copy(struct arena *arena, stet_view view);
void *__wrap_arena_alloc(struct arena *arena, size_t size);
void *__wrap_arena_zalloc(struct arena *arena, size_t count, size_t size);
char *__wrap_arena_bytes(struct arena *arena, size_t size);
stet_view __wrap_arena_copy(struct arena *arena, stet_view view);

void *__wrap_arena_alloc(struct arena *arena, size_t size) {
    return allowed() ? __real_arena_alloc(arena, size) : NULL;
}
void *__wrap_arena_zalloc(struct arena *arena, size_t count, size_t size) {
    return allowed() ? __real_arena_zalloc(arena, count, size) : NULL;
}
char *__wrap_arena_bytes(struct arena *arena, size_t size) {
    return allowed() ? __real_arena_bytes(arena, size) : NULL;
}
stet_view __wrap_arena_copy(struct arena *arena, stet_view view) {
    return allowed() ? __real_arena_copy(arena, view) : (stet_view){0};
}

void memory_fails(enum failing how, long working) {
    failing = how;
    failed = false;
    fail_at = working;
}

void memory_works(void) { fail_at = -1; }

bool memory_failed(void) { return failed; }
