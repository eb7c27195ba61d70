/*
 * POST …/calendar/{type} with text/calendar: records of events, their UIDs as ids, in one transaction.
 *
 * An event with a RECURRENCE-ID is one occurrence of the series with its UID, changed by itself: the series leaves it out, and it becomes a
 * record as the series route would make it. The series must be in the same text. What is there already with equal data stays as it is;
 * with other data it is an error, unless the caller says `replace`.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "calendar/ical.h"
#include "calendar/recur.h"
#include "core/space.h"
#include "core/staging.h"
#include "doc/write.h"
#include "modules/calendar/internal.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>

enum { ERRORS_TOLD_MAX = 100 };

struct taken {
    struct ical_event event;
    stet_view id, data;
    bool failed;
};

struct take {
    stet_view type, text, resource, field, zone;
    stet_calendar_fields fields;
    bool skip_errors, replace;
    /* While it is prepared. */
    struct arena *arena;
    const struct exclusive *exclusive;
    struct taken *events;
    size_t count, room;
    stet_mutation *list;
    size_t mutation_count;
    /* For the answer. */
    size_t imported, unchanged, failed;
    struct buffer errors; /* The inside of the array. */
    stet_error *err;
    stet_error
        failure; /* Why it cannot be done; told only if it was not done before, under the same key. */
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for an import");
}

/* Notes what is wrong with an event; what it returns but STET_OK ends the import. */
static stet_status report(struct take *take, size_t line, stet_view uid, stet_status status) {
    struct json_writer writer;
    stet_error *err = take->err;
    if (status == STET_NO_MEMORY || status == STET_UNAVAILABLE || status == STET_IO) return status;
    if (!take->skip_errors) {
        char message[sizeof err->message];
        snprintf(message, sizeof message, "line %zu: %s%.*s%s%.180s", line,
                 uid.size > 0 ? "event \"" : "", uid.size > 40 ? 40 : (int)uid.size, uid.bytes,
                 uid.size > 0 ? "\": " : "", err->message);
        error_message(err, view_of(message));
        return status;
    }
    if (take->failed++ >= ERRORS_TOLD_MAX) return STET_OK;
    if (take->failed > 1) buffer_append_char(&take->errors, ',');
    json_begin(&writer, &take->errors);
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("line"), line);
    if (uid.size > 0) json_member_text(&writer, VIEW("uid"), uid);
    json_member_text(&writer, VIEW("code"), view_of(status_code(status)));
    json_member_text(&writer, VIEW("detail"), view_of(err->message));
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK) return no_memory(err);
    *err = (stet_error){0};
    return STET_OK;
}

/* ---- Events to data ---------------------------------------------------------------------------------------------------------- */

static stet_status put_field(struct take *take, stet_view *data, stet_view pointer,
                             stet_view text) {
    if (pointer.size == 0 || text.size == 0) return STET_OK;
    return put_text(take->arena, *data, pointer, text, data, take->err);
}

static stet_status put_status(struct take *take, stet_view *data, stet_view text) {
    char *lower = arena_bytes(take->arena, text.size + 1);
    if (lower == NULL) return no_memory(take->err);
    for (size_t i = 0; i < text.size; i++)
        lower[i] = (char)tolower((unsigned char)text.bytes[i]);
    return put_field(take, data, take->fields.status, view_make(lower, text.size));
}

static stet_status put_texts(struct take *take, stet_view *data, stet_view pointer,
                             const stet_view *dates, size_t count, const char *what) {
    struct buffer buffer;
    struct json_writer writer;
    if (count == 0) return STET_OK;
    if (pointer.size == 0)
        return error_set(take->err, STET_BAD_REQUEST, "the type's recurrence declares no %s", what);
    buffer_init(&buffer, take->arena, 0);
    json_begin(&writer, &buffer);
    json_array_begin(&writer);
    for (size_t i = 0; i < count; i++)
        json_text(&writer, dates[i]);
    json_array_end(&writer);
    if (json_end(&writer) != STET_OK) return no_memory(take->err);
    return put_value(take->arena, *data, pointer, buffer_view(&buffer), data, take->err);
}

