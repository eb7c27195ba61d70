/*
 * Lookups and staging for one command. See core/staging.h.
 */
#include "core/staging.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

#include <assert.h>

/* The change behind a head: staged in this batch, or published, or stored. Data borrowed from the change or the arena. */
stet_status staging_head_change(struct staging *staging, const struct store_head *head,
                                struct store_change *row, stet_error *err) {
    const struct change *staged = batch_find_change(staging->batch, head->seq);
    if (staged != NULL) {
        *row = staged->row;
        return STET_OK;
    }
    return store_change_at(store_writer_reader(staging->space->store), &staging->command->arena,
                           head->seq, row, err);
}

/* Whether yours equals the head's data. The hashes tell nearly always; equal ones are verified. */
stet_status staging_equals_head(struct staging *staging, const struct mutation *mutation,
                                const struct store_head *head, bool *equal, stet_error *err) {
    *equal = false;
    if (!mutation->has_yours || head->deleted || mutation->yours_hash != head->hash) return STET_OK;
    struct arena *arena = &staging->command->arena;
    struct store_change row;
    struct doc ours, theirs;
    stet_status status = staging_head_change(staging, head, &row, err);
    if (status != STET_OK) return status;
    if (row.data.size == mutation->yours_data.size && view_equal(row.data, mutation->yours_data)) {
        *equal = true;
        return STET_OK;
    }
    status = change_parse(arena, row.data, &theirs, err);
    if (status != STET_OK) return status;
    status = doc_parse(arena, mutation->yours_data, NULL, &ours, err);
    if (status != STET_OK) return status;
    *equal = doc_equal(&ours, 0, &theirs, 0);
    return STET_OK;
}

/* One version of a record, those staged in this batch included. */
stet_status staging_version(struct staging *staging, const struct mutation *mutation,
                            const struct store_head *head, uint64_t version,
                            struct store_change *row, stet_error *err) {
    const struct batch *batch = staging->batch;
    struct store_reader *reader = store_writer_reader(staging->space->store);
    struct store_head stored;
    for (size_t i = 0; i < batch->change_count; i++) {
        *row = batch->changes[i]->row;
        if (row->first == head->first && row->version == version) return STET_OK;
    }
    stet_status status = store_head(reader, mutation->type, mutation->id, &stored, err);
    if (status != STET_OK) return status;
    if (stored.version == 0) return error_set(err, STET_NOT_FOUND, "the record does not exist");
    status = store_find(reader, &staging->command->arena, &stored, STORE_BOUND_VERSION, version,
                        row, err);
    if (status == STET_OK && row->version != version)
        status = error_set(err, STET_NOT_FOUND, "the record has no version %llu",
                           (unsigned long long)version);
    return status;
}

/* ---- Staging ----------------------------------------------------------------------------- */

