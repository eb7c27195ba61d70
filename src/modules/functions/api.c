/*
 * What functions may call. Each is a thin word for something the transaction does; docs/functions.md tells people what they do.
 *
 *   get(type, id)             the data and its version; nil where there is none
 *   put(type, id, data)       creates or replaces
 *   create(type, id, data)    only where there is none; id nil: a new one. The id
 *   patch(type, id, patch)    a merge patch (RFC 7396); the data it leaves
 *   delete(type, id)
 *   list(type, options)       {where?, sort?, limit?}; a list of {id, version, data}
 *   free(type, resource, duration_s, from)  when a resource next has room for so long; nil: not soon
 *   book(type, id, data)      puts, if there is room for it: true; else nil and what is in the way
 *   call(name, input)         another function, in the same transaction; what it returns
 *   now(), uuid()             the time of the run; an id that a rerun draws again only by chance
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "base/view.h"
#include "core/client.h"
#include "doc/patch.h"
#include "doc/write.h"
#include "modules/functions/internal.h"

/* Work of the store for one record, in instructions: a thousand reads are not to cost what a thousand additions do. */
enum { READ_COST = 20, ROW_COST = 5, SLOTS_COST = 100 };

static struct transaction *transaction_of(void *context) {
    return &((struct run *)context)->transaction;
}

static stet_status take_name(struct sandbox_call *call, stet_view *type, stet_view *id,
                             stet_error *err) {
    stet_status status = call_text(call, 0, type, err);
    return status == STET_OK ? call_text(call, 1, id, err) : status;
}

static stet_status read_record(struct sandbox_call *call, void *context, stet_view *type,
                               stet_view *id, struct transaction_record *record, stet_error *err) {
    stet_status status = take_name(call, type, id, err);
    if (status == STET_OK) status = call_charge(call, READ_COST, err);
    if (status == STET_OK)
        status = transaction_read(transaction_of(context), *type, *id, record, err);
    return status;
}

static stet_status not_found(stet_view type, stet_view id, stet_error *err) {
    return error_set(err, STET_NOT_FOUND, "there is no record \"%.*s/%.*s\"", VIEW_ARG(type),
                     VIEW_ARG(id));
}

/* ---- Reading ----------------------------------------------------------------------------- */

/* Once for each version that the run sees, however often it looks. */
static stet_status need_doc(struct transaction *transaction,
                            const struct transaction_record *record, stet_error *err) {
    if (record->doc->count > 0) return STET_OK;
    return doc_parse(transaction->arena, record->data, NULL, record->doc, err);
}

static stet_status return_data(struct sandbox_call *call, struct transaction *transaction,
                               const struct transaction_record *record, stet_error *err) {
    stet_status status = need_doc(transaction, record, err);
    return status == STET_OK ? call_return_doc(call, record->doc, 0, err) : status;
}

static stet_status host_get(struct sandbox_call *call, void *context, stet_error *err) {
    struct transaction_record record;
    stet_view type, id;
    stet_status status = read_record(call, context, &type, &id, &record, err);
    if (status != STET_OK) return status;
    if (!record.exists) return call_return_nil(call, err);
    status = return_data(call, transaction_of(context), &record, err);
    /* What this run wrote has no version yet. */
    if (status == STET_OK && !record.written) status = call_return_u64(call, record.version, err);
    return status;
}

static stet_status take_option(struct sandbox_call *call, const char *name, stet_view *text,
                               stet_error *err) {
    size_t member;
    stet_status status = call_member(call, 1, name, &member, err);
    if (status != STET_OK || call_kind(call, member) == VALUE_ABSENT) return status;
    return call_text(call, member, text, err);
}

static stet_status take_limit(struct sandbox_call *call, unsigned *limit, stet_error *err) {
    size_t member;
    uint64_t value;
    stet_status status = call_member(call, 1, "limit", &member, err);
    if (status != STET_OK || call_kind(call, member) == VALUE_ABSENT) return status;
    status = call_u64(call, member, &value, err);
    if (status != STET_OK) return status;
    if (value < 1 || value > LIST_LIMIT_MAX) {
        error_set(err, STET_BAD_REQUEST, "the limit of a list is from 1 to %d", LIST_LIMIT_MAX);
        error_field(err, "limit", LIST_LIMIT_MAX);
        return STET_BAD_REQUEST;
    }
    *limit = (unsigned)value;
    return STET_OK;
}

static stet_status take_options(struct sandbox_call *call, struct transaction_list *list,
                                stet_error *err) {
    stet_status status = call_text(call, 0, &list->type, err);
    if (status != STET_OK || call_kind(call, 1) == VALUE_ABSENT) return status;
    status = take_option(call, "where", &list->where, err);
    if (status == STET_OK) status = take_option(call, "sort", &list->sort, err);
    return status == STET_OK ? take_limit(call, &list->limit, err) : status;
}

