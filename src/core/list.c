#include "core/list.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/space.h"

#include <assert.h>
#include <string.h>

enum { ROWS_CHUNK = 128, SCRATCH_BYTES = 16 * 1024 };

stet_status list_expired(stet_error *err) {
    error_set(err, STET_CURSOR_EXPIRED,
              "too much changed since the list began; start it again without \"after\"");
    error_field(err, "after", LIST_REWINDS_MAX);
    return STET_CURSOR_EXPIRED;
}

/* ---- One record -------------------------------------------------------------------------- */

/* Who may not read a record as it is now does not see what it was. STET_NOT_FOUND: they may not. */
static stet_status check_now(struct list_page *page, const struct store_head *head,
                             stet_error *err) {
    struct store_change now;
    if (page->sight.system || page->sight.reads != EXPR_DEPENDS) return STET_OK;
    stet_status status = store_change_at(page->reader, &page->record_arena, head->seq, &now, err);
    if (status != STET_OK || sight_sees(&page->sight, &page->record_arena, &now, NULL))
        return status;
    return STET_NOT_FOUND;
}

stet_status list_change_at(struct list_page *page, const struct store_head *head,
                           struct store_change *change, stet_error *err) {
    struct arena *arena = &page->record_arena;
    bool deleted = page->command->list.deleted;
    stet_status status;
    if (head->first > page->snapshot) return STET_NOT_FOUND;
    if (head->seq <= page->snapshot) {
        if (head->deleted != deleted) return STET_NOT_FOUND;
        status = store_change_at(page->reader, arena, head->seq, change, err);
    } else {
        if (++page->rewinds > LIST_REWINDS_MAX) return list_expired(err);
        status = check_now(page, head, err);
        if (status == STET_OK)
            status =
                store_find(page->reader, arena, head, STORE_BOUND_SEQ, page->snapshot, change, err);
    }
    /* It was there when its row was read: what is gone now was overwritten and pruned since. */
    if (status == STET_PRUNED) return list_expired(err);
    if (status != STET_OK) return status;
    if ((change->op == STORE_DELETE) != deleted) return STET_NOT_FOUND;
    /* A tombstone has the last data, unless it was erased or let go: then there is nothing to bring back. */
    if (deleted) return view_is_empty(change->data) ? STET_NOT_FOUND : STET_OK;
    return view_is_empty(change->data) ? list_expired(err) : STET_OK;
}

static stet_status find_created(void *context, struct arena *arena,
                                const struct store_change *change, struct created *created) {
    struct list_page *page = context;
    return read_created(page->reader, arena, change, created, NULL);
}

/* Whether nothing has to be known of a record's data to decide whether it is on the list, and where, but what the read rule looks at. */
static bool is_blind(const struct list_page *page) {
    bool sorts = page->plan.kind != PLAN_IDS;
    bool asks = page->query != NULL && page->query->where != NULL;
    bool judges = !page->sight.system && page->sight.reads != EXPR_TRUE;
    return !sorts && !asks && !(judges && page->sight.hides);
}

/* From here on the record is what the actor sees of it. */
static stet_status hide_fields(struct list_page *page, struct query_record *record,
                               stet_error *err) {
    const struct store_change *change = record->change;
    if (!page->sight.hides) return STET_OK;
    stet_status status =
        sight_data(&page->sight, &page->record_arena, change, &record->doc, &page->visible, err);
    if (status != STET_OK || page->visible.bytes == record->doc.text.bytes) return status;
    return doc_parse(&page->record_arena, page->visible, NULL, &record->doc, err);
}

stet_status list_wants(struct list_page *page, const struct store_change *change,
                       struct query_record *record, bool *wants, stet_error *err) {
    stet_status status;
    page->visible = (stet_view){0};
    *record = (struct query_record){.change = change,
                                    .arena = &page->record_arena,
                                    .find_created = find_created,
                                    .context = page};
    if (is_blind(page)) {
        *wants = sight_sees(&page->sight, &page->record_arena, change, NULL);
        return STET_OK;
    }
    *wants = false;
    status = query_record_init(record, err);
    if (status != STET_OK) return status;
    *wants = sight_sees(&page->sight, &page->record_arena, change, &record->doc);
    if (!*wants) return STET_OK;
    status = hide_fields(page, record, err);
    if (status != STET_OK) return status;
    if (page->query != NULL && page->query->where != NULL)
        *wants = query_record_matches(record, page->query->where);
    if (record->status != STET_OK)
        return error_set(err, record->status, "could not read a record of a list");
    return STET_OK;
}

