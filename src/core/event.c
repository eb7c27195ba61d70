/*
 * What the feed says of the records of conflicts and operations: not the record as such, but what happened to it, in the words its
 * module keeps there.
 */
#include "base/clock.h"
#include "base/view.h"
#include "core/access.h"
#include "core/render.h"

enum { ARENA_BYTES = 4096 };

bool change_is_conflict(const struct store_change *change) {
    return view_equal(change->type, VIEW("stet.conflict"));
}

bool change_is_operation(const struct store_change *change) {
    return view_equal(change->type, VIEW("stet.operation"));
}

stet_event_kind change_event_kind(const struct store_change *change) {
    if (change_is_conflict(change)) return STET_EVENT_CONFLICT;
    return change_is_operation(change) ? STET_EVENT_OPERATION : STET_EVENT_CHANGE;
}

static void copy_member(struct json_writer *writer, const struct doc *doc, const char *name,
                        const char *as) {
    doc_node node = doc_member(doc, 0, view_of(name));
    if (node != DOC_NONE) json_member_raw(writer, view_of(as), doc_text(doc, node));
}

static stet_view text_member(struct arena *arena, const struct doc *doc, const char *name) {
    doc_node node = doc_member(doc, 0, view_of(name));
    stet_view text = {0};
    if (node != DOC_NONE && doc_string(arena, doc, node, &text) != STET_OK) text = (stet_view){0};
    return text;
}

/* What somebody may choose, and how long they have from this event on. */
static void render_choices(struct json_writer *writer, struct arena *arena, const struct doc *doc,
                           int64_t at) {
    bool deletes = doc_member(doc, 0, VIEW("deletes")) != DOC_NONE;
    int64_t deadline = 0;
    json_key(writer, VIEW("resolution_options"));
    json_array_begin(writer);
    json_text(writer, VIEW("yours"));
    json_text(writer, VIEW("current"));
    if (doc_member(doc, 0, VIEW("clean")) != DOC_NONE) json_text(writer, VIEW("merged"));
    if (!deletes) json_text(writer, VIEW("fields"));
    json_text(writer, VIEW("custom"));
    json_array_end(writer);
    if (!clock_parse_rfc3339(text_member(arena, doc, "deadline"), &deadline)) return;
    int64_t left = deadline > at ? (deadline - at) / CLOCK_NS_PER_S : 0;
    json_member_u64(writer, VIEW("auto_resolve_in"), (uint64_t)left);
}

static void render_conflict(struct json_writer *writer, const struct store_change *change,
                            const struct doc *doc) {
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), change->id);
    json_member_u64(writer, VIEW("version"), change->version);
    for (doc_node child = doc_first(doc, 0); child != DOC_NONE; child = doc_next(doc, child)) {
        stet_view key = doc_key_raw(doc, child);
        /* As large as a record: who wants it asks for the conflict. */
        if (view_equal(key, VIEW("yours")) || viewer_never_sees(key)) continue;
        json_key_raw(writer, key);
        json_raw(writer, doc_text(doc, child));
    }
    json_object_end(writer);
}

/* Whether rules may keep something of the record from them that the conflict tells of. */
static bool is_bound(const struct viewer *viewer, struct arena *arena, const struct doc *doc) {
    struct sight sight;
    stet_view type, id;
    if (viewer == NULL || viewer->actor->admin) return false;
    if (address_parse(arena, text_member(arena, doc, "address"), &type, &id, NULL) != STET_OK)
        return true;
    sight_begin(&sight, viewer, type);
    bool bound = sight.reads != EXPR_TRUE || sight.hides;
    sight_end(&sight);
    return bound;
}

/* For who is bound by rules: that it happened, and to what. What they may see of it they find in the conflict itself, which is judged by
   the record as it stands. */
static void render_conflict_briefly(struct json_writer *writer, const struct store_change *change,
                                    const struct doc *doc) {
    copy_member(writer, doc, "event", "event");
    copy_member(writer, doc, "address", "address");
    json_key(writer, VIEW("conflict"));
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), change->id);
    json_member_u64(writer, VIEW("version"), change->version);
    copy_member(writer, doc, "state", "state");
    copy_member(writer, doc, "address", "address");
    json_object_end(writer);
}

void render_conflict_event(struct json_writer *writer, const struct viewer *viewer,
                           const struct store_change *change) {
    struct arena arena;
    struct doc doc;
    arena_init(&arena, ARENA_BYTES);
    json_object_begin(writer);
    json_member_u64(writer, VIEW("seq"), change->seq);
    json_member_u64(writer, VIEW("transaction"), change->transaction);
    bool parsed = doc_parse(&arena, change->data, NULL, &doc, NULL) == STET_OK;
    if (parsed && is_bound(viewer, &arena, &doc)) {
        render_conflict_briefly(writer, change, &doc);
    } else if (parsed) {
        copy_member(writer, &doc, "event", "event");
        json_member_text(writer, VIEW("user"), change->by);
        copy_member(writer, &doc, "address", "address");
        copy_member(writer, &doc, "conflict_type", "conflict_type");
        copy_member(writer, &doc, "affected_data", "affected_data");
        if (view_equal(text_member(&arena, &doc, "state"), VIEW("open")))
            render_choices(writer, &arena, &doc, change->stamp);
        json_key(writer, VIEW("conflict"));
        render_conflict(writer, change, &doc);
    } else if (!view_is_empty(change->data) && writer->buffer->status == STET_OK) {
        /* Stored data is valid JSON, so only memory can have failed. */
        writer->buffer->status = STET_NO_MEMORY;
    }
    json_object_end(writer);
    arena_done(&arena);
}

static void render_operation(struct json_writer *writer, const struct store_change *change,
                             const struct doc *doc) {
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), change->id);
    json_member_u64(writer, VIEW("version"), change->version);
    if (change->op == STORE_DELETE) json_member_bool(writer, VIEW("deleted"), true);
    for (doc_node child = doc_first(doc, 0); child != DOC_NONE; child = doc_next(doc, child)) {
        stet_view key = doc_key_raw(doc, child);
        /* Who follows an operation knows what was asked for; and names with "_" are the queue's own. */
        if (view_equal(key, VIEW("input")) || view_starts(key, VIEW("_"))) continue;
        json_key_raw(writer, key);
        json_raw(writer, doc_text(doc, child));
    }
    json_object_end(writer);
}

void render_operation_event(struct json_writer *writer, const struct store_change *change) {
    struct arena arena;
    struct doc doc;
    arena_init(&arena, ARENA_BYTES);
    json_object_begin(writer);
    json_member_u64(writer, VIEW("seq"), change->seq);
    json_member_u64(writer, VIEW("transaction"), change->transaction);
    if (doc_parse(&arena, change->data, NULL, &doc, NULL) == STET_OK) {
        /* The end of a record that was kept long enough is no move of the operation. */
        if (change->op == STORE_DELETE) {
            json_member_text(writer, VIEW("event"), VIEW("OperationPruned"));
        } else {
            copy_member(writer, &doc, "event", "event");
        }
        json_member_text(writer, VIEW("user"), change->by);
        json_key(writer, VIEW("operation"));
        render_operation(writer, change, &doc);
    } else if (!view_is_empty(change->data) && writer->buffer->status == STET_OK) {
        /* Stored data is valid JSON, so only memory can have failed. */
        writer->buffer->status = STET_NO_MEMORY;
    }
    json_object_end(writer);
    arena_done(&arena);
}
