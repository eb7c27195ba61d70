/*
 * Answers: an operation with its place in the queue, as it was known on the sequencer, and what stands in payloads of its own.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/render.h"
#include "modules/operations/internal.h"

/* ---- On the sequencer -------------------------------------------------------------------- */

static struct estimate_run run_of(const struct operation *operation) {
    struct estimate *estimate = operation->lane->estimate;
    stet_view who = operation->function.size > 0 ? operation->function
                    : operation->hand != NULL    ? operation->hand->agent
                                                 : operation->agent;
    const struct note *note = operation->note;
    const struct operation_state *state = &operation->state;
    return (struct estimate_run){
        .kind = estimate_kind(estimate, who, operation->op_type),
        .started_at = state->started_at,
        .percent = note != NULL && note->has_percent ? note->percent
                   : state->has_percent              ? state->percent
                                                     : 0,
        .remaining_s = note != NULL ? note->estimated_s : state->estimated_s,
        .reported_at = operation->reported_at,
    };
}

void lane_estimate(struct operations *operations, const struct lane *lane, unsigned level,
                   size_t ahead, int64_t not_before, struct estimate_answer *answer) {
    struct estimate_run runs[ESTIMATE_RUNS_MAX];
    size_t count = 0;
    for (const struct operation *other = lane->running; other != NULL && count < ESTIMATE_RUNS_MAX;
         other = other->running_next)
        runs[count++] = run_of(other);
    const struct estimate_question question = {
        .level = (enum queue_level)level,
        .ahead = ahead,
        .width = lane->settings.width,
        .paused = lane->settings.paused,
        .runs = runs,
        .run_count = count,
        .places = lane->queue->places,
        .takers = claims_waiting(lane),
        .not_before = not_before > operations->now ? not_before : 0,
        .now = operations->now,
    };
    estimate_wait(lane->estimate, &question, answer);
}

void shown_fill(struct operations *operations, const struct operation *operation,
                struct shown *shown) {
    const struct lane *lane = operation->lane;
    struct estimate_answer answer;
    stet_view who = operation->function.size > 0 ? operation->function : operation->agent;
    shown->at = operations->now;
    shown->knows_average = estimate_processing(
        lane->estimate, estimate_kind(lane->estimate, who, operation->op_type), &shown->average_s);
    if (operation->entry.state == QUEUE_RUNNING) {
        const struct estimate_run run = run_of(operation);
        shown->knows_rest =
            estimate_remaining(lane->estimate, &run, operations->now, &shown->rest_s);
        return;
    }
    shown->waits = true;
    shown->delayed = operation->entry.state == QUEUE_DELAYED;
    shown->ahead = queue_ahead(operations->queue, &operation->entry);
    shown->position = shown->ahead + 1;
    shown->idle_s = estimate_idle_s(lane->estimate, operations->now);
    int64_t until = operation->state.after > operation->not_before ? operation->state.after
                                                                   : operation->not_before;
    lane_estimate(operations, lane, operation->entry.level, shown->ahead, until, &answer);
    shown->known = answer.known && operation->missing == 0;
    shown->wait_s = answer.wait_s;
    shown->low_s = answer.low_s;
    shown->high_s = answer.high_s;
}

void shown_staged(struct shown *shown, const struct store_change *row,
                  const struct operation_record *record) {
    shown->row = *row;
    shown->visible = record->visible;
    shown->by = record->by;
    shown->created_at = record->created_at;
    shown->input_apart = record->input_apart;
    shown->input_veiled = record->input_veiled;
    shown->result_apart = record->result_apart;
}

/* ---- On the client's thread -------------------------------------------------------------- */

void put_seconds(struct json_writer *writer, stet_view name, bool known, double seconds) {
    json_key(writer, name);
    if (known) {
        json_seconds(writer, seconds);
    } else {
        json_null(writer);
    }
}

void put_range(struct json_writer *writer, bool known, double low_s, double high_s) {
    json_key(writer, VIEW("estimated_wait_range_s"));
    if (!known) {
        json_null(writer);
        return;
    }
    json_array_begin(writer);
    json_seconds(writer, low_s);
    json_seconds(writer, high_s);
    json_array_end(writer);
}

