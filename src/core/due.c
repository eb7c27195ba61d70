#include "core/due.h"

#include "base/limits.h"
#include "base/view.h"
#include "core/client.h"
#include "core/decide.h"
#include "core/index.h"
#include "core/reservations.h"
#include "core/retain.h"
#include "core/submit.h"

#include <assert.h>

struct module_time due_clock(const struct clock *clock) {
    return (struct module_time){.wall = clock_wall_ns(clock),
                                .monotonic = clock_monotonic_ns(clock)};
}

struct module_time due_time(struct sequencer *sequencer) {
    struct module_time time = due_clock(sequencer->engine->clock);
    int64_t offset = time.wall - time.monotonic;
    int64_t jump = sequencer->wall_offset == 0 ? 0 : offset - sequencer->wall_offset;
    if (jump > STAMP_JUMP_MAX_S * CLOCK_NS_PER_S) {
        sequencer->wall_held_until = time.monotonic + CLOCK_CONFIRM_S * CLOCK_NS_PER_S;
    } else if (jump < -STAMP_JUMP_MAX_S * CLOCK_NS_PER_S) {
        sequencer->wall_held_until = 0;
    }
    sequencer->wall_offset = offset;
    time.wall_held = time.monotonic < sequencer->wall_held_until;
    return time;
}

static bool is_module_due(const struct engine_module_state *module,
                          const struct module_time *time) {
    return module->due.monotonic <= time->monotonic ||
           (module->due.wall <= time->wall && !time->wall_held);
}

bool due_is(struct sequencer *sequencer, struct space *space) {
    return atomic_load_explicit(&space->due_at, memory_order_relaxed) <=
           clock_monotonic_ns(sequencer->engine->clock);
}

/* Takes a module's work in the background to a worker. The command comes back to the sequencer's own client. */
static stet_status start_background(struct stet_command *command) {
    command->internal = false;
    command->background = true;
    command->submitted = true;
    command->actor.id = arena_copy(&command->arena, VIEW("stet"));
    if (command->actor.id.bytes == NULL) return STET_NO_MEMORY;
    stet_status status = command_detour(command, &command->error);
    if (status != STET_OK) command->submitted = false;
    return status;
}

void due_drain(struct sequencer *sequencer) {
    struct stet_command *command;
    if (sequencer->client == NULL) return;
    while ((command = client_next(sequencer->client)) != NULL) {
        struct space *space = command->space;
        for (size_t i = 0; i < space->module_count; i++) {
            const struct engine_module_state *module = &space->modules[i];
            if (module->module == command->owner && module->module->ended != NULL)
                module->module->ended(module->state, command);
        }
        /* It may be another space than the one at hand, and have something due at once now. */
        sequencer_poke(sequencer, space);
        command_destroy(command);
    }
}

/* Asks one module what time has made due, and decides it. False when there is no more. */
static bool decide_due_once(struct sequencer *sequencer, struct space *space, struct batch *batch,
                            struct engine_module_state *module, const struct module_time *time,
                            bool *refused) {
    stet_error err;
    if (sequencer->client == NULL &&
        client_create(sequencer->engine, &sequencer->client, &err) != STET_OK)
        return false;
    struct stet_command *command = command_create(sequencer->client);
    if (command == NULL) return false;
    command->space = space_ref(space);
    command->internal = true;
    command->owner = module->module;
    bool found = module->module->due(module->state, time, *refused, command);
    if (found && command->hop != NULL) {
        assert(command->kind == COMMAND_MODULE || command->kind == COMMAND_WRITE);
        *refused = start_background(command) != STET_OK;
        if (!*refused) return true;
    } else if (found) {
        stet_status status =
            command->kind == COMMAND_WRITE ? command_prepare(command, &command->error) : STET_OK;
        if (status == STET_OK) {
            decide(space, batch, command, time);
            assert(command->hop == NULL && !command->held);
            status = command->status;
        }
        *refused = status != STET_OK;
    }
    /* The batch holds its own references to what was staged; the keys of such commands are not kept. */
    command->done = true;
    command->next = space->due_done;
    space->due_done = command;
    return found;
}

/*
 * As much as one batch may spend on it; the next goes on. What was refused is asked for its other way at once, whatever was spent:
 * else a dear first try would be all that ever happens.
 */
void due_decide(struct sequencer *sequencer, struct space *space, struct batch *batch,
                const struct module_time *time) {
    const struct clock *clock = sequencer->engine->clock;
    int64_t until = clock_monotonic_ns(clock) + DUE_BATCH_MS_MAX * 1000000;
    size_t left = DUE_PER_BATCH_MAX, bytes = 0;
    for (size_t i = 0; i < space->module_count; i++) {
        struct engine_module_state *module = &space->modules[i];
        bool refused = false, again = false;
        if (module->module->due == NULL || !is_module_due(module, time)) continue;
        while ((again ||
                (left > 0 && bytes < DUE_BATCH_BYTES_MAX && clock_monotonic_ns(clock) < until)) &&
               decide_due_once(sequencer, space, batch, module, time, &refused)) {
            if (again && refused) break; /* Memory may be out: later. */
            again = refused;
            if (left > 0) left--;
            if (space->due_done != NULL) bytes += arena_footprint(&space->due_done->arena);
        }
    }
    reservations_expire(space, time->monotonic);
}

void due_chores(struct sequencer *sequencer, struct space *space) {
    struct module_time time = due_time(sequencer);
    space->chores = index_maintain(space, time.monotonic);
    space->chores = retain_sweep(space, &time) || space->chores;
}

void due_clear(struct space *space) {
    while (space->due_done != NULL) {
        struct stet_command *command = space->due_done;
        space->due_done = command->next;
        command_destroy(command);
    }
}

void due_plan(struct space *space, struct module_time time) {
    int64_t recheck = time.monotonic + DUE_RECHECK_S * CLOCK_NS_PER_S;
    int64_t at = MODULE_NEVER;
    for (size_t i = 0; i < space->module_count; i++) {
        struct engine_module_state *module = &space->modules[i];
        module->due = (struct module_time){.wall = MODULE_NEVER, .monotonic = MODULE_NEVER};
        if (module->module->next_due == NULL) continue;
        module->module->next_due(module->state, &module->due);
        if (module->due.monotonic < at) at = module->due.monotonic;
        if (module->due.wall == MODULE_NEVER) continue;
        int64_t wall = module->due.wall <= time.wall
                           ? time.monotonic
                           : module->due.wall - time.wall + time.monotonic;
        if (wall > recheck || time.wall_held) wall = recheck;
        if (wall < at) at = wall;
    }
    for (struct stet_command *command = space->held_first; command != NULL; command = command->next)
        if (command->held_until < at) at = command->held_until;
    int64_t sweep = retain_next(space), drop = index_next(space);
    int64_t free_at = reservations_next(space);
    if (free_at < at) at = free_at;
    if (sweep < at) at = sweep;
    if (drop < at) at = drop;
    if (atomic_load_explicit(&space->held_changed, memory_order_relaxed)) at = time.monotonic;
    atomic_store_explicit(&space->due_at, at, memory_order_relaxed);
}
