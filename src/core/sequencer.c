/*
 * The sequencer's thread and its batches. See core/sequencer.h for the promise; the order inside run_batch is what keeps it:
 * decide all, commit once, publish, then answer.
 */
#include "core/sequencer.h"

#include "base/error.h"
#include "base/limits.h"
#include "core/client.h"
#include "core/decide.h"
#include "core/due.h"
#include "core/index.h"
#include "core/reservations.h"
#include "core/spans.h"
#include "core/staging.h"
#include "core/submit.h"

#include <assert.h>
#include <stdlib.h>

stet_status sequencer_init(struct sequencer *sequencer, struct stet_engine *engine) {
    *sequencer = (struct sequencer){.engine = engine};
    sequencer->batch = malloc(sizeof *sequencer->batch);
    if (sequencer->batch == NULL) return STET_NO_MEMORY;
    batch_init(sequencer->batch);
    if (batch_reserve_commands(sequencer->batch, engine->commit_batch_max) != STET_OK) {
        free(sequencer->batch);
        sequencer->batch = NULL;
        return STET_NO_MEMORY;
    }
    pthread_mutex_init(&sequencer->lock, NULL);
    /* Waits for what time makes due must not depend on the wall clock being left alone. */
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sequencer->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_cond_init(&sequencer->rested, NULL);
    return STET_OK;
}

void sequencer_done(struct sequencer *sequencer) {
    if (sequencer->batch == NULL) return;
    batch_done(sequencer->batch);
    free(sequencer->batch);
    sequencer->batch = NULL;
    client_destroy(sequencer->client);
    sequencer->client = NULL;
    pthread_mutex_destroy(&sequencer->lock);
    pthread_cond_destroy(&sequencer->wake);
    pthread_cond_destroy(&sequencer->rested);
}

/* ---- Queue ------------------------------------------------------------------------------- */

static void make_ready(struct sequencer *sequencer, struct space *space) {
    space->ready = true;
    space->ready_next = NULL;
    if (sequencer->ready_last != NULL) {
        sequencer->ready_last->ready_next = space;
    } else {
        sequencer->ready_first = space;
    }
    sequencer->ready_last = space;
}

/* At the end of a space's queue. Under the lock. */
static void enqueue(struct space *space, struct stet_command *command) {
    command->next = NULL;
    if (space->queue_last != NULL) {
        space->queue_last->next = command;
    } else {
        space->queue_first = command;
    }
    space->queue_last = command;
    space->queue_count++;
    space->queue_bytes += command->queue_bytes;
}

/* Before all who did not wait yet, behind those who waited longer. Under the lock. */
static void enqueue_woken(struct space *space, struct stet_command *command) {
    struct stet_command **slot =
        space->queue_woken != NULL ? &space->queue_woken->next : &space->queue_first;
    command->next = *slot;
    *slot = command;
    if (command->next == NULL) space->queue_last = command;
    space->queue_woken = command;
    space->queue_count++;
    space->queue_bytes += command->queue_bytes;
}

stet_status sequencer_submit(struct sequencer *sequencer, struct space *space,
                             struct stet_command *command, size_t bytes, stet_error *err) {
    bool wake = false;
    pthread_mutex_lock(&sequencer->lock);
    if (sequencer->stopping) {
        pthread_mutex_unlock(&sequencer->lock);
        return error_set(err, STET_SHUTTING_DOWN, "the server is stopping");
    }
    if (space->queue_count >= QUEUE_COMMANDS_MAX ||
        (space->queue_count > 0 && space->queue_bytes + bytes > QUEUE_BYTES_MAX)) {
        bool by_count = space->queue_count >= QUEUE_COMMANDS_MAX;
        pthread_mutex_unlock(&sequencer->lock);
        atomic_fetch_add_explicit(&space->counters.busy, 1, memory_order_relaxed);
        error_set(err, STET_BUSY, "too many writes are waiting for space \"%s\"", space->name);
        error_field(err, by_count ? "queue_commands" : "queue_bytes",
                    by_count ? QUEUE_COMMANDS_MAX : QUEUE_BYTES_MAX);
        return STET_BUSY;
    }
    command->queue_bytes = bytes;
    enqueue(space, command);
    if (!space->ready) {
        make_ready(sequencer, space);
        wake = sequencer->sleeping;
    }
    pthread_mutex_unlock(&sequencer->lock);
    if (wake) pthread_cond_signal(&sequencer->wake);
    return STET_OK;
}

