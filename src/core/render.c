#include "core/render.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/provenance.h"
#include "doc/doc.h"

#include <assert.h>

/* An import's metadata is a few short members; more than this is not ours. */
enum { ORIGIN_ARENA_BYTES = 2048 };

/* ---- Addresses ---- */

static bool is_unreserved(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* out has room for three times the part. Returns the end of what was written. */
static char *encode_part(char *out, stet_view part) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t index = 0; index < part.size; index++) {
        unsigned char c = (unsigned char)part.bytes[index];
        if (is_unreserved(c)) {
            *out++ = (char)c;
        } else {
            *out++ = '%';
            *out++ = digits[c >> 4];
            *out++ = digits[c & 15];
        }
    }
    return out;
}

static char *encode_address(char *out, stet_view type, stet_view id) {
    out = encode_part(out, type);
    *out++ = '/';
    return encode_part(out, id);
}

void address_format(struct buffer *buffer, stet_view type, stet_view id) {
    char *out = buffer_reserve(buffer, 3 * type.size + 1 + 3 * id.size);
    if (out == NULL) return;
    buffer_advance(buffer, (size_t)(encode_address(out, type, id) - out));
}

void render_address(struct json_writer *writer, stet_view type, stet_view id) {
    char text[3 * (TYPE_BYTES_MAX + ID_BYTES_MAX) + 3];
    char *end = text;
    assert(type.size <= TYPE_BYTES_MAX && id.size <= ID_BYTES_MAX);
    /* What is percent-encoded needs no escapes in JSON. */
    *end++ = '"';
    end = encode_address(end, type, id);
    *end++ = '"';
    json_raw(writer, view_make(text, (size_t)(end - text)));
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static stet_status decode_part(struct arena *arena, stet_view part, stet_view *out,
                               stet_error *err) {
    char *bytes = arena_bytes(arena, part.size);
    size_t size = 0;
    if (bytes == NULL) return error_set(err, STET_NO_MEMORY, "could not read an address");
    for (size_t index = 0; index < part.size; index++) {
        char c = part.bytes[index];
        /* They mean a version and a pointer in longer addresses, so they never stand for themselves. */
        if (c == '/' || c == '@' || c == '#')
            return error_set(err, STET_BAD_REQUEST,
                             "a \"%c\" in a part of an address is written as \"%%%02X\"", c,
                             (unsigned)c);
        if (c == '%') {
            bool whole = part.size - index > 2;
            int high = whole ? hex_value(part.bytes[index + 1]) : -1;
            int low = whole ? hex_value(part.bytes[index + 2]) : -1;
            if (high < 0 || low < 0)
                return error_set(err, STET_BAD_REQUEST,
                                 "a \"%%\" in an address needs two hexadecimal digits");
            c = (char)(high * 16 + low);
            index += 2;
        }
        bytes[size++] = c;
    }
    *out = view_make(bytes, size);
    return STET_OK;
}

stet_status address_parse(struct arena *arena, stet_view address, stet_view *type, stet_view *id,
                          stet_error *err) {
    const char *slash = address.size == 0 ? NULL : memchr(address.bytes, '/', address.size);
    size_t split = slash == NULL ? 0 : (size_t)(slash - address.bytes);
    stet_view decoded_type, decoded_id;
    stet_status status;
    if (slash == NULL || split == 0 || split + 1 == address.size) {
        status = error_set(err, STET_BAD_REQUEST, "an address is \"type/id\"");
        goto done;
    }
    status = decode_part(arena, view_make(address.bytes, split), &decoded_type, err);
    if (status != STET_OK) goto done;
    status = decode_part(arena, view_make(slash + 1, address.size - split - 1), &decoded_id, err);
    if (status != STET_OK) goto done;
    *type = decoded_type;
    *id = decoded_id;
done:
    if (status == STET_BAD_REQUEST) error_field(err, "address", 0);
    return status;
}

/* ---- Times and authors ---- */

struct origin {
    int64_t created_at, updated_at, modified_at; /* 0: not given. */
    stet_view created_by, updated_by;
};

/* An instant as RFC 3339, or as nanoseconds in a number or a decimal string. */
static int64_t origin_time(struct arena *arena, const struct doc *doc, stet_view name) {
    doc_node node = doc_member(doc, 0, name);
    stet_view text;
    uint64_t number;
    int64_t ns;
    if (node == DOC_NONE) return 0;
    if (doc_u64(doc, node, &number)) return number <= INT64_MAX ? (int64_t)number : 0;
    if (doc_string(arena, doc, node, &text) != STET_OK) return 0;
    if (view_parse_u64(text, &number)) return number <= INT64_MAX ? (int64_t)number : 0;
    return clock_parse_rfc3339(text, &ns) ? ns : 0;
}

static stet_view origin_text(struct arena *arena, const struct doc *doc, stet_view name) {
    doc_node node = doc_member(doc, 0, name);
    stet_view text = {0};
    if (node != DOC_NONE && doc_string(arena, doc, node, &text) != STET_OK) text = (stet_view){0};
    return text;
}

/* What an import, or a write with modified_at, said of its own; nothing where it said nothing or memory is out. */
static struct origin origin_read(struct arena *arena, const struct store_change *change) {
    struct origin origin = {0};
    struct doc doc;
    if (view_is_empty(change->origin)) return origin;
    if (doc_parse(arena, change->origin, NULL, &doc, NULL) != STET_OK) return origin;
    origin.created_at = origin_time(arena, &doc, VIEW("created_at"));
    origin.updated_at = origin_time(arena, &doc, VIEW("updated_at"));
    origin.modified_at = origin_time(arena, &doc, VIEW("modified_at"));
    origin.created_by = origin_text(arena, &doc, VIEW("created_by"));
    origin.updated_by = origin_text(arena, &doc, VIEW("updated_by"));
    return origin;
}

int64_t change_updated_at(struct arena *arena, const struct store_change *change) {
    struct origin origin = origin_read(arena, change);
    return origin.updated_at != 0 ? origin.updated_at : change->stamp;
}

bool change_by_operation(struct arena *arena, const struct store_change *change) {
    struct doc doc;
    return !view_is_empty(change->origin) &&
           doc_parse(arena, change->origin, NULL, &doc, NULL) == STET_OK &&
           doc_member(&doc, 0, VIEW("operation")) != DOC_NONE;
}

int64_t change_modified_at(struct arena *arena, const struct store_change *change) {
    struct origin origin = origin_read(arena, change);
    if (origin.modified_at != 0) return origin.modified_at;
    return origin.updated_at != 0 ? origin.updated_at : change->stamp;
}

stet_view change_updated_by(struct arena *arena, const struct store_change *change) {
    struct origin origin = origin_read(arena, change);
    return view_is_empty(origin.updated_by) ? change->by : origin.updated_by;
}

void change_created(struct arena *arena, const struct store_change *first,
                    struct created *created) {
    struct origin origin = origin_read(arena, first);
    created->at = origin.created_at != 0 ? origin.created_at : first->stamp;
    created->by = view_is_empty(origin.created_by) ? first->by : origin.created_by;
}

/* ---- Records ---- */

static void render_metadata(struct json_writer *writer, const struct store_change *change,
                            const struct created *created) {
    struct arena arena;
    struct origin origin;
    int64_t updated_at;
    arena_init(&arena, ORIGIN_ARENA_BYTES);
    origin = origin_read(&arena, change);
    updated_at = origin.updated_at != 0 ? origin.updated_at : change->stamp;
    json_member_u64(writer, VIEW("version"), change->version);
    json_member_u64(writer, VIEW("seq"), change->seq);
    json_key(writer, VIEW("created_at"));
    json_rfc3339(writer, created->at);
    json_member_text(writer, VIEW("created_by"), created->by);
    json_key(writer, VIEW("updated_at"));
    json_rfc3339(writer, updated_at);
    json_member_text(writer, VIEW("updated_by"),
                     view_is_empty(origin.updated_by) ? change->by : origin.updated_by);
    json_key(writer, VIEW("last_modified"));
    json_u64_text(writer, (uint64_t)updated_at);
    arena_done(&arena);
}

static void render_key(struct json_writer *writer, const struct store_change *change) {
    if (!view_is_empty(change->key))
        json_member_text(writer, VIEW("client_mutation_id"), change->key);
}

static void render_data(struct json_writer *writer, const struct viewer *viewer,
                        const struct store_change *change) {
    struct arena arena;
    stet_view data;
    arena_init(&arena, ORIGIN_ARENA_BYTES);
    stet_status status = viewer_data(viewer, &arena, change, &data);
    if (status == STET_OK) {
        json_member_raw(writer, VIEW("data"), data);
    } else if (writer->buffer->status == STET_OK) {
        writer->buffer->status = status;
    }
    arena_done(&arena);
}

/* Both are stored percent-encoded. */
static void render_lineage(struct json_writer *writer, const struct store_change *change) {
    if (!view_is_empty(change->parent)) json_member_text(writer, VIEW("parent"), change->parent);
    if (!view_is_empty(change->forked_from))
        json_member_text(writer, VIEW("forked_from"), change->forked_from);
}

static void render_members(struct json_writer *writer, const struct viewer *viewer,
                           const struct store_change *change, const struct created *created,
                           bool data_of_deleted) {
    bool deleted = change->op == STORE_DELETE;
    json_member_text(writer, VIEW("type"), change->type);
    json_member_text(writer, VIEW("id"), change->id);
    json_key(writer, VIEW("address"));
    render_address(writer, change->type, change->id);
    render_metadata(writer, change, created);
    render_lineage(writer, change);
    if (deleted) json_member_bool(writer, VIEW("deleted"), true);
    render_key(writer, change);
    if ((!deleted || data_of_deleted) && !view_is_empty(change->data))
        render_data(writer, viewer, change);
}

void render_record_members(struct json_writer *writer, const struct viewer *viewer,
                           const struct store_change *change, const struct created *created) {
    render_members(writer, viewer, change, created, false);
}

void render_deleted(struct json_writer *writer, const struct viewer *viewer,
                    const struct store_change *change, const struct created *created) {
    json_object_begin(writer);
    render_members(writer, viewer, change, created, true);
    json_object_end(writer);
}

void render_record(struct json_writer *writer, const struct viewer *viewer,
                   const struct store_change *change, const struct created *created) {
    json_object_begin(writer);
    render_record_members(writer, viewer, change, created);
    json_object_end(writer);
}

/* Names that the members of a flat answer's own metadata have. */
static bool is_metadata_name(stet_view raw) {
    static const char *const names[] = {
        "id",         "version",    "seq",           "created_at", "created_by",
        "updated_at", "updated_by", "last_modified", "deleted",    "client_mutation_id"};
    for (size_t index = 0; index < sizeof names / sizeof names[0]; index++) {
        if (view_equal(raw, view_of(names[index]))) return true;
    }
    return false;
}

void render_flat_head(struct json_writer *writer, const struct store_change *change,
                      const struct created *created) {
    json_member_text(writer, VIEW("id"), change->id);
    render_metadata(writer, change, created);
}

void render_flat_members(struct json_writer *writer, const struct store_change *change,
                         const struct created *created) {
    struct arena arena;
    struct doc doc;
    render_flat_head(writer, change, created);
    if (change->op == STORE_DELETE) {
        json_member_bool(writer, VIEW("deleted"), true);
        return;
    }
    if (view_is_empty(change->data)) return;
    arena_init(&arena, ORIGIN_ARENA_BYTES);
    if (doc_parse(&arena, change->data, NULL, &doc, NULL) == STET_OK) {
        for (doc_node child = doc_first(&doc, 0); child != DOC_NONE;
             child = doc_next(&doc, child)) {
            stet_view key = doc_key_raw(&doc, child);
            if (is_metadata_name(key) || viewer_never_sees(key)) continue;
            json_key_raw(writer, key);
            json_raw(writer, doc_text(&doc, child));
        }
    } else if (writer->buffer->status == STET_OK) {
        /* Stored data is valid JSON, so only memory can have failed. */
        writer->buffer->status = STET_NO_MEMORY;
    }
    arena_done(&arena);
}

/* ---- Changes ---- */

static stet_view op_name(enum store_op op) {
    switch (op) {
    case STORE_CREATE: return VIEW("create");
    case STORE_UPDATE: return VIEW("update");
    case STORE_DELETE: return VIEW("delete");
    }
    assert(!"an op of the store");
    return VIEW("update");
}

static stet_view row_op_name(const struct store_change *row) {
    return row_is_purge(row) ? VIEW("purge") : op_name(row->op);
}

/* Why a record was purged. */
static void render_reason(struct json_writer *writer, const struct store_change *row) {
    struct arena arena;
    struct doc doc;
    arena_init(&arena, ORIGIN_ARENA_BYTES);
    if (doc_parse(&arena, row->merge, NULL, &doc, NULL) == STET_OK) {
        doc_node reason = doc_member(&doc, 0, VIEW("reason"));
        if (reason != DOC_NONE) json_member_raw(writer, VIEW("reason"), doc_text(&doc, reason));
    }
    arena_done(&arena);
}

void render_purge(struct json_writer *writer, const struct store_change *row) {
    json_member_text(writer, VIEW("purged_by"), row->by);
    json_key(writer, VIEW("purged_at"));
    json_rfc3339(writer, row->stamp);
    render_reason(writer, row);
}

/* "revert:5" is stored for what history shows as {"source": "revert", "reverted_to": 5}. */
static void render_source(struct json_writer *writer, stet_view source) {
    stet_view prefix = VIEW("revert:");
    uint64_t version;
    if (view_is_empty(source)) return;
    if (view_starts(source, prefix) &&
        view_parse_u64(view_make(source.bytes + prefix.size, source.size - prefix.size),
                       &version)) {
        json_member_text(writer, VIEW("source"), VIEW("revert"));
        json_member_u64(writer, VIEW("reverted_to"), version);
        return;
    }
    json_member_text(writer, VIEW("source"), source);
}

/* Members of the origin that say by what a version was made. */
static bool is_making(stet_view raw) {
    return view_equal(raw, VIEW("operation")) || view_equal(raw, VIEW("function")) ||
           view_equal(raw, VIEW("inputs")) || view_equal(raw, VIEW("bypass"));
}

/* What is told of a version beside its data, and what of it must not be. */
struct telling {
    struct json_writer *writer;
    struct arena *arena;
    const struct viewer *viewer;
    const stet_view *hidden; /* Pointers of fields. */
    size_t hidden_count;
};

static void telling_begin(struct telling *telling, struct json_writer *writer, struct arena *arena,
                          const struct viewer *viewer, const struct store_change *change) {
    struct sight sight;
    *telling = (struct telling){.writer = writer, .arena = arena, .viewer = viewer};
    if (viewer == NULL) return;
    sight_begin(&sight, viewer, change->type);
    stet_status status =
        sight_hidden(&sight, arena, change, &telling->hidden, &telling->hidden_count, NULL);
    sight_end(&sight);
    if (status != STET_OK && writer->buffer->status == STET_OK) writer->buffer->status = status;
}

/* Addresses that a function looked at, of types of which the viewer may read every record. */
static void tell_inputs(const struct telling *telling, const struct doc *doc, doc_node inputs) {
    struct json_writer *writer = telling->writer;
    json_array_begin(writer);
    for (doc_node one = doc_first(doc, inputs); one != DOC_NONE; one = doc_next(doc, one)) {
        stet_view text, type, id;
        if (doc_string(telling->arena, doc, one, &text) != STET_OK) continue;
        const char *at = memchr(text.bytes, '@', text.size);
        if (at != NULL) text.size = (size_t)(at - text.bytes);
        if (address_parse(telling->arena, text, &type, &id, NULL) == STET_OK &&
            viewer_sees_all(telling->viewer, type))
            json_raw(writer, doc_text(doc, one));
    }
    json_array_end(writer);
}

/* A member of the origin. */
static void tell_member(const struct telling *telling, const struct doc *doc, doc_node node) {
    struct json_writer *writer = telling->writer;
    stet_view raw = doc_key_raw(doc, node);
    json_key_raw(writer, raw);
    if (telling->viewer != NULL && view_equal(raw, VIEW("inputs")) &&
        doc_kind(doc, node) == DOC_ARRAY)
        tell_inputs(telling, doc, node);
    else if (telling->hidden_count > 0 && view_equal(raw, VIEW("merge")))
        provenance_render_without(writer, telling->arena, doc_text(doc, node), telling->hidden,
                                  telling->hidden_count, NULL);
    else
        json_raw(writer, doc_text(doc, node));
}

/* Members of the origin: those that say by what the version was made, or the others. */
static void tell_members(const struct telling *telling, const struct doc *doc, bool making) {
    for (doc_node node = doc_first(doc, 0); node != DOC_NONE; node = doc_next(doc, node))
        if (is_making(doc_key_raw(doc, node)) == making) tell_member(telling, doc, node);
}

static bool has_others(const struct doc *doc) {
    for (doc_node node = doc_first(doc, 0); node != DOC_NONE; node = doc_next(doc, node))
        if (!is_making(doc_key_raw(doc, node))) return true;
    return false;
}

/* By what it was made, each as a member; the rest of the origin, as it is told elsewhere, as one. */
static void render_origin(struct json_writer *writer, const struct viewer *viewer,
                          const struct store_change *change) {
    struct telling telling;
    struct arena arena;
    struct doc doc;
    if (view_is_empty(change->origin)) return;
    arena_init(&arena, ORIGIN_ARENA_BYTES);
    telling_begin(&telling, writer, &arena, viewer, change);
    stet_status status = doc_parse(&arena, change->origin, NULL, &doc, NULL);
    if (status == STET_OK) {
        /* What made a version elsewhere is not what made it here. */
        bool elsewhere = doc_member(&doc, 0, VIEW("history")) != DOC_NONE;
        if (!elsewhere) tell_members(&telling, &doc, true);
        if (elsewhere || has_others(&doc)) {
            json_key(writer, VIEW("origin"));
            json_object_begin(writer);
            if (elsewhere) tell_members(&telling, &doc, true);
            tell_members(&telling, &doc, false);
            json_object_end(writer);
        }
    } else if (writer->buffer->status == STET_OK) {
        /* Ours and valid, so only memory can have failed. */
        writer->buffer->status = STET_NO_MEMORY;
    }
    arena_done(&arena);
}

void render_history_entry(struct json_writer *writer, const struct viewer *viewer,
                          const struct store_change *change, bool with_data) {
    json_object_begin(writer);
    json_member_u64(writer, VIEW("version"), change->version);
    json_member_u64(writer, VIEW("seq"), change->seq);
    json_member_u64(writer, VIEW("transaction"), change->transaction);
    json_member_text(writer, VIEW("op"), row_op_name(change));
    json_member_u64(writer, VIEW("base_version"), change->base_version);
    /* The audit log says who acted here and when; what an import says of elsewhere stands beside it. */
    json_key(writer, VIEW("at"));
    json_rfc3339(writer, change->stamp);
    json_member_text(writer, VIEW("by"), change->by);
    if (row_is_purge(change)) {
        render_reason(writer, change);
    } else {
        render_source(writer, change->source);
    }
    render_origin(writer, viewer, change);
    if (!view_is_empty(change->merge) && !row_is_purge(change)) {
        json_key(writer, VIEW("merge"));
        provenance_render(writer, viewer, change);
    }
    render_lineage(writer, change);
    render_key(writer, change);
    if (change->pruned) json_member_bool(writer, VIEW("pruned"), true);
    if (with_data && change->op != STORE_DELETE && !view_is_empty(change->data))
        render_data(writer, viewer, change);
    json_object_end(writer);
}

/* A member of the origin as it was given, or nothing. */
static void render_given(const struct telling *telling, const struct doc *origin, stet_view name) {
    doc_node node = doc_member(origin, 0, name);
    if (node != DOC_NONE) tell_member(telling, origin, node);
}

/* How a version came about. Of one that was imported with its history, what it said of itself there. */
static void render_provenance(struct json_writer *writer, const struct viewer *viewer,
                              struct arena *arena, const struct store_change *change) {
    struct telling telling;
    struct doc doc;
    telling_begin(&telling, writer, arena, viewer, change);
    bool has_origin = !view_is_empty(change->origin) &&
                      doc_parse(arena, change->origin, NULL, &doc, NULL) == STET_OK;
    if (has_origin) render_given(&telling, &doc, VIEW("modified_at"));
    if (has_origin) render_given(&telling, &doc, VIEW("operation"));
    if (has_origin) render_given(&telling, &doc, VIEW("function"));
    if (has_origin) render_given(&telling, &doc, VIEW("inputs"));
    if (has_origin) render_given(&telling, &doc, VIEW("bypass"));
    if (has_origin && doc_member(&doc, 0, VIEW("history")) != DOC_NONE) {
        render_given(&telling, &doc, VIEW("source"));
        render_given(&telling, &doc, VIEW("client_mutation_id"));
        render_given(&telling, &doc, VIEW("merge"));
        render_given(&telling, &doc, VIEW("forked_from"));
        return;
    }
    if (!view_is_empty(change->source)) json_member_text(writer, VIEW("source"), change->source);
    render_key(writer, change);
    if (!view_is_empty(change->merge) && !row_is_purge(change)) {
        json_key(writer, VIEW("merge"));
        provenance_render(writer, viewer, change);
    }
    if (!view_is_empty(change->forked_from))
        json_member_text(writer, VIEW("forked_from"), change->forked_from);
}

void render_export_line(struct json_writer *writer, const struct viewer *viewer,
                        const struct store_change *change, const struct created *created,
                        bool history, bool with_data) {
    struct arena arena;
    arena_init(&arena, ORIGIN_ARENA_BYTES);
    struct origin origin = origin_read(&arena, change);
    json_object_begin(writer);
    json_member_u64(writer, VIEW("seq"), change->seq);
    if (history) json_member_u64(writer, VIEW("transaction"), change->transaction);
    json_member_text(writer, VIEW("type"), change->type);
    json_member_text(writer, VIEW("id"), change->id);
    json_member_u64(writer, VIEW("version"), change->version);
    if (history) {
        json_member_text(writer, VIEW("op"), op_name(change->op));
        json_member_u64(writer, VIEW("base_version"), change->base_version);
    }
    if (created != NULL) {
        json_key(writer, VIEW("created_at"));
        json_rfc3339(writer, created->at);
        json_member_text(writer, VIEW("created_by"), created->by);
    }
    json_key(writer, VIEW("updated_at"));
    json_rfc3339(writer, origin.updated_at != 0 ? origin.updated_at : change->stamp);
    json_member_text(writer, VIEW("updated_by"),
                     view_is_empty(origin.updated_by) ? change->by : origin.updated_by);
    if (history) render_provenance(writer, viewer, &arena, change);
    if (!view_is_empty(change->parent)) json_member_text(writer, VIEW("parent"), change->parent);
    if (with_data && !view_is_empty(change->data)) render_data(writer, viewer, change);
    json_object_end(writer);
    arena_done(&arena);
}

void render_event(struct json_writer *writer, const struct viewer *viewer,
                  const struct store_change *change, const struct created *created) {
    if (change_is_conflict(change)) {
        render_conflict_event(writer, viewer, change);
        return;
    }
    if (change_is_operation(change)) {
        render_operation_event(writer, change);
        return;
    }
    json_object_begin(writer);
    json_member_u64(writer, VIEW("seq"), change->seq);
    json_member_u64(writer, VIEW("prev"), change->prev == 0 ? 0 : change->version - 1);
    json_member_u64(writer, VIEW("transaction"), change->transaction);
    json_member_text(writer, VIEW("op"), row_op_name(change));
    if (row_is_purge(change)) {
        render_reason(writer, change);
    } else if (!view_is_empty(change->merge)) {
        json_member_bool(writer, VIEW("merged"), true);
    }
    json_key(writer, VIEW("record"));
    json_object_begin(writer);
    render_members(writer, viewer, change, created, true);
    json_object_end(writer);
    json_object_end(writer);
}