static void put_time(struct json_writer *writer, stet_view name, bool known, double at_s) {
    json_key(writer, name);
    if (known && at_s > 0 && at_s < 9e9) {
        json_rfc3339(writer, (int64_t)(at_s * 1e9));
    } else {
        json_null(writer);
    }
}

void shown_render_place(struct json_writer *writer, const struct shown *shown) {
    double now_s = (double)shown->at / 1e9;
    if (shown->waits) {
        json_member_u64(writer, VIEW("position"), shown->position);
        json_member_u64(writer, VIEW("ahead"), shown->ahead);
        if (shown->delayed) json_member_bool(writer, VIEW("delayed"), true);
        put_seconds(writer, VIEW("estimated_wait_s"), shown->known, shown->wait_s);
        put_range(writer, shown->known, shown->low_s, shown->high_s);
        put_seconds(writer, VIEW("average_processing_s"), shown->knows_average, shown->average_s);
        put_time(writer, VIEW("estimated_completion"), shown->known && shown->knows_average,
                 now_s + shown->wait_s + shown->average_s);
        if (shown->idle_s > 0) put_seconds(writer, VIEW("no_worker_for_s"), true, shown->idle_s);
    } else if (shown->at > 0) {
        put_seconds(writer, VIEW("estimated_processing_s"), shown->knows_average, shown->average_s);
        put_time(writer, VIEW("estimated_completion"), shown->knows_rest, now_s + shown->rest_s);
    }
}

/* The change in a reaction's input, with as much of its data as they may see. */
static stet_status render_seen(struct stet_command *command, struct json_writer *writer,
                               const struct doc *doc, doc_node change, stet_error *err) {
    const struct viewer viewer = command_viewer(command);
    struct arena *arena = &command->arena;
    struct store_change row = {.op = STORE_UPDATE, .by = VIEW("")};
    stet_view address = {0}, seen = {0};
    doc_node data = doc_member(doc, change, VIEW("data"));
    doc_node where = doc_member(doc, change, VIEW("address"));
    doc_node version = doc_member(doc, change, VIEW("version"));
    bool sees = false;
    if (data != DOC_NONE && where != DOC_NONE && version != DOC_NONE &&
        doc_string(arena, doc, where, &address) == STET_OK &&
        address_parse(arena, address, &row.type, &row.id, NULL) == STET_OK) {
        doc_node by = doc_member(doc, change, VIEW("by"));
        row.data = doc_text(doc, data);
        (void)doc_u64(doc, version, &row.version);
        if (by == DOC_NONE || doc_string(arena, doc, by, &row.by) != STET_OK) row.by = VIEW("");
        /* Conflicts and operations hold data of others than themselves. */
        sees = !type_is_system(row.type) && viewer_sees(&viewer, &row);
        stet_status status = sees ? viewer_data(&viewer, arena, &row, &seen) : STET_OK;
        if (status != STET_OK) return error_set(err, status, "could not show an operation's input");
    }
    json_object_begin(writer);
    for (doc_node one = doc_first(doc, change); one != DOC_NONE; one = doc_next(doc, one)) {
        if (one == data && !sees) continue;
        json_key_raw(writer, doc_key_raw(doc, one));
        json_raw(writer, one == data ? seen : doc_text(doc, one));
    }
    json_object_end(writer);
    return STET_OK;
}

/* Of a reaction to a record with access rules. */
static stet_status render_veiled(struct stet_command *command, struct json_writer *writer,
                                 stet_view input, stet_error *err) {
    struct doc doc;
    stet_status status = doc_parse(&command->arena, input, NULL, &doc, err);
    if (status != STET_OK) return status;
    json_key(writer, VIEW("input"));
    json_object_begin(writer);
    for (doc_node one = doc_first(&doc, 0); one != DOC_NONE && status == STET_OK;
         one = doc_next(&doc, one)) {
        json_key_raw(writer, doc_key_raw(&doc, one));
        if (view_equal(doc_key_raw(&doc, one), VIEW("change")) &&
            doc_kind(&doc, one) == DOC_OBJECT) {
            status = render_seen(command, writer, &doc, one, err);
        } else {
            json_raw(writer, doc_text(&doc, one));
        }
    }
    json_object_end(writer);
    return status;
}

