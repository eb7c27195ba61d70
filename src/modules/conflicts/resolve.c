/*
 * Settling an open conflict by choice, and opening one again.
 *
 * A resolution is an ordinary conditional write of the record, made ready on the submitting thread, and the end of the conflict, in one
 * transaction. The sequencer looks at the conflict first: of two who settle it, one wins and the other is told who.
 */
#include "core/resolve.h"
#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/permit.h"
#include "core/policy.h"
#include "core/provenance.h"
#include "core/render.h"
#include "modules/conflicts/internal.h"

/* ---- Resolution: on the submitting thread ------------------------------------------------ */

static stet_status already(struct task *task, stet_error *err) {
    const struct conflict_record *record = &task->record;
    task->has_record = true;
    if (record->state == CONFLICT_RESOLVED)
        return error_set(err, STET_ALREADY_RESOLVED, "%.*s settled the conflict already",
                         VIEW_ARG(record->resolved_by));
    if (record->state == CONFLICT_EXPIRED)
        return error_set(err, STET_ALREADY_RESOLVED,
                         "the conflict's deadline has passed: it was settled by its fallback");
    return error_set(err, STET_ALREADY_RESOLVED,
                     "this is a notice of what was settled already; reopen it first");
}

/* How it ended, beside ALREADY_RESOLVED. */
static void explain(struct stet_command *command, struct json_writer *writer) {
    const struct task *task = command->module_data;
    struct conflict_record record = task->record;
    bool may;
    if (!task->has_record ||
        conflicts_show(command, NULL, &command->arena, &record, &may, NULL) != STET_OK || !may)
        return;
    json_key(writer, VIEW("conflict"));
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), task->id);
    if (task->after.version > 0) json_member_u64(writer, VIEW("version"), task->after.version);
    record_render(writer, &record, RECORD_WHOLE, 0);
    json_object_end(writer);
}

/* Yours, as the resolver sees it. */
static stet_status load_yours(const struct veil *veil, struct store_reader *reader,
                              const struct store_head *head, const struct conflict_record *record,
                              const struct resolve_token *token, struct resolve_sides *sides,
                              stet_error *err) {
    struct store_change rows[2];
    const struct store_change *beside[2];
    const uint64_t versions[] = {record->base_version, token->current};
    stet_view shown;
    size_t count = 0;
    for (size_t i = 0; i < 2 && veil_is_on(veil); i++) {
        if (!(i == 0 ? sides->has_base : sides->has_current)) continue;
        stet_status status = store_find(reader, veil->arena, head, STORE_BOUND_VERSION, versions[i],
                                        &rows[count], err);
        if (status != STET_OK) return status;
        beside[count] = &rows[count];
        count++;
    }
    stet_status status = veil_yours(veil, record->yours, beside, count, &shown, err);
    if (status != STET_OK) return status;
    sides->has_yours = shown.bytes != NULL;
    return sides->has_yours ? change_parse(sides->arena, shown, &sides->yours, err) : STET_OK;
}

/* The sides of the conflict, with the record as the resolver saw it; without a token, as it is. */
static stet_status load_sides(struct stet_command *command, const struct conflict_record *record,
                              struct resolve_token *token, struct resolve_sides *sides,
                              stet_error *err) {
    const struct veil veil = {.space = command->space,
                              .policy = sides->policy,
                              .actor = &command->actor,
                              .arena = sides->arena};
    struct store_reader *reader;
    struct store_head head;
    stet_status status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    status = store_head(reader, record->type, record->id, &head, err);
    if (status == STET_OK && head.version == 0)
        status = error_set(err, STET_NOT_FOUND, "the record does not exist");
    if (token->current == 0) token->current = head.version;
    if (status == STET_OK)
        status = resolve_load_side(&veil, reader, &head, record->base_version, &sides->base,
                                   &sides->has_base, err);
    if (status == STET_OK)
        status = resolve_load_side(&veil, reader, &head, token->current, &sides->current,
                                   &sides->has_current, err);
    if (status == STET_OK && !record->deletes)
        status = load_yours(&veil, reader, &head, record, token, sides, err);
    space_reader_give(command->space, reader);
    return status;
}

static stet_status invalid_token(stet_error *err, const char *why) {
    error_set(err, STET_TOKEN_INVALID, "the resolution token %s", why);
    error_field(err, "resolution_token", 0);
    return STET_TOKEN_INVALID;
}

