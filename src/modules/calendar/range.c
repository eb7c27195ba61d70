/*
 * GET …/calendar/{type}: what takes place in a stretch of time.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/index.h"
#include "core/read.h"
#include "core/space.h"
#include "modules/calendar/internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES_CHUNK = 128, SCRATCH_BYTES = 16 * 1024 };

struct range {
    stet_view type, after;
    stet_view *resources;
    size_t resource_count; /* 0: all of them. */
    stet_view field;       /* Of the declarations only the one for this field; empty: all. */
    struct stretch stretch;
    unsigned limit;
    bool icalendar;
    stet_calendar_fields fields;
    stet_seq min_seq;
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a calendar");
}

/* ---- What is asked for ------------------------------------------------------------------------------------------------------- */

static stet_status read_instant(stet_view text, const struct zone *zone, const char *field,
                                int64_t *ns, stet_error *err) {
    struct wall wall;
    if (!wall_parse(text, &wall)) {
        error_set(err, STET_INVALID_TIME,
                  "\"%.*s\" is not a date or a time: \"2026-03-01\", \"2026-03-01T09:30\"",
                  text.size > 40 ? 40 : (int)text.size, text.bytes);
        error_field(err, field, 0);
        return STET_INVALID_TIME;
    }
    int64_t seconds =
        wall.has_offset ? wall.local - wall.offset : zone_resolve(zone, wall.local).utc;
    *ns = seconds * CLOCK_NS_PER_S + wall.ns;
    if (*ns >= 0) return STET_OK;
    error_set(err, STET_INVALID_TIME, "nothing takes place before 1970");
    error_field(err, field, 0);
    return STET_INVALID_TIME;
}

stet_status stretch_read(stet_view from, stet_view to, stet_view zone_text, int64_t now,
                         int days_default, struct stretch *stretch, stet_error *err) {
    const struct zone *zone = zone_utc();
    stet_status status = STET_OK;
    stretch->from = now;
    if (zone_text.size > 0) {
        status = zone_find(zone_text, &zone, err);
        if (status != STET_OK) error_field(err, "zone", 0);
    }
    if (status == STET_OK && from.size > 0)
        status = read_instant(from, zone, "from", &stretch->from, err);
    stretch->to = stretch->from + days_default * CIVIL_DAY_S * CLOCK_NS_PER_S;
    if (status == STET_OK && to.size > 0) status = read_instant(to, zone, "to", &stretch->to, err);
    if (status != STET_OK) return status;
    if (stretch->to <= stretch->from) {
        error_set(err, STET_INVALID_TIME, "it ends before it begins, or when it begins");
        error_field(err, "to", 0);
        return STET_INVALID_TIME;
    }
    if (stretch->to - stretch->from > CALENDAR_DAYS_MAX * CIVIL_DAY_S * CLOCK_NS_PER_S) {
        error_set(err, STET_TOO_LARGE, "at most %d days are looked at at once", CALENDAR_DAYS_MAX);
        error_field(err, "to", CALENDAR_DAYS_MAX);
        return STET_TOO_LARGE;
    }
    return STET_OK;
}

stet_status calendar_policy(struct space *space, stet_view type, const struct policy **policy,
                            stet_error *err) {
    *policy = policy_find(space, type);
    if (*policy != NULL && (*policy)->exclusive != NULL) return STET_OK;
    policy_unref(*policy);
    error_set(err, STET_BAD_REQUEST,
              "the type \"%.*s\" has no calendar: its definition declares no \"exclusive\"",
              type.size > 64 ? 64 : (int)type.size, type.bytes);
    error_field(err, "type", 0);
    return STET_BAD_REQUEST;
}

/* ---- What is booked ---------------------------------------------------------------------------------------------------------- */

struct gathering {
    struct hits *hits;
    struct store_reader *reader;
    const struct exclusive *exclusive;
    struct arena rows; /* Of one page of entries. */
    struct stretch stretch;
    int64_t now;
    stet_error *err;
};

