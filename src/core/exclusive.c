/*
 * Declarations of exclusive intervals, compiled; and the spans of a record by them.
 */
#include "core/exclusive.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "calendar/zone.h"
#include "core/index.h"
#include "core/repeat.h"
#include "doc/pointer.h"
#include "expr/expr.h"

#include <assert.h>
#include <stdio.h>

/* ---- Compiling ------------------------------------------------------------------------------------------------------- */

struct compiler {
    struct arena *arena;
    const struct doc *doc;
    doc_node node; /* The declaration. */
    struct exclusive *out;
    stet_error *err;
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for bookings");
}

/* err has its message: this adds the place. */
static stet_status place(struct compiler *compiler, const char *member, uint64_t limit) {
    char field[sizeof compiler->err->field];
    snprintf(field, sizeof field, "%.*s%s%.64s", VIEW_ARG(compiler->out->where),
             member[0] == '\0' ? "" : "/", member);
    error_field(compiler->err, field, limit);
    return STET_INVALID_TYPE;
}

#define REFUSE(compiler, member, ...)                                                              \
    (error_set((compiler)->err, STET_INVALID_TYPE, __VA_ARGS__), place(compiler, member, 0))

static stet_status check_names(struct compiler *compiler, doc_node object, const char *prefix,
                               const char *const *names) {
    for (doc_node member = doc_first(compiler->doc, object); member != DOC_NONE;
         member = doc_next(compiler->doc, member)) {
        stet_view name = doc_key_raw(compiler->doc, member);
        size_t i = 0;
        while (names[i] != NULL && !view_equal(name, view_of(names[i])))
            i++;
        if (names[i] != NULL) continue;
        char place_of[48];
        snprintf(place_of, sizeof place_of, "%s%.*s", prefix, name.size > 32 ? 32 : (int)name.size,
                 name.bytes);
        return REFUSE(compiler, place_of, "is not known here; docs/bookings.md has what is");
    }
    return STET_OK;
}

static bool is_pointer(stet_view text) {
    if (text.size == 0 || !pointer_is_valid(text)) return false;
    stet_view rest = text, token;
    while (pointer_next(&rest, &token))
        if (view_equal(token, VIEW("*"))) return false;
    return true;
}

/* Empty where the member is absent. */
static stet_status read_pointer(struct compiler *compiler, doc_node object, const char *name,
                                const char *member, stet_view *out) {
    doc_node node = doc_member(compiler->doc, object, view_of(name));
    if (node == DOC_NONE) return STET_OK;
    stet_status status = doc_string(compiler->arena, compiler->doc, node, out);
    if (status == STET_NO_MEMORY) return no_memory(compiler->err);
    if (status == STET_OK && is_pointer(*out)) return STET_OK;
    return REFUSE(compiler, member, "is the JSON pointer of one field, such as \"/room\"");
}

/* A pointer, or a list of two: of a date, and of a time of day. */
static stet_status read_time(struct compiler *compiler, const char *name,
                             struct exclusive_time *out) {
    const struct doc *doc = compiler->doc;
    doc_node node = doc_member(doc, compiler->node, view_of(name));
    if (node == DOC_NONE || doc_kind(doc, node) != DOC_ARRAY)
        return read_pointer(compiler, compiler->node, name, name, &out->pointer);
    stet_view *const parts[] = {&out->pointer, &out->clock};
    for (uint32_t i = 0; i < 2; i++) {
        doc_node part = doc_element(doc, node, i);
        stet_status status = part == DOC_NONE || doc_count(doc, node) != 2
                                 ? STET_BAD_REQUEST
                                 : doc_string(compiler->arena, doc, part, parts[i]);
        if (status == STET_NO_MEMORY) return no_memory(compiler->err);
        if (status != STET_OK || !is_pointer(*parts[i]))
            return REFUSE(compiler, name,
                          "is the JSON pointer of a time, or a list of two, of a date and of a "
                          "time of day");
    }
    return STET_OK;
}

static stet_status read_number(struct compiler *compiler, const char *name, uint64_t low,
                               uint64_t high, uint64_t *out) {
    doc_node node = doc_member(compiler->doc, compiler->node, view_of(name));
    if (node == DOC_NONE) return STET_OK;
    if (doc_u64(compiler->doc, node, out) && *out >= low && *out <= high) return STET_OK;
    error_set(compiler->err, STET_INVALID_TYPE, "is a whole number from %llu to %llu",
              (unsigned long long)low, (unsigned long long)high);
    return place(compiler, name, high);
}

