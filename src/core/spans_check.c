/*
 * Whether there is room for what a command stages, and what is said where there is none.
 */
#include "core/spans.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/client.h"
#include "core/index.h"
#include "core/render.h"
#include "core/spans_internal.h"
#include "core/staging.h"
#include "doc/patch.h"
#include "doc/write.h"

#include <assert.h>
#include <stdlib.h>

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for bookings");
}

/* A clock that jumped ahead ends no holds until somebody confirms it. */
static int64_t hold_time(const struct staging *staging) {
    return staging->time.wall_held ? INT64_MIN : staging->now;
}

/* ---- One span --------------------------------------------------------------------------------------------------------- */

/* Whether there is room; else hits are those in the way, by begin: what runs at the first of the fullest instants. */
static stet_status fits(struct span_source *source, const struct exclusive *exclusive,
                        stet_view resource, const struct slot *slot, struct slot_list *hits,
                        bool *room, stet_error *err) {
    struct slot_list sweep = {0};
    uint64_t sum = slot->weight;
    int64_t at;
    hits->count = 0;
    stet_status status = slots_gather(&source->source, resource, slot->begin, slot->end, hits, err);
    if (status != STET_OK) return status;
    for (size_t i = 0; i < hits->count; i++)
        sum += hits->slots[i].weight;
    *room = sum <= exclusive->capacity;
    if (*room || exclusive->capacity == 1) return STET_OK;
    for (size_t i = 0; i < hits->count; i++) {
        if (slot_list_add(&sweep, &hits->slots[i]) == STET_OK) continue;
        slot_list_done(&sweep);
        return no_memory(err);
    }
    *room = slots_peak(&sweep, slot->begin, slot->end, &at) + slot->weight <= exclusive->capacity;
    slot_list_done(&sweep);
    size_t kept = 0;
    for (size_t i = 0; !*room && i < hits->count; i++)
        if (hits->slots[i].begin <= at && hits->slots[i].end > at)
            hits->slots[kept++] = hits->slots[i];
    hits->count = *room ? hits->count : kept;
    return STET_OK;
}

stet_status spans_collide(struct space *space, const struct batch *batch,
                          const struct index_def *def, stet_view resource, const struct slot *slot,
                          bool *there, struct slot_list *hits, bool *room, stet_error *err) {
    struct span_source source;
    int64_t now = clock_wall_ns(space->engine->clock), at;
    size_t kept = 0;
    uint64_t sum = slot->weight;
    hits->count = 0;
    *room = true;
    if (slot->held_until <= now) return STET_OK;
    span_source_init(&source, space, batch, def->number, NULL, now);
    stet_status status = slots_gather(&source.source, resource, slot->begin, slot->end, hits, err);
    if (status != STET_OK) return status;
    if (there != NULL) *there = false;
    for (size_t i = 0; i < hits->count; i++) {
        const struct slot *hit = &hits->slots[i];
        bool self = hit->record == slot->record;
        if (self && there != NULL)
            *there = *there || (hit->begin == slot->begin && hit->end == slot->end &&
                                hit->weight == slot->weight);
        if (self || (there != NULL && hit->record > slot->record)) continue;
        sum += hit->weight;
        hits->slots[kept++] = *hit;
    }
    hits->count = kept;
    *room = sum <= def->exclusive->capacity;
    if (*room || def->exclusive->capacity == 1) return STET_OK;
    struct slot_list sweep = {0};
    for (size_t i = 0; status == STET_OK && i < kept; i++)
        if (slot_list_add(&sweep, &hits->slots[i]) != STET_OK) status = no_memory(err);
    if (status == STET_OK)
        *room = slots_peak(&sweep, slot->begin, slot->end, &at) + slot->weight <=
                def->exclusive->capacity;
    slot_list_done(&sweep);
    return status;
}

/* ---- What is told of a refusal ---------------------------------------------------------------------------------------- */

struct verdict {
    struct staging *staging;
    struct arena *arena;
    const struct pending *pending;
    struct slot_list hits;
    size_t steps; /* Looks for free times that are left to the command. */
    size_t told;  /* What is told to be in the way, of all of its mutations. */
    stet_error *err;
};

static int by_begin(const void *left, const void *right) {
    const struct slot *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return (a->record > b->record) - (a->record < b->record);
}

