/*
 * Commands that write definitions.
 *
 * Prepared on the client's thread: each definition is compiled, compared with the one that is there, and given its indexes' numbers as far
 * as they are known. In the sequencer the module's check sends the command over a worker until its surveys are done, and only then lets
 * the definitions be staged. What was prepared from one version of a definition is worth nothing for another: when the head has
 * moved on meanwhile and the write is still welcome, it is prepared anew.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/batch.h"
#include "core/exclusive.h"
#include "core/render.h"
#include "core/validate.h"
#include "doc/diff.h"
#include "doc/pointer.h"
#include "modules/types/internal.h"

#include <assert.h>

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a type");
}

static void work_release(struct stet_command *command) {
    struct work *work = command->module_data;
    for (size_t i = 0; work != NULL && i < work->count; i++) {
        policy_unref(work->puts[i].policy);
        survey_release(work->puts[i].survey);
    }
}

/* ---- Preparing --------------------------------------------------------------------------- */

static bool is_private_pointer(stet_view pointer) {
    stet_view token;
    return pointer_next(&pointer, &token) && definition_is_private(token);
}

static stet_status note_changed(struct arena *arena, struct put *put, const struct doc *old,
                                const struct doc *new, stet_error *err) {
    struct doc_difference *differences;
    size_t count;
    stet_status status = doc_diff(arena, old, new, &differences, &count, err);
    if (status != STET_OK) return status;
    put->changed = arena_zalloc(arena, count + 1, sizeof *put->changed);
    if (put->changed == NULL) return no_memory(err);
    put->changed_count = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_private_pointer(differences[i].pointer))
            put->changed[put->changed_count++] = differences[i].pointer;
    return STET_OK;
}

static bool has_new_exclusive(const struct policy *policy) {
    const struct exclusive *one = policy->exclusive;
    while (one != NULL && one->index->number != 0)
        one = one->next;
    return one != NULL;
}

/* What the definition takes over from the one before. */
static stet_status compare(struct stet_command *command, struct mutation *mutation, struct put *put,
                           stet_view old_text, stet_error *err) {
    struct arena *arena = &command->arena;
    struct policy *old = NULL;
    struct doc old_doc = {0};
    doc_node old_fields = DOC_NONE, old_forced = DOC_NONE;
    stet_status status = STET_OK;
    if (old_text.size > 0) {
        status = definition_compile(mutation->id, old_text, &old, err);
        if (status == STET_OK) status = doc_parse(arena, old_text, NULL, &old_doc, err);
        if (status != STET_OK) goto done;
        old_fields = doc_member(&old_doc, 0, VIEW("fields"));
        old_forced = doc_member(&old_doc, 0, VIEW("forced"));
    }
    doc_node fields = doc_member(&mutation->body_doc, 0, VIEW("fields"));
    bool same = old != NULL && validator_same(&old_doc, old_fields, &mutation->body_doc, fields);
    put->new_indexes = definition_take_numbers(put->policy, old) > 0;
    /* Times that are none are found when their intervals are declared. */
    same = same && !has_new_exclusive(put->policy);
    put->judges = (put->policy->validator != NULL || put->policy->exclusive != NULL) && !same;
    put->forced = same && old_forced != DOC_NONE ? doc_text(&old_doc, old_forced) : (stet_view){0};
    if (old != NULL) status = note_changed(arena, put, &old_doc, &mutation->body_doc, err);
done:
    policy_unref(old);
    return status;
}

/* The text as it will be stored becomes what the mutation writes; what the server keeps in it is left out when it is read again. */
static stet_status write_text(struct stet_command *command, struct mutation *mutation,
                              struct put *put, stet_error *err) {
    struct doc stored;
    stet_view text;
    stet_status status =
        definition_text(&command->arena, &mutation->body_doc, put->policy, put->forced, &text, err);
    if (status == STET_OK) status = doc_parse(&command->arena, text, NULL, &stored, err);
    if (status != STET_OK) return status;
    change_unref(mutation->change); /* Of the text before. */
    mutation->change = NULL;
    mutation->body = mutation->yours_data = text;
    mutation->body_doc = stored;
    mutation->yours_hash = doc_hash(&stored, 0);
    mutation->has_yours = true;
    return STET_OK;
}