/* A pointer, or the name of a zone. */
static stet_status read_zone(struct compiler *compiler) {
    doc_node node = doc_member(compiler->doc, compiler->node, VIEW("tz"));
    stet_view text = {0};
    stet_error why = {0};
    if (node == DOC_NONE) return STET_OK;
    stet_status status = doc_string(compiler->arena, compiler->doc, node, &text);
    if (status == STET_NO_MEMORY) return no_memory(compiler->err);
    if (status == STET_OK && is_pointer(text)) {
        compiler->out->tz = text;
        return STET_OK;
    }
    if (status == STET_OK && text.size > 0 && text.bytes[0] != '/')
        status = zone_find(text, &compiler->out->zone, &why);
    if (status == STET_OK && compiler->out->zone != NULL) return STET_OK;
    if (status == STET_UNAVAILABLE || status == STET_NO_MEMORY || status == STET_IO)
        return error_set(compiler->err, status, "%s", why.message);
    return REFUSE(compiler, "tz",
                  "is the JSON pointer of the field with a time zone, or the name of one, such as "
                  "\"Europe/Berlin\"");
}

static stet_status read_unless(struct compiler *compiler) {
    doc_node node = doc_member(compiler->doc, compiler->node, VIEW("unless"));
    const struct expr_options options = {0};
    struct expr *unless;
    stet_view text;
    stet_error why = {0};
    if (node == DOC_NONE) return STET_OK;
    stet_status status = doc_string(compiler->arena, compiler->doc, node, &text);
    if (status == STET_NO_MEMORY) return no_memory(compiler->err);
    if (status != STET_OK)
        return REFUSE(compiler, "unless", "is an expression, such as \"status = 'cancelled'\"");
    status = expr_parse(compiler->arena, text, &options, &unless, &why);
    if (status == STET_NO_MEMORY) return no_memory(compiler->err);
    if (status != STET_OK) return REFUSE(compiler, "unless", "%s", why.message);
    compiler->out->unless = unless;
    return STET_OK;
}

static stet_status read_recurrence(struct compiler *compiler) {
    static const char *const names[] = {"rrule",  "exdate",         "rdate",
                                        "series", "original_start", NULL};
    struct exclusive_recurrence *out = &compiler->out->recurrence;
    stet_view *const pointers[] = {&out->rrule, &out->exdate, &out->rdate, &out->series,
                                   &out->original_start};
    doc_node node = doc_member(compiler->doc, compiler->node, VIEW("recurrence"));
    stet_status status = STET_OK;
    if (node == DOC_NONE) return STET_OK;
    if (doc_kind(compiler->doc, node) != DOC_OBJECT)
        return REFUSE(compiler, "recurrence", "is an object with the pointer \"rrule\"");
    status = check_names(compiler, node, "recurrence/", names);
    for (size_t i = 0; status == STET_OK && names[i] != NULL; i++) {
        char member[64];
        snprintf(member, sizeof member, "recurrence/%s", names[i]);
        status = read_pointer(compiler, node, names[i], member, pointers[i]);
    }
    if (status != STET_OK) return status;
    if (out->rrule.size == 0)
        return REFUSE(compiler, "recurrence/rrule", "is the pointer of the rule, and is missing");
    if ((out->series.size == 0) != (out->original_start.size == 0))
        return REFUSE(compiler, "recurrence", "has series and original_start both, or neither");
    compiler->out->repeats = true;
    return STET_OK;
}

static stet_status read_times(struct compiler *compiler) {
    struct exclusive *out = compiler->out;
    stet_status status = read_time(compiler, "start", &out->start);
    if (status == STET_OK) status = read_time(compiler, "end", &out->end);
    if (status == STET_OK)
        status = read_pointer(compiler, compiler->node, "duration", "duration", &out->duration);
    if (status != STET_OK) return status;
    if (out->start.pointer.size == 0)
        return REFUSE(compiler, "start", "is the JSON pointer of a time, and is missing");
    if ((out->end.pointer.size == 0) == (out->duration.size == 0))
        return REFUSE(compiler, "end", "says when it ends, or \"duration\" says for how long");
    return read_zone(compiler);
}

