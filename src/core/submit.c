#include "core/submit.h"

#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/list.h"
#include "core/read.h"

#include <assert.h>

/* ---- Point reads ------------------------------------------------------------------------- */

static stet_status read_head(struct stet_command *command, stet_error *err) {
    return client_head(command->client, command->space, command->read.type, command->read.id,
                       &command->head, err);
}

/* A version is shown to those who may read the record as it is now. What they may not read is not there. */
static stet_status check_head(struct stet_command *command, struct store_reader *reader,
                              const struct store_head *head, stet_error *err) {
    struct viewer viewer = command_viewer(command);
    struct sight sight;
    struct store_change newest;
    stet_status status = STET_OK;
    sight_begin(&sight, &viewer, command->read.type);
    if (!sight.system && sight.reads != EXPR_TRUE) {
        status = store_change_at(reader, &command->arena, head->seq, &newest, err);
        if (status == STET_OK && !sight_sees(&sight, &command->arena, &newest, NULL))
            status = error_set(err, STET_NOT_FOUND, "the record does not exist");
    }
    sight_end(&sight);
    return status;
}

static stet_status read_past(struct stet_command *command, stet_error *err) {
    const stet_read *read = &command->read;
    struct space *space = command->space;
    struct store_reader *reader;
    struct store_head head;
    struct store_change row;
    stet_status status = space_reader_take(space, &reader, err);
    if (status != STET_OK) return status;
    uint64_t published = ring_published(&space->ring);
    status = store_head(reader, read->type, read->id, &head, err);
    if (status == STET_OK && head.version == 0)
        status = error_set(err, STET_NOT_FOUND, "the record does not exist");
    if (status == STET_OK) status = check_head(command, reader, &head, err);
    if (status == STET_OK) {
        enum store_bound bound = read->at == STET_AT_VERSION ? STORE_BOUND_VERSION
                                 : read->at == STET_AT_TIME  ? STORE_BOUND_STAMP
                                                             : STORE_BOUND_SEQ;
        /* Before 1970 there was nothing; as an unsigned bound it would be the far future. */
        uint64_t value =
            bound == STORE_BOUND_STAMP && (int64_t)read->at_value < 0 ? 0 : read->at_value;
        status = store_find(reader, &command->arena, &head, bound, value, &row, err);
        if (status == STET_NOT_FOUND && bound != STORE_BOUND_VERSION)
            error_set(err, STET_NOT_FOUND, "the record did not exist then");
    }
    space_reader_give(space, reader);
    if (status != STET_OK) return status;
    if (read->at == STET_AT_VERSION && row.version != read->at_value) {
        error_set(err, STET_NOT_FOUND, "the record has no version %llu",
                  (unsigned long long)read->at_value);
        error_field(err, "version", 0);
        return STET_NOT_FOUND;
    }
    /* Durable, but about to be published: nobody may have seen it yet. */
    if (row.seq > published && !ring_wait(&space->ring, row.seq, MIN_SEQ_WAIT_MS_MAX))
        return error_set(err, STET_UNAVAILABLE,
                         "the record is being written and its outcome is unknown");
    if (row.pruned)
        return error_set(err, STET_PRUNED, "version %llu is no longer kept",
                         (unsigned long long)row.version);
    command->head = change_from_row(&row);
    return command->head == NULL ? error_set(err, STET_NO_MEMORY, "out of memory") : STET_OK;
}