static stet_status host_list(struct sandbox_call *call, void *context, stet_error *err) {
    struct transaction *transaction = transaction_of(context);
    struct transaction_list list = {0};
    struct transaction_row *rows;
    struct buffer buffer;
    struct json_writer writer;
    size_t count;
    stet_status status = take_options(call, &list, err);
    if (status == STET_OK) status = call_charge(call, READ_COST, err);
    if (status == STET_OK) status = transaction_list(transaction, &list, &rows, &count, err);
    if (status == STET_OK) status = call_charge(call, count * ROW_COST, err);
    if (status != STET_OK) return status;
    buffer_init(&buffer, transaction->arena, 0);
    status = call_list_begin(call, err);
    for (size_t i = 0; status == STET_OK && i < count; i++) {
        buffer_init(&buffer, transaction->arena, 0);
        json_begin(&writer, &buffer);
        json_object_begin(&writer);
        json_member_text(&writer, VIEW("id"), rows[i].id);
        if (rows[i].version > 0) json_member_u64(&writer, VIEW("version"), rows[i].version);
        json_member_raw(&writer, VIEW("data"), rows[i].data);
        json_object_end(&writer);
        if (json_end(&writer) != STET_OK) return transaction_no_memory(err);
        status = call_return_json(call, buffer_view(&buffer), err);
    }
    return status == STET_OK ? call_list_end(call, err) : status;
}

/* ---- Writing ----------------------------------------------------------------------------- */

/* An argument as the data of a record: an object, spelled as the record it replaces where it is equal. */
static stet_status take_data(struct sandbox_call *call, struct transaction *transaction,
                             size_t index, const struct transaction_record *before, stet_view *data,
                             stet_error *err) {
    bool has_original = before != NULL && before->exists;
    stet_status status = STET_OK;
    if (call_kind(call, index) != VALUE_OBJECT) {
        error_set(err, STET_BAD_REQUEST, "the data of a record is an object");
        error_field(err, "data", 0);
        return STET_BAD_REQUEST;
    }
    if (has_original) status = need_doc(transaction, before, err);
    if (status != STET_OK) return status;
    return call_json(call, index, has_original ? before->doc : NULL, 0, DATA_BYTES_MAX, data, err);
}

static stet_status host_put(struct sandbox_call *call, void *context, stet_error *err) {
    struct transaction *transaction = transaction_of(context);
    struct transaction_record record;
    stet_view type, id, data;
    stet_status status = read_record(call, context, &type, &id, &record, err);
    if (status == STET_OK) status = take_data(call, transaction, 2, &record, &data, err);
    return status == STET_OK ? transaction_put(transaction, type, id, data, err) : status;
}

static void draw_uuid(struct sandbox_call *call, const struct run *run,
                      char text[UUID_TEXT_BYTES]) {
    uint8_t uuid[UUID_BYTES];
    uint64_t ms = (uint64_t)run->call->now / 1000000;
    uint64_t high = call_random(call), low = call_random(call);
    for (int i = 0; i < 6; i++)
        uuid[i] = (uint8_t)(ms >> (40 - 8 * i));
    for (int i = 6; i < 8; i++)
        uuid[i] = (uint8_t)(high >> (8 * i));
    for (int i = 8; i < UUID_BYTES; i++)
        uuid[i] = (uint8_t)(low >> (8 * (i - 8)));
    uuid[6] = (uint8_t)(0x70 | (uuid[6] & 0x0F));
    uuid[8] = (uint8_t)(0x80 | (uuid[8] & 0x3F));
    uuid_format(uuid, text);
}

static stet_status host_create(struct sandbox_call *call, void *context, stet_error *err) {
    struct transaction *transaction = transaction_of(context);
    struct transaction_record record;
    char drawn[UUID_TEXT_BYTES];
    stet_view type, id, data;
    stet_status status = call_text(call, 0, &type, err);
    if (status == STET_OK && call_kind(call, 1) == VALUE_ABSENT) {
        draw_uuid(call, context, drawn);
        id = view_make(drawn, sizeof drawn);
    } else if (status == STET_OK) {
        status = call_text(call, 1, &id, err);
    }
    if (status == STET_OK) status = call_charge(call, READ_COST, err);
    if (status == STET_OK) status = transaction_read(transaction, type, id, &record, err);
    if (status == STET_OK && record.exists)
        status = error_set(err, STET_ALREADY_EXISTS, "the record \"%.*s/%.*s\" exists already",
                           VIEW_ARG(type), VIEW_ARG(id));
    if (status == STET_OK) status = take_data(call, transaction, 2, NULL, &data, err);
    if (status == STET_OK) status = transaction_put(transaction, type, id, data, err);
    return status == STET_OK ? call_return_text(call, id, err) : status;
}

