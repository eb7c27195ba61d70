/*
 * Shared by the files of this folder.
 *
 *   types.c    the module: its projection, what it accepts, when definitions come into force
 *   put.c      commands that write definitions: prepared, surveyed, answered
 *   survey.c   existing records against a new definition
 *   refill.c   intervals that were computed by other time zone data
 */
#ifndef MODULES_TYPES_INTERNAL_H
#define MODULES_TYPES_INTERNAL_H

#include "core/client.h"
#include "modules/types/definition.h"
#include "modules/types/survey.h"
#include "modules/types/types.h"

#include <stdatomic.h>

#define TYPE_TYPE VIEW("stet.type")

/* A definition that was accepted and is about to be staged: apply cannot fail, so it is compiled before. */
struct types_ready {
    const struct policy *policy; /* A reference. */
    uint64_t version;            /* The version its record will have. */
    struct survey *survey;       /* NULL: none was needed. */
};

/* Types whose intervals are to be computed anew. */
struct refills {
    struct refill *first;  /* NULL: none. */
    bool under_way;        /* The first of them. */
    int64_t blocked_until; /* Monotonic. */
    atomic_ullong clashes; /* Bookings that met others, ever; for the metric. */
};

/* The module's state of one space. The sequencer's thread. */
struct types {
    struct space *space;
    bool opened;
    size_t count; /* Live definitions. */
    struct types_ready *ready;
    size_t ready_count, ready_capacity;
    uint32_t *retiring; /* Indexes that nobody will name once the batch is durable. */
    size_t retiring_count, retiring_capacity;
    size_t retiring_wanted; /* How many the batch at hand may come to. */
    struct survey *surveys;
    struct refills refills;
};

/* One definition that a command writes. */
struct put {
    stet_view name;
    struct policy *policy; /* A reference; NULL: a deletion. */
    uint64_t
        made_from; /* The head's version that its numbers and its forced mark were taken from. */
    bool judges;   /* Its fields demand something else than those before. */
    bool new_indexes;
    stet_view forced;      /* What it says of having been forced; empty: it was not. */
    struct survey *survey; /* NULL: not begun, or the type has no records. */
    uint64_t numbered;     /* Which indexes were given numbers without a survey: a bit for each. */
    bool finished;         /* Surveyed, and its text made. */
    const struct survey_verdict *verdict; /* Why it was refused. */
    uint64_t overlaps;     /* Bookings that meet others, and that it was stored all the same. */
    stet_view overlapping; /* One of them. */
    stet_view *changed;    /* Pointers, for the answer of an apply. */
    size_t changed_count;
};

/* command->module_data of a write of definitions. */
struct work {
    struct put *puts; /* One for each mutation. */
    size_t count;
    bool force;
    bool apply;
    bool prune;
};

/* refill.c. A definition was loaded. STET_NO_MEMORY */
stet_status refills_note(struct types *types, const struct policy *policy, stet_error *err);
void refills_forget(struct refills *refills);
int64_t refills_next(const struct types *types); /* Monotonic; MODULE_NEVER. */
bool refills_due(struct types *types, const struct module_time *now, bool refused,
                 struct stet_command *command);
void refills_ended(struct types *types, struct stet_command *command);

/* put.c: drives the surveys of a command from the sequencer; STET_OK with command->hop set: it is not ready yet. */
stet_status work_drive(struct types *types, struct stet_command *command, struct batch *batch,
                       stet_error *err);
/* Whether the definition can be staged on this head. STET_OK with command->hop set: it must be prepared anew. */
stet_status work_accept(struct types *types, struct stet_command *command, size_t index,
                        const struct store_head *head, struct batch *batch, stet_error *err);

#endif
