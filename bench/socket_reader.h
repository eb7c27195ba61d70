/*
 * What a WebSocket's server sends, frame by frame, as much of each as a benchmark looks at. Bytes in, frames out; no socket.
 */
#ifndef BENCH_SOCKET_READER_H
#define BENCH_SOCKET_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SOCKET_BEGIN_BYTES = 64, SOCKET_TEXT = 1, SOCKET_CLOSE = 8, SOCKET_PING = 9 };

/* Zeroed before the first byte. Its members are the reader's, but for the first ones. */
struct socket_reader {
    bool refused; /* The handshake was answered with something else than 101. */
    bool shaken;  /* It was answered. */
    uint8_t line_size, blank, head_size;
    bool inside;
    char line[12];
    uint8_t head[10];
    uint64_t left; /* Of the payload. */
    size_t begin_size;
    char begin[SOCKET_BEGIN_BYTES];
};

struct socket_frame {
    int kind; /* SOCKET_…, or another. */
    const char *begin;
    size_t begin_size; /* Its first bytes, at most SOCKET_BEGIN_BYTES. Valid until the next call. */
    const char *data, *end; /* All of it, where it came in one piece; else NULL. */
};

/* Takes bytes up to the end of a frame, and moves *at behind it. False: more have to come. */
bool socket_reader_next(struct socket_reader *reader, const char **at, const char *end,
                        struct socket_frame *frame);

#endif
