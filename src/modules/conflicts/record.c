#include "modules/conflicts/record.h"

#include "base/error.h"
#include "base/view.h"
#include "core/policy.h"
#include "core/render.h"

#include <assert.h>
#include <string.h>

static const char *const state_names[CONFLICT_STATES] = {
    [CONFLICT_OPEN] = "open",       [CONFLICT_RESOLVED] = "resolved",
    [CONFLICT_EXPIRED] = "expired", [CONFLICT_OVERWRITTEN] = "overwritten",
    [CONFLICT_SETTLED] = "settled", [CONFLICT_MERGED] = "merged",
};

const char *conflict_state_name(enum conflict_state state) { return state_names[state]; }

bool conflict_state_parse(stet_view text, enum conflict_state *state) {
    for (int i = 0; i < CONFLICT_STATES; i++) {
        if (!view_equal(text, view_of(state_names[i]))) continue;
        *state = (enum conflict_state)i;
        return true;
    }
    return false;
}

bool view_list_has(const struct view_list *list, stet_view text) {
    for (size_t i = 0; i < list->count; i++)
        if (view_equal(list->items[i], text)) return true;
    return false;
}

bool record_tells_writer(const struct conflict_record *record) {
    return record->state == CONFLICT_EXPIRED ||
           (record->state == CONFLICT_RESOLVED && !view_equal(record->resolved_by, record->by));
}

bool record_is_notice(const struct conflict_record *record) {
    return record->state == CONFLICT_OVERWRITTEN || record->state == CONFLICT_SETTLED;
}

bool record_concerns(const struct conflict_record *record, stet_view person) {
    if (record->dismissed) return false;
    switch (record->state) {
    case CONFLICT_OPEN:
    case CONFLICT_OVERWRITTEN:
    case CONFLICT_SETTLED: return view_list_has(&record->persons, person);
    case CONFLICT_RESOLVED:
    case CONFLICT_EXPIRED: return record_tells_writer(record) && view_equal(record->by, person);
    case CONFLICT_MERGED: break;
    }
    return false;
}

bool record_is_read(const struct conflict_record *record, stet_view person) {
    return view_list_has(&record->read_by, person);
}

/* ---- From JSON --------------------------------------------------------------------------- */

/* The first failure sticks, so that the members can be read one after another. */
struct decoding {
    struct arena *arena;
    struct doc doc;
    doc_node object; /* Whose members are read. */
    stet_status status;
};

static doc_node member(struct decoding *decoding, const char *name) {
    return doc_member(&decoding->doc, decoding->object, view_of(name));
}

static stet_view text_of(struct decoding *decoding, doc_node node) {
    stet_view text = {0};
    if (node == DOC_NONE || decoding->status != STET_OK) return text;
    stet_status status = doc_string(decoding->arena, &decoding->doc, node, &text);
    if (status != STET_OK)
        decoding->status = status == STET_BAD_REQUEST ? STET_CORRUPT : STET_NO_MEMORY;
    return status == STET_OK ? text : (stet_view){0};
}

static stet_view take_text(struct decoding *decoding, const char *name) {
    return text_of(decoding, member(decoding, name));
}

static uint64_t take_u64(struct decoding *decoding, const char *name) {
    uint64_t value = 0;
    doc_node node = member(decoding, name);
    if (node != DOC_NONE && !doc_u64(&decoding->doc, node, &value)) decoding->status = STET_CORRUPT;
    return value;
}

static bool take_bool(struct decoding *decoding, const char *name) {
    bool value = false;
    doc_node node = member(decoding, name);
    if (node != DOC_NONE) doc_bool(&decoding->doc, node, &value);
    return value;
}

static int64_t take_time(struct decoding *decoding, const char *name) {
    int64_t time = 0;
    stet_view text = take_text(decoding, name);
    if (!view_is_empty(text) && !clock_parse_rfc3339(text, &time)) decoding->status = STET_CORRUPT;
    return time;
}

