/*
 * What queue.c, which moves entries, shares with queue_next.c, which answers questions about them. Nobody else includes it.
 */
#ifndef MODULES_OPERATIONS_QUEUE_PARTS_H
#define MODULES_OPERATIONS_QUEUE_PARTS_H

#include "modules/operations/queue.h"
#include "modules/operations/register.h"
#include "modules/operations/timers.h"

struct queue {
    struct register_ reg;
    struct timers timers; /* Of delayed entries, and of lanes with somebody to lift. */
    struct queue_lane *lanes, **lanes_end;
    struct queue_lane *server_lanes;
    size_t lane_count;
    size_t entry_count;
    size_t urgent_running;
    int64_t now; /* Of the last tick. */
    uint64_t seed;
};

/* The level of a class. */
enum queue_level queue_level_of(unsigned class_);
/* By how many levels an entry has risen as of the last tick. */
unsigned queue_lifted_by(const struct queue *queue, const struct queue_entry *entry);
/* NULL: there never was anything for them. */
struct queue_line *queue_line_find(const struct queue *queue, const struct queue_lane *lane,
                                   enum queue_for for_, stet_view agent);

#endif
