#include "core/list.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/space.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

enum { ROWS_CHUNK = 128, SCRATCH_BYTES = 16 * 1024 };

/* ---- Cursors: version, snapshot (big-endian), last id; base64url ------------------------ */

enum {
    CURSOR_VERSION = 1,
    CURSOR_HEADER = 9,
    CURSOR_BYTES_MAX = CURSOR_HEADER + ID_BYTES_MAX,
    CURSOR_TEXT_MAX = (CURSOR_BYTES_MAX + 2) / 3 * 4 + 1,
    CURSOR_BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING
};

static void cursor_render(struct json_writer *writer, uint64_t snapshot, stet_view id) {
    uint8_t bytes[CURSOR_BYTES_MAX];
    char text[CURSOR_TEXT_MAX];
    assert(id.size <= ID_BYTES_MAX);
    bytes[0] = CURSOR_VERSION;
    for (int index = 0; index < 8; index++)
        bytes[1 + index] = (uint8_t)(snapshot >> (56 - 8 * index));
    if (id.size > 0) memcpy(bytes + CURSOR_HEADER, id.bytes, id.size);
    sodium_bin2base64(text, sizeof text, bytes, CURSOR_HEADER + id.size, CURSOR_BASE64);
    json_member_text(writer, VIEW("next"), view_of(text));
}

static stet_status cursor_parse(struct arena *arena, stet_view text, uint64_t *snapshot,
                                stet_view *id, stet_error *err) {
    uint8_t *bytes = arena_alloc(arena, CURSOR_BYTES_MAX);
    size_t size = 0;
    uint64_t read = 0;
    if (bytes == NULL) return error_set(err, STET_NO_MEMORY, "could not read a cursor");
    if (sodium_base642bin(bytes, CURSOR_BYTES_MAX, text.bytes, text.size, NULL, &size, NULL,
                          CURSOR_BASE64) != 0 ||
        size <= CURSOR_HEADER || bytes[0] != CURSOR_VERSION) {
        error_set(err, STET_BAD_REQUEST, "the cursor is not one that a list gave out");
        error_field(err, "after", 0);
        return STET_BAD_REQUEST;
    }
    for (int index = 0; index < 8; index++)
        read = read << 8 | bytes[1 + index];
    *snapshot = read;
    *id = view_make(bytes + CURSOR_HEADER, size - CURSOR_HEADER);
    return STET_OK;
}

/* ---- A page ------------------------------------------------------------------------------ */

struct page {
    struct stet_command *command;
    struct store_reader *reader;
    struct json_writer *writer;
    struct arena rows_arena;   /* One chunk of rows. */
    struct arena record_arena; /* One record. */
    uint64_t snapshot;
    size_t limit;
    size_t shown;
    size_t rewinds;
    size_t rows_seen;
    size_t bytes_from;
    char after_bytes[ID_BYTES_MAX]; /* The last id that was dealt with. */
    stet_view after;
    bool more;
};

static stet_status expired(stet_error *err) {
    error_set(err, STET_CURSOR_EXPIRED,
              "too much changed since the list began; start it again without \"after\"");
    error_field(err, "after", LIST_REWINDS_MAX);
    return STET_CURSOR_EXPIRED;
}

/* The record as of the snapshot. STET_NOT_FOUND: it was not there then. */
static stet_status row_change(struct page *page, const struct store_row *row,
                              struct store_change *change, stet_error *err) {
    struct arena *arena = &page->record_arena;
    const struct store_head *head = &row->head;
    stet_status status;
    if (head->first > page->snapshot) return STET_NOT_FOUND;
    if (head->seq <= page->snapshot) {
        if (head->deleted) return STET_NOT_FOUND;
        status = store_change_at(page->reader, arena, head->seq, change, err);
    } else {
        if (++page->rewinds > LIST_REWINDS_MAX) return expired(err);
        status =
            store_find(page->reader, arena, head, STORE_BOUND_SEQ, page->snapshot, change, err);
    }
    /* It was there when its row was read: what is gone now was overwritten and pruned since. */
    if (status == STET_PRUNED) return expired(err);
    if (status != STET_OK) return status;
    if (change->op == STORE_DELETE) return STET_NOT_FOUND;
    return view_is_empty(change->data) ? expired(err) : STET_OK;
}