/* By the clock of the zone that the record will have. */
static stet_status into_zone(struct take *take, const struct ical_time *time,
                             const struct zone *zone, struct wall *wall) {
    const struct zone *own;
    *wall = time->wall;
    if (!wall->has_time || zone == NULL || wall->has_offset || time->zone.size == 0) return STET_OK;
    stet_status status = zone_find(time->zone, &own, take->err);
    if (status != STET_OK || own == zone) return status;
    int64_t utc = zone_resolve(own, wall->local).utc;
    wall->local = utc + zone_offset(zone, utc);
    return STET_OK;
}

/* Which zone the record repeats by and keeps; empty: it needs none, or the type has its own. */
static stet_status zone_of_event(struct take *take, const struct ical_event *event, stet_view *name,
                                 const struct zone **zone) {
    const struct exclusive *exclusive = take->exclusive;
    *name = event->start.zone.size > 0 ? event->start.zone : take->zone;
    *zone = exclusive->zone;
    if (event->start.wall.has_offset && exclusive->start.clock.size > 0) *name = VIEW("UTC");
    if (event->start.wall.has_offset && exclusive->start.clock.size == 0) *name = (stet_view){0};
    if (name->size == 0) return STET_OK;
    if (exclusive->tz.size > 0) return zone_find(*name, zone, take->err);
    const struct zone *own;
    stet_status status = zone_find(*name, &own, take->err);
    if (status != STET_OK) return status;
    *name = (stet_view){0};
    if (*zone == NULL) *zone = zone_utc();
    if (own == *zone || event->rrule.size == 0) return STET_OK;
    return error_set(take->err, STET_BAD_REQUEST,
                     "it repeats by the clock of \"%.*s\", but records of the type keep no zone",
                     VIEW_ARG(zone_name(own)));
}

static int64_t utc_of(const struct wall *wall, const struct zone *zone) {
    if (wall->has_offset) return wall->local - wall->offset;
    return zone == NULL ? wall->local : zone_resolve(zone, wall->local).utc;
}

static stet_status put_times(struct take *take, const struct ical_event *event, stet_view *data) {
    const struct exclusive *exclusive = take->exclusive;
    const struct zone *zone;
    struct wall start, end;
    stet_view name;
    stet_status status = zone_of_event(take, event, &name, &zone);
    if (status == STET_OK) status = into_zone(take, &event->start, zone, &start);
    if (status == STET_OK) status = into_zone(take, &event->end, zone, &end);
    if (status != STET_OK) return status;
    if (exclusive->start.clock.size > 0) start.has_offset = end.has_offset = false;
    if (exclusive->tz.size > 0 && name.size > 0)
        status = put_text(take->arena, *data, exclusive->tz, name, data, take->err);
    if (status == STET_OK)
        status = put_time(take->arena, *data, &exclusive->start, &start, data, take->err);
    if (status != STET_OK) return status;
    if (exclusive->duration.size == 0)
        return put_time(take->arena, *data, &exclusive->end, &end, data, take->err);
    /* In seconds, for an event may last for centuries until somebody looks at that. */
    int64_t length = utc_of(&end, zone) - utc_of(&start, zone);
    char seconds[24];
    int size = snprintf(seconds, sizeof seconds, "%lld", (long long)length);
    return put_value(take->arena, *data, exclusive->duration, view_make(seconds, (size_t)size),
                     data, take->err);
}

static stet_status put_recurrence(struct take *take, const struct ical_event *event,
                                  stet_view *data) {
    const struct exclusive *exclusive = take->exclusive;
    const struct exclusive_recurrence *recurrence = &exclusive->recurrence;
    bool repeats = event->rrule.size > 0 || event->rdate_count > 0;
    if (!repeats) return STET_OK;
    if (!exclusive->repeats)
        return error_set(take->err, STET_BAD_REQUEST, "it repeats, and records of the type do not");
    stet_status status = STET_OK;
    if (event->rrule.size > 0)
        status = put_text(take->arena, *data, recurrence->rrule, event->rrule, data, take->err);
    if (status == STET_OK)
        status = put_texts(take, data, recurrence->exdate, event->exdates, event->exdate_count,
                           "exdate");
    if (status == STET_OK)
        status =
            put_texts(take, data, recurrence->rdate, event->rdates, event->rdate_count, "rdate");
    return status;
}

