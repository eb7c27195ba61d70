/*
 * Whether a handler reacts to a change. What is asked of a change by many handlers is found out once: its kind of event, the data that
 * may be seen, and what its record says when it is one of the system's.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/query.h"
#include "core/render.h"
#include "doc/write.h"
#include "modules/handlers/internal.h"

enum { ONCE_BYTES = 4096 };

void look_init(struct look *look, struct space *space, struct store_reader *reader) {
    *look = (struct look){.space = space, .reader = reader};
    arena_init(&look->once, ONCE_BYTES);
}

void look_done(struct look *look) { arena_done(&look->once); }

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a handler");
}

static stet_view text_of(struct look *look, const struct doc *doc, const char *name) {
    doc_node node = doc_member(doc, 0, view_of(name));
    stet_view text = {0};
    if (node != DOC_NONE && doc_string(&look->once, doc, node, &text) != STET_OK)
        text = (stet_view){0};
    return text;
}

/* The type of the record that an address in a record of the system names. */
static stet_view type_in(struct look *look, stet_view address) {
    stet_view type, id;
    if (view_is_empty(address) || address_parse(&look->once, address, &type, &id, NULL) != STET_OK)
        return (stet_view){0};
    return type;
}

static stet_status find_created(void *context, struct arena *arena,
                                const struct store_change *change, struct created *created) {
    const struct look *look = context;
    return read_created(look->reader, arena, change, created, NULL);
}

/* ---- The change -------------------------------------------------------------------------- */

static void look_at_system(struct look *look, const struct doc *doc) {
    const struct store_change *change = look->change;
    stet_view event = text_of(look, doc, "event");
    if (view_equal(change->type, VIEW("stet.conflict"))) {
        if (view_equal(event, VIEW("opened")) || view_equal(event, VIEW("reopened")))
            look->system_event = HANDLER_CONFLICT;
        look->subject_type = type_in(look, text_of(look, doc, "address"));
    } else if (view_equal(change->type, VIEW("stet.alert"))) {
        look->system_event = HANDLER_ALERT;
    } else if (view_equal(change->type, OPERATION_TYPE)) {
        doc_node depth = doc_member(doc, 0, VIEW("depth"));
        uint64_t deep = 0;
        look->system_event = handler_operation_event(event);
        look->subject_type = type_in(look, text_of(look, doc, "target"));
        look->handler = text_of(look, doc, "handler");
        look->too_deep =
            depth != DOC_NONE && doc_u64(doc, depth, &deep) && deep > OPERATION_DEPTH_MAX;
        look->error = text_of(look, doc, "error");
        if (view_is_empty(look->error)) look->error = text_of(look, doc, "reason");
    }
}

stet_status look_at(struct look *look, const struct store_change *change, stet_error *err) {
    struct doc doc;
    look->change = change;
    look->parsed = look->unreadable = look->too_deep = false;
    look->system_event = HANDLER_EVENTS;
    look->subject_type = look->handler = look->error = look->visible = (stet_view){0};
    arena_reset(&look->once);
    if (!type_is_system(change->type)) return STET_OK;
    bool told = view_equal(change->type, VIEW("stet.conflict")) ||
                view_equal(change->type, VIEW("stet.alert")) ||
                view_equal(change->type, OPERATION_TYPE);
    if (!told || change->op == STORE_DELETE || change->pruned || view_is_empty(change->data))
        return STET_OK;
    stet_status status = change_parse(&look->once, change->data, &doc, err);
    if (status == STET_OK) look_at_system(look, &doc);
    return status;
}

/* Makes the record as an expression sees it. */
static stet_status parse(struct look *look, stet_error *err) {
    if (look->parsed) return STET_OK;
    look->parsed = true;
    look->shown = *look->change;
    look->unreadable = look->change->pruned || view_is_empty(look->change->data);
    if (look->unreadable) return STET_OK;
    if (viewer_data(NULL, &look->once, look->change, &look->visible) != STET_OK)
        return no_memory(err);
    look->shown.data = look->visible;
    look->record = (struct query_record){.change = &look->shown,
                                         .arena = &look->once,
                                         .find_created = find_created,
                                         .context = look};
    return query_record_init(&look->record, err);
}

/* ---- What is told ------------------------------------------------------------------------ */

/* The operation that made the change, from what history keeps of it; empty: none did. */
static stet_view cause_of(struct look *look) {
    const struct store_change *change = look->change;
    struct doc doc;
    if (view_equal(change->type, OPERATION_TYPE)) return change->id;
    if (view_is_empty(change->origin) ||
        doc_parse(&look->once, change->origin, NULL, &doc, NULL) != STET_OK)
        return (stet_view){0};
    return text_of(look, &doc, "operation");
}

static stet_view op_name(enum store_op op) {
    return op == STORE_CREATE   ? VIEW("create")
           : op == STORE_UPDATE ? VIEW("update")
                                : VIEW("delete");
}

