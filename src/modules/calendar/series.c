/*
 * POST …/calendar/{type}/{id}/series: one occurrence of a series, it and the following, or all.
 *
 *   one        the series leaves the occurrence out (exdate), and a record of its own takes its place: "ID~20260302T080000Z", with `series` and
 *              `original_start`. Deleted: only left out.
 *   following  the series ends before it (UNTIL), and another one begins with it, which has what is left of COUNT, and the later dates.
 *   all        the record itself; with a deletion, its exceptions as well.
 *
 * Prepared on the client's thread as an ordinary transaction, whose base is the version that the caller has seen.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "base/view.h"
#include "calendar/recur.h"
#include "core/space.h"
#include "core/staging.h"
#include "doc/patch.h"
#include "doc/write.h"
#include "modules/calendar/internal.h"

#include <sodium.h>
#include <stdio.h>

enum { EXCEPTIONS_MAX = 900, EXCEPTIONS_CHUNK = 64 };

struct change_of_series {
    stet_view type, id, original, patch, new_id;
    stet_version base;
    stet_series_scope scope;
    bool deletes;
    stet_error
        failure; /* Why it cannot be done; told only if it was not done before, under the same key. */
};

/* What is being made of it. */
struct splitting {
    struct stet_command *command;
    struct arena *arena;
    const struct change_of_series *asked;
    const struct exclusive *exclusive;
    const struct policy *policy;
    stet_view data; /* Of the record, as the actor may see it. */
    struct doc doc;
    struct repeat repeat;
    struct occurrence at; /* The occurrence. */
    size_t before;        /* How many the rule alone has before it. */
    bool by_rule;         /* It is one of the rule's. */
    stet_mutation *list;
    size_t count;
    stet_error *err;
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a series");
}

static stet_status bad(stet_error *err, const char *field, const char *what) {
    error_set(err, STET_BAD_REQUEST, "%s", what);
    error_field(err, field, 0);
    return STET_BAD_REQUEST;
}

/* ---- Finding the occurrence --------------------------------------------------------------------------------------------------- */

static stet_status find_occurrence(struct splitting *splitting) {
    const struct series *series = &splitting->repeat.series;
    struct wall wall;
    struct occurrence *list;
    size_t count, i = 0;
    if (!series_parse_time(splitting->asked->original, &wall)) {
        error_set(splitting->err, STET_INVALID_TIME, "is not a date or a time");
        error_field(splitting->err, "original_start", 0);
        return STET_INVALID_TIME;
    }
    stet_status status = repeat_expand(splitting->arena, splitting->exclusive, &splitting->repeat,
                                       &list, &count, splitting->err);
    if (status != STET_OK) return status;
    int64_t instant = series_instant(series, &wall);
    for (; i < count; i++) {
        bool same_day = !wall.has_time && civil_floor_div(list[i].local, CIVIL_DAY_S) ==
                                              civil_floor_div(wall.local, CIVIL_DAY_S);
        if (list[i].start == instant || same_day) break;
    }
    if (i == count) {
        error_set(splitting->err, STET_NOT_FOUND, "the series has no occurrence at \"%.*s\"",
                  VIEW_ARG(splitting->asked->original));
        error_field(splitting->err, "original_start", 0);
        return STET_NOT_FOUND;
    }
    splitting->at = list[i];
    struct repeat alone = splitting->repeat;
    alone.series.exdate_count = alone.series.rdate_count = 0;
    status = repeat_expand(splitting->arena, splitting->exclusive, &alone, &list, &count,
                           splitting->err);
    if (status != STET_OK) return status;
    for (i = 0; i < count && list[i].start < splitting->at.start; i++)
        splitting->before++;
    splitting->by_rule = i < count && list[i].start == splitting->at.start;
    return STET_OK;
}

/* A time by the series' clock, written as its start is. */
static struct wall on_clock(const struct splitting *splitting, int64_t ns) {
    const struct series *series = &splitting->repeat.series;
    int64_t utc = civil_floor_div(ns, CLOCK_NS_PER_S);
    int32_t offset = series->zone == NULL ? series->start.offset : zone_offset(series->zone, utc);
    struct wall wall = {.local = utc + offset,
                        .ns = (int32_t)(ns - utc * CLOCK_NS_PER_S),
                        .has_date = true,
                        .has_time = series->start.has_time,
                        .has_offset = series->start.has_offset,
                        .offset = offset};
    /* What the zone's clock shows twice needs its offset to be the second one. */
    if (wall.has_time && series->zone != NULL && zone_resolve(series->zone, wall.local).utc != utc)
        wall.has_offset = true;
    return wall;
}

