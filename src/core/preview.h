/*
 * Previews: what a write would become, answered instead of doing it. The write is decided as any dry run; only its answer differs:
 *
 *     {"outcome": "created" | "fresh" | "unchanged" | "merged" | "applied" | "dropped" | "parked" | "conflict",
 *      "strategy", "address", "result"?, and of a stale one what a conflict document says of the three sides}
 */
#ifndef CORE_PREVIEW_H
#define CORE_PREVIEW_H

#include "core/client.h"
#include "doc/write.h"

/* Whether the command's decision is one that a preview answers: anything but a refusal that is no conflict. */
bool preview_answers(const struct stet_command *command);

/* Thread: the client's. Reads the store. */
stet_status preview_render(struct stet_command *command, struct json_writer *writer,
                           stet_error *err);

#endif
