/*
 * Reads that may take long: lists, history, differences, counts and checks. Each runs as one job on a worker thread and
 * renders its whole answer.
 *
 * Every answer holds at one position: `published` as it stood when the work began (or the cursor's). What the store shows
 * beyond it is rewound, never awaited, so no answer is newer than what its author may be told and none is older than what was
 * published before the request: linearizable.
 */
#ifndef CORE_READ_H
#define CORE_READ_H

#include "base/buffer.h"
#include "core/command.h"
#include "core/render.h"

/**
 * Runs a command of one of the kinds LIST, HISTORY, DIFF, STATS and CHECK.
 *
 * @param command  Its space, actor and the request's fields are read; decided_seq is set to the seq the answer holds at.
 * @param reader   Of the command's space; this thread's for the call.
 * @param out      The JSON answer is appended. On failure it holds rubbish.
 *
 * @return STET_OK
 *         STET_BAD_REQUEST     err->field says what: "after", "from", …
 *         STET_NOT_FOUND       the record, or one of its versions, does not exist.
 *         STET_FORBIDDEN       a system type that is not read this way.
 *         STET_CURSOR_EXPIRED  too much of the page changed since its snapshot; start again.
 *         STET_PRUNED          a version whose data is no longer kept.
 *         STET_UNAVAILABLE     min_seq was not reached in time.
 *         STET_IO, STET_CORRUPT
 */
stet_status read_run(struct stet_command *command, struct store_reader *reader, struct buffer *out,
                     stet_error *err);

/* created_at and created_by of a record through a reader; views in the arena or in the change. */
stet_status read_created(struct store_reader *reader, struct arena *arena,
                         const struct store_change *change, struct created *created,
                         stet_error *err);

/*
 * Every live record of a type, in byte order of the ids, as the change behind its head. For types of few records: all of them stay in the
 * arena. What visit returns but STET_OK ends the walk.
 */
typedef stet_status read_visit(void *context, const struct store_change *change, stet_error *err);
stet_status read_each_live(struct store_reader *reader, struct arena *arena, stet_view type,
                           read_visit *visit, void *context, stet_error *err);

/* Appends {member: [the live records of a type, rendered flat], "seq"}: read_rows of a command, as of what is published. */
stet_status read_list_live(struct stet_command *command, struct store_reader *reader,
                           stet_view type, stet_view member, struct buffer *out, stet_error *err);

/* Waits until min_seq is published, not past MIN_SEQ_WAIT_MS_MAX. STET_UNAVAILABLE when it did not come to that. */
stet_status read_wait(struct space *space, uint64_t min_seq, stet_error *err);

#endif