static stet_view basic_time(struct arena *arena, const struct splitting *splitting, int64_t ns) {
    struct wall wall = on_clock(splitting, ns);
    struct civil date = civil_of(wall.has_time ? civil_floor_div(ns, CLOCK_NS_PER_S) : wall.local);
    if (!wall.has_time) return arena_format(arena, "%04d%02d%02d", date.year, date.month, date.day);
    return arena_format(arena, "%04d%02d%02dT%02d%02d%02dZ", date.year, date.month, date.day,
                        date.hour, date.minute, date.second);
}

/* ---- Pieces of the new data --------------------------------------------------------------------------------------------------- */

/* The dates of a list that lie before the occurrence, or from it on, and perhaps one more: JSON. */
static stet_status split_dates(struct splitting *splitting, const stet_view *dates, size_t count,
                               bool later, bool all, stet_view more, stet_view *out) {
    const struct series *series = &splitting->repeat.series;
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, splitting->arena, 0);
    json_begin(&writer, &buffer);
    json_array_begin(&writer);
    for (size_t i = 0; i < count; i++) {
        struct wall wall;
        if (!series_parse_time(dates[i], &wall)) continue;
        bool is_later = wall.has_time ? series_instant(series, &wall) >= splitting->at.start
                                      : civil_floor_div(wall.local, CIVIL_DAY_S) >=
                                            civil_floor_div(splitting->at.local, CIVIL_DAY_S);
        if (all || is_later == later) json_text(&writer, dates[i]);
    }
    if (more.size > 0) json_text(&writer, more);
    json_array_end(&writer);
    *out = buffer_view(&buffer);
    return json_end(&writer) == STET_OK ? STET_OK : no_memory(splitting->err);
}

/* The rule without COUNT and UNTIL, and with what is given instead. */
static stet_view rule_with(struct splitting *splitting, const char *name, stet_view value) {
    struct buffer buffer;
    stet_view rest = splitting->repeat.series.rrule;
    buffer_init(&buffer, splitting->arena, 0);
    while (rest.size > 0) {
        const char *end = memchr(rest.bytes, ';', rest.size);
        size_t size = end == NULL ? rest.size : (size_t)(end - rest.bytes);
        bool ends = size > 6 && (view_equal_nocase(view_make(rest.bytes, 6), VIEW("COUNT=")) ||
                                 view_equal_nocase(view_make(rest.bytes, 6), VIEW("UNTIL=")));
        if (!ends) {
            if (buffer.size > 0) buffer_append_char(&buffer, ';');
            buffer_append(&buffer, rest.bytes, size);
        }
        size_t skip = end == NULL ? size : size + 1;
        rest = view_make(rest.bytes + skip, rest.size - skip);
    }
    buffer_append_char(&buffer, ';');
    buffer_append_text(&buffer, name);
    buffer_append_char(&buffer, '=');
    buffer_append_view(&buffer, value);
    return buffer_view(&buffer);
}

static stet_status put_times(struct splitting *splitting, stet_view *data) {
    const struct exclusive *exclusive = splitting->exclusive;
    struct wall start = on_clock(splitting, splitting->at.start);
    struct wall end = on_clock(splitting, splitting->at.end);
    if (splitting->repeat.series.start.has_time == splitting->repeat.series.end.has_time)
        end.has_time = start.has_time;
    stet_status status =
        put_time(splitting->arena, *data, &exclusive->start, &start, data, splitting->err);
    if (status == STET_OK && exclusive->duration.size == 0)
        status = put_time(splitting->arena, *data, &exclusive->end, &end, data, splitting->err);
    return status;
}

/* Puts a list there, or nothing where it is empty and there was none. */
static stet_status put_list(struct splitting *splitting, stet_view *data, stet_view pointer,
                            stet_view list) {
    if (pointer.size == 0) return STET_OK;
    if (list.size <= 2 && doc_pointer(&splitting->doc, pointer) == DOC_NONE) return STET_OK;
    return put_value(splitting->arena, *data, pointer, list, data, splitting->err);
}

