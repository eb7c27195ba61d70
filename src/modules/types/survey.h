/*
 * Surveys: whether the records that are there fit a definition that is about to come, and the filling of its new indexes; while
 * writes go on.
 *
 *   sequencer  survey_begin      from now on survey_watch judges what is staged, and staged changes keep the new indexes
 *   worker     survey_step       judges the records one after the other, then reads keys for the new indexes
 *   sequencer  survey_fill       puts those into the batch; back to the worker until survey_is_done
 *   sequencer  survey_verdict    what was found; in the same batch the definition is staged
 *   sequencer  survey_settle     that batch is durable: the indexes stand
 *
 * So no record slips through: one that was staged before survey_begin is durable before the worker looks, and one staged after it is
 * judged when it is staged.
 *
 * A survey is held by the command it is for and by the module's state of its space; whoever lets go last frees it. The command lets go
 * on its client's thread (survey_release), the state afterwards on the sequencer's, where the indexes of what came to nothing
 * are retired.
 */
#ifndef MODULES_TYPES_SURVEY_H
#define MODULES_TYPES_SURVEY_H

#include "core/index.h"
#include "core/module.h"
#include "core/policy.h"

enum { SURVEY_EXAMPLES_MAX = 5 };

struct survey;

struct survey_example {
    stet_view id;
    stet_view field;
    stet_view detail;
};

/* Texts live as long as the survey, or in the arena. */
struct survey_verdict {
    uint64_t violations; /* Records that do not fit. */
    uint64_t collisions; /* Records with a value in a unique index that another one has. */
    uint64_t overlaps;   /* Bookings of records that there is no room for. */
    bool more;           /* There are more collisions, or overlaps, than were counted. */
    const struct index_def *collided;
    struct survey_example examples[SURVEY_EXAMPLES_MAX];
    struct index_collision collision_examples[SURVEY_EXAMPLES_MAX];
    size_t example_count; /* Of whichever there are; violations are reported first. */
};

/* What a survey is to do. policy: its indexes with number 0 are given numbers. */
struct survey_order {
    struct policy *policy;
    bool judges;      /* Look through the records. */
    bool only_unique; /* A dry run: only unique indexes are filled, for what is in their way. */
    bool force;       /* Fill indexes also when records do not fit. */
};

/* The sequencer's thread. surveys: the list of the space. STET_BUSY: indexes of the type are being filled already. */
stet_status survey_begin(struct space *space, struct survey **surveys,
                         const struct survey_order *order, struct survey **survey, stet_error *err);

/* A worker. Does a bounded piece. */
stet_status survey_step(struct survey *survey, struct store_reader *reader, stet_error *err);
/* Whether there is something for the sequencer to fill in. */
bool survey_wants_fill(const struct survey *survey);
bool survey_is_done(const struct survey *survey);
/* Records found so far that do not fit. */
uint64_t survey_violations(const struct survey *survey);

/* The sequencer's thread. */
stet_status survey_fill(struct survey *survey, struct batch *batch, stet_error *err);
/* STET_OK with again set: a batch was taken back meanwhile, and it must be surveyed once more. */
stet_status survey_verdict(struct survey *survey, struct batch *batch, struct arena *arena,
                           struct survey_verdict *verdict, bool *again, stet_error *err);

/* A change was staged. */
void survey_watch(struct survey *surveys, const struct store_change *change);
/* The definition was staged at this seq; it is durable; or the batch was taken back. */
void survey_adopt(struct survey *survey, uint64_t seq);
void survey_settle(struct survey *surveys, uint64_t seq);
void survey_take_back(struct survey *surveys);
/* Frees what its command has let go of. all: at the end of the space. */
void survey_sweep(struct survey **surveys, bool all);

/* It came to nothing: its indexes are given up at once. The sequencer's thread. */
void survey_discard(struct survey *survey);

/* The command lets go. Any thread. Accepts NULL. */
void survey_release(struct survey *survey);

#endif
