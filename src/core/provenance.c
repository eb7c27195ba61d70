#include "core/provenance.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/policy.h"
#include "doc/patch.h"

#include <stdio.h>
#include <string.h>

/* ---- Writing ----------------------------------------------------------------------------- */

struct writing {
    struct buffer buffer;
    struct json_writer writer;
};

static void begin(struct writing *writing, struct arena *arena, stet_view strategy) {
    buffer_init(&writing->buffer, arena, 0);
    json_begin(&writing->writer, &writing->buffer);
    json_object_begin(&writing->writer);
    json_member_text(&writing->writer, VIEW("strategy"), strategy);
}

static void write_parents(struct json_writer *writer, uint64_t base, uint64_t current) {
    json_key(writer, VIEW("parents"));
    json_array_begin(writer);
    json_u64(writer, base);
    json_u64(writer, current);
    json_array_end(writer);
}

static stet_status end(struct writing *writing, stet_view *out, stet_error *err) {
    json_object_end(&writing->writer);
    stet_status status = json_end(&writing->writer);
    if (status != STET_OK) return error_set(err, status, "out of memory for a merge");
    *out = buffer_view(&writing->buffer);
    return STET_OK;
}

/* Where the stored value comes from. A rule may take one side although the other changed, too. */
static const char *origin_of(const struct doc_merge_field *field, const struct doc *base,
                             const struct doc *yours) {
    switch (field->state) {
    case DOC_SAME: return "both";
    case DOC_CLEAN_YOURS: return "yours";
    case DOC_CLEAN_CURRENT:
        return doc_equal(base, field->base, yours, field->yours) ? "current" : "rule";
    case DOC_MERGED:
    case DOC_CONFLICT: break;
    }
    return "rule";
}

static void write_field(struct json_writer *writer, const struct doc_merge_field *field,
                        const struct doc *base, const struct doc *yours) {
    const char *from = origin_of(field, base, yours);
    json_key(writer, field->pointer);
    json_object_begin(writer);
    json_member_text(writer, VIEW("from"), view_of(from));
    if (strcmp(from, "rule") == 0) {
        json_member_text(writer, VIEW("rule"), view_of(field->rule));
        if (field->dropped != DOC_DROPPED_NONE)
            json_member_text(writer, VIEW("dropped"),
                             field->dropped == DOC_DROPPED_YOURS ? VIEW("yours") : VIEW("current"));
        /* Of a list's element it stands in the whole list. */
        if (field->list.bytes == NULL && field->yours != DOC_NONE)
            json_member_raw(writer, VIEW("yours"), doc_text(yours, field->yours));
    }
    if (field->list.bytes != NULL) json_member_text(writer, VIEW("list"), field->list);
    json_object_end(writer);
}

/* Yours' own state of each list whose elements were merged. Fields of one list follow one another. */
static void write_lists(struct json_writer *writer, const struct doc_merge_result *result,
                        const struct doc *yours) {
    stet_view last = {0};
    for (size_t i = 0; i < result->field_count; i++) {
        stet_view list = result->fields[i].list;
        if (list.bytes == NULL || (last.bytes != NULL && view_equal(list, last))) continue;
        doc_node node = doc_pointer(yours, list);
        if (last.bytes == NULL) {
            json_key(writer, VIEW("lists"));
            json_object_begin(writer);
        }
        last = list;
        json_key(writer, list);
        if (node == DOC_NONE) {
            json_null(writer);
        } else {
            json_raw(writer, doc_text(yours, node));
        }
    }
    if (last.bytes != NULL) json_object_end(writer);
}

stet_status provenance_of_merge(struct arena *arena, stet_strategy strategy, uint64_t base_version,
                                uint64_t current_version, const struct doc_merge_result *result,
                                const struct doc *base, const struct doc *yours, stet_view *out,
                                stet_error *err) {
    struct writing writing;
    begin(&writing, arena, view_of(strategy_name(strategy)));
    write_parents(&writing.writer, base_version, current_version);
    json_key(&writing.writer, VIEW("fields"));
    json_object_begin(&writing.writer);
    for (size_t i = 0; i < result->field_count; i++)
        write_field(&writing.writer, &result->fields[i], base, yours);
    json_object_end(&writing.writer);
    write_lists(&writing.writer, result, yours);
    return end(&writing, out, err);
}

stet_status provenance_of_overwrite(struct arena *arena, stet_strategy strategy,
                                    uint64_t base_version, uint64_t current_version, stet_view *out,
                                    stet_error *err) {
    struct writing writing;
    begin(&writing, arena, view_of(strategy_name(strategy)));
    write_parents(&writing.writer, base_version, current_version);
    json_key(&writing.writer, VIEW("over"));
    json_object_begin(&writing.writer);
    json_member_u64(&writing.writer, VIEW("from"), base_version + 1);
    json_member_u64(&writing.writer, VIEW("to"), current_version);
    json_object_end(&writing.writer);
    return end(&writing, out, err);
}

