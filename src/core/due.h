/*
 * What time makes due: the modules' deadlines, leases and work in the background, and the chores between batches. The sequencer
 * asks before it decides a batch and plans anew after it.
 *
 * Thread: the sequencer's.
 */
#ifndef CORE_DUE_H
#define CORE_DUE_H

#include "base/clock.h"
#include "core/batch.h"
#include "core/sequencer.h"
#include "core/space.h"

/* Both clocks as they are; and as the sequencer sees them, which does not believe a wall clock that jumped ahead before it lasts. */
struct module_time due_clock(const struct clock *clock);
struct module_time due_time(struct sequencer *sequencer);

/* Whether the space is to be looked at although nobody sent it anything. */
bool due_is(struct sequencer *sequencer, struct space *space);

/* Decides what is due, as much as one batch may spend on it. */
void due_decide(struct sequencer *sequencer, struct space *space, struct batch *batch,
                const struct module_time *time);

/* The batch is over: the commands that were made for it have done their work. */
void due_clear(struct space *space);

/* Tells modules of work in the background that is over. */
void due_drain(struct sequencer *sequencer);

/* What is done in the pause between two batches, a little at a time. */
void due_chores(struct sequencer *sequencer, struct space *space);

/* When the space is to be looked at next. */
void due_plan(struct space *space, struct module_time time);

#endif
