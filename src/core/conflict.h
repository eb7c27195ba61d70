/*
 * The conflict document: everything a person or a program needs to settle a conflict, in one answer: the record as it was, as it is
 * and as the writer wanted it, field by field, with who changed what in between. Section 6 of the design.
 */
#ifndef CORE_CONFLICT_H
#define CORE_CONFLICT_H

#include "core/client.h"
#include "doc/write.h"

struct conflict_summary {
    bool sides_only; /* In: leave out the conflict's type and what it takes to resolve it. */
    stet_view
        detail; /* One sentence about what happened; in the command's arena, or the mutation's error. */
    bool same_fields;      /* Both sides changed some field: "concurrent_edit". */
    bool by_operation;     /* One of them came from an operation: "agent_override". */
    stet_view first_field; /* The pointer of the first of them; empty: none. */
};

/*
 * Writes the members of one mutation's conflict document (without braces), by the type's rules, with a token for the command's actor.
 * For a module that shows a conflict it keeps, a mutation made up for the purpose will do: type, id, op (STET_OP_DELETE or STET_OP_PUT),
 * base (a version), before (the record's head now), and has_yours with yours_data and yours_hash, unless it is a deletion.
 *
 * Thread: the client's, or a worker's. Reads the store.
 */
stet_status conflict_write(struct stet_command *command, const struct mutation *mutation,
                           struct json_writer *writer, struct conflict_summary *summary,
                           stet_error *err);

/* The same for a mutation that was refused; it is counted. */
stet_status conflict_render(struct stet_command *command, const struct mutation *mutation,
                            struct json_writer *writer, stet_view *detail, stet_error *err);

#endif
