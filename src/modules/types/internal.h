/*
 * Shared by the files of this folder.
 *
 *   types.c    the module: its projection, what it accepts, when definitions come into force
 *   put.c      commands that write definitions: prepared, surveyed, answered
 *   survey.c   existing records against a new definition
 */
#ifndef MODULES_TYPES_INTERNAL_H
#define MODULES_TYPES_INTERNAL_H

#include "core/client.h"
#include "modules/types/definition.h"
#include "modules/types/survey.h"
#include "modules/types/types.h"

#define TYPE_TYPE VIEW("stet.type")

/* A definition that was accepted and is about to be staged: apply cannot fail, so it is compiled before. */
struct types_ready {
    const struct policy *policy; /* A reference. */
    uint64_t version;            /* The version its record will have. */
    struct survey *survey;       /* NULL: none was needed. */
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
    stet_view *changed;                   /* Pointers, for the answer of an apply. */
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

/* put.c: drives the surveys of a command from the sequencer; STET_OK with command->hop set: it is not ready yet. */
stet_status work_drive(struct types *types, struct stet_command *command, struct batch *batch,
                       stet_error *err);
/* Whether the definition can be staged on this head. STET_OK with command->hop set: it must be prepared anew. */
stet_status work_accept(struct types *types, struct stet_command *command, size_t index,
                        const struct store_head *head, struct batch *batch, stet_error *err);

#endif