static stet_status read_token(struct stet_command *command, const struct task *task,
                              struct resolve_token *token, stet_error *err) {
    const struct conflict_record *record = &task->record;
    const stet_conflict_resolution *resolution = &task->resolution;
    *token = (struct resolve_token){.base = record->base_version, .deletes = record->deletes};
    if (view_is_empty(resolution->token)) {
        if (resolution->choice == STET_CHOICE_CURRENT || resolution->choice == STET_CHOICE_MERGED)
            return STET_OK;
        error_set(err, STET_BAD_REQUEST,
                  "without a token only \"current\" and \"merged\" may be chosen: nothing is lost "
                  "that nobody has seen");
        error_field(err, "resolution_token", 0);
        return STET_BAD_REQUEST;
    }
    stet_status status =
        resolve_read_token(command, RESOLVE_PARKED, task->id, resolution->token, token, err);
    if (status == STET_OK && token->base != record->base_version)
        status = invalid_token(err, "is of another round of this conflict");
    return status;
}

/* Whoever settles conflicts of both kinds sends yours along. What they hold for it must be what the conflict is about. */
static stet_status check_yours(const struct task *task, const struct resolve_sides *sides,
                               stet_error *err) {
    struct doc yours;
    if (view_is_empty(task->resolution.yours)) return STET_OK;
    stet_status status = doc_parse(sides->arena, task->resolution.yours, NULL, &yours, err);
    if (status != STET_OK) return status;
    if (sides->has_yours && doc_hash(&yours, 0) == doc_hash(&sides->yours, 0)) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "\"yours\" is not what the conflict is about");
    error_field(err, "yours", 0);
    return STET_BAD_REQUEST;
}

/* Turns the choice into the mutation of the record. */
static stet_status fill_mutation(struct stet_command *command, const struct task *task,
                                 const struct resolve_token *token, enum resolve_effect effect,
                                 stet_view data, stet_view provenance, stet_error *err) {
    const struct conflict_record *record = &task->record;
    stet_mutation mutation = {
        .op = effect == RESOLVE_KEEP     ? STET_OP_CHECK
              : effect == RESOLVE_DELETE ? STET_OP_DELETE
                                         : STET_OP_PUT,
        .type = record->type,
        .id = record->id,
        .base = {.kind = STET_BASE_VERSION, .value = token->current},
        .body = effect == RESOLVE_WRITE ? data : (stet_view){0},
        .on_conflict = STET_STRATEGY_REJECT,
    };
    const stet_write write = {.mutations = &mutation,
                              .mutation_count = 1,
                              .source = VIEW("resolve"),
                              .dry_run = task->resolution.dry_run};
    command_drop_mutations(command); /* Of a submission that was refused as busy. */
    command->kind = COMMAND_EMPTY;
    stet_status status = command_fill_write(command, &write, err);
    command->kind = COMMAND_MODULE;
    command->keeps_deleted =
        true; /* To leave a deleted record deleted is a choice like any other. */
    if (status != STET_OK) return status;
    command->merge = provenance;
    return STET_OK;
}

static stet_status choose(struct stet_command *command, struct task *task,
                          const struct resolve_token *token, struct resolve_sides *sides,
                          stet_error *err) {
    const stet_conflict_resolution *asked = &task->resolution;
    enum resolve_effect effect;
    stet_view data, provenance = {0};
    bool merges = asked->choice == STET_CHOICE_MERGED || asked->choice == STET_CHOICE_FIELDS;
    if (merges && !sides->deletes && !sides->has_yours) {
        error_set(err, STET_FORBIDDEN, "what its writer wanted is not yours to see");
        error_field(err, "choice", 0);
        return STET_FORBIDDEN;
    }
    stet_status status =
        resolve_choose(sides, asked->choice, asked->fields, asked->data, &effect, &data, err);
    if (status == STET_OK)
        status = resolve_provenance(sides, asked->choice, effect, data, token->base, token->current,
                                    &provenance, err);
    return status == STET_OK ? fill_mutation(command, task, token, effect, data, provenance, err)
                             : status;
}

static stet_status prepare_resolution(struct stet_command *command, stet_error *err) {
    struct task *task = command->module_data;
    struct resolve_sides sides = {
        .space = command->space, .arena = &command->arena, .conflict_id = task->id};
    struct resolve_token token;
    uint64_t version, seq;
    bool may;
    stet_status status = actor_demand(&command->actor, task->scope, err);
    if (status == STET_OK)
        status = conflicts_read(command, task->id, &version, &seq, &task->record, err);
    if (status != STET_OK) return status;
    struct conflict_record shown = task->record;
    status = conflicts_show(command, NULL, &command->arena, &shown, &may, err);
    if (status == STET_OK && !may) status = no_such_conflict(task->id, err);
    if (status != STET_OK) return status;
    task->after.version = version;
    if (task->record.state != CONFLICT_OPEN) return already(task, err);
    status = read_token(command, task, &token, err);
    if (status != STET_OK) return status;
    sides.deletes = task->record.deletes;
    sides.policy = policy_find(command->space, task->record.type);
    status = load_sides(command, &task->record, &token, &sides, err);
    if (status == STET_OK) status = check_yours(task, &sides, err);
    if (status == STET_OK) status = choose(command, task, &token, &sides, err);
    policy_unref(sides.policy);
    return status;
}