static struct view_list take_list(struct decoding *decoding, const char *name) {
    struct view_list list = {0};
    doc_node node = member(decoding, name);
    if (node == DOC_NONE || doc_kind(&decoding->doc, node) != DOC_ARRAY) return list;
    uint32_t count = doc_count(&decoding->doc, node);
    stet_view *items = arena_alloc(decoding->arena, (count + 1) * sizeof *items);
    if (items == NULL) {
        decoding->status = STET_NO_MEMORY;
        return list;
    }
    for (doc_node child = doc_first(&decoding->doc, node); child != DOC_NONE;
         child = doc_next(&decoding->doc, child))
        items[list.count++] = text_of(decoding, child);
    list.items = items;
    return list;
}

static stet_strategy take_strategy(struct decoding *decoding, const char *name) {
    stet_strategy strategy = STET_STRATEGY_DEFAULT;
    stet_view text = take_text(decoding, name);
    if (!view_is_empty(text) && strategy_parse(text, &strategy, NULL) != STET_OK)
        strategy = STET_STRATEGY_DEFAULT;
    return strategy;
}

static void take_lost(struct decoding *decoding, struct conflict_record *record) {
    doc_node list = member(decoding, "lost");
    if (list == DOC_NONE || doc_kind(&decoding->doc, list) != DOC_ARRAY) return;
    struct lost_value *lost =
        arena_alloc(decoding->arena, (doc_count(&decoding->doc, list) + 1) * sizeof *lost);
    if (lost == NULL) {
        decoding->status = STET_NO_MEMORY;
        return;
    }
    for (doc_node child = doc_first(&decoding->doc, list); child != DOC_NONE;
         child = doc_next(&decoding->doc, child)) {
        if (doc_kind(&decoding->doc, child) != DOC_OBJECT) continue;
        decoding->object = child;
        lost[record->lost_count++] = (struct lost_value){
            .pointer = take_text(decoding, "pointer"),
            .version = take_u64(decoding, "version"),
            .base_version = take_u64(decoding, "base_version"),
            .replaced_version = take_u64(decoding, "replaced_version"),
            .replaced_seq = take_u64(decoding, "replaced_seq"),
            .replaced_by = take_text(decoding, "replaced_by"),
            .strategy = take_strategy(decoding, "strategy"),
            .rule = take_text(decoding, "rule"),
        };
    }
    decoding->object = 0;
    record->lost = lost;
}

/* before: its name in records of before there were rules of access. */
static stet_view take_json(struct decoding *decoding, const char *name, const char *before) {
    doc_node node = member(decoding, name);
    if (node == DOC_NONE) node = member(decoding, before);
    return node == DOC_NONE ? (stet_view){0} : doc_text(&decoding->doc, node);
}

