/*
 * Buffer: bytes that grow at the end. Writers append without looking at each result: the first
 * failure (memory, or the buffer's own limit) sticks, later appends do nothing, and buffer_status
 * tells at the end.
 *
 * Thread: one at a time.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/arena.h"
#include "stet.h"

struct buffer {
    char *bytes;
    size_t size;
    size_t capacity;
    size_t size_max;     /* Appending past this fails with STET_TOO_LARGE. */
    struct arena *arena; /* Where the bytes live; NULL: malloc, and buffer_done frees them. */
    stet_status status;
};

/* size_max 0: no bound but memory. arena may be NULL. Allocates nothing yet. */
void buffer_init(struct buffer *buffer, struct arena *arena, size_t size_max);
void buffer_done(struct buffer *buffer);

/* Empties the buffer and forgets a failure, keeping its memory. */
void buffer_reset(struct buffer *buffer);

void buffer_append(struct buffer *buffer, const void *bytes, size_t size);
void buffer_append_view(struct buffer *buffer, stet_view view);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_char(struct buffer *buffer, char c);
void buffer_append_u64(struct buffer *buffer, uint64_t value); /* Decimal. */
void buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for size more bytes, to be written directly and then counted with buffer_advance. NULL when
 * it failed. */
char *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_advance(struct buffer *buffer, size_t size);

/* Borrowed until the next append. */
static inline stet_view buffer_view(const struct buffer *buffer) {
    return (stet_view){.bytes = buffer->bytes, .size = buffer->size};
}

/* STET_OK, or the first failure. */
static inline stet_status buffer_status(const struct buffer *buffer) { return buffer->status; }

#endif
