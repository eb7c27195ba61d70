/*
 * Reservations: records that an operation which lost too often has for itself until its next commit, or for RESERVATION_MS_MAX. Other
 * writes to them, if they rank lower, wait (bounded) or, of class low, are rejected. Memory only: a restart forgets them, which costs
 * an operation one more try and nothing else.
 *
 * Rank: level first, then the class's priority, then the earlier stamp. A plain write is level 0, normal, and has its own stamp. Nobody
 * waits for who ranks lower, so waiting cannot go in circles; and a command that waits has nothing reserved by waiting.
 *
 * Thread: the sequencer's.
 */
#ifndef CORE_RESERVATIONS_H
#define CORE_RESERVATIONS_H

#include "core/operation.h"

struct rank {
    unsigned level;
    stet_class class_;
    int64_t stamp;
    stet_view operation; /* Whose; empty: a plain write. */
};

struct reservations;
stet_status reservations_create(struct space *space, struct reservations **made, stet_error *err);
void reservations_destroy(struct reservations *reservations);

/*
 * Reserves records for an operation, instead of those it had. What somebody of a higher rank has reserved is left out. At most
 * RESERVATION_RECORDS_MAX; further ones are not reserved. Only memory can fail, and then it has none.
 */
struct reserved_record {
    stet_view type, id;
};
void reservations_take(struct space *space, const struct rank *rank,
                       const struct reserved_record *records, size_t count,
                       int64_t until_monotonic);
/* It committed, or gave up: wakes who waits for its records. Accepts one that has none. */
void reservations_release(struct space *space, stet_view operation);

/*
 * Whether a command's mutations may be decided now, by command->rank. Called by core before a write is decided; while nothing is staged.
 * It may hold the command (command->held is set): return STET_OK then.
 *
 * @return STET_OK; STET_OPERATION_REJECTED: it is of class low and gives way; STET_BUSY: it waited as long as it may.
 */
stet_status reservations_admit(struct staging *staging, stet_error *err);

#endif