static bool time_of_day(struct arena *arena, const struct doc *doc, doc_node node,
                        int64_t *seconds) {
    struct wall wall;
    stet_view text;
    if (node == DOC_NONE || doc_string(arena, doc, node, &text) != STET_OK) return false;
    *seconds = CIVIL_DAY_S;
    if (view_equal(text, VIEW("24:00"))) return true;
    if (!wall_parse_time(text, &wall)) return false;
    *seconds = wall.local;
    return true;
}

bool exclusive_openings(struct arena *arena, const struct doc *definition, doc_node day,
                        struct opening *openings, size_t *count) {
    const struct doc *doc = definition;
    *count = 0;
    if (doc_kind(doc, day) != DOC_ARRAY || doc_count(doc, day) > DAY_OPENINGS_MAX) return false;
    for (doc_node one = doc_first(doc, day); one != DOC_NONE; one = doc_next(doc, one)) {
        struct opening *opening = &openings[(*count)++];
        if (doc_kind(doc, one) != DOC_ARRAY || doc_count(doc, one) != 2 ||
            !time_of_day(arena, doc, doc_element(doc, one, 0), &opening->from) ||
            !time_of_day(arena, doc, doc_element(doc, one, 1), &opening->to) ||
            opening->from >= opening->to)
            return false;
    }
    return true;
}

/* Whether they can be followed: who looks for free times could do nothing about it. */
static stet_status check_hours(struct compiler *compiler) {
    static const char *const names[] = {"zone", "mon", "tue", "wed", "thu",
                                        "fri",  "sat", "sun", NULL};
    const struct doc *doc = compiler->doc;
    doc_node hours = compiler->out->hours, zone;
    struct opening openings[DAY_OPENINGS_MAX];
    stet_error ignored = {0};
    const struct zone *found;
    stet_view name;
    size_t count;
    if (hours == DOC_NONE) return STET_OK;
    if (doc_kind(doc, hours) != DOC_OBJECT)
        return REFUSE(compiler, "hours", "is an object with days and their hours");
    stet_status status = check_names(compiler, hours, "hours/", names);
    for (size_t i = 1; status == STET_OK && names[i] != NULL; i++) {
        char place_of[16];
        doc_node day = doc_member(doc, hours, view_of(names[i]));
        if (day == DOC_NONE || exclusive_openings(compiler->arena, doc, day, openings, &count))
            continue;
        snprintf(place_of, sizeof place_of, "hours/%s", names[i]);
        status = REFUSE(compiler, place_of,
                        "is a list of at most %d from and to, such as [[\"09:00\", \"17:00\"]]",
                        DAY_OPENINGS_MAX);
    }
    zone = doc_member(doc, hours, VIEW("zone"));
    if (status != STET_OK || zone == DOC_NONE) return status;
    if (doc_string(compiler->arena, doc, zone, &name) == STET_OK &&
        zone_find(name, &found, &ignored) == STET_OK)
        return STET_OK;
    return REFUSE(compiler, "hours/zone", "is the name of a time zone, such as \"Europe/Berlin\"");
}

static stet_status read_declaration(struct compiler *compiler) {
    static const char *const names[] = {"resource",
                                        "start",
                                        "end",
                                        "duration",
                                        "tz",
                                        "unless",
                                        "capacity",
                                        "weight",
                                        "any_of",
                                        "buffer_before_s",
                                        "buffer_after_s",
                                        "hold_expires",
                                        "allow_overlap",
                                        "recurrence",
                                        "hours",
                                        NULL};
    struct exclusive *out = compiler->out;
    const struct {
        const char *name;
        stet_view *pointer;
    } pointers[] = {{"resource", &out->resource},
                    {"weight", &out->weight},
                    {"any_of", &out->any_of},
                    {"hold_expires", &out->hold_expires},
                    {"allow_overlap", &out->allow_overlap}};
    uint64_t capacity = 1, before = 0, after = 0;
    if (doc_kind(compiler->doc, compiler->node) != DOC_OBJECT)
        return REFUSE(compiler, "", "is an object with \"start\" and \"end\"");
    stet_status status = check_names(compiler, compiler->node, "", names);
    for (size_t i = 0; status == STET_OK && i < sizeof pointers / sizeof pointers[0]; i++)
        status = read_pointer(compiler, compiler->node, pointers[i].name, pointers[i].name,
                              pointers[i].pointer);
    if (status == STET_OK) status = read_times(compiler);
    if (status == STET_OK)
        status = read_number(compiler, "capacity", 1, SPAN_CAPACITY_MAX, &capacity);
    if (status == STET_OK)
        status = read_number(compiler, "buffer_before_s", 0, SPAN_BUFFER_S_MAX, &before);
    if (status == STET_OK)
        status = read_number(compiler, "buffer_after_s", 0, SPAN_BUFFER_S_MAX, &after);
    if (status == STET_OK) status = read_unless(compiler);
    if (status == STET_OK) status = read_recurrence(compiler);
    if (status != STET_OK) return status;
    if (out->any_of.size > 0 && out->resource.size == 0)
        return REFUSE(compiler, "any_of", "needs \"resource\", which says where the choice goes");
    out->hours = doc_member(compiler->doc, compiler->node, VIEW("hours"));
    status = check_hours(compiler);
    if (status != STET_OK) return status;
    out->capacity = (uint32_t)capacity;
    out->buffer_before = (int64_t)before * CLOCK_NS_PER_S;
    out->buffer_after = (int64_t)after * CLOCK_NS_PER_S;
    return STET_OK;
}

