/*
 * Listing alerts: few, so a page is read from the records themselves, on a worker.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/read.h"
#include "core/render.h"
#include "modules/alerts/internal.h"

enum wanted { WANTED_FIRING, WANTED_RESOLVED, WANTED_ANY };

struct listing {
    enum wanted wanted;
    unsigned limit;
    stet_view after;
    struct store_reader *reader; /* While it is read. */
    struct json_writer writer;
    stet_view next; /* Id of the last one shown. */
    unsigned shown;
    bool more;
};

static stet_status show(void *context, const struct store_change *change, stet_error *err) {
    struct stet_command *command = context;
    struct listing *listing = command->module_data;
    struct created created;
    struct doc doc;
    if (view_compare(change->id, listing->after) <= 0 || listing->more) return STET_OK;
    stet_status status = doc_parse(&command->arena, change->data, NULL, &doc, err);
    if (status != STET_OK) return status;
    bool firing =
        view_equal(doc_text(&doc, doc_member(&doc, 0, VIEW("state"))), VIEW("\"firing\""));
    if (listing->wanted != WANTED_ANY && firing != (listing->wanted == WANTED_FIRING))
        return STET_OK;
    if (listing->shown == listing->limit) {
        listing->more = true;
        return STET_OK;
    }
    status = read_created(listing->reader, &command->arena, change, &created, err);
    if (status != STET_OK) return status;
    json_object_begin(&listing->writer);
    render_flat_members(&listing->writer, change, &created);
    json_object_end(&listing->writer);
    listing->next = change->id;
    listing->shown++;
    return STET_OK;
}

static stet_status list(struct stet_command *command, struct store_reader *reader,
                        struct buffer *out, stet_error *err) {
    struct listing *listing = command->module_data;
    uint64_t seq = ring_published(&command->space->ring);
    listing->reader = reader;
    json_begin(&listing->writer, out);
    json_object_begin(&listing->writer);
    json_key(&listing->writer, VIEW("alerts"));
    json_array_begin(&listing->writer);
    stet_status status = read_each_live(reader, &command->arena, ALERT_TYPE, show, command, err);
    if (status != STET_OK) return status;
    json_array_end(&listing->writer);
    json_member_u64(&listing->writer, VIEW("seq"), seq);
    if (listing->more) json_member_text(&listing->writer, VIEW("next"), listing->next);
    json_object_end(&listing->writer);
    return json_end(&listing->writer) == STET_OK
               ? STET_OK
               : error_set(err, STET_NO_MEMORY, "out of memory for a list");
}

stet_status alerts_fill_list(struct stet_command *command, const stet_alert_list *asked,
                             stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    struct listing *listing = arena_zalloc(&command->arena, 1, sizeof *listing);
    if (listing == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a list");
    if (view_equal(asked->state, VIEW("resolved"))) {
        listing->wanted = WANTED_RESOLVED;
    } else if (view_equal(asked->state, VIEW("any"))) {
        listing->wanted = WANTED_ANY;
    } else if (asked->state.size > 0 && !view_equal(asked->state, VIEW("firing"))) {
        error_set(err, STET_BAD_REQUEST, "state is firing, resolved or any");
        error_field(err, "state", 0);
        return STET_BAD_REQUEST;
    }
    if (asked->limit > LIST_LIMIT_MAX) {
        error_set(err, STET_BAD_REQUEST, "limit must be at most %d", LIST_LIMIT_MAX);
        error_field(err, "limit", LIST_LIMIT_MAX);
        return STET_BAD_REQUEST;
    }
    listing->limit = asked->limit == 0 ? LIST_LIMIT_DEFAULT : asked->limit;
    listing->after = arena_copy(&command->arena, asked->after);
    if (listing->after.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    command->owner = &alerts_module;
    command->module_data = listing;
    command->read_rows = list;
    command->kind = COMMAND_MODULE_READ;
    return STET_OK;
}
