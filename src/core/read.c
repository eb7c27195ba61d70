#include "core/read.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/activity.h"
#include "core/engine.h"
#include "core/export.h"
#include "core/list.h"
#include "core/space.h"
#include "doc/diff.h"

#include <assert.h>

/* With data, few versions are held at once: each may be DATA_BYTES_MAX long. */
enum { HISTORY_CHUNK = 128, HISTORY_CHUNK_WITH_DATA = 8, SCRATCH_BYTES = 16 * 1024 };

stet_status read_created(struct store_reader *reader, struct arena *arena,
                         const struct store_change *change, struct created *created,
                         stet_error *err) {
    struct store_change first;
    stet_status status;
    if (change->first == change->seq || change->first == 0) {
        change_created(arena, change, created);
        return STET_OK;
    }
    status = store_change_at(reader, arena, change->first, &first, err);
    if (status != STET_OK) return status;
    change_created(arena, &first, created);
    return STET_OK;
}

stet_status read_each_live(struct store_reader *reader, struct arena *arena, stet_view type,
                           read_visit *visit, void *context, stet_error *err) {
    enum { PAGE = 256 };
    struct store_row rows[PAGE];
    stet_view after = {0};
    size_t count;
    do {
        stet_status status = store_scan(reader, arena, type, after, PAGE, rows, &count, err);
        if (status != STET_OK) return status;
        for (size_t i = 0; i < count; i++) {
            struct store_change change;
            after = rows[i].id;
            if (rows[i].head.deleted) continue;
            status = store_change_at(reader, arena, rows[i].head.seq, &change, err);
            if (status == STET_OK) status = visit(context, &change, err);
            if (status != STET_OK) return status;
        }
    } while (count == PAGE);
    return STET_OK;
}

struct listing {
    struct store_reader *reader;
    struct arena *arena;
    struct json_writer writer;
    struct viewer viewer;
};

static stet_status list_one(void *context, const struct store_change *change, stet_error *err) {
    struct listing *listing = context;
    struct created created;
    if (!viewer_sees(&listing->viewer, change)) return STET_OK;
    stet_status status = read_created(listing->reader, listing->arena, change, &created, err);
    if (status != STET_OK) return status;
    json_object_begin(&listing->writer);
    render_flat_members(&listing->writer, change, &created);
    json_object_end(&listing->writer);
    return STET_OK;
}

stet_status read_list_live(struct stet_command *command, struct store_reader *reader,
                           stet_view type, stet_view member, struct buffer *out, stet_error *err) {
    struct listing listing = {
        .reader = reader, .arena = &command->arena, .viewer = command_viewer(command)};
    command->decided_seq = ring_published(&command->space->ring);
    json_begin(&listing.writer, out);
    json_object_begin(&listing.writer);
    json_key(&listing.writer, member);
    json_array_begin(&listing.writer);
    stet_status status = read_each_live(reader, &command->arena, type, list_one, &listing, err);
    json_array_end(&listing.writer);
    json_member_u64(&listing.writer, VIEW("seq"), command->decided_seq);
    json_object_end(&listing.writer);
    return status;
}

stet_status read_wait(struct space *space, uint64_t min_seq, stet_error *err) {
    unsigned timeout_ms = MIN_SEQ_WAIT_MS_MAX;
    if (ring_published(&space->ring) >= min_seq) return STET_OK;
    /* On one server every seq anybody was told is published, so what is waited for will hardly come. One may wait in case it
       does; the workers are not to be filled with such readers. */
    if (atomic_load_explicit(&space->ring.waiters, memory_order_relaxed) > 0) timeout_ms = 0;
    if (space->engine != NULL && space->engine->seams.manual) timeout_ms = 0;
    if (ring_wait(&space->ring, min_seq, timeout_ms)) return STET_OK;
    error_set(err, STET_UNAVAILABLE, "seq %llu is not reached yet", (unsigned long long)min_seq);
    error_field(err, "min_seq", 0);
    return STET_UNAVAILABLE;
}

