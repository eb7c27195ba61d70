#include "modules/operations/record.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"
#include "core/retry.h"
#include "doc/doc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Without its input; what is longer only costs a copy. */
enum { RECORD_BYTES_USUAL = 768 };

static const char *const class_names[] = {
    [STET_CLASS_DEFAULT] = "normal", [STET_CLASS_LOW] = "low",
    [STET_CLASS_NORMAL] = "normal",  [STET_CLASS_HIGH] = "high",
    [STET_CLASS_URGENT] = "urgent",  [STET_CLASS_STRUCTURAL] = "structural",
};

stet_view class_text(stet_class class_) { return view_of(class_names[class_]); }

bool text_list_has(const struct text_list *list, stet_view text) {
    for (size_t i = 0; i < list->count; i++)
        if (view_equal(list->items[i], text)) return true;
    return false;
}

bool text_list_add(struct arena *arena, struct text_list *list, stet_view text) {
    stet_view *items = arena_alloc(arena, (list->count + 1) * sizeof *items);
    if (items == NULL) return false;
    if (list->count > 0) memcpy(items, list->items, list->count * sizeof *items);
    items[list->count] = text;
    *list = (struct text_list){.items = items, .count = list->count + 1};
    return true;
}

/* ---- From JSON --------------------------------------------------------------------------- */

/*
 * The first failure sticks, so that the members can be read one after another.
 *
 * They are asked for in the order in which record_write puts them, and every step of every operation reads a record: so each is looked
 * for where it would come next. Should one be left over, they stand in another order (an import may have brought them), and
 * all are looked up by name.
 */
struct reading {
    struct arena *arena;
    struct doc doc;
    doc_node object; /* Whose members are read. */
    doc_node next;   /* Which of them comes next. */
    bool by_name;
    bool left_over;
    stet_status status;
};

static doc_node member(struct reading *reading, const char *name) {
    if (reading->by_name) return doc_member(&reading->doc, reading->object, view_of(name));
    doc_node node = reading->next;
    if (node == DOC_NONE || !view_equal(doc_key_raw(&reading->doc, node), view_of(name)))
        return DOC_NONE;
    reading->next = doc_next(&reading->doc, node);
    return node;
}

static void object_begin(struct reading *reading, doc_node object) {
    reading->object = object;
    reading->next = doc_first(&reading->doc, object);
}

/* Back to the object around it, of which `next` is to be read next. */
static void object_end(struct reading *reading, doc_node object, doc_node next) {
    if (reading->next != DOC_NONE) reading->left_over = true;
    reading->object = object;
    reading->next = next;
}

static stet_view text_of(struct reading *reading, doc_node node) {
    stet_view text = {0};
    if (node == DOC_NONE || reading->status != STET_OK) return text;
    stet_status status = doc_string(reading->arena, &reading->doc, node, &text);
    if (status != STET_OK)
        reading->status = status == STET_BAD_REQUEST ? STET_CORRUPT : STET_NO_MEMORY;
    return status == STET_OK ? text : (stet_view){0};
}

static stet_view take_text(struct reading *reading, const char *name) {
    return text_of(reading, member(reading, name));
}

static stet_view take_json(struct reading *reading, const char *name) {
    doc_node node = member(reading, name);
    return node == DOC_NONE ? (stet_view){0} : doc_text(&reading->doc, node);
}

static uint64_t take_u64(struct reading *reading, const char *name) {
    uint64_t value = 0;
    doc_node node = member(reading, name);
    if (node == DOC_NONE || view_parse_u64(doc_text(&reading->doc, node), &value)) return value;
    if (!doc_u64(&reading->doc, node, &value)) reading->status = STET_CORRUPT;
    return value;
}

static unsigned take_unsigned(struct reading *reading, const char *name) {
    uint64_t value = take_u64(reading, name);
    if (value > UINT32_MAX) reading->status = STET_CORRUPT;
    return (unsigned)value;
}

static bool take_bool(struct reading *reading, const char *name) {
    bool value = false;
    doc_node node = member(reading, name);
    if (node != DOC_NONE) doc_bool(&reading->doc, node, &value);
    return value;
}

static double take_number(struct reading *reading, const char *name, bool *there) {
    char digits[64];
    stet_view text = take_json(reading, name);
    if (there != NULL) *there = !view_is_empty(text);
    if (view_is_empty(text) || text.size >= sizeof digits) return 0;
    memcpy(digits, text.bytes, text.size);
    digits[text.size] = '\0';
    return strtod(digits, NULL);
}