static stet_status host_patch(struct sandbox_call *call, void *context, stet_error *err) {
    struct transaction *transaction = transaction_of(context);
    struct transaction_record record;
    struct doc patch;
    stet_view type, id, text, data;
    stet_status status = read_record(call, context, &type, &id, &record, err);
    if (status == STET_OK && !record.exists) status = not_found(type, id, err);
    if (status == STET_OK) status = take_data(call, transaction, 2, NULL, &text, err);
    if (status == STET_OK) status = need_doc(transaction, &record, err);
    if (status == STET_OK) status = doc_parse(transaction->arena, text, NULL, &patch, err);
    if (status == STET_OK)
        status = doc_merge_patch(transaction->arena, record.doc, &patch, &data, err);
    if (status == STET_OK) status = call_keep(call, data.size, err);
    if (status == STET_OK) status = transaction_put(transaction, type, id, data, err);
    if (status == STET_OK) status = transaction_read(transaction, type, id, &record, err);
    if (status != STET_OK) return status;
    /* It may have gone out of the caller's sight by that. */
    return record.exists ? return_data(call, transaction, &record, err)
                         : call_return_nil(call, err);
}

static stet_status host_delete(struct sandbox_call *call, void *context, stet_error *err) {
    stet_view type, id;
    stet_status status = take_name(call, &type, &id, err);
    if (status == STET_OK) status = call_charge(call, READ_COST, err);
    return status == STET_OK ? transaction_delete(transaction_of(context), type, id, err) : status;
}

/* ---- Bookings ----------------------------------------------------------------------------- */

static stet_status host_free(struct sandbox_call *call, void *context, stet_error *err) {
    struct transaction *transaction = transaction_of(context);
    struct transaction_gap gap = {.from = transaction->now};
    char text[CLOCK_RFC3339_BYTES];
    stet_view from;
    uint64_t seconds = 0;
    bool found;
    int64_t start;
    stet_status status = call_text(call, 0, &gap.type, err);
    if (status == STET_OK && call_kind(call, 1) != VALUE_ABSENT)
        status = call_text(call, 1, &gap.resource, err);
    if (status == STET_OK) status = call_u64(call, 2, &seconds, err);
    if (status == STET_OK && call_kind(call, 3) != VALUE_ABSENT) {
        status = call_text(call, 3, &from, err);
        if (status == STET_OK && !clock_parse_rfc3339(from, &gap.from)) {
            error_set(err, STET_BAD_REQUEST, "is a time with an offset, as now() has it");
            error_field(err, "from", 0);
            return STET_BAD_REQUEST;
        }
    }
    if (status == STET_OK) status = call_charge(call, SLOTS_COST, err);
    if (status != STET_OK) return status;
    gap.length = seconds > INT32_MAX ? 0 : (int64_t)seconds * CLOCK_NS_PER_S;
    status = transaction_free(transaction, &gap, &found, &start, err);
    if (status != STET_OK) return status;
    if (!found) return call_return_nil(call, err);
    clock_format_rfc3339(start, text);
    return call_return_text(call, view_make(text, sizeof text), err);
}

static stet_status host_book(struct sandbox_call *call, void *context, stet_error *err) {
    struct transaction *transaction = transaction_of(context);
    struct transaction_record record;
    stet_view type, id, data, in_the_way;
    stet_status status = read_record(call, context, &type, &id, &record, err);
    if (status == STET_OK) status = take_data(call, transaction, 2, &record, &data, err);
    if (status == STET_OK) status = call_charge(call, SLOTS_COST, err);
    if (status == STET_OK) status = transaction_book(transaction, type, id, data, &in_the_way, err);
    if (status != STET_OK) return status;
    if (in_the_way.size == 0) return call_return_bool(call, true, err);
    status = call_return_nil(call, err);
    return status == STET_OK ? call_return_json(call, in_the_way, err) : status;
}

/* ---- The rest ---------------------------------------------------------------------------- */

static stet_status host_call(struct sandbox_call *call, void *context, stet_error *err) {
    struct definition *definition;
    const stet_actor *before;
    stet_view name;
    stet_status status = call_text(call, 0, &name, err);
    if (status == STET_OK) status = run_need_function(context, name, &definition, err);
    if (status == STET_OK) status = run_enter(context, definition, &before, err);
    if (status != STET_OK) return status;
    status = call_function(call, &definition->chunk, 1, err);
    run_leave(context, before);
    return status;
}

static stet_status host_now(struct sandbox_call *call, void *context, stet_error *err) {
    char text[CLOCK_RFC3339_BYTES];
    clock_format_rfc3339(((struct run *)context)->call->now, text);
    return call_return_text(call, view_make(text, sizeof text), err);
}

static stet_status host_uuid(struct sandbox_call *call, void *context, stet_error *err) {
    char text[UUID_TEXT_BYTES];
    draw_uuid(call, context, text);
    return call_return_text(call, view_make(text, sizeof text), err);
}

const struct sandbox_host functions_hosts[] = {
    {"get", host_get},       {"put", host_put},   {"create", host_create}, {"patch", host_patch},
    {"delete", host_delete}, {"list", host_list}, {"free", host_free},     {"book", host_book},
    {"call", host_call},     {"now", host_now},   {"uuid", host_uuid},
};
const size_t functions_host_count = sizeof functions_hosts / sizeof functions_hosts[0];