static stet_status keep_hit(struct gathering *gathering, const struct span_key *key,
                            uint64_t record, stet_view resource) {
    struct hits *hits = gathering->hits;
    const struct span *span = &key->span;
    if (span->start >= gathering->stretch.to || span->end <= gathering->stretch.from ||
        span->held_until <= gathering->now)
        return STET_OK;
    if (hits->count == CALENDAR_HITS_MAX) {
        error_set(gathering->err, STET_TOO_LARGE,
                  "more than %d bookings are in that time; ask for less of it, or for a resource",
                  CALENDAR_HITS_MAX);
        error_field(gathering->err, "to", CALENDAR_HITS_MAX);
        return STET_TOO_LARGE;
    }
    if (hits->count == hits->room) {
        size_t room = hits->room == 0 ? 128 : 2 * hits->room;
        struct hit *more = arena_alloc(hits->arena, room * sizeof *more);
        if (more == NULL) return no_memory(gathering->err);
        if (hits->count > 0) memcpy(more, hits->list, hits->count * sizeof *more);
        hits->list = more;
        hits->room = room;
    }
    hits->list[hits->count++] = (struct hit){.record = record,
                                             .start = span->start,
                                             .end = span->end,
                                             .original_start = span->original_start,
                                             .held_until = span->held_until,
                                             .resource = resource,
                                             .exclusive = gathering->exclusive};
    return STET_OK;
}

static stet_status gather_class(struct gathering *gathering, stet_view resource, unsigned class) {
    struct store_entry_row rows[ENTRIES_CHUNK];
    struct store_entry_range range = {.index = gathering->exclusive->index->number};
    char last[INDEX_KEY_BYTES_MAX + 64];
    size_t count = ENTRIES_CHUNK;
    if (span_range(gathering->hits->arena, resource, class, gathering->stretch.from,
                   gathering->stretch.to, &range.from, &range.to) != STET_OK)
        return no_memory(gathering->err);
    while (count == ENTRIES_CHUNK) {
        arena_reset(&gathering->rows);
        stet_status status = store_entries_scan(gathering->reader, &gathering->rows, &range,
                                                ENTRIES_CHUNK, rows, &count, gathering->err);
        for (size_t i = 0; status == STET_OK && i < count; i++) {
            struct span_key key;
            if (span_key_read(gathering->exclusive, rows[i].key, &key))
                status = keep_hit(gathering, &key, rows[i].record, resource);
        }
        if (status != STET_OK) return status;
        if (count == 0) break;
        const struct store_entry_row *end = &rows[count - 1];
        if (end->key.size > sizeof last)
            return error_set(gathering->err, STET_CORRUPT, "a key is too long");
        memcpy(last, end->key.bytes, end->key.size);
        range.after_key = view_make(last, end->key.size);
        range.after_record = end->record;
    }
    return STET_OK;
}

/* resource: as keys have it. */
static stet_status gather_resource(struct gathering *gathering, stet_view resource) {
    stet_status status = STET_OK;
    for (unsigned class = 0; status == STET_OK && class < SPAN_CLASSES; class ++)
        status = gather_class(gathering, resource, class);
    return status;
}

/* From resource to resource: each is found by the first key behind the one before. */
static stet_status gather_all(struct gathering *gathering) {
    struct arena *arena = gathering->hits->arena;
    struct store_entry_range range = {.index = gathering->exclusive->index->number};
    stet_view ignored;
    for (int resources = 0; resources < CALENDAR_RESOURCES_MAX; resources++) {
        struct store_entry_row row;
        struct span_key key;
        size_t count;
        arena_reset(&gathering->rows);
        stet_status status = store_entries_scan(gathering->reader, &gathering->rows, &range, 1,
                                                &row, &count, gathering->err);
        if (status != STET_OK || count == 0) return status;
        if (!span_key_read(gathering->exclusive, row.key, &key))
            return error_set(gathering->err, STET_CORRUPT, "a booking's key cannot be read");
        stet_view resource = arena_copy(arena, key.resource);
        if (resource.bytes == NULL) return no_memory(gathering->err);
        status = gather_resource(gathering, resource);
        /* One calendar for the whole type. */
        if (status != STET_OK || resource.size == 0) return status;
        if (span_range_all(arena, resource, &ignored, &range.from) != STET_OK)
            return no_memory(gathering->err);
    }
    error_set(gathering->err, STET_TOO_LARGE,
              "the type's calendar has more than %d resources; ask for one of them",
              CALENDAR_RESOURCES_MAX);
    error_field(gathering->err, "resource", CALENDAR_RESOURCES_MAX);
    return STET_TOO_LARGE;
}