static struct mutation *mutation_of(const struct staging *staging, uint64_t record) {
    struct stet_command *command = staging->command;
    for (size_t i = command->mutation_count; i-- > 0;) {
        struct mutation *mutation = &command->mutations[i];
        if (mutation->change != NULL && mutation->change->row.first == record &&
            (mutation->decision == DECISION_STAGED || mutation->taken != NULL))
            return mutation;
    }
    return NULL;
}

static int64_t original_start_of(const struct exclusive *exclusive,
                                 const struct pending_slot *add) {
    struct span_key read;
    return span_key_read(exclusive, add->key, &read) ? read.span.original_start : 0;
}

/* A record that exists nowhere but in this command can be named here only. */
static stet_view own_address(struct verdict *verdict, uint64_t record) {
    const struct mutation *mutation = mutation_of(verdict->staging, record);
    struct buffer buffer;
    if (mutation == NULL || mutation->before.version > 0) return (stet_view){0};
    buffer_init(&buffer, verdict->arena, 0);
    address_format(&buffer, mutation->type, mutation->id);
    return buffer_status(&buffer) == STET_OK ? buffer_view(&buffer) : (stet_view){0};
}

static stet_status tell_in_the_way(struct verdict *verdict, const struct exclusive *exclusive,
                                   const struct pending_slot *add, struct slot_taken *taken) {
    struct slot_list *hits = &verdict->hits;
    qsort(hits->slots, hits->count, sizeof *hits->slots, by_begin);
    if (taken->in_the_way == NULL)
        taken->in_the_way =
            arena_zalloc(verdict->arena, SLOTS_IN_WAY_MAX, sizeof *taken->in_the_way);
    stet_view resource = arena_copy(verdict->arena, add->resource);
    if (taken->in_the_way == NULL || resource.bytes == NULL) return no_memory(verdict->err);
    for (size_t i = 0; i < hits->count; i++) {
        const struct slot *slot = &hits->slots[i];
        bool is_first = taken->way_count == 0;
        if (taken->way_count == SLOTS_IN_WAY_MAX ||
            (verdict->told >= SLOTS_TOLD_MAX && !is_first)) {
            taken->more += hits->count - i;
            break;
        }
        verdict->told++;
        taken->in_the_way[taken->way_count++] = (struct slot_in_way){
            .record = slot->record,
            .address = own_address(verdict, slot->record),
            .resource = resource,
            .start = slot->begin + exclusive->buffer_before,
            .end = slot->end - exclusive->buffer_after,
            .original_start = original_start_of(exclusive, add),
        };
    }
    return STET_OK;
}

/* The resources that could be chosen instead, as keys have them; none where the declaration does not let choose. */
static stet_status candidates_of(struct arena *arena, const struct exclusive *exclusive,
                                 const struct doc *doc, stet_view **out, size_t *count,
                                 stet_error *err) {
    doc_node list = exclusive->any_of.size == 0 ? DOC_NONE : doc_pointer(doc, exclusive->any_of);
    *count = 0;
    if (list == DOC_NONE || doc_kind(doc, list) == DOC_NULL) return STET_OK;
    bool is_list = doc_kind(doc, list) == DOC_ARRAY;
    if (is_list && doc_count(doc, list) > SPAN_CANDIDATES_MAX) {
        error_set(err, STET_TOO_LARGE, "names more than %d resources", SPAN_CANDIDATES_MAX);
        error_field_view(err, exclusive->any_of, SPAN_CANDIDATES_MAX);
        return STET_TOO_LARGE;
    }
    *out = arena_zalloc(arena, doc_count(doc, list) + 1, sizeof **out);
    if (*out == NULL) return no_memory(err);
    doc_node one = is_list ? doc_first(doc, list) : DOC_NONE;
    for (; one != DOC_NONE; one = doc_next(doc, one)) {
        stet_status status = doc_string(arena, doc, one, &(*out)[*count]);
        if (status == STET_NO_MEMORY) return no_memory(err);
        if (status != STET_OK || (*out)[*count].size == 0) break;
        ++*count;
    }
    if (is_list && one == DOC_NONE) return STET_OK;
    error_set(err, STET_INVALID_DATA, "is a list of resources, which are texts");
    error_field_view(err, exclusive->any_of, 0);
    return STET_INVALID_DATA;
}