static stet_status apply_patch(struct splitting *splitting, stet_view *data) {
    struct doc target, patch;
    stet_status status = doc_parse(splitting->arena, *data, NULL, &target, splitting->err);
    if (status == STET_OK)
        status = doc_parse(splitting->arena, splitting->asked->patch, NULL, &patch, splitting->err);
    if (status == STET_OK)
        status = doc_merge_patch(splitting->arena, &target, &patch, data, splitting->err);
    return status;
}

/* ---- The transaction ---------------------------------------------------------------------------------------------------------- */

static stet_mutation *add(struct splitting *splitting, stet_op op, stet_view id, stet_view body) {
    stet_mutation *mutation = &splitting->list[splitting->count++];
    *mutation = (stet_mutation){.op = op,
                                .type = splitting->asked->type,
                                .id = id,
                                .body = body,
                                .on_conflict = STET_STRATEGY_REJECT};
    return mutation;
}

static void add_on_series(struct splitting *splitting, stet_op op, stet_view body) {
    stet_mutation *mutation = add(splitting, op, splitting->asked->id, body);
    mutation->base = (stet_base){.kind = STET_BASE_VERSION, .value = splitting->asked->base};
}

static stet_status make_one(struct splitting *splitting) {
    const struct exclusive_recurrence *recurrence = &splitting->exclusive->recurrence;
    const struct series *series = &splitting->repeat.series;
    struct arena *arena = splitting->arena;
    struct wall at = on_clock(splitting, splitting->at.start);
    stet_view left_out, patch = VIEW("{}"), data = splitting->data, id;
    if (recurrence->exdate.size == 0 || recurrence->series.size == 0)
        return bad(splitting->err, "scope",
                   "the type's recurrence declares no exdate, series and original_start");
    stet_status status = split_dates(splitting, series->exdates, series->exdate_count, false, true,
                                     time_text(arena, &at), &left_out);
    if (status == STET_OK)
        status = put_value(arena, patch, recurrence->exdate, left_out, &patch, splitting->err);
    if (status != STET_OK) return status;
    add_on_series(splitting, STET_OP_PATCH, patch);
    if (splitting->asked->deletes) return STET_OK;
    /* In UTC: it names the occurrence whatever becomes of the record's zone. */
    struct wall original = at;
    if (at.has_time) {
        original.local = civil_floor_div(splitting->at.start, CLOCK_NS_PER_S);
        original.has_offset = true;
        original.offset = 0;
    }
    status = put_times(splitting, &data);
    const stet_view gone[] = {recurrence->rrule, recurrence->exdate, recurrence->rdate};
    for (size_t i = 0; status == STET_OK && i < 3; i++)
        if (gone[i].size > 0 && doc_pointer(&splitting->doc, gone[i]) != DOC_NONE)
            status = put_value(arena, data, gone[i], (stet_view){0}, &data, splitting->err);
    if (status == STET_OK)
        status =
            put_text(arena, data, recurrence->series, splitting->asked->id, &data, splitting->err);
    if (status == STET_OK)
        status = put_text(arena, data, recurrence->original_start, time_text(arena, &original),
                          &data, splitting->err);
    if (status == STET_OK) status = apply_patch(splitting, &data);
    if (status != STET_OK) return status;
    id = arena_format(arena, "%.*s~%s", VIEW_ARG(splitting->asked->id),
                      basic_time(arena, splitting, splitting->at.start).bytes);
    if (id.bytes == NULL) return no_memory(splitting->err);
    status = check_id(id, "id", splitting->err);
    if (status == STET_OK) add(splitting, STET_OP_CREATE, id, data);
    return status;
}

