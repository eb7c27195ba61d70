/*
 * The inbox: what stands in it for one person, and marking it as read or done with. The newest comes first.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/conflicts/internal.h"

/* ---- List -------------------------------------------------------------------------------- */

/* Whether a comes before b in an inbox. */
static bool is_newer(const struct entry *a, int64_t at, uint64_t first) {
    if (a->at != at) return a->at > at;
    return a->first > first;
}

static stet_status parse_cursor(stet_view text, int64_t *at, uint64_t *first, stet_error *err) {
    const char *dot = memchr(text.bytes, '.', text.size);
    size_t split = dot == NULL ? 0 : (size_t)(dot - text.bytes);
    uint64_t number;
    if (dot != NULL && view_parse_u64(view_make(text.bytes, split), &number) &&
        number <= INT64_MAX && view_parse_u64(view_make(dot + 1, text.size - split - 1), first)) {
        *at = (int64_t)number;
        return STET_OK;
    }
    error_set(err, STET_BAD_REQUEST, "the cursor is not one that a list gave out");
    error_field(err, "after", 0);
    return STET_BAD_REQUEST;
}

/* Puts an entry where it belongs among the `count` newest so far, of at most `max`. */
static size_t keep_newest(const struct entry **newest, size_t count, size_t max,
                          const struct entry *entry) {
    if (count == max && !is_newer(entry, newest[max - 1]->at, newest[max - 1]->first)) return count;
    size_t place = count < max ? count++ : max - 1;
    for (; place > 0 && is_newer(entry, newest[place - 1]->at, newest[place - 1]->first); place--)
        newest[place] = newest[place - 1];
    newest[place] = entry;
    return count;
}

