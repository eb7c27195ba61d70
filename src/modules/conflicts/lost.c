/*
 * What a notice offers: the record as it was before anybody overlooked anything, with each lost value in its place. A notice keeps no
 * values: they stand in the versions it names.
 *
 * The values are put in one after another, in the order they were lost, as one JSON patch. Where one value's place lies in another's, or in
 * an object that has to be made first, what was gathered is applied before (`flush`). Two arenas take turns, so that what this needs
 * does not grow with the number of losses.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/view.h"
#include "doc/patch.h"
#include "modules/conflicts/internal.h"

#include <string.h>

enum { ARENA_BYTES = 16 * 1024 };

/* One document, while values are put into it. */
struct overlay {
    struct arena arenas[2];
    unsigned turn; /* Which holds doc and the patch. */
    struct doc doc;
    stet_view text; /* doc's. */
    struct buffer patch;
    struct json_writer writer;
    stet_view places
        [CONFLICT_POINTERS_MAX]; /* Of the operations in the patch; borrowed from the record. */
    size_t place_count;
};

static void begin_patch(struct overlay *overlay) {
    overlay->place_count = 0;
    buffer_init(&overlay->patch, &overlay->arenas[overlay->turn], 0);
    json_begin(&overlay->writer, &overlay->patch);
    json_array_begin(&overlay->writer);
}

