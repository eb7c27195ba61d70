/*
 * The module: what it does when a write is parked or overrules somebody, and what it does when time has passed.
 */
#include "modules/conflicts/conflicts.h"

#include "base/error.h"
#include "base/uuid.h"
#include "base/view.h"
#include "core/policy.h"
#include "doc/merge.h"
#include "modules/conflicts/internal.h"

#include <assert.h>
#include <stdlib.h>

enum { ASK_DEADLINE_S = 24 * 3600, RETRY_S = 5 };

/* Whose changes are nobody's: what the module notes down by itself. */
#define NOBODY VIEW("stet")

/* ---- Projection -------------------------------------------------------------------------- */

static stet_status open_state(struct space *space, void **state, stet_error *err) {
    struct conflicts *conflicts = calloc(1, sizeof *conflicts);
    if (conflicts == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for conflicts");
    conflicts->space = space;
    board_init(&conflicts->board, space->hash_seed);
    *state = conflicts;
    return STET_OK;
}

static void close_state(void *state) {
    struct conflicts *conflicts = state;
    if (conflicts == NULL) return;
    board_done(&conflicts->board);
    free(conflicts);
}

static void note_open(struct conflicts *conflicts) {
    atomic_store_explicit(&conflicts->space->counters.conflicts_open, conflicts->board.open_count,
                          memory_order_relaxed);
}

static void reset(void *state) {
    struct conflicts *conflicts = state;
    board_clear(&conflicts->board);
    note_open(conflicts);
}

static stet_status load(void *state, const struct store_change *head, stet_error *err) {
    struct conflicts *conflicts = state;
    stet_status status = board_load(&conflicts->board, head, err);
    note_open(conflicts);
    return status;
}

static void apply(void *state, const struct store_change *change) {
    struct conflicts *conflicts = state;
    if (view_equal(change->type, CONFLICT_TYPE)) {
        board_apply(&conflicts->board, change);
        note_open(conflicts);
    } else if (conflicts->board.open_count > 0) {
        board_touch(&conflicts->board, change->type, change->id, change->version,
                    clock_monotonic_ns(conflicts->space->engine->clock));
    }
}

static bool keeps(void *state, stet_view type, stet_view id, uint64_t version) {
    struct conflicts *conflicts = state;
    struct entry *entry = NULL;
    while ((entry = board_of_record(&conflicts->board, type, id, entry)) != NULL)
        if (entry->base_version == version || entry->current_version == version) return true;
    return false;
}

/* ---- Records of our own ------------------------------------------------------------------ */

stet_status no_such_conflict(stet_view id, stet_error *err) {
    error_set(err, STET_NOT_FOUND, "there is no conflict \"%.*s\"", VIEW_ARG(id));
    error_field(err, "id", 0);
    return STET_NOT_FOUND;
}

stet_status conflicts_put(struct conflicts *conflicts, struct staging *staging, stet_view id,
                          const struct conflict_record *record, struct store_head *after,
                          stet_error *err) {
    struct store_head head;
    stet_view data = record_encode(staging_arena(staging), record);
    if (view_is_empty(data)) return error_set(err, STET_NO_MEMORY, "out of memory for a conflict");
    board_drop_refused(&conflicts->board, staging->batch);
    stet_status status =
        staging_put(staging, CONFLICT_TYPE, id, data, staging->command->source, &head, err);
    if (status == STET_OK)
        status = board_prepare(&conflicts->board, id, head.first, head.seq, record, err);
    if (status == STET_OK && after != NULL) *after = head;
    return status;
}

stet_status conflicts_get(struct staging *staging, stet_view id, struct store_head *head,
                          struct conflict_record *record, stet_error *err) {
    struct store_change row;
    stet_status status = staging_read(staging, CONFLICT_TYPE, id, head, &row, err);
    if (status != STET_OK) return status;
    if (head->version == 0 || head->deleted) return no_such_conflict(id, err);
    return record_decode(staging_arena(staging), row.data, record, err);
}

static stet_status too_many(stet_error *err, const char *limit, uint64_t value, const char *what) {
    error_set(err, STET_TOO_MANY_CONFLICTS,
              "%s has %llu open conflicts already: settle some of them first", what,
              (unsigned long long)value);
    error_field(err, limit, value);
    return STET_TOO_MANY_CONFLICTS;
}

stet_status conflicts_check_room(const struct conflicts *conflicts, stet_view type, stet_view id,
                                 stet_view writer, stet_error *err) {
    const struct board *board = &conflicts->board;
    if (board_count_record(board, type, id) >= OPEN_CONFLICTS_PER_RECORD_MAX)
        return too_many(err, "open_conflicts_per_record", OPEN_CONFLICTS_PER_RECORD_MAX,
                        "the record");
    if (board_count_writer(board, writer) >= OPEN_CONFLICTS_PER_ACTOR_MAX)
        return too_many(err, "open_conflicts_per_actor", OPEN_CONFLICTS_PER_ACTOR_MAX,
                        "the writer");
    if (board->open_count >= OPEN_CONFLICTS_MAX)
        return too_many(err, "open_conflicts", OPEN_CONFLICTS_MAX, "the space");
    return STET_OK;
}

stet_status conflicts_set_terms(struct staging *staging, struct conflict_record *record,
                                stet_error *err) {
    const struct policy *policy = policy_staged(staging->space, record->type);
    struct arena *arena = staging_arena(staging);
    uint32_t deadline_s = policy == NULL ? 0 : policy->ask.deadline_s;
    stet_strategy fallback = policy == NULL ? STET_STRATEGY_DEFAULT : policy->ask.fallback;
    size_t who_count = policy == NULL ? 0 : policy->ask.who_count;
    stet_view *persons = arena_alloc(arena, (who_count + 1) * sizeof *persons);
    size_t count = 0;
    if (persons == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a conflict");
    if (deadline_s == 0) deadline_s = ASK_DEADLINE_S;
    record->opened_at = staging->now;
    record->deadline = staging->now + (int64_t)deadline_s * CLOCK_NS_PER_S;
    record->fallback = fallback == STET_STRATEGY_DEFAULT ? STET_STRATEGY_SERVER_WINS : fallback;
    for (size_t i = 0; i < who_count; i++) {
        const struct view_list so_far = {.items = persons, .count = count};
        if (view_list_has(&so_far, policy->ask.who[i])) continue;
        /* The policy may be replaced while the command is still being answered. */
        persons[count] = arena_copy(arena, policy->ask.who[i]);
        if (persons[count].bytes == NULL)
            return error_set(err, STET_NO_MEMORY, "out of memory for a conflict");
        count++;
    }
    if (count == 0) persons[count++] = record->by;
    record->persons = (struct view_list){.items = persons, .count = count};
    return STET_OK;
}

/* A version's document, for as long as the command lives. *there false: there is none. */
static stet_status load_version(struct staging *staging, const struct conflict_record *record,
                                const struct store_head *target, uint64_t version, size_t *bytes,
                                struct doc *doc, bool *there, stet_error *err) {
    const struct mutation mutation = {.type = record->type, .id = record->id};
    struct store_change row;
    *there = false;
    if (version == 0 || version > target->version) return STET_OK;
    stet_status status = staging_version(staging, &mutation, target, version, &row, err);
    if (status == STET_NOT_FOUND || status == STET_PRUNED) {
        if (err != NULL) *err = (stet_error){0};
        return STET_OK;
    }
    if (status != STET_OK || row.op == STORE_DELETE || row.pruned) return status;
    *bytes += row.data.size;
    if (*bytes > MERGE_INLINE_BYTES_MAX) return STET_OK;
    *there = true;
    return change_parse(staging_arena(staging), row.data, doc, err);
}

stet_status conflicts_check_clean(struct staging *staging, const struct store_head *target,
                                  struct conflict_record *record, stet_error *err) {
    const struct policy *policy = policy_staged(staging->space, record->type);
    struct arena *arena = staging_arena(staging);
    struct doc_merge_result merge;
    struct doc base, current, yours;
    bool there;
    size_t bytes = record->yours.size;
    record->clean = false;
    if (record->deletes || target->deleted || bytes > MERGE_INLINE_BYTES_MAX) return STET_OK;
    stet_status status =
        load_version(staging, record, target, record->base_version, &bytes, &base, &there, err);
    if (status != STET_OK || !there) return status;
    status = load_version(staging, record, target, target->version, &bytes, &current, &there, err);
    if (status != STET_OK || !there) return status;
    status = change_parse(arena, record->yours, &yours, err);
    if (status != STET_OK) return status;
    status = doc_merge(arena, &base, &current, &yours, policy == NULL ? NULL : policy->rules,
                       MERGE_INLINE_STEPS_MAX, &merge, err);
    if (status == STET_TOO_LARGE) {
        if (err != NULL) *err = (stet_error){0};
        return STET_OK;
    }
    if (status == STET_OK) record->clean = merge.clean;
    return status;
}

/* ---- A write is parked ------------------------------------------------------------------- */

/* The fields a person must decide about; where none conflicts by itself, those the writer changed. */
static stet_status set_pointers(struct arena *arena, const struct doc_merge_result *merge,
                                struct conflict_record *record, stet_error *err) {
    bool any = false;
    size_t fields = merge == NULL ? 0 : merge->field_count;
    stet_view *pointers = arena_alloc(arena, (CONFLICT_POINTERS_MAX + 1) * sizeof *pointers);
    if (pointers == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a conflict");
    for (size_t i = 0; i < fields && !any; i++)
        any = merge->fields[i].state == DOC_CONFLICT;
    record->conflict_type = any ? VIEW("concurrent_edit") : VIEW("version_mismatch");
    size_t count = 0;
    for (size_t i = 0; i < fields; i++) {
        const struct doc_merge_field *field = &merge->fields[i];
        if (field->state != (any ? DOC_CONFLICT : DOC_CLEAN_YOURS)) continue;
        if (count == CONFLICT_POINTERS_MAX) {
            record->pointers_left_out++;
        } else {
            pointers[count++] = field->pointer;
        }
    }
    record->pointers = (struct view_list){.items = pointers, .count = count};
    return STET_OK;
}

static stet_status park(struct conflicts *conflicts, struct staging *staging,
                        const struct settlement *settlement, stet_error *err) {
    struct mutation *mutation = settlement->mutation;
    struct stet_command *command = settlement->command;
    struct stet_engine *engine = conflicts->space->engine;
    uint8_t uuid[UUID_BYTES];
    char text[UUID_TEXT_BYTES];
    stet_status status =
        conflicts_check_room(conflicts, mutation->type, mutation->id, command->actor.id, err);
    if (status != STET_OK) return status;
    struct conflict_record record = {
        .state = CONFLICT_OPEN,
        .event = VIEW("opened"),
        .type = mutation->type,
        .id = mutation->id,
        .base_version = settlement->base_version,
        .current_version = settlement->head->version,
        .deletes = settlement->deletes,
        .yours = settlement->deletes ? (stet_view){0} : settlement->yours,
        .by = command->actor.id,
        .roles = {.items = command->actor.roles, .count = command->actor.role_count},
        .admin = command->actor.admin,
        .strategy = settlement->strategy,
        .client_mutation_id = command->key,
    };
    if (mutation->op == STET_OP_PATCH || mutation->op == STET_OP_PATCH_JSON)
        record.patch = mutation->body_doc.text;
    record.clean = settlement->merge != NULL && settlement->merge->clean && !record.deletes;
    status = set_pointers(&command->arena, settlement->merge, &record, err);
    if (status == STET_OK) status = conflicts_set_terms(staging, &record, err);
    if (status != STET_OK) return status;
    uuid_v7(engine->clock, engine->entropy, uuid);
    uuid_format(uuid, text);
    stet_view id = arena_copy(&command->arena, view_make(text, sizeof text));
    if (id.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a conflict");
    status = conflicts_put(conflicts, staging, id, &record, NULL, err);
    if (status == STET_TOO_LARGE)
        /* What fits a record may not fit beside what a conflict says. It is not lost: the writer has it. */
        return error_set(err, STET_CONCURRENT_MODIFICATION,
                         "somebody else changed the record, and the write is too large to wait");
    if (status != STET_OK) return status;
    mutation->conflict_id = id;
    return STET_OK;
}

static stet_status settled(void *state, struct staging *staging,
                           const struct settlement *settlement, stet_error *err) {
    switch (settlement->kind) {
    case SETTLEMENT_PARKED: return park(state, staging, settlement, err);
    case SETTLEMENT_MERGED:
    case SETTLEMENT_APPLIED: return notice_losses(state, staging, settlement, err);
    case SETTLEMENT_DROPPED: break; /* The answer tells the writer. */
    }
    return STET_OK;
}

/* ---- Deadlines --------------------------------------------------------------------------- */

/* The parked write as a mutation of the command at hand. */
static stet_status fill_parked(struct staging *staging, const struct task *task,
                               const struct conflict_record *record, stet_error *err) {
    struct stet_command *command = staging->command;
    struct arena *arena = staging_arena(staging);
    struct mutation *mutation = arena_zalloc(arena, 1, sizeof *mutation);
    if (mutation == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a conflict");
    mutation->op = record->deletes ? STET_OP_DELETE : STET_OP_PUT;
    mutation->type = record->type;
    mutation->id = record->id;
    mutation->base = (stet_base){.kind = STET_BASE_VERSION, .value = record->base_version};
    mutation->on_conflict = task->fallback;
    mutation->whole = true; /* Yours was made whole when it was parked. */
    /* What they might do then, they may have done for them now. */
    command->actor.roles = record->roles.items;
    command->actor.role_count = record->roles.count;
    command->actor.admin = record->admin;
    /* What a patch did not name is nobody's to overwrite: on top it goes as it was sent. */
    bool patches = task->fallback == STET_STRATEGY_LAST_WRITER_WINS && record->patch.size > 0;
    if (!record->deletes) {
        struct doc yours;
        stet_status status = doc_parse(arena, record->yours, NULL, &yours, err);
        mutation->body = patches ? record->patch : record->yours;
        if (status == STET_OK)
            status = doc_parse(arena, mutation->body, NULL, &mutation->body_doc, err);
        if (status != STET_OK) return status;
        if (patches)
            mutation->op =
                doc_kind(&mutation->body_doc, 0) == DOC_ARRAY ? STET_OP_PATCH_JSON : STET_OP_PATCH;
        mutation->yours_data = record->yours;
        mutation->yours_hash = doc_hash(&yours, 0);
        mutation->has_yours = true;
    }
    command->mutations = mutation;
    command->mutation_count = 1;
    return STET_OK;
}

static stet_status decide_expiry(struct conflicts *conflicts, struct staging *staging,
                                 struct task *task, stet_error *err) {
    struct conflict_record record;
    struct store_head head, target;
    stet_status status = conflicts_get(staging, task->id, &head, &record, err);
    if (status != STET_OK) return status;
    if (record.state != CONFLICT_OPEN || record.deadline > staging->now) return STET_OK;
    status = staging_read(staging, record.type, record.id, &target, NULL, err);
    if (status != STET_OK) return status;
    record.previous_version = target.version;
    record.result_version = target.version;
    if (task->fallback != STET_STRATEGY_SERVER_WINS) {
        status = fill_parked(staging, task, &record, err);
        if (status == STET_OK) status = staging_decide(staging);
        if (status != STET_OK) return status;
        record.result_version = staging->command->mutations[0].after_version;
    }
    record.state = CONFLICT_EXPIRED;
    record.event = VIEW("expired");
    record.resolved_at = staging->now;
    record.choice = view_of(strategy_name(task->fallback));
    record.kept = record.result_version == record.previous_version;
    record.read_by = (struct view_list){0};
    if (task->after_failure)
        record.explanation = VIEW("the fallback could not be applied to the record as it is now, "
                                  "so the record was left alone");
    return conflicts_put(conflicts, staging, task->id, &record, NULL, err);
}

/* A new version of the conflict says that its record moved on, so that whoever follows conflicts learns of it. */
static stet_status decide_changed(struct conflicts *conflicts, struct staging *staging,
                                  struct task *task, stet_error *err) {
    struct conflict_record record;
    struct store_head head, target;
    stet_status status = conflicts_get(staging, task->id, &head, &record, err);
    if (status != STET_OK || record.state != CONFLICT_OPEN) return status;
    status = staging_read(staging, record.type, record.id, &target, NULL, err);
    if (status != STET_OK || target.version == record.current_version) return status;
    record.current_version = target.version;
    record.event = VIEW("changed");
    status = conflicts_check_clean(staging, &target, &record, err);
    if (status != STET_OK) return status;
    return conflicts_put(conflicts, staging, task->id, &record, NULL, err);
}

static void next_due(void *state, struct module_time *at) {
    const struct conflicts *conflicts = state;
    const struct board *board = &conflicts->board;
    const struct entry *touched = board->touched_first;
    if (touched != NULL)
        at->monotonic = touched->touched_at + CONFLICT_CHANGED_MS * CLOCK_NS_PER_MS;
    if (board->open_count == 0) return;
    if (conflicts->blocked_until != 0) {
        /* A deadline that has passed would have us called with every batch. */
        if (conflicts->blocked_until < at->monotonic) at->monotonic = conflicts->blocked_until;
    } else {
        at->wall = board->open[0]->deadline;
    }
}

static bool fill_due(struct conflicts *conflicts, const struct entry *entry, stet_view actor,
                     const char *source, struct task **out, struct stet_command *command) {
    struct task *task = arena_zalloc(&command->arena, 1, sizeof *task);
    stet_view id = arena_copy(&command->arena, entry->id);
    command->actor.id = arena_copy(&command->arena, actor);
    (void)conflicts;
    if (task == NULL || id.bytes == NULL || command->actor.id.bytes == NULL) return false;
    task->id = id;
    command->kind = COMMAND_MODULE;
    command->owner = &conflicts_module;
    command->source = view_of(source);
    command->module_data = task;
    *out = task;
    return true;
}

static bool due_expiry(struct conflicts *conflicts, struct entry *entry,
                       struct stet_command *command) {
    struct task *task;
    if (!fill_due(conflicts, entry, entry->by, "expired", &task, command)) return false;
    task->decide = decide_expiry;
    task->after_failure = entry->fallback_failed;
    task->fallback = entry->fallback_failed ? STET_STRATEGY_SERVER_WINS : entry->fallback;
    memcpy(conflicts->due_bytes, entry->id.bytes, entry->id.size);
    conflicts->due_id = view_make(conflicts->due_bytes, entry->id.size);
    return true;
}

static bool due(void *state, const struct module_time *now, bool refused,
                struct stet_command *command) {
    struct conflicts *conflicts = state;
    struct board *board = &conflicts->board;
    struct task *task;
    if (refused && conflicts->due_id.size > 0) {
        struct entry *entry = board_find(board, conflicts->due_id);
        if (entry != NULL && !entry->fallback_failed &&
            entry->fallback != STET_STRATEGY_SERVER_WINS) {
            entry->fallback_failed = true;
        } else {
            conflicts->blocked_until = now->monotonic + RETRY_S * CLOCK_NS_PER_S;
        }
    }
    conflicts->due_id = (stet_view){0};
    if (conflicts->blocked_until != 0 && now->monotonic >= conflicts->blocked_until && !refused)
        conflicts->blocked_until = 0;
    if (conflicts->blocked_until == 0 && !now->wall_held && board->open_count > 0 &&
        board->open[0]->deadline <= now->wall)
        return due_expiry(conflicts, board->open[0], command);
    struct entry *touched = board->touched_first;
    if (touched == NULL ||
        touched->touched_at + CONFLICT_CHANGED_MS * CLOCK_NS_PER_MS > now->monotonic)
        return false;
    board_untouch(board, touched);
    if (!fill_due(conflicts, touched, NOBODY, "changed", &task, command)) return false;
    task->decide = decide_changed;
    return true;
}

/* ---- Counting ---------------------------------------------------------------------------- */

static void count_one(_Atomic uint64_t *counter) {
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void count_end(struct space_counters *counters, const struct conflict_record *record) {
    int64_t seconds = (record->resolved_at - record->opened_at) / CLOCK_NS_PER_S;
    unsigned bucket = 0;
    for (int64_t bound = 1; bucket < RESOLUTION_BUCKETS - 1 && seconds > bound; bound *= 4)
        bucket++;
    count_one(record->state == CONFLICT_EXPIRED ? &counters->conflicts_expired
                                                : &counters->conflicts_resolved);
    count_one(&counters->resolution_bucket[bucket]);
    atomic_fetch_add_explicit(&counters->resolution_s_sum, seconds > 0 ? (uint64_t)seconds : 0,
                              memory_order_relaxed);
}

/* Counted when it is durable: what is staged may be staged again after a batch that failed. */
static void published(void *state, struct space *space, const struct store_change *change) {
    struct space_counters *counters = &space->counters;
    enum conflict_state now;
    stet_view event;
    (void)state;
    if (!view_equal(change->type, CONFLICT_TYPE) || !record_peek(change->data, &now, &event))
        return;
    /* Any other event leaves it in the state it had. */
    if (view_equal(event, VIEW("opened")) || view_equal(event, VIEW("reopened"))) {
        count_one(&counters->conflicts_opened);
    } else if (view_equal(event, VIEW("overwritten")) || view_equal(event, VIEW("settled"))) {
        count_one(&counters->notices);
    } else if (view_equal(event, VIEW("resolved")) || view_equal(event, VIEW("expired"))) {
        struct arena arena;
        struct conflict_record record;
        arena_init(&arena, 4096);
        /* Short of memory one is not counted. */
        if (record_decode(&arena, change->data, &record, NULL) == STET_OK)
            count_end(counters, &record);
        arena_done(&arena);
    }
}

/* ---- Commands ---------------------------------------------------------------------------- */

static stet_status decide_task(void *state, struct staging *staging, struct stet_command *command,
                               const struct module_time *now, stet_error *err) {
    struct task *task = command->module_data;
    (void)now;
    stet_status status =
        task->scope == 0 ? STET_OK : actor_demand(&command->actor, task->scope, err);
    return status == STET_OK ? task->decide(state, staging, task, err) : status;
}

struct task *task_begin(struct stet_command *command, stet_error *err) {
    struct task *task = NULL;
    if (command->kind != COMMAND_EMPTY) {
        error_set(err, STET_MISUSE, "the command is filled already");
        return NULL;
    }
    task = arena_zalloc(&command->arena, 1, sizeof *task);
    if (task == NULL) {
        error_set(err, STET_NO_MEMORY, "out of memory");
        return NULL;
    }
    task->scope = STET_SCOPE_READ;
    command->module_data = task;
    command->owner = &conflicts_module;
    return task;
}

void task_finish(struct stet_command *command, struct task *task,
                 stet_status (*answer)(struct stet_command *command, struct json_writer *writer,
                                       stet_error *err)) {
    assert(task->decide != NULL);
    command->kind = COMMAND_MODULE;
    command->answer = answer;
}

void task_finish_read(struct stet_command *command,
                      stet_status (*read)(struct stet_command *command, struct store_reader *reader,
                                          struct buffer *out, stet_error *err)) {
    command->kind = COMMAND_MODULE_READ;
    command->read_rows = read;
}

/* ---- A record is erased ------------------------------------------------------------------ */

static void concerns(const struct store_change *row, struct arena *scratch,
                     const struct module_erasure *erasure) {
    struct conflict_record record;
    if (record_decode(scratch, row->data, &record, NULL) == STET_OK &&
        view_equal(record.type, erasure->type) && view_equal(record.id, erasure->id))
        erasure->add(erasure->context, CONCERN_ERASED, row->type, row->id);
}

/* Who waited for whom stays; what they wrote goes. Nobody has to hear of it any more. */
static stet_status erase(void *state, struct staging *staging, stet_view type, stet_view id,
                         stet_error *err) {
    struct conflicts *conflicts = state;
    struct store_head head;
    struct conflict_record old;
    (void)type;
    stet_status status = conflicts_get(staging, id, &head, &old, err);
    if (status != STET_OK) return status;
    const struct conflict_record record = {
        .state = CONFLICT_RESOLVED,
        .event = VIEW("purged"),
        .type = old.type,
        .id = old.id,
        .base_version = old.base_version,
        .current_version = old.current_version,
        .deletes = true,
        .by = old.by,
        .conflict_type = old.conflict_type,
        .strategy = old.strategy,
        .fallback = old.fallback,
        .opened_at = old.opened_at,
        .resolved_at = staging->now,
        .resolved_by = old.by,
        .choice = VIEW("current"),
        .explanation = VIEW("the record was erased"),
        .kept = true,
    };
    return conflicts_put(conflicts, staging, id, &record, NULL, err);
}

static const char *const types[] = {"stet.conflict", NULL};

const struct module conflicts_module = {
    .name = "conflicts",
    .types = types,
    .open = open_state,
    .close = close_state,
    .reset = reset,
    .load = load,
    .settled = settled,
    .decide = decide_task,
    .next_due = next_due,
    .due = due,
    .keeps = keeps,
    .concerns = concerns,
    .erase = erase,
    .apply = apply,
    .published = published,
    .may_read = conflicts_may_read,
};