static stet_status decide_inbox(struct conflicts *conflicts, struct staging *staging,
                                struct task *task, stet_error *err) {
    struct arena *arena = staging_arena(staging);
    const stet_conflict_list *list = &task->list;
    stet_view person = staging->command->actor.id;
    /* One more than is shown tells whether there is a next page. */
    size_t max = list->limit + 1, count = 0;
    const struct entry **newest = arena_alloc(arena, max * sizeof *newest);
    task->found = arena_alloc(arena, max * sizeof *task->found);
    task->marks = arena_alloc(arena, max * sizeof *task->marks);
    int64_t after_at = INT64_MAX;
    uint64_t after_first = UINT64_MAX;
    if (newest == NULL || task->found == NULL || task->marks == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for an inbox");
    if (!view_is_empty(list->after)) {
        stet_status status = parse_cursor(list->after, &after_at, &after_first, err);
        if (status != STET_OK) return status;
    }
    task->unread = task->total = 0;
    struct place *place = NULL;
    while ((place = board_inbox(&conflicts->board, person, place)) != NULL) {
        const struct entry *entry = place->node.entry;
        bool before = entry->at < after_at || (entry->at == after_at && entry->first < after_first);
        task->total++;
        if (place->unread) task->unread++;
        if (before && (place->unread || !task->unread_only))
            count = keep_newest(newest, count, max, entry);
    }
    task->more = count == max;
    task->found_count = task->more ? count - 1 : count;
    for (size_t i = 0; i < task->found_count; i++) {
        task->found[i] = arena_copy(arena, newest[i]->id);
        task->marks[i] = (struct mark){.time = newest[i]->at, .first = newest[i]->first};
        if (task->found[i].bytes == NULL)
            return error_set(err, STET_NO_MEMORY, "out of memory for an inbox");
    }
    if (task->more) task->next = task->marks[task->found_count - 1];
    return STET_OK;
}

static stet_status answer_inbox(struct stet_command *command, struct json_writer *writer,
                                stet_error *err) {
    struct task *task = command->module_data;
    int64_t now = clock_wall_ns(command->client->engine->clock);
    json_object_begin(writer);
    json_key(writer, VIEW("items"));
    json_array_begin(writer);
    for (size_t i = 0; i < task->found_count && !task_page_is_full(task, i); i++) {
        struct conflict_record record;
        uint64_t version, seq;
        stet_status status = conflicts_read(command, task->found[i], &version, &seq, &record, err);
        if (status != STET_OK) return status;
        task->page_bytes += record.yours.size;
        if (!record_concerns(&record, command->actor.id)) continue; /* Gone since. */
        bool may; /* It is for them, whatever they see of it. */
        status = conflicts_show(command, NULL, &command->arena, &record, &may, err);
        if (status != STET_OK) return status;
        render_line(writer, task->found[i], version, seq, &record, command->actor.id, now);
    }
    json_array_end(writer);
    json_member_u64(writer, VIEW("unread"), task->unread);
    json_member_u64(writer, VIEW("total"), task->total);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    task_render_next(task, writer);
    json_object_end(writer);
    return STET_OK;
}

stet_status inbox_fill_list(struct stet_command *command, const stet_inbox_list *list,
                            stet_error *err) {
    unsigned limit = list->limit == 0 ? LIST_LIMIT_DEFAULT : list->limit;
    if (limit > CONFLICTS_LIMIT_MAX) {
        error_set(err, STET_BAD_REQUEST, "a page has at most %d entries", CONFLICTS_LIMIT_MAX);
        error_field(err, "limit", CONFLICTS_LIMIT_MAX);
        return STET_BAD_REQUEST;
    }
    struct task *task = task_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    task->list.limit = limit;
    task->list.after = arena_copy(&command->arena, list->after);
    if (task->list.after.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    task->unread_only = list->unread;
    task->decide = decide_inbox;
    task_finish(command, task, answer_inbox);
    return STET_OK;
}

/* ---- Read -------------------------------------------------------------------------------- */

static stet_status mark(struct conflicts *conflicts, struct staging *staging, stet_view id,
                        bool *marked, stet_error *err) {
    struct arena *arena = staging_arena(staging);
    stet_view person = staging->command->actor.id;
    struct conflict_record record;
    struct store_head head;
    *marked = false;
    stet_status status = conflicts_get(staging, id, &head, &record, err);
    if (status == STET_OK && !record_concerns(&record, person)) status = no_such_conflict(id, err);
    if (status != STET_OK || record_is_read(&record, person)) return status;
    stet_view *readers = arena_alloc(arena, (record.read_by.count + 1) * sizeof *readers);
    if (readers == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for an inbox");
    for (size_t i = 0; i < record.read_by.count; i++)
        readers[i] = record.read_by.items[i];
    readers[record.read_by.count] = person;
    record.read_by.items = readers;
    record.read_by.count++;
    record.event = VIEW("read");
    *marked = true;
    return conflicts_put(conflicts, staging, id, &record, NULL, err);
}

/* Their ids, before any of them is changed; at most INBOX_READ_MAX. */
static stet_status collect_unread(struct conflicts *conflicts, struct staging *staging,
                                  struct task *task, stet_error *err) {
    struct arena *arena = staging_arena(staging);
    stet_view *ids = arena_alloc(arena, INBOX_READ_MAX * sizeof *ids);
    if (ids == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for an inbox");
    task->id_count = 0;
    struct place *place = NULL;
    while (task->id_count < INBOX_READ_MAX &&
           (place = board_inbox(&conflicts->board, staging->command->actor.id, place)) != NULL) {
        if (!place->unread) continue;
        ids[task->id_count] = arena_copy(arena, place->node.entry->id);
        if (ids[task->id_count].bytes == NULL)
            return error_set(err, STET_NO_MEMORY, "out of memory for an inbox");
        task->id_count++;
    }
    task->ids = ids;
    return STET_OK;
}

static stet_status decide_read(struct conflicts *conflicts, struct staging *staging,
                               struct task *task, stet_error *err) {
    struct place *place = NULL;
    stet_status status = STET_OK;
    if (task->all) status = collect_unread(conflicts, staging, task, err);
    task->marked = task->unread = 0;
    for (size_t i = 0; status == STET_OK && i < task->id_count; i++) {
        bool marked;
        if (i > 0 && arena_footprint(staging_arena(staging)) > INBOX_READ_BYTES_MAX) {
            /* Conflicts carry what waits in them. Of all, the rest is counted as unread still. */
            if (task->all) break;
            error_set(err, STET_TOO_LARGE, "the conflicts are too large to be marked at once");
            error_field(err, "ids", INBOX_READ_BYTES_MAX);
            return STET_TOO_LARGE;
        }
        status = mark(conflicts, staging, task->ids[i], &marked, err);
        if (status == STET_OK && marked) task->marked++;
    }
    if (status != STET_OK) return status;
    while ((place = board_inbox(&conflicts->board, staging->command->actor.id, place)) != NULL)
        if (place->unread) task->unread++;
    task->unread -= task->marked;
    return STET_OK;
}

static stet_status answer_read(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    const struct task *task = command->module_data;
    (void)err;
    json_object_begin(writer);
    json_member_u64(writer, VIEW("marked"), task->marked);
    json_member_u64(writer, VIEW("unread"), task->unread);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
    return STET_OK;
}

stet_status inbox_fill_read(struct stet_command *command, const stet_view *ids, size_t count,
                            stet_error *err) {
    if (count > INBOX_READ_MAX) {
        error_set(err, STET_TOO_LARGE, "at most %d are marked at once", INBOX_READ_MAX);
        error_field(err, "ids", INBOX_READ_MAX);
        return STET_TOO_LARGE;
    }
    for (size_t i = 0; i < count; i++) {
        stet_status status = check_id(ids[i], "ids", err);
        if (status != STET_OK) return status;
    }
    struct task *task = task_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    stet_view *kept = arena_alloc(&command->arena, (count + 1) * sizeof *kept);
    if (kept == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        kept[i] = arena_copy(&command->arena, ids[i]);
        if (kept[i].bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    }
    task->ids = kept;
    task->id_count = count;
    task->all = ids == NULL;
    task->scope = STET_SCOPE_WRITE;
    task->decide = decide_read;
    task_finish(command, task, answer_read);
    return STET_OK;
}

/* ---- Done with --------------------------------------------------------------------------- */

static stet_status decide_dismiss(struct conflicts *conflicts, struct staging *staging,
                                  struct task *task, stet_error *err) {
    struct store_head head;
    stet_status status = conflicts_get(staging, task->id, &head, &task->record, err);
    if (status == STET_OK && !record_concerns(&task->record, staging->command->actor.id))
        status = no_such_conflict(task->id, err);
    if (status != STET_OK) return status;
    if (task->record.state == CONFLICT_OPEN) {
        error_set(err, STET_FORBIDDEN, "an open conflict is settled, not dismissed");
        error_field(err, "id", 0);
        return STET_FORBIDDEN;
    }
    task->record.dismissed = true;
    task->record.event = VIEW("dismissed");
    return conflicts_put(conflicts, staging, task->id, &task->record, &task->after, err);
}

stet_status inbox_fill_dismiss(struct stet_command *command, stet_view id, stet_error *err) {
    stet_status status = check_id(id, "id", err);
    if (status != STET_OK) return status;
    struct task *task = task_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    task->id = arena_copy(&command->arena, id);
    if (task->id.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    task->scope = STET_SCOPE_WRITE;
    task->decide = decide_dismiss;
    task_finish(command, task, conflicts_answer);
    return STET_OK;
}
