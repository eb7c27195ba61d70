/*
 * Lists by id: of unfinished operations from memory, of all from the store by a worker, and then where those stand that wait. And where many of them stand, for those who wait.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/read.h"
#include "core/render.h"
#include "modules/operations/internal.h"

#include <stdlib.h>

enum { ROWS_CHUNK = 64, SCRATCH_BYTES = 16 * 1024 };

/* ---- Unfinished ones --------------------------------------------------------------------- */

static bool is_like(stet_view wanted, stet_view text) {
    return view_is_empty(wanted) || view_equal(wanted, text);
}

static bool open_wants(const stet_operation_list *list, const struct operation *operation) {
    stet_view at_work = operation->hand == NULL ? (stet_view){0} : operation->hand->agent;
    bool agent_fits = view_is_empty(list->agent) || view_equal(list->agent, operation->agent) ||
                      view_equal(list->agent, at_work);
    bool status_fits = view_equal(list->status, VIEW("open")) ||
                       view_equal(list->status, view_of(status_name(operation->state.status)));
    return agent_fits && status_fits && is_like(list->lane, operation->lane->name) &&
           is_like(list->by, operation->by) && is_like(list->parent, operation->parent);
}

/* A page being filled, on the sequencer. */
struct open_page {
    struct operations *operations;
    struct staging *staging;
    struct task *task;
    const struct operation *last; /* The last one that was looked at. */
    size_t looked, bytes;
    bool more;
    stet_status status;
    stet_error *err;
};

/* One past the page's end is looked for, so that the last page says that it is; but no longer than a page may take. */
static bool open_visit(void *context, const struct operation *operation) {
    struct open_page *page = context;
    struct task *task = page->task;
    bool wanted = open_wants(&task->list, operation) &&
                  rights_see_open(page->staging->space, &page->staging->command->actor, operation);
    bool full = task->row_count == task->list.limit || page->bytes >= LIST_PAGE_BYTES_MAX;
    if ((wanted && full) || page->looked == LIST_OPEN_ROWS_MAX) {
        page->more = true;
        return false;
    }
    page->looked++;
    page->last = operation;
    if (!wanted) return true;
    struct shown *shown = &task->rows[task->row_count];
    struct store_head head;
    page->status =
        staging_read(page->staging, OPERATION_TYPE, operation->id, &head, &shown->row, page->err);
    if (page->status != STET_OK) return false;
    shown_fill(page->operations, operation, shown);
    page->bytes += shown->row.data.size;
    task->row_count++;
    return true;
}

static stet_status decide_open(struct operations *operations, struct staging *staging,
                               struct task *task, stet_error *err) {
    const stet_operation_list *list = &task->list;
    struct arena *arena = staging_arena(staging);
    struct open_page page = {
        .operations = operations, .staging = staging, .task = task, .status = STET_OK, .err = err};
    task->rows = arena_zalloc(arena, list->limit, sizeof *task->rows);
    task->row_count = 0;
    task->next_id = (stet_view){0};
    if (task->rows == NULL) return no_memory(err);
    page.status = rights_demand(&staging->command->actor, STET_SCOPE_READ, STET_SCOPE_OPERATE, err);
    if (page.status != STET_OK) return page.status;
    if (status_parse(list->status) == OPERATION_RUNNING) {
        by_id_walk(operations->held_by_id, BY_ID_HELD, list->after, open_visit, &page);
    } else if (view_is_empty(list->lane)) {
        by_id_walk(operations->by_id, BY_ID_SPACE, list->after, open_visit, &page);
    } else {
        const struct lane *lane = lanes_find(operations, list->lane);
        if (lane != NULL) by_id_walk(lane->by_id, BY_ID_LANE, list->after, open_visit, &page);
    }
    if (page.status != STET_OK || !page.more) return page.status;
    task->next_id = arena_copy(arena, page.last->id);
    return task->next_id.bytes == NULL ? no_memory(err) : STET_OK;
}

static stet_status answer_list(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    const struct task *task = command->module_data;
    json_object_begin(writer);
    json_key(writer, VIEW("operations"));
    json_array_begin(writer);
    for (size_t i = 0; i < task->row_count; i++) {
        stet_status status = shown_render(command, writer, &task->rows[i], SHOW_BARE, err);
        if (status != STET_OK) return status;
    }
    json_array_end(writer);
    /* Who goes on from here in the feed must meet whatever the page could not show yet. */
    json_member_u64(writer, VIEW("seq"),
                    task->rows_seq < command->decided_seq ? task->rows_seq : command->decided_seq);
    if (!view_is_empty(task->next_id)) json_member_text(writer, VIEW("next"), task->next_id);
    json_object_end(writer);
    return STET_OK;
}

/* ---- All, from the store ----------------------------------------------------------------- */

struct scan {
    struct stet_command *command;
    struct store_reader *reader;
    struct task *task;
    struct arena rows_arena, record_arena;
    stet_view after;
    char after_bytes[ID_BYTES_MAX];
    size_t looked, bytes;
    bool more;
};