static int by_start(const void *a, const void *b) {
    const struct hit *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->record != y->record) return x->record < y->record ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return view_compare(x->resource, y->resource);
}

stet_status hits_gather(struct hits *hits, struct store_reader *reader, const struct policy *policy,
                        stet_view field, const stet_view *resources, size_t resource_count,
                        const struct stretch *stretch, int64_t now, stet_error *err) {
    struct gathering gathering = {
        .hits = hits, .reader = reader, .stretch = *stretch, .now = now, .err = err};
    stet_status status = STET_OK;
    bool known = field.size == 0;
    arena_init(&gathering.rows, SCRATCH_BYTES);
    for (const struct exclusive *one = policy->exclusive; one != NULL && status == STET_OK;
         one = one->next) {
        if (field.size > 0 && !view_equal(field, one->resource)) continue;
        known = true;
        gathering.exclusive = one;
        if (resource_count == 0) status = gather_all(&gathering);
        for (size_t i = 0; status == STET_OK && i < resource_count; i++) {
            stet_view kept;
            status = span_resource(hits->arena, resources[i], &kept) == STET_OK
                         ? gather_resource(&gathering, kept)
                         : no_memory(err);
        }
    }
    arena_done(&gathering.rows);
    if (!known) {
        status = error_set(err, STET_BAD_REQUEST, "the type has no calendar for that field");
        error_field(err, "field", 0);
    }
    if (status == STET_OK && hits->count > 1)
        qsort(hits->list, hits->count, sizeof *hits->list, by_start);
    return status;
}

/* ---- For who looks ----------------------------------------------------------------------------------------------------------- */

stet_view shown_text(struct arena *arena, const struct shown *shown, stet_view pointer) {
    stet_view text = {0};
    doc_node node = pointer.size == 0 ? DOC_NONE : doc_pointer(&shown->doc, pointer);
    if (node == DOC_NONE || doc_string(arena, &shown->doc, node, &text) != STET_OK)
        return (stet_view){0};
    return text;
}

stet_status shown_read(struct arena *arena, struct store_reader *reader, const struct sight *sight,
                       const struct hit *hit, struct shown *shown, bool *seen, stet_error *err) {
    struct store_head head;
    stet_view type, id, data;
    *seen = false;
    *shown = (struct shown){0};
    stet_status status = store_head_of(reader, arena, hit->record, &type, &id, &head, err);
    if (status != STET_OK || id.size == 0 || head.deleted) return status;
    status = store_change_at(reader, arena, head.seq, &shown->change, err);
    if (status == STET_PRUNED) return STET_OK;
    if (status != STET_OK || !sight_sees(sight, arena, &shown->change, NULL)) return status;
    status = sight_data(sight, arena, &shown->change, NULL, &data, err);
    if (status == STET_OK) status = change_parse(arena, data, &shown->doc, err);
    if (status != STET_OK) return status;
    /* Where its times or its resource are hidden, so is that it takes place. */
    const struct exclusive *exclusive = hit->exclusive;
    if (exclusive->resource.size > 0 && doc_pointer(&shown->doc, exclusive->resource) == DOC_NONE)
        return STET_OK;
    stet_error ignored = {0};
    status = repeat_read(arena, exclusive, &shown->doc, &shown->repeat, &ignored);
    if (status == STET_OK)
        status = repeat_exception(arena, exclusive, &shown->doc, &shown->series,
                                  &shown->original_start, &ignored);
    if (status == STET_NO_MEMORY) return no_memory(err);
    *seen = status == STET_OK && shown->repeat.there;
    return STET_OK;
}

/* ---- The answer -------------------------------------------------------------------------------------------------------------- */