/* ---- Resolution: decided ----------------------------------------------------------------- */

/* What the refused resolution was about, so that the answer is the conflict as it stands now and not one with the choice. */
static stet_status restore_conflict(struct staging *staging, const struct task *task,
                                    stet_error *err) {
    struct mutation *mutation = &staging->command->mutations[0];
    const struct conflict_record *record = &task->record;
    struct doc doc;
    mutation->base.value = record->base_version;
    mutation->conflict_id = task->id;
    mutation->op = record->deletes ? STET_OP_DELETE : STET_OP_PUT;
    mutation->has_yours = !record->deletes;
    if (record->deletes) return STET_OK;
    stet_status status = doc_parse(staging_arena(staging), record->yours, NULL, &doc, err);
    if (status != STET_OK) return status;
    mutation->yours_data = record->yours;
    mutation->yours_hash = doc_hash(&doc, 0);
    return STET_OK;
}

static stet_status decide_resolution(struct conflicts *conflicts, struct staging *staging,
                                     struct task *task, stet_error *err) {
    struct stet_command *command = staging->command;
    struct conflict_record record;
    struct store_head head;
    stet_status status = conflicts_get(staging, task->id, &head, &record, err);
    if (status != STET_OK) return status;
    if (record.state != CONFLICT_OPEN) {
        task->record = record;
        task->after = head;
        return already(task, err);
    }
    const struct mutation *mutation = &command->mutations[0];
    /* To let the record stand takes somebody's write from them: that is for who may change the record, or wrote it. */
    if (mutation->op == STET_OP_CHECK && !view_equal(record.by, command->actor.id))
        status = permit_change(staging, record.type, record.id, err);
    if (status == STET_OK) status = staging_decide(staging);
    if (status == STET_CONCURRENT_MODIFICATION) {
        stet_status restored = restore_conflict(staging, task, err);
        return restored == STET_OK ? status : restored;
    }
    if (status != STET_OK || !staging_is_decided(staging)) return status;
    record.state = CONFLICT_RESOLVED;
    record.event = VIEW("resolved");
    record.resolved_by = command->actor.id;
    record.resolved_at = staging->now;
    record.choice = view_of(resolve_choice_name(task->resolution.choice));
    record.previous_version = mutation->before.version;
    record.result_version = mutation->after_version;
    record.kept = task->resolution.choice == STET_CHOICE_CURRENT;
    record.read_by = (struct view_list){0};
    status = conflicts_put(conflicts, staging, task->id, &record, &task->after, err);
    task->record = record;
    return status;
}

/* The record after the resolution; null: it is deleted. */
static stet_status render_record_after(struct stet_command *command, struct json_writer *writer,
                                       stet_error *err) {
    const struct mutation *mutation = &command->mutations[0];
    struct change *change = NULL;
    struct created created;
    stet_status status = STET_OK;
    json_key(writer, VIEW("record"));
    if (mutation->decision == DECISION_STAGED) {
        change = change_ref(mutation->change);
    } else {
        status = client_head(command->client, command->space, mutation->type, mutation->id, &change,
                             err);
    }
    if (status == STET_OK)
        status = client_created(command->client, command->space, &change->row, &command->arena,
                                &created, err);
    struct viewer viewer = command_viewer(command);
    if (status == STET_OK && viewer_sees(&viewer, &change->row)) {
        render_record(writer, &viewer, &change->row, &created);
    } else if (status == STET_OK) {
        json_null(writer);
    }
    change_unref(change);
    return status;
}

static stet_status answer_resolution(struct stet_command *command, struct json_writer *writer,
                                     stet_error *err) {
    const struct task *task = command->module_data;
    const struct mutation *mutation = &command->mutations[0];
    struct conflict_record record = task->record;
    bool may;
    stet_status status = conflicts_show(command, NULL, &command->arena, &record, &may, err);
    if (status != STET_OK) return status;
    command->outcome.version = mutation->after_version;
    command->outcome.unchanged = mutation->decision != DECISION_STAGED;
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), task->id);
    json_member_u64(writer, VIEW("version"), task->after.version);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    record_render(writer, &record, RECORD_WHOLE, 0);
    if (command->outcome.unchanged) json_member_bool(writer, VIEW("unchanged"), true);
    status = render_record_after(command, writer, err);
    json_object_end(writer);
    return status;
}

