/*
 * Shared by the files of this folder.
 *
 *   functions.c         the module: which functions there are, for any thread
 *   definition.c        what one is declared to be
 *   put.c               commands that write definitions, and show them
 *   transaction.c       what a run reads and writes; transaction_list.c its lists
 *   api.c               the same as functions see it: get, put, list, …
 *   run.c               one run, one merge
 *   metrics.c           what is measured of them
 *   call.c              the command that calls one, and runs it again
 */
#ifndef MODULES_FUNCTIONS_INTERNAL_H
#define MODULES_FUNCTIONS_INTERNAL_H

#include "lua/sandbox.h"
#include "modules/functions/functions.h"
#include "modules/functions/metrics.h"
#include "modules/functions/transaction.h"

#define TYPE_FUNCTION VIEW("stet.function")

/* A function as it is declared; immutable but for what is counted. */
struct definition {
    atomic_uint refs;
    struct definition *next; /* In the table. */
    struct sandbox_chunk chunk;
    stet_class class_; /* DEFAULT: normal. */
    struct sandbox_limits limits;
    size_t reads_max, writes_max;
    bool as_admin;          /* It sees and does everything, whoever calls it. */
    const stet_view *roles; /* Whose callers it has; none: everybody's. */
    size_t role_count;
    /* Calls that are not to be tried inline: the last one that was tried was too long. */
    atomic_uint not_inline;
    struct arena arena; /* Holds all of it. */
};

/*
 * Reads a definition; its source is not looked at. name: as the record's id. STET_INVALID_FUNCTION: err->field is the pointer in it;
 * STET_TOO_LARGE, STET_NO_MEMORY
 */
stet_status definition_parse(stet_view name, stet_view text, struct definition **out,
                             stet_error *err);
/* STET_FORBIDDEN: it is for others. */
stet_status definition_check_caller(const struct definition *definition, const stet_actor *actor,
                                    stet_error *err);
void definition_unref(struct definition *definition); /* Accepts NULL. Any thread. */

/* The published function of this name, with a reference; NULL: there is none. Any thread. */
struct definition *functions_lookup(struct space *space, stet_view name);
struct sandbox_pool *functions_pool(struct space *space);
struct run_metrics *functions_runs(struct space *space);
extern const struct sandbox_host functions_hosts[];
extern const size_t functions_host_count;

/* What a run's host functions need: the context of the sandbox. */
struct run {
    struct transaction transaction;
    struct function_call *call;
    struct definition *
        *held; /* Functions it calls, with references until it is over; in the arena. */
    size_t held_count, held_capacity;
};

/* The function of this name as the run may use it: noted as read. STET_NOT_FOUND; the run keeps the reference. */
stet_status run_need_function(struct run *run, stet_view name, struct definition **definition,
                              stet_error *err);

/* A function begins, the outermost or one that another calls: from here on its own declaration says who looks and writes. before: out, for
   run_leave. STET_FORBIDDEN: it is not for those who call it. */
stet_status run_enter(struct run *run, const struct definition *definition,
                      const stet_actor **before, stet_error *err);
void run_leave(struct run *run, const stet_actor *before);

/* As function_runner.run. *too_long: it was brief, and that was not enough; the status then says nothing more. May be NULL. */
stet_status run_function(struct stet_command *command, struct store_reader *reader,
                         struct staging *staging, enum run_place place, struct function_call *call,
                         bool *too_long, stet_error *err);
stet_status run_function_merge(struct space *space, struct arena *arena, stet_view name, bool brief,
                               stet_view base, stet_view current, stet_view yours,
                               stet_view *merged, stet_error *err);

/* call.c: function_runner's commands on the sequencer. */
stet_status call_decide(struct staging *staging, const struct module_time *now, stet_error *err);

/* STET_NOT_FOUND, with its field. */
stet_status no_such_function(stet_view name, stet_error *err);

#endif
