/*
 * Lists: of open conflicts from the board, of all from the store.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/render.h"
#include "modules/conflicts/internal.h"

#include <stdio.h>

enum { ROWS_CHUNK = 64, SCRATCH_BYTES = 16 * 1024 };

/* ---- Pages ------------------------------------------------------------------------------- */

bool task_page_is_full(struct task *task, size_t index) {
    if (task->page_bytes < LIST_PAGE_BYTES_MAX) return false;
    task->more = true;
    task->next = task->marks[index - 1];
    return true;
}

void task_render_next(const struct task *task, struct json_writer *writer) {
    char text[48];
    if (!task->more) return;
    int size = snprintf(text, sizeof text, "%lld.%llu", (long long)task->next.time,
                        (unsigned long long)task->next.first);
    json_member_text(writer, VIEW("next"), view_make(text, (size_t)size));
}

/* ---- Lists of open ones: from the projection, what settles itself next first ------------- */

static bool list_wants(const stet_conflict_list *list, stet_view type, stet_view record_type,
                       stet_view record_id, const struct entry *entry, int64_t now) {
    if (!view_is_empty(type) && !view_equal(entry->type, type)) return false;
    if (!view_is_empty(record_id) &&
        !(view_equal(entry->record_id, record_id) && view_equal(entry->type, record_type)))
        return false;
    if (list->older_than_s > 0 &&
        entry->opened_at > now - (int64_t)list->older_than_s * CLOCK_NS_PER_S)
        return false;
    if (view_is_empty(list->person)) return true;
    for (size_t i = 0; i < entry->place_count; i++)
        if (view_equal(entry->places[i].person, list->person)) return true;
    return view_equal(entry->by, list->person);
}

static stet_status bad_cursor(stet_error *err) {
    error_set(err, STET_BAD_REQUEST, "the cursor is not one that a list gave out");
    error_field(err, "after", 0);
    return STET_BAD_REQUEST;
}

/* "deadline.age" of the last one that was shown. */
static stet_status parse_cursor(stet_view text, int64_t *deadline, uint64_t *first,
                                stet_error *err) {
    const char *dot = memchr(text.bytes, '.', text.size);
    uint64_t number;
    if (dot == NULL) return bad_cursor(err);
    size_t split = (size_t)(dot - text.bytes);
    if (!view_parse_u64(view_make(text.bytes, split), &number) || number > INT64_MAX ||
        !view_parse_u64(view_make(dot + 1, text.size - split - 1), first))
        return bad_cursor(err);
    *deadline = (int64_t)number;
    return STET_OK;
}

/* Where a list is about one record: what its address says. */
static stet_status list_record(struct arena *arena, const stet_conflict_list *list, stet_view *type,
                               stet_view *id, stet_error *err) {
    *type = *id = (stet_view){0};
    if (view_is_empty(list->record)) return STET_OK;
    stet_status status = address_parse(arena, list->record, type, id, err);
    if (status == STET_BAD_REQUEST) error_field(err, "record", 0);
    return status;
}

/* How many there are, of those that the actor surely sees: where it depends on each record, only their own. */
static size_t count_open(const struct staging *staging, const struct board *board) {
    const stet_actor *actor = &staging->command->actor;
    const struct viewer viewer = command_viewer(staging->command);
    stet_view type = {0};
    bool sees = false;
    size_t count = 0;
    if (actor->admin) return board->open_count;
    for (size_t i = 0; i < board->open_count; i++) {
        const struct entry *entry = board->open[i];
        if (type.bytes == NULL || !view_equal(type, entry->type)) {
            struct sight sight;
            type = entry->type;
            sight_begin(&sight, &viewer, type);
            sees = sight.reads == EXPR_TRUE;
            sight_end(&sight);
        }
        bool own = sees || view_equal(entry->by, actor->id);
        for (size_t p = 0; p < entry->place_count && !own; p++)
            own = view_equal(entry->places[p].person, actor->id);
        count += own;
    }
    return count;
}

