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
    size_t bytes = sizeof(struct filter) + actor->id.size + actor->role_count * sizeof(stet_view) +
                   options->type_count * sizeof(stet_view) +
                   options->address_count * sizeof(struct filter_record);
    struct filter *filter;
    char *end;
    for (size_t index = 0; index < options->type_count; index++)
        bytes += options->types[index].size;
    for (size_t index = 0; index < options->address_count; index++)
        bytes += records[index].type.size + records[index].id.size;
    for (size_t index = 0; index < actor->role_count; index++)
        bytes += actor->roles[index].size;
    filter = malloc(bytes);
    if (filter == NULL) return NULL;
    *filter = (struct filter){
        .actor = {.admin = actor->admin, .scopes = actor->scopes, .role_count = actor->role_count},
        .is_member = actor_has_role(actor, ROLE_MEMBER),
        .type_count = (unsigned)options->type_count,
        .record_count = (unsigned)options->address_count};
    atomic_init(&filter->refs, 1);
    filter->types = (stet_view *)(filter + 1);
    filter->records = (struct filter_record *)(filter->types + filter->type_count);
    stet_view *roles = (stet_view *)(filter->records + filter->record_count);
    end = (char *)(roles + actor->role_count);
    filter->actor.id = place(&end, actor->id);
    filter->actor.roles = roles;
    for (size_t index = 0; index < actor->role_count; index++)
        roles[index] = place(&end, actor->roles[index]);
    for (size_t index = 0; index < options->type_count; index++)
        filter->types[index] = place(&end, options->types[index]);
    for (size_t index = 0; index < options->address_count; index++) {
        filter->records[index].type = place(&end, records[index].type);
        filter->records[index].id = place(&end, records[index].id);
    }
    assert(end == (char *)filter + bytes);
    return filter;
}

static void where_unref(struct filter_where *where) {
    if (where == NULL) return;
    if (atomic_fetch_sub_explicit(&where->refs, 1, memory_order_acq_rel) != 1) return;
    arena_done(&where->arena);
    free(where->verdicts);
    free(where);
}

static stet_status parse_where(struct filter *filter, stet_view text, stet_error *err) {
    struct expr_options options = {.field = "where"};
    struct expr *expr = NULL;
    if (view_is_empty(text)) return STET_OK;
    struct filter_where *where = calloc(1, sizeof *where);
    if (where == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a subscription");
    filter->where = where;
    atomic_init(&where->refs, 1);
    arena_init(&where->arena, 1024);
    where->text = arena_copy(&where->arena, text);
    if (where->text.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for a subscription");
    stet_status status = expr_parse(&where->arena, where->text, &options, &expr, err);
    where->expr = expr;
    return status;
}

/* ---- Sharing ----------------------------------------------------------------------------- */

static struct filter_where **where_slot(struct filter_table *table, stet_view text) {
    size_t count = sizeof table->buckets / sizeof table->buckets[0];
    struct filter_where **slot = &table->buckets[view_hash(text, 0) % count];
    while (*slot != NULL && !view_equal((*slot)->text, text))
        slot = &(*slot)->next;
    return slot;
}

void filter_enter(struct filter_table *table, struct filter *filter) {
    struct filter_where *own = filter->where;
    struct filter_where **slot;
    if (own == NULL) return;
    slot = where_slot(table, own->text);
    if (*slot == NULL) {
        own->next = NULL;
        *slot = own;
    } else {
        filter->where = *slot;
        atomic_fetch_add_explicit(&filter->where->refs, 1, memory_order_relaxed);
        where_unref(own);
        if ((*slot)->verdicts == NULL)
            (*slot)->verdicts = calloc(WHERE_VERDICTS, sizeof *(*slot)->verdicts);
    }
    filter->where->users++;
}

/* Pages on their way may keep the condition longer, but the table does not. */
void filter_leave(struct filter_table *table, struct filter *filter) {
    struct filter_where *where = filter->where;
    if (where == NULL || --where->users > 0) return;
    *where_slot(table, where->text) = where->next;
}

stet_status filter_create(const struct space *space, const stet_actor *actor,
                          const stet_feed_options *options, struct filter **filter,
                          stet_error *err) {
    struct filter_record records[SUBSCRIPTION_FILTERS_MAX];
    struct filter *built;
    struct arena arena;
    stet_status status = actor_demand(actor, STET_SCOPE_READ, err);
    if (status != STET_OK) return status;
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
    built = build(actor, options, records);
    if (built == NULL) {
        status = error_set(err, STET_NO_MEMORY, "out of memory for a subscription");
        goto done;
    }
    status = parse_where(built, options->where, err);
    if (status == STET_OK)
        *filter = built;
    else
        filter_unref(built);
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
    if (atomic_fetch_sub_explicit(&filter->refs, 1, memory_order_acq_rel) != 1) return;
    where_unref(filter->where);
    free(filter);
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
