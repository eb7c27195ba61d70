/*
 * One command against the heads. decide_mutation is the table of outcomes; everything else serves it.
 */
#include "core/decide.h"

#include "base/error.h"
#include "base/view.h"
#include "core/permit.h"
#include "core/purge.h"
#include "core/reservations.h"
#include "core/settle.h"
#include "core/spans.h"

#include <assert.h>

static stet_status refuse(struct mutation *mutation, stet_status status) {
    mutation->decision = DECISION_REFUSED;
    mutation->status = status;
    return status;
}

/* Refuses with words of our own; without memory for them the status must do. */
static stet_status refuse_with(struct staging *staging, struct mutation *mutation,
                               const stet_error *err) {
    mutation->error = arena_alloc(&staging->command->arena, sizeof *mutation->error);
    if (mutation->error != NULL) *mutation->error = *err;
    return refuse(mutation, err->status);
}

/* ---- The table of outcomes --------------------------------------------------------------- */

static bool creates(const struct mutation *mutation) {
    return mutation->op == STET_OP_CREATE ||
           (mutation->op == STET_OP_PUT &&
            (mutation->base.kind == STET_BASE_NONE || mutation->base.kind == STET_BASE_ABSENT));
}

static stet_status decide_check(struct staging *staging, struct mutation *mutation,
                                const struct store_head *head, stet_error *err) {
    bool exists = head->version > 0 && !head->deleted;
    mutation->decision = DECISION_PASSED;
    switch (mutation->base.kind) {
    case STET_BASE_ABSENT:
        if (exists) return error_set(err, STET_ALREADY_EXISTS, "the record exists");
        return STET_OK;
    case STET_BASE_VERSION:
        if (head->version == 0) return error_set(err, STET_NOT_FOUND, "the record does not exist");
        if ((!exists && !staging->command->keeps_deleted) || mutation->base.value != head->version)
            return error_set(err, STET_CONCURRENT_MODIFICATION, "somebody else changed the record");
        return STET_OK;
    case STET_BASE_NONE:
    case STET_BASE_UPDATED_AT: /* Became a version at preparation. */ break;
    }
    return error_set(err, STET_PRECONDITION_REQUIRED, "a check must name a version");
}

/* The record was never there, or is deleted. */
static stet_status decide_absent(struct staging *staging, struct mutation *mutation,
                                 struct store_head *head, stet_error *err) {
    bool fresh = mutation->base.kind == STET_BASE_VERSION && mutation->base.value == head->version;
    bool stale = mutation->base.kind == STET_BASE_VERSION && !fresh;
    if (mutation->imported && head->deleted) {
        /* Loading a file again must not undo what was deleted since. */
        return error_set(err, STET_DELETED,
                         "the record was deleted; an import does not bring it back");
    }
    if (creates(mutation))
        return staging_data(staging, mutation, mutation->yours_data, mutation->yours_hash,
                            (stet_view){0}, head, err);
    if (head->version == 0) return error_set(err, STET_NOT_FOUND, "the record does not exist");
    if (mutation->op == STET_OP_DELETE)
        return error_set(err, STET_DELETED, "the record was deleted");
    if (stale) return settle_stale(staging, mutation, head, err); /* Delete against edit. */
    if (mutation->op == STET_OP_REVERT && !fresh)
        return error_set(err, STET_PRECONDITION_REQUIRED,
                         "the write must name the version it was made from");
    if (mutation->op == STET_OP_REVERT && !mutation->has_yours) {
        stet_status status = settle_prepare_late(staging, mutation, head, err);
        if (status != STET_OK) return status;
    }
    if (fresh && (mutation->op == STET_OP_PUT || mutation->op == STET_OP_REVERT))
        return staging_data(staging, mutation, mutation->yours_data, mutation->yours_hash,
                            staging->command->merge, head, err);
    return error_set(err, STET_DELETED, "the record was deleted");
}