static stet_status compile_one(struct arena *arena, const struct doc *doc, doc_node node,
                               stet_view where, struct exclusive **out, stet_error *err) {
    struct exclusive *exclusive = arena_zalloc(arena, 1, sizeof *exclusive);
    struct index_def *def = arena_zalloc(arena, 1, sizeof *def);
    if (exclusive == NULL || def == NULL || where.bytes == NULL) return no_memory(err);
    *exclusive = (struct exclusive){.where = where,
                                    .source = doc_text(doc, node),
                                    .index = def,
                                    .hours = DOC_NONE,
                                    .definition = doc};
    def->exclusive = exclusive;
    struct compiler compiler = {
        .arena = arena, .doc = doc, .node = node, .out = exclusive, .err = err};
    stet_status status = read_declaration(&compiler);
    if (status == STET_OK) *out = exclusive;
    return status;
}

stet_status exclusive_compile(struct arena *arena, const struct doc *doc, doc_node node,
                              const struct exclusive **first, size_t *count, stet_error *err) {
    struct exclusive *one, **link = (struct exclusive **)first;
    stet_error own;
    if (err == NULL) err = &own;
    *first = NULL;
    *count = 0;
    if (node == DOC_NONE) return STET_OK;
    if (doc_kind(doc, node) != DOC_ARRAY) {
        stet_status status = compile_one(arena, doc, node, VIEW("/exclusive"), &one, err);
        if (status != STET_OK) return status;
        *first = one;
        *count = 1;
        return STET_OK;
    }
    if (doc_count(doc, node) > TYPE_EXCLUSIVE_MAX) {
        error_set(err, STET_INVALID_TYPE, "is a list of at most %d", TYPE_EXCLUSIVE_MAX);
        error_field(err, "/exclusive", TYPE_EXCLUSIVE_MAX);
        return STET_INVALID_TYPE;
    }
    for (doc_node item = doc_first(doc, node); item != DOC_NONE; item = doc_next(doc, item)) {
        stet_status status =
            compile_one(arena, doc, item, arena_format(arena, "/exclusive/%zu", *count), &one, err);
        if (status != STET_OK) return status;
        for (const struct exclusive *other = *first; other != NULL; other = other->next) {
            if (!view_equal(other->source, one->source)) continue;
            error_set(err, STET_INVALID_TYPE, "is declared already");
            error_field_view(err, one->where, 0);
            return STET_INVALID_TYPE;
        }
        *link = one;
        link = (struct exclusive **)&one->next;
        ++*count;
    }
    return STET_OK;
}

/* The last second of 2261; what is later does not go into nanoseconds, or hardly. */
#define YEAR_MAX_S INT64_C(9214646399)

/* ---- The spans of a record ------------------------------------------------------------------------------------------- */

struct reader {
    struct arena *arena;
    const struct exclusive *exclusive;
    const struct doc *data;
    stet_error *err;
};

static stet_status refuse(struct reader *reader, stet_view pointer, uint64_t limit) {
    error_field_view(reader->err, pointer, limit);
    return reader->err->status;
}

/* A text, or empty where there is none. */
static stet_status text_at(struct reader *reader, stet_view pointer, stet_status otherwise,
                           stet_view *text) {
    doc_node node = repeat_value(reader->data, pointer);
    *text = (stet_view){0};
    if (node == DOC_NONE) return STET_OK;
    stet_status status = doc_string(reader->arena, reader->data, node, text);
    if (status == STET_OK) return STET_OK;
    if (status == STET_NO_MEMORY) return no_memory(reader->err);
    error_set(reader->err, otherwise, "is not text");
    return refuse(reader, pointer, 0);
}