/* The definition as it stands. *text is empty where there is none that lives. */
static stet_status find_old(struct stet_command *command, struct store_reader *reader,
                            stet_view name, struct store_head *head, stet_view *text,
                            stet_error *err) {
    struct store_change change;
    *text = (stet_view){0};
    stet_status status = store_head(reader, TYPE_TYPE, name, head, err);
    if (status != STET_OK || head->version == 0 || head->deleted) return status;
    status = store_change_at(reader, &command->arena, head->seq, &change, err);
    if (status == STET_OK) *text = change.data;
    return status;
}

static stet_status prepare_put(struct stet_command *command, struct store_reader *reader,
                               size_t index, stet_error *err) {
    struct work *work = command->module_data;
    struct mutation *mutation = &command->mutations[index];
    struct put *put = &work->puts[index];
    struct store_head head;
    stet_view old;
    policy_unref(put->policy);
    survey_release(put->survey);
    *put = (struct put){.name = mutation->id};
    stet_status status = find_old(command, reader, mutation->id, &head, &old, err);
    if (status != STET_OK) return status;
    put->made_from = head.version;
    if (work->apply && mutation->base.kind == STET_BASE_NONE)
        mutation->base = old.size > 0
                             ? (stet_base){.kind = STET_BASE_VERSION, .value = head.version}
                             : (stet_base){.kind = STET_BASE_ABSENT};
    if (mutation->op == STET_OP_DELETE) return STET_OK;
    status = definition_compile(mutation->id, mutation->body, &put->policy, err);
    if (status == STET_OK) status = compare(command, mutation, put, old, err);
    if (status == STET_OK) status = write_text(command, mutation, put, err);
    return status;
}

/* Which of many definitions an error is about. */
static void prefix_field(struct arena *arena, stet_view name, stet_error *err) {
    struct pointer_path root = {0};
    struct pointer_path types = {.parent = &root, .key = VIEW("types")};
    struct pointer_path type = {.parent = &types, .key = name};
    stet_view pointer;
    if (err == NULL || pointer_format(arena, &type, &pointer) != STET_OK) return;
    stet_view field = arena_format(arena, "%.*s%s", VIEW_ARG(pointer), err->field);
    if (field.bytes != NULL) error_field_view(err, field, err->limit);
}

static stet_status prepare_all(struct stet_command *command, struct store_reader *reader,
                               stet_error *err) {
    struct work *work = command->module_data;
    for (size_t i = 0; i < command->mutation_count; i++) {
        stet_status status = prepare_put(command, reader, i, err);
        if (status == STET_OK) continue;
        if (work->apply && err != NULL) prefix_field(&command->arena, work->puts[i].name, err);
        return status;
    }
    return STET_OK;
}

static bool is_written(const struct stet_command *command, stet_view name) {
    for (size_t i = 0; i < command->mutation_count; i++)
        if (view_equal(command->mutations[i].id, name)) return true;
    return false;
}

/* Adds a deletion of each type that is declared and not named. */
static stet_status add_pruned(struct stet_command *command, struct store_reader *reader,
                              stet_error *err) {
    struct work *work = command->module_data;
    struct arena *arena = &command->arena;
    struct store_row *rows = arena_zalloc(arena, SURVEY_CHUNK, sizeof *rows);
    stet_view after = {0}, *gone = NULL;
    size_t count, gone_count = 0, named = command->mutation_count;
    if (rows == NULL) return no_memory(err);
    do {
        stet_status status =
            store_scan(reader, arena, TYPE_TYPE, after, SURVEY_CHUNK, rows, &count, err);
        if (status != STET_OK) return status;
        stet_view *more = arena_zalloc(arena, gone_count + count + 1, sizeof *more);
        if (more == NULL) return no_memory(err);
        if (gone_count > 0) memcpy(more, gone, gone_count * sizeof *more);
        gone = more;
        for (size_t i = 0; i < count; i++) {
            after = rows[i].id;
            if (!rows[i].head.deleted && !is_written(command, rows[i].id))
                gone[gone_count++] = rows[i].id;
        }
    } while (count == SURVEY_CHUNK);
    struct mutation *mutations = arena_zalloc(arena, named + gone_count, sizeof *mutations);
    work->puts = arena_zalloc(arena, named + gone_count, sizeof *work->puts);
    if (mutations == NULL || work->puts == NULL) {
        work->count = 0;
        return no_memory(err);
    }
    memcpy(mutations, command->mutations, named * sizeof *mutations);
    for (size_t i = 0; i < gone_count; i++)
        mutations[named + i] =
            (struct mutation){.op = STET_OP_DELETE, .type = TYPE_TYPE, .id = gone[i]};
    command->mutations = mutations;
    command->mutation_count = work->count = named + gone_count;
    work->prune = false; /* Done: a submission that was refused as busy comes here again. */
    return STET_OK;
}

