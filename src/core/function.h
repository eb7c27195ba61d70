/*
 * Running a function: the seam between those who need one run (a call, an operation, a merge rule) and the module that
 * can (modules/functions), so that they need not know each other.
 *
 * A run reads a snapshot and writes into a buffer; nothing is stored until function_stage finds on the sequencer that all it read is
 * still so. It may run any number of times: it has no other effect.
 */
#ifndef CORE_FUNCTION_H
#define CORE_FUNCTION_H

#include "core/operation.h"
#include "core/readset.h"
#include "core/reservations.h"

/* One run. The inputs are borrowed for the run; all that comes out is in the command's arena. */
struct function_call {
    stet_view name;
    stet_view input; /* JSON; empty: null. */
    int64_t now; /* What now() says, and what uuid() and random() are drawn from with the seed. */
    uint64_t seed;
    const struct operation_cause *operation; /* On whose behalf; NULL: a plain call. */
    bool brief; /* Through the staging: only if it is short; others wait meanwhile. */

    /* Out. */
    bool too_long;    /* It was to be brief, and that was not enough: nothing else came of it. */
    uint64_t version; /* Of the function that ran. */
    stet_view result; /* JSON. */
    stet_view log;    /* JSON array of texts; empty: none. Also of a run that failed. */
    uint32_t line;    /* Where it failed, in the source of the function that did; 0: not known. */
    struct read_set reads;
    /* The mutations are command->mutations, each with the base that was read; command->provenance names function and inputs. */
};

/*
 * What the functions module provides: engine->functions, set where the modules are wired. NULL in engines without it.
 *
 * run: on a worker with a reader (staging NULL); or alone on the sequencer, reading through the staging (reader NULL), under
 * EXCLUSIVE_MS_MAX, or where call->brief under FUNCTION_INLINE_STEPS_MAX. @return STET_OK; STET_NOT_FOUND: no such function; STET_FUNCTION_FAILED, STET_FUNCTION_LIMIT, STET_NO_MEMORY, …
 *
 * merge: three versions of one value into one, pure: no records can be read. *merged in the arena. brief: within
 * FUNCTION_INLINE_STEPS_MAX, as somebody waits. base, current, yours: JSON; empty: absent.
 * @return STET_OK; *merged empty: it could not settle it; as run.
 */
struct function_runner {
    stet_status (*run)(struct stet_command *command, struct store_reader *reader,
                       struct staging *staging, struct function_call *call, stet_error *err);
    stet_status (*merge)(struct space *space, struct arena *arena, stet_view name, bool brief,
                         stet_view base, stet_view current, stet_view yours, stet_view *merged,
                         stet_error *err);
    /* Whether there is such a function, as of the batch at hand. The sequencer's thread. */
    bool (*exists)(struct staging *staging, stet_view name);
    /* Whether somebody may call the published function, if there is one: STET_FORBIDDEN. Any thread. NULL: everybody may. */
    stet_status (*allows)(struct space *space, stet_view name, const stet_actor *actor,
                          stet_error *err);
};

/* On the sequencer: validates what the run read and decides its mutations. STET_CONCURRENT_MODIFICATION: run it again. */
stet_status function_stage(struct staging *staging, struct function_call *call, stet_error *err);

/* On the sequencer: reserves all that the run looked at, so that the next one finds it as it was left. False: memory is out; it is a
   favour, no duty. */
bool function_reserve(struct staging *staging, const struct function_call *call,
                      const struct rank *rank);

#endif
