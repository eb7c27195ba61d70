/*
 * GET …/free/{type}: the next times at which there is room, within working hours.
 *
 * Hours are declared with the interval: {"zone": "Europe/Berlin", "mon": [["09:00", "17:00"]], …}; a day that is not named is closed, and
 * without hours it is always open. "24:00" is the end of a day. Each open stretch of the local clock is looked through for room; what is found
 * is then the earliest begin, and the next one is looked for where that ends.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/index.h"
#include "core/read.h"
#include "core/slots.h"
#include "core/space.h"
#include "modules/calendar/internal.h"

struct free_asked {
    stet_view type;
    stet_view *resources;
    size_t resource_count;
    stet_view field; /* Whose declaration: its resource's pointer; or empty. */
    stet_view zone;
    struct stretch stretch;
    int64_t length;
    uint32_t weight;
    unsigned limit;
    stet_seq min_seq;
};

struct found_slot {
    int64_t start;
    stet_view resource;
};

struct search {
    const struct free_asked *asked;
    const struct exclusive *exclusive;
    const struct zone *zone;
    struct arena *arena;
    struct slot_reader slots;
    size_t steps;
    struct found_slot *found;
    size_t found_count;
    stet_error *err;
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a calendar");
}

static stet_status bad_hours(const struct search *search) {
    stet_status status =
        error_set(search->err, STET_INVALID_TYPE,
                  "the type's hours are not as docs/calendar.md has them: {\"zone\": "
                  "\"Europe/Berlin\", \"mon\": [[\"09:00\", \"17:00\"]]}");
    error_field_view(search->err, search->exclusive->where, 0);
    return status;
}

/* When it is open on a day of the week. */
static stet_status openings_of(const struct search *search, int weekday,
                               struct opening openings[DAY_OPENINGS_MAX], size_t *count) {
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    const struct doc *doc = search->exclusive->definition;
    doc_node hours = search->exclusive->hours;
    *count = 0;
    if (hours == DOC_NONE) {
        openings[(*count)++] = (struct opening){0, CIVIL_DAY_S};
        return STET_OK;
    }
    doc_node day = doc_member(doc, hours, view_of(names[weekday]));
    if (day == DOC_NONE) return STET_OK;
    return exclusive_openings(search->arena, doc, day, openings, count) ? STET_OK
                                                                        : bad_hours(search);
}

static stet_status hours_zone(struct search *search) {
    const struct doc *doc = search->exclusive->definition;
    stet_view name = search->asked->zone;
    search->zone = search->exclusive->zone == NULL ? zone_utc() : search->exclusive->zone;
    if (search->exclusive->hours != DOC_NONE) {
        doc_node node = doc_member(doc, search->exclusive->hours, VIEW("zone"));
        if (node != DOC_NONE && doc_string(search->arena, doc, node, &name) != STET_OK)
            return bad_hours(search);
    }
    return name.size == 0 ? STET_OK : zone_find(name, &search->zone, search->err);
}

/* Room in one open stretch, for the resource or resources of the wish. */
static stet_status look_in(struct search *search, const struct slot_wish *wish, stet_view resource,
                           const struct stretch *open, unsigned *left) {
    const struct exclusive *exclusive = search->exclusive;
    int64_t from = open->from - exclusive->buffer_before;
    int64_t last = open->to - search->asked->length - exclusive->buffer_before;
    while (*left > 0 && from <= last && search->steps > 0) {
        bool found = false;
        int64_t begin;
        stet_status status = slots_next(&search->slots.source, wish, from, last + 1, &search->steps,
                                        &found, &begin, search->err);
        if (status != STET_OK || !found) return status;
        search->found[search->found_count++] =
            (struct found_slot){begin + exclusive->buffer_before, resource};
        --*left;
        from = begin + wish->length;
    }
    return STET_OK;
}