/* Whether the record takes nothing by this declaration. */
static stet_status takes_nothing(struct reader *reader, bool *nothing) {
    const struct exclusive *exclusive = reader->exclusive;
    const struct expr_subject subject = {.data = reader->data};
    stet_view reason;
    *nothing = exclusive->unless != NULL && expr_matches(exclusive->unless, &subject);
    if (*nothing) return STET_OK;
    stet_status status = text_at(reader, exclusive->allow_overlap, STET_INVALID_DATA, &reason);
    *nothing = status == STET_OK && reason.size > 0;
    return status;
}

/* A date and a time of day that stand apart, as one. */
static bool parse_apart(stet_view date, stet_view clock, struct wall *wall) {
    char joined[96];
    if (date.size + 1 + clock.size > sizeof joined || !wall_parse(date, wall) || wall->has_time)
        return false;
    memcpy(joined, date.bytes, date.size);
    joined[date.size] = 'T';
    memcpy(joined + date.size + 1, clock.bytes, clock.size);
    return wall_parse(view_make(joined, date.size + 1 + clock.size), wall);
}

stet_status exclusive_instant(stet_view text, stet_view clock, const struct zone *zone, int64_t *ns,
                              stet_error *err) {
    struct wall wall;
    bool is = clock.size > 0 ? parse_apart(text, clock, &wall) : wall_parse(text, &wall);
    if (!is || !wall.has_date) {
        stet_view shown = clock.size > 0 ? clock : text;
        if (shown.size > 64) shown.size = 64;
        return error_set(err, STET_INVALID_TIME,
                         "\"%.*s\" is not a time such as \"2026-03-01T09:30\", with an offset or "
                         "a zone",
                         VIEW_ARG(shown));
    }
    int64_t utc = wall.local;
    if (wall.has_offset) {
        utc -= wall.offset;
    } else if (zone != NULL) {
        utc = zone_resolve(zone, wall.local).utc;
    } else if (wall.has_time) {
        return error_set(err, STET_INVALID_TIME, "has neither an offset (Z, +01:00) nor a zone");
    }
    if (utc < 0) return error_set(err, STET_INVALID_TIME, "lies before 1970");
    if (utc > YEAR_MAX_S) return error_set(err, STET_INVALID_TIME, "lies after 2261");
    *ns = utc * CLOCK_NS_PER_S + wall.ns;
    return STET_OK;
}

/* *there false: the record has no such time. */
static stet_status instant_at(struct reader *reader, const struct exclusive_time *time,
                              const struct zone *zone, bool *there, int64_t *ns) {
    stet_view text, clock;
    stet_status status = text_at(reader, time->pointer, STET_INVALID_TIME, &text);
    if (status == STET_OK) status = text_at(reader, time->clock, STET_INVALID_TIME, &clock);
    if (status != STET_OK) return status;
    *there = text.size > 0;
    if (text.size == 0 && clock.size == 0) return STET_OK;
    status = exclusive_instant(text, clock, zone, ns, reader->err);
    if (status == STET_OK) return status;
    struct wall date;
    bool of_clock = clock.size > 0 && wall_parse(text, &date) && !date.has_time;
    return refuse(reader, of_clock ? time->clock : time->pointer, 0);
}

static stet_status duration_of(struct reader *reader, int64_t *ns) {
    stet_view pointer = reader->exclusive->duration;
    doc_node node = repeat_value(reader->data, pointer);
    const uint64_t most = (uint64_t)SPAN_DAYS_MAX * 86400;
    uint64_t seconds;
    if (node != DOC_NONE && doc_u64(reader->data, node, &seconds) && seconds > 0 &&
        seconds <= most) {
        *ns = (int64_t)seconds * CLOCK_NS_PER_S;
        return STET_OK;
    }
    error_set(reader->err, STET_INVALID_TIME, "is a whole number of seconds from 1 to %llu",
              (unsigned long long)most);
    return refuse(reader, pointer, most);
}

