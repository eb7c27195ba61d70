/*
 * The memory driver: the whole store in memory, nothing survives store_close. For tests and the simulator.
 */
#ifndef STORE_MEMORY_MEMORY_H
#define STORE_MEMORY_MEMORY_H

#include "store/store.h"

/* What the next commit that is to fail does before it reports failure. */
enum memory_failure {
    MEMORY_FAILS_BEFORE, /* Nothing happened. */
    MEMORY_FAILS_AFTER,  /* It took effect all the same: the other half of STET_COMMIT_UNKNOWN. */
};

/*
 * Lets a later commit fail. store: one opened with the memory driver. after: how many commits succeed before it; 0 means the
 * next one fails. status: what it returns; STET_OK takes the order back. Thread: the sequencer's.
 */
void memory_fail_commit(struct store *store, unsigned after, stet_status status,
                        enum memory_failure failure);

#endif