static stet_status prepare(struct stet_command *command, stet_error *err) {
    struct work *work = command->module_data;
    struct store_reader *reader;
    stet_status status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    if (work->prune) status = add_pruned(command, reader, err);
    if (status == STET_OK) status = prepare_all(command, reader, err);
    space_reader_give(command->space, reader);
    return status;
}

/* A hop: the definition that is there has changed since this one was prepared. */
static stet_status hop_prepare(struct stet_command *command, struct store_reader *reader,
                               stet_error *err) {
    return prepare_all(command, reader, err);
}

/* ---- Surveying --------------------------------------------------------------------------- */

static bool needs_survey(const struct put *put) {
    return put->policy != NULL && (put->judges || put->new_indexes);
}

static stet_status finish_put(struct stet_command *command, size_t index, stet_error *err) {
    struct work *work = command->module_data;
    struct put *put = &work->puts[index];
    uint64_t violations = put->survey == NULL ? 0 : survey_violations(put->survey);
    if (violations > 0 && work->force) {
        struct buffer buffer;
        struct json_writer writer;
        buffer_init(&buffer, &command->arena, 0);
        json_begin(&writer, &buffer);
        json_object_begin(&writer);
        json_member_u64(&writer, VIEW("violations"), violations);
        json_member_text(&writer, VIEW("by"), command->actor.id);
        json_object_end(&writer);
        if (json_end(&writer) != STET_OK) return no_memory(err);
        put->forced = buffer_view(&buffer);
    }
    put->finished = true;
    return write_text(command, &command->mutations[index], put, err);
}

