#include "core/purge.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/engine.h"
#include "core/render.h"
#include "core/space.h"
#include "core/staging.h"
#include "doc/write.h"

#include <assert.h>

enum { SCAN_ROWS = 256 };

/* A record of a module that holds something of the erased one. In the command's arena. */
struct concerned {
    struct concerned *next;
    const struct module *module;
    stet_view type, id;
};

struct purge {
    struct stet_command *command;
    stet_view address;
    uint64_t looked; /* Up to which position; 0: not yet. */
    struct concerned *concerned;
    size_t concerned_count;
    stet_view *kept; /* Addresses of what keeps something of it. */
    size_t kept_count;
    uint64_t kept_more;
    size_t erased;               /* Versions, for the answer. */
    const struct module *module; /* At hand, while one is asked. */
    stet_error *err;
    stet_status status;
};

/* ---- What concerns it -------------------------------------------------------------------- */

static void keep(struct purge *purge, stet_view type, stet_view id) {
    struct arena *arena = &purge->command->arena;
    struct buffer address;
    buffer_init(&address, arena, 0);
    address_format(&address, type, id);
    if (purge->kept == NULL) purge->kept = arena_alloc(arena, PURGE_KEPT_MAX * sizeof *purge->kept);
    if (purge->kept == NULL || buffer_status(&address) != STET_OK) {
        purge->status = error_set(purge->err, STET_NO_MEMORY, "out of memory");
        return;
    }
    for (size_t i = 0; i < purge->kept_count; i++)
        if (view_equal(purge->kept[i], buffer_view(&address))) return;
    if (purge->kept_count == PURGE_KEPT_MAX) {
        purge->kept_more += 1;
    } else {
        purge->kept[purge->kept_count++] = buffer_view(&address);
    }
}

static void concern(void *context, enum module_concern what, stet_view type, stet_view id) {
    struct purge *purge = context;
    struct arena *arena = &purge->command->arena;
    if (what == CONCERN_KEEPS) {
        keep(purge, type, id);
        return;
    }
    for (struct concerned *one = purge->concerned; one != NULL; one = one->next)
        if (view_equal(one->id, id) && view_equal(one->type, type)) return;
    struct concerned *added = arena_zalloc(arena, 1, sizeof *added);
    if (added != NULL)
        *added = (struct concerned){.next = purge->concerned,
                                    .module = purge->module,
                                    .type = arena_copy(arena, type),
                                    .id = arena_copy(arena, id)};
    if (added == NULL || added->type.bytes == NULL || added->id.bytes == NULL) {
        purge->status = error_set(purge->err, STET_NO_MEMORY, "out of memory");
        return;
    }
    purge->concerned = added;
    purge->concerned_count += 1;
}

static stet_status ask(struct purge *purge, const struct module *module,
                       const struct store_change *row, struct arena *arena) {
    const struct mutation *mutation = &purge->command->mutations[0];
    const struct module_erasure erasure = {.type = mutation->type,
                                           .id = mutation->id,
                                           .address = purge->address,
                                           .add = concern,
                                           .context = purge};
    purge->module = module;
    module->concerns(row, arena, &erasure);
    if (purge->status == STET_OK && purge->concerned_count > PURGE_CONCERNED_MAX) {
        error_set(purge->err, STET_TOO_LARGE,
                  "more than %d records of the system hold something of it", PURGE_CONCERNED_MAX);
        purge->status = STET_TOO_LARGE;
    }
    return purge->status;
}

/* All records of a type, a page at a time. */
static stet_status look_at_type(struct purge *purge, struct store_reader *reader,
                                const struct module *module, stet_view type) {
    struct arena arena;
    struct store_row rows[SCAN_ROWS];
    uint64_t numbers[SCAN_ROWS];
    struct store_head *heads;
    struct store_change *changes;
    char after[ID_BYTES_MAX];
    stet_view after_id = {0};
    size_t count = SCAN_ROWS;
    stet_status status = STET_OK;
    arena_init(&arena, 64 * 1024);
    while (status == STET_OK && count == SCAN_ROWS) {
        arena_reset(&arena);
        status = store_scan(reader, &arena, type, after_id, SCAN_ROWS, rows, &count, purge->err);
        if (status != STET_OK || count == 0) break;
        heads = arena_alloc(&arena, count * sizeof *heads);
        changes = arena_alloc(&arena, count * sizeof *changes);
        if (heads == NULL || changes == NULL) {
            status = error_set(purge->err, STET_NO_MEMORY, "out of memory");
            break;
        }
        for (size_t i = 0; i < count; i++)
            numbers[i] = rows[i].head.first;
        status = store_records_of(reader, &arena, numbers, count, true, heads, changes, purge->err);
        for (size_t i = 0; i < count && status == STET_OK; i++)
            if (heads[i].version > 0 && !changes[i].pruned)
                status = ask(purge, module, &changes[i], &arena);
        size_t size = rows[count - 1].id.size;
        assert(size <= sizeof after);
        memcpy(after, rows[count - 1].id.bytes, size);
        after_id = view_make(after, size);
    }
    arena_done(&arena);
    return status;
}