stet_status sequencer_resubmit(struct sequencer *sequencer, struct space *space,
                               struct stet_command *command, stet_error *err) {
    bool wake = false;
    pthread_mutex_lock(&sequencer->lock);
    if (sequencer->stopping) {
        pthread_mutex_unlock(&sequencer->lock);
        return error_set(err, STET_SHUTTING_DOWN, "the server is stopping");
    }
    enqueue(space, command);
    if (!space->ready) {
        make_ready(sequencer, space);
        wake = sequencer->sleeping;
    }
    pthread_mutex_unlock(&sequencer->lock);
    if (wake) pthread_cond_signal(&sequencer->wake);
    return STET_OK;
}

void sequencer_poke(struct sequencer *sequencer, struct space *space) {
    bool wake = false;
    pthread_mutex_lock(&sequencer->lock);
    if (!space->ready) {
        make_ready(sequencer, space);
        wake = sequencer->sleeping;
    }
    pthread_mutex_unlock(&sequencer->lock);
    if (wake) pthread_cond_signal(&sequencer->wake);
}

/* The first of the queue goes into the batch. Under the lock. */
static struct stet_command *take_first(struct space *space, struct batch *batch) {
    struct stet_command *command = space->queue_first;
    batch_add_command(batch, command);
    space->queue_first = command->next;
    if (space->queue_first == NULL) space->queue_last = NULL;
    if (space->queue_woken == command) space->queue_woken = NULL;
    space->queue_count--;
    space->queue_bytes -= command->queue_bytes;
    return command;
}

/* Takes what waits, in order, bounded by commands and by the mutations they hold. */
static void take(struct sequencer *sequencer, struct space *space, struct batch *batch,
                 size_t max) {
    size_t mutations = 0;
    if (max > batch->command_capacity) max = batch->command_capacity;
    pthread_mutex_lock(&sequencer->lock);
    while (space->queue_first != NULL && batch->command_count < max && mutations < COMMIT_BATCH_MAX)
        mutations += take_first(space, batch)->mutation_count;
    pthread_mutex_unlock(&sequencer->lock);
}

/* Takes those that were woken meanwhile, while there is room for them. */
static void take_woken(struct sequencer *sequencer, struct space *space, struct batch *batch,
                       size_t max) {
    pthread_mutex_lock(&sequencer->lock);
    while (space->queue_woken != NULL && batch->command_count < max)
        take_first(space, batch);
    pthread_mutex_unlock(&sequencer->lock);
}

/* ---- Waiting commands -------------------------------------------------------------------- */

/* Takes the held commands that `wanted` names back into the queue, in their order. */
static void unhold(struct sequencer *sequencer, struct space *space,
                   bool (*wanted)(struct stet_command *command, uint64_t value), uint64_t value) {
    struct stet_command **slot = &space->held_first;
    space->held_last = NULL;
    while (*slot != NULL) {
        struct stet_command *command = *slot;
        if (!wanted(command, value)) {
            space->held_last = command;
            slot = &command->next;
            continue;
        }
        *slot = command->next;
        space->held_count--;
        decide_reset(command);
        pthread_mutex_lock(&sequencer->lock);
        enqueue_woken(space, command);
        if (!space->ready) make_ready(sequencer, space);
        pthread_mutex_unlock(&sequencer->lock);
    }
}

static bool has_tag(struct stet_command *command, uint64_t tag) { return command->held_tag == tag; }

static bool is_over(struct stet_command *command, uint64_t now) {
    if (command->held_until > (int64_t)now) return false;
    command->wait_over = true;
    return true;
}

