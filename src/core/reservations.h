/*
 * Reservations: records that an operation which lost too often has for itself until its next commit, or for RESERVATION_MS_MAX. Other
 * writes to them, if they rank lower, wait (bounded) or, of class low, are rejected. Memory only: a restart forgets them, which costs
 * an operation one more try and nothing else.
 *
 * Rank: level first, then the class's priority, then the earlier stamp, then the operation's id. A plain write is level 0, normal, and
 * has its own stamp.
 *
 * Invariants
 * 1. Ranks are a total order, and a write waits only for who ranks strictly higher: waiting cannot go in circles.
 * 2. A write that waits has staged nothing and reserves nothing by waiting, so nobody ever waits for who waits.
 * 3. Every wait ends: with the reservation, or after RESERVATION_WAIT_MS_MAX in all, however often the write is woken and meets another.
 * 4. Every reservation ends: when its operation gives it back, or at its time, whatever became of its agent.
 * 5. What is given back in a batch is free for the rest of that batch, and reserved again if the batch fails.
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

/* Whether one goes before the other. */
bool rank_is_higher(const struct rank *one, const struct rank *other);

struct reservations;
void reservations_destroy(struct reservations *reservations);

/* Copied. */
struct reserved_record {
    stet_view type, id;
};

/*
 * Reserves records for an operation, instead of those it had. What somebody of a higher rank has reserved is left out; what somebody
 * of a lower rank has is taken over. At most RESERVATION_RECORDS_MAX, and for RESERVATIONS_MAX operations at a time; further ones
 * are not reserved. Without memory it has none. It stays though the batch at hand fails: that is a wait for nothing at worst.
 */
void reservations_take(struct space *space, const struct rank *rank,
                       const struct reserved_record *records, size_t count,
                       int64_t until_monotonic);

/* It committed, or gave up: lets those who wait for its records go on. Accepts one that has none. Where a decision may still be refused
   it is too early for this: struct module.apply is the place. */
void reservations_release(struct space *space, stet_view operation);

/*
 * Whether a command's mutations may be decided now, by command->rank. Called by staging_decide, before anything is staged. What time has
 * made due and has no rank passes: a deadline is a promise, too. It may hold the command (command->held is set): return STET_OK then.
 *
 * @return STET_OK; STET_OPERATION_REJECTED: it is of class low and gives way; STET_BUSY: it waited as long as it may, or too many wait.
 */
stet_status reservations_admit(struct staging *staging, stet_error *err);

/* ---- For the sequencer; all of them accept a space that never had one ------------------------------------------------------ */

/* When the next one ends by itself, monotonic; MODULE_NEVER: there is none. */
int64_t reservations_next(const struct space *space);
/* Ends those whose time is over. */
void reservations_expire(struct space *space, int64_t monotonic);
/* What was given back is given back: the batch is durable. Or it never happened. */
void reservations_commit(struct space *space);
void reservations_undo(struct space *space);

#endif