struct answer {
    struct stet_command *command;
    const struct range *range;
    struct store_reader *reader;
    struct sight sight;
    struct json_writer *writer;
    struct arena arena; /* Of one occurrence. */
    uint64_t newest;    /* Of what was looked at. */
    stet_error *err;
};

static void member_local(struct json_writer *writer, stet_view key, const struct repeat *repeat,
                         int64_t ns) {
    const struct series *series = &repeat->series;
    int64_t utc = civil_floor_div(ns, CLOCK_NS_PER_S);
    struct wall wall = {.has_date = true, .has_time = !repeat->all_day};
    char text[WALL_BYTES];
    wall.local =
        utc + (series->zone == NULL ? series->start.offset : zone_offset(series->zone, utc));
    wall.ns = (int32_t)(ns - utc * CLOCK_NS_PER_S);
    size_t size = wall_format(&wall, text);
    json_member_text(writer, key, view_make(text, size));
}

static void render_occurrence(struct answer *answer, const struct shown *shown,
                              const struct hit *hits, size_t count) {
    struct json_writer *writer = answer->writer;
    const struct store_change *change = &shown->change;
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), change->id);
    json_key(writer, VIEW("address"));
    render_address(writer, change->type, change->id);
    json_member_u64(writer, VIEW("version"), change->version);
    json_key(writer, VIEW("start"));
    json_rfc3339(writer, hits->start);
    json_key(writer, VIEW("end"));
    json_rfc3339(writer, hits->end);
    member_local(writer, VIEW("start_local"), &shown->repeat, hits->start);
    member_local(writer, VIEW("end_local"), &shown->repeat, hits->end);
    if (shown->repeat.zone_name.size > 0)
        json_member_text(writer, VIEW("zone"), shown->repeat.zone_name);
    json_member_bool(writer, VIEW("all_day"), shown->repeat.all_day);
    json_key(writer, VIEW("resources"));
    json_array_begin(writer);
    for (size_t i = 0; i < count; i++)
        if (hits[i].resource.size > 0) json_text(writer, hits[i].resource);
    json_array_end(writer);
    if (shown->repeat.repeats) {
        json_member_text(writer, VIEW("series"), change->id);
        json_key(writer, VIEW("original_start"));
        json_rfc3339(writer, hits->original_start);
    } else if (shown->series.size > 0) {
        json_member_text(writer, VIEW("series"), shown->series);
        json_member_text(writer, VIEW("original_start"), shown->original_start);
    }
    if (hits->held_until != SPAN_BOOKED) {
        json_key(writer, VIEW("held_until"));
        json_rfc3339(writer, hits->held_until);
    }
    json_member_raw(writer, VIEW("data"), shown->doc.text);
    json_object_end(writer);
}

/* "start.record" of the last one on the page before. */
static bool read_cursor(stet_view text, int64_t *start, uint64_t *record) {
    const char *dot = text.size == 0 ? NULL : memchr(text.bytes, '.', text.size);
    uint64_t number;
    if (dot == NULL) return false;
    size_t split = (size_t)(dot - text.bytes);
    if (!view_parse_u64(view_make(text.bytes, split), &number) || number > INT64_MAX ||
        !view_parse_u64(view_make(dot + 1, text.size - split - 1), record))
        return false;
    *start = (int64_t)number;
    return true;
}

/* Several resources of a record at one time are one occurrence. */
static size_t same_occurrence(const struct hits *hits, size_t at) {
    size_t next = at + 1;
    while (next < hits->count && hits->list[next].record == hits->list[at].record &&
           hits->list[next].start == hits->list[at].start &&
           hits->list[next].end == hits->list[at].end)
        next++;
    return next;
}

