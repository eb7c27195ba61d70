/*
 * The conflict document: everything a person or a program needs to settle a conflict, in one answer: the record as it was, as it is
 * and as the writer wanted it, field by field, with who changed what in between. Section 6 of the design.
 */
#ifndef CORE_CONFLICT_H
#define CORE_CONFLICT_H

#include "core/client.h"
#include "doc/write.h"

/*
 * Writes the members of one refused mutation's conflict document (without braces) and says in one sentence what happened.
 *
 * @param detail  Out, in the command's arena.
 * Thread: the client's. Reads the store.
 */
stet_status conflict_render(struct stet_command *command, const struct mutation *mutation,
                            struct json_writer *writer, stet_view *detail, stet_error *err);

#endif
