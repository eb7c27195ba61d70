/*
 * Retries after conflicts, by class: how often, how soon, and with what right. Pure; no clock and no randomness of its own.
 *
 * The first rerun is at once, against the winner; then full jitter over RETRY_BASE_MS * 2^n (Brooker, "Exponential Backoff and
 * Jitter", AWS Architecture Blog 2015), capped; at once again with its records reserved. Every abort raises the level, and from RESERVATION_LEVEL on the operation reserves
 * what it touches (core/reservations.h), unless it is of class low, so that its chances grow with its bad luck, as in Polaris (Ye
 * et al., "Polaris: Enabling Transaction Priority in Optimistic Concurrency Control", SIGMOD 2023).
 */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

#include "stet.h"

unsigned class_retries(stet_class class_);  /* 3, 5, 10, 20, 20 */
unsigned class_priority(stet_class class_); /* 2, 5, 8, 10, 10 */

enum retry_kind {
    RETRY_AGAIN,     /* After delay_ns; 0: at once. */
    RETRY_EXCLUSIVE, /* Its last run, alone in the sequencer: structural functions only. */
    RETRY_EXHAUSTED, /* Rejected, softly. */
};

struct retry_step {
    enum retry_kind kind;
    int64_t delay_ns;
    unsigned level; /* Of the next run. */
    bool reserves;  /* The next run has its records reserved. */
};

/*
 * After the `retries`th conflict (1: the first) of an operation that may have max_retries of them. draw: 64 random bits.
 * runs_inside: a function, which the sequencer can run alone.
 */
struct retry_step retry_next(stet_class class_, unsigned retries, unsigned max_retries,
                             bool runs_inside, uint64_t draw);

#endif