/* *there false: the record is not planned for any time. */
static stet_status interval_of(struct reader *reader, const struct zone *zone, bool *there,
                               struct span *span) {
    const struct exclusive *exclusive = reader->exclusive;
    bool by_end = exclusive->end.pointer.size > 0, ends = false;
    stet_status status = instant_at(reader, &exclusive->start, zone, there, &span->start);
    if (status == STET_OK && by_end)
        status = instant_at(reader, &exclusive->end, zone, &ends, &span->end);
    if (status != STET_OK || (!*there && !ends)) return status;
    if (!*there || (by_end && !ends)) {
        error_set(reader->err, STET_INVALID_TIME, "is missing, though there is %s",
                  *there ? "a start" : "an end");
        return refuse(reader, *there ? exclusive->end.pointer : exclusive->start.pointer, 0);
    }
    int64_t length = 0;
    if (!by_end) {
        status = duration_of(reader, &length);
        if (status != STET_OK) return status;
        span->end = span->start + length;
    }
    if (span->end <= span->start) {
        const struct exclusive_time *end = &exclusive->end;
        error_set(reader->err, STET_INVALID_TIME, "lies before the start, or on it");
        return refuse(reader, end->clock.size > 0 ? end->clock : end->pointer, 0);
    }
    if (span->end - span->start > SPAN_DAYS_MAX * INT64_C(86400) * CLOCK_NS_PER_S) {
        error_set(reader->err, STET_INVALID_TIME, "is more than %d days after the start",
                  SPAN_DAYS_MAX);
        return refuse(reader, exclusive->end.pointer, SPAN_DAYS_MAX);
    }
    span->original_start = span->start;
    return STET_OK;
}

static stet_status zone_of(struct reader *reader, const struct zone **zone) {
    stet_view name;
    stet_status status = text_at(reader, reader->exclusive->tz, STET_INVALID_TIME, &name);
    if (status != STET_OK) return status;
    *zone = reader->exclusive->zone;
    if (name.size == 0) return STET_OK;
    status = zone_find(name, zone, reader->err);
    return status == STET_OK ? status : refuse(reader, reader->exclusive->tz, 0);
}

static stet_status hold_of(struct reader *reader, const struct zone *zone, struct span *span) {
    const struct exclusive_time time = {.pointer = reader->exclusive->hold_expires};
    int64_t until;
    bool there = false;
    span->held_until = SPAN_BOOKED;
    stet_status status = STET_OK;
    if (time.pointer.size > 0) status = instant_at(reader, &time, zone, &there, &until);
    if (status == STET_OK && there) span->held_until = until;
    return status;
}

static stet_status weight_of(struct reader *reader, uint32_t *weight) {
    const struct exclusive *exclusive = reader->exclusive;
    doc_node node = repeat_value(reader->data, exclusive->weight);
    uint64_t value = 1;
    *weight = 1;
    if (node == DOC_NONE) return STET_OK;
    if (doc_u64(reader->data, node, &value) && value <= exclusive->capacity) {
        *weight = (uint32_t)value;
        return STET_OK;
    }
    error_set(reader->err, STET_INVALID_DATA, "is a whole number from 0 to %u, the capacity",
              exclusive->capacity);
    return refuse(reader, exclusive->weight, exclusive->capacity);
}

/* Each resource once. */
static stet_status resources_of(struct reader *reader, stet_view **resources, size_t *count) {
    const struct exclusive *exclusive = reader->exclusive;
    const struct doc *data = reader->data;
    doc_node node = repeat_value(data, exclusive->resource);
    bool list = node != DOC_NONE && doc_kind(data, node) == DOC_ARRAY;
    uint32_t most = list ? doc_count(data, node) : 1;
    *count = 0;
    if (most > SPAN_RESOURCES_MAX) {
        error_set(reader->err, STET_TOO_LARGE, "names more than %d resources", SPAN_RESOURCES_MAX);
        return refuse(reader, exclusive->resource, SPAN_RESOURCES_MAX);
    }
    *resources = arena_zalloc(reader->arena, most + 1, sizeof **resources);
    if (*resources == NULL) return no_memory(reader->err);
    if (exclusive->resource.size == 0) {
        *count = 1; /* The type's one calendar, which has no name. */
        return STET_OK;
    }
    doc_node one = list ? doc_first(data, node) : node;
    for (; one != DOC_NONE; one = list ? doc_next(data, one) : DOC_NONE) {
        stet_view text = {0};
        stet_status status = doc_string(reader->arena, data, one, &text);
        if (status == STET_OK && text.size > 0) status = span_resource(reader->arena, text, &text);
        if (status == STET_NO_MEMORY) return no_memory(reader->err);
        if (status != STET_OK || text.size == 0) {
            error_set(reader->err, STET_INVALID_DATA,
                      "names a resource with text, or several with a list of texts");
            return refuse(reader, exclusive->resource, 0);
        }
        size_t i = 0;
        while (i < *count && !view_equal((*resources)[i], text))
            i++;
        if (i == *count) (*resources)[(*count)++] = text;
    }
    return STET_OK;
}

