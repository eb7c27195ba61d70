/*
 * One command against the heads. decide_mutation is the table of outcomes; everything else serves it.
 */
#include "core/decide.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/patch.h"
#include "doc/write.h"

#include <assert.h>

/* What the functions here share; lives for one call of decide. */
struct decider {
    struct space *space;
    struct batch *batch;
    struct stet_command *command;
    int64_t now;
    bool merged; /* A strategy settled a stale write. */
};

static stet_status refuse(struct mutation *mutation, stet_status status) {
    mutation->decision = DECISION_REFUSED;
    mutation->status = status;
    return status;
}

/* Refuses with words of our own; without memory for them the status must do. */
static stet_status refuse_with(struct decider *decider, struct mutation *mutation,
                               const stet_error *err) {
    mutation->error = arena_alloc(&decider->command->arena, sizeof *mutation->error);
    if (mutation->error != NULL) *mutation->error = *err;
    return refuse(mutation, err->status);
}

/* The change behind a head: staged in this batch, or published, or stored. Data borrowed from the change or the arena. */
static stet_status head_change(struct decider *decider, const struct store_head *head,
                               struct store_change *row, stet_error *err) {
    const struct change *staged = batch_find_change(decider->batch, head->seq);
    if (staged != NULL) {
        *row = staged->row;
        return STET_OK;
    }
    return store_change_at(store_writer_reader(decider->space->store), &decider->command->arena,
                           head->seq, row, err);
}