stet_status read_type_allowed(const struct stet_command *command, stet_view type, stet_error *err) {
    const struct module *owner;
    if (!type_is_system(type)) return STET_OK;
    owner = space_type_owner(command->space, type);
    if (owner != NULL && owner->may_read != NULL) return STET_OK;
    return error_set(err, STET_FORBIDDEN, "records of type \"%.*s\" are not read this way",
                     VIEW_ARG(type));
}

/* ---- One record -------------------------------------------------------------------------- */

static stet_status no_such_record(stet_view type, stet_view id, stet_error *err) {
    return error_set(err, STET_NOT_FOUND, "there is no record \"%.*s/%.*s\"", VIEW_ARG(type),
                     VIEW_ARG(id));
}

/* The record as of `seq`: its head row, whatever that is newer, and its newest change at most at seq. */
static stet_status record_at(struct stet_command *command, struct store_reader *reader,
                             stet_view type, stet_view id, uint64_t seq, struct store_head *head,
                             struct store_change *change, stet_error *err) {
    struct viewer viewer = command_viewer(command);
    stet_status status = read_type_allowed(command, type, err);
    if (status != STET_OK) return status;
    status = store_head(reader, type, id, head, err);
    if (status != STET_OK) return status;
    if (head->version == 0 || head->first > seq) return no_such_record(type, id, err);
    if (head->seq <= seq)
        status = store_change_at(reader, &command->arena, head->seq, change, err);
    else
        status = store_find(reader, &command->arena, head, STORE_BOUND_SEQ, seq, change, err);
    if (status == STET_NOT_FOUND) return no_such_record(type, id, err);
    if (status != STET_OK || viewer_sees(&viewer, change)) return status;
    return type_is_system(type)
               ? error_set(err, STET_FORBIDDEN, "record \"%.*s/%.*s\" is not yours to read",
                           VIEW_ARG(type), VIEW_ARG(id))
               : no_such_record(type, id, err);
}

/* ---- History ----------------------------------------------------------------------------- */

struct history_page {
    struct stet_command *command;
    struct viewer viewer;
    struct sight sight;
    bool data; /* Versions are read with their data: to be shown, or to be judged by. */
    struct store_reader *reader;
    struct json_writer *writer;
    struct store_head head;
    uint64_t before;   /* Versions below come next; 0: from the head. */
    size_t left;       /* How many more may be shown. */
    size_t bytes_from; /* The answer's size when the page began. */
    bool more;         /* There is an older version that was not shown. */
};

static bool history_full(const struct history_page *page) {
    size_t written = page->writer->buffer->size - page->bytes_from;
    return page->left == 0 || written >= LIST_PAGE_BYTES_MAX;
}

/* Shows one chunk. *end: there is nothing older, or the page is full. */
static stet_status history_chunk(struct history_page *page, struct arena *arena, bool *end,
                                 stet_error *err) {
    const stet_history *request = &page->command->history;
    struct store_change changes[HISTORY_CHUNK];
    size_t chunk = page->data ? HISTORY_CHUNK_WITH_DATA : HISTORY_CHUNK;
    size_t count = 0;
    stet_status status;
    /* One more than is shown tells whether anything is older. */
    if (chunk > page->left + 1) chunk = page->left + 1;
    status = store_history(page->reader, arena, &page->head, page->before, chunk, page->data,
                           changes, &count, err);
    if (status != STET_OK) return status;
    *end = count < chunk;
    for (size_t index = 0; index < count; index++) {
        if (changes[index].seq > page->command->decided_seq) {
            page->before = changes[index].version;
            continue;
        }
        if (history_full(page)) {
            page->more = true;
            *end = true;
            break;
        }
        page->before = changes[index].version;
        if (!sight_sees(&page->sight, arena, &changes[index], NULL)) continue;
        render_history_entry(page->writer, &page->viewer, &changes[index], request->data);
        page->left--;
    }
    /* The first version has nothing before it, and a bound of 0 would mean the head. */
    if (page->before <= 1) *end = true;
    return STET_OK;
}

