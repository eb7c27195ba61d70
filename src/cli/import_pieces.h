/*
 * Pieces of an import on their way to the server: each of a few threads sends one at a time, so that the next one is read while
 * the last one is being stored. Answers come back in the order of the pieces, on the caller's thread.
 *
 * One thread: the pieces are stored strictly one after the other. Several: only for lines that do not depend on one another.
 */
#ifndef CLI_IMPORT_PIECES_H
#define CLI_IMPORT_PIECES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "cli/peer.h"

enum { PIECE_LINES_MAX = 4000, PIECES_WIDTH_MAX = 4 };

struct piece {
    struct buffer text;                /* Whole lines. */
    uint64_t numbers[PIECE_LINES_MAX]; /* Of its lines in the file, from 1. */
    unsigned lines;
    unsigned refused;   /* Of these; too long to be sent, so empty lines stand for them. */
    uint64_t end_bytes; /* The place in the file behind it, */
    uint64_t end_line;  /* and the number of the line there. */
};

struct piece_answer {
    const struct piece *piece;
    struct arena *arena; /* Holds the answer; emptied behind the call. */
    stet_status status;  /* But STET_OK: the server could not be reached, err says why. */
    struct answer answer;
    stet_error err;
};

struct pieces;

/**
 * @param peer    Borrowed until pieces_close; may be used by nobody else meanwhile.
 * @param path    Where to POST. Borrowed until pieces_close.
 * @param width   1 to PIECES_WIDTH_MAX are sent at once.
 * @param ahead   Whether one more is filled meanwhile. Else, with width 1, each is sent when the answer to the last was taken.
 * @param take    Called with each answer. False: the pieces behind it are not waited for any longer, and their answers are lost.
 */
stet_status pieces_open(const struct peer *peer, const char *path, unsigned width, bool ahead,
                        bool (*take)(void *context, struct piece_answer *answer), void *context,
                        struct pieces **pieces, stet_error *err);

/* An empty piece to fill; NULL: take said false. Waits for a free place, and gives out answers. */
struct piece *pieces_next(struct pieces *pieces);

/* Sends the one that pieces_next gave out. */
void pieces_send(struct pieces *pieces);

/* Waits for all answers that are missing. */
void pieces_finish(struct pieces *pieces);
void pieces_close(struct pieces *pieces); /* Accepts NULL. */

#endif