/* Those that were asked for, else those of the event: then a list where there are several. */
static stet_status put_resources(struct take *take, const struct ical_event *event,
                                 stet_view *data) {
    stet_view pointer = take->exclusive->resource, one = take->resource;
    if (pointer.size == 0) return STET_OK;
    if (one.size == 0 && event->resource_count > 1)
        return put_texts(take, data, pointer, event->resources, event->resource_count, "resource");
    if (one.size == 0 && event->resource_count == 1) one = event->resources[0];
    return one.size == 0 ? STET_OK : put_text(take->arena, *data, pointer, one, data, take->err);
}

static stet_status make_data(struct take *take, struct taken *taken) {
    const struct ical_event *event = &taken->event;
    stet_view *data = &taken->data;
    *data = VIEW("{}");
    stet_status status = put_field(take, data, take->fields.summary, event->summary);
    if (status == STET_OK)
        status = put_field(take, data, take->fields.description, event->description);
    if (status == STET_OK) status = put_field(take, data, take->fields.location, event->location);
    if (status == STET_OK) status = put_status(take, data, event->status);
    if (status == STET_OK) status = put_resources(take, event, data);
    if (status == STET_OK && event->transparent && take->exclusive->allow_overlap.size > 0)
        status = put_text(take->arena, *data, take->exclusive->allow_overlap,
                          VIEW("takes no time (TRANSP:TRANSPARENT)"), data, take->err);
    if (status == STET_OK) status = put_times(take, event, data);
    if (status == STET_OK) status = put_recurrence(take, event, data);
    return status;
}

/* ---- Exceptions --------------------------------------------------------------------------------------------------------------- */

static struct taken *find_series(const struct take *take, stet_view uid) {
    for (size_t i = 0; i < take->count; i++) {
        struct taken *taken = &take->events[i];
        if (!taken->event.recurrence_id.given && view_equal(taken->event.uid, uid)) return taken;
    }
    return NULL;
}

static stet_status original_instant(struct take *take, const struct taken *taken,
                                    struct wall *original) {
    const struct ical_time *time = &taken->event.recurrence_id;
    const struct zone *zone = zone_utc();
    *original = time->wall;
    if (!original->has_time || original->has_offset) return STET_OK;
    stet_view name = time->zone.size > 0 ? time->zone : take->zone;
    if (name.size == 0 && take->exclusive->zone != NULL) zone = take->exclusive->zone;
    stet_status status = name.size == 0 ? STET_OK : zone_find(name, &zone, take->err);
    original->local = zone_resolve(zone, original->local).utc;
    original->has_offset = true;
    return status;
}

static stet_status add_exception(struct take *take, struct taken *taken) {
    const struct exclusive_recurrence *recurrence = &take->exclusive->recurrence;
    struct ical_event *event = &taken->event;
    struct taken *series = find_series(take, event->uid);
    struct wall original;
    if (!take->exclusive->repeats || recurrence->exdate.size == 0 || recurrence->series.size == 0)
        return error_set(take->err, STET_BAD_REQUEST,
                         "the type's recurrence declares no exdate, series and original_start");
    if (series == NULL || series->failed)
        return error_set(take->err, STET_BAD_REQUEST,
                         "it is an occurrence of a series that is not in the file");
    stet_status status = original_instant(take, taken, &original);
    if (status != STET_OK) return status;
    struct civil date = civil_of(original.local);
    stet_view text = time_text(take->arena, &original);
    taken->id =
        original.has_time
            ? arena_format(take->arena, "%.*s~%04d%02d%02dT%02d%02d%02dZ", VIEW_ARG(event->uid),
                           date.year, date.month, date.day, date.hour, date.minute, date.second)
            : arena_format(take->arena, "%.*s~%04d%02d%02d", VIEW_ARG(event->uid), date.year,
                           date.month, date.day);
    stet_view *dates = arena_alloc(take->arena, (series->event.exdate_count + 1) * sizeof *dates);
    if (dates == NULL || text.bytes == NULL || taken->id.bytes == NULL) return no_memory(take->err);
    for (size_t i = 0; i < series->event.exdate_count; i++)
        dates[i] = series->event.exdates[i];
    dates[series->event.exdate_count] = text;
    event->rrule = (stet_view){0};
    event->rdate_count = 0;
    status = make_data(take, taken);
    if (status == STET_OK)
        status = put_text(take->arena, taken->data, recurrence->series, event->uid, &taken->data,
                          take->err);
    if (status == STET_OK)
        status = put_text(take->arena, taken->data, recurrence->original_start, text, &taken->data,
                          take->err);
    if (status != STET_OK) return status;
    /* Only now: a bad exception leaves its occurrence as the series has it. */
    series->event.exdates = dates;
    series->event.exdate_count++;
    return STET_OK;
}

