#include "modules/feed/filter.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/command.h"
#include "core/render.h"

#include <assert.h>
#include <stdlib.h>

static stet_status check_type(const struct space *space, stet_view type, const char *field,
                              stet_error *err) {
    const struct module *owner;
    stet_status status = check_type_name(type, field, err);
    if (status != STET_OK || !type_is_system(type)) return status;
    owner = space_type_owner(space, type);
    if (owner != NULL && owner->may_read != NULL) return STET_OK;
    error_set(err, STET_FORBIDDEN, "records of type \"%.*s\" are in no feed", VIEW_ARG(type));
    error_field(err, field, 0);
    return STET_FORBIDDEN;
}

static stet_status read_addresses(const struct space *space, struct arena *arena,
                                  const stet_feed_options *options, struct filter_record *records,
                                  stet_error *err) {
    for (size_t index = 0; index < options->address_count; index++) {
        struct filter_record *record = &records[index];
        stet_status status =
            address_parse(arena, options->addresses[index], &record->type, &record->id, err);
        if (status == STET_OK) status = check_type(space, record->type, "address", err);
        if (status == STET_OK) status = check_id(record->id, "address", err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static stet_view place(char **end, stet_view view) {
    stet_view placed = view_make(*end, view.size);
    if (view.size > 0) memcpy(*end, view.bytes, view.size);
    *end += view.size;
    return placed;
}

static struct filter *build(const stet_actor *actor, const stet_feed_options *options,
                            const struct filter_record *records) {
    size_t bytes = sizeof(struct filter) + actor->id.size +
                   options->type_count * sizeof(stet_view) +
                   options->address_count * sizeof(struct filter_record);
    struct filter *filter;
    char *end;
    for (size_t index = 0; index < options->type_count; index++)
        bytes += options->types[index].size;
    for (size_t index = 0; index < options->address_count; index++)
        bytes += records[index].type.size + records[index].id.size;
    filter = malloc(bytes);
    if (filter == NULL) return NULL;
    *filter = (struct filter){.actor.admin = actor->admin,
                              .type_count = options->type_count,
                              .record_count = options->address_count};
    atomic_init(&filter->refs, 1);
    filter->types = (stet_view *)(filter + 1);
    filter->records = (struct filter_record *)(filter->types + filter->type_count);
    end = (char *)(filter->records + filter->record_count);
    filter->actor.id = place(&end, actor->id);
    for (size_t index = 0; index < options->type_count; index++)
        filter->types[index] = place(&end, options->types[index]);
    for (size_t index = 0; index < options->address_count; index++) {
        filter->records[index].type = place(&end, records[index].type);
        filter->records[index].id = place(&end, records[index].id);
    }
    assert(end == (char *)filter + bytes);
    return filter;
}

stet_status filter_create(const struct space *space, const stet_actor *actor,
                          const stet_feed_options *options, struct filter **filter,
                          stet_error *err) {
    struct filter_record records[SUBSCRIPTION_FILTERS_MAX];
    struct arena arena;
    stet_status status = STET_OK;
    if (options->type_count + options->address_count > SUBSCRIPTION_FILTERS_MAX) {
        error_set(err, STET_TOO_LARGE, "a subscriber names at most %d types and records",
                  SUBSCRIPTION_FILTERS_MAX);
        error_field(err, options->address_count > 0 ? "address" : "type", SUBSCRIPTION_FILTERS_MAX);
        return STET_TOO_LARGE;
    }
    arena_init(&arena, 1024);
    for (size_t index = 0; status == STET_OK && index < options->type_count; index++)
        status = check_type(space, options->types[index], "type", err);
    if (status != STET_OK) goto done;
    status = read_addresses(space, &arena, options, records, err);
    if (status != STET_OK) goto done;
    *filter = build(actor, options, records);
    if (*filter == NULL)
        status = error_set(err, STET_NO_MEMORY, "out of memory for a subscription");
done:
    arena_done(&arena);
    return status;
}

struct filter *filter_ref(struct filter *filter) {
    atomic_fetch_add_explicit(&filter->refs, 1, memory_order_relaxed);
    return filter;
}

void filter_unref(struct filter *filter) {
    if (filter == NULL) return;
    if (atomic_fetch_sub_explicit(&filter->refs, 1, memory_order_acq_rel) == 1) free(filter);
}

static bool is_named(const struct filter *filter, const struct store_change *change) {
    for (size_t index = 0; index < filter->type_count; index++) {
        if (view_equal(filter->types[index], change->type)) return true;
    }
    for (size_t index = 0; index < filter->record_count; index++) {
        const struct filter_record *record = &filter->records[index];
        if (view_equal(record->id, change->id) && view_equal(record->type, change->type))
            return true;
    }
    return false;
}

bool filter_matches(const struct filter *filter, const struct space *space,
                    const struct store_change *change) {
    bool named;
    if (filter->type_count + filter->record_count == 0)
        named = !type_is_system(change->type);
    else
        named = is_named(filter, change);
    return named && space_may_read(space, &filter->actor, change);
}

bool filter_follows(const struct filter *filter, stet_view type) {
    if (filter->type_count + filter->record_count == 0) return !type_is_system(type);
    for (size_t index = 0; index < filter->type_count; index++) {
        if (view_equal(filter->types[index], type)) return true;
    }
    for (size_t index = 0; index < filter->record_count; index++) {
        if (view_equal(filter->records[index].type, type)) return true;
    }
    return false;
}