/* A value that stands in a record of its own. One that is not there any more is left out. */
static stet_status render_payload(struct stet_command *command, struct json_writer *writer,
                                  stet_view operation, const char *what, bool veiled,
                                  stet_error *err) {
    struct change *head;
    struct doc doc;
    stet_view id = payload_id(&command->arena, operation, what);
    if (id.bytes == NULL) return no_memory(err);
    stet_status status = client_head(command->client, command->space, PAYLOAD_TYPE, id, &head, err);
    if (status == STET_NOT_FOUND) {
        if (err != NULL) *err = (stet_error){0};
        return STET_OK;
    }
    if (status != STET_OK) return status;
    status = change_parse(&command->arena, head->row.data, &doc, err);
    if (status == STET_OK && !change_is_delete(head)) {
        doc_node value = doc_member(&doc, 0, VIEW("value"));
        if (value != DOC_NONE && veiled && !command->actor.admin) {
            status = render_veiled(command, writer, doc_text(&doc, value), err);
        } else if (value != DOC_NONE) {
            json_member_raw(writer, view_of(what), doc_text(&doc, value));
        }
    }
    change_unref(head);
    return status;
}

/* What its version says. */
static stet_status render_version(struct stet_command *command, struct json_writer *writer,
                                  const struct shown *shown, bool *input_apart, bool *veiled,
                                  bool *result_apart, stet_error *err) {
    if (!view_is_empty(shown->visible)) {
        const struct created created = {.at = shown->created_at, .by = shown->by};
        render_flat_head(writer, &shown->row, &created);
        json_members_raw(writer, shown->visible);
        *input_apart = shown->input_apart;
        *veiled = shown->input_veiled;
        *result_apart = shown->result_apart;
        return STET_OK;
    }
    struct operation_record record;
    stet_status status = record_read(&command->arena, shown->row.data, &record, err);
    if (status != STET_OK) return status;
    const struct created created = {.at = record.created_at, .by = record.by};
    render_flat_members(writer, &shown->row, &created);
    *input_apart = record.input_apart;
    *veiled = record.input_veiled;
    *result_apart = record.result_apart;
    return STET_OK;
}

stet_status shown_render(struct stet_command *command, struct json_writer *writer,
                         const struct shown *shown, enum show_part part, stet_error *err) {
    bool input_apart, veiled, result_apart;
    json_object_begin(writer);
    stet_status status =
        render_version(command, writer, shown, &input_apart, &veiled, &result_apart, err);
    if (status == STET_OK && input_apart && part == SHOW_WHOLE && !command->dry_run)
        status = render_payload(command, writer, shown->row.id, "input", veiled, err);
    if (status == STET_OK && result_apart && part == SHOW_WHOLE)
        status = render_payload(command, writer, shown->row.id, "result", false, err);
    if (status != STET_OK) return status;
    shown_render_place(writer, shown);
    if (shown->leased) {
        json_key(writer, VIEW("lease"));
        json_object_begin(writer);
        json_member_u64(writer, VIEW("token"), shown->token);
        json_member_u64(writer, VIEW("ttl_s"), shown->ttl_s);
        json_key(writer, VIEW("expires_at"));
        json_rfc3339(writer, shown->expires_at);
        json_object_end(writer);
    }
    if (command->dry_run) json_member_bool(writer, VIEW("dry_run"), true);
    json_object_end(writer);
    return STET_OK;
}

stet_status answer_shown(struct stet_command *command, struct json_writer *writer,
                         stet_error *err) {
    const struct task *task = command->module_data;
    command->outcome.version = task->shown.row.version;
    return shown_render(command, writer, &task->shown, SHOW_WHOLE, err);
}

stet_status answer_claim(struct stet_command *command, struct json_writer *writer,
                         stet_error *err) {
    const struct task *task = command->module_data;
    json_object_begin(writer);
    json_key(writer, VIEW("operations"));
    json_array_begin(writer);
    for (size_t i = 0; i < task->taken_count; i++) {
        stet_status status = shown_render(command, writer, &task->taken[i], SHOW_WHOLE, err);
        if (status != STET_OK) return status;
    }
    json_array_end(writer);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
    return STET_OK;
}
