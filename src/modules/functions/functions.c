/*
 * The module that owns `stet.function`. Its projection is the table of published functions, which runs on any thread look into; a run notes
 * the version it used as something it read, so one that was overtaken by another version is found like any other.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/actor.h"
#include "core/engine.h"
#include "modules/functions/internal.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS = 128 };

struct functions {
    struct run_metrics runs; /* First: functions_metrics. */
    struct space *space;
    size_t count; /* Live ones, staged ones included. The sequencer's thread. */
    pthread_rwlock_t lock;
    struct definition *buckets[BUCKETS]; /* Under the lock. */
};

/* ---- The table --------------------------------------------------------------------------- */

static struct definition **find_slot(struct functions *functions, stet_view name) {
    struct definition **slot = &functions->buckets[view_hash(name, 0) % BUCKETS];
    while (*slot != NULL && !view_equal((*slot)->chunk.name, name))
        slot = &(*slot)->next;
    return slot;
}

static struct functions *functions_of(const struct space *space) {
    for (size_t i = 0; i < space->module_count; i++)
        if (space->modules[i].module == &functions_module) return space->modules[i].state;
    return NULL;
}

struct definition *functions_lookup(struct space *space, stet_view name) {
    struct functions *functions = functions_of(space);
    if (functions == NULL) return NULL;
    pthread_rwlock_rdlock(&functions->lock);
    struct definition *found = *find_slot(functions, name);
    if (found != NULL) atomic_fetch_add_explicit(&found->refs, 1, memory_order_relaxed);
    pthread_rwlock_unlock(&functions->lock);
    return found;
}

struct sandbox_pool *functions_pool(struct space *space) {
    return space->engine->sandboxes;
}

struct run_metrics *functions_runs(struct space *space) {
    return &functions_of(space)->runs;
}

stet_status no_such_function(stet_view name, stet_error *err) {
    error_set(err, STET_NOT_FOUND, "there is no function \"%.*s\"", VIEW_ARG(name));
    error_field(err, "function", 0);
    return STET_NOT_FOUND;
}

/* Puts a definition in the place of the one there, or only takes that away. */
static void replace(struct functions *functions, stet_view name, struct definition *definition) {
    pthread_rwlock_wrlock(&functions->lock);
    struct definition **slot = find_slot(functions, name), *old = *slot;
    if (old != NULL) *slot = old->next;
    if (definition != NULL) {
        definition->next = *slot;
        *slot = definition;
    }
    pthread_rwlock_unlock(&functions->lock);
    definition_unref(old);
}

/* Names in the pool tell functions of different spaces apart, and those of a space that was closed and opened anew from a backup. */
static stet_status make(struct functions *functions, const struct store_change *change,
                        struct definition **out, stet_error *err) {
    struct definition *definition;
    stet_status status = definition_parse(change->id, change->data, &definition, err);
    if (status != STET_OK) return status;
    definition->chunk.version = change->version;
    definition->chunk.key =
        arena_format(&definition->arena, "%llu/%.*s",
                     (unsigned long long)functions->space->instance, VIEW_ARG(change->id));
    if (definition->chunk.key.bytes == NULL) {
        definition_unref(definition);
        return error_set(err, STET_NO_MEMORY, "out of memory for a function");
    }
    *out = definition;
    return STET_OK;
}

/* ---- The projection ---------------------------------------------------------------------- */

/* The first space that is opened, while nobody else is there yet, gets the engine its sandboxes. */
static stet_status open_sandboxes(stet_engine *engine, stet_error *err) {
    if (engine->sandboxes != NULL) return STET_OK;
    struct sandbox_pool *pool = sandbox_pool_create(functions_hosts, functions_host_count, err);
    if (pool == NULL) return STET_NO_MEMORY;
    engine->sandboxes = pool;
    return STET_OK;
}

static void destroy_sandboxes(void *pool) { sandbox_pool_destroy(pool); }

