/*
 * Export: the space as of one position S, in pages of lines.
 *
 * The log is walked in the order of positions, without a snapshot: changes are immutable, so what they say of S does not depend on
 * when they are read. Without history, a change is the record's state at S if it is the record's newest one that is not newer than
 * S; the record's head tells that at once unless it has moved on since.
 *
 * Only retention can take something away meanwhile. Where the state at S is gone, the record is shown as it is now and counted as
 * `newer`. With history a version is shown only if all later ones up to S are kept, too, so that whoever imports the lines finds no gap;
 * the others are counted as `pruned`.
 */
#ifndef CORE_EXPORT_H
#define CORE_EXPORT_H

#include "base/buffer.h"
#include "core/command.h"

/* Copies and checks; where is parsed here. */
stet_status export_fill(struct stet_command *command, const stet_export *options, stet_error *err);

/* Reads a page, on a worker. out: lines. STET_FORBIDDEN, STET_BAD_REQUEST: as_of is not reached yet. */
stet_status export_run(struct stet_command *command, struct store_reader *reader,
                       struct buffer *out, stet_error *err);

stet_export_page export_page(const struct stet_command *command);

#endif
