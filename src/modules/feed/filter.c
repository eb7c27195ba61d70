#include "modules/feed/filter.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/command.h"
#include "core/read.h"
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

/* ---- Where ------------------------------------------------------------------------------- */

enum { LOOK_BYTES = 4096 };

void filter_look_init(struct filter_look *look, struct space *space, stet_client *client,
                      struct store_reader *reader) {
    *look = (struct filter_look){.space = space, .client = client, .reader = reader};
    arena_init(&look->arena, LOOK_BYTES);
    arena_init(&look->before_arena, LOOK_BYTES);
}

void filter_look_done(struct filter_look *look) {
    change_unref(look->held);
    arena_done(&look->arena);
    arena_done(&look->before_arena);
    *look = (struct filter_look){0};
}

static stet_status find_created(void *context, struct arena *arena,
                                const struct store_change *change, struct created *created) {
    struct filter_look *look = context;
    if (look->client != NULL)
        return client_created(look->client, look->space, change, arena, created, NULL);
    return read_created(look->reader, arena, change, created, NULL);
}

static stet_status look_at(struct filter_look *look, struct arena *arena,
                           const struct store_change *row, struct query_record *record) {
    *record = (struct query_record){
        .change = row, .arena = arena, .find_created = find_created, .context = look};
    return query_record_init(record, NULL);
}

/* The change itself, parsed once for all who ask. False: it cannot be looked at. */
static bool look_at_change(struct filter_look *look, const struct store_change *row,
                           struct change *shared) {
    if (shared != NULL && look->held == shared) return true;
    change_unref(look->held);
    look->held = NULL;
    arena_reset(&look->arena);
    if (view_is_empty(row->data) || look_at(look, &look->arena, row, &look->record) != STET_OK)
        return false;
    if (shared != NULL) look->held = change_ref(shared);
    return true;
}

/* The version before, from the store. */
static stet_status read_before(struct filter_look *look, uint64_t seq, struct store_change *row) {
    struct store_reader *reader = look->reader;
    stet_status status = STET_OK;
    if (reader == NULL) status = space_reader_take(look->space, &reader, NULL);
    if (status != STET_OK) return status;
    status = store_change_at(reader, &look->before_arena, seq, row, NULL);
    if (look->reader == NULL) space_reader_give(look->space, reader);
    return status;
}

/* Whether the version before the change matched. What can no longer be read might have. */
static bool matched_before(const struct filter *filter, struct filter_look *look,
                           const struct store_change *row) {
    struct query_record record;
    struct store_change before;
    struct change *shared;
    bool known;
    bool matches = true;
    if (row->op != STORE_UPDATE || row->prev == 0) return false;
    arena_reset(&look->before_arena);
    shared = ring_find(&look->space->ring, row->prev);
    if (shared != NULL) before = shared->row;
    known = shared != NULL || read_before(look, row->prev, &before) == STET_OK;
    if (known && !view_is_empty(before.data) &&
        look_at(look, &look->before_arena, &before, &record) == STET_OK)
        matches = query_record_matches(&record, filter->where->expr) || record.status != STET_OK;
    change_unref(shared);
    return matches;
}

static enum filter_verdict ask_where(const struct filter *filter, struct filter_look *look,
                                     const struct store_change *row, struct change *shared) {
    if (!look_at_change(look, row, shared)) return FILTER_LEFT;
    look->record.change = row;
    if (query_record_matches(&look->record, filter->where->expr)) return FILTER_YES;
    if (look->record.status != STET_OK) {
        change_unref(look->held);
        look->held = NULL;
        return FILTER_LEFT;
    }
    return matched_before(filter, look, row) ? FILTER_LEFT : FILTER_NO;
}

/* On the client's thread, once for all who share the condition, as long as the change is among the newest. */
static enum filter_verdict judge_where(const struct filter *filter, struct filter_look *look,
                                       const struct store_change *row, struct change *shared) {
    uint64_t *known;
    enum filter_verdict verdict;
    if (look->client == NULL || !filter_is_shared(filter))
        return ask_where(filter, look, row, shared);
    known = &filter->where->verdicts[row->seq % WHERE_VERDICTS];
    if (*known / 4 == row->seq) return (enum filter_verdict)(*known % 4);
    verdict = ask_where(filter, look, row, shared);
    *known = row->seq * 4 + (uint64_t)verdict;
    return verdict;
}

enum filter_verdict filter_judge(const struct filter *filter, struct filter_look *look,
                                 const struct store_change *row, struct change *shared) {
    bool named;
    if (filter->type_count + filter->record_count == 0)
        named = !type_is_system(row->type);
    else
        named = is_named(filter, row);
    struct viewer viewer = {.space = look->space, .actor = &filter->actor};
    if (!named || !viewer_sees(&viewer, row)) return FILTER_NO;
    return filter->where == NULL ? FILTER_YES : judge_where(filter, look, row, shared);
}

void filter_mark_left(struct buffer *event) {
    if (buffer_status(event) != STET_OK) return;
    assert(event->size > 0 && event->bytes[event->size - 1] == '}');
    event->size--;
    buffer_append_text(event, ",\"left\":true}");
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
