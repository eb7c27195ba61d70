/*
 * Leaving hidden fields out of data, and putting them back into what somebody wrote who does not see them. See core/access.h.
 *
 * Hidden fields. Pointers of rules lead through objects. Where a list stands on the way, the list as a whole is what is hidden: its
 * elements have no names by which they would be found again when somebody writes who does not see all of them.
 */
#include "core/access_rules.h"

#include "base/error.h"
#include "base/view.h"
#include "doc/pointer.h"

/* ---- Leaving hidden fields out ----------------------------------------------------------- */

/* What is hidden from the actor in a record with this data. */
stet_status hidden_find(const struct policy *policy, const stet_actor *actor,
                        const struct access_record *record, struct hidden *hidden,
                        stet_error *err) {
    const struct access_rules *rules = access_rules_of(policy);
    struct judging judging;
    hidden->count = 0;
    if (rules == NULL || actor->admin || rules->field_count == 0) return STET_OK;
    judging_begin(&judging, policy, actor, record);
    for (size_t i = 0; i < rules->field_count; i++)
        if (rule_forbids(&judging, &rules->fields[i].hidden, record->data))
            hidden->fields[hidden->count++] = &rules->fields[i];
    stet_status failed = judging_end(&judging);
    return failed == STET_OK ? STET_OK : judging_failed(failed, err);
}

/* How many of them there are. */
static size_t find_nodes(struct hidden *hidden, const struct doc *doc) {
    size_t found = 0;
    for (size_t i = 0; i < hidden->count; i++) {
        hidden->nodes[i] = access_field(doc, hidden->fields[i]->pointer);
        found += hidden->nodes[i] != DOC_NONE;
    }
    return found;
}

enum part { PART_SHOWN, PART_MIXED, PART_HIDDEN };

/* Whether a value is hidden, or holds something hidden: nodes below a node are those that follow it. */
static enum part part_of(const struct hidden *hidden, const struct doc *doc, doc_node node) {
    enum part part = PART_SHOWN;
    doc_node end = node + doc_weight(doc, node);
    for (size_t i = 0; i < hidden->count; i++) {
        if (hidden->nodes[i] == node) return PART_HIDDEN;
        if (hidden->nodes[i] != DOC_NONE && hidden->nodes[i] > node && hidden->nodes[i] < end)
            part = PART_MIXED;
    }
    return part;
}

/* Recurses as deep as the pointers are. */
static void write_shown(struct json_writer *writer, const struct hidden *hidden,
                        const struct doc *doc, doc_node object) {
    json_object_begin(writer);
    for (doc_node child = doc_first(doc, object); child != DOC_NONE; child = doc_next(doc, child)) {
        enum part part = part_of(hidden, doc, child);
        if (part == PART_HIDDEN) continue;
        json_key_raw(writer, doc_key_raw(doc, child));
        if (part == PART_SHOWN)
            json_raw(writer, doc_text(doc, child));
        else
            write_shown(writer, hidden, doc, child);
    }
    json_object_end(writer);
}

stet_status access_data_end(struct json_writer *writer, struct buffer *buffer, stet_view *data,
                            stet_error *err) {
    stet_status status = json_end(writer);
    if (status != STET_OK) return error_set(err, status, "out of memory for a record");
    *data = buffer_view(buffer);
    return STET_OK;
}

stet_status hidden_leave_out(struct hidden *hidden, struct arena *arena, const struct doc *doc,
                             stet_view *data, stet_error *err) {
    struct buffer buffer;
    struct json_writer writer;
    *data = doc->text;
    if (find_nodes(hidden, doc) == 0) return STET_OK;
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    write_shown(&writer, hidden, doc, 0);
    return access_data_end(&writer, &buffer, data, err);
}

stet_status access_redact(const struct policy *policy, const stet_actor *actor, struct arena *arena,
                          const struct access_record *record, stet_view *data, stet_error *err) {
    struct hidden hidden;
    stet_status status = hidden_find(policy, actor, record, &hidden, err);
    return status == STET_OK ? hidden_leave_out(&hidden, arena, record->data, data, err) : status;
}

/* ---- And putting them back --------------------------------------------------------------- */

struct restoring {
    struct hidden hidden; /* nodes: in from. */
    const struct doc *from, *given;
    struct json_writer writer;
    doc_node
        in_the_way; /* In from: something hidden is below it, and given has another value there. DOC_NONE: nothing. */
};

