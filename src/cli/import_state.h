/*
 * How far an import came, in FILE.import beside the file. It holds for one space only: what it says was stored must be there,
 * or the lines before its place would be left out without a word. So the last piece is tried out once more before it is believed.
 */
#ifndef CLI_IMPORT_STATE_H
#define CLI_IMPORT_STATE_H

#include "base/arena.h"
#include "base/view.h"
#include "cli/peer.h"

#include <stdbool.h>
#include <stdint.h>

struct import_state {
    uint64_t bytes; /* Everything before this place was stored, or refused and said so. */
    uint64_t line;  /* The number of the line there; 0: nothing yet. */
    uint64_t of_bytes;
    uint64_t piece_bytes;  /* Where the last piece before that place begins. */
    uint64_t piece_failed; /* Lines of that piece that were refused, */
    uint64_t failed;       /* and of the whole file so far. */
    bool is_export;        /* Its first line was an export's, */
    bool independent;      /* of one without history. */
    stet_view how; /* Of rows: what was made of them, as options and map say it. Borrowed. */
};

/* Without it the next run begins anew, which costs time only; so nobody is told when it fails. */
void import_state_write(const char *path, const struct import_state *state, stet_view space);

/**
 * @param of_bytes  How long the file is now.
 * @return STET_OK
 *         STET_BAD_REQUEST  it is of another file or space, or makes no sense.
 */
stet_status import_state_read(const char *path, uint64_t of_bytes, stet_view space,
                              struct arena *arena, struct import_state *state, stet_error *err);

/**
 * Whether the last piece is there: tried out, none of its lines may be new.
 *
 * @param fd       The file, whose lines are tried as they stand; its position stays. -1: `lines` are.
 * @param request  Path and query of a trial of lines.
 * @param answer   Out: http 200, or else what the server refused; then nothing was found out.
 * @return STET_OK
 *         STET_BAD_REQUEST  it is not there.
 *         or why that could not be found out.
 */
stet_status import_state_try(const struct import_state *state, int fd, stet_view lines,
                             const char *request, struct peer *peer, struct arena *arena,
                             struct answer *answer, stet_error *err);

#endif