static stet_status decide_existing(struct staging *staging, struct mutation *mutation,
                                   struct store_head *head, stet_error *err) {
    bool only_absent = mutation->op == STET_OP_CREATE || mutation->base.kind == STET_BASE_ABSENT;
    bool equal = false;
    bool from_head = false; /* Made without a base, where the type lets that pass for the head. */
    if (only_absent && !mutation->imported)
        return error_set(err, STET_ALREADY_EXISTS, "the record exists already");
    if (!only_absent && mutation->base.kind == STET_BASE_NONE) {
        const struct policy *policy = policy_staged(staging->space, mutation->type);
        from_head = policy != NULL && policy->preconditions_optional;
        /* A patch could not be applied to anything yet. */
        if (from_head && !mutation->has_yours && mutation->prepare_status == STET_OK)
            mutation->prepare_status = STET_NOT_FOUND;
    }
    if (!only_absent && mutation->base.kind == STET_BASE_NONE && !from_head)
        return error_set(err, STET_PRECONDITION_REQUIRED,
                         "the write must name the version it was made from");
    bool stale = !only_absent && !from_head && mutation->base.value != head->version;
    /* Two who each add one to a counter write the same, and both must count. */
    if (stale && settle_counts(staging, mutation))
        return settle_stale(staging, mutation, head, err);
    stet_status status = staging_equals_head(staging, mutation, head, &equal, err);
    if (status != STET_OK) return status;
    if (equal) {
        mutation->decision = DECISION_UNCHANGED;
        return STET_OK;
    }
    if (only_absent) return error_set(err, STET_ALREADY_EXISTS, "the record exists already");
    if (stale) return settle_stale(staging, mutation, head, err);
    if (mutation->op == STET_OP_DELETE)
        return staging_tombstone(staging, mutation, staging->command->merge, head, err);
    if (!mutation->has_yours) {
        status = settle_prepare_late(staging, mutation, head, err);
        if (status == STET_OK) status = staging_equals_head(staging, mutation, head, &equal, err);
        if (status != STET_OK) return status;
        if (equal) {
            mutation->decision = DECISION_UNCHANGED;
            return STET_OK;
        }
    }
    return staging_data(staging, mutation, mutation->yours_data, mutation->yours_hash,
                        staging->command->merge, head, err);
}

/* Whether a version that is there is the one that is imported. Of what is no longer kept, its place is all there is to compare. */
static stet_status same_version(struct staging *staging, struct mutation *mutation,
                                const struct store_head *head, bool *same, stet_error *err) {
    struct arena *arena = &staging->command->arena;
    struct store_change row;
    struct doc theirs;
    stet_status status =
        staging_version(staging, mutation, head, mutation->origin.version, &row, err);
    *same = true;
    if (status == STET_PRUNED) {
        *err = (stet_error){0};
        return STET_OK;
    }
    if (status == STET_NOT_FOUND) {
        *err = (stet_error){0};
        *same = false; /* The record begins later here. */
        return STET_OK;
    }
    if (status != STET_OK) return status;
    *same = (row.op == STORE_DELETE) == (mutation->op == STET_OP_DELETE);
    if (!*same || row.op == STORE_DELETE || row.pruned || view_is_empty(row.data)) return STET_OK;
    status = change_parse(arena, row.data, &theirs, err);
    if (status == STET_OK) *same = doc_equal(&theirs, 0, &mutation->body_doc, 0);
    return status;
}

/* Only a version that was imported, too, is followed by the next one: what was written here goes its own way. */
static stet_status follows(struct staging *staging, const struct store_head *head, bool *yes,
                           stet_error *err) {
    struct store_change row;
    stet_status status = staging_head_change(staging, head, &row, err);
    if (status == STET_OK)
        *yes = !view_is_empty(row.origin) && view_equal(row.source, VIEW("import"));
    return status;
}