stet_status list_show(struct list_page *page, const struct store_change *change, stet_view visible,
                      stet_error *err) {
    struct arena *arena = &page->record_arena;
    struct store_change shown = *change;
    struct created created;
    if (page->take != NULL) {
        page->shown++;
        return page->take(page->take_context, change, err);
    }
    struct doc doc;
    stet_status status = read_created(page->reader, arena, change, &created, err);
    shown.data = visible;
    if (status == STET_OK && visible.bytes == NULL)
        status = sight_data(&page->sight, arena, change, NULL, &shown.data, err);
    if (status == STET_OK && page->query != NULL && page->query->field_count > 0) {
        status = change_parse(arena, shown.data, &doc, err);
        if (status == STET_OK) status = query_project(page->query, arena, &doc, &shown.data, err);
    }
    if (status != STET_OK) return status;
    if (shown.op == STORE_DELETE)
        render_deleted(page->writer, NULL, &shown, &created);
    else
        render_record(page->writer, NULL, &shown, &created);
    page->shown++;
    return STET_OK;
}

bool list_is_full(const struct list_page *page) {
    if (page->take != NULL) return page->shown >= page->limit;
    size_t written = page->writer->buffer->size - page->bytes_from;
    return page->shown >= page->limit || written >= LIST_PAGE_BYTES_MAX;
}

void list_end_at(struct list_page *page, stet_view key, uint64_t record) {
    assert(key.size <= sizeof page->key_bytes);
    memcpy(page->key_bytes, key.bytes, key.size);
    page->next.key = view_make(page->key_bytes, key.size);
    page->next.record = record;
}

/* Whether records of the type may not be on the list. */
static bool is_filtered(const struct list_page *page) {
    return page->sight.reads != EXPR_TRUE || (page->query != NULL && page->query->where != NULL);
}

/* ---- In the order of ids ------------------------------------------------------------------ */

static stet_status show_row(struct list_page *page, const struct store_row *row, stet_error *err) {
    struct store_change change;
    struct query_record record;
    bool wants = false;
    stet_status status;
    arena_reset(&page->record_arena);
    status = list_change_at(page, &row->head, &change, err);
    if (status == STET_NOT_FOUND) return STET_OK;
    if (status == STET_OK) status = list_wants(page, &change, &record, &wants, err);
    if (status != STET_OK || !wants) return status;
    page->rows_matched++;
    return list_show(page, &change, page->visible, err);
}

/* *end: there are no more rows, or the page is full and page->more says that a row is left. */
static stet_status show_chunk(struct list_page *page, bool *end, stet_error *err) {
    struct store_row rows[ROWS_CHUNK];
    size_t chunk = is_filtered(page) ? ROWS_CHUNK : page->limit - page->shown + 1;
    size_t count = 0;
    stet_status status;
    if (chunk > ROWS_CHUNK) chunk = ROWS_CHUNK;
    arena_reset(&page->rows_arena);
    status = store_scan(page->reader, &page->rows_arena, page->command->list.type, page->next.key,
                        chunk, rows, &count, err);
    if (status != STET_OK) return status;
    *end = count < chunk;
    for (size_t index = 0; index < count; index++) {
        if (list_is_full(page) || page->rows_seen >= LIST_ROWS_MAX) {
            page->more = true;
            *end = true;
            break;
        }
        status = show_row(page, &rows[index], err);
        if (status != STET_OK) return status;
        page->rows_seen++;
        list_end_at(page, rows[index].id, rows[index].head.first);
    }
    return STET_OK;
}

static stet_status list_by_id(struct list_page *page, stet_error *err) {
    bool end = false;
    stet_status status = STET_OK;
    while (status == STET_OK && !end)
        status = show_chunk(page, &end, err);
    return status;
}

/* ---- Begin and end ------------------------------------------------------------------------ */

static stet_status count_live(struct list_page *page, stet_error *err) {
    struct store_type *types;
    size_t count;
    stet_status status = store_types(page->reader, &page->command->arena, &types, &count, err);
    if (status != STET_OK) return status;
    for (size_t index = 0; index < count; index++) {
        if (view_equal(types[index].name, page->command->list.type)) page->live = types[index].live;
    }
    return STET_OK;
}

/* Whose cursors this list takes: NULL for those of a plain list, which fields do not change. Deleted records have cursors of their own. */
static const uint64_t *cursor_hash(const struct list_page *page) {
    const struct query *query = page->query;
    bool plain = query == NULL || (query->where == NULL && query->sort_count == 0);
    if (page->command->list.deleted) return &page->plain_hash;
    if (plain && !is_filtered(page)) return NULL;
    return query == NULL ? &page->plain_hash : &query->hash;
}