static stet_status run_history(struct stet_command *command, struct store_reader *reader,
                               struct json_writer *writer, stet_error *err) {
    const stet_history *request = &command->history;
    struct store_change newest;
    struct history_page page = {.command = command,
                                .reader = reader,
                                .writer = writer,
                                .before = request->before,
                                .bytes_from = writer->buffer->size};
    struct arena arena;
    bool end = request->before == 1;
    stet_status status = record_at(command, reader, request->type, request->id,
                                   command->decided_seq, &page.head, &newest, err);
    if (status != STET_OK) return status;
    page.viewer = command_viewer(command);
    sight_begin(&page.sight, &page.viewer, request->type);
    page.data = request->data || page.sight.hides ||
                (!page.sight.system && page.sight.reads == EXPR_DEPENDS);
    page.left = request->limit == 0 ? HISTORY_LIMIT_DEFAULT : request->limit;
    if (page.left > HISTORY_LIMIT_MAX) page.left = HISTORY_LIMIT_MAX;
    arena_init(&arena, SCRATCH_BYTES);
    json_object_begin(writer);
    json_key(writer, VIEW("changes"));
    json_array_begin(writer);
    while (status == STET_OK && !end) {
        arena_reset(&arena);
        status = history_chunk(&page, &arena, &end, err);
    }
    json_array_end(writer);
    if (page.more) json_member_u64(writer, VIEW("next"), page.before);
    json_object_end(writer);
    sight_end(&page.sight);
    arena_done(&arena);
    return status;
}

/* ---- Differences ------------------------------------------------------------------------- */

static stet_status no_such_version(const char *field, stet_version version, stet_error *err) {
    error_set(err, STET_NOT_FOUND, "there is no version %llu", (unsigned long long)version);
    error_field(err, field, 0);
    return STET_NOT_FOUND;
}

/* The change that made a version, with its data parsed; a tombstone's document is none. */
static stet_status version_doc(struct stet_command *command, struct store_reader *reader,
                               const struct store_head *head, const char *field,
                               stet_version version, struct store_change *change, struct doc *doc,
                               stet_error *err) {
    struct arena *arena = &command->arena;
    stet_status status;
    if (version == STET_VERSION_NONE || version > head->version)
        return no_such_version(field, version, err);
    status = store_find(reader, arena, head, STORE_BOUND_VERSION, version, change, err);
    if (status == STET_NOT_FOUND) return no_such_version(field, version, err);
    if (status != STET_OK) return status;
    if (change->version != version || change->seq > command->decided_seq)
        return no_such_version(field, version, err);
    struct viewer viewer = command_viewer(command);
    if (!viewer_sees(&viewer, change)) return no_such_version(field, version, err);
    if (change->op == STORE_DELETE) {
        *doc = (struct doc){0};
        return STET_OK;
    }
    if (view_is_empty(change->data)) {
        error_set(err, STET_PRUNED, "the data of version %llu is no longer kept",
                  (unsigned long long)version);
        error_field(err, field, 0);
        return STET_PRUNED;
    }
    stet_view data;
    status = viewer_data(&viewer, arena, change, &data);
    if (status != STET_OK) return error_set(err, status, "out of memory for a version");
    return doc_parse(arena, data, NULL, doc, err);
}

static void render_difference(struct json_writer *writer, stet_view pointer, stet_view from,
                              stet_view to) {
    json_object_begin(writer);
    json_member_text(writer, VIEW("pointer"), pointer);
    if (!view_is_empty(from)) json_member_raw(writer, VIEW("from"), from);
    if (!view_is_empty(to)) json_member_raw(writer, VIEW("to"), to);
    json_object_end(writer);
}

static stet_status render_differences(struct stet_command *command, struct json_writer *writer,
                                      const struct doc *from, const struct doc *to,
                                      stet_error *err) {
    struct doc_difference *differences = NULL;
    size_t count = 0;
    stet_status status;
    if (from->count == 0 || to->count == 0) {
        /* A tombstone on one side: the whole document came or went. */
        if (from->count != to->count) render_difference(writer, VIEW(""), from->text, to->text);
        return STET_OK;
    }
    status = doc_diff(&command->arena, from, to, &differences, &count, err);
    for (size_t index = 0; status == STET_OK && index < count; index++) {
        const struct doc_difference *one = &differences[index];
        render_difference(writer, one->pointer,
                          one->a == DOC_NONE ? (stet_view){0} : doc_text(from, one->a),
                          one->b == DOC_NONE ? (stet_view){0} : doc_text(to, one->b));
    }
    return status;
}

