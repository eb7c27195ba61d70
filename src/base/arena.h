/*
 * Arena: memory with one lifetime. Whatever dies with a request is allocated here and never freed
 * singly.
 *
 * A chain of blocks; allocation bumps a pointer. The first block is kept by arena_reset, so a
 * pooled request reaches a steady state in which it does not call malloc at all.
 *
 * Thread: one at a time; hand an arena over with whatever owns it.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "stet.h"

struct arena_block;

struct arena {
    char *next; /* The first free byte of the current block. */
    char *end;
    struct arena_block *block; /* The current block, linked to the ones before it. */
    size_t block_bytes;        /* The size of a fresh block. */
};

/* Prepares an empty arena; allocates nothing yet. block_bytes: 256 or more. */
void arena_init(struct arena *arena, size_t block_bytes);

/* Frees everything. The arena may be used again after arena_init. Accepts a zeroed arena. */
void arena_done(struct arena *arena);

/* Forgets everything allocated, keeping the first block for reuse. */
void arena_reset(struct arena *arena);

/* Returns size bytes aligned for any type, uninitialised; NULL when memory is out. size 0 gives a
 * valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);

/* As arena_alloc, zeroed; count * size is checked for overflow (NULL). */
void *arena_zalloc(struct arena *arena, size_t count, size_t size);

/* Bytes without alignment, for text. */
char *arena_bytes(struct arena *arena, size_t size);

/* Copies a view into the arena and puts a NUL behind it. An out-of-memory copy has bytes ==
 * NULL. */
stet_view arena_copy(struct arena *arena, stet_view view);

/* printf into the arena, NUL-terminated. bytes == NULL when memory is out. */
stet_view arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Bytes obtained from the system so far: for limits and metrics. */
size_t arena_footprint(const struct arena *arena);

#endif