/* Occurrences that have records of their own, from the one that is meant on: they go with a deletion. */
static stet_status delete_exceptions(struct splitting *splitting, int64_t from) {
    struct stet_command *command = splitting->command;
    struct arena *arena = splitting->arena;
    struct store_reader *reader;
    stet_view prefix = arena_format(arena, "%.*s~", VIEW_ARG(splitting->asked->id));
    stet_view after = prefix;
    size_t count = EXCEPTIONS_CHUNK;
    if (prefix.bytes == NULL) return no_memory(splitting->err);
    stet_status status = space_reader_take(command->space, &reader, splitting->err);
    if (status != STET_OK) return status;
    while (status == STET_OK && count == EXCEPTIONS_CHUNK) {
        struct store_row rows[EXCEPTIONS_CHUNK];
        status = store_scan(reader, arena, splitting->asked->type, after, EXCEPTIONS_CHUNK, rows,
                            &count, splitting->err);
        for (size_t i = 0; status == STET_OK && i < count; i++) {
            struct store_change change;
            struct doc doc;
            struct wall wall;
            stet_view series, original;
            after = rows[i].id;
            if (!view_starts(rows[i].id, prefix)) {
                count = 0;
                break;
            }
            if (rows[i].head.deleted) continue;
            status = store_change_at(reader, arena, rows[i].head.seq, &change, splitting->err);
            if (status == STET_OK) status = change_parse(arena, change.data, &doc, splitting->err);
            if (status == STET_OK)
                status = repeat_exception(arena, splitting->exclusive, &doc, &series, &original,
                                          splitting->err);
            if (status != STET_OK) break;
            if (!view_equal(series, splitting->asked->id) || !series_parse_time(original, &wall) ||
                series_instant(&splitting->repeat.series, &wall) < from)
                continue;
            if (splitting->count == EXCEPTIONS_MAX) {
                status = error_set(splitting->err, STET_TOO_LARGE,
                                   "more than %d occurrences of it were changed by themselves",
                                   EXCEPTIONS_MAX);
                break;
            }
            stet_mutation *mutation = add(splitting, STET_OP_DELETE, rows[i].id, (stet_view){0});
            mutation->base = (stet_base){.kind = STET_BASE_VERSION, .value = rows[i].head.version};
        }
    }
    space_reader_give(command->space, reader);
    return status;
}

static stet_status make_all(struct splitting *splitting) {
    add_on_series(splitting, splitting->asked->deletes ? STET_OP_DELETE : STET_OP_PATCH,
                  splitting->asked->patch);
    return splitting->asked->deletes ? delete_exceptions(splitting, INT64_MIN) : STET_OK;
}

static stet_status end_series(struct splitting *splitting, stet_view *patch) {
    const struct exclusive_recurrence *recurrence = &splitting->exclusive->recurrence;
    const struct series *series = &splitting->repeat.series;
    struct arena *arena = splitting->arena;
    bool days = !series->start.has_time;
    int64_t last = splitting->at.start - (days ? CIVIL_DAY_S * CLOCK_NS_PER_S : CLOCK_NS_PER_S);
    stet_view dates, until;
    *patch = VIEW("{}");
    if (days) {
        struct civil date = civil_of(splitting->at.local - CIVIL_DAY_S);
        until = arena_format(arena, "%04d%02d%02d", date.year, date.month, date.day);
    } else {
        until = basic_time(arena, splitting, last);
    }
    stet_view rule = rule_with(splitting, "UNTIL", until);
    if (until.bytes == NULL || rule.bytes == NULL) return no_memory(splitting->err);
    stet_status status = put_text(arena, *patch, recurrence->rrule, rule, patch, splitting->err);
    if (status == STET_OK)
        status = split_dates(splitting, series->exdates, series->exdate_count, false, false,
                             (stet_view){0}, &dates);
    if (status == STET_OK) status = put_list(splitting, patch, recurrence->exdate, dates);
    if (status == STET_OK)
        status = split_dates(splitting, series->rdates, series->rdate_count, false, false,
                             (stet_view){0}, &dates);
    if (status == STET_OK) status = put_list(splitting, patch, recurrence->rdate, dates);
    return status;
}

static stet_status begin_series(struct splitting *splitting, stet_view *data) {
    const struct exclusive_recurrence *recurrence = &splitting->exclusive->recurrence;
    const struct series *series = &splitting->repeat.series;
    struct arena *arena = splitting->arena;
    struct recur_rule *rule = arena_alloc(arena, sizeof *rule);
    stet_view dates;
    *data = splitting->data;
    if (rule == NULL) return no_memory(splitting->err);
    stet_status status = recur_parse(series->rrule, rule, splitting->err);
    if (status == STET_OK && rule->count > 0) {
        stet_view left =
            arena_format(arena, "%llu", (unsigned long long)(rule->count - splitting->before));
        stet_view text = rule_with(splitting, "COUNT", left);
        if (left.bytes == NULL || text.bytes == NULL) return no_memory(splitting->err);
        status = put_text(arena, *data, recurrence->rrule, text, data, splitting->err);
    }
    if (status == STET_OK) status = put_times(splitting, data);
    if (status == STET_OK)
        status = split_dates(splitting, series->exdates, series->exdate_count, true, false,
                             (stet_view){0}, &dates);
    if (status == STET_OK) status = put_list(splitting, data, recurrence->exdate, dates);
    if (status == STET_OK)
        status = split_dates(splitting, series->rdates, series->rdate_count, true, false,
                             (stet_view){0}, &dates);
    if (status == STET_OK) status = put_list(splitting, data, recurrence->rdate, dates);
    return status == STET_OK ? apply_patch(splitting, data) : status;
}