static stet_status run_diff(struct stet_command *command, struct store_reader *reader,
                            struct json_writer *writer, stet_error *err) {
    struct store_head head;
    struct store_change newest, from_change, to_change;
    struct doc from, to;
    stet_version to_version = command->diff_to;
    stet_status status = record_at(command, reader, command->read.type, command->read.id,
                                   command->decided_seq, &head, &newest, err);
    if (status != STET_OK) return status;
    if (to_version == STET_VERSION_NONE) to_version = newest.version;
    status =
        version_doc(command, reader, &head, "from", command->diff_from, &from_change, &from, err);
    if (status != STET_OK) return status;
    status = version_doc(command, reader, &head, "to", to_version, &to_change, &to, err);
    if (status != STET_OK) return status;
    json_object_begin(writer);
    json_member_u64(writer, VIEW("from"), command->diff_from);
    json_member_u64(writer, VIEW("to"), to_version);
    json_key(writer, VIEW("changes"));
    json_array_begin(writer);
    status = render_differences(command, writer, &from, &to, err);
    json_array_end(writer);
    json_object_end(writer);
    return status;
}

/* ---- Stats, check ------------ ----------------------------------------------------------- */

static void render_heat(struct stet_command *command, struct json_writer *writer) {
    struct heat_record hottest[HOT_RECORDS_SHOWN];
    struct viewer viewer = command_viewer(command);
    size_t count = heat_top(&command->space->heat, hottest, HOT_RECORDS_SHOWN);
    json_key(writer, VIEW("hot_records"));
    json_array_begin(writer);
    for (size_t i = 0; i < count; i++) {
        const struct heat_record *record = &hottest[i];
        if (!viewer_sees_all(&viewer, view_make(record->type, record->type_bytes))) continue;
        json_object_begin(writer);
        json_key(writer, VIEW("address"));
        render_address(writer, view_make(record->type, record->type_bytes),
                       view_make(record->id, record->id_bytes));
        json_member_u64(writer, VIEW("conflicts"), record->count);
        /* The table is bounded: some of them may have been another record's. */
        if (record->error > 0)
            json_member_u64(writer, VIEW("at_least"), record->count - record->error);
        json_object_end(writer);
    }
    json_array_end(writer);
}

static void render_conflict_counts(const struct space *space, struct json_writer *writer) {
    const struct space_counters *counters = &space->counters;
    const struct {
        const char *name;
        const _Atomic uint64_t *counter;
    } counts[] = {
        {"open", &counters->conflicts_open},
        {"opened", &counters->conflicts_opened},
        {"resolved", &counters->conflicts_resolved},
        {"expired", &counters->conflicts_expired},
        {"notices", &counters->notices},
    };
    json_key(writer, VIEW("conflicts"));
    json_object_begin(writer);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        json_member_u64(writer, view_of(counts[i].name),
                        atomic_load_explicit(counts[i].counter, memory_order_relaxed));
    json_object_end(writer);
}