/* Asks every module. The first refusal counts. */
static stet_status ask_modules(struct staging *staging, const struct mutation *mutation,
                               enum store_op op, stet_view data, const struct store_head *head,
                               stet_error *err) {
    struct space *space = staging->space;
    struct proposal proposal = {
        .command = staging->command,
        .index = (size_t)(mutation - staging->command->mutations),
        .actor = &staging->command->actor,
        .type = mutation->type,
        .id = mutation->id,
        .op = op,
        .head = head,
        .data = data,
        .now = staging->now,
        .mutation = mutation,
    };
    for (size_t i = 0; i < space->module_count; i++) {
        const struct engine_module_state *module = &space->modules[i];
        if (module->module->check == NULL) continue;
        stet_status status = module->module->check(module->state, &proposal, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

/* Gives a mutation its change, built at preparation or here. */
static stet_status need_change(struct staging *staging, struct mutation *mutation, enum store_op op,
                               stet_view data, uint64_t hash, stet_view merge, stet_error *err) {
    struct stet_command *command = staging->command;
    struct change *change = mutation->change;
    bool fits = change != NULL && view_equal(change->row.merge, merge) &&
                data.size == change->row.data.size && hash == change->hash &&
                (data.size == 0 || change->row.data.bytes == data.bytes ||
                 memcmp(change->row.data.bytes, data.bytes, data.size) == 0);
    if (!fits) {
        struct change_parts parts = {
            .op = op,
            .type = mutation->type,
            .id = mutation->id,
            .by = command->actor.id,
            .key = command->key,
            .source = command->source,
            .merge = merge,
            .origin = change == NULL ? (stet_view){0} : change->row.origin,
            .data = data,
            .hash = hash,
        };
        struct change *built = change_create(&parts);
        if (built == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a change");
        change_unref(mutation->change);
        mutation->change = built;
    }
    mutation->change->row.op = op;
    return STET_OK;
}

/* Numbers the mutation's next version and puts it into the batch. What it would break was asked before. */
static stet_status stage(struct staging *staging, struct mutation *mutation, enum store_op op,
                         stet_view data, uint64_t hash, stet_view merge, struct store_head *head,
                         stet_error *err) {
    struct space *space = staging->space;
    stet_status status = need_change(staging, mutation, op, data, hash, merge, err);
    if (status != STET_OK) return status;
    status = batch_reserve(staging->batch, err);
    if (status != STET_OK) return status;

    struct change *change = mutation->change;
    struct store_head after = *head;
    change->row.seq = space->seq + 1;
    change->row.transaction = change->row.seq; /* Until the command is accepted. */
    change->row.stamp = space->stamp + 1 > staging->now ? space->stamp + 1 : staging->now;
    change->row.version = head->version + 1;
    if (head->version == 0 && mutation->imported && mutation->origin.version > 0)
        change->row.version = mutation->origin.version;
    change->row.base_version =
        mutation->base.kind == STET_BASE_VERSION ? mutation->base.value : head->version;
    if (change->row.base_version > head->version) change->row.base_version = 0;
    status = store_head_advance(&after, &change->row, hash, err);
    if (status != STET_OK) return status;
    struct store_head before = *head;
    status = heads_stage(&space->heads, head, err);
    if (status != STET_OK) return status;
    *head = after;
    batch_add_change(staging->batch, change, &before);
    space->seq = change->row.seq;
    space->stamp = change->row.stamp;
    mutation->decision = DECISION_STAGED;
    mutation->status = STET_OK;
    mutation->after_version = after.version;
    mutation->after_seq = after.seq;
    return STET_OK;
}

stet_status staging_data(struct staging *staging, struct mutation *mutation, stet_view data,
                         uint64_t hash, stet_view merge, struct store_head *head, stet_error *err) {
    bool creates = head->version == 0 || head->deleted;
    enum store_op op = creates ? STORE_CREATE : STORE_UPDATE;
    stet_status status = ask_modules(staging, mutation, op, data, head, err);
    if (status != STET_OK) return status;
    return stage(staging, mutation, op, data, hash, merge, head, err);
}

stet_status staging_tombstone(struct staging *staging, struct mutation *mutation, stet_view merge,
                              struct store_head *head, stet_error *err) {
    stet_view last = mutation->last_data;
    if (mutation->prepared_version != head->version) {
        struct store_change row;
        stet_status status = staging_head_change(staging, head, &row, err);
        if (status != STET_OK) return status;
        last = row.data;
        atomic_fetch_add_explicit(&staging->space->counters.retries, 1, memory_order_relaxed);
    }
    stet_status status = ask_modules(staging, mutation, STORE_DELETE, last, head, err);
    if (status != STET_OK) return status;
    return stage(staging, mutation, STORE_DELETE, last, 0, merge, head, err);
}

/* ---- Waiting ----------------------------------------------------------------------------- */

stet_status staging_hold(struct staging *staging, uint64_t tag, int64_t until_monotonic,
                         stet_error *err) {
    struct stet_command *command = staging->command;
    if (staging->space->held_count >= HELD_COMMANDS_MAX) {
        error_set(err, STET_BUSY, "too many requests wait in space \"%s\"", staging->space->name);
        error_field(err, "wait_s", HELD_COMMANDS_MAX);
        return STET_BUSY;
    }
    command->held = true;
    command->held_tag = tag;
    command->held_until = until_monotonic;
    return STET_OK;
}

/* ---- For modules ------------------------------------------------------------------------- */

stet_status staging_read(struct staging *staging, stet_view type, stet_view id,
                         struct store_head *head, struct store_change *row, stet_error *err) {
    struct store_head *current;
    stet_status status =
        heads_get(&staging->space->heads, store_writer_reader(staging->space->store), type, id,
                  &current, err);
    if (status != STET_OK) return status;
    if (row != NULL && current->version > 0) {
        status = staging_head_change(staging, current, row, err);
        if (status != STET_OK) return status;
    }
    *head = *current;
    return STET_OK;
}

/* A place for a record a module stages, with its head. */
static stet_status add_record(struct staging *staging, stet_view type, stet_view id,
                              struct staged_record **record, struct store_head **head,
                              stet_error *err) {
    struct arena *arena = &staging->command->arena;
    assert(type_is_system(type));
    *record = arena_zalloc(arena, 1, sizeof **record);
    if (*record == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a record");
    stet_status status = heads_get(&staging->space->heads,
                                   store_writer_reader(staging->space->store), type, id, head, err);
    if (status != STET_OK) return status;
    (*record)->mutation = (struct mutation){
        .type = arena_copy(arena, type), .id = arena_copy(arena, id), .before = **head};
    if ((*record)->mutation.type.bytes == NULL || (*record)->mutation.id.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for a record");
    (*record)->next = staging->command->extra;
    staging->command->extra = *record;
    return STET_OK;
}

/* Runs stage with the module's own words for where the change came from. */
static stet_status stage_record(struct staging *staging, struct staged_record *record,
                                enum store_op op, stet_view data, uint64_t hash, stet_view source,
                                struct store_head *head, stet_error *err) {
    stet_view command_source = staging->command->source;
    if (!view_is_empty(source)) staging->command->source = source;
    stet_status status =
        stage(staging, &record->mutation, op, data, hash, (stet_view){0}, head, err);
    staging->command->source = command_source;
    return status;
}

stet_status staging_put(struct staging *staging, stet_view type, stet_view id, stet_view data,
                        stet_view source, struct store_head *after, stet_error *err) {
    struct staged_record *record;
    struct store_head *head;
    struct doc doc;
    stet_status status = doc_parse(&staging->command->arena, data, NULL, &doc, err);
    if (status == STET_OK) status = add_record(staging, type, id, &record, &head, err);
    if (status != STET_OK) return status;
    bool creates = head->version == 0 || head->deleted;
    status = stage_record(staging, record, creates ? STORE_CREATE : STORE_UPDATE, data,
                          doc_hash(&doc, 0), source, head, err);
    if (status == STET_OK && after != NULL) *after = *head;
    return status;
}

stet_status staging_delete(struct staging *staging, stet_view type, stet_view id, stet_view source,
                           stet_error *err) {
    struct staged_record *record;
    struct store_head *head;
    struct store_change row;
    stet_status status = add_record(staging, type, id, &record, &head, err);
    if (status != STET_OK || head->version == 0 || head->deleted) return status;
    status = staging_head_change(staging, head, &row, err);
    if (status != STET_OK) return status;
    return stage_record(staging, record, STORE_DELETE, row.data, 0, source, head, err);
}