/* ---- What is there already ---------------------------------------------------------------------------------------------------- */

static stet_status add_mutation(struct take *take, struct stet_command *command,
                                struct taken *taken) {
    struct change *head = NULL;
    stet_mutation mutation = {.op = STET_OP_CREATE,
                              .type = take->type,
                              .id = taken->id,
                              .body = taken->data,
                              .on_conflict = STET_STRATEGY_REJECT};
    stet_status status = check_id(taken->id, "UID", take->err);
    if (status != STET_OK) return status;
    status = client_head(command->client, command->space, take->type, taken->id, &head, take->err);
    if (status == STET_NOT_FOUND) {
        *take->err = (stet_error){0};
        status = STET_OK;
    }
    if (status != STET_OK) return status;
    if (head != NULL && head->row.op != STORE_DELETE) {
        struct doc there, ours;
        struct viewer viewer = command_viewer(command);
        bool seen = viewer_sees(&viewer, &head->row);
        status = change_parse(take->arena, head->row.data, &there, take->err);
        if (status == STET_OK) status = doc_parse(take->arena, taken->data, NULL, &ours, take->err);
        bool same = status == STET_OK && seen && doc_equal(&there, 0, &ours, 0);
        mutation.op = STET_OP_PUT;
        mutation.base = (stet_base){.kind = STET_BASE_VERSION, .value = head->row.version};
        change_unref(head);
        if (status != STET_OK) return status;
        if (same) {
            take->unchanged++;
            return STET_OK;
        }
        if (!take->replace || !seen)
            return error_set(take->err, STET_ALREADY_EXISTS,
                             "there is a record with that id and other data");
    } else if (head != NULL) {
        change_unref(head);
    }
    if (take->mutation_count == TRANSACTION_MUTATIONS_MAX) {
        error_set(take->err, STET_TOO_LARGE, "more than %d events are to be written at once",
                  TRANSACTION_MUTATIONS_MAX);
        error_field(take->err, "body", TRANSACTION_MUTATIONS_MAX);
        return STET_NO_SPACE; /* Not of one event: it ends the import. */
    }
    take->list[take->mutation_count++] = mutation;
    take->imported++;
    return STET_OK;
}

/* ---- The whole ---------------------------------------------------------------------------------------------------------------- */

static stet_status read_events(struct take *take) {
    struct ical_reader reader;
    ical_begin(&reader, take->text);
    for (;;) {
        struct taken taken = {0};
        size_t line;
        stet_status status = ical_next(&reader, take->arena, &taken.event, &line, take->err);
        if (status == STET_NOT_FOUND) return STET_OK;
        taken.id = taken.event.uid;
        if (status == STET_OK && !taken.event.recurrence_id.given &&
            find_series(take, taken.event.uid) != NULL)
            status = error_set(take->err, STET_BAD_REQUEST, "its UID occurs twice");
        if (status != STET_OK) {
            status = report(take, line, taken.event.uid, status);
            if (status != STET_OK) return status;
            continue;
        }
        if (take->count == CALENDAR_EVENTS_MAX) {
            error_set(take->err, STET_TOO_LARGE, "more than %d events are imported at once",
                      CALENDAR_EVENTS_MAX);
            error_field(take->err, "body", CALENDAR_EVENTS_MAX);
            return STET_TOO_LARGE;
        }
        if (take->count == take->room) {
            size_t room = take->room == 0 ? 64 : 2 * take->room;
            struct taken *more = arena_alloc(take->arena, room * sizeof *more);
            if (more == NULL) return no_memory(take->err);
            if (take->count > 0) memcpy(more, take->events, take->count * sizeof *more);
            take->events = more;
            take->room = room;
        }
        take->events[take->count++] = taken;
    }
}

