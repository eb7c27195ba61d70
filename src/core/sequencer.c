/*
 * The sequencer's thread and its batches. See core/sequencer.h for the promise; the order inside run_batch is what keeps it:
 * decide all, commit once, publish, then answer.
 */
#include "core/sequencer.h"

#include "base/error.h"
#include "base/limits.h"
#include "core/client.h"
#include "core/decide.h"

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
    pthread_cond_init(&sequencer->wake, NULL);
    return STET_OK;
}

void sequencer_done(struct sequencer *sequencer) {
    if (sequencer->batch == NULL) return;
    batch_done(sequencer->batch);
    free(sequencer->batch);
    sequencer->batch = NULL;
    pthread_mutex_destroy(&sequencer->lock);
    pthread_cond_destroy(&sequencer->wake);
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
    command->next = NULL;
    command->queue_bytes = bytes;
    if (space->queue_last != NULL) {
        space->queue_last->next = command;
    } else {
        space->queue_first = command;
    }
    space->queue_last = command;
    space->queue_count++;
    space->queue_bytes += bytes;
    if (!space->ready) {
        make_ready(sequencer, space);
        wake = sequencer->sleeping;
    }
    pthread_mutex_unlock(&sequencer->lock);
    if (wake) pthread_cond_signal(&sequencer->wake);
    return STET_OK;
}

/* Takes what waits, in order, bounded by commands and by the mutations they hold. */
static void take(struct sequencer *sequencer, struct space *space, struct batch *batch,
                 size_t max) {
    size_t mutations = 0;
    if (max > batch->command_capacity) max = batch->command_capacity;
    pthread_mutex_lock(&sequencer->lock);
    while (space->queue_first != NULL && batch->command_count < max &&
           mutations < COMMIT_BATCH_MAX) {
        struct stet_command *command = space->queue_first;
        batch_add_command(batch, command);
        space->queue_first = command->next;
        if (space->queue_first == NULL) space->queue_last = NULL;
        space->queue_count--;
        space->queue_bytes -= command->queue_bytes;
        mutations += command->mutation_count;
    }
    pthread_mutex_unlock(&sequencer->lock);
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
        batch->commands[i]->status = err->status;
        batch->commands[i]->error = *err;
    }
}

/* Takes back everything the batch staged: heads, positions, projections. */
static void take_back(struct sequencer *sequencer, struct space *space, uint64_t seq, int64_t stamp,
                      uint64_t receipts) {
    stet_error err;
    heads_undo(&space->heads, 0);
    receipts_undo(&space->receipts, receipts);
    space->seq = seq;
    space->stamp = stamp;
    /* Projections that cannot be trusted must not decide anything: they are loaded before the next batch. */
    space->modules_stale = space_load_modules(space, &err) != STET_OK;
    if (space->modules_stale)
        engine_report(sequencer->engine, STET_REPORT_ERROR,
                      "space \"%s\": its state could not be reloaded: %s", space->name,
                      err.message);
}

/* Decides the batch's commands from `first` on, at most `count` of them, and commits. */
static stet_status decide_and_commit(struct sequencer *sequencer, struct space *space, size_t first,
                                     size_t count, stet_error *err) {
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
    int64_t now = clock_wall_ns(engine->clock);
    for (size_t i = first; i < first + count; i++)
        decide(space, batch, batch->commands[i], now);
    if (batch->change_count == 0 && batch->key_count == 0) return STET_OK;

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
        .stamp = space->stamp,
        .rotate_keys = rotate_keys,
    };
    int64_t started = clock_monotonic_ns(engine->clock);
    stet_status status = store_commit(space->store, &stored, err);
    if (status == STET_OK) {
        heads_commit(&space->heads);
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
    if (batch->change_count == 0) return;
    for (size_t i = 0; i < batch->change_count; i++)
        change_ref(batch->changes[i]);
    ring_publish(&space->ring, batch->changes, batch->change_count);
    for (size_t m = 0; m < space->module_count; m++) {
        const struct engine_module_state *module = &space->modules[m];
        if (module->module->published == NULL) continue;
        for (size_t i = 0; i < batch->change_count; i++)
            module->module->published(module->state, space, &batch->changes[i]->row);
    }
    space_poke(space);
}

/* Hands the commands back, one wake-up for each client. */
static void answer(struct stet_command **commands, size_t count) {
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
        batch_reset_staged(batch);
        stet_status status = decide_and_commit(sequencer, space, i, 1, &err);
        if (status != STET_OK) {
            decide_reset(command);
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
    take(sequencer, space, batch, max);
    size_t count = batch->command_count;
    if (count == 0) return 0;
    stet_status status = decide_and_commit(sequencer, space, 0, count, &err);
    if (status == STET_OK) {
        publish(space, batch);
    } else if (count > 1 && is_culprit_failure(status)) {
        run_one_by_one(sequencer, space);
    } else {
        fail_all(batch, &err);
    }
    answer(batch->commands, count);
    batch_reset(batch);
    store_maintain(space->store);
    return count;
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

bool sequencer_step(struct sequencer *sequencer, size_t max) {
    pthread_mutex_lock(&sequencer->lock);
    struct space *space = next_ready(sequencer);
    pthread_mutex_unlock(&sequencer->lock);
    if (space == NULL) return false;
    /* The last command answered may hold the last reference; the space must outlive the work on it. */
    space_ref(space);
    sequencer_run_batch(sequencer, space, max);
    pthread_mutex_lock(&sequencer->lock);
    space->ready = false;
    if (space->queue_first != NULL) make_ready(sequencer, space);
    pthread_mutex_unlock(&sequencer->lock);
    space_unref(space);
    return true;
}

static void *run(void *context) {
    struct sequencer *sequencer = context;
    size_t max = sequencer->engine->commit_batch_max;
    pthread_setname_np(pthread_self(), "sequencer");
    for (;;) {
        if (sequencer_step(sequencer, max)) continue;
        pthread_mutex_lock(&sequencer->lock);
        while (sequencer->ready_first == NULL && !sequencer->stopping) {
            sequencer->sleeping = true;
            pthread_cond_wait(&sequencer->wake, &sequencer->lock);
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

void sequencer_stop(struct sequencer *sequencer) {
    if (sequencer->batch == NULL) return;
    pthread_mutex_lock(&sequencer->lock);
    sequencer->stopping = true;
    pthread_mutex_unlock(&sequencer->lock);
    pthread_cond_signal(&sequencer->wake);
    if (sequencer->started) pthread_join(sequencer->thread, NULL);
    sequencer->started = false;
}