static stet_status make_following(struct splitting *splitting) {
    stet_view patch, data;
    if (!splitting->by_rule)
        return bad(splitting->err, "original_start",
                   "that occurrence was added by its date; change it by itself");
    if (splitting->before == 0) return make_all(splitting);
    stet_status status = end_series(splitting, &patch);
    if (status != STET_OK) return status;
    add_on_series(splitting, STET_OP_PATCH, patch);
    if (splitting->asked->deletes) return delete_exceptions(splitting, splitting->at.start);
    status = begin_series(splitting, &data);
    if (status == STET_OK) add(splitting, STET_OP_CREATE, splitting->asked->new_id, data);
    return status;
}

/* ---- Preparing ---------------------------------------------------------------------------------------------------------------- */

static stet_status not_there(const struct splitting *splitting) {
    return error_set(splitting->err, STET_NOT_FOUND, "there is no record \"%.*s/%.*s\"",
                     VIEW_ARG(splitting->asked->type), VIEW_ARG(splitting->asked->id));
}

static stet_status read_series(struct splitting *splitting, const struct store_change *change) {
    struct viewer viewer = command_viewer(splitting->command);
    if (change->op == STORE_DELETE || !viewer_sees(&viewer, change)) return not_there(splitting);
    stet_status status = viewer_data(&viewer, splitting->arena, change, &splitting->data);
    if (status != STET_OK) return error_set(splitting->err, status, "could not read the series");
    splitting->data = arena_copy(splitting->arena, splitting->data);
    if (splitting->data.bytes == NULL) return no_memory(splitting->err);
    status = change_parse(splitting->arena, splitting->data, &splitting->doc, splitting->err);
    /* The declaration by which it repeats: of several the first that can. */
    const struct exclusive *exclusive = splitting->policy->exclusive;
    while (exclusive->next != NULL && !exclusive->repeats)
        exclusive = exclusive->next;
    splitting->exclusive = exclusive;
    if (status == STET_OK)
        status = repeat_read(splitting->arena, exclusive, &splitting->doc, &splitting->repeat,
                             splitting->err);
    if (status == STET_OK && !splitting->repeat.repeats)
        status = bad(splitting->err, "id", "the record does not repeat");
    return status;
}

static stet_status make(struct splitting *splitting) {
    if (splitting->asked->scope == STET_SERIES_ALL) return make_all(splitting);
    stet_status status = find_occurrence(splitting);
    if (status != STET_OK) return status;
    return splitting->asked->scope == STET_SERIES_ONE ? make_one(splitting)
                                                      : make_following(splitting);
}

static stet_status refuse_late(struct staging *staging, stet_error *err) {
    const struct change_of_series *asked = staging->command->module_data;
    if (err != NULL) *err = asked->failure;
    return asked->failure.status;
}

static stet_status prepare(struct stet_command *command, stet_error *err) {
    struct change_of_series *asked = command->module_data;
    struct splitting splitting = {
        .command = command, .arena = &command->arena, .asked = asked, .err = err};
    struct change *head;
    bool dry_run = command->dry_run;
    splitting.list = arena_zalloc(&command->arena, EXCEPTIONS_MAX + 4, sizeof *splitting.list);
    if (splitting.list == NULL) return no_memory(err);
    stet_status status = calendar_policy(command->space, asked->type, &splitting.policy, err);
    if (status != STET_OK) return status;
    status = client_head(command->client, command->space, asked->type, asked->id, &head, err);
    if (status == STET_NOT_FOUND) status = not_there(&splitting);
    if (status == STET_OK) {
        status = read_series(&splitting, &head->row);
        if (status == STET_OK) status = make(&splitting);
        change_unref(head);
    }
    policy_unref(splitting.policy);
    if (status != STET_OK && command->has_key && err != NULL && status != STET_NO_MEMORY) {
        asked->failure = *err;
        command->begin = refuse_late;
        return STET_OK;
    }
    if (status != STET_OK) return status;
    const stet_write write = {.mutations = splitting.list,
                              .mutation_count = splitting.count,
                              .transaction = true,
                              .source = VIEW("series"),
                              .dry_run = dry_run};
    command->kind = COMMAND_EMPTY;
    return command_fill_write(command, &write, err);
}