static bool page_is_full(const struct page *page) {
    size_t written = page->writer->buffer->size - page->bytes_from;
    return page->shown >= page->limit || written >= LIST_PAGE_BYTES_MAX ||
           page->rows_seen >= LIST_ROWS_MAX;
}

static stet_status show_row(struct page *page, const struct store_row *row, stet_error *err) {
    struct store_change change;
    struct created created;
    stet_status status;
    arena_reset(&page->record_arena);
    status = row_change(page, row, &change, err);
    if (status == STET_NOT_FOUND) return STET_OK;
    if (status != STET_OK) return status;
    if (!space_may_read(page->command->space, &page->command->actor, &change)) return STET_OK;
    status = read_created(page->reader, &page->record_arena, &change, &created, err);
    if (status != STET_OK) return status;
    render_record(page->writer, &change, &created);
    page->shown++;
    return STET_OK;
}

/* *end: there are no more rows, or the page is full and page->more says that a row is left. */
static stet_status show_chunk(struct page *page, bool *end, stet_error *err) {
    struct store_row rows[ROWS_CHUNK];
    size_t chunk = page->limit - page->shown + 1;
    size_t count = 0;
    stet_status status;
    if (chunk > ROWS_CHUNK) chunk = ROWS_CHUNK;
    arena_reset(&page->rows_arena);
    status = store_scan(page->reader, &page->rows_arena, page->command->list.type, page->after,
                        chunk, rows, &count, err);
    if (status != STET_OK) return status;
    *end = count < chunk;
    for (size_t index = 0; index < count; index++) {
        stet_view id = rows[index].id;
        if (page_is_full(page)) {
            page->more = true;
            *end = true;
            break;
        }
        status = show_row(page, &rows[index], err);
        if (status != STET_OK) return status;
        page->rows_seen++;
        assert(id.size <= sizeof page->after_bytes);
        memcpy(page->after_bytes, id.bytes, id.size);
        page->after = view_make(page->after_bytes, id.size);
    }
    return STET_OK;
}

static stet_status render_total(struct page *page, stet_error *err) {
    struct store_type *types;
    size_t count;
    uint64_t live = 0;
    stet_status status = store_types(page->reader, &page->command->arena, &types, &count, err);
    if (status != STET_OK) return status;
    for (size_t index = 0; index < count; index++) {
        if (view_equal(types[index].name, page->command->list.type)) live = types[index].live;
    }
    json_member_u64(page->writer, VIEW("total"), live);
    return STET_OK;
}

static stet_status page_begin(struct page *page, stet_error *err) {
    struct stet_command *command = page->command;
    const stet_list *request = &command->list;
    stet_status status = read_type_allowed(command, request->type, err);
    if (status != STET_OK) return status;
    status = read_wait(command->space, request->min_seq, err);
    if (status != STET_OK) return status;
    page->snapshot = ring_published(&command->space->ring);
    if (!view_is_empty(request->after)) {
        uint64_t published = page->snapshot;
        status = cursor_parse(&command->arena, request->after, &page->snapshot, &page->after, err);
        if (status != STET_OK) return status;
        /* Given out before the space was restored from an older copy. */
        if (page->snapshot > published) return expired(err);
    }
    command->decided_seq = page->snapshot;
    page->limit = request->limit == 0 ? LIST_LIMIT_DEFAULT : request->limit;
    if (page->limit > LIST_LIMIT_MAX) page->limit = LIST_LIMIT_MAX;
    page->bytes_from = page->writer->buffer->size;
    return STET_OK;
}

stet_status list_run(struct stet_command *command, struct store_reader *reader,
                     struct json_writer *writer, stet_error *err) {
    struct page page = {.command = command, .reader = reader, .writer = writer};
    bool end = false;
    stet_status status = page_begin(&page, err);
    if (status != STET_OK) return status;
    arena_init(&page.rows_arena, SCRATCH_BYTES);
    arena_init(&page.record_arena, SCRATCH_BYTES);
    json_object_begin(writer);
    json_key(writer, VIEW("records"));
    json_array_begin(writer);
    while (status == STET_OK && !end)
        status = show_chunk(&page, &end, err);
    json_array_end(writer);
    json_member_u64(writer, VIEW("seq"), page.snapshot);
    if (page.more) cursor_render(writer, page.snapshot, page.after);
    if (status == STET_OK && command->list.total) status = render_total(&page, err);
    json_object_end(writer);
    arena_done(&page.rows_arena);
    arena_done(&page.record_arena);
    return status;
}
