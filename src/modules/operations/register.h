/*
 * Who is known to a queue by name: its lanes, in each lane the lines (of whom operations are for) and the actors (who asked). One hash
 * table. Lines and actors that nobody uses are swept up as new ones come; a reservation keeps its own for QUEUE_RESERVED_MAX further ones.
 */
#ifndef MODULES_OPERATIONS_REGISTER_H
#define MODULES_OPERATIONS_REGISTER_H

#include "modules/operations/queue.h"

enum register_kind { REGISTER_LANE, REGISTER_LINE, REGISTER_ACTOR };

struct register_item {
    struct register_item *next; /* In its bucket. */
    uint64_t hash;
    struct queue_lane *lane; /* Where it is known; of a lane, NULL. */
    uint64_t reserved;       /* The number of the last reservation. */
    uint32_t uses;           /* Entries that belong to it. */
    uint8_t kind;
    uint8_t for_; /* Of a line: queue_for. */
    stet_view name;
};

struct queue_line {
    struct register_item item;
    struct queue_entry *tree[QUEUE_LEVELS];
};

struct queue_actor {
    struct register_item item;
    uint32_t waiting;                /* Entries of it that wait, … */
    uint32_t in_level[QUEUE_LEVELS]; /* … by the level of their class, … */
    uint64_t last[QUEUE_LEVELS];     /* … and the largest tag among them since there are any. */
};

struct lane_item {
    struct register_item item;
    struct queue_lane lane;
};

struct register_ {
    struct register_item **buckets;
    size_t bucket_count; /* A power of two, or 0. */
    size_t count, idle;  /* idle: lines and actors without a use. */
    size_t bytes;
    uint64_t reservations, swept; /* How many there were, and until the last sweep. */
    uint64_t seed;
};

/* What is looked for. */
struct register_key {
    enum register_kind kind;
    struct queue_lane *lane;
    enum queue_for for_;
    stet_view name;
};

struct register_item *register_find(const struct register_ *reg, const struct register_key *key);
/* Finds or makes; the item is reserved. @return STET_NO_MEMORY */
stet_status register_make(struct register_ *reg, const struct register_key *key,
                          struct register_item **item, stet_error *err);
void register_use(struct register_ *reg, struct register_item *item);
void register_unuse(struct register_ *reg, struct register_item *item);
/* Takes out a lane with its lines and actors, which have no use. */
void register_drop_lane(struct register_ *reg, struct queue_lane *lane);
/* Frees everything. */
void register_clear(struct register_ *reg);

#endif
