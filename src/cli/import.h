/*
 * What the parts of an import share: import.c, which sends lines and hears what became of them, and import_rows.c, which makes lines
 * of rows.
 */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include "cli/cli.h"
#include "cli/import_pieces.h"
#include "cli/import_state.h"
#include "cli/progress.h"

#include <stdio.h>

enum {
    IMPORT_LINE_BYTES_MAX =
        4 * 1024 * 1024, /* Well past what a record may hold; a longer line is not sent. */
    IMPORT_NAME_BYTES_MAX = 4096,
};

struct import_rows;

struct counts {
    uint64_t imported, updated, unchanged, replayed, kept, dropped, parked, failed;
};

/* Lines put aside, in a file without a name. */
struct aside {
    FILE *file; /* NULL: none yet. */
    uint64_t *numbers;
    size_t count;
    size_t capacity;
};

struct import {
    struct cli *cli;
    struct progress progress;
    struct counts counts;
    uint64_t errors_told;
    int code; /* Why it stopped; EXIT_DONE: it did not. */

    /* What is read: the file, or what was put aside. */
    int fd;
    const char *path; /* NULL: not a file that has a name and a size. */
    char state_path[IMPORT_NAME_BYTES_MAX];
    uint64_t bytes_total;      /* 0: unknown. */
    uint64_t bytes;            /* The place behind the lines read, */
    uint64_t line;             /* and the number of the next one. */
    const struct aside *again; /* Not NULL: these, with their numbers. */

    /* What an export says of itself. */
    bool is_export, independent, whole;
    uint64_t transaction; /* Of the last line; 0: none. */

    struct pieces *pieces;
    struct piece *piece; /* Being filled. */
    struct buffer request;
    bool tell_orphans;
    struct aside orphans;
    uint64_t lines_done;
    bool stop_on_error;
    uint64_t errors_max; /* 0: no such bound. */

    struct import_rows *rows; /* NULL: the lines are an export's, or written like its. */
    unsigned refused;         /* Rows since the last piece that were not sent. */

    struct import_state state; /* How far it came for good. */
    int64_t state_ns;          /* When that was written down last. */
    uint64_t failed_before;    /* Lines that were refused in the run that this one goes on with. */
};

/* Stops the import, having said why. */
void import_fail(struct import *import, const stet_error *err);

/* A bad line that is not the server's to find. `column` may be empty. Counts it; false: nothing more is read. */
bool import_refuse(struct import *import, uint64_t line, stet_view column, const char *why);

/* A whole line, without its end, of `bytes` in the file; import->line is its number. False: nothing more is read. */
bool import_line_add(struct import *import, stet_view line, size_t bytes);

/* All lines were added: sends the rest, and waits for the answers. */
void import_lines_end(struct import *import);

/* The request for pieces, or for a trial of some. */
void import_request(struct import *import, bool dry_run);

#endif