static int64_t take_time(struct reading *reading, const char *name) {
    int64_t time = 0;
    stet_view text = take_text(reading, name);
    if (!view_is_empty(text) && !clock_parse_rfc3339(text, &time)) reading->status = STET_CORRUPT;
    return time;
}

static struct text_list take_list(struct reading *reading, const char *name) {
    struct text_list list = {0};
    doc_node node = member(reading, name);
    if (node == DOC_NONE || doc_kind(&reading->doc, node) != DOC_ARRAY) return list;
    stet_view *items =
        arena_alloc(reading->arena, (doc_count(&reading->doc, node) + 1) * sizeof *items);
    if (items == NULL) {
        reading->status = STET_NO_MEMORY;
        return list;
    }
    for (doc_node child = doc_first(&reading->doc, node); child != DOC_NONE;
         child = doc_next(&reading->doc, child))
        items[list.count++] = text_of(reading, child);
    list.items = items;
    return list;
}

static stet_class take_class(struct reading *reading, const char *name) {
    stet_view text = take_text(reading, name);
    for (int i = STET_CLASS_LOW; i <= STET_CLASS_STRUCTURAL; i++)
        if (view_equal(text, view_of(class_names[i]))) return (stet_class)i;
    if (!view_is_empty(text)) reading->status = STET_CORRUPT;
    return STET_CLASS_DEFAULT;
}

static void take_updates(struct reading *reading, struct operation_record *record) {
    doc_node list = member(reading, "updates");
    if (list == DOC_NONE || doc_kind(&reading->doc, list) != DOC_ARRAY) return;
    doc_node around = reading->object, next = reading->next;
    for (doc_node child = doc_first(&reading->doc, list);
         child != DOC_NONE && record->update_count < PROGRESS_UPDATES_KEPT;
         child = doc_next(&reading->doc, child)) {
        struct progress_update *update = &record->updates[record->update_count++];
        object_begin(reading, child);
        update->at = take_time(reading, "at");
        update->percent = take_number(reading, "percent", &update->has_percent);
        update->message = take_text(reading, "message");
        update->agent = take_text(reading, "agent");
        object_end(reading, around, next);
    }
}

static void take_progress(struct reading *reading, struct operation_record *record) {
    doc_node progress = member(reading, "progress");
    if (progress == DOC_NONE) return;
    doc_node next = reading->next;
    object_begin(reading, progress);
    record->percent = take_number(reading, "percent", &record->has_percent);
    record->message = take_text(reading, "message");
    record->estimated_s = take_number(reading, "estimated_s", NULL);
    member(reading, "agent"); /* The last update's. */
    take_updates(reading, record);
    object_end(reading, 0, next);
}

/* In the order of record_write. */
static void take_all(struct reading *reading, struct operation_record *record) {
    *record = (struct operation_record){0};
    object_begin(reading, 0);
    record->status = status_parse(take_text(reading, "status"));
    record->event = take_text(reading, "event");
    record->lane = take_text(reading, "lane");
    record->class_ = take_class(reading, "class");
    record->effective = take_class(reading, "effective_class");
    member(reading, "priority"); /* It follows from the class. */
    record->op_type = take_text(reading, "op_type");
    record->agent = take_text(reading, "agent");
    record->function = take_text(reading, "function");
    record->handler = take_text(reading, "handler");
    record->cause_seq = take_u64(reading, "cause_seq");
    record->by = take_text(reading, "by");
    record->input = take_json(reading, "input");
    record->target = take_text(reading, "target");
    record->parent = take_text(reading, "parent");
    record->depth = take_unsigned(reading, "depth");
    record->depends_on = take_list(reading, "depends_on");
    record->batch_key = take_text(reading, "batch_key");
    record->not_before = take_time(reading, "not_before");
    record->deadline = take_time(reading, "deadline");
    record->timeout_s = take_unsigned(reading, "timeout_s");
    record->max_retries = take_unsigned(reading, "max_retries");
    record->retries = take_unsigned(reading, "retries");
    record->attempts = take_unsigned(reading, "attempts");
    record->level = take_unsigned(reading, "level");
    record->queued_at = take_time(reading, "queued_at");
    record->started_at = take_time(reading, "started_at");
    record->finished_at = take_time(reading, "finished_at");
    record->current_agent = take_text(reading, "current_agent");
    record->worker = take_text(reading, "worker");
    record->agents = take_list(reading, "agents_involved");
    take_progress(reading, record);
    record->result = take_json(reading, "result");
    record->error = take_text(reading, "error");
    record->reason = take_text(reading, "reason");
    record->created_at = (int64_t)take_u64(reading, "_created");
    record->input_apart = take_bool(reading, "_input");
    record->result_apart = take_bool(reading, "_result");
    record->turn = take_u64(reading, "_turn");
    record->tag = take_u64(reading, "_tag");
    record->token = take_u64(reading, "_token");
    record->held = take_bool(reading, "_held");
    record->ttl_s = take_unsigned(reading, "_ttl_s");
    record->claimed_by = take_text(reading, "_claimed_by");
    record->batch = take_u64(reading, "_batch");
    record->after = (int64_t)take_u64(reading, "_after");
    record->done = take_text(reading, "_done");
    record->results = take_json(reading, "_results");
    record->input_veiled = take_bool(reading, "_veiled");
    record->by_admin = take_bool(reading, "_admin");
    record->by_scopes = take_unsigned(reading, "_scopes");
    record->by_roles = take_list(reading, "_roles");
    if (reading->next != DOC_NONE) reading->left_over = true;
    if (record->effective == STET_CLASS_DEFAULT) record->effective = record->class_;
}