static bool is_dear(const struct exclusive *exclusive, const struct doc *data) {
    return exclusive->repeats && (repeat_value(data, exclusive->recurrence.rrule) != DOC_NONE ||
                                  repeat_value(data, exclusive->recurrence.rdate) != DOC_NONE);
}

/* The spans of a series: each as the first, at its own time. */
static stet_status occurrences_of(struct reader *reader, const struct span *first, uint64_t *steps,
                                  struct span_list *list) {
    struct repeat repeat;
    struct occurrence *occurrences;
    size_t count;
    stet_status status =
        repeat_read(reader->arena, reader->exclusive, reader->data, &repeat, reader->err);
    repeat.series.steps = steps;
    if (status == STET_OK)
        status = repeat_expand(reader->arena, reader->exclusive, &repeat, &occurrences, &count,
                               reader->err);
    if (status != STET_OK) return status;
    list->spans = arena_zalloc(reader->arena, count + 1, sizeof *list->spans);
    if (list->spans == NULL) return no_memory(reader->err);
    for (size_t i = 0; i < count; i++) {
        struct span *span = &list->spans[list->count++];
        *span = *first;
        span->start = occurrences[i].start;
        span->end = occurrences[i].end;
        span->original_start = span->start;
    }
    return STET_OK;
}

stet_status exclusive_times(struct arena *arena, const struct exclusive *exclusive,
                            const struct doc *data, uint64_t *steps, struct span_list *list,
                            stet_error *err) {
    stet_error own;
    struct reader reader = {
        .arena = arena, .exclusive = exclusive, .data = data, .err = err == NULL ? &own : err};
    struct span span = {0};
    bool there = false;
    const struct zone *zone;
    *list = (struct span_list){0};
    stet_status status = zone_of(&reader, &zone);
    if (status == STET_OK) status = interval_of(&reader, zone, &there, &span);
    if (status != STET_OK || !there) return status;
    status = hold_of(&reader, zone, &span);
    if (status == STET_OK) status = weight_of(&reader, &span.weight);
    if (status != STET_OK) return status;
    if (is_dear(exclusive, data)) {
        return occurrences_of(&reader, &span, steps, list);
    }
    list->spans = arena_zalloc(arena, 1, sizeof *list->spans);
    if (list->spans == NULL) return no_memory(reader.err);
    list->spans[list->count++] = span;
    return STET_OK;
}

stet_status exclusive_spans(struct arena *arena, const struct exclusive *exclusive,
                            const struct doc *data, uint64_t *steps, struct span_list *list,
                            stet_error *err) {
    stet_error own;
    struct reader reader = {
        .arena = arena, .exclusive = exclusive, .data = data, .err = err == NULL ? &own : err};
    struct span_list times = {0};
    stet_view *resources;
    size_t count;
    bool nothing;
    *list = (struct span_list){0};
    stet_status status = takes_nothing(&reader, &nothing);
    if (status != STET_OK || nothing) return status;
    status = exclusive_times(arena, exclusive, data, steps, &times, reader.err);
    if (status == STET_OK) status = resources_of(&reader, &resources, &count);
    if (status != STET_OK || times.count == 0 || count == 0) return status;
    if (times.count * count > SPANS_PER_RECORD_MAX) {
        error_set(reader.err, STET_TOO_LARGE, "takes more than %d times of resources",
                  SPANS_PER_RECORD_MAX);
        return refuse(&reader,
                      exclusive->resource.size > 0 ? exclusive->resource : exclusive->start.pointer,
                      SPANS_PER_RECORD_MAX);
    }
    list->spans = arena_zalloc(arena, times.count * count, sizeof *list->spans);
    if (list->spans == NULL) return no_memory(reader.err);
    for (size_t i = 0; i < times.count; i++) {
        if (times.spans[i].weight == 0) continue;
        for (size_t k = 0; k < count; k++) {
            struct span *span = &list->spans[list->count++];
            *span = times.spans[i];
            span->resource = resources[k];
        }
    }
    return STET_OK;
}
