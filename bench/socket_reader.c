#include "socket_reader.h"

#include <string.h>

enum { SIZE_16 = 126, SIZE_64 = 127 };

/* The answer to the handshake: its first line, and all up to the empty one. */
static void read_answer(struct socket_reader *reader, const char **at, const char *end) {
    while (*at < end && !reader->shaken) {
        char byte = *(*at)++;
        if (reader->line_size < sizeof reader->line) {
            reader->line[reader->line_size++] = byte;
            if (reader->line_size == sizeof reader->line)
                reader->refused = memcmp(reader->line, "HTTP/1.1 101", sizeof reader->line) != 0;
        }
        if (byte == '\n') {
            if (reader->blank == 1) reader->shaken = true;
            reader->blank = 1;
        } else if (byte != '\r') {
            reader->blank = 0;
        }
    }
}

static unsigned head_bytes(const struct socket_reader *reader) {
    if (reader->head_size < 2) return 2;
    unsigned size = reader->head[1] & 0x7F;
    return size == SIZE_16 ? 4 : size == SIZE_64 ? 10 : 2;
}

/* False: it is not whole. */
static bool read_head(struct socket_reader *reader, const char **at, const char *end) {
    while (reader->head_size < head_bytes(reader)) {
        if (*at == end) return false;
        reader->head[reader->head_size++] = (uint8_t) * (*at)++;
    }
    unsigned size = head_bytes(reader);
    reader->left = size == 2 ? reader->head[1] & 0x7F : 0;
    for (unsigned i = 2; i < size; i++)
        reader->left = reader->left << 8 | reader->head[i];
    reader->begin_size = 0;
    reader->inside = true;
    return true;
}

bool socket_reader_next(struct socket_reader *reader, const char **at, const char *end,
                        struct socket_frame *frame) {
    if (!reader->shaken) read_answer(reader, at, end);
    if (!reader->shaken) return false;
    bool whole = false;
    if (!reader->inside) {
        if (!read_head(reader, at, end)) return false;
        whole = true;
    }
    size_t here = (size_t)(end - *at);
    size_t part = reader->left < here ? (size_t)reader->left : here;
    size_t room = sizeof reader->begin - reader->begin_size;
    size_t kept = part < room ? part : room;
    const char *data = *at;
    memcpy(reader->begin + reader->begin_size, data, kept);
    reader->begin_size += kept;
    reader->left -= part;
    *at += part;
    if (reader->left > 0) return false;
    *frame = (struct socket_frame){.kind = reader->head[0] & 0x0F,
                                   .begin = reader->begin,
                                   .begin_size = reader->begin_size,
                                   .data = whole ? data : NULL,
                                   .end = whole ? *at : NULL};
    reader->inside = false;
    reader->head_size = 0;
    return true;
}