/* ---- Filling ------------------------------------------------------------------------------------------------------------------ */

static void hash_request(struct stet_command *command, const struct change_of_series *change) {
    char numbers[64];
    int size = snprintf(numbers, sizeof numbers, "series %d %d %llu", (int)change->scope,
                        change->deletes, (unsigned long long)change->base);
    const stet_view parts[] = {view_make(numbers, (size_t)size),
                               change->type,
                               change->id,
                               change->original,
                               change->patch,
                               change->new_id};
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, STORE_HASH_BYTES);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint64_t bytes = parts[i].size;
        crypto_generichash_update(&hash, (const unsigned char *)&bytes, sizeof bytes);
        crypto_generichash_update(&hash, (const unsigned char *)parts[i].bytes, parts[i].size);
    }
    crypto_generichash_final(&hash, command->request_hash, STORE_HASH_BYTES);
}

static stet_status check(const stet_series_change *asked, stet_error *err) {
    stet_status status = check_type_name(asked->type, "type", err);
    if (status == STET_OK) status = check_id(asked->id, "id", err);
    if (status == STET_OK && asked->new_id.size > 0)
        status = check_id(asked->new_id, "new_id", err);
    if (status != STET_OK) return status;
    if (asked->scope < STET_SERIES_ONE || asked->scope > STET_SERIES_ALL)
        return error_set(err, STET_MISUSE, "there is no such scope");
    if (asked->base == STET_VERSION_NONE) {
        error_set(err, STET_PRECONDITION_REQUIRED, "name the version of the series you have seen");
        error_field(err, "base_version", 0);
        return STET_PRECONDITION_REQUIRED;
    }
    if (asked->scope != STET_SERIES_ALL && asked->original_start.size == 0)
        return bad(err, "original_start", "say which occurrence is meant");
    if (asked->new_id.size > 0 && (asked->scope != STET_SERIES_FOLLOWING || asked->deletes))
        return bad(err, "new_id", "goes with the scope \"following\" and a patch");
    if (asked->deletes != (asked->patch.size == 0))
        return bad(err, "patch", "there is either a patch, or a deletion");
    if (asked->patch.size > DATA_BYTES_MAX) {
        error_set(err, STET_TOO_LARGE, "a patch is at most %u bytes", DATA_BYTES_MAX);
        error_field(err, "patch", DATA_BYTES_MAX);
        return STET_TOO_LARGE;
    }
    return STET_OK;
}

stet_status calendar_fill_series(struct stet_command *command, const stet_series_change *asked,
                                 stet_error *err) {
    struct arena *arena = &command->arena;
    struct doc patch;
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check(asked, err);
    if (status != STET_OK) return status;
    struct change_of_series *kept = arena_zalloc(arena, 1, sizeof *kept);
    if (kept == NULL) return no_memory(err);
    *kept = (struct change_of_series){.type = arena_copy(arena, asked->type),
                                      .id = arena_copy(arena, asked->id),
                                      .original = arena_copy(arena, asked->original_start),
                                      .patch = arena_copy(arena, asked->patch),
                                      .new_id = arena_copy(arena, asked->new_id),
                                      .base = asked->base,
                                      .scope = asked->scope,
                                      .deletes = asked->deletes};
    if (kept->type.bytes == NULL || kept->id.bytes == NULL || kept->original.bytes == NULL ||
        kept->patch.bytes == NULL || kept->new_id.bytes == NULL)
        return no_memory(err);
    if (!kept->deletes) {
        status = doc_parse(arena, kept->patch, NULL, &patch, err);
        if (status == STET_OK && doc_kind(&patch, 0) != DOC_OBJECT)
            status = bad(err, "patch", "is an object");
        if (status != STET_OK) return status;
    }
    if (asked->mutation_key.size > 0) {
        status = command_set_key(command, asked->mutation_key, err);
        if (status != STET_OK) return status;
        hash_request(command, kept);
    }
    command->mutations = arena_zalloc(arena, 1, sizeof *command->mutations);
    if (command->mutations == NULL) return no_memory(err);
    command->kind = COMMAND_WRITE;
    command->transaction = true;
    command->dry_run = asked->dry_run;
    command->module_data = kept;
    command->prepare = prepare;
    return STET_OK;
}