/* Nobody learns an order that values they may not see have made. */
static stet_status check_sort(const struct list_page *page, stet_error *err) {
    const struct query *query = page->query;
    for (size_t i = 0; query != NULL && i < query->sort_count; i++) {
        const struct expr_field *field = &query->sort[i].field;
        if (field->meta != EXPR_META_NONE || !sight_may_hide(&page->sight, field->pointer))
            continue;
        error_set(err, STET_FORBIDDEN, "the field \"%.*s\" may be hidden from you",
                  VIEW_ARG(field->pointer));
        error_field(err, "sort", 0);
        return STET_FORBIDDEN;
    }
    return STET_OK;
}

/* What the actor may see at all, and what that says of the records. viewer: lives as long as the page. */
static stet_status look(struct list_page *page, const struct viewer *viewer, stet_error *err) {
    struct stet_command *command = page->command;
    const struct expr *where = page->query == NULL ? NULL : page->query->where;
    sight_begin(&page->sight, viewer, command->list.type);
    uint64_t salt = !command->list.deleted ? 0 : page->query == NULL ? 1 : page->query->hash + 1;
    page->plain_hash = view_hash(command->list.type, salt);
    stet_status status = check_sort(page, err);
    if (status == STET_OK)
        status = sight_bounds(&page->sight, &command->arena, where, &page->bounds, err);
    if (page->bounds == NULL) page->bounds = where;
    return status;
}

static stet_status take_cursor(struct list_page *page, stet_error *err) {
    struct stet_command *command = page->command;
    uint64_t published = page->snapshot;
    stet_status status;
    if (view_is_empty(command->list.after)) return STET_OK;
    status = cursor_parse(&command->arena, command->list.after, command->space, cursor_hash(page),
                          &page->cursor, err);
    if (status != STET_OK) return status;
    page->has_cursor = true;
    page->snapshot = page->cursor.snapshot;
    /* Given out before the space was restored from an older copy. */
    return page->snapshot > published ? list_expired(err) : STET_OK;
}

static stet_status page_begin(struct list_page *page, stet_error *err) {
    struct stet_command *command = page->command;
    const stet_list *request = &command->list;
    stet_status status = read_type_allowed(command, request->type, err);
    if (status == STET_OK) status = read_wait(command->space, request->min_seq, err);
    if (status != STET_OK) return status;
    page->snapshot = ring_published(&command->space->ring);
    status = take_cursor(page, err);
    if (status != STET_OK) return status;
    command->decided_seq = page->snapshot;
    page->limit = request->limit == 0 ? LIST_LIMIT_DEFAULT : request->limit;
    if (page->limit > LIST_LIMIT_MAX) page->limit = LIST_LIMIT_MAX;
    page->bytes_from = page->writer->buffer->size;
    if (request->total || cursor_hash(page) != NULL) status = count_live(page, err);
    return status;
}

static void render_explain(struct list_page *page) {
    struct json_writer *writer = page->writer;
    const struct plan *plan = &page->plan;
    json_key(writer, VIEW("explain"));
    json_object_begin(writer);
    json_key(writer, VIEW("index"));
    if (plan->index == NULL) {
        json_text(writer, VIEW("scan"));
    } else {
        json_array_begin(writer);
        for (size_t index = 0; index < plan->index->field_count; index++)
            plan_render_field(writer, &plan->index->fields[index]);
        json_array_end(writer);
    }
    json_member_bool(writer, VIEW("sorted"),
                     plan->kind == PLAN_CANDIDATES || plan->kind == PLAN_SCAN);
    /* How many there are that the actor may not see is not theirs to know. */
    if (page->sight.reads == EXPR_TRUE)
        json_member_u64(writer, VIEW("rows_examined"), page->rows_seen);
    json_member_u64(writer, VIEW("rows_matched"), page->rows_matched);
    json_object_end(writer);
}

static stet_status page_end(struct list_page *page, stet_error *err) {
    const stet_list *request = &page->command->list;
    bool filtered = is_filtered(page);
    stet_status status = STET_OK;
    json_member_u64(page->writer, VIEW("seq"), page->snapshot);
    if (page->more) {
        page->next.snapshot = page->snapshot;
        page->next.index = page->plan.index == NULL ? 0 : page->plan.index->number;
        page->next.reverse = page->plan.reverse;
        status =
            cursor_render(page->writer, page->command->space, cursor_hash(page), &page->next, err);
    }
    if (request->total)
        json_member_u64(page->writer, VIEW("total"), filtered ? page->rows_matched : page->live);
    if (request->explain) render_explain(page);
    return status;
}

static stet_status choose(struct list_page *page, const struct policy *policy, bool count_all,
                          stet_error *err) {
    static const struct query plain = {0};
    stet_view index = {0};
    const struct plan_request request = {.policy = policy,
                                         .sight = &page->sight,
                                         .query = page->query == NULL ? &plain : page->query,
                                         .bounds = page->bounds,
                                         .live = page->live,
                                         .count_all = count_all,
                                         .cursor = page->has_cursor ? &page->cursor : NULL};
    stet_status status =
        plan_choose(&page->command->arena, page->reader, &request, &page->plan, &index, err);
    if (page->query != NULL) page->query->index = index;
    return status;
}