static stet_status show(struct answer *answer, const struct hits *hits, bool *more,
                        const struct hit **last) {
    const struct range *range = answer->range;
    int64_t after_start = INT64_MIN;
    uint64_t after_record = 0;
    size_t from = answer->writer->buffer->size;
    unsigned told = 0;
    (void)read_cursor(range->after, &after_start, &after_record);
    for (size_t i = 0, next; i < hits->count; i = next) {
        const struct hit *hit = &hits->list[i];
        struct shown shown;
        bool seen;
        size_t visible = 0;
        next = same_occurrence(hits, i);
        if (hit->start < after_start || (hit->start == after_start && hit->record <= after_record))
            continue;
        if (told == range->limit || answer->writer->buffer->size - from >= LIST_PAGE_BYTES_MAX) {
            *more = true;
            break;
        }
        *last = hit;
        arena_reset(&answer->arena);
        struct hit *group = arena_alloc(&answer->arena, (next - i) * sizeof *group);
        if (group == NULL) return no_memory(answer->err);
        struct shown kept = {0};
        for (size_t k = i; k < next; k++) {
            stet_status status = shown_read(&answer->arena, answer->reader, &answer->sight,
                                            &hits->list[k], &shown, &seen, answer->err);
            if (status != STET_OK) return status;
            if (!seen) continue;
            kept = shown;
            group[visible++] = hits->list[k];
        }
        if (visible == 0) continue;
        if (kept.change.seq > answer->newest) answer->newest = kept.change.seq;
        render_occurrence(answer, &kept, group, visible);
        told++;
    }
    return STET_OK;
}

static stet_status write_json(struct answer *answer, const struct hits *hits, struct buffer *out) {
    struct json_writer writer;
    const struct hit *last = NULL;
    bool more = false;
    answer->writer = &writer;
    json_begin(&writer, out);
    json_object_begin(&writer);
    json_key(&writer, VIEW("occurrences"));
    json_array_begin(&writer);
    stet_status status = show(answer, hits, &more, &last);
    json_array_end(&writer);
    json_key(&writer, VIEW("from"));
    json_rfc3339(&writer, answer->range->stretch.from);
    json_key(&writer, VIEW("to"));
    json_rfc3339(&writer, answer->range->stretch.to);
    json_member_text(&writer, VIEW("tzdata"), zone_data_version());
    json_member_u64(&writer, VIEW("seq"), answer->command->decided_seq);
    if (more && last != NULL) {
        char text[48];
        int size = snprintf(text, sizeof text, "%lld.%llu", (long long)last->start,
                            (unsigned long long)last->record);
        json_member_text(&writer, VIEW("next"), view_make(text, (size_t)size));
    }
    json_object_end(&writer);
    return status;
}

/* {"calendar": "BEGIN:VCALENDAR…"}: an answer is JSON; who serves it takes the text out. */
static stet_status write_ics(struct answer *answer, const struct hits *hits, struct buffer *out) {
    struct json_writer writer;
    struct buffer text;
    buffer_init(&text, NULL, CALENDAR_TEXT_BYTES_MAX);
    stet_status status =
        ics_write(answer->command, answer->reader, &answer->sight, hits, &answer->range->stretch,
                  &answer->range->fields, &text, answer->err);
    if (status == STET_OK && buffer_status(&text) == STET_TOO_LARGE) {
        status = error_set(answer->err, STET_TOO_LARGE,
                           "the calendar is too large to be sent at once; ask for less of it");
        error_field(answer->err, "to", CALENDAR_TEXT_BYTES_MAX);
    }
    if (status == STET_OK && buffer_status(&text) != STET_OK) status = no_memory(answer->err);
    if (status == STET_OK) {
        json_begin(&writer, out);
        json_object_begin(&writer);
        json_member_text(&writer, VIEW("calendar"), buffer_view(&text));
        json_member_u64(&writer, VIEW("seq"), answer->command->decided_seq);
        json_object_end(&writer);
    }
    buffer_done(&text);
    return status;
}