static stet_status run_stats(struct stet_command *command, struct store_reader *reader,
                             struct json_writer *writer, stet_error *err) {
    struct store_type *types;
    struct store_usage usage;
    struct viewer viewer = command_viewer(command);
    size_t count;
    uint64_t records = 0;
    bool sees_all = true;
    stet_status status = store_types(reader, &command->arena, &types, &count, err);
    if (status != STET_OK) return status;
    store_usage(command->space->store, &usage);
    json_object_begin(writer);
    json_member_text(writer, VIEW("name"), view_of(command->space->name));
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_key(writer, VIEW("types"));
    json_object_begin(writer);
    for (size_t index = 0; index < count; index++) {
        struct sight sight;
        sight_begin(&sight, &viewer, types[index].name);
        records += sight.system ? 0 : types[index].live;
        sees_all = sees_all && (sight.system || sight.reads == EXPR_TRUE);
        /* Of what the actor may see some records of, how many there are is not theirs to know. */
        if (!sight.system || command->actor.admin) {
            if (sight.reads != EXPR_FALSE) {
                json_key(writer, types[index].name);
                json_object_begin(writer);
                if (sight.reads == EXPR_TRUE)
                    json_member_u64(writer, VIEW("records"), types[index].live);
                json_object_end(writer);
            }
        }
        sight_end(&sight);
    }
    json_object_end(writer);
    render_conflict_counts(command->space, writer);
    render_heat(command, writer);
    json_member_u64(writer, VIEW("bytes"), usage.file_bytes);
    json_member_u64(writer, VIEW("log_bytes"), usage.log_bytes);
    json_member_u64(writer, VIEW("checkpoints"), usage.checkpoints);
    json_key(writer, VIEW("limits"));
    quota_show(&command->arena, &command->space->quota, sees_all ? records : QUOTA_NONE, writer);
    if (command->actor.admin) {
        json_key(writer, VIEW("activity"));
        activity_show(&command->arena, command->space, writer);
    }
    json_object_end(writer);
    return STET_OK;
}

struct findings {
    const struct space *space;
    struct json_writer *writer;
    size_t shown;
};

static void check_report(void *context, const char *finding) {
    struct findings *findings = context;
    stet_view text = view_of(finding);
    if (findings->shown >= CHECK_FINDINGS_SHOWN_MAX) return;
    findings->shown++;
    /* A finding may quote damaged bytes. */
    json_text(findings->writer, view_is_utf8(text) ? text : VIEW("(damaged text)"));
}

static bool is_declared(void *context, uint32_t index) {
    const struct findings *findings = context;
    return policies_name_index(findings->space, index);
}

static stet_status run_check(struct stet_command *command, struct store_reader *reader,
                             struct json_writer *writer, stet_error *err) {
    struct findings findings = {.space = command->space, .writer = writer};
    uint64_t count = 0;
    stet_status status;
    json_object_begin(writer);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_key(writer, VIEW("findings"));
    json_array_begin(writer);
    status = store_check_declared(reader, is_declared, check_report, &findings, &count, err);
    json_array_end(writer);
    json_member_u64(writer, VIEW("finding_count"), count);
    json_member_bool(writer, VIEW("ok"), count == 0);
    json_object_end(writer);
    return status;
}

/* ---- All --------------------------------------------------------------------------------- */

stet_status read_run(struct stet_command *command, struct store_reader *reader, struct buffer *out,
                     stet_error *err) {
    struct json_writer writer;
    stet_status status = STET_MISUSE;
    if (command->kind == COMMAND_EXPORT) return export_run(command, reader, out, err);
    if (command->kind != COMMAND_CHECK) {
        status = actor_demand(&command->actor, STET_SCOPE_READ, err);
        if (status != STET_OK) return status;
    }
    json_begin(&writer, out);
    /* Before anything is looked up: the answer must hold what was published when it was asked for. */
    command->decided_seq = ring_published(&command->space->ring);
    switch (command->kind) {
    case COMMAND_LIST: status = list_run(command, reader, &writer, err); break;
    case COMMAND_HISTORY: status = run_history(command, reader, &writer, err); break;
    case COMMAND_DIFF: status = run_diff(command, reader, &writer, err); break;
    case COMMAND_STATS: status = run_stats(command, reader, &writer, err); break;
    case COMMAND_CHECK: status = run_check(command, reader, &writer, err); break;
    case COMMAND_EMPTY:
    case COMMAND_WRITE:
    case COMMAND_RESOLVE:
    case COMMAND_READ:
    case COMMAND_RECEIPT:
    case COMMAND_EXPORT:
    case COMMAND_MODULE:
    case COMMAND_MODULE_READ: return error_set(err, STET_MISUSE, "not a command for a worker");
    }
    if (status != STET_OK) return status;
    if (json_end(&writer) != STET_OK)
        return error_set(err, buffer_status(out), "could not write the answer");
    return STET_OK;
}