static void keep_free(struct slot_taken *taken, const struct slot_free *slot) {
    size_t at = taken->free_count;
    while (at > 0 && taken->next_free[at - 1].start > slot->start)
        at--;
    if (at == NEXT_FREE_SHOWN) return;
    size_t last = taken->free_count < NEXT_FREE_SHOWN ? taken->free_count++ : NEXT_FREE_SHOWN - 1;
    memmove(taken->next_free + at + 1, taken->next_free + at,
            (last - at) * sizeof *taken->next_free);
    taken->next_free[at] = *slot;
}

/* Looks for times at which all resources of a wish are free; they are told of under one name. */
static stet_status look_ahead(struct verdict *verdict, const struct exclusive *exclusive,
                              const struct slot_wish *wish, int64_t from, size_t *steps,
                              stet_view name, struct slot_taken *taken) {
    struct span_source source;
    int64_t until = from + NEXT_FREE_DAYS * INT64_C(86400) * CLOCK_NS_PER_S, begin;
    bool found = true;
    span_source_init(&source, verdict->staging->space, verdict->staging->batch,
                     exclusive->index->number, verdict->pending, hold_time(verdict->staging));
    for (int i = 0; found && i < NEXT_FREE_SHOWN; i++) {
        stet_status status =
            slots_next(&source.source, wish, from, until, steps, &found, &begin, verdict->err);
        if (status != STET_OK) return status;
        if (!found) break;
        const struct slot_free slot = {
            .resource = name,
            .start = begin + exclusive->buffer_before,
            .end = begin + wish->length - exclusive->buffer_after,
        };
        keep_free(taken, &slot);
        from = begin + wish->length;
    }
    return STET_OK;
}

static stet_status tell_next_free(struct verdict *verdict, const struct exclusive *exclusive,
                                  const struct pending_slot *add, const struct mutation *mutation,
                                  struct slot_taken *taken) {
    struct arena *arena = verdict->arena;
    const struct pending *pending = verdict->pending;
    size_t count = 0, *steps = &verdict->steps;
    struct doc doc;
    stet_view *candidates;
    taken->next_free = arena_zalloc(arena, NEXT_FREE_SHOWN, sizeof *taken->next_free);
    stet_view *resources = arena_zalloc(arena, SPAN_RESOURCES_MAX, sizeof *resources);
    stet_view name = arena_copy(arena, add->resource);
    if (taken->next_free == NULL || resources == NULL || name.bytes == NULL)
        return no_memory(verdict->err);
    struct slot_wish wish = {
        .resources = resources,
        .weight = add->slot.weight,
        .capacity = exclusive->capacity,
        .length = add->slot.end - add->slot.begin,
        .record = add->slot.record,
    };
    if (exclusive->any_of.size > 0) {
        stet_status status = change_parse(arena, mutation->change->row.data, &doc, verdict->err);
        if (status == STET_OK)
            status = candidates_of(arena, exclusive, &doc, &candidates, &count, verdict->err);
        wish.resource_count = 1;
        if (status != STET_OK) return status;
        for (size_t i = 0; status == STET_OK && i<count && * steps> 0; i++) {
            if (span_resource(arena, candidates[i], &resources[0]) != STET_OK)
                return no_memory(verdict->err);
            status =
                look_ahead(verdict, exclusive, &wish, add->slot.begin, steps, candidates[i], taken);
        }
        if (status != STET_OK || count > 0) return status;
        wish.resource_count = 0;
    }
    /* What the record takes at this time together. */
    for (size_t i = 0; i < pending->add_count && wish.resource_count < SPAN_RESOURCES_MAX; i++) {
        const struct pending_slot *other = &pending->adds[i];
        if (other->index == add->index && other->slot.record == add->slot.record &&
            other->slot.begin == add->slot.begin && other->slot.end == add->slot.end)
            resources[wish.resource_count++] = other->resource;
    }
    return look_ahead(verdict, exclusive, &wish, add->slot.begin, steps, name, taken);
}