void space_wake_held(struct space *space, uint64_t tag) {
    struct batch *batch = space->sequencer->batch;
    unhold(space->sequencer, space, has_tag, tag);
    /* One of the batch at hand that is only about to wait. */
    for (size_t i = 0; i < batch->command_count; i++)
        if (batch->commands[i] != NULL && batch->commands[i]->held &&
            batch->commands[i]->held_tag == tag)
            batch->commands[i]->held_until = 0;
}

static void complete_held(struct stet_command *command, stet_status status, const char *message) {
    decide_reset(command);
    command->status = error_set(&command->error, status, "%s", message);
    client_complete(command->client, command, command);
}

/* Completes those that were cancelled; all of them when the space is gone or the server stops. */
static void held_sweep(struct space *space, bool stopping) {
    struct stet_command **slot = &space->held_first;
    struct stet_command *gone = NULL, **gone_last = &gone;
    bool dropped = atomic_load(&space->dropped);
    space->held_last = NULL;
    while (*slot != NULL) {
        struct stet_command *command = *slot;
        if (!atomic_load(&command->cancelled) && !dropped && !stopping) {
            space->held_last = command;
            slot = &command->next;
            continue;
        }
        *slot = command->next;
        command->next = NULL;
        space->held_count--;
        *gone_last = command;
        gone_last = &command->next;
    }
    /* Only now: a module that is told of it may wake others. */
    while (gone != NULL) {
        struct stet_command *command = gone;
        bool cancelled = atomic_load(&command->cancelled);
        gone = command->next;
        command->next = NULL;
        if (command->left != NULL) command->left(command);
        complete_held(command,
                      cancelled  ? STET_CANCELLED
                      : stopping ? STET_SHUTTING_DOWN
                                 : STET_NOT_FOUND,
                      cancelled  ? "cancelled while it waited"
                      : stopping ? "the server is stopping"
                                 : "the space was deleted");
    }
}

/* What was not decided leaves the batch: to wait, or to a worker. */
static void set_aside(struct sequencer *sequencer, struct space *space, struct batch *batch) {
    for (size_t i = 0; i < batch->command_count; i++) {
        struct stet_command *command = batch->commands[i];
        if (command->hop != NULL) {
            stet_error err = {0};
            decide_reset(command);
            command->hops++;
            stet_status status = command_detour(command, &err);
            if (status == STET_OK) {
                batch->commands[i] = NULL;
                continue;
            }
            command->hop = NULL;
            command->status = status;
            command->error = err;
        } else if (command->held && command->held_until == 0) {
            decide_reset(command);
            batch->commands[i] = NULL;
            pthread_mutex_lock(&sequencer->lock);
            enqueue_woken(space, command);
            pthread_mutex_unlock(&sequencer->lock);
        } else if (command->held) {
            batch->commands[i] = NULL;
            command->next = NULL;
            if (space->held_first == NULL) {
                space->held_first = command;
            } else {
                space->held_last->next = command;
            }
            space->held_last = command;
            space->held_count++;
            /* It may have been cancelled, or its space deleted, before anybody could find it here. */
            if (atomic_load(&command->cancelled) || atomic_load(&space->dropped))
                atomic_store(&space->held_changed, true);
        }
    }
}

/* ---- One batch --------------------------------------------------------------------------- */