static stet_status write_change(struct look *look, struct json_writer *writer, stet_error *err) {
    const struct store_change *change = look->change;
    struct store_change before;
    json_object_begin(writer);
    json_member_u64(writer, VIEW("seq"), change->seq);
    json_member_u64(writer, VIEW("transaction"), change->transaction);
    json_member_text(writer, VIEW("op"), op_name(change->op));
    json_key(writer, VIEW("address"));
    render_address(writer, change->type, change->id);
    json_member_u64(writer, VIEW("version"), change->version);
    if (change->prev != 0) {
        stet_status status = store_change_at(look->reader, &look->once, change->prev, &before, err);
        if (status != STET_OK && status != STET_PRUNED) return status;
        if (status == STET_OK) json_member_u64(writer, VIEW("before"), before.version);
        if (status != STET_OK && err != NULL) *err = (stet_error){0};
    }
    json_member_text(writer, VIEW("by"), change->by);
    json_key(writer, VIEW("at"));
    json_rfc3339(writer, change->stamp);
    if (look->unreadable) {
        json_member_bool(writer, VIEW("pruned"), true);
    } else if (look->visible.size <= HANDLER_INLINE_BYTES_MAX) {
        json_member_raw(writer, VIEW("data"), look->visible);
    } else {
        struct buffer at;
        buffer_init(&at, &look->once, 0);
        address_format(&at, change->type, change->id);
        buffer_append_char(&at, '@');
        buffer_append_u64(&at, change->version);
        if (buffer_status(&at) != STET_OK) return no_memory(err);
        json_member_text(writer, VIEW("data_at"), buffer_view(&at));
    }
    json_object_end(writer);
    return STET_OK;
}

static bool has_rules(const struct look *look) {
    stet_view subject = look->subject_type.size > 0 ? look->subject_type : look->change->type;
    const struct policy *policy = policy_find(look->space, subject);
    bool has = policy != NULL && policy->access != NULL;
    policy_unref(policy);
    return has;
}

static stet_status add_reaction(struct look *look, struct follow *follow, struct follower *follower,
                                unsigned event, stet_error *err) {
    struct reaction *reaction = arena_zalloc(look->arena, 1, sizeof *reaction);
    struct buffer buffer, target;
    struct json_writer writer;
    if (reaction == NULL) return no_memory(err);
    stet_status status = parse(look, err);
    if (status != STET_OK) return status;
    buffer_init(&buffer, look->arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("handler"), follower->name);
    json_member_text(&writer, VIEW("event"), handler_event_name(event));
    json_key(&writer, VIEW("change"));
    status = write_change(look, &writer, err);
    if (status != STET_OK) return status;
    json_object_end(&writer);
    buffer_init(&target, look->arena, 0);
    address_format(&target, look->change->type, look->change->id);
    reaction->parent = arena_copy(look->arena, cause_of(look));
    if (json_end(&writer) != STET_OK || buffer_status(&target) != STET_OK ||
        reaction->parent.bytes == NULL)
        return no_memory(err);
    reaction->guarded = has_rules(look);
    reaction->follower = follower;
    reaction->seq = look->change->seq;
    reaction->event = event;
    reaction->input = buffer_view(&buffer);
    /* An operation about an operation would be found under the record that neither is about. */
    reaction->target =
        view_equal(look->change->type, OPERATION_TYPE) ? (stet_view){0} : buffer_view(&target);
    *follow->last = reaction;
    follow->last = &reaction->next;
    follow->reaction_count++;
    follow->input_bytes += reaction->input.size;
    follower->progress.reactions++;
    follower->note = true;
    return STET_OK;
}

/* ---- Whether ----------------------------------------------------------------------------- */

/* Which of the handler's events it is, names considered; HANDLER_EVENTS: none. */
static unsigned event_for(const struct look *look, const struct handler *handler) {
    const struct store_change *change = look->change;
    unsigned event = look->system_event;
    bool system = type_is_system(change->type);
    if (event < HANDLER_EVENTS && handler->on & 1u << event &&
        (view_is_empty(handler->type) || view_equal(handler->type, look->subject_type)) &&
        (view_is_empty(look->handler) || handler->sees_handlers) && !look->too_deep)
        return event;
    if (view_is_empty(handler->type) ? system : !view_equal(handler->type, change->type))
        return HANDLER_EVENTS;
    event = change->op == STORE_CREATE   ? HANDLER_CREATE
            : change->op == STORE_UPDATE ? HANDLER_UPDATE
                                         : HANDLER_DELETE;
    return handler->on & 1u << event ? event : HANDLER_EVENTS;
}

stet_status look_match(struct look *look, struct follow *follow, struct follower *follower,
                       stet_error *err) {
    const struct handler *handler = follower->handler;
    unsigned event = event_for(look, handler);
    if (event == HANDLER_EVENTS) return STET_OK;
    if (handler->where != NULL) {
        stet_status status = parse(look, err);
        if (status != STET_OK) return status;
        if (look->unreadable) {
            follower->progress.missed++;
            follower->note = true;
            return STET_OK;
        }
        if (!query_record_matches(&look->record, handler->where))
            return look->record.status == STET_OK
                       ? STET_OK
                       : error_set(err, look->record.status, "could not look at a change");
    }
    return add_reaction(look, follow, follower, event, err);
}

void look_count(struct look *look, struct follower *follower) {
    stet_view event = look->system_event < HANDLER_EVENTS ? handler_event_name(look->system_event)
                                                          : (stet_view){0};
    struct progress *progress = &follower->progress;
    if (!view_equal(look->handler, follower->name)) return;
    if (!view_equal(event, VIEW("OperationFailed")) &&
        !view_equal(event, VIEW("OperationRejected")) &&
        !view_equal(event, VIEW("OperationExpired")))
        return;
    progress->failed++;
    progress->last_error_at = look->change->stamp;
    size_t size =
        look->error.size < HANDLER_ERROR_BYTES - 1 ? look->error.size : HANDLER_ERROR_BYTES - 1;
    if (size > 0) memcpy(progress->last_error, look->error.bytes, size);
    /* Not in the middle of a character. */
    while (size > 0 && size < look->error.size && (look->error.bytes[size] & 0xc0) == 0x80)
        size--;
    progress->last_error[size] = '\0';
    follower->note = true;
}