static stet_status refuse(struct verdict *verdict, const struct exclusive *exclusive,
                          const struct pending_slot *add, struct mutation *mutation) {
    bool is_first = mutation->taken == NULL;
    if (is_first) mutation->taken = arena_zalloc(verdict->arena, 1, sizeof *mutation->taken);
    if (is_first) mutation->error = arena_zalloc(verdict->arena, 1, sizeof *mutation->error);
    if (mutation->taken == NULL || mutation->error == NULL) return no_memory(verdict->err);
    stet_status status = tell_in_the_way(verdict, exclusive, add, mutation->taken);
    if (status != STET_OK || !is_first) return status;
    status = tell_next_free(verdict, exclusive, add, mutation, mutation->taken);
    if (status != STET_OK) return status;
    mutation->decision = DECISION_REFUSED;
    mutation->status = STET_SLOT_TAKEN;
    /* Nor is a name told that was cut for its key. */
    if (add->resource.size == 0 || !view_is_utf8(add->resource)) {
        error_set(mutation->error, STET_SLOT_TAKEN, "the time is taken already");
    } else {
        error_set(mutation->error, STET_SLOT_TAKEN, "\"%.*s\" is taken at that time",
                  VIEW_ARG(add->resource));
    }
    error_field_view(mutation->error,
                     exclusive->resource.size > 0 ? exclusive->resource : exclusive->start.pointer,
                     0);
    return STET_OK;
}

/* ---- A command --------------------------------------------------------------------------------------------------------- */

static const struct exclusive *exclusive_of(const struct policy *policy, uint32_t index) {
    const struct exclusive *one = policy == NULL ? NULL : policy->exclusive;
    while (one != NULL && one->index->number != index)
        one = one->next;
    return one;
}

stet_status spans_check(struct staging *staging, stet_error *err) {
    struct pending pending;
    bool refused = false;
    stet_status status = pending_make(staging_arena(staging), staging->batch, &pending, err);
    if (status != STET_OK || pending.add_count == 0) return status;
    struct verdict verdict = {.staging = staging,
                              .arena = staging_arena(staging),
                              .pending = &pending,
                              .steps = NEXT_FREE_STEPS_MAX,
                              .err = err};
    int64_t now = hold_time(staging);
    for (size_t i = 0; status == STET_OK && i < pending.add_count; i++) {
        const struct pending_slot *add = &pending.adds[i];
        struct mutation *mutation = mutation_of(staging, add->slot.record);
        const struct policy *policy =
            mutation == NULL ? NULL : policy_staged(staging->space, mutation->type);
        const struct exclusive *exclusive = exclusive_of(policy, add->index);
        struct span_source source;
        bool room;
        if (exclusive == NULL || add->slot.held_until <= now) continue;
        /* What a record had before, it had: its history may well have met what others have since. */
        if (mutation->imported && mutation->origin.history) continue;
        span_source_init(&source, staging->space, staging->batch, add->index, &pending, now);
        source.self = add;
        status = fits(&source, exclusive, add->resource, &add->slot, &verdict.hits, &room, err);
        if (status != STET_OK || room) continue;
        refused = true;
        status = refuse(&verdict, exclusive, add, mutation);
    }
    slot_list_done(&verdict.hits);
    return status == STET_OK && refused ? STET_SLOT_TAKEN : status;
}

/* ---- Choosing ---------------------------------------------------------------------------------------------------------- */

static stet_status has_room_for_all(struct staging *staging, const struct exclusive *exclusive,
                                    const struct pending *pending, uint64_t record,
                                    stet_view candidate, const struct span_list *times,
                                    size_t *looks, bool *room, stet_error *err) {
    struct span_source source;
    stet_view resource;
    int64_t now = hold_time(staging);
    *room = true;
    if (span_resource(staging_arena(staging), candidate, &resource) != STET_OK)
        return no_memory(err);
    span_source_init(&source, staging->space, staging->batch, exclusive->index->number, pending,
                     now);
    stet_status status = STET_OK;
    for (size_t i = 0; status == STET_OK && *room && i < times->count; i++) {
        const struct span *span = &times->spans[i];
        size_t steps = 1;
        int64_t begin = span->start - exclusive->buffer_before;
        const struct slot_wish wish = {
            .resources = &resource,
            .resource_count = 1,
            .weight = span->weight,
            .capacity = exclusive->capacity,
            .length = span->end + exclusive->buffer_after - begin,
            .record = record,
        };
        if (span->held_until <= now) continue;
        if (*looks == 0) {
            error_set(err, STET_TOO_LARGE,
                      "has more resources than can be looked at for so many times: %d in all",
                      SPAN_CHOICE_LOOKS_MAX);
            error_field_view(err, exclusive->any_of, SPAN_CHOICE_LOOKS_MAX);
            return STET_TOO_LARGE;
        }
        --*looks;
        status = slots_next(&source.source, &wish, begin, begin + 1, &steps, room, &begin, err);
    }
    return status;
}