static stet_status page_fill(struct list_page *page, const struct policy *policy, stet_error *err) {
    stet_status status = STET_OK;
    page->plan = (struct plan){.kind = PLAN_IDS, .key = PLAN_KEY_ID};
    bool never = page->sight.reads == EXPR_FALSE;
    /* No index has deleted records. */
    if (cursor_hash(page) != NULL && !never && !page->command->list.deleted)
        status = choose(page, policy, page->command->list.total && is_filtered(page), err);
    if (status != STET_OK) return status;
    json_object_begin(page->writer);
    json_key(page->writer, VIEW("records"));
    json_array_begin(page->writer);
    if (never) {
        /* Nothing of the type is theirs to see. */
    } else if (page->plan.kind == PLAN_IDS) {
        if (page->has_cursor) list_end_at(page, page->cursor.key, page->cursor.record);
        status = list_by_id(page, err);
    } else {
        status = list_sorted(page, err);
    }
    json_array_end(page->writer);
    if (status == STET_OK) status = page_end(page, err);
    json_object_end(page->writer);
    return status;
}

stet_status list_run(struct stet_command *command, struct store_reader *reader,
                     struct json_writer *writer, stet_error *err) {
    struct list_page page = {
        .command = command, .reader = reader, .writer = writer, .query = command->query};
    const struct policy *policy = NULL;
    struct viewer viewer = command_viewer(command);
    stet_status status = look(&page, &viewer, err);
    if (status == STET_OK) status = page_begin(&page, err);
    if (status == STET_OK) {
        arena_init(&page.rows_arena, SCRATCH_BYTES);
        arena_init(&page.record_arena, SCRATCH_BYTES);
        if (cursor_hash(&page) != NULL) policy = policy_find(command->space, command->list.type);
        status = page_fill(&page, policy, err);
        policy_unref(policy);
        arena_done(&page.rows_arena);
        arena_done(&page.record_arena);
    }
    sight_end(&page.sight);
    return status;
}

/* ---- For who is not a client -------------------------------------------------------------- */

static stet_status note_type(struct list_page *page, stet_error *err) {
    if (page->reads == NULL) return STET_OK;
    return read_set_range(page->reads, &(struct read_range){.type = page->command->list.type}, err);
}

static stet_status collect_page(struct list_page *page, const struct policy *policy,
                                stet_error *err) {
    page->plan = (struct plan){.kind = PLAN_IDS, .key = PLAN_KEY_ID};
    stet_status status = read_type_allowed(page->command, page->command->list.type, err);
    bool queried = cursor_hash(page) != NULL;
    if (status == STET_OK && queried) status = count_live(page, err);
    if (status == STET_OK && queried) status = choose(page, policy, false, err);
    if (status != STET_OK) return status;
    if (page->plan.kind == PLAN_IDS || page->plan.kind == PLAN_SCAN) {
        status = note_type(page, err);
        if (status != STET_OK) return status;
    }
    if (page->sight.reads == EXPR_FALSE) return STET_OK;
    return page->plan.kind == PLAN_IDS ? list_by_id(page, err) : list_sorted(page, err);
}

stet_status list_collect(struct list_collect *collect, struct store_reader *reader,
                         stet_error *err) {
    /* What a page knows of its command: who asks, where, and what for. */
    struct stet_command command = {.space = collect->space, .actor = *collect->actor};
    struct list_page page = {.command = &command,
                             .reader = reader,
                             .query = collect->query,
                             .snapshot = collect->snapshot,
                             .limit = collect->list->limit,
                             .take = collect->take,
                             .take_context = collect->context,
                             .reads = collect->reads};
    const struct policy *policy = NULL;
    command.list = *collect->list;
    arena_init(&command.arena, SCRATCH_BYTES);
    arena_init(&page.rows_arena, SCRATCH_BYTES);
    arena_init(&page.record_arena, SCRATCH_BYTES);
    struct viewer viewer = {.space = collect->space, .actor = collect->actor};
    stet_status status = look(&page, &viewer, err);
    if (cursor_hash(&page) != NULL) policy = policy_find(collect->space, collect->list->type);
    if (status == STET_OK) status = collect_page(&page, policy, err);
    policy_unref(policy);
    sight_end(&page.sight);
    collect->more = page.more && page.shown < page.limit;
    arena_done(&page.rows_arena);
    arena_done(&page.record_arena);
    arena_done(&command.arena);
    return status;
}