stet_status record_read(struct arena *arena, stet_view data, struct operation_record *record,
                        stet_error *err) {
    struct reading reading = {.arena = arena};
    reading.status = change_parse(arena, data, &reading.doc, err);
    if (reading.status != STET_OK) return reading.status;
    take_all(&reading, record);
    if (reading.status == STET_OK && reading.left_over) {
        reading.by_name = true;
        take_all(&reading, record);
    }
    bool whole = record->status != OPERATION_NONE && !view_is_empty(record->lane) &&
                 record->class_ != STET_CLASS_DEFAULT;
    if (reading.status == STET_OK && !whole) reading.status = STET_CORRUPT;
    if (reading.status == STET_OK) return STET_OK;
    return error_set(err, reading.status,
                     reading.status == STET_NO_MEMORY ? "out of memory for an operation"
                                                      : "an operation's record is damaged");
}

/* ---- To JSON ----------------------------------------------------------------------------- */

void json_number(struct json_writer *writer, double value) {
    char digits[40];
    int size = snprintf(digits, sizeof digits, "%.10g", value);
    assert(size > 0 && (size_t)size < sizeof digits);
    json_raw(writer, view_make(digits, (size_t)size));
}

/* Not by printf, which costs more than the rest of a place in the queue. */
void json_seconds(struct json_writer *writer, double seconds) {
    char text[24], *end = text + sizeof text, *next = end;
    if (!(seconds >= 0 && seconds < 1e6)) {
        json_number(writer, (double)(int64_t)(seconds * 1000 + 0.5) / 1000);
        return;
    }
    unsigned ms = (unsigned)(seconds * 1000 + 0.5), whole = ms / 1000, part = ms % 1000;
    if (part > 0) {
        unsigned digits = 3;
        for (; part % 10 == 0; part /= 10)
            digits--;
        for (; digits > 0; digits--, part /= 10)
            *--next = (char)('0' + part % 10);
        *--next = '.';
    }
    do
        *--next = (char)('0' + whole % 10);
    while ((whole /= 10) > 0);
    json_raw(writer, view_make(next, (size_t)(end - next)));
}

static void put_text(struct json_writer *writer, const char *name, stet_view text) {
    if (!view_is_empty(text)) json_member_text(writer, view_of(name), text);
}

static void put_json(struct json_writer *writer, const char *name, stet_view json) {
    if (!view_is_empty(json)) json_member_raw(writer, view_of(name), json);
}

static void put_u64(struct json_writer *writer, const char *name, uint64_t value) {
    if (value != 0) json_member_u64(writer, view_of(name), value);
}

static void put_flag(struct json_writer *writer, const char *name, bool value) {
    if (value) json_member_bool(writer, view_of(name), true);
}

static void put_time(struct json_writer *writer, const char *name, int64_t time) {
    if (time == 0) return;
    json_key(writer, view_of(name));
    json_rfc3339(writer, time);
}

static void put_list(struct json_writer *writer, const char *name, const struct text_list *list) {
    if (list->count == 0) return;
    json_key(writer, view_of(name));
    json_array_begin(writer);
    for (size_t i = 0; i < list->count; i++)
        json_text(writer, list->items[i]);
    json_array_end(writer);
}

static void put_number(struct json_writer *writer, const char *name, double value) {
    json_key(writer, view_of(name));
    json_number(writer, value);
}