static stet_status put_choice(struct arena *arena, const struct exclusive *exclusive,
                              const struct doc *doc, stet_view choice, struct doc *chosen,
                              stet_error *err) {
    struct buffer buffer;
    struct json_writer writer;
    struct doc patch;
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    json_array_begin(&writer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("op"), VIEW("add"));
    json_member_text(&writer, VIEW("path"), exclusive->resource);
    json_member_text(&writer, VIEW("value"), choice);
    json_object_end(&writer);
    json_array_end(&writer);
    if (json_end(&writer) != STET_OK) return no_memory(err);
    stet_view text;
    stet_status status = doc_parse(arena, buffer_view(&buffer), NULL, &patch, err);
    if (status == STET_OK) status = doc_json_patch(arena, doc, &patch, &text, err);
    if (status == STET_OK) status = doc_parse(arena, text, NULL, chosen, err);
    if (status == STET_OK || status == STET_NO_MEMORY || status == STET_TOO_LARGE) return status;
    error_set(err, STET_INVALID_DATA, "has no place for the resource that is chosen");
    error_field_view(err, exclusive->resource, 0);
    return STET_INVALID_DATA;
}

/* What the record had, if it is one of the list: it stays where it is if it can. */
static stet_status put_first(struct staging *staging, const struct exclusive *exclusive,
                             const struct store_head *head, stet_view *candidates, size_t count,
                             stet_error *err) {
    struct store_change row;
    struct doc doc;
    stet_view had;
    if (head->version == 0 || head->deleted) return STET_OK;
    stet_status status = staging_head_change(staging, head, &row, err);
    if (status == STET_OK) status = change_parse(staging_arena(staging), row.data, &doc, err);
    if (status != STET_OK) return status;
    doc_node node = doc_pointer(&doc, exclusive->resource);
    if (node == DOC_NONE || doc_string(staging_arena(staging), &doc, node, &had) != STET_OK)
        return STET_OK;
    for (size_t i = 1; i < count; i++) {
        if (!view_equal(candidates[i], had)) continue;
        memmove(candidates + 1, candidates, i * sizeof *candidates);
        candidates[0] = had;
        break;
    }
    return STET_OK;
}

static stet_status choose(struct staging *staging, const struct exclusive *exclusive,
                          const struct store_head *head, struct doc *doc, bool *changed,
                          stet_error *err) {
    struct arena *arena = staging_arena(staging);
    struct exclusive anywhere = *exclusive;
    struct pending pending;
    struct span_list times;
    stet_view *candidates;
    size_t count, i = 0, looks = SPAN_CHOICE_LOOKS_MAX;
    bool room = false;
    doc_node node = doc_pointer(doc, exclusive->resource);
    if (node != DOC_NONE && doc_kind(doc, node) != DOC_NULL) return STET_OK;
    stet_status status = candidates_of(arena, exclusive, doc, &candidates, &count, err);
    if (status != STET_OK || count == 0) return status;
    anywhere.resource = (stet_view){0};
    status = exclusive_spans(arena, &anywhere, doc, &staging->batch->rule_steps, &times, err);
    if (status != STET_OK || times.count == 0) return status;
    status = put_first(staging, exclusive, head, candidates, count, err);
    if (status == STET_OK) status = pending_make(arena, staging->batch, &pending, err);
    while (status == STET_OK && !room && i < count)
        status = has_room_for_all(staging, exclusive, &pending, head->first, candidates[i++],
                                  &times, &looks, &room, err);
    if (status != STET_OK) return status;
    *changed = true;
    struct doc before = *doc;
    return put_choice(arena, exclusive, &before, candidates[room ? i - 1 : 0], doc, err);
}

stet_status spans_choose(struct staging *staging, const struct mutation *mutation,
                         const struct store_head *head, stet_view *data, uint64_t *hash,
                         stet_error *err) {
    const struct policy *policy = policy_staged(staging->space, mutation->type);
    struct doc doc;
    bool parsed = false, changed = false;
    stet_status status = STET_OK;
    const struct exclusive *one = policy == NULL ? NULL : policy->exclusive;
    for (; status == STET_OK && one != NULL; one = one->next) {
        if (one->any_of.size == 0) continue;
        if (!parsed) status = change_parse(staging_arena(staging), *data, &doc, err);
        parsed = true;
        if (status == STET_OK) status = choose(staging, one, head, &doc, &changed, err);
    }
    if (status != STET_OK || !changed) return status;
    *data = doc.text;
    *hash = doc_hash(&doc, 0);
    return STET_OK;
}