static stet_status set_text(struct overlay *overlay, stet_view text, stet_error *err) {
    unsigned next = 1 - overlay->turn;
    stet_view copy = arena_copy(&overlay->arenas[next], text);
    if (copy.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a notice");
    stet_status status = change_parse(&overlay->arenas[next], copy, &overlay->doc, err);
    if (status != STET_OK) return status;
    arena_reset(&overlay->arenas[overlay->turn]);
    overlay->turn = next;
    overlay->text = copy;
    begin_patch(overlay);
    return STET_OK;
}

static stet_status flush(struct overlay *overlay, stet_error *err) {
    /* Longer than a record: before it is applied one value more was added to what nearly filled it. */
    static const struct doc_limits limits = {.bytes_max = 4u * DATA_BYTES_MAX,
                                             .depth_max = JSON_DEPTH_MAX + 8,
                                             .nodes_max = 4 * JSON_NODES_MAX};
    struct arena *arena = &overlay->arenas[overlay->turn];
    struct doc patch;
    stet_view text;
    if (overlay->place_count == 0) return STET_OK;
    json_array_end(&overlay->writer);
    stet_status status = json_end(&overlay->writer);
    if (status != STET_OK) return error_set(err, status, "out of memory for a notice");
    status = doc_parse(arena, buffer_view(&overlay->patch), &limits, &patch, err);
    if (status == STET_OK) status = doc_json_patch(arena, &overlay->doc, &patch, &text, err);
    if (status != STET_OK) return status;
    return set_text(overlay, text, err);
}

static bool within(stet_view pointer, stet_view other) {
    return view_starts(pointer, other) &&
           (pointer.size == other.size || pointer.bytes[other.size] == '/');
}

static bool is_disturbed(const struct overlay *overlay, stet_view pointer) {
    for (size_t i = 0; i < overlay->place_count; i++)
        if (within(pointer, overlay->places[i]) || within(overlay->places[i], pointer)) return true;
    return false;
}

/* The end of the pointer's next token. */
static size_t token_end(stet_view pointer, size_t begin) {
    const char *slash = memchr(pointer.bytes + begin + 1, '/', pointer.size - begin - 1);
    return slash == NULL ? pointer.size : (size_t)(slash - pointer.bytes);
}

/*
 * How much of a pointer there is to be set: *place. Its parent exists and is an object. What follows `place` has to be made
 * anew; where something else than an object stands in the way, place is that, and all of it comes from the other document.
 */
static void find_place(const struct doc *doc, stet_view *pointer, stet_view *place) {
    size_t end = 0;
    while (end < pointer->size) {
        stet_view parent = view_make(pointer->bytes, end);
        if (doc_kind(doc, doc_pointer(doc, parent)) != DOC_OBJECT) {
            *pointer = parent;
            break;
        }
        end = token_end(*pointer, end);
        if (doc_pointer(doc, view_make(pointer->bytes, end)) == DOC_NONE) break;
    }
    *place = view_make(pointer->bytes, end < pointer->size ? end : pointer->size);
}

/* A token of a pointer as the key it stands for; empty bytes: memory is out. */
static stet_view unescape(struct arena *arena, stet_view token) {
    char *key = arena_alloc(arena, token.size + 1);
    size_t size = 0;
    if (key == NULL) return (stet_view){0};
    for (size_t i = 0; i < token.size; i++) {
        bool escaped = token.bytes[i] == '~' && i + 1 < token.size;
        if (escaped) i++;
        key[size++] = !escaped ? token.bytes[i] : token.bytes[i] == '1' ? '/' : '~';
    }
    return view_make(key, size);
}

static stet_status put_value(struct overlay *overlay, stet_view pointer, stet_view place,
                             bool there, stet_view value, stet_error *err) {
    struct json_writer *writer = &overlay->writer;
    unsigned depth = 0;
    json_object_begin(writer);
    json_member_text(writer, VIEW("op"), there ? VIEW("replace") : VIEW("add"));
    json_member_text(writer, VIEW("path"), place);
    json_key(writer, VIEW("value"));
    for (size_t at = place.size; at < pointer.size; depth++) {
        size_t end = token_end(pointer, at);
        stet_view key = unescape(&overlay->arenas[overlay->turn],
                                 view_make(pointer.bytes + at + 1, end - at - 1));
        if (key.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a notice");
        json_object_begin(writer);
        json_key(writer, key);
        at = end;
    }
    json_raw(writer, value);
    for (; depth > 0; depth--)
        json_object_end(writer);
    json_object_end(writer);
    return STET_OK;
}

/* Has the value at the pointer in `from` stand in the document; also that there is none. */
static stet_status overlay_value(struct overlay *overlay, stet_view pointer, const struct doc *from,
                                 stet_view from_text, stet_error *err) {
    stet_view place;
    stet_status status = STET_OK;
    if (pointer.size == 0) return set_text(overlay, from_text, err);
    if (is_disturbed(overlay, pointer) || overlay->patch.size > DATA_BYTES_MAX ||
        overlay->place_count == CONFLICT_POINTERS_MAX)
        status = flush(overlay, err);
    if (status != STET_OK) return status;
    find_place(&overlay->doc, &pointer, &place);
    doc_node value = doc_pointer(from, pointer);
    bool there = doc_pointer(&overlay->doc, place) != DOC_NONE;
    if (value == DOC_NONE && !there) return STET_OK;
    overlay->places[overlay->place_count++] = place;
    if (value != DOC_NONE)
        return put_value(overlay, pointer, place, there, doc_text(from, value), err);
    json_object_begin(&overlay->writer);
    json_member_text(&overlay->writer, VIEW("op"), VIEW("remove"));
    json_member_text(&overlay->writer, VIEW("path"), place);
    json_object_end(&overlay->writer);
    return STET_OK;
}

/* *there false: the record has no such version, or it is not kept. */
static stet_status find_version(struct store_reader *reader, struct arena *arena,
                                const struct store_head *target, uint64_t version,
                                struct store_change *row, bool *there, stet_error *err) {
    *there = false;
    if (version == 0 || version > target->version) return STET_OK;
    stet_status status = store_find(reader, arena, target, STORE_BOUND_VERSION, version, row, err);
    if (status == STET_NOT_FOUND || status == STET_PRUNED) {
        if (err != NULL) *err = (stet_error){0};
        return STET_OK;
    }
    *there = status == STET_OK && row->version == version && !row->pruned;
    return status;
}

/* What the values are put into: the base; where that is not known, or the record is gone, what stood there last. */
static stet_status begin(struct overlay *overlay, struct store_reader *reader,
                         struct arena *scratch, const struct store_head *target,
                         const struct conflict_record *record, stet_error *err) {
    const uint64_t versions[] = {target->deleted ? 0 : record->base_version,
                                 record->previous_version, record->base_version, target->version};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        struct store_change row;
        bool there;
        stet_status status = find_version(reader, scratch, target, versions[i], &row, &there, err);
        if (status != STET_OK) return status;
        if (there && row.op != STORE_DELETE) return set_text(overlay, row.data, err);
    }
    return set_text(overlay, VIEW("{}"), err);
}

/* One lost value. *kept false: the version it stood in is not kept. */
static stet_status add_lost(struct overlay *overlay, struct store_reader *reader,
                            struct arena *scratch, const struct store_head *target,
                            const struct lost_value *lost, bool newest, struct lost_yours *yours,
                            stet_error *err) {
    struct store_change row;
    struct doc doc;
    bool there;
    stet_status status = find_version(reader, scratch, target, lost->version, &row, &there, err);
    if (status != STET_OK) return status;
    if (!there) {
        yours->gone++;
        return STET_OK;
    }
    yours->found++;
    if (row.op == STORE_DELETE) {
        /* Who wrote to the record again after deleting it does not want it deleted any more. */
        yours->deletes = newest;
        return STET_OK;
    }
    status = change_parse(scratch, row.data, &doc, err);
    if (status == STET_OK) status = overlay_value(overlay, lost->pointer, &doc, row.data, err);
    return status;
}

stet_status lost_collect(struct store_reader *reader, struct arena *arena,
                         const struct store_head *target, const struct conflict_record *record,
                         struct lost_yours *yours, stet_error *err) {
    /* A field too long to be named stands in the version that was overruled. */
    const struct lost_value whole = {.pointer = {.bytes = "", .size = 0},
                                     .version = record->previous_version};
    const struct lost_value *lost = record->lost_count == 0 ? &whole : record->lost;
    size_t count = record->lost_count == 0 ? 1 : record->lost_count;
    struct overlay *overlay = arena_zalloc(arena, 1, sizeof *overlay);
    struct arena scratch;
    *yours = (struct lost_yours){0};
    if (overlay == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a notice");
    arena_init(&scratch, ARENA_BYTES);
    arena_init(&overlay->arenas[0], ARENA_BYTES);
    arena_init(&overlay->arenas[1], ARENA_BYTES);
    stet_status status = begin(overlay, reader, &scratch, target, record, err);
    for (size_t i = 0; i < count && status == STET_OK; i++) {
        arena_reset(&scratch);
        status = add_lost(overlay, reader, &scratch, target, &lost[i], i + 1 == count, yours, err);
    }
    if (status == STET_OK) status = flush(overlay, err);
    if (status == STET_OK && !yours->deletes && yours->found > 0) {
        yours->data = arena_copy(arena, overlay->text);
        if (yours->data.bytes == NULL)
            status = error_set(err, STET_NO_MEMORY, "out of memory for a notice");
    }
    arena_done(&overlay->arenas[0]);
    arena_done(&overlay->arenas[1]);
    arena_done(&scratch);
    return status;
}
