/*
 * Retention: which versions a type lets go (retain: {versions, days}), and when.
 *
 * A version is kept while one of these says so: it is the head's; it is among the last `versions`; it is younger than `days`; something was
 * forked from it; a module names it (struct module.keeps: an open conflict needs its base). A type that declares neither keeps all.
 * What is let go keeps its metadata: history still tells who wrote when.
 *
 * Two hands do it. Staging version n lets n - versions go in the same batch (with days alone n - 1), if it is old enough: so a record
 * that changes often never grows. What was too young then is found by the sweep, which walks the log in the pauses between batches,
 * every RETAIN_SWEEP_S, from the first change that may have become old since. Its place is kept in the store.
 *
 * Thread: the sequencer's.
 */
#ifndef CORE_RETAIN_H
#define CORE_RETAIN_H

#include "core/policy.h"
#include "core/staging.h"

struct retain {
    uint64_t from;   /* Changes below are settled: nothing among them will be let go by age. */
    uint64_t at;     /* Where the pass under way is; 0: none is. */
    uint64_t held;   /* The pass's first change that a module still needs; 0: none. */
    uint64_t young;  /* The pass's first change that may grow too old later; 0: none yet. */
    uint64_t seen;   /* The newest definition when the pass began. */
    int64_t next_at; /* Monotonic: when the next pass begins. */
};

/* Makes space->retain, as the store has it. */
stet_status retain_open(struct space *space, stet_error *err);
void retain_close(struct space *space); /* Also after that failed. */

/* A version of a record was staged: puts what that lets go into the batch. before: the record's head before it. */
stet_status retain_stage(struct staging *staging, const struct policy *policy,
                         const struct change *change, const struct store_head *before,
                         stet_error *err);

/* When the next pass is to begin, on the monotonic clock; MODULE_NEVER: there is nothing to look for. */
int64_t retain_next(const struct space *space);

/* Some of a pass, between batches. True: there is more to do. */
bool retain_sweep(struct space *space, const struct module_time *now);

#endif
