/*
 * The module that owns `stet.type`: its projection is the space's table of policies.
 */
#include "modules/types/types.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/engine.h"
#include "core/read.h"
#include "core/render.h"
#include "core/sequencer.h"
#include "modules/types/internal.h"

#include <assert.h>
#include <stdlib.h>

/* ---- State ------------------------------------------------------------------------------- */

static stet_status open_state(struct space *space, void **state, stet_error *err) {
    struct types *types = calloc(1, sizeof *types);
    if (types == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a space");
    types->space = space;
    atomic_init(&types->refills.clashes, 0);
    *state = types;
    return STET_OK;
}

/* Definitions that were accepted but not staged: a dry run's, or a command's that was refused for something else. */
static void drop_ready(struct types *types) {
    while (types->ready_count > 0)
        policy_unref(types->ready[--types->ready_count].policy);
}

static void close_state(void *state) {
    struct types *types = state;
    if (types == NULL) return;
    drop_ready(types);
    survey_sweep(&types->surveys, true);
    refills_forget(&types->refills);
    free(types->ready);
    free(types->retiring);
    free(types);
}

static void reset(void *state) {
    struct types *types = state;
    types->count = 0;
    types->retiring_count = types->retiring_wanted = 0;
    drop_ready(types);
    survey_take_back(types->surveys);
    policies_reset(types->space->policies);
}

/*
 * What is published is what is stored, always: after a batch was taken back there is nothing to do but to forget what it staged.
 */
static stet_status load(void *state, const struct store_change *head, stet_error *err) {
    struct types *types = state;
    struct policies *policies = types->space->policies;
    struct policy *policy;
    types->count++;
    const struct policy *known = policy_staged(types->space, head->id);
    if (known != NULL && known->seq == head->seq) return STET_OK;
    stet_status status = definition_compile(head->id, head->data, &policy, err);
    if (status == STET_INVALID_TYPE) {
        stet_error why = err == NULL ? (stet_error){0} : *err;
        error_set(err, STET_FORMAT, "the stored definition of type \"%.*s\" is not understood",
                  VIEW_ARG(head->id));
        error_cause(err, "%s: %s", why.field, why.message);
        return STET_FORMAT;
    }
    if (status != STET_OK) return status;
    policy->version = head->version;
    policy->seq = head->seq;
    status = policies_reserve(policies, err);
    if (status != STET_OK) {
        policy_unref(policy);
        return status;
    }
    for (size_t i = 0; i < policy->index_count; i++)
        index_number_taken(types->space, policy->indexes[i]->number);
    policies_stage(policies, head->id, policy);
    policies_publish(policies);
    return refills_note(types, policy, err);
}

static bool is_named(void *context, uint32_t number) {
    return policies_name_index(((struct types *)context)->space, number);
}

static stet_status loaded(void *state, stet_error *err) {
    struct types *types = state;
    if (types->opened) return STET_OK; /* Later there may be indexes that are just being filled. */
    types->opened = true;
    return index_retire_others(types->space, is_named, types, err);
}

/* ---- Accepting --------------------------------------------------------------------------- */

/* Room for whatever apply will note. */
static stet_status reserve(struct types *types, const struct stet_command *command, stet_view name,
                           stet_error *err) {
    const struct policy *old = policy_staged(types->space, name);
    types->retiring_wanted += old == NULL ? 0 : old->index_count;
    size_t needed = types->retiring_wanted;
    if (types->ready_count == types->ready_capacity) {
        size_t capacity = types->ready_capacity == 0 ? 8 : types->ready_capacity * 2;
        struct types_ready *ready = realloc(types->ready, capacity * sizeof *types->ready);
        if (ready == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a type");
        types->ready = ready;
        types->ready_capacity = capacity;
    }
    if (needed > types->retiring_capacity) {
        uint32_t *retiring = realloc(types->retiring, needed * 2 * sizeof *types->retiring);
        if (retiring == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a type");
        types->retiring = retiring;
        types->retiring_capacity = needed * 2;
    }
    /* All of a command is checked before any of it is applied. */
    return policies_reserve_many(types->space->policies, command->mutation_count, err);
}

static stet_status check(void *state, const struct proposal *proposal, stet_error *err) {
    struct types *types = state;
    if (!view_equal(proposal->type, TYPE_TYPE)) return STET_OK;
    struct stet_command *command = (struct stet_command *)(uintptr_t)proposal->command;
    struct batch *batch = types->space->sequencer->batch;
    if (!proposal->actor->admin)
        return error_set(err, STET_FORBIDDEN, "only an administrator may declare types");
    if (proposal->op == STORE_CREATE && types->count >= TYPES_MAX) {
        error_set(err, STET_TOO_LARGE, "%d types are declared already", TYPES_MAX);
        error_field(err, "types", TYPES_MAX);
        return STET_TOO_LARGE;
    }
    stet_status status = work_drive(types, command, batch, err);
    if (status != STET_OK || command->hop != NULL) return status;
    status = reserve(types, command, proposal->id, err);
    if (status != STET_OK || proposal->op == STORE_DELETE) return status;
    return work_accept(types, command, proposal->index, proposal->head, batch, err);
}

/* The indexes of the definition in force that the next one does not name. */
static void retire_unnamed(struct types *types, stet_view name, const struct policy *next) {
    const struct policy *old = policy_staged(types->space, name);
    for (size_t i = 0; old != NULL && i < old->index_count; i++) {
        uint32_t number = old->indexes[i]->number;
        bool named = false;
        for (size_t j = 0; next != NULL && j < next->index_count && !named; j++)
            named = next->indexes[j]->number == number;
        if (named) continue;
        assert(types->retiring_count < types->retiring_capacity);
        types->retiring[types->retiring_count++] = number;
    }
}

static void apply(void *state, const struct store_change *change) {
    struct types *types = state;
    if (types->surveys != NULL) survey_watch(types->surveys, change);
    if (!view_equal(change->type, TYPE_TYPE)) return;
    if (change->op == STORE_CREATE) types->count++;
    if (change->op == STORE_DELETE) {
        types->count--;
        retire_unnamed(types, change->id, NULL);
        policies_stage(types->space->policies, change->id, NULL);
        return;
    }
    for (size_t i = types->ready_count; i-- > 0;) {
        struct types_ready *ready = &types->ready[i];
        if (ready->version != change->version || !view_equal(ready->policy->type, change->id))
            continue;
        struct policy *policy = policy_ref(ready->policy);
        policy->version = change->version;
        policy->seq = change->seq;
        retire_unnamed(types, change->id, policy);
        policies_stage(types->space->policies, change->id, policy);
        if (ready->survey != NULL) survey_adopt(ready->survey, change->seq);
        return;
    }
    assert(!"a definition is staged only after it was accepted");
}

static void published(void *state, struct space *space, const struct store_change *change) {
    struct types *types = state;
    if (!view_equal(change->type, TYPE_TYPE)) return;
    policies_publish(space->policies);
    survey_settle(types->surveys, change->seq);
    while (types->retiring_count > 0)
        index_retire(space, types->retiring[--types->retiring_count]);
}

/* After each batch is the moment to tidy up, too. */
static void next_due(void *state, struct module_time *at) {
    struct types *types = state;
    at->monotonic = refills_next(types);
    drop_ready(types);
    types->retiring_wanted = 0;
    if (types->surveys != NULL) survey_sweep(&types->surveys, false);
}

static bool due(void *state, const struct module_time *now, bool refused,
                struct stet_command *command) {
    return refills_due(state, now, refused, command);
}

static void ended(void *state, struct stet_command *command) { refills_ended(state, command); }

static void visit_clashes(void *state, module_sample *sample, void *context) {
    struct types *types = state;
    sample(context, "", "", (double)atomic_load(&types->refills.clashes));
}

static const struct module_metric metrics[] = {
    {"stet_booking_clashes_total",
     "Bookings that met others when they were computed by new time zone data", STET_METRIC_COUNTER,
     visit_clashes},
    {NULL, NULL, STET_METRIC_GAUGE, NULL},
};

/* Definitions hold no secrets. */
static bool may_read(const struct space *space, const stet_actor *actor,
                     const struct store_change *change) {
    (void)space;
    (void)actor;
    (void)change;
    return true;
}

static const char *const type_names[] = {"stet.type", NULL};

const struct module types_module = {
    .name = "types",
    .types = type_names,
    .open = open_state,
    .close = close_state,
    .reset = reset,
    .load = load,
    .loaded = loaded,
    .check = check,
    .apply = apply,
    .published = published,
    .next_due = next_due,
    .due = due,
    .ended = ended,
    .metrics = metrics,
    .may_read = may_read,
};

/* ---- Reading ----------------------------------------------------------------------------- */

stet_status types_fill_get(struct stet_command *command, stet_view name, stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check_type_name(name, "type", err);
    if (status != STET_OK) return status;
    command->read.type = TYPE_TYPE;
    command->read.id = arena_copy(&command->arena, name);
    if (command->read.id.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    command->kind = COMMAND_READ;
    command->render = RENDER_FLAT;
    return STET_OK;
}

static stet_status list(struct stet_command *command, struct store_reader *reader,
                        struct buffer *out, stet_error *err) {
    return read_list_live(command, reader, TYPE_TYPE, VIEW("types"), out, err);
}

stet_status types_fill_list(struct stet_command *command, stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    command->kind = COMMAND_MODULE_READ;
    command->read_rows = list;
    return STET_OK;
}