/* Day by day of the local clock; what is open over midnight is two stretches that touch, and taken as one. */
static stet_status look_through(struct search *search, const struct slot_wish *wish,
                                stet_view resource) {
    const struct stretch *within = &search->asked->stretch;
    int64_t utc = civil_floor_div(within->from, CLOCK_NS_PER_S);
    int64_t day = civil_floor_div(utc + zone_offset(search->zone, utc), CIVIL_DAY_S);
    unsigned left = search->asked->limit;
    struct stretch open = {.from = INT64_MIN, .to = INT64_MIN};
    stet_status status = STET_OK;
    for (bool over = false; !over && left > 0 && status == STET_OK; day++) {
        struct opening openings[DAY_OPENINGS_MAX];
        size_t count;
        status = openings_of(search, civil_weekday(day), openings, &count);
        for (size_t i = 0; status == STET_OK && i < count && left > 0; i++) {
            struct stretch next;
            next.from = zone_resolve(search->zone, day * CIVIL_DAY_S + openings[i].from).utc *
                        CLOCK_NS_PER_S;
            next.to =
                zone_resolve(search->zone, day * CIVIL_DAY_S + openings[i].to).utc * CLOCK_NS_PER_S;
            if (next.from < within->from) next.from = within->from;
            if (next.to > within->to) next.to = within->to;
            if (next.from >= next.to) continue;
            if (next.from == open.to) {
                open.to = next.to;
                continue;
            }
            if (open.to > open.from) status = look_in(search, wish, resource, &open, &left);
            open = next;
        }
        over =
            zone_resolve(search->zone, (day + 1) * CIVIL_DAY_S).utc * CLOCK_NS_PER_S >= within->to;
    }
    if (status == STET_OK && open.to > open.from && left > 0)
        status = look_in(search, wish, resource, &open, &left);
    return status;
}

/* ---- The answer -------------------------------------------------------------------------------------------------------------- */

static void local_member(struct json_writer *writer, stet_view key, const struct zone *zone,
                         int64_t ns) {
    int64_t utc = civil_floor_div(ns, CLOCK_NS_PER_S);
    struct wall wall = {.local = utc + zone_offset(zone, utc),
                        .ns = (int32_t)(ns - utc * CLOCK_NS_PER_S),
                        .has_date = true,
                        .has_time = true};
    char text[WALL_BYTES];
    size_t size = wall_format(&wall, text);
    json_member_text(writer, key, view_make(text, size));
}

static void render(const struct search *search, struct stet_command *command, struct buffer *out) {
    struct json_writer writer;
    json_begin(&writer, out);
    json_object_begin(&writer);
    json_key(&writer, VIEW("free"));
    json_array_begin(&writer);
    for (size_t i = 0; i < search->found_count; i++) {
        const struct found_slot *slot = &search->found[i];
        int64_t end = slot->start + search->asked->length;
        json_object_begin(&writer);
        if (slot->resource.size > 0) json_member_text(&writer, VIEW("resource"), slot->resource);
        json_key(&writer, VIEW("start"));
        json_rfc3339(&writer, slot->start);
        json_key(&writer, VIEW("end"));
        json_rfc3339(&writer, end);
        local_member(&writer, VIEW("start_local"), search->zone, slot->start);
        local_member(&writer, VIEW("end_local"), search->zone, end);
        json_object_end(&writer);
    }
    json_array_end(&writer);
    json_member_text(&writer, VIEW("zone"), zone_name(search->zone));
    if (search->exclusive->resource.size > 0)
        json_member_text(&writer, VIEW("field"), search->exclusive->resource);
    /* There may be more that was not looked for. */
    json_member_bool(&writer, VIEW("complete"), search->steps > 0);
    json_member_u64(&writer, VIEW("seq"), command->decided_seq);
    json_object_end(&writer);
}

/* The declaration that is meant: of those for the field, or of all, the first that has resources as the wish has. */
static stet_status pick(const struct search *search, const struct policy *policy,
                        const struct exclusive **out) {
    const struct free_asked *asked = search->asked;
    for (const struct exclusive *one = policy->exclusive; one != NULL; one = one->next) {
        bool named = asked->field.size == 0 || view_equal(asked->field, one->resource);
        if (!named || (one->resource.size > 0) != (asked->resource_count > 0)) continue;
        *out = one;
        return STET_OK;
    }
    bool no_field = asked->field.size > 0;
    error_set(search->err, STET_BAD_REQUEST, "%s",
              no_field                    ? "the type has no calendar for that field"
              : asked->resource_count > 0 ? "the type's calendar has no resources"
                                          : "name the resource");
    error_field(search->err, no_field ? "field" : "resource", 0);
    return STET_BAD_REQUEST;
}

static stet_status look(struct search *search) {
    const struct free_asked *asked = search->asked;
    const struct exclusive *exclusive = search->exclusive;
    stet_status status = hours_zone(search);
    stet_view none = {0};
    size_t count = asked->resource_count == 0 ? 1 : asked->resource_count;
    search->found = arena_zalloc(search->arena, count * asked->limit, sizeof *search->found);
    if (search->found == NULL) return no_memory(search->err);
    for (size_t i = 0; status == STET_OK && i < count; i++) {
        stet_view name = asked->resource_count == 0 ? none : asked->resources[i], kept;
        if (span_resource(search->arena, name, &kept) != STET_OK) return no_memory(search->err);
        const struct slot_wish wish = {
            .resources = &kept,
            .resource_count = 1,
            .weight = asked->weight,
            .capacity = exclusive->capacity,
            .length = asked->length + exclusive->buffer_before + exclusive->buffer_after,
        };
        status = look_through(search, &wish, name);
    }
    return status;
}