static stet_status read_range(struct stet_command *command, struct store_reader *reader,
                              struct buffer *out, stet_error *err) {
    const struct range *range = command->module_data;
    struct viewer viewer = command_viewer(command);
    struct hits hits = {.arena = &command->arena};
    const struct policy *policy;
    int64_t now = clock_wall_ns(command->space->engine->clock);
    stet_status status = read_wait(command->space, range->min_seq, err);
    if (status == STET_OK) status = calendar_policy(command->space, range->type, &policy, err);
    if (status != STET_OK) return status;
    struct answer answer = {.command = command, .range = range, .reader = reader, .err = err};
    command->decided_seq = ring_published(&command->space->ring);
    arena_init(&answer.arena, SCRATCH_BYTES);
    sight_begin(&answer.sight, &viewer, range->type);
    status = hits_gather(&hits, reader, policy, range->field, range->resources,
                         range->resource_count, &range->stretch, now, err);
    if (status == STET_OK)
        status = (range->icalendar ? write_ics : write_json)(&answer, &hits, out);
    /* What the store had before it was published is not told before that. */
    if (status == STET_OK) status = read_wait(command->space, answer.newest, err);
    sight_end(&answer.sight);
    arena_done(&answer.arena);
    policy_unref(policy);
    return status;
}

/* ---- Filling ----------------------------------------------------------------------------------------------------------------- */

static stet_status bad(stet_error *err, const char *field, uint64_t limit, const char *what) {
    error_set(err, STET_BAD_REQUEST, "%s", what);
    error_field(err, field, limit);
    return STET_BAD_REQUEST;
}

stet_status resources_copy(struct arena *arena, const stet_view *names, size_t count,
                           stet_view **copies, size_t *kept, stet_error *err) {
    if (count > SPAN_RESOURCES_MAX)
        return bad(err, "resource", SPAN_RESOURCES_MAX, "fewer resources are looked at at once");
    stet_view *list = arena_zalloc(arena, count + 1, sizeof *list);
    size_t size = 0;
    if (list == NULL) return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        bool again = false;
        if (names[i].size == 0 || names[i].size > ID_BYTES_MAX)
            return bad(err, "resource", ID_BYTES_MAX, "a resource has a name that is shorter");
        for (size_t k = 0; k < size; k++)
            again = again || view_equal(list[k], names[i]);
        if (again) continue;
        list[size] = arena_copy(arena, names[i]);
        if (list[size++].bytes == NULL) return no_memory(err);
    }
    *copies = list;
    *kept = size;
    return STET_OK;
}

stet_status calendar_fill_range(struct stet_command *command, const stet_calendar *asked,
                                stet_error *err) {
    struct arena *arena = &command->arena;
    int64_t start;
    uint64_t record;
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check_type_name(asked->type, "type", err);
    if (status != STET_OK) return status;
    if (asked->limit > CALENDAR_LIMIT_MAX)
        return bad(err, "limit", CALENDAR_LIMIT_MAX, "a page has fewer occurrences");
    if (asked->after.size > 0 && !read_cursor(asked->after, &start, &record))
        return bad(err, "after", 0, "the cursor is not one that a calendar gave out");
    struct range *range = arena_zalloc(arena, 1, sizeof *range);
    if (range == NULL) return no_memory(err);
    *range = (struct range){.type = arena_copy(arena, asked->type),
                            .field = arena_copy(arena, asked->field),
                            .after = arena_copy(arena, asked->after),
                            .limit = asked->limit == 0 ? LIST_LIMIT_DEFAULT : asked->limit,
                            .icalendar = asked->icalendar,
                            .min_seq = asked->min_seq,
                            .fields = {.summary = arena_copy(arena, asked->fields.summary),
                                       .description = arena_copy(arena, asked->fields.description),
                                       .location = arena_copy(arena, asked->fields.location),
                                       .status = arena_copy(arena, asked->fields.status)}};
    if (range->type.bytes == NULL || range->after.bytes == NULL || range->field.bytes == NULL ||
        range->fields.summary.bytes == NULL || range->fields.description.bytes == NULL ||
        range->fields.location.bytes == NULL || range->fields.status.bytes == NULL)
        return no_memory(err);
    status = resources_copy(arena, asked->resources, asked->resource_count, &range->resources,
                            &range->resource_count, err);
    if (status != STET_OK) return status;
    status = stretch_read(asked->from, asked->to, asked->zone,
                          clock_wall_ns(command->client->engine->clock), CALENDAR_DAYS_DEFAULT,
                          &range->stretch, err);
    if (status != STET_OK) return status;
    command->module_data = range;
    command->kind = COMMAND_MODULE_READ;
    command->read_rows = read_range;
    return STET_OK;
}
