#include "core/export.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/list.h"
#include "core/query.h"
#include "core/read.h"
#include "core/render.h"
#include "core/space.h"

#include <sodium.h>
#include <stdlib.h>

/* A page that finds nothing goes on for so many changes before it lets others have their turn. */
enum { ROWS_CHUNK = 128, ROWS_BYTES = 1024 * 1024, ROWS_SCANNED_MAX = 20000 };
enum { MEMO_SIZE = 512, MEMO_SCRATCH_BYTES = 4096, VERSIONS_CHUNK = 64 };

/* In the command's arena. */
struct export {
    stet_export options; /* Copied. */
    struct expr *where;  /* NULL: all. */
    stet_export_page page;
};

stet_export_page export_page(const struct stet_command *command) {
    return command->kind == COMMAND_EXPORT ? command->export->page : (stet_export_page){0};
}

stet_status export_fill(struct stet_command *command, const stet_export *options, stet_error *err) {
    struct arena *arena = &command->arena;
    struct expr_options where = {.field = "where"};
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    if (options->type_count > SUBSCRIPTION_FILTERS_MAX) {
        error_set(err, STET_TOO_LARGE, "an export names at most %d types",
                  SUBSCRIPTION_FILTERS_MAX);
        error_field(err, "type", SUBSCRIPTION_FILTERS_MAX);
        return STET_TOO_LARGE;
    }
    struct export *export = arena_zalloc(arena, 1, sizeof *export);
    stet_view *types = arena_zalloc(arena, options->type_count + 1, sizeof *types);
    if (export == NULL || types == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    export->options = *options;
    export->options.types = types;
    export->options.where = (stet_view){0};
    for (size_t i = 0; i < options->type_count; i++) {
        stet_status status = check_type_name(options->types[i], "type", err);
        if (status != STET_OK) return status;
        types[i] = arena_copy(arena, options->types[i]);
        if (types[i].bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    }
    if (options->where.size > 0) {
        stet_status status = expr_parse(arena, options->where, &where, &export->where, err);
        if (status != STET_OK) return status;
    }
    command->export = export;
    command->kind = COMMAND_EXPORT;
    return STET_OK;
}

/* ---- One page ---------------------------------------------------------------------------- */

/* What was found out about a record, for its other versions on the page. */
struct memo {
    uint64_t first;      /* The record's number; 0: nothing. */
    uint64_t newest;     /* Seq of its newest change at as_of. */
    uint64_t shown_from; /* With history: the lowest version behind which none is missing. */
    uint64_t
        passed_over; /* Versions that have no number below the newest one: by an import's first, or by a restore. */
    bool matches;           /* It passes where. */
    bool lost;              /* How it was at as_of is no longer kept. */
    struct store_head head; /* As it is now. */
};

struct reading {
    struct stet_command *command;
    struct export *export;
    struct store_reader *reader;
    struct buffer *out;
    struct arena rows_arena;
    struct arena record_arena;
    struct store_change rows[ROWS_CHUNK];
    struct store_head heads[ROWS_CHUNK];
    uint64_t numbers[ROWS_CHUNK];
    struct store_type *types; /* With their floors, when history is asked for. */
    size_t type_count;
    size_t scanned;
    bool bound; /* The actor is no administrator: each version is judged by itself. */
    struct memo memos[MEMO_SIZE];
};

static bool is_named(const struct export *export, stet_view type) {
    const stet_export *options = &export->options;
    if (options->type_count == 0) return !type_is_system(type);
    for (size_t i = 0; i < options->type_count; i++) {
        if (view_equal(options->types[i], type)) return true;
    }
    return false;
}

static uint64_t floor_of(const struct reading *reading, stet_view type) {
    for (size_t i = 0; i < reading->type_count; i++) {
        if (view_equal(reading->types[i].name, type)) return reading->types[i].floor_seq;
    }
    return 0;
}

static stet_status find_created(void *context, struct arena *arena,
                                const struct store_change *change, struct created *created) {
    struct reading *reading = context;
    return read_created(reading->reader, arena, change, created, NULL);
}

/* Whether the export is to have a record, as far as the actor sees it. */
static stet_status judge(struct reading *reading, const struct store_change *change, bool *matches,
                         stet_error *err) {
    struct viewer viewer = command_viewer(reading->command);
    struct store_change seen = *change;
    struct query_record record = {.change = &seen,
                                  .arena = &reading->record_arena,
                                  .find_created = find_created,
                                  .context = reading};
    *matches = viewer_sees(&viewer, change);
    if (!*matches || reading->export->where == NULL || view_is_empty(change->data)) return STET_OK;
    stet_status status = viewer_data(&viewer, &reading->record_arena, change, &seen.data);
    if (status == STET_OK) status = query_record_init(&record, err);
    if (status != STET_OK) return status;
    *matches = query_record_matches(&record, reading->export->where);
    if (record.status == STET_OK) return STET_OK;
    return error_set(err, record.status, "could not read a record of an export");
}

/* Who may not read a record as it is now does not see what it was. */
static stet_status judge_head(struct reading *reading, const struct store_change *newest,
                              struct memo *memo, stet_error *err) {
    struct viewer viewer = command_viewer(reading->command);
    struct store_change now;
    if (!memo->matches || memo->head.seq == newest->seq || viewer_sees_all(&viewer, newest->type))
        return STET_OK;
    stet_status status =
        store_change_at(reading->reader, &reading->record_arena, memo->head.seq, &now, err);
    if (status == STET_OK) memo->matches = viewer_sees(&viewer, &now);
    return status;
}

/* The lowest version from which on none up to the newest at as_of was let go. */
static stet_status find_shown_from(struct reading *reading, struct memo *memo, stet_view type,
                                   uint64_t newest, stet_error *err) {
    struct store_change versions[VERSIONS_CHUNK];
    uint64_t before = newest + 1;
    size_t count = VERSIONS_CHUNK;
    bool gap = false;
    stet_status status = STET_OK;
    /* Nothing of its type was let go: then nothing is missing below its first version either. */
    memo->shown_from = 1;
    if (floor_of(reading, type) == 0) return STET_OK;
    memo->shown_from = newest + 1;
    while (status == STET_OK && !gap && before > 1 && count == VERSIONS_CHUNK) {
        struct arena arena;
        arena_init(&arena, MEMO_SCRATCH_BYTES);
        status = store_history(reading->reader, &arena, &memo->head, before, VERSIONS_CHUNK, false,
                               versions, &count, err);
        for (size_t i = 0; status == STET_OK && i < count && !gap; i++) {
            before = versions[i].version;
            gap = versions[i].pruned;
            if (!gap) memo->shown_from = before;
        }
        arena_done(&arena);
    }
    return status;
}

/* What must be known of a change's record. */
static stet_status look(struct reading *reading, const struct store_change *change,
                        const struct store_head *head, struct memo **out, stet_error *err) {
    struct memo *memo = &reading->memos[change->first % MEMO_SIZE];
    const stet_export *options = &reading->export->options;
    struct store_change newest = *change;
    stet_status status = STET_OK;
    *out = memo;
    if (memo->first == change->first) return STET_OK;
    *memo = (struct memo){.head = *head, .matches = true};
    if (head->seq <= options->as_of) {
        memo->newest = head->seq;
        if (head->seq != change->seq && (reading->export->where != NULL || reading->bound))
            status =
                store_change_at(reading->reader, &reading->record_arena, head->seq, &newest, err);
    } else {
        status = store_find(reading->reader, &reading->record_arena, head, STORE_BOUND_SEQ,
                            options->as_of, &newest, err);
        memo->newest = newest.seq;
        memo->lost = status == STET_OK && newest.pruned;
        if (memo->lost)
            status =
                store_change_at(reading->reader, &reading->record_arena, head->seq, &newest, err);
    }
    if (status == STET_OK) status = judge(reading, &newest, &memo->matches, err);
    if (status == STET_OK) status = judge_head(reading, &newest, memo, err);
    if (status == STET_OK && memo->matches && options->history) {
        const bool is_head = head->seq <= options->as_of;
        memo->passed_over =
            is_head ? head->version - head->ordinal : newest.version - newest.ordinal;
        status = find_shown_from(reading, memo, change->type,
                                 is_head ? head->version : newest.version, err);
    }
    if (status == STET_OK) memo->first = change->first;
    return status;
}

/* seq: its place in the export, by which it is gone on from. */
static stet_status show(struct reading *reading, const struct store_change *change, uint64_t seq,
                        bool with_created, bool with_data, stet_error *err) {
    struct json_writer writer;
    struct created created;
    struct store_change shown = *change;
    struct viewer viewer = command_viewer(reading->command);
    if (with_created) {
        stet_status status =
            read_created(reading->reader, &reading->record_arena, change, &created, err);
        if (status != STET_OK) return status;
    }
    shown.seq = seq;
    json_begin(&writer, reading->out);
    render_export_line(&writer, &viewer, &shown, with_created ? &created : NULL,
                       reading->export->options.history, with_data);
    (void)json_end(&writer);
    buffer_append_char(reading->out, '\n');
    reading->export->page.lines++;
    return buffer_status(reading->out) == STET_OK
               ? STET_OK
               : error_set(err, buffer_status(reading->out), "could not write an export");
}

/* Whether it is a record's first version after a restore, which passes versions over. Most records have none, and their
 * numbers say so. */
static stet_status is_after_gap(struct reading *reading, const struct store_change *change,
                                bool *yes, stet_error *err) {
    struct store_change before;
    *yes = false;
    if (reading->command->space->life == 0 || change->prev == 0 ||
        change->version <= change->ordinal)
        return STET_OK;
    stet_status status =
        store_change_at(reading->reader, &reading->record_arena, change->prev, &before, err);
    *yes = status == STET_OK && before.version + 1 != change->version;
    return status;
}

/* An import takes versions without a gap only, so what stands before one is left out like what is no longer kept. */
static stet_status show_version(struct reading *reading, const struct store_change *change,
                                const struct memo *memo, stet_error *err) {
    bool after_gap;
    if (change->pruned || change->version < memo->shown_from ||
        change->version - change->ordinal != memo->passed_over) {
        reading->export->page.pruned++;
        return STET_OK;
    }
    struct viewer viewer = command_viewer(reading->command);
    if (reading->bound && !viewer_sees(&viewer, change)) return STET_OK;
    stet_status status = is_after_gap(reading, change, &after_gap, err);
    if (status != STET_OK) return status;
    bool first = after_gap || change->version == memo->shown_from || change->seq == change->first;
    return show(reading, change, change->seq, first, change->op != STORE_DELETE || first, err);
}

static stet_status show_state(struct reading *reading, const struct store_change *change,
                              const struct memo *memo, stet_error *err) {
    struct store_change now;
    if (change->seq != memo->newest) return STET_OK;
    if (!memo->lost && !change->pruned) {
        return change->op == STORE_DELETE ? STET_OK
                                          : show(reading, change, change->seq, true, true, err);
    }
    reading->export->page.newer++;
    if (memo->head.deleted) return STET_OK;
    stet_status status =
        store_change_at(reading->reader, &reading->record_arena, memo->head.seq, &now, err);
    return status == STET_OK ? show(reading, &now, change->seq, true, true, err) : status;
}

static stet_status take_row(struct reading *reading, size_t index, stet_error *err) {
    const struct store_change *change = &reading->rows[index];
    struct memo *memo;
    if (!is_named(reading->export, change->type)) return STET_OK;
    arena_reset(&reading->record_arena);
    stet_status status = look(reading, change, &reading->heads[index], &memo, err);
    if (status != STET_OK || !memo->matches) return status;
    return reading->export->options.history ? show_version(reading, change, memo, err)
                                            : show_state(reading, change, memo, err);
}

/* *end: the page is full, or there is nothing more. */
static stet_status take_chunk(struct reading *reading, bool *end, stet_error *err) {
    stet_export_page *page = &reading->export->page;
    size_t count;
    arena_reset(&reading->rows_arena);
    stet_status status = store_since(reading->reader, &reading->rows_arena, page->next, ROWS_CHUNK,
                                     ROWS_BYTES, reading->rows, &count, err);
    for (size_t i = 0; status == STET_OK && i < count; i++)
        reading->numbers[i] = reading->rows[i].first;
    if (status == STET_OK && count > 0)
        status = store_records_of(reading->reader, &reading->rows_arena, reading->numbers, count,
                                  false, reading->heads, NULL, err);
    for (size_t i = 0; status == STET_OK && i < count; i++) {
        if (reading->rows[i].seq > page->as_of) {
            page->next = page->as_of;
            break;
        }
        if (reading->out->size >= EXPORT_PAGE_BYTES_MAX) break;
        status = take_row(reading, i, err);
        page->next = reading->rows[i].seq;
    }
    if (count == 0) page->next = page->as_of;
    reading->scanned += count;
    page->end = page->next >= page->as_of;
    *end = page->end || reading->out->size >= EXPORT_PAGE_BYTES_MAX ||
           reading->scanned >= ROWS_SCANNED_MAX;
    return status;
}

static stet_status check_request(struct stet_command *command, stet_error *err) {
    stet_export *options = &command->export->options;
    uint64_t published = ring_published(&command->space->ring);
    stet_status scope = actor_demand(&command->actor, STET_SCOPE_EXPORT, err);
    if (scope != STET_OK) return scope;
    for (size_t i = 0; i < options->type_count; i++) {
        stet_status status = read_type_allowed(command, options->types[i], err);
        if (status != STET_OK) return status;
    }
    if (options->as_of == 0) options->as_of = published;
    const char *field = options->as_of > published        ? "as_of"
                        : options->after > options->as_of ? "after"
                                                          : NULL;
    if (field == NULL) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "\"%s\" is a position that is not reached yet", field);
    error_field(err, field, 0);
    return STET_BAD_REQUEST;
}

/* The space's secret is its own and renewed by a restore; of its hash nobody learns it. */
static uint64_t source_of(const struct space *space) {
    static const char label[] = "source of exports";
    unsigned char hash[crypto_generichash_BYTES_MIN];
    uint64_t source;
    crypto_generichash(hash, sizeof hash, (const unsigned char *)label, sizeof label, space->secret,
                       sizeof space->secret);
    memcpy(&source, hash, sizeof source);
    return source;
}

stet_status export_run(struct stet_command *command, struct store_reader *reader,
                       struct buffer *out, stet_error *err) {
    struct export *export = command->export;
    bool end = false;
    stet_status status = check_request(command, err);
    if (status != STET_OK) return status;
    struct reading *reading = calloc(1, sizeof *reading);
    if (reading == NULL) return error_set(err, STET_NO_MEMORY, "could not read an export");
    reading->command = command;
    reading->bound = !command->actor.admin;
    reading->export = export;
    reading->reader = reader;
    reading->out = out;
    arena_init(&reading->rows_arena, 65536);
    arena_init(&reading->record_arena, 16384);
    export->page = (stet_export_page){.source = source_of(command->space),
                                      .as_of = export->options.as_of,
                                      .next = export->options.after};
    command->decided_seq = export->options.as_of;
    if (export->options.history)
        status = store_types(reader, &command->arena, &reading->types, &reading->type_count, err);
    while (status == STET_OK && !end)
        status = take_chunk(reading, &end, err);
    arena_done(&reading->rows_arena);
    arena_done(&reading->record_arena);
    free(reading);
    return status;
}