static stet_status open_state(struct space *space, void **state, stet_error *err) {
    stet_status status = open_sandboxes(space->engine, err);
    if (status != STET_OK) return status;
    if (space->engine->sandboxes_destroy == NULL)
        space->engine->sandboxes_destroy = destroy_sandboxes;
    struct functions *functions = calloc(1, sizeof *functions);
    if (functions == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a space");
    functions->space = space;
    pthread_rwlock_init(&functions->lock, NULL);
    *state = functions;
    return STET_OK;
}

static void close_state(void *state) {
    struct functions *functions = state;
    if (functions == NULL) return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (functions->buckets[i] != NULL) {
            struct definition *definition = functions->buckets[i];
            functions->buckets[i] = definition->next;
            definition_unref(definition);
        }
    pthread_rwlock_destroy(&functions->lock);
    free(functions);
}

/* What is published is what is stored, always: a batch that was taken back has left nothing in the table. */
static void reset(void *state) { ((struct functions *)state)->count = 0; }

static stet_status load(void *state, const struct store_change *head, stet_error *err) {
    struct functions *functions = state;
    struct definition *definition;
    if (!view_equal(head->type, TYPE_FUNCTION)) return STET_OK;
    functions->count++;
    struct definition *known = functions_lookup(functions->space, head->id);
    bool same = known != NULL && known->chunk.version == head->version;
    definition_unref(known);
    if (same) return STET_OK;
    stet_status status = make(functions, head, &definition, err);
    if (status == STET_INVALID_FUNCTION) {
        stet_error why = err == NULL ? (stet_error){0} : *err;
        error_set(err, STET_FORMAT, "the stored function \"%.*s\" is not understood",
                  VIEW_ARG(head->id));
        error_cause(err, "%s: %s", why.field, why.message);
        return STET_FORMAT;
    }
    if (status == STET_OK) replace(functions, head->id, definition);
    return status;
}

static void apply(void *state, const struct store_change *change) {
    struct functions *functions = state;
    if (!view_equal(change->type, TYPE_FUNCTION)) return;
    if (change->op == STORE_CREATE) functions->count++;
    if (change->op == STORE_DELETE) functions->count--;
}

/* Memory may be out: then the function cannot be called until the space is opened anew, which is better than the one before being called. */
static void published(void *state, struct space *space, const struct store_change *change) {
    struct functions *functions = state;
    struct definition *definition = NULL;
    stet_error err = {0};
    if (!view_equal(change->type, TYPE_FUNCTION)) return;
    if (change->op != STORE_DELETE && make(functions, change, &definition, &err) != STET_OK)
        engine_report(space->engine, STET_REPORT_ERROR,
                      "space \"%s\": function \"%.*s\" cannot be called: %s", space->name,
                      VIEW_ARG(change->id), err.message);
    replace(functions, change->id, definition);
}

/* By the same command: they are counted when all of it is accepted. */
static size_t created_before(const struct proposal *proposal) {
    size_t count = 0;
    for (size_t i = 0; i < proposal->index; i++) {
        const struct mutation *mutation = &proposal->command->mutations[i];
        count += mutation->decision == DECISION_STAGED && mutation->change->row.op == STORE_CREATE;
    }
    return count;
}

static stet_status check(void *state, const struct proposal *proposal, stet_error *err) {
    struct functions *functions = state;
    if (!view_equal(proposal->type, TYPE_FUNCTION)) return STET_OK;
    if (!proposal->actor->admin)
        return error_set(err, STET_FORBIDDEN, "only an administrator may declare functions");
    if (proposal->op == STORE_CREATE &&
        functions->count + created_before(proposal) >= FUNCTIONS_MAX) {
        error_set(err, STET_TOO_LARGE, "a space has at most %d functions", FUNCTIONS_MAX);
        error_field(err, "functions", FUNCTIONS_MAX);
        return STET_TOO_LARGE;
    }
    return STET_OK;
}

static stet_status decide_command(void *state, struct staging *staging,
                                  struct stet_command *command, const struct module_time *now,
                                  stet_error *err) {
    (void)state;
    (void)command;
    return call_decide(staging, now, err);
}

/* What a function says is for who may work on everything; to call one it need not be read. */
static bool may_read(const struct space *space, const stet_actor *actor,
                     const struct store_change *change) {
    (void)space, (void)change;
    return actor->admin || actor_has_role(actor, ROLE_MEMBER);
}

static const char *const function_types[] = {"stet.function", NULL};

const struct module functions_module = {
    .name = "functions",
    .types = function_types,
    .open = open_state,
    .close = close_state,
    .reset = reset,
    .load = load,
    .check = check,
    .decide = decide_command,
    .apply = apply,
    .published = published,
    .may_read = may_read,
    .metrics = functions_metrics,
    .functions = &functions_runner,
};

/* ---- For others -------------------------------------------------------------------------- */

static stet_status runner_run(struct stet_command *command, struct store_reader *reader,
                              struct staging *staging, struct function_call *call,
                              stet_error *err) {
    call->too_long = false;
    if (staging != NULL && call->brief)
        return run_function(command, NULL, staging, RUN_SEQUENCER, call, &call->too_long, err);
    return run_function(command, reader, staging, staging == NULL ? RUN_WORKER : RUN_EXCLUSIVE,
                        call, NULL, err);
}

static bool runner_exists(struct staging *staging, stet_view name) {
    struct store_head head;
    return staging_read(staging, TYPE_FUNCTION, name, &head, NULL, NULL) == STET_OK &&
           head.version > 0 && !head.deleted;
}

static stet_status runner_allows(struct space *space, stet_view name, const stet_actor *actor,
                                 stet_error *err) {
    struct definition *definition = functions_lookup(space, name);
    if (definition == NULL) return STET_OK;
    stet_status status = definition_check_caller(definition, actor, err);
    definition_unref(definition);
    return status;
}

const struct function_runner functions_runner = {
    .run = runner_run,
    .merge = run_function_merge,
    .exists = runner_exists,
    .allows = runner_allows,
};