/* Where the value that somebody chose comes from. */
static stet_status chosen_origin(struct arena *arena, const struct provenance_choice *made,
                                 const struct doc_merge_field *field, stet_view pointer,
                                 const char **from, stet_error *err) {
    bool listed = pointer.size != field->pointer.size;
    const struct doc *result = made->result;
    doc_node value = doc_pointer(result, pointer);
    doc_node yours = listed ? doc_pointer(made->yours, pointer) : field->yours;
    doc_node current = listed ? doc_pointer(made->current, pointer) : field->current;
    doc_node base = listed ? doc_pointer(made->base, pointer) : field->base;
    bool is_yours = doc_equal(result, value, made->yours, yours);
    bool is_current = doc_equal(result, value, made->current, current);
    if (is_yours || is_current) {
        *from = is_yours && is_current ? "both" : is_yours ? "yours" : "current";
        return STET_OK;
    }
    *from = doc_equal(result, value, made->base, base) ? "base" : "custom";
    if (listed || field->state != DOC_MERGED || field->merged.size == 0 || value == DOC_NONE)
        return STET_OK;
    struct doc merged;
    stet_status status = doc_parse(arena, field->merged, NULL, &merged, err);
    if (status == STET_OK && doc_equal(result, value, &merged, 0)) *from = "rule";
    return status;
}

static stet_status write_chosen(struct arena *arena, struct json_writer *writer,
                                const struct provenance_choice *made, stet_error *err) {
    stet_view last = {0};
    json_key(writer, VIEW("fields"));
    json_object_begin(writer);
    for (size_t i = 0; i < made->merge->field_count; i++) {
        const struct doc_merge_field *field = &made->merge->fields[i];
        const char *from;
        /* Elsewhere than in merged lists each side has its own places: the list is told of as a whole. */
        bool whole = field->list.bytes != NULL && !made->elements;
        stet_view pointer = whole ? field->list : field->pointer;
        if (whole && last.bytes != NULL && view_equal(last, pointer)) continue;
        if (whole) last = pointer;
        stet_status status = chosen_origin(arena, made, field, pointer, &from, err);
        if (status != STET_OK) return status;
        json_key(writer, pointer);
        json_object_begin(writer);
        json_member_text(writer, VIEW("from"), view_of(from));
        if (strcmp(from, "rule") == 0) json_member_text(writer, VIEW("rule"), view_of(field->rule));
        json_object_end(writer);
    }
    json_object_end(writer);
    return STET_OK;
}

stet_status provenance_of_choice(struct arena *arena, const struct provenance_choice *made,
                                 stet_view *out, stet_error *err) {
    struct writing writing;
    begin(&writing, arena, VIEW("resolve"));
    json_member_text(&writing.writer, VIEW("choice"), view_of(made->choice));
    write_parents(&writing.writer, made->base_version, made->current_version);
    if (made->merge != NULL) {
        stet_status status = write_chosen(arena, &writing.writer, made, err);
        if (status != STET_OK) return status;
    }
    if (!view_is_empty(made->conflict_id))
        json_member_text(&writing.writer, VIEW("conflict_id"), made->conflict_id);
    return end(&writing, out, err);
}

/* ---- Reading ----------------------------------------------------------------------------- */

/* Longer than a record: it holds parts of one, and a pointer for each field. */
static const struct doc_limits provenance_limits = {.bytes_max = 16u * DATA_BYTES_MAX,
                                                    .depth_max = JSON_DEPTH_MAX + 8,
                                                    .nodes_max = 8 * JSON_NODES_MAX};

bool provenance_is_merge(const struct store_change *change) {
    /* As written above; a merge is what has "fields". */
    return view_starts(change->merge, VIEW("{\"strategy\":\"merge\"")) ||
           view_starts(change->merge, VIEW("{\"strategy\":\"ask\""));
}

/* An object whose members are pointers, without those that touch what is hidden. */
static void render_pointers(struct json_writer *writer, struct arena *arena, const struct doc *doc,
                            doc_node object, const stet_view *hidden, size_t count) {
    json_object_begin(writer);
    for (doc_node one = doc_first(doc, object); one != DOC_NONE; one = doc_next(doc, one)) {
        stet_view pointer;
        if (doc_key(arena, doc, one, &pointer) != STET_OK) {
            writer->buffer->status = STET_NO_MEMORY;
            return;
        }
        if (!hidden_touches(hidden, count, pointer))
            json_member_raw(writer, doc_key_raw(doc, one), doc_text(doc, one));
    }
    json_object_end(writer);
}

