/*
 * What a space has been doing since it was opened: the counters of its writes, conflicts, reads and commits as one JSON object, for those who
 * watch one space and may not read the metrics of all of them. Names of types and fields stand in it, so it is for administrators of the space.
 *
 * Thread: any; counters are read one by one, so that two of them may be a write apart.
 */
#ifndef CORE_ACTIVITY_H
#define CORE_ACTIVITY_H

#include "base/arena.h"
#include "doc/write.h"

struct space;

/* Writes the object. Without memory in the arena it is written without "contended". */
void activity_show(struct arena *arena, struct space *space, struct json_writer *writer);

#endif