/* A hop: a piece of the surveys. Ends on the sequencer where something is to be filled in, or all are done. */
static stet_status hop_survey(struct stet_command *command, struct store_reader *reader,
                              stet_error *err) {
    struct work *work = command->module_data;
    for (size_t i = 0; i < work->count; i++) {
        struct put *put = &work->puts[i];
        if (!needs_survey(put) || put->finished) continue;
        if (put->survey != NULL && !survey_is_done(put->survey)) {
            stet_status status = survey_step(put->survey, reader, err);
            if (status != STET_OK) return status;
            if (survey_wants_fill(put->survey)) return STET_OK;
            if (!survey_is_done(put->survey)) {
                command->hop = hop_survey; /* Others want the worker, too. */
                return STET_OK;
            }
        }
        stet_status status = finish_put(command, i, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

/* Whether no record of the type has ever been written, as of now: then there is nothing to look through and no index to fill. */
static stet_status has_records(struct types *types, const struct batch *batch, stet_view name,
                               struct arena *arena, bool *has, stet_error *err) {
    struct store_row row;
    size_t count = 0;
    *has = true;
    for (size_t i = 0; i < batch->change_count; i++)
        if (view_equal(batch->changes[i]->row.type, name)) return STET_OK;
    stet_status status = store_scan(store_writer_reader(types->space->store), arena, name,
                                    (stet_view){0}, 1, &row, &count, err);
    *has = count > 0;
    return status;
}

static_assert(TYPE_ALL_INDEXES_MAX <= 64, "a bit for each index");

/* The indexes of a type without records are complete from the start; until records come, which may be before it is staged. */
static void number(struct space *space, struct put *put) {
    for (size_t i = 0; i < put->policy->index_count; i++) {
        struct index_def *def = put->policy->indexes[i];
        if (def->number != 0) continue;
        def->number = index_number_new(space);
        put->numbered |= UINT64_C(1) << i;
    }
}

static void take_numbers_back(struct put *put) {
    for (size_t i = 0; i < put->policy->index_count; i++)
        if ((put->numbered >> i & 1) != 0) put->policy->indexes[i]->number = 0;
    put->numbered = 0;
    put->finished = false;
}

static stet_status drive_put(struct types *types, struct stet_command *command, struct put *put,
                             struct batch *batch, stet_error *err) {
    const struct work *work = command->module_data;
    bool has;
    if (put->survey != NULL) return survey_fill(put->survey, batch, err);
    stet_status status = has_records(types, batch, put->name, &command->arena, &has, err);
    if (status != STET_OK) return status;
    if (!has) {
        number(types->space, put);
        return STET_OK;
    }
    take_numbers_back(put);
    const struct survey_order order = {
        .policy = put->policy,
        .judges = put->judges,
        .only_unique = command->dry_run,
        .force = work->force,
    };
    return survey_begin(types->space, &types->surveys, &order, &put->survey, err);
}

stet_status work_drive(struct types *types, struct stet_command *command, struct batch *batch,
                       stet_error *err) {
    struct work *work = command->module_data;
    bool ready = true;
    survey_sweep(&types->surveys, false);
    for (size_t i = 0; i < work->count; i++) {
        struct put *put = &work->puts[i];
        if (!needs_survey(put)) continue;
        stet_status status = drive_put(types, command, put, batch, err);
        if (status != STET_OK) return status;
        ready = ready && put->finished;
    }
    if (!ready) command->hop = hop_survey;
    return STET_OK;
}

/* ---- The verdict ------------------------------------------------------------------------- */

/* What a verdict says to the writer. */
static stet_status refusal(const struct put *put, stet_error *err) {
    const struct survey_verdict *verdict = put->verdict;
    if (verdict->overlaps > 0) {
        error_set(err, STET_TYPE_VIOLATED,
                  "%s%llu bookings of existing records of type \"%.*s\" overlap others",
                  verdict->more ? "at least " : "", (unsigned long long)verdict->overlaps,
                  VIEW_ARG(put->name));
        error_field_view(err,
                         verdict->collided == NULL ? VIEW("/exclusive")
                                                   : verdict->collided->exclusive->where,
                         0);
    } else if (verdict->collisions > 0) {
        error_set(err, STET_TYPE_VIOLATED,
                  "%s%llu existing records of type \"%.*s\" have a value that another one has, too",
                  verdict->more ? "at least " : "", (unsigned long long)verdict->collisions,
                  VIEW_ARG(put->name));
        error_field(err, "/unique", 0);
    } else {
        error_set(err, STET_TYPE_VIOLATED,
                  "%llu existing records of type \"%.*s\" do not fit the definition",
                  (unsigned long long)verdict->violations, VIEW_ARG(put->name));
        error_field(err, "/fields", 0);
    }
    return STET_TYPE_VIOLATED;
}

static stet_status refuse(struct put *put, const struct survey_verdict *verdict,
                          struct arena *arena, stet_error *err) {
    struct survey_verdict *kept = arena_alloc(arena, sizeof *kept);
    if (kept == NULL) return no_memory(err);
    *kept = *verdict;
    for (size_t i = 0; verdict->violations > 0 && i < kept->example_count; i++) {
        struct survey_example *example = &kept->examples[i];
        example->id = arena_copy(arena, example->id);
        example->field = arena_copy(arena, example->field);
        example->detail = arena_copy(arena, example->detail);
        if (example->id.bytes == NULL || example->field.bytes == NULL ||
            example->detail.bytes == NULL)
            return no_memory(err);
    }
    put->verdict = kept;
    survey_discard(put->survey);
    return refusal(put, err);
}

stet_status work_accept(struct types *types, struct stet_command *command, size_t index,
                        const struct store_head *head, struct batch *batch, stet_error *err) {
    struct work *work = command->module_data;
    struct put *put = &work->puts[index];
    if (put->made_from != head->version) {
        command->hop = hop_prepare;
        return STET_OK;
    }
    if (put->verdict != NULL) return refusal(put, err); /* Its batch failed: decided once more. */
    if (put->survey != NULL) {
        struct survey_verdict verdict;
        bool again;
        stet_status status =
            survey_verdict(put->survey, batch, &command->arena, &verdict, &again, err);
        if (status != STET_OK) return status;
        if (again) {
            put->finished = false;
            command->hop = hop_survey;
            return STET_OK;
        }
        if (verdict.collisions > 0 || (verdict.violations + verdict.overlaps > 0 && !work->force))
            return refuse(put, &verdict, &command->arena, err);
        put->overlaps = verdict.overlaps;
        if (verdict.overlaps > 0 && verdict.example_count > 0)
            put->overlapping = arena_copy(&command->arena, verdict.collision_examples[0].address);
    }
    types->ready[types->ready_count++] =
        (struct types_ready){.policy = policy_ref(put->policy),
                             .version = space_next_version(types->space, head),
                             .survey = put->survey};
    return STET_OK;
}

/* ---- Answering --------------------------------------------------------------------------- */

static stet_view collided_field(const struct index_def *collided) {
    if (collided == NULL) return VIEW("");
    if (collided->exclusive == NULL) return collided->fields[0].pointer;
    return collided->exclusive->resource.size > 0 ? collided->exclusive->resource
                                                  : collided->exclusive->start.pointer;
}

static void explain(struct stet_command *command, size_t index, struct json_writer *writer) {
    const struct work *work = command->module_data;
    const struct put *put = &work->puts[index];
    const struct survey_verdict *verdict = put->verdict;
    if (work->apply) json_member_text(writer, VIEW("type_name"), put->name);
    if (verdict == NULL) return;
    bool unique = verdict->collisions > 0, shared = unique || verdict->overlaps > 0;
    json_key(writer, VIEW("violations"));
    json_object_begin(writer);
    json_member_u64(writer, VIEW("count"),
                    unique                  ? verdict->collisions
                    : verdict->overlaps > 0 ? verdict->overlaps
                                            : verdict->violations);
    if (verdict->more) json_member_bool(writer, VIEW("more"), true);
    /* Whether force=1 would store it all the same. */
    json_member_bool(writer, VIEW("forcible"), !unique);
    json_key(writer, VIEW("examples"));
    json_array_begin(writer);
    for (size_t i = 0; i < verdict->example_count; i++) {
        json_object_begin(writer);
        json_key(writer, VIEW("address"));
        if (shared) {
            json_text(writer, verdict->collision_examples[i].address);
            json_member_text(writer, VIEW("field"), collided_field(verdict->collided));
            json_member_text(writer, VIEW("taken_by"), verdict->collision_examples[i].taken_by);
        } else {
            render_address(writer, put->name, verdict->examples[i].id);
            json_member_text(writer, VIEW("field"), verdict->examples[i].field);
            json_member_text(writer, VIEW("detail"), verdict->examples[i].detail);
        }
        json_object_end(writer);
    }
    json_array_end(writer);
    json_object_end(writer);
}

/* Of an apply. */
static stet_status answer(struct stet_command *command, struct json_writer *writer,
                          stet_error *err) {
    const struct work *work = command->module_data;
    (void)err;
    json_object_begin(writer);
    json_key(writer, VIEW("types"));
    json_object_begin(writer);
    for (size_t i = 0; i < work->count; i++) {
        const struct put *put = &work->puts[i];
        const struct mutation *mutation = &command->mutations[i];
        bool staged = mutation->decision == DECISION_STAGED;
        stet_view change = VIEW("unchanged");
        if (staged) change = VIEW("changed");
        if (staged && mutation->change->row.op == STORE_CREATE) change = VIEW("created");
        if (staged && mutation->change->row.op == STORE_DELETE) change = VIEW("deleted");
        json_key(writer, put->name);
        json_object_begin(writer);
        json_member_text(writer, VIEW("change"), change);
        json_member_u64(writer, VIEW("version"), mutation->after_version);
        if (staged && put->changed_count > 0) {
            json_key(writer, VIEW("changed"));
            json_array_begin(writer);
            for (size_t p = 0; p < put->changed_count; p++)
                json_text(writer, put->changed[p]);
            json_array_end(writer);
        }
        if (put->forced.size > 0) json_member_raw(writer, VIEW("forced"), put->forced);
        json_object_end(writer);
    }
    json_object_end(writer);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    if (command->key.size > 0) json_member_text(writer, VIEW("client_mutation_id"), command->key);
    if (command->dry_run) json_member_bool(writer, VIEW("dry_run"), true);
    json_object_end(writer);
    return STET_OK;
}

/* ---- Filling ----------------------------------------------------------------------------- */

static stet_status check_declarable(stet_view name, stet_error *err) {
    stet_status status = check_type_name(name, "type", err);
    if (status != STET_OK || !type_is_system(name)) return status;
    error_set(err, STET_SYSTEM_TYPE, "\"%.*s\" is a type of the system's own", VIEW_ARG(name));
    error_field(err, "type", 0);
    return STET_SYSTEM_TYPE;
}

/* What is common to both; the mutations are the command's already. force is part of what a mutation key stands for. */
static stet_status begin_work(struct stet_command *command, bool apply, bool prune, bool force,
                              stet_error *err) {
    struct work *work = arena_zalloc(&command->arena, 1, sizeof *work);
    if (work != NULL)
        work->puts = arena_zalloc(&command->arena, command->mutation_count, sizeof *work->puts);
    if (work == NULL || work->puts == NULL) return no_memory(err);
    work->count = command->mutation_count;
    work->apply = apply;
    work->prune = prune;
    work->force = force;
    command->request_hash[0] ^= (uint8_t)(prune << 1 | force);
    command->owner = &types_module;
    command->render = RENDER_FLAT;
    command->prepare = prepare;
    command->explain_mutation = explain;
    command->release = work_release;
    command->module_data = work;
    return STET_OK;
}

stet_status types_fill_write(struct stet_command *command, const stet_type_write *write,
                             stet_error *err) {
    stet_status status = check_declarable(write->name, err);
    if (status != STET_OK) return status;
    stet_mutation mutation = {
        .op = write->deletes ? STET_OP_DELETE : STET_OP_PUT,
        .type = TYPE_TYPE,
        .id = write->name,
        .base = write->base,
        .body = write->deletes ? (stet_view){0} : write->definition,
        .on_conflict = STET_STRATEGY_REJECT,
    };
    stet_write filled = {.mutations = &mutation,
                         .mutation_count = 1,
                         .mutation_key = write->mutation_key,
                         .dry_run = write->dry_run};
    status = command_fill_write(command, &filled, err);
    return status == STET_OK ? begin_work(command, false, false, write->force, err) : status;
}

stet_status types_fill_apply(struct stet_command *command, const stet_types_apply *apply,
                             stet_error *err) {
    struct arena *arena = &command->arena;
    struct doc_limits limits = doc_limits_default;
    struct doc doc;
    limits.bytes_max = TRANSACTION_BYTES_MAX;
    limits.nodes_max *= 4;
    stet_view text = arena_copy(arena, apply->types);
    if (text.bytes == NULL) return no_memory(err);
    stet_status status = doc_parse(arena, text, &limits, &doc, err);
    if (status != STET_OK) return status;
    size_t count = doc_kind(&doc, 0) == DOC_OBJECT ? doc_count(&doc, 0) : 0;
    if (count == 0 || count > TYPES_MAX) {
        error_set(err, STET_BAD_REQUEST,
                  "types is an object from 1 to %d names of types to their definitions", TYPES_MAX);
        error_field(err, "/types", TYPES_MAX);
        return STET_BAD_REQUEST;
    }
    stet_mutation *mutations = arena_zalloc(arena, count, sizeof *mutations);
    if (mutations == NULL) return no_memory(err);
    size_t i = 0;
    for (doc_node type = doc_first(&doc, 0); type != DOC_NONE; type = doc_next(&doc, type), i++) {
        mutations[i] = (stet_mutation){.op = STET_OP_PUT,
                                       .type = TYPE_TYPE,
                                       .body = doc_text(&doc, type),
                                       .on_conflict = STET_STRATEGY_REJECT};
        if (doc_key(arena, &doc, type, &mutations[i].id) != STET_OK) return no_memory(err);
        status = check_declarable(mutations[i].id, err);
        if (status == STET_OK && doc_kind(&doc, type) != DOC_OBJECT) {
            error_set(err, STET_INVALID_TYPE, "a type definition is a JSON object");
            error_field(err, "", 0);
            status = STET_INVALID_TYPE;
        }
        if (status == STET_OK) continue;
        error_field(err, "", 0);
        prefix_field(arena, mutations[i].id, err);
        return status;
    }
    stet_write filled = {.mutations = mutations,
                         .mutation_count = count,
                         .transaction = true,
                         .mutation_key = apply->mutation_key,
                         .dry_run = apply->dry_run};
    status = command_fill_write(command, &filled, err);
    if (status == STET_OK) status = begin_work(command, true, apply->prune, apply->force, err);
    if (status == STET_OK) command->answer = answer;
    return status;
}