static void render_conflict_id(struct json_writer *writer, const struct store_change *change) {
    char id[32];
    int size = snprintf(id, sizeof id, "seq-%llu", (unsigned long long)change->seq);
    json_member_text(writer, VIEW("conflict_id"), view_make(id, (size_t)size));
}

void provenance_render_without(struct json_writer *writer, struct arena *arena, stet_view merge,
                               const stet_view *hidden, size_t count,
                               const struct store_change *of) {
    struct doc doc;
    stet_status status = doc_parse(arena, merge, &provenance_limits, &doc, NULL);
    if (status != STET_OK) {
        writer->buffer->status = status;
        return;
    }
    json_object_begin(writer);
    for (doc_node one = doc_first(&doc, 0); one != DOC_NONE; one = doc_next(&doc, one)) {
        stet_view key = doc_key_raw(&doc, one);
        bool pointers = view_equal(key, VIEW("fields")) || view_equal(key, VIEW("lists"));
        json_key_raw(writer, key);
        if (pointers && doc_kind(&doc, one) == DOC_OBJECT)
            render_pointers(writer, arena, &doc, one, hidden, count);
        else
            json_raw(writer, doc_text(&doc, one));
    }
    if (of != NULL && provenance_is_merge(of)) render_conflict_id(writer, of);
    json_object_end(writer);
}

/* False: nothing of the change is hidden from the viewer, and nothing was written. of: as provenance_render_without. */
static bool render_redacted(struct json_writer *writer, const struct viewer *viewer,
                            const struct store_change *change, const struct store_change *of) {
    struct sight sight;
    struct arena arena;
    const stet_view *hidden;
    size_t count = 0;
    if (viewer == NULL) return false;
    arena_init(&arena, 1024);
    sight_begin(&sight, viewer, change->type);
    stet_status status = sight_hidden(&sight, &arena, change, &hidden, &count, NULL);
    if (status != STET_OK) {
        writer->buffer->status = status;
    } else if (count > 0) {
        provenance_render_without(writer, &arena, change->merge, hidden, count, of);
    }
    sight_end(&sight);
    arena_done(&arena);
    return status != STET_OK || count > 0;
}

void provenance_render(struct json_writer *writer, const struct viewer *viewer,
                       const struct store_change *change) {
    char id[40];
    if (render_redacted(writer, viewer, change, change)) return;
    if (!provenance_is_merge(change)) {
        json_raw(writer, change->merge);
        return;
    }
    /* Spliced in, for these are our own bytes: an object that is not empty. */
    int size =
        snprintf(id, sizeof id, ",\"conflict_id\":\"seq-%llu\"}", (unsigned long long)change->seq);
    json_raw(writer, view_make(change->merge.bytes, change->merge.size - 1));
    buffer_append(writer->buffer, id, (size_t)size);
}

void provenance_render_tried(struct json_writer *writer, const struct viewer *viewer,
                             const struct store_change *change) {
    if (!render_redacted(writer, viewer, change, NULL)) json_raw(writer, change->merge);
}

bool provenance_parents(struct arena *arena, const struct store_change *change,
                        uint64_t *base_version, uint64_t *current_version) {
    struct doc doc;
    if (view_is_empty(change->merge) ||
        doc_parse(arena, change->merge, NULL, &doc, NULL) != STET_OK)
        return false;
    doc_node parents = doc_member(&doc, 0, VIEW("parents"));
    if (parents == DOC_NONE || doc_kind(&doc, parents) != DOC_ARRAY ||
        doc_count(&doc, parents) != 2)
        return false;
    return doc_u64(&doc, doc_element(&doc, parents, 0), base_version) &&
           doc_u64(&doc, doc_element(&doc, parents, 1), current_version);
}