static void put_progress(struct json_writer *writer, const struct operation_record *record) {
    if (!record->has_percent && view_is_empty(record->message) && record->update_count == 0) return;
    json_key(writer, VIEW("progress"));
    json_object_begin(writer);
    if (record->has_percent) put_number(writer, "percent", record->percent);
    put_text(writer, "message", record->message);
    if (record->estimated_s > 0) put_number(writer, "estimated_s", record->estimated_s);
    if (record->update_count > 0)
        put_text(writer, "agent", record->updates[record->update_count - 1].agent);
    json_key(writer, VIEW("updates"));
    json_array_begin(writer);
    for (size_t i = 0; i < record->update_count; i++) {
        const struct progress_update *update = &record->updates[i];
        json_object_begin(writer);
        put_time(writer, "at", update->at);
        if (update->has_percent) put_number(writer, "percent", update->percent);
        put_text(writer, "message", update->message);
        put_text(writer, "agent", update->agent);
        json_object_end(writer);
    }
    json_array_end(writer);
    json_object_end(writer);
}

stet_view record_write(struct arena *arena, struct operation_record *record) {
    struct buffer buffer;
    struct json_writer writer;
    size_t visible;
    buffer_init(&buffer, arena, 0);
    buffer_reserve(&buffer, RECORD_BYTES_USUAL + record->input.size);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("status"), view_of(status_name(record->status)));
    put_text(&writer, "event", record->event);
    json_member_text(&writer, VIEW("lane"), record->lane);
    json_member_text(&writer, VIEW("class"), class_text(record->class_));
    if (record->effective != record->class_)
        json_member_text(&writer, VIEW("effective_class"), class_text(record->effective));
    json_member_u64(&writer, VIEW("priority"), class_priority(record->effective));
    put_text(&writer, "op_type", record->op_type);
    put_text(&writer, "agent", record->agent);
    put_text(&writer, "function", record->function);
    put_text(&writer, "handler", record->handler);
    put_u64(&writer, "cause_seq", record->cause_seq);
    put_text(&writer, "by", record->by);
    put_json(&writer, "input", record->input);
    put_text(&writer, "target", record->target);
    put_text(&writer, "parent", record->parent);
    put_u64(&writer, "depth", record->depth);
    put_list(&writer, "depends_on", &record->depends_on);
    put_text(&writer, "batch_key", record->batch_key);
    put_time(&writer, "not_before", record->not_before);
    put_time(&writer, "deadline", record->deadline);
    put_u64(&writer, "timeout_s", record->timeout_s);
    json_member_u64(&writer, VIEW("max_retries"), record->max_retries);
    json_member_u64(&writer, VIEW("retries"), record->retries);
    json_member_u64(&writer, VIEW("attempts"), record->attempts);
    put_u64(&writer, "level", record->level);
    put_time(&writer, "queued_at", record->queued_at);
    put_time(&writer, "started_at", record->started_at);
    put_time(&writer, "finished_at", record->finished_at);
    put_text(&writer, "current_agent", record->current_agent);
    put_text(&writer, "worker", record->worker);
    put_list(&writer, "agents_involved", &record->agents);
    put_progress(&writer, record);
    put_json(&writer, "result", record->result);
    put_text(&writer, "error", record->error);
    put_text(&writer, "reason", record->reason);
    visible = buffer_view(&buffer).size;
    put_u64(&writer, "_created", (uint64_t)record->created_at);
    put_flag(&writer, "_input", record->input_apart);
    put_flag(&writer, "_result", record->result_apart);
    put_u64(&writer, "_turn", record->turn);
    put_u64(&writer, "_tag", record->tag);
    put_u64(&writer, "_token", record->token);
    put_flag(&writer, "_held", record->held);
    put_u64(&writer, "_ttl_s", record->ttl_s);
    put_text(&writer, "_claimed_by", record->claimed_by);
    put_u64(&writer, "_batch", record->batch);
    put_u64(&writer, "_after", (uint64_t)record->after);
    put_text(&writer, "_done", record->done);
    put_json(&writer, "_results", record->results);
    put_flag(&writer, "_veiled", record->input_veiled);
    put_flag(&writer, "_admin", record->by_admin);
    put_u64(&writer, "_scopes", record->by_scopes);
    put_list(&writer, "_roles", &record->by_roles);
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK) return (stet_view){0};
    /* Behind the brace that begins it. */
    record->visible = view_make(buffer_view(&buffer).bytes + 1, visible - 1);
    return buffer_view(&buffer);
}