stet_status conflicts_fill_resolve(struct stet_command *command,
                                   const stet_conflict_resolution *resolution, stet_error *err) {
    struct arena *arena = &command->arena;
    stet_status status = check_id(resolution->id, "id", err);
    if (status != STET_OK) return status;
    if (resolution->choice < STET_CHOICE_YOURS || resolution->choice > STET_CHOICE_CUSTOM)
        return error_set(err, STET_MISUSE, "there is no such choice");
    if (resolution->token.size > RESOLUTION_TOKEN_BYTES_MAX)
        return invalid_token(err, "is too long");
    const stet_view documents[] = {resolution->yours, resolution->fields, resolution->data};
    const char *const names[] = {"yours", "fields", "data"};
    for (size_t i = 0; i < 3; i++) {
        if (documents[i].size <= DATA_BYTES_MAX) continue;
        error_set(err, STET_TOO_LARGE, "\"%s\" is larger than %u bytes", names[i], DATA_BYTES_MAX);
        error_field(err, names[i], DATA_BYTES_MAX);
        return STET_TOO_LARGE;
    }
    struct task *task = task_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    task->id = arena_copy(arena, resolution->id);
    task->resolution = *resolution;
    task->resolution.token = arena_copy(arena, resolution->token);
    task->resolution.yours = arena_copy(arena, resolution->yours);
    task->resolution.fields = arena_copy(arena, resolution->fields);
    task->resolution.data = arena_copy(arena, resolution->data);
    if (task->id.bytes == NULL || task->resolution.token.bytes == NULL ||
        task->resolution.yours.bytes == NULL || task->resolution.fields.bytes == NULL ||
        task->resolution.data.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    task->scope = STET_SCOPE_WRITE;
    command->dry_run = resolution->dry_run;
    command->prepare = prepare_resolution;
    command->explain = explain;
    task->decide = decide_resolution;
    task_finish(command, task, answer_resolution);
    return STET_OK;
}

/* ---- Reopening --------------------------------------------------------------------------- */

static stet_status check_precondition(const struct task *task, uint64_t version, const char *what,
                                      stet_error *err) {
    if (task->precondition == STET_VERSION_NONE)
        return error_set(err, STET_PRECONDITION_REQUIRED,
                         "name the version of the %s you have seen; it is at version %llu", what,
                         (unsigned long long)version);
    if (task->precondition == version) return STET_OK;
    return error_set(err, STET_CONCURRENT_MODIFICATION, "the %s has moved on to version %llu", what,
                     (unsigned long long)version);
}

/* What a notice offers, made ready by prepare_reopen. */
static void take_lost(const struct task *task, struct conflict_record *record) {
    record->deletes = task->lost.deletes;
    record->yours = task->lost.data;
    if (task->lost.gone > 0)
        record->explanation = VIEW("some of what was lost is no longer kept, and not offered");
}

/* It waits for those the type names, else for its writer; and for who wanted it opened again. */
static stet_status add_person(struct staging *staging, struct conflict_record *record,
                              stet_error *err) {
    stet_view actor = staging->command->actor.id;
    if (view_list_has(&record->persons, actor)) return STET_OK;
    stet_view *persons =
        arena_alloc(staging_arena(staging), (record->persons.count + 1) * sizeof *persons);
    if (persons == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a conflict");
    for (size_t i = 0; i < record->persons.count; i++)
        persons[i] = record->persons.items[i];
    persons[record->persons.count++] = actor;
    record->persons.items = persons;
    return STET_OK;
}

static stet_status reopen(struct conflicts *conflicts, struct staging *staging, struct task *task,
                          const struct conflict_record *old, stet_error *err) {
    struct store_head target;
    stet_status status = permit_change(staging, old->type, old->id, err);
    if (status == STET_OK)
        status = conflicts_check_room(conflicts, old->type, old->id, old->by, err);
    if (status == STET_OK) status = staging_read(staging, old->type, old->id, &target, NULL, err);
    if (status != STET_OK) return status;
    struct conflict_record record = {
        .state = CONFLICT_OPEN,
        .event = VIEW("reopened"),
        .type = old->type,
        .id = old->id,
        .base_version = old->base_version,
        .current_version = target.version,
        .deletes = old->deletes,
        .yours = old->yours,
        .by = old->by,
        .roles = {.items = staging->command->actor.roles,
                  .count = staging->command->actor.role_count},
        .admin = staging->command->actor.admin,
        .conflict_type = old->conflict_type,
        .pointers = old->pointers,
        .pointers_left_out = old->pointers_left_out,
        .strategy = STET_STRATEGY_ASK,
        .client_mutation_id = old->client_mutation_id,
    };
    if (record_is_notice(old)) take_lost(task, &record);
    status = conflicts_set_terms(staging, &record, err);
    if (status == STET_OK) status = add_person(staging, &record, err);
    if (status == STET_OK) status = conflicts_check_clean(staging, &target, &record, err);
    if (status != STET_OK) return status;
    status = conflicts_put(conflicts, staging, task->id, &record, &task->after, err);
    task->record = record;
    return status;
}

static stet_status decide_reopen(struct conflicts *conflicts, struct staging *staging,
                                 struct task *task, stet_error *err) {
    struct conflict_record old;
    struct store_head head;
    stet_status status = conflicts_get(staging, task->id, &head, &old, err);
    if (status == STET_NOT_FOUND && task->has_record) {
        if (err != NULL) *err = (stet_error){0};
        status = staging_read(staging, task->record.type, task->record.id, &head, NULL, err);
        if (status == STET_OK) status = check_precondition(task, head.version, "record", err);
        if (status != STET_OK) return status;
        old = task->record;
        return reopen(conflicts, staging, task, &old, err);
    }
    if (status != STET_OK) return status;
    if (old.state == CONFLICT_OPEN)
        return error_set(err, STET_ALREADY_EXISTS, "the conflict is open");
    if (old.state == CONFLICT_RESOLVED)
        return error_set(err, STET_ALREADY_RESOLVED,
                         "%.*s settled the conflict; what was chosen is changed by a new write",
                         VIEW_ARG(old.resolved_by));
    status = check_precondition(task, head.version, "conflict", err);
    if (status == STET_OK && task->after.version != head.version)
        /* It was not known yet when this was made ready; who names its version can have it from the feed alone. */
        status = error_set(err, STET_CONCURRENT_MODIFICATION, "the conflict is just changing");
    if (status != STET_OK) return status;
    return reopen(conflicts, staging, task, &old, err);
}

/* The versions that are looked into never change, so this need not be done in turn. */
static stet_status prepare_lost(struct stet_command *command, struct task *task, stet_error *err) {
    const struct conflict_record *record = &task->record;
    struct store_reader *reader;
    struct store_head target;
    stet_status status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    status = store_head(reader, record->type, record->id, &target, err);
    if (status == STET_OK)
        status = lost_collect(reader, &command->arena, &target, record, &task->lost, err);
    space_reader_give(command->space, reader);
    if (status == STET_OK && task->lost.found == 0)
        status = error_set(err, STET_PRUNED, "what was lost is no longer kept");
    return status;
}

static stet_status prepare_reopen(struct stet_command *command, stet_error *err) {
    struct task *task = command->module_data;
    struct store_reader *reader;
    uint64_t version, seq;
    bool may = true;
    stet_status status = actor_demand(&command->actor, task->scope, err);
    if (status != STET_OK) return status;
    status = conflicts_read(command, task->id, &version, &seq, &task->record, err);
    task->after.version = status == STET_OK ? version : 0;
    if (status == STET_OK) {
        struct conflict_record shown = task->record;
        status = conflicts_show(command, NULL, &command->arena, &shown, &may, err);
        if (status == STET_OK && !may) return no_such_conflict(task->id, err);
    }
    if (status == STET_OK && record_is_notice(&task->record))
        status = prepare_lost(command, task, err);
    if (status != STET_NOT_FOUND || task->after.version != 0) return status;
    if (err != NULL) *err = (stet_error){0};
    status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    command->decided_seq = ring_published(&command->space->ring);
    status = conflicts_read_merge(command, reader, task->id, &task->record, &seq, err);
    space_reader_give(command->space, reader);
    if (status == STET_OK && view_is_empty(task->record.yours))
        status = error_set(err, STET_PRUNED, "what was merged is no longer kept");
    task->has_record = status == STET_OK;
    return status;
}

stet_status conflicts_fill_reopen(struct stet_command *command, stet_view id,
                                  stet_version precondition, stet_error *err) {
    stet_status status = check_id(id, "id", err);
    if (status != STET_OK) return status;
    struct task *task = task_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    task->id = arena_copy(&command->arena, id);
    if (task->id.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    task->scope = STET_SCOPE_WRITE;
    task->precondition = precondition;
    task->decide = decide_reopen;
    command->prepare = prepare_reopen;
    task_finish(command, task, conflicts_answer);
    return STET_OK;
}