static void run_read(struct stet_command *command) {
    stet_error *err = &command->error;
    stet_status status = actor_demand(&command->actor, STET_SCOPE_READ, err);
    /* Asked first, so that the answer does not tell which of what nobody reads are there: names of users, say. */
    if (status == STET_OK) status = read_type_allowed(command, command->read.type, err);
    if (status == STET_OK)
        status =
            command->read.at == STET_AT_HEAD ? read_head(command, err) : read_past(command, err);
    struct viewer viewer = command_viewer(command);
    if (status == STET_OK && !viewer_sees(&viewer, &command->head->row)) {
        change_unref(command->head);
        command->head = NULL;
        status =
            type_is_system(command->read.type)
                ? error_set(err, STET_FORBIDDEN, "records of type \"%.*s\" are not read this way",
                            VIEW_ARG(command->read.type))
                : error_set(err, STET_NOT_FOUND, "the record does not exist");
    }
    if (status == STET_OK && row_is_purge(&command->head->row))
        status = error_set(err, STET_PURGED, "the record was erased for good by %.*s",
                           VIEW_ARG(command->head->row.by));
    if (status == STET_OK && change_is_delete(command->head))
        status = error_set(err, STET_DELETED, "the record was deleted by %.*s at version %llu",
                           VIEW_ARG(command->head->row.by),
                           (unsigned long long)command->head->row.version);
    if (status != STET_OK && err->status == STET_OK)
        error_set(err, status, "could not read the record");
    command->status = status;
}

/* ---- Workers ----------------------------------------------------------------------------- */

static struct stet_command *command_of(struct job *job) {
    return (struct stet_command *)((char *)job - offsetof(struct stet_command, job));
}

static void run_scan(struct stet_command *command) {
    struct store_reader *reader;
    struct buffer out;
    stet_error *err = &command->error;
    buffer_init(&out, &command->arena, 0);
    stet_status status = space_reader_take(command->space, &reader, err);
    if (status == STET_OK) {
        status = command->kind == COMMAND_MODULE_READ
                     ? command->read_rows(command, reader, &out, err)
                     : read_run(command, reader, &out, err);
        space_reader_give(command->space, reader);
    }
    if (status == STET_OK && buffer_status(&out) != STET_OK)
        status = error_set(err, buffer_status(&out), "out of memory for an answer");
    if (status == STET_OK) command->outcome.body = buffer_view(&out);
    command->status = status;
}

static void run_job(struct job *job) {
    struct stet_command *command = command_of(job);
    if (command->kind == COMMAND_READ) {
        /* A head would go through the client's cache, which is not this thread's: read as of its position instead. */
        command->status = read_wait(command->space, command->read.min_seq, &command->error);
        if (command->status == STET_OK && command->read.at == STET_AT_HEAD) {
            command->read.at = STET_AT_SEQ;
            command->read.at_value = ring_published(&command->space->ring);
        }
        if (command->status == STET_OK) run_read(command);
    } else {
        run_scan(command);
    }
    client_complete(command->client, command, command);
}

/* ---- Submit ------------------------------------------------------------------------------ */

/* What a waiting command holds in memory. */
static size_t weight(const struct stet_command *command) {
    size_t bytes = sizeof *command + arena_footprint(&command->arena);
    for (size_t i = 0; i < command->mutation_count; i++)
        if (command->mutations[i].change != NULL) bytes += command->mutations[i].change->footprint;
    return bytes;
}

/* ---- Detours ----------------------------------------------------------------------------- */

static void run_hop(struct job *job) {
    struct stet_command *command = command_of(job);
    struct store_reader *reader;
    stet_status (*hop)(struct stet_command *, struct store_reader *, stet_error *) = command->hop;
    command->hop = NULL;
    stet_status status = space_reader_take(command->space, &reader, &command->error);
    if (status == STET_OK) {
        status = hop(command, reader, &command->error);
        space_reader_give(command->space, reader);
    }
    if (status == STET_OK)
        status = command->hop != NULL
                     ? command_detour(command, &command->error)
                     : sequencer_resubmit(command->space->sequencer, command->space, command,
                                          &command->error);
    if (status == STET_OK) return;
    if (command->error.status == STET_OK)
        error_set(&command->error, status, "could not prepare the command");
    command->error.status = status;
    command->status = status;
    struct space *space = command->background ? space_ref(command->space) : NULL;
    client_complete(command->client, command, command);
    if (space == NULL) return;
    /* Nobody waits for it but its sequencer. */
    sequencer_poke(space->sequencer, space);
    space_unref(space);
}

stet_status command_detour(struct stet_command *command, stet_error *err) {
    struct workers *workers = &command->client->engine->workers;
    stet_status status =
        command->judges ? engine_passwords(command->client->engine, &workers, err) : STET_OK;
    command->job.run = run_hop;
    return status == STET_OK ? workers_submit(workers, &command->job, err) : status;
}

