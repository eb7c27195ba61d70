/*
 * The sequencer: the only writer of the spaces pinned to it. One thread with a queue for each space; it takes all that waits
 * (at most COMMIT_BATCH_MAX), decides each command in order against the state left by the one before, commits once, publishes, and
 * only then lets any answer out, refusals included.
 *
 * It never waits for company: a batch is what piled up during the last commit.
 */
#ifndef CORE_SEQUENCER_H
#define CORE_SEQUENCER_H

#include "core/command.h"

#include <pthread.h>

struct space;

struct sequencer {
    struct stet_engine *engine;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct space *ready_first, *ready_last;
    struct space *working; /* Under the lock: the one a batch is made of just now. */
    pthread_cond_t rested; /* working became another. */
    bool stopping;
    bool sleeping;
    struct space *spaces;       /* Open ones, linked by sequencer_next. Under the lock. */
    struct stet_client *client; /* Owns the commands made for what is due. Made on first use. */
    int64_t wall_offset;        /* Wall minus monotonic, as seen last; 0: not yet. */
    int64_t wall_held_until; /* Monotonic: until then a jump of the wall clock is not believed. */
    struct batch *batch;     /* Working memory, reused. */
};

stet_status sequencer_init(struct sequencer *sequencer, struct stet_engine *engine);
stet_status sequencer_start(struct sequencer *sequencer, stet_error *err);
void sequencer_stop(struct sequencer *sequencer); /* Works off what waits first. */
/* Stopped, and so are the workers: what went on in the background is over. Before the spaces are closed. */
void sequencer_settle(struct sequencer *sequencer);
void sequencer_done(struct sequencer *sequencer);

/* Any thread. STET_BUSY: too much waits for this space. The command must hold its reference to the space. */
stet_status sequencer_submit(struct sequencer *sequencer, struct space *space,
                             struct stet_command *command, size_t bytes, stet_error *err);

/* The same for a command that was here before, on its way back from a worker: never STET_BUSY. */
stet_status sequencer_resubmit(struct sequencer *sequencer, struct space *space,
                               struct stet_command *command, stet_error *err);

/* An open space's sequencer watches over what time makes due in it. Detaching waits until the sequencer is not at work on it. */
void sequencer_attach(struct sequencer *sequencer, struct space *space);
void sequencer_detach(struct sequencer *sequencer, struct space *space);

/* Has the sequencer look at a space although nothing new waits for it. Any thread. */
void sequencer_poke(struct sequencer *sequencer, struct space *space);

/* One batch of the next space that has something waiting. False when none has. */
bool sequencer_step(struct sequencer *sequencer, size_t max);

/* One batch of one space, on the calling thread: the sequencer's own, or a test's. Returns how many commands it took. */
size_t sequencer_run_batch(struct sequencer *sequencer, struct space *space, size_t max);

#endif
