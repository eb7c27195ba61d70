/*
 * What is booked, as a run sees it: the store's rows, what the run itself has written laid over them. Rows that are newer than the snapshot
 * may be among them; then something changed in the range since, and validation finds that.
 */
#include "modules/functions/transaction.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/index.h"
#include "core/policy.h"
#include "core/spans_internal.h"
#include "doc/write.h"

#include <stdlib.h>

/* The pages of another source, with the run's own writes over them. */
struct own_source {
    struct slot_source source;
    struct slot_source *below;
    struct transaction *transaction;
    const struct exclusive *exclusive;
    stet_view type;
    stet_view except; /* The id of a record that is not in its own way; empty: none. */
    uint64_t except_record;
};

struct bookings {
    struct transaction *transaction;
    const struct policy *policy;
    struct store_reader *reader; /* Taken for this call; else NULL. */
    stet_view type;
};

static stet_status below_page(struct slot_source *base, stet_view resource, int64_t number,
                              const struct slot_page **page, stet_error *err) {
    struct own_source *own = (struct own_source *)base;
    return own->below->page(own->below, resource, number, page, err);
}

/* What the run wrote counts as it wrote it. */
static bool is_rewritten(struct slot_source *base, stet_view resource, const struct slot *slot) {
    const struct own_source *own = (const struct own_source *)base;
    (void)resource;
    if (own->except_record != 0 && slot->record == own->except_record) return true;
    for (size_t i = 0; i < own->transaction->write_count; i++) {
        const struct transaction_write *write = &own->transaction->writes[i];
        if (write->version > 0 && write->first == slot->record) return true;
    }
    return false;
}

static stet_status own_more(struct slot_source *base, stet_view resource, int64_t from, int64_t to,
                            struct slot_list *hits) {
    struct own_source *own = (struct own_source *)base;
    struct transaction *transaction = own->transaction;
    const struct exclusive *exclusive = own->exclusive;
    for (size_t i = 0; i < transaction->write_count; i++) {
        const struct transaction_write *write = &transaction->writes[i];
        struct span_list list;
        struct doc doc;
        if (write->deletes || !view_equal(write->type, own->type) ||
            view_equal(write->id, own->except))
            continue;
        /* Times that are none are refused when it is written. */
        if (doc_parse(transaction->arena, write->data, NULL, &doc, NULL) != STET_OK ||
            exclusive_spans(transaction->arena, exclusive, &doc, NULL, &list, NULL) != STET_OK)
            continue;
        for (size_t k = 0; k < list.count; k++) {
            const struct span *span = &list.spans[k];
            const struct slot slot = {.begin = span->start - exclusive->buffer_before,
                                      .end = span->end + exclusive->buffer_after,
                                      .held_until = span->held_until,
                                      .record = UINT64_MAX - i,
                                      .weight = span->weight};
            if (!view_equal(span->resource, resource) || slot.begin >= to || slot.end <= from ||
                slot.held_until <= base->now)
                continue;
            if (slot_list_add(hits, &slot) != STET_OK) return STET_NO_MEMORY;
        }
    }
    return STET_OK;
}

/* ---- One question -------------------------------------------------------------------------- */

static stet_status begin(struct bookings *bookings, struct transaction *transaction, stet_view type,
                         stet_error *err) {
    *bookings = (struct bookings){.transaction = transaction, .type = type};
    if (!transaction->lists) {
        error_set(err, STET_FUNCTION_LIMIT, "it looks at bookings");
        error_field(err, "inline", 0);
        return STET_FUNCTION_LIMIT;
    }
    transaction_begin(transaction);
    bookings->policy = transaction->staging == NULL
                           ? policy_find(transaction->space, type)
                           : policy_ref(policy_staged(transaction->space, type));
    if (bookings->policy == NULL || bookings->policy->exclusive == NULL) {
        error_set(err, STET_BAD_REQUEST, "the type \"%.*s\" declares nothing that is exclusive",
                  VIEW_ARG(type));
        error_field(err, "type", 0);
        return STET_BAD_REQUEST;
    }
    if (access_never(bookings->policy, transaction->actor, ACCESS_READ))
        return error_set(err, STET_FORBIDDEN, "you may not see when records of \"%.*s\" are booked",
                         VIEW_ARG(type));
    if (transaction->staging == NULL && transaction->reader == NULL)
        return space_reader_take(transaction->space, &bookings->reader, err);
    return STET_OK;
}