/* Copies that were forked from it. */
static stet_status look_at_forks(struct purge *purge, struct store_reader *reader) {
    const struct mutation *mutation = &purge->command->mutations[0];
    struct arena *arena = &purge->command->arena;
    struct store_head head;
    uint8_t from[STORE_NUMBER_BYTES], to[STORE_NUMBER_BYTES];
    struct store_entry_row rows[PURGE_KEPT_MAX + 1];
    size_t count = 0;
    stet_status status = store_head(reader, mutation->type, mutation->id, &head, purge->err);
    if (status != STET_OK || head.version == 0) return status;
    store_number_key(head.first, from);
    store_number_key(head.first + 1, to);
    const struct store_entry_range range = {.index = STORE_INDEX_FORK,
                                            .from = view_make(from, sizeof from),
                                            .to = view_make(to, sizeof to)};
    status =
        store_entries_scan(reader, arena, &range, PURGE_KEPT_MAX + 1, rows, &count, purge->err);
    for (size_t i = 0; i < count && status == STET_OK; i++) {
        stet_view type, id;
        status = store_head_of(reader, arena, rows[i].record, &type, &id, &head, purge->err);
        if (status == STET_OK && type.size > 0) keep(purge, type, id);
        if (status == STET_OK) status = purge->status;
    }
    return status;
}

/* On a worker. */
static stet_status hop_look(struct stet_command *command, struct store_reader *reader,
                            stet_error *err) {
    struct purge *purge = command->module_data;
    struct space *space = command->space;
    stet_status status = STET_OK;
    purge->err = err;
    purge->status = STET_OK;
    purge->concerned = NULL;
    purge->concerned_count = purge->kept_count = 0;
    purge->kept_more = 0;
    /* Before the first row is read: what comes later is looked at when it is decided. */
    purge->looked = ring_published(&space->ring);
    for (size_t i = 0; i < space->module_count && status == STET_OK; i++) {
        const struct module *module = space->modules[i].module;
        if (module->concerns == NULL) continue;
        for (size_t k = 0; module->types[k] != NULL && status == STET_OK; k++)
            status = look_at_type(purge, reader, module, view_of(module->types[k]));
    }
    return status == STET_OK ? look_at_forks(purge, reader) : status;
}

/* What was written since. *again: that is more than memory holds. */
static stet_status look_at_newer(struct staging *staging, struct purge *purge, bool *again) {
    struct space *space = staging->space;
    *again = purge->looked < space->ring.floor;
    for (uint64_t seq = purge->looked + 1; !*again && seq <= space->seq; seq++) {
        const struct change *change = batch_find_change(staging->batch, seq);
        if (change == NULL) change = ring_peek(&space->ring, seq);
        *again = change == NULL;
        if (change == NULL || !type_is_system(change->row.type) || change->row.pruned) continue;
        for (size_t i = 0; i < space->module_count; i++) {
            const struct module *module = space->modules[i].module;
            bool owns = false;
            for (size_t k = 0; module->concerns != NULL && module->types[k] != NULL; k++)
                owns = owns || view_equal(view_of(module->types[k]), change->row.type);
            if (!owns) continue;
            stet_status status = ask(purge, module, &change->row, staging_arena(staging));
            if (status != STET_OK) return status;
        }
    }
    return STET_OK;
}

/* ---- Erasing ----------------------------------------------------------------------------- */

static stet_status erase_one(struct staging *staging, uint64_t seq, stet_view type,
                             stet_error *err) {
    stet_status status = batch_reserve_prune(staging->batch, err);
    if (status == STET_OK) batch_add_erase(staging->batch, seq, type);
    return status;
}

/* Every version from a head back to the first. */
static stet_status erase_versions(struct staging *staging, uint64_t seq, stet_view type,
                                  size_t *erased, stet_error *err) {
    struct store_reader *reader = store_writer_reader(staging->space->store);
    struct arena arena;
    stet_status status = STET_OK;
    arena_init(&arena, 16 * 1024);
    while (seq != 0 && status == STET_OK) {
        const struct change *staged = batch_find_change(staging->batch, seq);
        struct store_change row;
        arena_reset(&arena);
        if (staged != NULL) {
            row = staged->row;
        } else {
            status = store_change_at(reader, &arena, seq, &row, err);
        }
        if (status == STET_PRUNED) { /* Not even its place is kept. */
            *err = (stet_error){0};
            status = STET_OK;
            break;
        }
        if (status == STET_OK) status = erase_one(staging, seq, type, err);
        if (status == STET_OK && !row_is_purge(&row)) *erased += !row.pruned;
        seq = status == STET_OK ? row.prev : 0;
    }
    arena_done(&arena);
    return status;
}

static stet_status erase_concerned(struct staging *staging, const struct concerned *one,
                                   size_t *erased, stet_error *err) {
    struct space *space = staging->space;
    struct store_head head;
    stet_status status = staging_read(staging, one->type, one->id, &head, NULL, err);
    for (size_t i = 0; i < space->module_count && status == STET_OK; i++)
        if (space->modules[i].module == one->module && !head.deleted && head.version > 0)
            status = one->module->erase(space->modules[i].state, staging, one->type, one->id, err);
    return status == STET_OK ? erase_versions(staging, head.seq, one->type, erased, err) : status;
}