/* One version of a record's history. */
static stet_status decide_history(struct staging *staging, struct mutation *mutation,
                                  struct store_head *head, stet_error *err) {
    uint64_t version = mutation->origin.version;
    bool fits = false;
    stet_status status = STET_OK;
    if (head->version > 0 && version > head->version + 1) {
        error_set(err, STET_NOT_FOUND, "version %llu cannot follow version %llu, the newest here",
                  (unsigned long long)version, (unsigned long long)head->version);
        error_field(err, "version", 0);
        return STET_NOT_FOUND;
    }
    if (head->version > 0 && version <= head->version) {
        status = same_version(staging, mutation, head, &fits, err);
        mutation->decision = DECISION_UNCHANGED;
    } else if (head->version > 0) {
        status = follows(staging, head, &fits, err);
    } else if (version > 1 && mutation->origin.created_at == 0) {
        /* The first of its lines says when the record was made; so one before this is missing, or comes later. */
        error_set(err, STET_NOT_FOUND,
                  "version %llu has none here to follow, and does not say when the record was made",
                  (unsigned long long)version);
        error_field(err, "version", 0);
        return STET_NOT_FOUND;
    } else {
        fits = true;
    }
    if (status != STET_OK) return status;
    if (!fits) {
        error_set(err, STET_ALREADY_EXISTS, "the record's version %llu here is another one",
                  (unsigned long long)(version <= head->version ? version : head->version));
        error_field(err, "version", 0);
        return STET_ALREADY_EXISTS;
    }
    if (version <= head->version) return STET_OK;
    if (mutation->op == STET_OP_DELETE && head->deleted)
        return error_set(err, STET_DELETED, "the record was deleted by the version before");
    if (mutation->op == STET_OP_DELETE)
        return staging_tombstone(staging, mutation, (stet_view){0}, head, err);
    return staging_data(staging, mutation, mutation->yours_data, mutation->yours_hash,
                        (stet_view){0}, head, err);
}