static stet_status each(struct take *take, struct stet_command *command,
                        stet_status (*make)(struct take *take, struct taken *taken),
                        bool exceptions) {
    for (size_t i = 0; i < take->count; i++) {
        struct taken *taken = &take->events[i];
        if (taken->failed || (make != NULL && taken->event.recurrence_id.given != exceptions))
            continue;
        stet_status status = make != NULL ? make(take, taken) : add_mutation(take, command, taken);
        if (status == STET_NO_SPACE) return STET_TOO_LARGE;
        if (status == STET_OK) continue;
        taken->failed = true;
        status = report(take, taken->event.line, taken->event.uid, status);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static stet_status pick(struct take *take, const struct policy *policy) {
    const struct exclusive *one = policy->exclusive;
    while (one != NULL && take->field.size > 0 && !view_equal(take->field, one->resource))
        one = one->next;
    take->exclusive = one;
    if (one != NULL && (take->resource.size == 0 || one->resource.size > 0)) return STET_OK;
    error_set(take->err, STET_BAD_REQUEST, "the type has no calendar for that");
    error_field(take->err, one == NULL ? "field" : "resource", 0);
    return STET_BAD_REQUEST;
}

static stet_status refuse_late(struct staging *staging, stet_error *err) {
    const struct take *take = staging->command->module_data;
    if (err != NULL) *err = take->failure;
    return take->failure.status;
}

static stet_status prepare(struct stet_command *command, stet_error *err) {
    struct take *take = command->module_data;
    const struct policy *policy;
    stet_error own = {0};
    bool dry_run = command->dry_run;
    take->err = err == NULL ? &own : err;
    take->arena = &command->arena;
    buffer_init(&take->errors, take->arena, 0);
    take->list = arena_zalloc(take->arena, TRANSACTION_MUTATIONS_MAX, sizeof *take->list);
    if (take->list == NULL) return no_memory(err);
    stet_status status = calendar_policy(command->space, take->type, &policy, take->err);
    if (status != STET_OK) return status;
    status = pick(take, policy);
    if (status == STET_OK) status = read_events(take);
    /* Exceptions first: they are left out of their series. */
    if (status == STET_OK) status = each(take, command, add_exception, true);
    if (status == STET_OK) status = each(take, command, make_data, false);
    if (status == STET_OK) status = each(take, command, NULL, false);
    policy_unref(policy);
    if (status != STET_OK && command->has_key && status != STET_NO_MEMORY) {
        take->failure = *take->err;
        command->begin = refuse_late;
        return STET_OK;
    }
    if (status != STET_OK) return status;
    command->mutation_count = 0;
    if (take->mutation_count == 0) return STET_OK;
    const stet_write write = {.mutations = take->list,
                              .mutation_count = take->mutation_count,
                              .transaction = true,
                              .source = VIEW("import"),
                              .dry_run = dry_run};
    command->kind = COMMAND_EMPTY;
    return command_fill_write(command, &write, err);
}

static stet_status answer(struct stet_command *command, struct json_writer *writer,
                          stet_error *err) {
    const struct take *take = command->module_data;
    size_t imported = take->imported, unchanged = take->unchanged;
    (void)err;
    if (command->replayed) {
        /* What it did then; by now all of it is there. */
        size_t offset = 0;
        uint64_t seq;
        unsigned flags;
        imported = unchanged = 0;
        while (command_decode_result(command->replay.result, &offset, &seq, &flags)) {
            imported++;
            command->outcome.seq = seq;
        }
        command->outcome.replayed = true;
    }
    json_object_begin(writer);
    json_member_u64(writer, VIEW("imported"), imported);
    json_member_u64(writer, VIEW("unchanged"), unchanged);
    json_member_u64(writer, VIEW("failed"), take->failed);
    json_key(writer, VIEW("errors"));
    stet_view errors = buffer_view(&take->errors);
    stet_view list = arena_format(&command->arena, "[%.*s]", VIEW_ARG(errors));
    json_raw(writer, list.bytes == NULL ? VIEW("[]") : list);
    json_member_u64(writer, VIEW("seq"), command->outcome.seq);
    if (command->dry_run) json_member_bool(writer, VIEW("dry_run"), true);
    json_object_end(writer);
    return STET_OK;
}

static void hash_request(struct stet_command *command, const struct take *take) {
    const stet_view parts[] = {VIEW("calendar import"),
                               take->skip_errors ? VIEW("skip") : VIEW("stop"),
                               take->replace ? VIEW("replace") : VIEW("keep"),
                               take->type,
                               take->text,
                               take->resource,
                               take->field,
                               take->zone,
                               take->fields.summary,
                               take->fields.description,
                               take->fields.location,
                               take->fields.status};
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, STORE_HASH_BYTES);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint64_t bytes = parts[i].size;
        crypto_generichash_update(&hash, (const unsigned char *)&bytes, sizeof bytes);
        crypto_generichash_update(&hash, (const unsigned char *)parts[i].bytes, parts[i].size);
    }
    crypto_generichash_final(&hash, command->request_hash, STORE_HASH_BYTES);
}