stet_status purge_decide(struct staging *staging, struct mutation *mutation,
                         struct store_head *head, stet_error *err) {
    struct stet_command *command = staging->command;
    struct purge *purge = command->module_data;
    struct store_change row;
    size_t others = 0;
    bool again = false;
    if (head->version == 0) return error_set(err, STET_NOT_FOUND, "the record does not exist");
    purge->err = err;
    purge->status = STET_OK;
    stet_status status = look_at_newer(staging, purge, &again);
    if (status != STET_OK) return status;
    if (again && command->hops >= PREPARE_RETRIES_MAX)
        return error_set(err, STET_BUSY,
                         "more is written than can be looked through meanwhile: repeat it later");
    if (again) {
        command->hop = hop_look;
        return STET_OK;
    }
    uint64_t before = head->seq;
    status = staging_head_change(staging, head, &row, err);
    if (status != STET_OK) return status;
    purge->erased = 0;
    if (head->deleted && row_is_purge(&row)) {
        mutation->decision = DECISION_UNCHANGED;
    } else {
        status = staging_purge(staging, mutation, command->merge, head, err);
        if (status == STET_OK)
            status = erase_versions(staging, before, mutation->type, &purge->erased, err);
    }
    for (struct concerned *one = purge->concerned; one != NULL && status == STET_OK;
         one = one->next)
        status = erase_concerned(staging, one, &others, err);
    return status;
}

/* ---- The command ------------------------------------------------------------------------- */

static stet_status prepare(struct stet_command *command, stet_error *err) {
    if (!command->actor.admin)
        return error_set(err, STET_FORBIDDEN, "only an administrator may purge");
    command->hop = hop_look;
    return STET_OK;
}

static stet_status answer(struct stet_command *command, struct json_writer *writer,
                          stet_error *err) {
    const struct purge *purge = command->module_data;
    const struct mutation *mutation = &command->mutations[0];
    (void)err;
    command->outcome.version = mutation->after_version;
    command->outcome.seq = mutation->after_seq;
    command->outcome.unchanged = mutation->decision == DECISION_UNCHANGED;
    json_object_begin(writer);
    json_member_text(writer, VIEW("address"), purge->address);
    json_member_u64(writer, VIEW("version"), mutation->after_version);
    json_member_u64(writer, VIEW("seq"), mutation->after_seq);
    json_member_bool(writer, VIEW("purged"), true);
    json_member_u64(writer, VIEW("versions"), purge->erased);
    json_member_u64(writer, VIEW("erased_beside"), purge->concerned_count);
    json_key(writer, VIEW("kept"));
    json_array_begin(writer);
    for (size_t i = 0; i < purge->kept_count; i++)
        json_text(writer, purge->kept[i]);
    json_array_end(writer);
    if (purge->kept_more > 0) json_member_u64(writer, VIEW("kept_left_out"), purge->kept_more);
    if (command->outcome.unchanged) json_member_bool(writer, VIEW("unchanged"), true);
    if (command->dry_run) json_member_bool(writer, VIEW("dry_run"), true);
    json_object_end(writer);
    return STET_OK;
}

stet_status command_fill_purge(struct stet_command *command, const stet_purge *asked,
                               stet_error *err) {
    struct arena *arena = &command->arena;
    const stet_mutation mutation = {.op = STET_OP_DELETE, .type = asked->type, .id = asked->id};
    const stet_write write = {.mutations = &mutation,
                              .mutation_count = 1,
                              .source = SOURCE_PURGE,
                              .dry_run = asked->dry_run};
    struct buffer text;
    struct json_writer writer;
    if (asked->reason.size == 0 || asked->reason.size > PURGE_REASON_BYTES_MAX ||
        !view_is_utf8(asked->reason)) {
        error_set(err, STET_BAD_REQUEST, "a purge needs a reason of 1 to %d bytes",
                  PURGE_REASON_BYTES_MAX);
        error_field(err, "reason", PURGE_REASON_BYTES_MAX);
        return STET_BAD_REQUEST;
    }
    stet_status status = command_fill_write(command, &write, err);
    if (status != STET_OK) return status;
    struct purge *purge = arena_zalloc(arena, 1, sizeof *purge);
    buffer_init(&text, arena, 0);
    json_begin(&writer, &text);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("reason"), asked->reason);
    json_object_end(&writer);
    if (purge == NULL || json_end(&writer) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    command->merge = buffer_view(&text);
    buffer_init(&text, arena, 0);
    address_format(&text, command->mutations[0].type, command->mutations[0].id);
    if (buffer_status(&text) != STET_OK) return error_set(err, STET_NO_MEMORY, "out of memory");
    purge->command = command;
    purge->address = buffer_view(&text);
    command->module_data = purge;
    command->mutations[0].purges = command->mutations[0].prepared = true;
    command->prepare = prepare;
    command->answer = answer;
    return STET_OK;
}
