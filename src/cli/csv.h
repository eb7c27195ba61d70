/*
 * One row of a CSV text (RFC 4180): cells in quotes may hold separators, line ends and doubled quotes. Any encoding will do in
 * which ASCII bytes mean ASCII. Rows end with CR, LF or both.
 */
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include "base/arena.h"
#include "stet.h"

enum { CSV_CELLS_MAX = 4096 };

enum csv_answer {
    CSV_ROW,
    CSV_MORE,   /* The row does not end in this text. */
    CSV_BROKEN, /* The quotes make no sense; row->why says how. */
    CSV_NO_MEMORY,
};

struct csv_row {
    stet_view *
        cells; /* In the arena; they point into the text, or into the arena where quotes were doubled. */
    size_t count;
    size_t size; /* Bytes of the row, its end included. Broken: up to where reading may go on. */
    const char *why; /* Static. */
};

/**
 * @param text  Begins where the row begins, and is not empty.
 * @param last  Nothing comes behind the text; then the answer is not CSV_MORE.
 * @param row   Out: but for CSV_MORE and CSV_NO_MEMORY.
 */
enum csv_answer csv_row_read(struct arena *arena, stet_view text, bool last, char separator,
                             struct csv_row *row);

#endif
