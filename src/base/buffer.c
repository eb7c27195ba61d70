#include "base/buffer.h"

#include "base/view.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUFFER_BYTES_FIRST 256

void buffer_init(struct buffer *buffer, struct arena *arena, size_t size_max) {
    *buffer = (struct buffer){.arena = arena, .size_max = size_max == 0 ? SIZE_MAX : size_max};
}

void buffer_done(struct buffer *buffer) {
    if (buffer->arena == NULL) free(buffer->bytes);
    *buffer = (struct buffer){.arena = buffer->arena, .size_max = buffer->size_max};
}

void buffer_reset(struct buffer *buffer) {
    buffer->size = 0;
    buffer->status = STET_OK;
}

/* Moves the bytes to room for capacity; when they are the last of their arena they grow where they
 * stand. */
static bool grow(struct buffer *buffer, size_t capacity) {
    struct arena *arena = buffer->arena;
    if (arena == NULL) {
        char *bytes = realloc(buffer->bytes, capacity);
        if (bytes == NULL) return false;
        buffer->bytes = bytes;
    } else if (buffer->bytes != NULL && buffer->bytes + buffer->capacity == arena->next &&
               capacity - buffer->capacity <= (size_t)(arena->end - arena->next)) {
        arena->next += capacity - buffer->capacity;
    } else {
        char *bytes = arena_bytes(arena, capacity);
        if (bytes == NULL) return false;
        if (buffer->size > 0) memcpy(bytes, buffer->bytes, buffer->size);
        buffer->bytes = bytes;
    }
    buffer->capacity = capacity;
    return true;
}

char *buffer_reserve(struct buffer *buffer, size_t size) {
    if (buffer->status != STET_OK) return NULL;
    if (size > buffer->size_max - buffer->size) {
        buffer->status = STET_TOO_LARGE;
        return NULL;
    }
    size_t needed = buffer->size + size;
    if (needed > buffer->capacity || buffer->bytes == NULL) {
        size_t capacity = buffer->capacity <= SIZE_MAX / 2 ? buffer->capacity * 2 : SIZE_MAX;
        if (capacity < BUFFER_BYTES_FIRST) capacity = BUFFER_BYTES_FIRST;
        if (capacity > buffer->size_max) capacity = buffer->size_max;
        if (capacity < needed) capacity = needed;
        if (capacity == 0) capacity = 1;
        if (!grow(buffer, capacity)) {
            buffer->status = STET_NO_MEMORY;
            return NULL;
        }
    }
    return buffer->bytes + buffer->size;
}

void buffer_advance(struct buffer *buffer, size_t size) {
    if (buffer->status != STET_OK) return;
    assert(size <= buffer->capacity - buffer->size);
    buffer->size += size;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t size) {
    if (size == 0) return;
    char *room = buffer_reserve(buffer, size);
    if (room == NULL) return;
    memcpy(room, bytes, size);
    buffer->size += size;
}

void buffer_append_view(struct buffer *buffer, stet_view view) {
    buffer_append(buffer, view.bytes, view.size);
}

void buffer_append_text(struct buffer *buffer, const char *text) {
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_char(struct buffer *buffer, char c) { buffer_append(buffer, &c, 1); }

void buffer_append_u64(struct buffer *buffer, uint64_t value) {
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    buffer_append(buffer, digits + first, sizeof digits - first);
}

void buffer_append_format(struct buffer *buffer, const char *format, ...) {
    if (buffer->status != STET_OK) return;
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0) {
        buffer->status = STET_NO_MEMORY;
        return;
    }
    /* vsnprintf ends with a NUL, which must not count against the limit: the last byte goes in by
     * hand. */
    char *room = buffer_reserve(buffer, (size_t)size);
    if (room == NULL || size == 0) return;
    if (buffer->capacity - buffer->size > (size_t)size) {
        va_start(args, format);
        vsnprintf(room, (size_t)size + 1, format, args);
        va_end(args);
        buffer->size += (size_t)size;
        return;
    }
    char *text = malloc((size_t)size + 1);
    if (text == NULL) {
        buffer->status = STET_NO_MEMORY;
        return;
    }
    va_start(args, format);
    vsnprintf(text, (size_t)size + 1, format, args);
    va_end(args);
    buffer_append(buffer, text, (size_t)size);
    free(text);
}