stet_status provenance_fields(struct arena *arena, const struct store_change *change,
                              struct provenance_field **out, size_t *count, stet_error *err) {
    struct doc doc;
    stet_status status = doc_parse(arena, change->merge, &provenance_limits, &doc, err);
    if (status != STET_OK) return status;
    doc_node fields = doc_member(&doc, 0, VIEW("fields"));
    uint32_t room = fields == DOC_NONE ? 0 : doc_count(&doc, fields);
    *count = 0;
    *out = arena_zalloc(arena, room + 1, sizeof **out);
    if (*out == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
    if (fields == DOC_NONE) return STET_OK;
    for (doc_node field = doc_first(&doc, fields); field != DOC_NONE;
         field = doc_next(&doc, field)) {
        struct provenance_field *one = &(*out)[(*count)++];
        doc_node origin = doc_member(&doc, field, VIEW("from"));
        stet_view from = {0};
        if (doc_key(arena, &doc, field, &one->pointer) != STET_OK ||
            (origin != DOC_NONE && doc_string(arena, &doc, origin, &from) != STET_OK))
            return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
        one->same = view_equal(from, VIEW("both"));
        one->by_rule = view_equal(from, VIEW("rule"));
    }
    return STET_OK;
}

/* What is needed to take one merge back. */
struct undoing {
    struct arena *arena;
    struct doc provenance, base, merged;
    struct json_writer patch;
};

/* Has yours' value at a pointer stand there instead of the merged one. */
static void undo_value(struct undoing *undoing, stet_view pointer, const struct doc *side,
                       doc_node value) {
    struct json_writer *patch = &undoing->patch;
    if (value == DOC_NONE && doc_pointer(&undoing->merged, pointer) == DOC_NONE) return;
    json_object_begin(patch);
    json_member_text(patch, VIEW("op"), value == DOC_NONE ? VIEW("remove") : VIEW("add"));
    json_member_text(patch, VIEW("path"), pointer);
    if (value != DOC_NONE) json_member_raw(patch, VIEW("value"), doc_text(side, value));
    json_object_end(patch);
}

static stet_status undo_field(struct undoing *undoing, doc_node field, stet_error *err) {
    const struct doc *provenance = &undoing->provenance;
    stet_view pointer, from;
    doc_node origin = doc_member(provenance, field, VIEW("from"));
    if (origin == DOC_NONE || doc_member(provenance, field, VIEW("list")) != DOC_NONE)
        return STET_OK;
    if (doc_key(undoing->arena, provenance, field, &pointer) != STET_OK ||
        doc_string(undoing->arena, provenance, origin, &from) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
    if (view_equal(from, VIEW("current"))) {
        undo_value(undoing, pointer, &undoing->base, doc_pointer(&undoing->base, pointer));
    } else if (view_equal(from, VIEW("rule"))) {
        undo_value(undoing, pointer, provenance, doc_member(provenance, field, VIEW("yours")));
    }
    return STET_OK;
}

static stet_status undo(struct undoing *undoing, doc_node fields, doc_node lists, stet_error *err) {
    const struct doc *provenance = &undoing->provenance;
    for (doc_node field = doc_first(provenance, fields); field != DOC_NONE;
         field = doc_next(provenance, field)) {
        stet_status status = undo_field(undoing, field, err);
        if (status != STET_OK) return status;
    }
    if (lists == DOC_NONE) return STET_OK;
    for (doc_node list = doc_first(provenance, lists); list != DOC_NONE;
         list = doc_next(provenance, list)) {
        stet_view pointer;
        if (doc_key(undoing->arena, provenance, list, &pointer) != STET_OK)
            return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
        bool absent = doc_kind(provenance, list) == DOC_NULL;
        undo_value(undoing, pointer, provenance, absent ? DOC_NONE : list);
    }
    return STET_OK;
}

stet_status provenance_yours(struct arena *arena, stet_view base, const struct store_change *merged,
                             stet_view *yours, stet_error *err) {
    struct undoing undoing = {.arena = arena};
    struct buffer buffer;
    struct doc patch;
    if (!provenance_is_merge(merged))
        return error_set(err, STET_NOT_FOUND, "the version is not an automatic merge");
    stet_status status =
        doc_parse(arena, merged->merge, &provenance_limits, &undoing.provenance, err);
    if (status == STET_OK) status = change_parse(arena, base, &undoing.base, err);
    if (status == STET_OK) status = change_parse(arena, merged->data, &undoing.merged, err);
    if (status != STET_OK) return status;
    doc_node fields = doc_member(&undoing.provenance, 0, VIEW("fields"));
    if (fields == DOC_NONE)
        return error_set(err, STET_NOT_FOUND, "the merge does not say what it did");
    buffer_init(&buffer, arena, 0);
    json_begin(&undoing.patch, &buffer);
    json_array_begin(&undoing.patch);
    status = undo(&undoing, fields, doc_member(&undoing.provenance, 0, VIEW("lists")), err);
    if (status != STET_OK) return status;
    json_array_end(&undoing.patch);
    status = json_end(&undoing.patch);
    if (status != STET_OK) return error_set(err, status, "out of memory for a merge");
    status = doc_parse(arena, buffer_view(&buffer), &provenance_limits, &patch, err);
    if (status != STET_OK) return status;
    return doc_json_patch(arena, &undoing.merged, &patch, yours, err);
}