stet_status record_decode(struct arena *arena, stet_view data, struct conflict_record *record,
                          stet_error *err) {
    struct decoding decoding = {.arena = arena};
    decoding.status = change_parse(arena, data, &decoding.doc, err);
    if (decoding.status != STET_OK) return decoding.status;
    *record = (struct conflict_record){
        .event = take_text(&decoding, "event"),
        .type = take_text(&decoding, "record_type"),
        .id = take_text(&decoding, "record_id"),
        .base_version = take_u64(&decoding, "base_version"),
        .current_version = take_u64(&decoding, "current_version"),
        .deletes = take_bool(&decoding, "deletes"),
        .by = take_text(&decoding, "by"),
        .roles = take_list(&decoding, "_roles"),
        .admin = take_bool(&decoding, "_admin"),
        .persons = take_list(&decoding, "for"),
        .conflict_type = take_text(&decoding, "conflict_type"),
        .pointers = take_list(&decoding, "affected_data"),
        .pointers_left_out = take_u64(&decoding, "affected_left_out"),
        .strategy = take_strategy(&decoding, "strategy"),
        .fallback = take_strategy(&decoding, "fallback"),
        .opened_at = take_time(&decoding, "opened_at"),
        .deadline = take_time(&decoding, "deadline"),
        .client_mutation_id = take_text(&decoding, "writer_mutation_id"),
        .resolved_by = take_text(&decoding, "resolved_by"),
        .choice = take_text(&decoding, "choice"),
        .resolved_at = take_time(&decoding, "resolved_at"),
        .previous_version = take_u64(&decoding, "previous_version"),
        .result_version = take_u64(&decoding, "result_version"),
        .kept = take_bool(&decoding, "kept"),
        .explanation = take_text(&decoding, "explanation"),
        .overwritten_by = take_text(&decoding, "overwritten_by"),
        .change_seq = take_u64(&decoding, "change_seq"),
        .lost_version = take_u64(&decoding, "lost_version"),
        .times = take_u64(&decoding, "times"),
        .others = take_u64(&decoding, "others"),
        .read_by = take_list(&decoding, "read_by"),
        .dismissed = take_bool(&decoding, "dismissed"),
        .clean = take_bool(&decoding, "clean"),
    };
    take_lost(&decoding, record);
    record->yours = take_json(&decoding, "_yours", "yours");
    record->patch = take_json(&decoding, "_patch", "patch");
    if (!conflict_state_parse(take_text(&decoding, "state"), &record->state))
        decoding.status = decoding.status == STET_OK ? STET_CORRUPT : decoding.status;
    if (decoding.status != STET_OK)
        return error_set(err, decoding.status,
                         decoding.status == STET_NO_MEMORY ? "out of memory for a conflict"
                                                           : "a conflict's record is damaged");
    return STET_OK;
}

/* ---- To JSON ----------------------------------------------------------------------------- */

static void put_text(struct json_writer *writer, const char *name, stet_view text) {
    if (!view_is_empty(text)) json_member_text(writer, view_of(name), text);
}

static void put_u64(struct json_writer *writer, const char *name, uint64_t value) {
    if (value != 0) json_member_u64(writer, view_of(name), value);
}

static void put_time(struct json_writer *writer, const char *name, int64_t time) {
    if (time == 0) return;
    json_key(writer, view_of(name));
    json_rfc3339(writer, time);
}

static void put_list(struct json_writer *writer, const char *name, const struct view_list *list) {
    json_key(writer, view_of(name));
    json_array_begin(writer);
    for (size_t i = 0; i < list->count; i++)
        json_text(writer, list->items[i]);
    json_array_end(writer);
}

static void put_strategy(struct json_writer *writer, const char *name, stet_strategy strategy) {
    if (strategy != STET_STRATEGY_DEFAULT)
        json_member_text(writer, view_of(name), view_of(strategy_name(strategy)));
}

static void put_lost(struct json_writer *writer, const struct conflict_record *record) {
    if (record->lost_count == 0) return;
    json_key(writer, VIEW("lost"));
    json_array_begin(writer);
    for (size_t i = 0; i < record->lost_count; i++) {
        const struct lost_value *lost = &record->lost[i];
        json_object_begin(writer);
        json_member_text(writer, VIEW("pointer"), lost->pointer);
        put_u64(writer, "version", lost->version);
        put_u64(writer, "base_version", lost->base_version);
        put_u64(writer, "replaced_version", lost->replaced_version);
        put_u64(writer, "replaced_seq", lost->replaced_seq);
        put_text(writer, "replaced_by", lost->replaced_by);
        put_strategy(writer, "strategy", lost->strategy);
        put_text(writer, "rule", lost->rule);
        json_object_end(writer);
    }
    json_array_end(writer);
}