static void count_commit(struct space *space, const struct batch *batch, int64_t ns) {
    struct space_counters *counters = &space->counters;
    unsigned bucket = 0;
    for (int64_t bound = 64000; bucket < 15 && ns > bound; bound *= 2)
        bucket++;
    atomic_fetch_add_explicit(&counters->commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->commit_ns_sum, (uint64_t)ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->commit_ns_bucket[bucket], 1, memory_order_relaxed);
    bucket = 0;
    for (size_t bound = 1; bucket < 11 && batch->command_count > bound; bound *= 2)
        bucket++;
    atomic_fetch_add_explicit(&counters->batch_bucket[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->batch_sum, batch->command_count, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->writes, batch->change_count, memory_order_relaxed);
}

static void fail_all(struct batch *batch, const stet_error *err) {
    for (size_t i = 0; i < batch->command_count; i++) {
        decide_reset(batch->commands[i]);
        batch->commands[i]->hop = NULL; /* What it has put into the batch so far is not there. */
        batch->commands[i]->status = err->status;
        batch->commands[i]->error = *err;
    }
}

/* Takes back everything the batch staged: heads, positions, projections. */
static void take_back(struct sequencer *sequencer, struct space *space, uint64_t seq, int64_t stamp,
                      uint64_t receipts) {
    stet_error err;
    heads_undo(&space->heads, 0);
    reservations_undo(space);
    receipts_undo(&space->receipts, receipts);
    space->seq = seq;
    space->stamp = stamp;
    quota_undo(space);
    spans_reset(space->spans);
    /* Projections that cannot be trusted must not decide anything: they are loaded before the next batch. */
    space->modules_stale = space_load_modules(space, &err) != STET_OK;
    if (space->modules_stale)
        engine_report(sequencer->engine, STET_REPORT_ERROR,
                      "space \"%s\": its state could not be reloaded: %s", space->name,
                      err.message);
}

/*
 * Whoever waited for something that a command of this batch did is decided in the same batch: it would cost them, and those behind, a
 * commit more. They come after all that were in the batch, as they would in the next one, and before whoever has come since. Some
 * rounds only: what one of them does may wake others.
 */
static void decide_woken(struct sequencer *sequencer, struct space *space, struct batch *batch,
                         size_t max, const struct module_time *time) {
    if (max > batch->command_capacity) max = batch->command_capacity;
    for (unsigned round = 0; round < WAKE_ROUNDS_MAX && batch->change_count < COMMIT_BATCH_MAX;
         round++) {
        size_t before = batch->command_count;
        bool any = false;
        for (size_t i = 0; i < space->module_count; i++)
            if (space->modules[i].module->decided != NULL)
                space->modules[i].module->decided(space->modules[i].state);
        take_woken(sequencer, space, batch, max);
        for (size_t i = before; i < batch->command_count; i++)
            decide(space, batch, batch->commands[i], time);
        any = batch->command_count > before;
        /* Those that were only about to wait came after them. */
        for (size_t i = 0; i < before; i++) {
            struct stet_command *command = batch->commands[i];
            if (!command->held || command->held_until != 0) continue;
            decide_reset(command);
            decide(space, batch, command, time);
            any = true;
        }
        if (!any) break;
    }
}

enum due_scope { WITHOUT_DUE, WITH_DUE };

/* Decides the batch's commands from `first` on, at most `count` of them, and commits. max: to how many the batch may grow by those that
   they wake; 0: these are left to the next one. */
static stet_status decide_and_commit(struct sequencer *sequencer, struct space *space, size_t first,
                                     size_t count, size_t max, enum due_scope scope,
                                     stet_error *err) {
    struct stet_engine *engine = sequencer->engine;
    struct batch *batch = sequencer->batch;
    if (space->modules_stale) {
        stet_status reloaded = space_load_modules(space, err);
        if (reloaded != STET_OK) return reloaded;
        space->modules_stale = false;
    }
    uint64_t seq = space->seq;
    int64_t stamp = space->stamp;
    uint64_t receipts = receipts_mark(&space->receipts);
    quota_begin(space);
    struct module_time time = due_time(sequencer);
    int64_t now = time.wall;
    if (scope == WITH_DUE) {
        due_decide(sequencer, space, batch, &time);
        unhold(sequencer, space, is_over, (uint64_t)time.monotonic);
    }
    for (size_t i = first; i < first + count; i++)
        decide(space, batch, batch->commands[i], &time);
    if (max > 0) decide_woken(sequencer, space, batch, max, &time);
    if (batch->change_count == 0 && batch->key_count == 0 && batch->entry_count == 0 &&
        batch->prune_count == 0) {
        reservations_commit(space);
        return STET_OK;
    }

    for (size_t i = 0; i < batch->change_count; i++)
        batch->rows[i] = batch->changes[i]->row;
    const struct store_state *state = store_state(space->store);
    int64_t retention_ns = (int64_t)engine->key_retention_s * CLOCK_NS_PER_S;
    bool rotate_keys = batch->key_count > 0 && now - state->keys_rotated_at > retention_ns;
    /* The rotation is dated by the stamp. Where no change moves that, an old one would make the next batch rotate again, and
       the one after it forget the keys of this one. */
    if (rotate_keys && space->stamp < now) space->stamp = now;
    struct store_batch stored = {
        .changes = batch->rows,
        .heads = batch->before,
        .hashes = batch->hashes,
        .change_count = batch->change_count,
        .keys = batch->keys,
        .key_count = batch->key_count,
        .entries = batch->entries,
        .entry_count = batch->entry_count,
        .prunes = batch->prunes,
        .prune_count = batch->prune_count,
        .stamp = space->stamp,
        .rotate_keys = rotate_keys,
    };
    int64_t started = clock_monotonic_ns(engine->clock);
    stet_status status = store_commit(space->store, &stored, err);
    if (status == STET_OK) {
        heads_commit(&space->heads);
        reservations_commit(space);
        quota_commit(space);
        count_commit(space, batch, clock_monotonic_ns(engine->clock) - started);
        return STET_OK;
    }
    atomic_fetch_add_explicit(&space->counters.commit_failures, 1, memory_order_relaxed);
    engine_report(engine, STET_REPORT_ERROR, "space \"%s\": commit of %zu changes failed: %s (%s)",
                  space->name, batch->change_count, err->message, err->cause);
    if (status == STET_COMMIT_UNKNOWN) atomic_store(&space->halted, true);
    take_back(sequencer, space, seq, stamp, receipts);
    return status;
}

/* Lets readers see what is durable now, and tells the modules. */
static void publish(struct space *space, struct batch *batch) {
    index_publish(space, batch);
    if (batch->change_count == 0) return;
    for (size_t i = 0; i < batch->change_count; i++)
        change_ref(batch->changes[i]);
    ring_publish(&space->ring, batch->changes, batch->change_count);
    for (size_t i = 0; i < batch->prune_count; i++)
        if (batch->prunes[i].erase) ring_erase(&space->ring, batch->prunes[i].seq);
    for (size_t m = 0; m < space->module_count; m++) {
        const struct engine_module_state *module = &space->modules[m];
        if (module->module->published == NULL) continue;
        for (size_t i = 0; i < batch->change_count; i++)
            module->module->published(module->state, space, &batch->changes[i]->row);
    }
    space_poke(space);
}

/* Hands the commands back, one wake-up for each client. */
static void answer(struct space *space, struct stet_command **commands, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (commands[i] != NULL && commands[i]->left != NULL) commands[i]->left(commands[i]);
    /* What those gave back who left. */
    reservations_commit(space);
    for (size_t i = 0; i < count; i++) {
        if (commands[i] == NULL) continue;
        struct stet_client *client = commands[i]->client;
        struct stet_command *first = commands[i], *last = commands[i];
        first->next = NULL;
        for (size_t j = i + 1; j < count; j++) {
            if (commands[j] == NULL || commands[j]->client != client) continue;
            commands[j]->next = NULL;
            last->next = commands[j];
            last = commands[j];
            commands[j] = NULL;
        }
        client_complete(client, first, last);
    }
}

/* Something in the batch cannot be stored: one by one, so that only the culprit fails. */
static void run_one_by_one(struct sequencer *sequencer, struct space *space) {
    struct batch *batch = sequencer->batch;
    for (size_t i = 0; i < batch->command_count; i++) {
        struct stet_command *command = batch->commands[i];
        stet_error err = {0};
        decide_reset(command);
        command->hop = NULL;
        batch_reset_staged(batch);
        stet_status status = decide_and_commit(sequencer, space, i, 1, 0, WITHOUT_DUE, &err);
        if (status != STET_OK) {
            decide_reset(command);
            command->hop = NULL;
            command->status = status;
            command->error = err;
        } else {
            publish(space, batch);
        }
    }
}

/* Whether a failure may be one command's own fault. */
static bool is_culprit_failure(stet_status status) {
    return status == STET_TOO_LARGE || status == STET_NO_MEMORY || status == STET_CORRUPT;
}

size_t sequencer_run_batch(struct sequencer *sequencer, struct space *space, size_t max) {
    struct batch *batch = sequencer->batch;
    stet_error err = {0};
    batch_reset(batch);
    due_drain(sequencer);
    if (atomic_exchange(&space->held_changed, false)) held_sweep(space, false);
    take(sequencer, space, batch, max);
    size_t count = batch->command_count;
    bool due = due_is(sequencer, space);
    if (count == 0 && !due) {
        due_chores(sequencer, space);
        if (!space->chores) due_plan(space, due_time(sequencer));
        store_maintain(space->store);
        return 0;
    }
    stet_status status =
        decide_and_commit(sequencer, space, 0, count, max, due ? WITH_DUE : WITHOUT_DUE, &err);
    if (status == STET_OK) {
        publish(space, batch);
    } else if ((batch->command_count > 1 || due) && is_culprit_failure(status)) {
        run_one_by_one(sequencer, space);
    } else {
        fail_all(batch, &err);
    }
    set_aside(sequencer, space, batch);
    answer(space, batch->commands, batch->command_count);
    batch_reset(batch);
    due_clear(space);
    due_drain(sequencer);
    due_chores(sequencer, space);
    if (status == STET_OK) {
        due_plan(space, due_time(sequencer));
    } else if (due) {
        /* The disk may be full: not at once again. */
        atomic_store(&space->due_at,
                     clock_monotonic_ns(sequencer->engine->clock) + DUE_RECHECK_S * CLOCK_NS_PER_S);
    }
    store_maintain(space->store);
    return count > 0 ? count : 1;
}

/* ---- Thread ------------------------------------------------------------------------------ */

/* The next space with something to do; NULL when there is none. Under the lock. */
static struct space *next_ready(struct sequencer *sequencer) {
    struct space *space = sequencer->ready_first;
    if (space == NULL) return NULL;
    sequencer->ready_first = space->ready_next;
    if (sequencer->ready_first == NULL) sequencer->ready_last = NULL;
    return space;
}

/* Readies the spaces in which something is due. Returns when the next one will be. Under the lock. */
static int64_t ready_due(struct sequencer *sequencer) {
    int64_t now = clock_monotonic_ns(sequencer->engine->clock);
    int64_t next = MODULE_NEVER;
    for (struct space *space = sequencer->spaces; space != NULL; space = space->sequencer_next) {
        int64_t at = atomic_load_explicit(&space->due_at, memory_order_relaxed);
        if (at <= now && !space->ready) {
            make_ready(sequencer, space);
        } else if (at < next) {
            next = at;
        }
    }
    return next;
}

void sequencer_attach(struct sequencer *sequencer, struct space *space) {
    /* On the thread that opens it. Should the wall clock not be believed just now, the sequencer plans anew. */
    due_plan(space, due_clock(sequencer->engine->clock));
    pthread_mutex_lock(&sequencer->lock);
    space->sequencer_next = sequencer->spaces;
    sequencer->spaces = space;
    space->attached = true;
    bool wake = sequencer->sleeping;
    pthread_mutex_unlock(&sequencer->lock);
    if (wake) pthread_cond_signal(&sequencer->wake);
}

void sequencer_detach(struct sequencer *sequencer, struct space *space) {
    pthread_mutex_lock(&sequencer->lock);
    struct space **slot = &sequencer->spaces;
    while (space->attached && *slot != space)
        slot = &(*slot)->sequencer_next;
    if (space->attached) *slot = space->sequencer_next;
    space->attached = false;
    while (sequencer->working == space)
        pthread_cond_wait(&sequencer->rested, &sequencer->lock);
    struct space *before = NULL;
    for (struct space *ready = sequencer->ready_first; ready != NULL; ready = ready->ready_next) {
        if (ready == space) {
            if (before == NULL) {
                sequencer->ready_first = space->ready_next;
            } else {
                before->ready_next = space->ready_next;
            }
            if (sequencer->ready_last == space) sequencer->ready_last = before;
            break;
        }
        before = ready;
    }
    space->ready = false;
    pthread_mutex_unlock(&sequencer->lock);
}

bool sequencer_step(struct sequencer *sequencer, size_t max) {
    pthread_mutex_lock(&sequencer->lock);
    struct space *space = next_ready(sequencer);
    if (space == NULL) {
        ready_due(sequencer);
        space = next_ready(sequencer);
    }
    sequencer->working = space;
    /* The last command answered may hold the last reference; the space must outlive the work on it. */
    if (space != NULL) space_ref(space);
    pthread_mutex_unlock(&sequencer->lock);
    if (space == NULL) return false;
    sequencer_run_batch(sequencer, space, max);
    space_unref(space);
    pthread_mutex_lock(&sequencer->lock);
    sequencer->working = NULL;
    space->ready = false;
    if (space->queue_first != NULL || space->chores) make_ready(sequencer, space);
    pthread_cond_broadcast(&sequencer->rested);
    pthread_mutex_unlock(&sequencer->lock);
    return true;
}

/* Waits until something is ready, or until that monotonic time. Under the lock. */
static void sleep_until(struct sequencer *sequencer, int64_t at) {
    if (at == MODULE_NEVER) {
        pthread_cond_wait(&sequencer->wake, &sequencer->lock);
        return;
    }
    struct timespec until = {.tv_sec = at / CLOCK_NS_PER_S, .tv_nsec = at % CLOCK_NS_PER_S};
    pthread_cond_timedwait(&sequencer->wake, &sequencer->lock, &until);
}

static void *run(void *context) {
    struct sequencer *sequencer = context;
    size_t max = sequencer->engine->commit_batch_max;
    pthread_setname_np(pthread_self(), "sequencer");
    for (;;) {
        if (sequencer_step(sequencer, max)) continue;
        pthread_mutex_lock(&sequencer->lock);
        while (sequencer->ready_first == NULL && !sequencer->stopping) {
            int64_t next = ready_due(sequencer);
            if (sequencer->ready_first != NULL) break;
            sequencer->sleeping = true;
            sleep_until(sequencer, next);
            sequencer->sleeping = false;
        }
        bool stop = sequencer->ready_first == NULL && sequencer->stopping;
        pthread_mutex_unlock(&sequencer->lock);
        if (stop) return NULL;
    }
}

stet_status sequencer_start(struct sequencer *sequencer, stet_error *err) {
    int failed = pthread_create(&sequencer->thread, NULL, run, sequencer);
    if (failed != 0) return error_set(err, STET_NO_MEMORY, "could not start a sequencer thread");
    sequencer->started = true;
    return STET_OK;
}

/* Whether a command waits in one of the spaces that are ready. For engines without threads. */
static bool has_queued(const struct sequencer *sequencer) {
    for (struct space *space = sequencer->ready_first; space != NULL; space = space->ready_next)
        if (space->queue_first != NULL) return true;
    return false;
}

void sequencer_stop(struct sequencer *sequencer) {
    if (sequencer->batch == NULL) return;
    pthread_mutex_lock(&sequencer->lock);
    sequencer->stopping = true;
    pthread_mutex_unlock(&sequencer->lock);
    pthread_cond_signal(&sequencer->wake);
    if (sequencer->started) pthread_join(sequencer->thread, NULL);
    while (!sequencer->started && has_queued(sequencer))
        sequencer_step(sequencer, sequencer->engine->commit_batch_max);
    sequencer->started = false;
    /* Nobody will decide them any more. */
    for (struct space *space = sequencer->spaces; space != NULL; space = space->sequencer_next)
        held_sweep(space, true);
}

void sequencer_settle(struct sequencer *sequencer) {
    if (sequencer->batch != NULL) due_drain(sequencer);
}