static void end(struct bookings *bookings) {
    if (bookings->reader != NULL) space_reader_give(bookings->transaction->space, bookings->reader);
    policy_unref(bookings->policy);
}

/* What is to be asked of one declaration. */
struct asked {
    struct own_source own;
    struct slot_reader stored;
    struct span_source staged;
};

static void ask(struct bookings *bookings, const struct exclusive *exclusive, struct asked *asked) {
    struct transaction *transaction = bookings->transaction;
    struct store_reader *reader = bookings->reader != NULL ? bookings->reader : transaction->reader;
    *asked = (struct asked){0};
    if (transaction->staging != NULL) {
        span_source_init(&asked->staged, transaction->space, transaction->staging->batch,
                         exclusive->index->number, NULL, transaction->now);
    } else {
        slot_reader_init(&asked->stored, reader, exclusive->index->number, transaction->now);
    }
    asked->own = (struct own_source){
        .source = {.page = below_page,
                   .more = own_more,
                   .skip = is_rewritten,
                   .now = transaction->now},
        .below = transaction->staging != NULL ? &asked->staged.source : &asked->stored.source,
        .transaction = transaction,
        .exclusive = exclusive,
        .type = bookings->type,
    };
}

/* Whatever is booked of the resource from now on is what the run looked at. */
static stet_status note(struct bookings *bookings, const struct exclusive *exclusive,
                        stet_view resource, stet_error *err) {
    struct transaction *transaction = bookings->transaction;
    struct read_range range = {.type = bookings->type, .index = exclusive->index->number};
    if (transaction->staging != NULL) return STET_OK;
    stet_status status = transaction_count_reads(transaction, err);
    if (status != STET_OK) return status;
    if (span_range_all(transaction->arena, resource, &range.from, &range.to) != STET_OK)
        return transaction_no_memory(err);
    return read_set_range(transaction->reads, &range, err);
}

stet_status transaction_free(struct transaction *transaction, const struct transaction_gap *gap,
                             bool *found, int64_t *start, stet_error *err) {
    struct bookings bookings;
    struct asked asked;
    stet_view resource;
    size_t steps = FREE_STEPS_MAX;
    *found = false;
    stet_status status = begin(&bookings, transaction, gap->type, err);
    if (status != STET_OK) goto done;
    const struct exclusive *exclusive = bookings.policy->exclusive;
    if (gap->length <= 0 || gap->length > SPAN_DAYS_MAX * INT64_C(86400) * CLOCK_NS_PER_S) {
        error_set(err, STET_BAD_REQUEST, "a booking is from 1 second to %d days long",
                  SPAN_DAYS_MAX);
        error_field(err, "duration_s", 0);
        status = STET_BAD_REQUEST;
        goto done;
    }
    if (span_resource(transaction->arena, gap->resource, &resource) != STET_OK) {
        status = transaction_no_memory(err);
        goto done;
    }
    status = note(&bookings, exclusive, resource, err);
    if (status != STET_OK) goto done;
    const struct slot_wish wish = {
        .resources = &resource,
        .resource_count = 1,
        .weight = 1,
        .capacity = exclusive->capacity,
        .length = gap->length + exclusive->buffer_before + exclusive->buffer_after,
    };
    int64_t from = gap->from - exclusive->buffer_before;
    ask(&bookings, exclusive, &asked);
    status = slots_next(&asked.own.source, &wish, from,
                        from + NEXT_FREE_DAYS * INT64_C(86400) * CLOCK_NS_PER_S, &steps, found,
                        start, err);
    *start += exclusive->buffer_before;
    slot_reader_done(&asked.stored);
done:
    end(&bookings);
    return status;
}

/* ---- Booking -------------------------------------------------------------------------------- */