static int compare_slots(const struct found_slot *a, const struct found_slot *b) {
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    return view_compare(a->resource, b->resource);
}

/* Of several resources the earliest: few, so insertion will do. */
static void sort_found(struct search *search) {
    for (size_t i = 1; i < search->found_count; i++) {
        struct found_slot slot = search->found[i];
        size_t at = i;
        for (; at > 0 && compare_slots(&slot, &search->found[at - 1]) < 0; at--)
            search->found[at] = search->found[at - 1];
        search->found[at] = slot;
    }
    if (search->found_count > search->asked->limit) search->found_count = search->asked->limit;
}

static stet_status read_free(struct stet_command *command, struct store_reader *reader,
                             struct buffer *out, stet_error *err) {
    const struct free_asked *asked = command->module_data;
    const struct policy *policy;
    stet_status status = read_wait(command->space, asked->min_seq, err);
    if (status == STET_OK) status = calendar_policy(command->space, asked->type, &policy, err);
    if (status != STET_OK) return status;
    if (access_never(policy, &command->actor, ACCESS_READ)) {
        policy_unref(policy);
        return error_set(err, STET_FORBIDDEN, "you may not see the type's calendar");
    }
    struct search search = {
        .asked = asked, .arena = &command->arena, .steps = CALENDAR_FREE_STEPS_MAX, .err = err};
    command->decided_seq = ring_published(&command->space->ring);
    status = pick(&search, policy, &search.exclusive);
    if (status == STET_OK) {
        slot_reader_init(&search.slots, reader, search.exclusive->index->number,
                         clock_wall_ns(command->space->engine->clock));
        status = look(&search);
        slot_reader_done(&search.slots);
    }
    policy_unref(policy);
    if (status != STET_OK) return status;
    sort_found(&search);
    render(&search, command, out);
    return STET_OK;
}

/* ---- Filling ----------------------------------------------------------------------------------------------------------------- */

static stet_status bad(stet_error *err, const char *field, uint64_t limit, const char *what) {
    error_set(err, STET_BAD_REQUEST, "%s", what);
    error_field(err, field, limit);
    return STET_BAD_REQUEST;
}

stet_status calendar_fill_free(struct stet_command *command, const stet_calendar_free *asked,
                               stet_error *err) {
    struct arena *arena = &command->arena;
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check_type_name(asked->type, "type", err);
    if (status != STET_OK) return status;
    if (asked->duration_s == 0 || asked->duration_s > (uint64_t)SPAN_DAYS_MAX * CIVIL_DAY_S)
        return bad(err, "duration", (uint64_t)SPAN_DAYS_MAX * CIVIL_DAY_S,
                   "a booking takes from one second to a year");
    if (asked->limit > CALENDAR_FREE_MAX)
        return bad(err, "limit", CALENDAR_FREE_MAX, "fewer times are told at once");
    struct free_asked *kept = arena_zalloc(arena, 1, sizeof *kept);
    if (kept == NULL) return no_memory(err);
    *kept = (struct free_asked){.type = arena_copy(arena, asked->type),
                                .zone = arena_copy(arena, asked->zone),
                                .field = arena_copy(arena, asked->field),
                                .length = (int64_t)asked->duration_s * CLOCK_NS_PER_S,
                                .weight = asked->weight == 0 ? 1 : asked->weight,
                                .limit = asked->limit == 0 ? CALENDAR_FREE_DEFAULT : asked->limit,
                                .min_seq = asked->min_seq};
    status = resources_copy(arena, asked->resources, asked->resource_count, &kept->resources,
                            &kept->resource_count, err);
    if (status != STET_OK) return status;
    if (kept->type.bytes == NULL || kept->zone.bytes == NULL || kept->field.bytes == NULL)
        return no_memory(err);
    int64_t now = clock_wall_ns(command->client->engine->clock);
    status = stretch_read(asked->from, asked->to, asked->zone, now, CALENDAR_DAYS_DEFAULT,
                          &kept->stretch, err);
    if (status != STET_OK) return status;
    /* From the next whole minute: nobody begins at 09:41:07.3. */
    if (asked->from.size == 0)
        kept->stretch.from = (kept->stretch.from / (60 * CLOCK_NS_PER_S) + 1) * 60 * CLOCK_NS_PER_S;
    command->module_data = kept;
    command->kind = COMMAND_MODULE_READ;
    command->read_rows = read_free;
    return STET_OK;
}
