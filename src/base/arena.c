/*
 * A chain of blocks, the current one first. What does not fit into a fresh block gets a block of
 * its own, linked behind the current one so that the rest of that stays usable. arena_reset keeps
 * one block of the usual size, never an oversized one: a pooled arena must not hold on to its
 * largest request.
 */
#include "base/arena.h"

#include "base/view.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *before;
    size_t size; /* Of bytes. */
    _Alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *arena, size_t block_bytes) {
    assert(block_bytes >= 256);
    *arena = (struct arena){.block_bytes = block_bytes};
}

void arena_done(struct arena *arena) {
    struct arena_block *block = arena->block;
    while (block != NULL) {
        struct arena_block *before = block->before;
        free(block);
        block = before;
    }
    *arena = (struct arena){.block_bytes = arena->block_bytes};
}

void arena_reset(struct arena *arena) {
    struct arena_block *kept = NULL;
    struct arena_block *block = arena->block;
    while (block != NULL) {
        struct arena_block *before = block->before;
        if (kept == NULL && block->size == arena->block_bytes) {
            kept = block;
        } else {
            free(block);
        }
        block = before;
    }
    *arena = (struct arena){.block_bytes = arena->block_bytes};
    if (kept == NULL) return;
    kept->before = NULL;
    arena->block = kept;
    arena->next = kept->bytes;
    arena->end = kept->bytes + kept->size;
}

static struct arena_block *block_create(size_t size) {
    if (size > SIZE_MAX - sizeof(struct arena_block)) return NULL;
    struct arena_block *block = malloc(sizeof *block + size);
    if (block == NULL) return NULL;
    block->before = NULL;
    block->size = size;
    return block;
}

/* The current block has no room for size bytes. */
static char *alloc_slow(struct arena *arena, size_t size) {
    /* A quarter: what is left unused at the end of a block stays below that share. */
    if (size > arena->block_bytes / 4) {
        struct arena_block *own = block_create(size);
        if (own == NULL) return NULL;
        if (arena->block == NULL) {
            arena->block = own;
            arena->next = own->bytes + size;
            arena->end = arena->next;
        } else {
            own->before = arena->block->before;
            arena->block->before = own;
        }
        return own->bytes;
    }
    struct arena_block *block = block_create(arena->block_bytes);
    if (block == NULL) return NULL;
    block->before = arena->block;
    arena->block = block;
    arena->next = block->bytes + size;
    arena->end = block->bytes + block->size;
    return block->bytes;
}

char *arena_bytes(struct arena *arena, size_t size) {
    if (size == 0) size = 1; /* A pointer of its own, also for nothing. */
    if (size > (size_t)(arena->end - arena->next)) return alloc_slow(arena, size);
    char *bytes = arena->next;
    arena->next += size;
    return bytes;
}

void *arena_alloc(struct arena *arena, size_t size) {
    if (size == 0) size = 1;
    size_t padding = -(uintptr_t)arena->next & (_Alignof(max_align_t) - 1);
    size_t left = (size_t)(arena->end - arena->next);
    if (left < padding || size > left - padding) return alloc_slow(arena, size);
    char *bytes = arena->next + padding;
    arena->next = bytes + size;
    return bytes;
}

void *arena_zalloc(struct arena *arena, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return NULL;
    void *bytes = arena_alloc(arena, total);
    if (bytes != NULL) memset(bytes, 0, total);
    return bytes;
}

stet_view arena_copy(struct arena *arena, stet_view view) {
    if (view.size == SIZE_MAX) return (stet_view){0};
    char *bytes = arena_bytes(arena, view.size + 1);
    if (bytes == NULL) return (stet_view){0};
    if (view.size > 0) memcpy(bytes, view.bytes, view.size);
    bytes[view.size] = '\0';
    return view_make(bytes, view.size);
}

stet_view arena_format(struct arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0) return (stet_view){0};
    char *bytes = arena_bytes(arena, (size_t)size + 1);
    if (bytes == NULL) return (stet_view){0};
    va_start(args, format);
    vsnprintf(bytes, (size_t)size + 1, format, args);
    va_end(args);
    return view_make(bytes, (size_t)size);
}

size_t arena_footprint(const struct arena *arena) {
    size_t total = 0;
    for (const struct arena_block *block = arena->block; block != NULL; block = block->before) {
        total += sizeof *block + block->size;
    }
    return total;
}