/* Only what is hidden in a value, with what leads there. */
static void write_hidden(struct restoring *restoring, doc_node value, enum part part) {
    const struct doc *from = restoring->from;
    struct json_writer *writer = &restoring->writer;
    if (part == PART_HIDDEN) {
        json_raw(writer, doc_text(from, value));
        return;
    }
    json_object_begin(writer);
    for (doc_node child = doc_first(from, value); child != DOC_NONE;
         child = doc_next(from, child)) {
        enum part inner = part_of(&restoring->hidden, from, child);
        if (inner == PART_SHOWN) continue;
        json_key_raw(writer, doc_key_raw(from, child));
        write_hidden(restoring, child, inner);
    }
    json_object_end(writer);
}

static void write_restored(struct restoring *restoring, doc_node given, doc_node from) {
    struct json_writer *writer = &restoring->writer;
    const struct doc *mine = restoring->given, *theirs = restoring->from;
    json_object_begin(writer);
    for (doc_node child = doc_first(mine, given); child != DOC_NONE;
         child = doc_next(mine, child)) {
        doc_node other = doc_member_like(theirs, from, mine, child);
        enum part part =
            other == DOC_NONE ? PART_SHOWN : part_of(&restoring->hidden, theirs, other);
        json_key_raw(writer, doc_key_raw(mine, child));
        if (part == PART_SHOWN) {
            json_raw(writer, doc_text(mine, child));
        } else if (part == PART_HIDDEN) {
            json_raw(writer, doc_text(theirs, other)); /* Given was its default. */
        } else if (doc_kind(mine, child) == DOC_OBJECT) {
            write_restored(restoring, child, other);
        } else {
            restoring->in_the_way = other;
            json_null(writer);
        }
    }
    for (doc_node child = doc_first(theirs, from); child != DOC_NONE;
         child = doc_next(theirs, child)) {
        enum part part = part_of(&restoring->hidden, theirs, child);
        if (part == PART_SHOWN || doc_member_like(mine, given, theirs, child) != DOC_NONE) continue;
        json_key_raw(writer, doc_key_raw(theirs, child));
        write_hidden(restoring, child, part);
    }
    json_object_end(writer);
}

static stet_status not_yours(stet_view pointer, stet_error *err) {
    error_set(err, STET_FORBIDDEN, "this field is not yours to see or to give a value");
    error_field_view(err, pointer, 0);
    return STET_FORBIDDEN;
}

/* Gives nothing hidden a value: defaults were put in by the server. */
static stet_status check_given(const struct hidden *hidden, const struct doc *given,
                               stet_error *err) {
    for (size_t i = 0; i < hidden->count; i++) {
        doc_node node = access_field(given, hidden->fields[i]->pointer);
        if (node != DOC_NONE && !field_is_fallback(hidden->fields[i], given, node))
            return not_yours(hidden->fields[i]->pointer, err);
    }
    return STET_OK;
}

stet_status access_restore(const struct policy *policy, const stet_actor *actor,
                           struct arena *arena, const struct access_record *from, stet_view data,
                           stet_view *whole, stet_error *err) {
    struct restoring restoring = {.in_the_way = DOC_NONE};
    struct buffer buffer;
    struct doc given;
    *whole = data;
    if (!access_fields_bind(policy, actor, false)) return STET_OK;
    stet_status status = doc_parse(arena, data, NULL, &given, err);
    if (status != STET_OK) return status;
    struct access_record judged = *from;
    if (judged.data == NULL || judged.data->count == 0) judged.data = &given;
    status = hidden_find(policy, actor, &judged, &restoring.hidden, err);
    if (status == STET_OK) status = check_given(&restoring.hidden, &given, err);
    if (status != STET_OK || judged.data == &given ||
        find_nodes(&restoring.hidden, from->data) == 0 || doc_kind(&given, 0) != DOC_OBJECT)
        return status;
    restoring.from = from->data;
    restoring.given = &given;
    buffer_init(&buffer, arena, 0);
    json_begin(&restoring.writer, &buffer);
    write_restored(&restoring, 0, 0);
    status = access_data_end(&restoring.writer, &buffer, whole, err);
    if (status != STET_OK || restoring.in_the_way == DOC_NONE) return status;
    *whole = data;
    doc_node end = restoring.in_the_way + doc_weight(from->data, restoring.in_the_way);
    size_t i = 0;
    while (restoring.hidden.nodes[i] == DOC_NONE ||
           restoring.hidden.nodes[i] <= restoring.in_the_way || restoring.hidden.nodes[i] >= end)
        i++;
    return not_yours(restoring.hidden.fields[i]->pointer, err);
}