static void write_slot(struct json_writer *writer, const struct exclusive *exclusive,
                       stet_view resource, const struct slot *slot) {
    json_object_begin(writer);
    if (resource.size > 0 && view_is_utf8(resource))
        json_member_text(writer, VIEW("resource"), resource);
    json_key(writer, VIEW("start"));
    json_rfc3339(writer, slot->begin + exclusive->buffer_before);
    json_key(writer, VIEW("end"));
    json_rfc3339(writer, slot->end - exclusive->buffer_after);
    json_object_end(writer);
}

/* Adds what is in the way of one span; nothing where there is room. */
static stet_status judge(struct asked *asked, const struct exclusive *exclusive,
                         const struct span *span, struct json_writer *writer, size_t *told,
                         stet_error *err) {
    struct slot_list hits = {0}, sweep = {0};
    int64_t begin_at = span->start - exclusive->buffer_before;
    int64_t end_at = span->end + exclusive->buffer_after, at;
    stet_status status =
        slots_gather(&asked->own.source, span->resource, begin_at, end_at, &hits, err);
    for (size_t i = 0; status == STET_OK && i < hits.count; i++)
        if (slot_list_add(&sweep, &hits.slots[i]) != STET_OK) status = transaction_no_memory(err);
    if (status == STET_OK &&
        slots_peak(&sweep, begin_at, end_at, &at) + span->weight > exclusive->capacity) {
        for (size_t i = 0; i < hits.count && *told < SLOTS_IN_WAY_MAX; i++) {
            bool at_peak = hits.slots[i].begin <= at && hits.slots[i].end > at;
            if (exclusive->capacity > 1 && !at_peak) continue;
            write_slot(writer, exclusive, span->resource, &hits.slots[i]);
            ++*told;
        }
    }
    slot_list_done(&hits);
    slot_list_done(&sweep);
    return status;
}

static stet_status judge_all(struct bookings *bookings, stet_view id, uint64_t record,
                             const struct doc *doc, struct json_writer *writer, size_t *told,
                             stet_error *err) {
    stet_status status = STET_OK;
    const struct exclusive *one = bookings->policy->exclusive;
    for (; status == STET_OK && one != NULL; one = one->next) {
        struct asked asked;
        struct span_list list;
        status = exclusive_spans(bookings->transaction->arena, one, doc, NULL, &list, err);
        if (status != STET_OK) break;
        ask(bookings, one, &asked);
        asked.own.except = id;
        asked.own.except_record = record;
        for (size_t i = 0; status == STET_OK && i < list.count; i++) {
            if (list.spans[i].held_until <= bookings->transaction->now) continue;
            status = note(bookings, one, list.spans[i].resource, err);
            if (status == STET_OK) status = judge(&asked, one, &list.spans[i], writer, told, err);
        }
        slot_reader_done(&asked.stored);
    }
    return status;
}

stet_status transaction_book(struct transaction *transaction, stet_view type, stet_view id,
                             stet_view data, stet_view *in_the_way, stet_error *err) {
    struct transaction_record record;
    struct bookings bookings = {0};
    struct buffer buffer;
    struct json_writer writer;
    struct doc doc;
    size_t told = 0;
    *in_the_way = (stet_view){0};
    stet_status status = transaction_read(transaction, type, id, &record, err);
    if (status == STET_OK) status = doc_parse(transaction->arena, data, NULL, &doc, err);
    if (status != STET_OK) return status;
    status = begin(&bookings, transaction, type, err);
    if (status != STET_OK) goto done;
    buffer_init(&buffer, transaction->arena, 0);
    json_begin(&writer, &buffer);
    json_array_begin(&writer);
    status = judge_all(&bookings, id, record.exists && !record.written ? record.first : 0, &doc,
                       &writer, &told, err);
    if (status != STET_OK) goto done;
    json_array_end(&writer);
    if (json_end(&writer) != STET_OK) status = transaction_no_memory(err);
    if (status == STET_OK && told > 0) *in_the_way = buffer_view(&buffer);
    if (status == STET_OK && told == 0) status = transaction_put(transaction, type, id, data, err);
done:
    end(&bookings);
    return status;
}