stet_status calendar_fill_import(struct stet_command *command, const stet_calendar_import *asked,
                                 stet_error *err) {
    struct arena *arena = &command->arena;
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check_type_name(asked->type, "type", err);
    if (status != STET_OK) return status;
    if (asked->text.size > CALENDAR_TEXT_BYTES_MAX) {
        error_set(err, STET_TOO_LARGE, "at most %u bytes are imported at once",
                  CALENDAR_TEXT_BYTES_MAX);
        error_field(err, "body", CALENDAR_TEXT_BYTES_MAX);
        return STET_TOO_LARGE;
    }
    struct take *take = arena_zalloc(arena, 1, sizeof *take);
    if (take == NULL) return no_memory(err);
    *take = (struct take){.skip_errors = asked->skip_errors, .replace = asked->replace};
    const struct {
        stet_view *to;
        stet_view from;
    } texts[] = {{&take->type, asked->type},
                 {&take->text, asked->text},
                 {&take->resource, asked->resource},
                 {&take->field, asked->field},
                 {&take->zone, asked->zone},
                 {&take->fields.summary, asked->fields.summary},
                 {&take->fields.description, asked->fields.description},
                 {&take->fields.location, asked->fields.location},
                 {&take->fields.status, asked->fields.status}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i].to = arena_copy(arena, texts[i].from);
        if (texts[i].to->bytes == NULL) return no_memory(err);
    }
    const stet_view *const pointers[] = {&take->fields.summary, &take->fields.description,
                                         &take->fields.location, &take->fields.status};
    static const char *const names[] = {"summary", "description", "location", "status"};
    for (size_t i = 0; i < 4; i++) {
        if (pointers[i]->size == 0 || pointers[i]->bytes[0] == '/') continue;
        error_set(err, STET_BAD_REQUEST, "is a JSON pointer, such as \"/title\"");
        error_field(err, names[i], 0);
        return STET_BAD_REQUEST;
    }
    if (asked->mutation_key.size > 0) {
        status = command_set_key(command, asked->mutation_key, err);
        if (status != STET_OK) return status;
        hash_request(command, take);
    }
    command->mutations = arena_zalloc(arena, 1, sizeof *command->mutations);
    if (command->mutations == NULL) return no_memory(err);
    command->kind = COMMAND_WRITE;
    command->transaction = true;
    command->dry_run = asked->dry_run;
    command->module_data = take;
    command->prepare = prepare;
    command->answer = answer;
    command->answers_replay = true;
    return STET_OK;
}