static stet_status admit(struct staging *staging, const struct mutation *mutation,
                         stet_error *err) {
    const struct space *space = staging->space;
    for (size_t i = 0; i < space->module_count; i++) {
        const struct engine_module_state *module = &space->modules[i];
        if (module->module->admit == NULL) continue;
        stet_status status = module->module->admit(module->state, mutation, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static stet_status decide_mutation(struct staging *staging, size_t index) {
    struct stet_command *command = staging->command;
    struct mutation *mutation = &command->mutations[index];
    struct space *space = staging->space;
    struct store_head *head;
    stet_error err = {0};
    if (type_is_system(mutation->type) &&
        (command->owner == NULL || space_type_owner(space, mutation->type) != command->owner)) {
        error_set(&err, STET_SYSTEM_TYPE, "records of type \"%.*s\" are changed only by the system",
                  VIEW_ARG(mutation->type));
        return refuse_with(staging, mutation, &err);
    }
    stet_status status = settle_check_strategy(staging, mutation, &err);
    if (status == STET_OK) status = admit(staging, mutation, &err);
    if (status != STET_OK) return refuse_with(staging, mutation, &err);
    status = heads_get(&space->heads, store_writer_reader(space->store), mutation->type,
                       mutation->id, &head, &err);
    if (status != STET_OK) return refuse_with(staging, mutation, &err);
    mutation->before = *head;
    mutation->after_version = head->version;
    mutation->after_seq = head->seq;
    status = permit_mutation(staging, mutation, head, &err);
    if (status != STET_OK) {
        err.status = status;
        return refuse_with(staging, mutation, &err);
    }
    if (mutation->purges) {
        status = purge_decide(staging, mutation, head, &err);
    } else if (mutation->imported && mutation->origin.history) {
        status = decide_history(staging, mutation, head, &err);
    } else if (mutation->op == STET_OP_CHECK) {
        status = decide_check(staging, mutation, head, &err);
    } else if (head->version == 0 || head->deleted) {
        status = decide_absent(staging, mutation, head, &err);
    } else {
        status = decide_existing(staging, mutation, head, &err);
    }
    if (status == STET_CONCURRENT_MODIFICATION || mutation->strategy != STET_STRATEGY_DEFAULT)
        heat_add(&space->heat, mutation->type, mutation->id);
    if (status == STET_OK) return STET_OK;
    err.status = status;
    return refuse_with(staging, mutation, &err);
}

/* All of them, so that a refusal can name everything that is wrong; the first status counts. */
stet_status staging_decide(struct staging *staging) {
    struct stet_command *command = staging->command;
    stet_status status = STET_OK;
    if (command->begin != NULL) status = command->begin(staging, &command->error);
    if (status == STET_OK && command->hop == NULL) status = quota_take(staging, &command->error);
    if (status == STET_OK && staging->space->reservations != NULL && command->hop == NULL)
        status = reservations_admit(staging, &command->error);
    if (status != STET_OK || command->held) return status;
    for (size_t i = 0; i < command->mutation_count && command->hop == NULL; i++) {
        stet_status decided = STET_OK;
        if (command->bind != NULL) decided = command->bind(staging, i, &command->error);
        if (decided != STET_OK) return status != STET_OK ? status : decided;
        const bool admin = command->actor.admin;
        command->actor.admin = admin || command->mutations[i].as_admin;
        decided = decide_mutation(staging, i);
        command->actor.admin = admin;
        if (status == STET_OK) status = decided;
    }
    /* All of it together: what one mutation gives up another one may take. */
    if (status == STET_OK && command->hop == NULL) status = spans_check(staging, &command->error);
    if (status == STET_OK && command->hop == NULL) status = quota_check(staging, &command->error);
    return status;
}

bool staging_is_decided(const struct staging *staging) {
    return !staging->command->held && staging->command->hop == NULL;
}

/* ---- Commands ---------------------------------------------------------------------------- */

/* True when the key settles the command: replayed, reused, or the lookup failed. */
static bool decide_by_key(struct staging *staging) {
    struct stet_command *command = staging->command;
    struct space *space = staging->space;
    struct store_key stored;
    if (!command->has_key) return false;
    const struct store_key *staged =
        batch_find_key(staging->batch, command->key_bytes, command->actor.id);
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
        if (status == STET_NOT_FOUND) return false;
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

static void decide_receipt(struct staging *staging) {
    struct stet_command *command = staging->command;
    if (decide_by_key(staging)) return;
    const struct receipt *receipt = receipts_find(&staging->space->receipts, command->key_bytes,
                                                  view_hash(command->actor.id, 0));
    command->status = STET_OK;
    command->receipt_status = receipt == NULL ? STET_OK : receipt->status;
    command->decided_seq = receipt == NULL ? staging->space->seq : receipt->seq;
}

/* The whole command is accepted: its changes become one transaction, and its key is taken. */
static void accept(struct staging *staging, size_t first_change) {
    struct stet_command *command = staging->command;
    struct space *space = staging->space;
    struct batch *batch = staging->batch;
    spans_accept(space, batch);
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

static stet_status decide_by_module(struct staging *staging) {
    struct stet_command *command = staging->command;
    for (size_t i = 0; i < staging->space->module_count; i++) {
        const struct engine_module_state *module = &staging->space->modules[i];
        if (module->module == command->owner)
            return module->module->decide(module->state, staging, command, &staging->time,
                                          &command->error);
    }
    return error_set(&command->error, STET_NOT_FOUND, "space \"%s\" has no such thing",
                     staging->space->name);
}

static stet_status check_halted(const struct space *space, stet_error *err) {
    if (!atomic_load_explicit(&space->halted, memory_order_relaxed)) return STET_OK;
    return error_set(err, STET_UNAVAILABLE,
                     "space \"%s\" takes no writes until the server is restarted: the outcome "
                     "of a commit is unknown",
                     space->name);
}

/* Whoever logged out changes nothing any more, not even by repeating what took effect before. */
static stet_status enter(const struct staging *staging, stet_error *err) {
    const struct space *space = staging->space;
    const stet_actor *actor = &staging->command->actor;
    if (view_is_empty(actor->session)) return STET_OK;
    for (size_t i = 0; i < space->module_count; i++) {
        const struct engine_module_state *module = &space->modules[i];
        if (module->module->enter == NULL) continue;
        stet_status status = module->module->enter(module->state, actor, &staging->time, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static void decide_write(struct staging *staging) {
    struct stet_command *command = staging->command;
    struct space *space = staging->space;
    struct batch *batch = staging->batch;
    size_t first_change = staging->first_change;
    uint64_t seq = space->seq;
    atomic_fetch_add_explicit(&space->counters.commands, 1, memory_order_relaxed);
    stet_status status = enter(staging, &command->error);
    if (status != STET_OK) {
        command->status = status;
        count_refusal(space, status);
        return;
    }
    if (decide_by_key(staging)) return;
    if (command->kind == COMMAND_MODULE) {
        /* It may only ask for something; then it is answered, too. */
        status = decide_by_module(staging);
        if (status == STET_OK && batch->change_count > first_change)
            status = check_halted(space, &command->error);
    } else {
        command->status = check_halted(space, &command->error);
        if (command->status != STET_OK) return;
        status = staging_decide(staging);
    }
    if (command->held || command->hop != NULL) {
        /* Not decided after all. */
        assert(!command->held || batch->change_count == first_change);
        staging_take_back(staging);
        return;
    }
    if (status == STET_OK) status = batch_reserve(batch, &command->error);
    if (status != STET_OK && command->keeps_staged && !command->dry_run) {
        command->status = status;
        count_refusal(space, status);
        accept(staging, first_change);
        command->decided_seq = space->seq;
        return;
    }
    if (status == STET_OK && command->has_key) {
        command->key_result = command_encode_result(command);
        if (command->key_result.bytes == NULL)
            status = error_set(&command->error, STET_NO_MEMORY, "out of memory for a receipt");
    }
    command->status = status;
    command->merged = staging->merged && status == STET_OK;
    command->parked = status == STET_OK && command->mutation_count == 1 &&
                      command->mutations[0].decision == DECISION_PARKED;
    if (status == STET_OK && !command->dry_run) {
        accept(staging, first_change);
        if (!command->staged_any && command->kind != COMMAND_MODULE)
            atomic_fetch_add_explicit(&space->counters.unchanged, 1, memory_order_relaxed);
    } else {
        for (size_t i = 0; i < command->mutation_count && status == STET_OK; i++)
            if (command->mutations[i].change != NULL)
                command->mutations[i].change->row.transaction = space->seq;
        command->decided_seq = status == STET_OK ? space->seq : seq;
        staging_take_back(staging);
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

void decide(struct space *space, struct batch *batch, struct stet_command *command,
            const struct module_time *time) {
    struct staging staging = {
        .space = space,
        .batch = batch,
        .command = command,
        .time = *time,
        .now = time->wall,
        .heads_mark = heads_mark(&space->heads),
        .first_change = batch->change_count,
        .first_seq = space->seq,
        .first_stamp = space->stamp,
        .use_before = space->quota.now,
    };
    command->decided_seq = space->seq;
    batch_mark(batch);
    if (command->kind == COMMAND_RECEIPT) {
        decide_receipt(&staging);
    } else {
        decide_write(&staging);
    }
}

void decide_reset(struct stet_command *command) {
    command->status = STET_OK;
    command->error = (stet_error){0};
    command->replayed = false;
    command->staged_any = false;
    command->merged = false;
    command->parked = false;
    command->held = false;
    command->keeps_staged = false;
    for (struct staged_record *record = command->extra; record != NULL; record = record->next)
        change_unref(record->mutation.change);
    command->extra = NULL;
    for (size_t i = 0; i < command->mutation_count; i++) {
        command->mutations[i].decision = DECISION_NONE;
        command->mutations[i].status = STET_OK;
        command->mutations[i].error = NULL;
        command->mutations[i].conflict_id = (stet_view){0};
        command->mutations[i].taken_by = (stet_view){0};
        command->mutations[i].taken = NULL;
        command->mutations[i].strategy = STET_STRATEGY_DEFAULT;
        /* What it was computed from may not come again. */
        if (command->mutations[i].prepared_late) command->mutations[i].has_yours = false;
        command->mutations[i].prepared_late = false;
    }
}