/* What the record and what people see of it have in common. */
static void put_members(struct json_writer *writer, const struct conflict_record *record,
                        enum record_part part) {
    json_member_text(writer, VIEW("state"), view_of(conflict_state_name(record->state)));
    put_text(writer, "event", record->event);
    if (part == RECORD_WHOLE) {
        json_key(writer, VIEW("address"));
        render_address(writer, record->type, record->id);
        put_text(writer, "conflict_type", record->conflict_type);
        put_u64(writer, "current_version", record->current_version);
        if (record->clean && record->state == CONFLICT_OPEN)
            json_member_bool(writer, VIEW("clean"), true);
    }
    json_member_text(writer, VIEW("record_type"), record->type);
    json_member_text(writer, VIEW("record_id"), record->id);
    put_u64(writer, "base_version", record->base_version);
    if (record->deletes) json_member_bool(writer, VIEW("deletes"), true);
    put_text(writer, "by", record->by);
    put_list(writer, "for", &record->persons);
    put_list(writer, "affected_data", &record->pointers);
    put_u64(writer, "affected_left_out", record->pointers_left_out);
    put_strategy(writer, "strategy", record->strategy);
    put_strategy(writer, "fallback", record->fallback);
    put_time(writer, "opened_at", record->opened_at);
    put_time(writer, "deadline", record->deadline);
    put_text(writer, "writer_mutation_id", record->client_mutation_id);
    put_text(writer, "resolved_by", record->resolved_by);
    put_time(writer, "resolved_at", record->resolved_at);
    put_text(writer, "choice", record->choice);
    put_u64(writer, "previous_version", record->previous_version);
    put_u64(writer, "result_version", record->result_version);
    if (record->kept) json_member_bool(writer, VIEW("kept"), true);
    put_text(writer, "explanation", record->explanation);
    put_text(writer, "overwritten_by", record->overwritten_by);
    put_u64(writer, "change_seq", record->change_seq);
    put_u64(writer, "lost_version", record->lost_version);
    put_u64(writer, "times", record->times);
    put_u64(writer, "others", record->others);
    put_lost(writer, record);
}

stet_view record_encode(struct arena *arena, const struct conflict_record *record) {
    struct buffer buffer;
    struct json_writer writer;
    assert(record->state != CONFLICT_MERGED && !view_is_empty(record->type));
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    put_members(&writer, record, RECORD_WHOLE);
    if (!view_is_empty(record->yours)) json_member_raw(&writer, VIEW("_yours"), record->yours);
    if (!view_is_empty(record->patch)) json_member_raw(&writer, VIEW("_patch"), record->patch);
    if (record->roles.count > 0) put_list(&writer, "_roles", &record->roles);
    if (record->admin) json_member_bool(&writer, VIEW("_admin"), true);
    if (record->read_by.count > 0) put_list(&writer, "read_by", &record->read_by);
    if (record->dismissed) json_member_bool(&writer, VIEW("dismissed"), true);
    json_object_end(&writer);
    return json_end(&writer) == STET_OK ? buffer_view(&buffer) : (stet_view){0};
}

/* The text that follows `before`, up to its quote; *data moves behind that. */
static bool peek_text(stet_view *data, stet_view before, stet_view *text) {
    if (!view_starts(*data, before)) return false;
    const char *begin = data->bytes + before.size;
    const char *end = memchr(begin, '"', data->size - before.size);
    if (end == NULL) return false;
    *text = view_make(begin, (size_t)(end - begin));
    *data = view_make(end, data->size - (size_t)(end - data->bytes));
    return true;
}

bool record_peek(stet_view data, enum conflict_state *state, stet_view *event) {
    stet_view name;
    return peek_text(&data, VIEW("{\"state\":\""), &name) && conflict_state_parse(name, state) &&
           peek_text(&data, VIEW("\",\"event\":\""), event);
}

void record_render(struct json_writer *writer, const struct conflict_record *record,
                   enum record_part part, int64_t now) {
    put_members(writer, record, part);
    if (record->state != CONFLICT_OPEN || now == 0) return;
    int64_t left = record->deadline > now ? (record->deadline - now) / CLOCK_NS_PER_S : 0;
    json_member_u64(writer, VIEW("auto_resolve_in"), (uint64_t)left);
}