static stet_status submit_write(struct stet_command *command, stet_error *err) {
    if (command->kind != COMMAND_RECEIPT) {
        stet_status status = command_prepare(command, &command->error);
        if (status != STET_OK) {
            if (command->error.status == STET_OK)
                error_set(&command->error, status, "could not prepare the write");
            command->error.status = status;
            command->status = status;
            command->done = true;
            return STET_OK;
        }
    }
    command->queue_bytes = weight(command);
    if (command->hop != NULL) return command_detour(command, err);
    return sequencer_submit(command->space->sequencer, command->space, command,
                            command->queue_bytes, err);
}

static stet_status submit_job(struct stet_command *command, stet_error *err) {
    struct workers *workers = &command->client->engine->workers;
    stet_status status =
        command->copies ? engine_copies(command->client->engine, &workers, err) : STET_OK;
    command->job.run = run_job;
    return status == STET_OK ? workers_submit(workers, &command->job, err) : status;
}

void command_cancel(struct stet_command *command) {
    struct space *space = command->space;
    if (space == NULL) return;
    atomic_store(&command->cancelled, true);
    atomic_store(&space->held_changed, true);
    sequencer_poke(space->sequencer, space);
}

/* What a command needs of its actor at all. What modules do they judge themselves. */
static stet_status demand_scope(const struct stet_command *command, const stet_actor *actor,
                                stet_error *err) {
    switch (command->kind) {
    case COMMAND_WRITE:
    case COMMAND_RESOLVE: return actor_demand(actor, STET_SCOPE_WRITE, err);
    case COMMAND_READ:
    case COMMAND_LIST:
    case COMMAND_HISTORY:
    case COMMAND_DIFF: return actor_demand(actor, STET_SCOPE_READ, err);
    case COMMAND_EXPORT: return actor_demand(actor, STET_SCOPE_EXPORT, err);
    case COMMAND_RECEIPT: /* Of their own writes. */
    case COMMAND_STATS:
    case COMMAND_CHECK:
    case COMMAND_MODULE:
    case COMMAND_MODULE_READ:
    case COMMAND_EMPTY: break;
    }
    return STET_OK;
}

stet_status command_submit(struct space *space, const stet_actor *actor,
                           struct stet_command *command, void *context, stet_error *err) {
    if (command->kind == COMMAND_EMPTY || command->submitted)
        return error_set(err, STET_MISUSE, "the command is empty or was submitted before");
    stet_status status = check_actor(actor->id, err);
    if (status != STET_OK) return status;
    if (atomic_load(&space->dropped))
        return error_set(err, STET_NOT_FOUND, "there is no space \"%s\"", space->name);
    status = actor_copy(&command->arena, actor, &command->actor, err);
    if (status != STET_OK) return status;
    command->context = context;
    command->space = space_ref(space);
    command->submitted = true;
    command->status = demand_scope(command, &command->actor, &command->error);
    if (command->status != STET_OK) {
        command->done = true;
        return STET_OK;
    }
    switch (command->kind) {
    case COMMAND_WRITE:
    case COMMAND_RESOLVE:
    case COMMAND_MODULE:
    case COMMAND_RECEIPT: status = submit_write(command, err); break;
    case COMMAND_READ:
        if (command->read.min_seq > ring_published(&space->ring)) {
            status = submit_job(command, err);
            break;
        }
        run_read(command);
        command->done = true;
        break;
    case COMMAND_LIST:
    case COMMAND_HISTORY:
    case COMMAND_DIFF:
    case COMMAND_EXPORT:
    case COMMAND_STATS:
    case COMMAND_CHECK:
    case COMMAND_MODULE_READ: status = submit_job(command, err); break;
    case COMMAND_EMPTY: break;
    }
    if (status != STET_OK) {
        /* Nothing was done; the caller may submit it again. */
        command->submitted = false;
        space_unref(command->space);
        command->space = NULL;
    }
    return status;
}