/* ---- Rendering --------------------------------------------------------------------------------------------------------- */

/* One that the client remembers; only where the viewer may read all of the type, for else it depends on what the record holds now. */
static stet_status recall(const struct taken_answer *answer, uint64_t record, stet_view *address,
                          stet_error *err) {
    stet_view known =
        addresses_find(&answer->client->addresses, answer->viewer->space->instance, record);
    if (known.size == 0) return STET_OK;
    *address = arena_copy(answer->arena, known);
    return address->bytes == NULL ? no_memory(err) : STET_OK;
}

static stet_status format_address(const struct taken_answer *answer, uint64_t record,
                                  const struct store_change *row, stet_view *address,
                                  stet_error *err) {
    struct buffer buffer;
    buffer_init(&buffer, answer->arena, 0);
    address_format(&buffer, row->type, row->id);
    if (buffer_status(&buffer) != STET_OK) return no_memory(err);
    *address = buffer_view(&buffer);
    addresses_put(&answer->client->addresses, answer->viewer->space->instance, record, *address);
    return STET_OK;
}

/* addresses: empty where there is none to show. */
static stet_status find_addresses(const struct taken_answer *answer, const struct slot_taken *taken,
                                  stet_view *addresses, stet_error *err) {
    uint64_t records[SLOTS_IN_WAY_MAX];
    size_t places[SLOTS_IN_WAY_MAX], count = 0;
    struct store_head heads[SLOTS_IN_WAY_MAX];
    struct store_change rows[SLOTS_IN_WAY_MAX];
    struct store_reader *reader;
    struct space *space = answer->viewer->space;
    bool sees_all = viewer_sees_all(answer->viewer, answer->type);
    stet_status status = STET_OK;
    for (size_t i = 0; status == STET_OK && i < taken->way_count; i++) {
        addresses[i] = taken->in_the_way[i].address;
        if (addresses[i].size == 0 && sees_all)
            status = recall(answer, taken->in_the_way[i].record, &addresses[i], err);
        if (addresses[i].size > 0) continue;
        records[count] = taken->in_the_way[i].record;
        places[count++] = i;
    }
    if (status != STET_OK || count == 0) return status;
    status = space_reader_take(space, &reader, err);
    if (status != STET_OK) return status;
    status = store_records_of(reader, answer->arena, records, count, !sees_all, heads, rows, err);
    space_reader_give(space, reader);
    for (size_t i = 0; status == STET_OK && i < count; i++)
        if (heads[i].version > 0 && (sees_all || viewer_sees(answer->viewer, &rows[i])))
            status = format_address(answer, records[i], &rows[i], &addresses[places[i]], err);
    return status;
}

/* A name that was cut for its key is not shown. */
static void render_times(struct json_writer *writer, stet_view resource, int64_t start,
                         int64_t end) {
    if (resource.size > 0 && view_is_utf8(resource))
        json_member_text(writer, VIEW("resource"), resource);
    json_key(writer, VIEW("start"));
    json_rfc3339(writer, start);
    json_key(writer, VIEW("end"));
    json_rfc3339(writer, end);
}

stet_status slot_taken_render(const struct taken_answer *answer, const struct slot_taken *taken,
                              struct json_writer *writer, stet_error *err) {
    stet_view addresses[SLOTS_IN_WAY_MAX];
    stet_status status = find_addresses(answer, taken, addresses, err);
    if (status != STET_OK) return status;
    json_key(writer, VIEW("in_the_way"));
    json_array_begin(writer);
    for (size_t i = 0; i < taken->way_count; i++) {
        const struct slot_in_way *one = &taken->in_the_way[i];
        json_object_begin(writer);
        if (addresses[i].size > 0) json_member_text(writer, VIEW("address"), addresses[i]);
        render_times(writer, one->resource, one->start, one->end);
        json_key(writer, VIEW("original_start"));
        json_rfc3339(writer, one->original_start);
        json_object_end(writer);
    }
    json_array_end(writer);
    if (taken->more > 0) json_member_u64(writer, VIEW("more_in_the_way"), taken->more);
    json_key(writer, VIEW("next_free"));
    json_array_begin(writer);
    for (size_t i = 0; i < taken->free_count; i++) {
        json_object_begin(writer);
        render_times(writer, taken->next_free[i].resource, taken->next_free[i].start,
                     taken->next_free[i].end);
        json_object_end(writer);
    }
    json_array_end(writer);
    return STET_OK;
}