static stet_status decide_list(struct conflicts *conflicts, struct staging *staging,
                               struct task *task, stet_error *err) {
    const struct board *board = &conflicts->board;
    const stet_conflict_list *list = &task->list;
    struct arena *arena = staging_arena(staging);
    stet_view type, id;
    size_t at = 0;
    stet_status status = list_record(arena, list, &type, &id, err);
    if (status == STET_OK && !view_is_empty(list->after)) {
        int64_t deadline = 0;
        uint64_t first = 0;
        status = parse_cursor(list->after, &deadline, &first, err);
        if (status == STET_OK) at = board_position(board, deadline, first + 1);
    }
    if (status != STET_OK) return status;
    task->found = arena_alloc(arena, list->limit * sizeof *task->found);
    task->marks = arena_alloc(arena, list->limit * sizeof *task->marks);
    if (task->found == NULL || task->marks == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for a list");
    task->found_count = 0;
    task->more = false;
    task->total = count_open(staging, board);
    for (size_t looked = 0; at < board->open_count; at++, looked++) {
        if (task->found_count == list->limit || looked == LIST_ROWS_MAX) {
            task->more = true;
            break;
        }
        const struct entry *last = board->open[at];
        task->next = (struct mark){.time = last->deadline, .first = last->first};
        if (!list_wants(list, list->type, type, id, last, staging->now)) continue;
        task->marks[task->found_count] = task->next;
        stet_view *found = &task->found[task->found_count++];
        *found = arena_copy(arena, last->id);
        if (found->bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a list");
    }
    return STET_OK;
}

static stet_status answer_list(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    struct task *task = command->module_data;
    int64_t now = clock_wall_ns(command->client->engine->clock);
    json_object_begin(writer);
    json_key(writer, VIEW("conflicts"));
    json_array_begin(writer);
    for (size_t i = 0; i < task->found_count && !task_page_is_full(task, i); i++) {
        struct conflict_record record;
        uint64_t version, seq;
        stet_status status = conflicts_read(command, task->found[i], &version, &seq, &record, err);
        if (status != STET_OK) return status;
        task->page_bytes += record.yours.size;
        /* Settled since: it is not what was asked for any more. */
        if (record.state != CONFLICT_OPEN) continue;
        bool may;
        status = conflicts_show(command, NULL, &command->arena, &record, &may, err);
        if (status != STET_OK) return status;
        if (!may) continue;
        render_line(writer, task->found[i], version, seq, &record, (stet_view){0}, now);
    }
    json_array_end(writer);
    json_member_u64(writer, VIEW("open"), task->total);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    task_render_next(task, writer);
    json_object_end(writer);
    return STET_OK;
}

/* ---- Lists of all: from the store, by id ------------------------------------------------- */

struct scan {
    struct stet_command *command;
    struct store_reader *reader;
    struct json_writer *writer;
    struct arena rows_arena, record_arena;
    const stet_conflict_list *list;
    stet_view type, id;
    bool any_state;
    enum conflict_state state;
    stet_view after;
    char after_bytes[ID_BYTES_MAX];
    size_t shown, looked, bytes_from;
    bool more;
};

static bool scan_wants(const struct scan *scan, const struct conflict_record *record, int64_t now) {
    const stet_conflict_list *list = scan->list;
    if (!scan->any_state && record->state != scan->state) return false;
    if (!view_is_empty(list->type) && !view_equal(record->type, list->type)) return false;
    if (!view_is_empty(scan->id) &&
        !(view_equal(record->id, scan->id) && view_equal(record->type, scan->type)))
        return false;
    if (list->older_than_s > 0 &&
        record->opened_at > now - (int64_t)list->older_than_s * CLOCK_NS_PER_S)
        return false;
    return view_is_empty(list->person) || view_equal(record->by, list->person) ||
           view_list_has(&record->persons, list->person);
}

static stet_status scan_row(struct scan *scan, const struct store_row *stored, stet_error *err) {
    struct store_change row;
    struct conflict_record record;
    int64_t now = clock_wall_ns(scan->command->client->engine->clock);
    arena_reset(&scan->record_arena);
    stet_status status = conflicts_row_at(scan->reader, &scan->record_arena, &stored->head,
                                          scan->command->decided_seq, &row, err);
    if (status == STET_NOT_FOUND) return STET_OK;
    if (status == STET_OK) status = record_decode(&scan->record_arena, row.data, &record, err);
    if (status != STET_OK || !scan_wants(scan, &record, now)) return status;
    bool may;
    status = conflicts_show(scan->command, scan->reader, &scan->record_arena, &record, &may, err);
    if (status != STET_OK || !may) return status;
    render_line(scan->writer, stored->id, row.version, row.seq, &record, (stet_view){0}, now);
    scan->shown++;
    return STET_OK;
}

static bool scan_is_full(const struct scan *scan) {
    return scan->shown >= scan->list->limit || scan->looked >= LIST_ROWS_MAX ||
           scan->writer->buffer->size - scan->bytes_from >= LIST_PAGE_BYTES_MAX;
}

static stet_status scan_chunk(struct scan *scan, bool *end, stet_error *err) {
    struct store_row rows[ROWS_CHUNK];
    size_t count = 0;
    arena_reset(&scan->rows_arena);
    stet_status status = store_scan(scan->reader, &scan->rows_arena, CONFLICT_TYPE, scan->after,
                                    ROWS_CHUNK, rows, &count, err);
    if (status != STET_OK) return status;
    *end = count < ROWS_CHUNK;
    for (size_t i = 0; i < count; i++) {
        if (scan_is_full(scan)) {
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

static stet_status read_all(struct stet_command *command, struct store_reader *reader,
                            struct buffer *out, stet_error *err) {
    const struct task *task = command->module_data;
    struct json_writer writer;
    stet_status demanded = actor_demand(&command->actor, task->scope, err);
    if (demanded != STET_OK) return demanded;
    struct scan scan = {.command = command,
                        .reader = reader,
                        .writer = &writer,
                        .list = &task->list,
                        .after = task->list.after,
                        .bytes_from = out->size};
    bool end = false;
    stet_status status = list_record(&command->arena, scan.list, &scan.type, &scan.id, err);
    if (status != STET_OK) return status;
    scan.any_state = view_equal(scan.list->state, VIEW("any"));
    if (!scan.any_state) conflict_state_parse(scan.list->state, &scan.state);
    command->decided_seq = ring_published(&command->space->ring);
    arena_init(&scan.rows_arena, SCRATCH_BYTES);
    arena_init(&scan.record_arena, SCRATCH_BYTES);
    json_begin(&writer, out);
    json_object_begin(&writer);
    json_key(&writer, VIEW("conflicts"));
    json_array_begin(&writer);
    while (status == STET_OK && !end)
        status = scan_chunk(&scan, &end, err);
    json_array_end(&writer);
    json_member_u64(&writer, VIEW("seq"), command->decided_seq);
    if (scan.more) json_member_text(&writer, VIEW("next"), scan.after);
    json_object_end(&writer);
    arena_done(&scan.rows_arena);
    arena_done(&scan.record_arena);
    return status;
}

static stet_status check_page(unsigned *limit, stet_error *err) {
    if (*limit == 0) *limit = LIST_LIMIT_DEFAULT;
    if (*limit <= CONFLICTS_LIMIT_MAX) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "a page has at most %d entries", CONFLICTS_LIMIT_MAX);
    error_field(err, "limit", CONFLICTS_LIMIT_MAX);
    return STET_BAD_REQUEST;
}

stet_status conflicts_fill_list(struct stet_command *command, const stet_conflict_list *list,
                                stet_error *err) {
    struct arena *arena = &command->arena;
    stet_conflict_list kept = *list;
    enum conflict_state state = CONFLICT_OPEN;
    stet_view type, id;
    stet_status status = check_page(&kept.limit, err);
    if (status == STET_OK && !view_is_empty(list->type))
        status = check_type_name(list->type, "type", err);
    if (status == STET_OK) status = list_record(arena, list, &type, &id, err);
    if (status == STET_OK && list->after.size > ID_BYTES_MAX) status = bad_cursor(err);
    if (status != STET_OK) return status;
    bool any = view_equal(list->state, VIEW("any"));
    if (!any && !view_is_empty(list->state) &&
        (!conflict_state_parse(list->state, &state) || state == CONFLICT_MERGED)) {
        error_set(err, STET_BAD_REQUEST,
                  "state is open, resolved, expired, overwritten, settled or any");
        error_field(err, "state", 0);
        return STET_BAD_REQUEST;
    }
    struct task *task = task_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    kept.type = arena_copy(arena, list->type);
    kept.record = arena_copy(arena, list->record);
    kept.person = arena_copy(arena, list->person);
    kept.state = arena_copy(arena, list->state);
    kept.after = arena_copy(arena, list->after);
    if (kept.type.bytes == NULL || kept.record.bytes == NULL || kept.person.bytes == NULL ||
        kept.state.bytes == NULL || kept.after.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    task->list = kept;
    if (any || state != CONFLICT_OPEN) {
        task_finish_read(command, read_all);
    } else {
        task->decide = decide_list;
        task_finish(command, task, answer_list);
    }
    return STET_OK;
}