/* Whether yours equals the head's data. The hashes tell nearly always; equal ones are verified. */
static stet_status equals_head(struct decider *decider, const struct mutation *mutation,
                               const struct store_head *head, bool *equal, stet_error *err) {
    *equal = false;
    if (!mutation->has_yours || head->deleted || mutation->yours_hash != head->hash) return STET_OK;
    struct arena *arena = &decider->command->arena;
    struct store_change row;
    struct doc ours, theirs;
    stet_status status = head_change(decider, head, &row, err);
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

/* ---- Staging ----------------------------------------------------------------------------- */

/* Asks every module. The first refusal counts. */
static stet_status ask_modules(struct decider *decider, const struct mutation *mutation,
                               size_t index, enum store_op op, stet_view data,
                               const struct store_head *head, stet_error *err) {
    struct space *space = decider->space;
    struct proposal proposal = {
        .command = decider->command,
        .index = index,
        .actor = &decider->command->actor,
        .type = mutation->type,
        .id = mutation->id,
        .op = op,
        .head = head,
        .data = data,
        .now = decider->now,
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
static stet_status need_change(struct decider *decider, struct mutation *mutation, enum store_op op,
                               stet_view data, uint64_t hash, stet_view merge, stet_error *err) {
    struct stet_command *command = decider->command;
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

static stet_status stage(struct decider *decider, size_t index, enum store_op op, stet_view data,
                         uint64_t hash, stet_view merge, struct store_head *head, stet_error *err) {
    struct space *space = decider->space;
    struct mutation *mutation = &decider->command->mutations[index];
    stet_status status = ask_modules(decider, mutation, index, op, data, head, err);
    if (status != STET_OK) return status;
    status = need_change(decider, mutation, op, data, hash, merge, err);
    if (status != STET_OK) return status;
    status = batch_reserve(decider->batch, err);
    if (status != STET_OK) return status;

    struct change *change = mutation->change;
    struct store_head after = *head;
    change->row.seq = space->seq + 1;
    change->row.transaction = change->row.seq; /* Until the command is accepted. */
    change->row.stamp = space->stamp + 1 > decider->now ? space->stamp + 1 : decider->now;
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
    batch_add_change(decider->batch, change, &before);
    space->seq = change->row.seq;
    space->stamp = change->row.stamp;
    mutation->decision = DECISION_STAGED;
    mutation->status = STET_OK;
    mutation->after_version = after.version;
    mutation->after_seq = after.seq;
    return STET_OK;
}

static stet_status stage_data(struct decider *decider, size_t index, stet_view data, uint64_t hash,
                              stet_view merge, struct store_head *head, stet_error *err) {
    bool creates = head->version == 0 || head->deleted;
    return stage(decider, index, creates ? STORE_CREATE : STORE_UPDATE, data, hash, merge, head,
                 err);
}

/* A delete carries the last data, so that filters and permissions still apply to it. */
static stet_status stage_delete(struct decider *decider, size_t index, stet_view merge,
                                struct store_head *head, stet_error *err) {
    struct mutation *mutation = &decider->command->mutations[index];
    stet_view last = mutation->last_data;
    if (mutation->prepared_version != head->version) {
        struct store_change row;
        stet_status status = head_change(decider, head, &row, err);
        if (status != STET_OK) return status;
        last = row.data;
        atomic_fetch_add_explicit(&decider->space->counters.retries, 1, memory_order_relaxed);
    }
    return stage(decider, index, STORE_DELETE, last, 0, merge, head, err);
}

/* ---- Strategies -------------------------------------------------------------------------- */

/* {"strategy", "parents": [base, current], "over": [versions the writer had not seen]}; the list is cut at its first and last. */
static stet_view provenance(struct decider *decider, const struct mutation *mutation,
                            const struct store_head *head) {
    struct buffer buffer;
    struct json_writer writer;
    uint64_t base = mutation->base.kind == STET_BASE_VERSION ? mutation->base.value : 0;
    if (base > head->version) base = 0;
    buffer_init(&buffer, &decider->command->arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("strategy"), VIEW("last_writer_wins"));
    json_key(&writer, VIEW("parents"));
    json_array_begin(&writer);
    json_u64(&writer, base);
    json_u64(&writer, head->version);
    json_array_end(&writer);
    json_key(&writer, VIEW("over"));
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("from"), base + 1);
    json_member_u64(&writer, VIEW("to"), head->version);
    json_object_end(&writer);
    json_object_end(&writer);
    return json_end(&writer) == STET_OK ? buffer_view(&buffer) : (stet_view){0};
}

static bool is_patch(const struct mutation *mutation) {
    return mutation->op == STET_OP_PATCH || mutation->op == STET_OP_PATCH_JSON;
}

/* A patch on top of what stands there now. */
static stet_status patch_head(struct decider *decider, struct mutation *mutation,
                              const struct store_head *head, stet_view *data, uint64_t *hash,
                              stet_error *err) {
    struct arena *arena = &decider->command->arena;
    struct store_change row;
    struct doc target, result;
    stet_status status = head_change(decider, head, &row, err);
    if (status != STET_OK) return status;
    status = change_parse(arena, row.data, &target, err);
    if (status != STET_OK) return status;
    /* Every operation may look at the whole record, and the whole space waits meanwhile. */
    uint64_t steps = (uint64_t)doc_count(&mutation->body_doc, 0) * doc_weight(&target, 0);
    if (mutation->op == STET_OP_PATCH_JSON && steps > PATCH_INLINE_STEPS_MAX) {
        error_set(err, STET_TOO_LARGE,
                  "the patch is too dear to be applied on top of another change");
        error_field(err, "patch", PATCH_INLINE_STEPS_MAX);
        return STET_TOO_LARGE;
    }
    status = mutation->op == STET_OP_PATCH
                 ? doc_merge_patch(arena, &target, &mutation->body_doc, data, err)
                 : doc_json_patch(arena, &target, &mutation->body_doc, data, err);
    if (status != STET_OK) return status;
    status = doc_parse(arena, *data, NULL, &result, err);
    if (status != STET_OK) return status;
    if (doc_kind(&result, 0) != DOC_OBJECT)
        return error_set(err, STET_PATCH_FAILED, "the patch does not leave a JSON object");
    *hash = doc_hash(&result, 0);
    return STET_OK;
}

static stet_status last_writer_wins(struct decider *decider, size_t index, struct store_head *head,
                                    stet_error *err) {
    struct mutation *mutation = &decider->command->mutations[index];
    stet_view merge = provenance(decider, mutation, head);
    if (view_is_empty(merge)) return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
    if (mutation->op == STET_OP_DELETE) {
        decider->merged = true;
        return stage_delete(decider, index, merge, head, err);
    }
    stet_view data = mutation->yours_data;
    uint64_t hash = mutation->yours_hash;
    if (is_patch(mutation) && !head->deleted) {
        stet_status status = patch_head(decider, mutation, head, &data, &hash, err);
        if (status != STET_OK) return status;
        if (hash == head->hash) {
            struct mutation as_head = *mutation;
            bool equal;
            as_head.has_yours = true;
            as_head.yours_data = data;
            as_head.yours_hash = hash;
            status = equals_head(decider, &as_head, head, &equal, err);
            if (status != STET_OK) return status;
            if (equal) {
                mutation->decision = DECISION_UNCHANGED;
                return STET_OK;
            }
        }
    } else if (!mutation->has_yours) {
        return error_set(err, STET_CONCURRENT_MODIFICATION, "the base of the patch is not kept");
    }
    decider->merged = true;
    return stage_data(decider, index, data, hash, merge, head, err);
}

/* A base that is not the head, and no equal result: the strategy decides. */
static stet_status settle_stale(struct decider *decider, size_t index, struct store_head *head,
                                stet_error *err) {
    switch (decider->command->mutations[index].on_conflict) {
    case STET_STRATEGY_LAST_WRITER_WINS: return last_writer_wins(decider, index, head, err);
    case STET_STRATEGY_DEFAULT:
    case STET_STRATEGY_REJECT: break;
    }
    return error_set(err, STET_CONCURRENT_MODIFICATION, "somebody else changed the record");
}

/* ---- Late preparation -------------------------------------------------------------------- */

/* One version of a record, those staged in this batch included. */
static stet_status version_data(struct decider *decider, const struct mutation *mutation,
                                const struct store_head *head, uint64_t version,
                                struct store_change *row, stet_error *err) {
    const struct batch *batch = decider->batch;
    struct store_reader *reader = store_writer_reader(decider->space->store);
    struct store_head stored;
    for (size_t i = 0; i < batch->change_count; i++) {
        *row = batch->changes[i]->row;
        if (row->first == head->first && row->version == version) return STET_OK;
    }
    stet_status status = store_head(reader, mutation->type, mutation->id, &stored, err);
    if (status != STET_OK) return status;
    if (stored.version == 0) return error_set(err, STET_NOT_FOUND, "the record does not exist");
    status = store_find(reader, &decider->command->arena, &stored, STORE_BOUND_VERSION, version,
                        row, err);
    if (status == STET_OK && row->version != version)
        status = error_set(err, STET_NOT_FOUND, "the record has no version %llu",
                           (unsigned long long)version);
    return status;
}

static stet_status revert_late(struct decider *decider, struct mutation *mutation,
                               const struct store_head *head, stet_error *err) {
    struct arena *arena = &decider->command->arena;
    struct store_change row;
    struct doc doc;
    stet_status status = version_data(decider, mutation, head, mutation->revert_to, &row, err);
    if (status != STET_OK) return status;
    if (row.op == STORE_DELETE || row.pruned) return STET_NOT_FOUND;
    status = change_parse(arena, row.data, &doc, err);
    if (status != STET_OK) return status;
    mutation->yours_data = arena_copy(arena, row.data);
    if (mutation->yours_data.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    mutation->yours_hash = doc_hash(&doc, 0);
    return STET_OK;
}

/*
 * What the preparation could not compute. A version it did not find may have been committed, or staged, since: a client need not
 * wait for the answer to one write before it sends the next. Any other failure counts now.
 */
static stet_status prepare_late(struct decider *decider, struct mutation *mutation,
                                const struct store_head *head, stet_error *err) {
    stet_status status = mutation->prepare_status;
    if (status == STET_NOT_FOUND && is_patch(mutation)) {
        status =
            patch_head(decider, mutation, head, &mutation->yours_data, &mutation->yours_hash, err);
        mutation->has_yours = status == STET_OK;
    } else if (status == STET_NOT_FOUND && mutation->op == STET_OP_REVERT) {
        stet_error late = {0};
        status = revert_late(decider, mutation, head, &late);
        mutation->has_yours = status == STET_OK;
        if (status != STET_OK && status != STET_NOT_FOUND) *err = late;
    }
    if (mutation->has_yours) {
        mutation->prepared_late = true;
        atomic_fetch_add_explicit(&decider->space->counters.retries, 1, memory_order_relaxed);
    } else if (status == mutation->prepare_status && mutation->prepare_error != NULL) {
        *err = *mutation->prepare_error;
    }
    assert(mutation->has_yours == (status == STET_OK));
    return status;
}

/* ---- The table of outcomes --------------------------------------------------------------- */

static bool creates(const struct mutation *mutation) {
    return mutation->op == STET_OP_CREATE ||
           (mutation->op == STET_OP_PUT &&
            (mutation->base.kind == STET_BASE_NONE || mutation->base.kind == STET_BASE_ABSENT));
}

static stet_status decide_check(struct decider *decider, struct mutation *mutation,
                                const struct store_head *head, stet_error *err) {
    bool exists = head->version > 0 && !head->deleted;
    mutation->decision = DECISION_PASSED;
    switch (mutation->base.kind) {
    case STET_BASE_ABSENT:
        if (exists) return error_set(err, STET_ALREADY_EXISTS, "the record exists");
        return STET_OK;
    case STET_BASE_VERSION:
        if (head->version == 0) return error_set(err, STET_NOT_FOUND, "the record does not exist");
        if ((!exists && !decider->command->keeps_deleted) || mutation->base.value != head->version)
            return error_set(err, STET_CONCURRENT_MODIFICATION, "somebody else changed the record");
        return STET_OK;
    case STET_BASE_NONE:
    case STET_BASE_UPDATED_AT: /* Became a version at preparation. */ break;
    }
    return error_set(err, STET_PRECONDITION_REQUIRED, "a check must name a version");
}

/* The record was never there, or is deleted. */
static stet_status decide_absent(struct decider *decider, size_t index, struct store_head *head,
                                 stet_error *err) {
    struct mutation *mutation = &decider->command->mutations[index];
    bool fresh = mutation->base.kind == STET_BASE_VERSION && mutation->base.value == head->version;
    bool stale = mutation->base.kind == STET_BASE_VERSION && !fresh;
    if (mutation->imported && head->deleted) {
        /* Loading a file again must not undo what was deleted since. */
        return error_set(err, STET_DELETED,
                         "the record was deleted; an import does not bring it back");
    }
    if (creates(mutation))
        return stage_data(decider, index, mutation->yours_data, mutation->yours_hash,
                          (stet_view){0}, head, err);
    if (head->version == 0) return error_set(err, STET_NOT_FOUND, "the record does not exist");
    if (mutation->op == STET_OP_DELETE)
        return error_set(err, STET_DELETED, "the record was deleted");
    if (stale) return settle_stale(decider, index, head, err); /* Delete against edit. */
    if (mutation->op == STET_OP_REVERT && !fresh)
        return error_set(err, STET_PRECONDITION_REQUIRED,
                         "the write must name the version it was made from");
    if (mutation->op == STET_OP_REVERT && !mutation->has_yours) {
        stet_status status = prepare_late(decider, mutation, head, err);
        if (status != STET_OK) return status;
    }
    if (fresh && (mutation->op == STET_OP_PUT || mutation->op == STET_OP_REVERT))
        return stage_data(decider, index, mutation->yours_data, mutation->yours_hash,
                          decider->command->merge, head, err);
    return error_set(err, STET_DELETED, "the record was deleted");
}

static stet_status decide_existing(struct decider *decider, size_t index, struct store_head *head,
                                   stet_error *err) {
    struct mutation *mutation = &decider->command->mutations[index];
    bool only_absent = mutation->op == STET_OP_CREATE || mutation->base.kind == STET_BASE_ABSENT;
    bool equal = false;
    if (only_absent && !mutation->imported)
        return error_set(err, STET_ALREADY_EXISTS, "the record exists already");
    if (!only_absent && mutation->base.kind == STET_BASE_NONE)
        return error_set(err, STET_PRECONDITION_REQUIRED,
                         "the write must name the version it was made from");
    stet_status status = equals_head(decider, mutation, head, &equal, err);
    if (status != STET_OK) return status;
    if (equal) {
        mutation->decision = DECISION_UNCHANGED;
        return STET_OK;
    }
    if (only_absent) return error_set(err, STET_ALREADY_EXISTS, "the record exists already");
    if (mutation->base.value != head->version) return settle_stale(decider, index, head, err);
    if (mutation->op == STET_OP_DELETE)
        return stage_delete(decider, index, decider->command->merge, head, err);
    if (!mutation->has_yours) {
        status = prepare_late(decider, mutation, head, err);
        if (status == STET_OK) status = equals_head(decider, mutation, head, &equal, err);
        if (status != STET_OK) return status;
        if (equal) {
            mutation->decision = DECISION_UNCHANGED;
            return STET_OK;
        }
    }
    return stage_data(decider, index, mutation->yours_data, mutation->yours_hash,
                      decider->command->merge, head, err);
}

static stet_status decide_mutation(struct decider *decider, size_t index) {
    struct stet_command *command = decider->command;
    struct mutation *mutation = &command->mutations[index];
    struct space *space = decider->space;
    struct store_head *head;
    stet_error err = {0};
    if (type_is_system(mutation->type) &&
        (command->owner == NULL || space_type_owner(space, mutation->type) != command->owner)) {
        error_set(&err, STET_SYSTEM_TYPE, "records of type \"%.*s\" are changed only by the system",
                  VIEW_ARG(mutation->type));
        return refuse_with(decider, mutation, &err);
    }
    stet_status status = heads_get(&space->heads, store_writer_reader(space->store), mutation->type,
                                   mutation->id, &head, &err);
    if (status != STET_OK) return refuse_with(decider, mutation, &err);
    mutation->before = *head;
    mutation->after_version = head->version;
    mutation->after_seq = head->seq;
    if (mutation->op == STET_OP_CHECK) {
        status = decide_check(decider, mutation, head, &err);
    } else if (head->version == 0 || head->deleted) {
        status = decide_absent(decider, index, head, &err);
    } else {
        status = decide_existing(decider, index, head, &err);
    }
    if (status == STET_OK) return STET_OK;
    err.status = status;
    return refuse_with(decider, mutation, &err);
}

/* ---- Commands ---------------------------------------------------------------------------- */

/* True when the key settles the command: replayed, reused, or the lookup failed. */
static bool decide_by_key(struct decider *decider) {
    struct stet_command *command = decider->command;
    struct space *space = decider->space;
    struct store_key stored;
    if (!command->has_key) return false;
    const struct store_key *staged =
        batch_find_key(decider->batch, command->key_bytes, command->actor.id);
    if (staged != NULL) {
        stored = *staged;
        stored.result = arena_copy(&command->arena, staged->result);
        if (stored.result.bytes == NULL) {
            command->status = error_set(&command->error, STET_NO_MEMORY, "out of memory");
            return true;
        }
    } else {
        stet_status status =
            store_key_find(store_writer_reader(space->store), &command->arena, command->key_bytes,
                           command->actor.id, &stored, &command->error);
        if (status == STET_NOT_FOUND) {
            command->error = (stet_error){0};
            return false;
        }
        if (status != STET_OK) {
            command->status = status;
            return true;
        }
    }
    if (command->kind == COMMAND_RECEIPT) {
        command->replay = stored;
        command->replayed = true;
    } else if (command->single_use_key) {
        command->status = error_set(&command->error, STET_ALREADY_RESOLVED,
                                    "this resolution token was used already");
    } else if (memcmp(stored.request, command->request_hash, STORE_HASH_BYTES) != 0) {
        command->status = error_set(&command->error, STET_KEY_REUSED,
                                    "the mutation key was used for another request");
        error_field(&command->error, "Idempotency-Key", 0);
    } else {
        command->replay = stored;
        command->replayed = true;
        atomic_fetch_add_explicit(&space->counters.replays, 1, memory_order_relaxed);
    }
    return true;
}

static void decide_receipt(struct decider *decider) {
    struct stet_command *command = decider->command;
    if (decide_by_key(decider)) return;
    const struct receipt *receipt = receipts_find(&decider->space->receipts, command->key_bytes,
                                                  view_hash(command->actor.id, 0));
    command->status = STET_OK;
    command->receipt_status = receipt == NULL ? STET_OK : receipt->status;
    command->decided_seq = receipt == NULL ? decider->space->seq : receipt->seq;
}

/* The whole command is accepted: its changes become one transaction, and its key is taken. */
static void accept(struct decider *decider, size_t first_change) {
    struct stet_command *command = decider->command;
    struct space *space = decider->space;
    struct batch *batch = decider->batch;
    for (size_t i = first_change; i < batch->change_count; i++) {
        struct change *change = batch->changes[i];
        change->row.transaction = space->seq;
        for (size_t m = 0; m < space->module_count; m++) {
            const struct module *module = space->modules[m].module;
            if (module->apply != NULL) module->apply(space->modules[m].state, &change->row);
        }
    }
    command->staged_any = batch->change_count > first_change;
    if (command->has_key) {
        struct store_key key = {.actor = command->actor.id, .result = command->key_result};
        memcpy(key.key, command->key_bytes, sizeof key.key);
        memcpy(key.request, command->request_hash, sizeof key.request);
        batch_add_key(batch, &key);
    }
}

static void count_refusal(struct space *space, stet_status status) {
    /* Conflicts are counted by kind where their document is made. */
    if (status != STET_CONCURRENT_MODIFICATION)
        atomic_fetch_add_explicit(&space->counters.refused, 1, memory_order_relaxed);
}

static void decide_write(struct decider *decider) {
    struct stet_command *command = decider->command;
    struct space *space = decider->space;
    struct batch *batch = decider->batch;
    size_t mark = heads_mark(&space->heads);
    size_t first_change = batch->change_count;
    uint64_t seq = space->seq;
    int64_t stamp = space->stamp;
    atomic_fetch_add_explicit(&space->counters.commands, 1, memory_order_relaxed);
    if (decide_by_key(decider)) return;
    if (atomic_load_explicit(&space->halted, memory_order_relaxed)) {
        command->status =
            error_set(&command->error, STET_UNAVAILABLE,
                      "space \"%s\" takes no writes until the server is restarted: the outcome "
                      "of a commit is unknown",
                      space->name);
        return;
    }
    stet_status status = STET_OK;
    for (size_t i = 0; i < command->mutation_count; i++) {
        stet_status decided = decide_mutation(decider, i);
        if (status == STET_OK) status = decided;
    }
    if (status == STET_OK) status = batch_reserve(batch, &command->error);
    if (status == STET_OK && command->has_key) {
        command->key_result = command_encode_result(command);
        if (command->key_result.bytes == NULL)
            status = error_set(&command->error, STET_NO_MEMORY, "out of memory for a receipt");
    }
    command->status = status;
    command->merged = decider->merged && status == STET_OK;
    if (status == STET_OK && !command->dry_run) {
        accept(decider, first_change);
        if (!command->staged_any)
            atomic_fetch_add_explicit(&space->counters.unchanged, 1, memory_order_relaxed);
    } else {
        heads_undo(&space->heads, mark);
        batch_truncate(batch, first_change);
        for (size_t i = 0; i < command->mutation_count && status == STET_OK; i++)
            if (command->mutations[i].change != NULL)
                command->mutations[i].change->row.transaction = space->seq;
        command->decided_seq = status == STET_OK ? space->seq : seq;
        space->seq = seq;
        space->stamp = stamp;
        if (status != STET_OK) {
            count_refusal(space, status);
            if (command->has_key && !command->dry_run) {
                struct receipt receipt = {
                    .actor_hash = view_hash(command->actor.id, 0), .status = status, .seq = seq};
                memcpy(receipt.key, command->key_bytes, sizeof receipt.key);
                receipts_add(&space->receipts, &receipt);
            }
        }
        return;
    }
    command->decided_seq = space->seq;
}

void decide(struct space *space, struct batch *batch, struct stet_command *command, int64_t now) {
    struct decider decider = {.space = space, .batch = batch, .command = command, .now = now};
    command->decided_seq = space->seq;
    if (command->kind == COMMAND_RECEIPT) {
        decide_receipt(&decider);
    } else {
        decide_write(&decider);
    }
}

void decide_reset(struct stet_command *command) {
    command->status = STET_OK;
    command->error = (stet_error){0};
    command->replayed = false;
    command->staged_any = false;
    command->merged = false;
    for (size_t i = 0; i < command->mutation_count; i++) {
        command->mutations[i].decision = DECISION_NONE;
        command->mutations[i].status = STET_OK;
        command->mutations[i].error = NULL;
        /* What it was computed from may not come again. */
        if (command->mutations[i].prepared_late) command->mutations[i].has_yours = false;
        command->mutations[i].prepared_late = false;
    }
}