static bool scan_wants(const stet_operation_list *list, const struct operation_record *record) {
    bool agent_fits = view_is_empty(list->agent) || view_equal(list->agent, record->agent) ||
                      text_list_has(&record->agents, list->agent);
    bool status_fits = view_is_empty(list->status) ||
                       (view_equal(list->status, VIEW("open"))
                            ? !status_finished(record->status)
                            : view_equal(list->status, view_of(status_name(record->status))));
    return agent_fits && status_fits && is_like(list->lane, record->lane) &&
           is_like(list->by, record->by) && is_like(list->parent, record->parent) &&
           is_like(list->target, record->target);
}

static stet_status scan_row(struct scan *scan, const struct store_row *stored, stet_error *err) {
    struct task *task = scan->task;
    struct operation_record record;
    struct store_change row;
    if (stored->head.deleted || stored->head.seq > task->rows_seq) return STET_OK;
    arena_reset(&scan->record_arena);
    stet_status status =
        store_change_at(scan->reader, &scan->record_arena, stored->head.seq, &row, err);
    if (status == STET_OK) status = record_read(&scan->record_arena, row.data, &record, err);
    if (status != STET_OK || !scan_wants(&task->list, &record) ||
        !rights_see(scan->command->space, &scan->command->actor, record.by, record.claimed_by))
        return status;
    struct shown *shown = &task->rows[task->row_count];
    *shown = (struct shown){.open = !status_finished(record.status)};
    /* Once more, to be kept: most that is looked at is not wanted. */
    status =
        store_change_at(scan->reader, &scan->command->arena, stored->head.seq, &shown->row, err);
    if (status != STET_OK) return status;
    scan->bytes += shown->row.data.size;
    task->row_count++;
    return STET_OK;
}

static stet_status scan_chunk(struct scan *scan, bool *end, stet_error *err) {
    struct store_row rows[ROWS_CHUNK];
    size_t count = 0;
    arena_reset(&scan->rows_arena);
    stet_status status = store_scan(scan->reader, &scan->rows_arena, OPERATION_TYPE, scan->after,
                                    ROWS_CHUNK, rows, &count, err);
    if (status != STET_OK) return status;
    *end = count < ROWS_CHUNK;
    for (size_t i = 0; i < count; i++) {
        if (scan->task->row_count >= scan->task->list.limit || scan->looked >= LIST_ROWS_MAX ||
            scan->bytes >= LIST_PAGE_BYTES_MAX) {
            scan->more = *end = true;
            break;
        }
        status = scan_row(scan, &rows[i], err);
        if (status != STET_OK) return status;
        scan->looked++;
        memcpy(scan->after_bytes, rows[i].id.bytes, rows[i].id.size);
        scan->after = view_make(scan->after_bytes, rows[i].id.size);
    }
    return STET_OK;
}

/* On a worker. */
static stet_status hop_scan(struct stet_command *command, struct store_reader *reader,
                            stet_error *err) {
    struct task *task = command->module_data;
    struct scan scan = {
        .command = command, .reader = reader, .task = task, .after = task->list.after};
    stet_status status = rights_demand(&command->actor, STET_SCOPE_READ, STET_SCOPE_OPERATE, err);
    bool end = false;
    task->rows = arena_zalloc(&command->arena, task->list.limit, sizeof *task->rows);
    if (task->rows == NULL) return no_memory(err);
    task->rows_seq = ring_published(&command->space->ring);
    arena_init(&scan.rows_arena, SCRATCH_BYTES);
    arena_init(&scan.record_arena, SCRATCH_BYTES);
    while (status == STET_OK && !end)
        status = scan_chunk(&scan, &end, err);
    if (status == STET_OK && scan.more) {
        task->next_id = arena_copy(&command->arena, scan.after);
        if (task->next_id.bytes == NULL) status = no_memory(err);
    }
    arena_done(&scan.rows_arena);
    arena_done(&scan.record_arena);
    return status;
}

/* What became of a row since it was read. *wanted: whether it is still one of those that were asked for. */
static stet_status refresh(struct operations *operations, struct staging *staging,
                           const struct task *task, struct shown *shown, bool *wanted,
                           stet_error *err) {
    const struct operation *operation = operations_find(operations, shown->row.id);
    struct operation_record record;
    struct store_head head;
    *wanted = true;
    /* What was finished and is still says itself all that there is. */
    if (operation == NULL && !shown->open) return STET_OK;
    stet_status status =
        staging_read(staging, OPERATION_TYPE, shown->row.id, &head, &shown->row, err);
    if (status != STET_OK) return status;
    *wanted = head.version != 0 && !head.deleted;
    if (!*wanted) return STET_OK;
    status = record_read(staging_arena(staging), shown->row.data, &record, err);
    if (status != STET_OK) return status;
    *wanted = scan_wants(&task->list, &record);
    if (operation != NULL) shown_fill(operations, operation, shown);
    return STET_OK;
}

/* Where those stand that wait is known on the sequencer only. */
static stet_status decide_scanned(struct operations *operations, struct staging *staging,
                                  struct task *task, stet_error *err) {
    size_t kept = 0;
    for (size_t i = 0; i < task->row_count; i++) {
        bool wanted;
        stet_status status = refresh(operations, staging, task, &task->rows[i], &wanted, err);
        if (status != STET_OK) return status;
        if (wanted) task->rows[kept++] = task->rows[i];
    }
    task->row_count = kept;
    return STET_OK;
}

