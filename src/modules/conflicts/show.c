/*
 * Showing one conflict with everything needed to settle it, made from the record as it is now; and what a record is in for.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/conflict.h"
#include "core/provenance.h"
#include "core/read.h"
#include "core/veil.h"
#include "modules/conflicts/internal.h"

static int64_t now_of(const struct stet_command *command) {
    return clock_wall_ns(command->client->engine->clock);
}

/* ---- One line ---------------------------------------------------------------------------- */

static void render_metadata(struct json_writer *writer, stet_view id, uint64_t version,
                            uint64_t seq) {
    json_member_text(writer, VIEW("id"), id);
    if (version > 0) json_member_u64(writer, VIEW("version"), version);
    json_member_u64(writer, VIEW("seq"), seq);
}

void render_line(struct json_writer *writer, stet_view id, uint64_t version, uint64_t seq,
                 const struct conflict_record *record, stet_view person, int64_t now) {
    json_object_begin(writer);
    render_metadata(writer, id, version, seq);
    record_render(writer, record, RECORD_WHOLE, now);
    if (!view_is_empty(person))
        json_member_bool(writer, VIEW("read"), record_is_read(record, person));
    json_object_end(writer);
}

stet_status conflicts_read(struct stet_command *command, stet_view id, uint64_t *version,
                           uint64_t *seq, struct conflict_record *record, stet_error *err) {
    struct change *head;
    stet_status status =
        client_head(command->client, command->space, CONFLICT_TYPE, id, &head, err);
    if (status == STET_NOT_FOUND) return no_such_conflict(id, err);
    if (status != STET_OK) return status;
    stet_view data = arena_copy(&command->arena, head->row.data);
    bool deleted = change_is_delete(head);
    *version = head->row.version;
    *seq = head->row.seq;
    change_unref(head);
    if (deleted) return no_such_conflict(id, err);
    if (data.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a conflict");
    return record_decode(&command->arena, data, record, err);
}

stet_status conflicts_answer(struct stet_command *command, struct json_writer *writer,
                             stet_error *err) {
    struct task *task = command->module_data;
    struct conflict_record record = task->record;
    bool may; /* It was asked before it was decided. */
    stet_status status = conflicts_show(command, NULL, &command->arena, &record, &may, err);
    if (status != STET_OK) return status;
    command->outcome.version = task->after.version;
    render_line(writer, task->id, task->after.version, task->after.seq, &record, (stet_view){0},
                now_of(command));
    return STET_OK;
}

/* The conflict's record as of `published`. STET_NOT_FOUND: it was not there then. */
stet_status conflicts_row_at(struct store_reader *reader, struct arena *arena,
                             const struct store_head *head, uint64_t published,
                             struct store_change *row, stet_error *err) {
    if (head->version == 0 || head->first > published) return STET_NOT_FOUND;
    stet_status status =
        head->seq <= published
            ? store_change_at(reader, arena, head->seq, row, err)
            : store_find(reader, arena, head, STORE_BOUND_SEQ, published, row, err);
    if (status == STET_OK && row->op == STORE_DELETE) status = STET_NOT_FOUND;
    return status;
}

/* ---- One conflict ------------------------------------------------------------------------ */

/* A conflict that is over, or never was one, while its sides are shown. */
struct sides {
    struct stet_command *command;
    struct store_reader *reader;
    struct store_head head; /* The record's. */
    struct veil veil;
    struct json_writer *writer;
    struct store_change shown[2]; /* Base and current, where they were. */
    const struct store_change *beside[2];
    size_t beside_count;
    stet_error *err;
};

/* What one side was; null: it was not there, is not kept, or is not theirs to see (*row is empty then). */
static stet_status render_version(struct sides *sides, const char *name, uint64_t version,
                                  struct store_change *row) {
    struct arena *arena = &sides->command->arena;
    stet_view data = {0};
    stet_error why = {0};
    *row = (struct store_change){0};
    json_key(sides->writer, view_of(name));
    stet_status status = version == 0 || version > sides->head.version
                             ? STET_NOT_FOUND
                             : store_find(sides->reader, arena, &sides->head, STORE_BOUND_VERSION,
                                          version, row, &why);
    bool kept = status == STET_OK && row->version == version && !row->pruned;
    if (kept) status = veil_base(&sides->veil, row, &why);
    if (status != STET_OK && status != STET_NOT_FOUND && status != STET_PRUNED) {
        *sides->err = why;
        return status;
    }
    if (status != STET_OK || !kept) *row = (struct store_change){0};
    bool there = row->version > 0 && row->op != STORE_DELETE && !view_is_empty(row->data);
    status = there ? veil_show(&sides->veil, row, &data, sides->err) : STET_OK;
    if (status != STET_OK) return status;
    if (there) {
        json_raw(sides->writer, data);
    } else {
        json_null(sides->writer);
    }
    return STET_OK;
}

/* Base or current, which are remembered. */
static stet_status render_side(struct sides *sides, const char *name, uint64_t version) {
    struct store_change *row = &sides->shown[sides->beside_count];
    stet_status status = render_version(sides, name, version, row);
    if (status == STET_OK && row->version > 0 && row->op != STORE_DELETE)
        sides->beside[sides->beside_count++] = row;
    return status;
}

/* To its writer as to others: what they sent may be of another time, when they saw more. */
static stet_status render_yours(struct sides *sides, const struct conflict_record *record) {
    struct arena *arena = &sides->command->arena;
    struct lost_yours lost = {0};
    stet_view yours = record->yours, shown = {0};
    stet_status status = STET_OK;
    /* What is put together for a notice begins with what the record is, or was. */
    if (record->withheld && record_is_notice(record)) yours = (stet_view){0};
    if (!record->withheld && record_is_notice(record)) {
        status = lost_collect(sides->reader, arena, &sides->head, record, &lost, sides->err);
        if (status != STET_OK) return status;
        yours = lost.data;
        /* So many of what is listed above are not in yours. */
        if (lost.gone > 0) json_member_u64(sides->writer, VIEW("not_kept"), lost.gone);
    }
    if (!view_is_empty(yours))
        status =
            veil_yours(&sides->veil, yours, sides->beside, sides->beside_count, &shown, sides->err);
    json_member_raw(sides->writer, VIEW("yours"), view_is_empty(shown) ? VIEW("null") : shown);
    return status;
}

static stet_status render_sides(struct stet_command *command, struct store_reader *reader,
                                const struct conflict_record *record, struct json_writer *writer,
                                stet_error *err) {
    stet_error local = {0};
    struct viewer viewer = command_viewer(command);
    struct store_change row;
    struct sides sides = {.command = command,
                          .reader = reader,
                          .veil = {.space = command->space,
                                   .policy = policy_find(command->space, record->type),
                                   .actor = &command->actor,
                                   .arena = &command->arena},
                          .writer = writer,
                          .err = err == NULL ? &local : err};
    uint64_t before =
        record->previous_version != 0 ? record->previous_version : record->current_version;
    stet_status status = store_head(reader, record->type, record->id, &sides.head, sides.err);
    if (status == STET_OK) status = render_side(&sides, "base", record->base_version);
    if (status == STET_OK) status = render_side(&sides, "current", before);
    if (status == STET_OK) status = render_yours(&sides, record);
    if (status == STET_OK) status = render_version(&sides, "result", record->result_version, &row);
    if (status == STET_OK && !view_is_empty(row.merge)) {
        json_key(writer, VIEW("merge"));
        provenance_render(writer, &viewer, &row);
    }
    policy_unref(sides.veil.policy);
    return status;
}

/* The conflict as the writer would meet it now. */
static stet_status render_document(struct stet_command *command, struct store_reader *reader,
                                   stet_view id, const struct conflict_record *record,
                                   struct json_writer *writer, stet_error *err) {
    struct arena *arena = &command->arena;
    struct mutation mutation = {
        .op = record->deletes ? STET_OP_DELETE : STET_OP_PUT,
        .type = record->type,
        .id = record->id,
        .base = {.kind = STET_BASE_VERSION, .value = record->base_version},
        .has_yours = !record->deletes && !view_is_empty(record->yours),
        .yours_data = record->yours,
        .conflict_id = id,
    };
    struct doc doc;
    struct conflict_summary summary = {0};
    stet_status status = STET_OK;
    if (mutation.has_yours) {
        status = doc_parse(arena, record->yours, NULL, &doc, err);
        if (status != STET_OK) return status;
        mutation.yours_hash = doc_hash(&doc, 0);
    }
    status = store_head(reader, record->type, record->id, &mutation.before, err);
    if (status == STET_OK) status = conflict_write(command, &mutation, writer, &summary, err);
    if (status == STET_OK) json_member_text(writer, VIEW("detail"), summary.detail);
    return status;
}

/* The fields that a rule put together or chose for; where none was, both sides' own. */
static stet_status set_merged_fields(struct arena *arena, const struct store_change *change,
                                     struct conflict_record *record, stet_error *err) {
    struct provenance_field *fields;
    size_t count;
    bool any = false;
    stet_view *pointers = arena_alloc(arena, CONFLICT_POINTERS_MAX * sizeof *pointers);
    if (pointers == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a conflict");
    stet_status status = provenance_fields(arena, change, &fields, &count, err);
    if (status != STET_OK) return status;
    for (size_t i = 0; i < count && !any; i++)
        any = fields[i].by_rule;
    record->conflict_type = any ? VIEW("concurrent_edit") : VIEW("version_mismatch");
    record->pointers.items = pointers;
    for (size_t i = 0; i < count; i++) {
        if (fields[i].same || fields[i].by_rule != any) continue;
        if (record->pointers.count == CONFLICT_POINTERS_MAX) {
            record->pointers_left_out++;
        } else {
            pointers[record->pointers.count++] = fields[i].pointer;
        }
    }
    return STET_OK;
}

/* "seq-N": an automatic merge, from the provenance of the change it made. */
stet_status conflicts_read_merge(struct stet_command *command, struct store_reader *reader,
                                 stet_view id, struct conflict_record *record, uint64_t *seq,
                                 stet_error *err) {
    struct arena *arena = &command->arena;
    struct store_change change, base;
    struct store_head head;
    if (!view_starts(id, VIEW("seq-")) ||
        !view_parse_u64(view_make(id.bytes + 4, id.size - 4), seq) || *seq > command->decided_seq ||
        *seq == 0)
        return no_such_conflict(id, err);
    stet_status status = store_change_at(reader, arena, *seq, &change, err);
    if (status == STET_NOT_FOUND) return no_such_conflict(id, err);
    if (status != STET_OK) return status;
    struct viewer viewer = command_viewer(command);
    if (!provenance_is_merge(&change) || !viewer_sees(&viewer, &change))
        return no_such_conflict(id, err);
    *record = (struct conflict_record){
        .state = CONFLICT_MERGED,
        .event = VIEW("merged"),
        .type = change.type,
        .id = change.id,
        .by = change.by,
        .strategy = STET_STRATEGY_MERGE,
        .opened_at = change.stamp,
        .resolved_at = change.stamp,
        .client_mutation_id = change.key,
        .result_version = change.version,
        .change_seq = change.seq,
    };
    provenance_parents(arena, &change, &record->base_version, &record->current_version);
    record->previous_version = record->current_version;
    status = set_merged_fields(arena, &change, record, err);
    if (status != STET_OK) return status;
    status = store_head(reader, change.type, change.id, &head, err);
    if (status == STET_OK)
        status =
            store_find(reader, arena, &head, STORE_BOUND_VERSION, record->base_version, &base, err);
    if (status == STET_OK)
        status = provenance_yours(arena, base.data, &change, &record->yours, err);
    if (status == STET_NOT_FOUND || status == STET_PRUNED) {
        /* The base is not kept any more: what it says by itself is still shown. */
        if (err != NULL) *err = (stet_error){0};
        status = STET_OK;
    }
    return status;
}

static stet_status read_one(struct stet_command *command, struct store_reader *reader,
                            struct buffer *out, stet_error *err) {
    const struct task *task = command->module_data;
    struct conflict_record record;
    struct store_head head;
    struct store_change row = {0};
    struct json_writer writer;
    command->decided_seq = ring_published(&command->space->ring);
    stet_status status = actor_demand(&command->actor, task->scope, err);
    if (status == STET_OK) status = store_head(reader, CONFLICT_TYPE, task->id, &head, err);
    if (status == STET_OK)
        status = conflicts_row_at(reader, &command->arena, &head, command->decided_seq, &row, err);
    if (status == STET_NOT_FOUND) {
        status = conflicts_read_merge(command, reader, task->id, &record, &row.seq, err);
    } else if (status == STET_OK) {
        status = record_decode(&command->arena, row.data, &record, err);
    }
    if (status != STET_OK) return status;
    bool may, open = record.state == CONFLICT_OPEN;
    status = conflicts_show(command, reader, &command->arena, &record, &may, err);
    if (status == STET_OK && !may) status = no_such_conflict(task->id, err);
    if (status != STET_OK) return status;
    command->outcome.version = row.version;
    json_begin(&writer, out);
    json_object_begin(&writer);
    render_metadata(&writer, task->id, row.version, row.seq);
    json_member_text(&writer, VIEW("conflict_id"), task->id);
    record_render(&writer, &record, open ? RECORD_BESIDE_DOCUMENT : RECORD_WHOLE, now_of(command));
    /* Of a record they may not read, there is nothing beside what they wrote themselves. */
    if (record.withheld) record.base_version = 0;
    status = open ? render_document(command, reader, task->id, &record, &writer, err)
                  : render_sides(command, reader, &record, &writer, err);
    json_object_end(&writer);
    return status;
}

stet_status conflicts_fill_get(struct stet_command *command, stet_view id, stet_error *err) {
    stet_status status = check_id(id, "id", err);
    if (status != STET_OK) return status;
    struct task *task = task_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    task->id = arena_copy(&command->arena, id);
    if (task->id.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    task_finish_read(command, read_one);
    return STET_OK;
}

/* ---- What a record is in for ------------------------------------------------------------- */

static stet_status decide_concurrency(struct conflicts *conflicts, struct staging *staging,
                                      struct task *task, stet_error *err) {
    struct arena *arena = staging_arena(staging);
    struct entry *entry = NULL;
    task->found_count = 0;
    task->found = arena_alloc(arena, OPEN_CONFLICTS_PER_RECORD_MAX * sizeof *task->found);
    if (task->found == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a list");
    while ((entry = board_of_record(&conflicts->board, task->record.type, task->record.id,
                                    entry)) != NULL) {
        stet_view id = arena_copy(arena, entry->id);
        if (id.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a list");
        /* A limit that was lower once may have been kept by more. */
        if (task->found_count < OPEN_CONFLICTS_PER_RECORD_MAX)
            task->found[task->found_count++] = id;
    }
    return STET_OK;
}

static stet_status answer_concurrency(struct stet_command *command, struct json_writer *writer,
                                      stet_error *err) {
    const struct task *task = command->module_data;
    stet_view type = task->record.type, id = task->record.id;
    struct change *head;
    stet_status status = actor_demand(&command->actor, STET_SCOPE_READ, err);
    if (status == STET_OK)
        status = client_head(command->client, command->space, type, id, &head, err);
    if (status == STET_NOT_FOUND)
        return error_set(err, STET_NOT_FOUND, "there is no record \"%.*s/%.*s\"", VIEW_ARG(type),
                         VIEW_ARG(id));
    if (status != STET_OK) return status;
    struct viewer viewer = command_viewer(command);
    if (!viewer_sees(&viewer, &head->row)) {
        change_unref(head);
        return error_set(err, STET_NOT_FOUND, "there is no record \"%.*s/%.*s\"", VIEW_ARG(type),
                         VIEW_ARG(id));
    }
    json_object_begin(writer);
    json_member_u64(writer, VIEW("current_version"), head->row.version);
    json_member_text(writer, VIEW("last_modified_by"),
                     change_updated_by(&command->arena, &head->row));
    json_key(writer, VIEW("last_modified_at"));
    json_rfc3339(writer, change_updated_at(&command->arena, &head->row));
    /* Who deals with a tombstone needs its version as much, to create the record again. */
    if (change_is_delete(head)) json_member_bool(writer, VIEW("deleted"), true);
    json_member_bool(writer, VIEW("has_conflicts"), task->found_count > 0);
    json_key(writer, VIEW("conflicts"));
    json_array_begin(writer);
    for (size_t i = 0; i < task->found_count; i++)
        json_text(writer, task->found[i]);
    json_array_end(writer);
    json_object_end(writer);
    change_unref(head);
    return STET_OK;
}

stet_status conflicts_fill_concurrency(struct stet_command *command, stet_view type, stet_view id,
                                       stet_error *err) {
    stet_status status = check_type_name(type, "type", err);
    if (status == STET_OK) status = check_id(id, "id", err);
    if (status != STET_OK) return status;
    struct task *task = task_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    task->record.type = arena_copy(&command->arena, type);
    task->record.id = arena_copy(&command->arena, id);
    if (task->record.type.bytes == NULL || task->record.id.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    task->decide = decide_concurrency;
    task_finish(command, task, answer_concurrency);
    return STET_OK;
}
