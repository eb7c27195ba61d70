/*
 * Rows of a file, one at a time and in bounded memory: the rows of a CSV, the elements of a JSON array, or JSON lines. What is
 * wrong with one row is said of it, and the next one is read.
 *
 * Thread: one.
 */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "stet.h"

enum rows_format { ROWS_CSV, ROWS_JSON, ROWS_NDJSON };
enum rows_encoding { ROWS_UTF8, ROWS_LATIN1 };

enum {
    ROWS_ROW_BYTES_MAX = 4 * 1024 * 1024, /* A longer row is refused. */
};

struct rows {
    int fd;
    enum rows_format format;
    enum rows_encoding encoding; /* Of a CSV; JSON is UTF-8. */
    char separator;
    struct buffer window; /* What was read and not taken. */
    size_t at;            /* What of it was taken. */
    bool ended;           /* Nothing is left to read. */
    bool begun;
    uint64_t offset; /* Of window[at] in the file, */
    uint64_t line;   /* and the number of the line there. */
    struct arena arena;
    /* Of JSON. */
    bool is_array, opened, closed, cut;
    bool element; /* One was given out since the last comma. */
    struct {
        size_t scanned; /* From `at`. */
        unsigned depth;
        bool text, escaped, too_long;
    } scan;
};

enum rows_answer { ROWS_ROW, ROWS_BAD, ROWS_END, ROWS_FAILED };

/* Valid until the next call. */
struct row {
    uint64_t line; /* Where it begins, from 1. */
    uint64_t
        last_line; /* Of a CSV: where it ends, which is further on when a cell holds line ends. */
    uint64_t end;  /* The offset behind it. */
    stet_view *cells;
    size_t cell_count;
    stet_view json; /* One element, not yet parsed. */
    char why[256];  /* Bad: the reason. */
};

/* fd: borrowed. Reads from where it stands, which counts as the beginning. */
void rows_init(struct rows *rows, int fd, enum rows_format format, char separator,
               enum rows_encoding encoding);
void rows_done(struct rows *rows);

/**
 * @return ROWS_ROW, ROWS_BAD: row->why; the next call goes on behind it
 *         ROWS_END
 *         ROWS_FAILED  err is set: the file cannot be read, or is nothing that could be.
 */
enum rows_answer rows_next(struct rows *rows, struct row *row, stet_error *err);

#endif