stet_status operations_fill_list(struct stet_command *command, const stet_operation_list *list,
                                 stet_error *err) {
    bool open = view_equal(list->status, VIEW("open"));
    enum operation_status wanted = status_parse(list->status);
    if (!open && !view_is_empty(list->status) && wanted == OPERATION_NONE)
        return bad_field(err, "status", 0, "status is a status of operations, or open");
    if (list->limit > LIST_LIMIT_MAX)
        return bad_field(err, "limit", LIST_LIMIT_MAX, "a page has at most %d entries",
                         LIST_LIMIT_MAX);
    struct task *task = operations_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    task->list = *list;
    if (list->limit == 0) task->list.limit = LIST_LIMIT_DEFAULT;
    const struct {
        stet_view given;
        stet_view *kept;
        const char *field;
        size_t bytes_max;
    } texts[] = {
        {list->lane, &task->list.lane, "lane", LANE_BYTES_MAX},
        {list->agent, &task->list.agent, "agent", AGENT_BYTES_MAX},
        {list->by, &task->list.by, "by", ACTOR_BYTES_MAX},
        {list->parent, &task->list.parent, "parent", ID_BYTES_MAX},
        {list->target, &task->list.target, "target", ADDRESS_BYTES_MAX},
        {list->status, &task->list.status, "status", AGENT_BYTES_MAX},
        {list->after, &task->list.after, "after", ID_BYTES_MAX},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        stet_status status = operations_text(command, texts[i].given, texts[i].bytes_max,
                                             texts[i].field, texts[i].kept, err);
        if (status != STET_OK) return status;
    }
    bool in_memory = (open || (wanted != OPERATION_NONE && !status_finished(wanted))) &&
                     view_is_empty(list->target);
    task->decide = in_memory ? decide_open : decide_scanned;
    operations_finish(command, task, answer_list);
    task->rows_seq = UINT64_MAX;
    if (!in_memory) command->hop = hop_scan;
    return STET_OK;
}

/* ---- Where they stand -------------------------------------------------------------------- */

static stet_status decide_status(struct operations *operations, struct staging *staging,
                                 struct task *task, stet_error *err) {
    task->row_count = 0;
    stet_status allowed =
        rights_demand(&staging->command->actor, STET_SCOPE_READ, STET_SCOPE_OPERATE, err);
    if (allowed != STET_OK) return allowed;
    for (size_t i = 0; i < task->id_count; i++) {
        const struct operation *operation = operations_find(operations, task->ids[i]);
        struct shown *shown = &task->rows[task->row_count];
        struct store_head head;
        *shown = (struct shown){0};
        stet_status status =
            staging_read(staging, OPERATION_TYPE, task->ids[i], &head, &shown->row, err);
        if (status != STET_OK) return status;
        if (head.version == 0 || head.deleted ||
            !operations_may_read(staging->space, &staging->command->actor, &shown->row))
            continue;
        if (operation != NULL) shown_fill(operations, operation, shown);
        task->row_count++;
    }
    return STET_OK;
}

static stet_status answer_status(struct stet_command *command, struct json_writer *writer,
                                 stet_error *err) {
    const struct task *task = command->module_data;
    json_object_begin(writer);
    json_key(writer, VIEW("operations"));
    json_array_begin(writer);
    for (size_t i = 0; i < task->row_count; i++) {
        const struct shown *shown = &task->rows[i];
        struct operation_record record;
        stet_status status = record_read(&command->arena, shown->row.data, &record, err);
        if (status != STET_OK) return status;
        json_object_begin(writer);
        json_member_text(writer, VIEW("id"), shown->row.id);
        json_member_text(writer, VIEW("status"), view_of(status_name(record.status)));
        json_member_text(writer, VIEW("lane"), record.lane);
        shown_render_place(writer, shown);
        json_object_end(writer);
    }
    json_array_end(writer);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
    return STET_OK;
}

stet_status operations_fill_status(struct stet_command *command, const stet_view *ids, size_t count,
                                   stet_error *err) {
    if (count > QUEUE_STATUS_MAX)
        return bad_field(err, "ids", QUEUE_STATUS_MAX, "at most %d operations at a time",
                         QUEUE_STATUS_MAX);
    struct task *task = operations_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    stet_view *kept = arena_zalloc(&command->arena, count + 1, sizeof *kept);
    task->rows = arena_zalloc(&command->arena, count + 1, sizeof *task->rows);
    if (kept == NULL || task->rows == NULL) return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        stet_status status = check_id(ids[i], "ids", err);
        if (status == STET_OK)
            status = operations_text(command, ids[i], ID_BYTES_MAX, "ids", &kept[i], err);
        if (status != STET_OK) return status;
    }
    task->ids = kept;
    task->id_count = count;
    task->decide = decide_status;
    operations_finish(command, task, answer_status);
    return STET_OK;
}
