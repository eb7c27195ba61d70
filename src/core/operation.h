/*
 * What core and other modules know of operations: which one a change came from, and how to ask for one. The queue itself is
 * modules/operations.
 */
#ifndef CORE_OPERATION_H
#define CORE_OPERATION_H

#include "core/staging.h"

/* The operation on whose behalf something is done. Borrowed. */
struct operation_cause {
    stet_view id;
    stet_class class_; /* Effective. */
    unsigned depth;    /* Below its topmost parent. */
    unsigned retries;  /* Commits that failed so far. */
    int64_t stamp;     /* When it was first queued: the earlier one wins a tie. */
};

/*
 * Puts an operation into its lane as part of the command at hand: what stet_command_operation_submit does, for modules that
 * react to something. The request's id decides: if there is an operation with it already, nothing is done (STET_OK).
 * Past OPERATION_DEPTH_MAX it is stored as rejected, so that there is a record of where a cycle ended; limits of the lane do not
 * apply. handler, cause_seq: kept with it; empty and 0: none.
 *
 * @return STET_OK, STET_NOT_FOUND (this engine has no queue), STET_NO_MEMORY, STET_IO, …
 */
struct operation_spawn {
    stet_operation_request request;
    stet_view by; /* Who is said to have asked. */
    stet_view handler;
    uint64_t cause_seq;
    /* The input holds a record's data that access rules are about: it is kept apart, and shown as far as its reader may see that. */
    bool input_for_those_who_may_read;
};
stet_status staging_spawn(struct staging *staging, const struct operation_spawn *spawn,
                          stet_error *err);

#endif
