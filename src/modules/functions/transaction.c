#include "modules/functions/transaction.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/client.h"
#include "core/read.h"
#include "core/render.h"

stet_status transaction_no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a function");
}

uint64_t transaction_begin(struct transaction *transaction) {
    if (transaction->begun) return transaction->reads->seq;
    transaction->begun = true;
    transaction->reads->seq = ring_published(&transaction->space->ring);
    transaction->reads->current = transaction->staging != NULL;
    return transaction->reads->seq;
}

/* ---- Reading ----------------------------------------------------------------------------- */

stet_status transaction_count_reads(struct transaction *transaction, stet_error *err) {
    const struct read_set *reads = transaction->reads;
    if (reads->point_count + reads->range_count < transaction->reads_max + transaction->uncounted)
        return STET_OK;
    error_set(err, STET_FUNCTION_LIMIT, "it may look at %zu records", transaction->reads_max);
    error_field(err, "reads", transaction->reads_max);
    return STET_FUNCTION_LIMIT;
}

stet_status transaction_count_bytes(struct transaction *transaction, size_t bytes,
                                    stet_error *err) {
    transaction->read_bytes += bytes;
    if (transaction->read_bytes <= transaction->bytes_max) return STET_OK;
    error_set(err, STET_FUNCTION_LIMIT, "it may look at %zu bytes of records",
              transaction->bytes_max);
    error_field(err, "bytes", transaction->bytes_max);
    return STET_FUNCTION_LIMIT;
}

/* The snapshot has what nobody keeps any more; a later one will not ask for it. */
static stet_status too_old(stet_error *err) {
    return error_set(err, STET_CONCURRENT_MODIFICATION,
                     "what the function read was overwritten and is no longer kept");
}

/* What a read finds: version 0 when there was nothing. row: borrowed from the arena, or from `held`, a reference for the caller. */
struct found {
    uint64_t version;
    struct store_change row;
    struct change *held;
};

static stet_status find_past(struct transaction *transaction, struct store_reader *reader,
                             const struct store_head *head, struct found *found, stet_error *err) {
    uint64_t seq = transaction->reads->seq;
    stet_error why = {0};
    if (head->version == 0 || head->first > seq) return STET_OK;
    stet_status status =
        head->seq <= seq
            ? store_change_at(reader, transaction->arena, head->seq, &found->row, &why)
            : store_find(reader, transaction->arena, head, STORE_BOUND_SEQ, seq, &found->row, &why);
    if (status == STET_NOT_FOUND) return STET_OK;
    if (status == STET_PRUNED || (status == STET_OK && found->row.pruned)) return too_old(err);
    if (status != STET_OK) {
        *err = why;
        return status;
    }
    found->version = found->row.version;
    return STET_OK;
}

static stet_status find_stored(struct transaction *transaction, stet_view type, stet_view id,
                               struct found *found, stet_error *err) {
    struct store_reader *reader = transaction->reader;
    struct store_head head;
    stet_status status = STET_OK;
    if (reader == NULL) status = space_reader_take(transaction->space, &reader, err);
    if (status != STET_OK) return status;
    status = store_head(reader, type, id, &head, err);
    if (status == STET_OK) status = find_past(transaction, reader, &head, found, err);
    if (transaction->reader == NULL) space_reader_give(transaction->space, reader);
    return status;
}

/* The cache's head is of a position behind the snapshot; one that is not newer was the head then, too. */
static stet_status find_cached(struct transaction *transaction, stet_view type, stet_view id,
                               struct found *found, stet_error *err) {
    struct change *head;
    stet_status status =
        client_head(transaction->command->client, transaction->space, type, id, &head, err);
    if (status == STET_NOT_FOUND) {
        *err = (stet_error){0};
        return STET_OK;
    }
    if (status != STET_OK) return status;
    if (head->row.seq <= transaction->reads->seq) {
        found->row = head->row;
        found->version = head->row.version;
        found->held = head;
        return STET_OK;
    }
    change_unref(head);
    return find_stored(transaction, type, id, found, err);
}

static stet_status find_staged(struct transaction *transaction, stet_view type, stet_view id,
                               struct found *found, stet_error *err) {
    struct store_head head;
    stet_status status = staging_read(transaction->staging, type, id, &head, &found->row, err);
    if (status == STET_OK) found->version = head.version;
    return status;
}

static stet_status check_name(stet_view type, stet_view id, stet_error *err) {
    stet_status status = check_type_name(type, "type", err);
    return status == STET_OK ? check_id(id, "id", err) : status;
}

static struct transaction_write *find_write(const struct transaction *transaction, uint64_t hash,
                                            stet_view type, stet_view id) {
    for (size_t i = 0; i < transaction->write_count; i++) {
        struct transaction_write *write = &transaction->writes[i];
        if (write->hash == hash && view_equal(write->id, id) && view_equal(write->type, type))
            return write;
    }
    return NULL;
}

static uint64_t name_hash(stet_view type, stet_view id) {
    return view_hash(id, view_hash(type, 0));
}

/* Remembers what was read of a record that is noted already, so that it is read once. */
static stet_status remember(struct transaction *transaction, const struct read_point *point,
                            const struct transaction_record *record, stet_error *err) {
    size_t index = (size_t)(point - transaction->reads->points);
    if (index >= transaction->seen_count) {
        size_t count = transaction->reads->point_capacity;
        struct transaction_record *seen = arena_zalloc(transaction->arena, count, sizeof *seen);
        if (seen == NULL) return transaction_no_memory(err);
        if (transaction->seen_count > 0)
            memcpy(seen, transaction->seen, transaction->seen_count * sizeof *seen);
        transaction->seen = seen;
        transaction->seen_count = count;
    }
    transaction->seen[index] = *record;
    transaction->seen[index].known = true;
    return STET_OK;
}

static bool recall(const struct transaction *transaction, stet_view type, stet_view id,
                   struct transaction_record *record) {
    const struct read_point *point = read_set_find(transaction->reads, type, id);
    if (point == NULL) return false;
    size_t index = (size_t)(point - transaction->reads->points);
    if (index >= transaction->seen_count || !transaction->seen[index].known) return false;
    *record = transaction->seen[index];
    return true;
}

/* Whether access rules may have a say about records of this type. */
static bool is_guarded(const struct transaction *transaction, stet_view type) {
    if (transaction->command->actor.admin) return false;
    if (type_is_system(type)) return true;
    const struct policy *policy = policy_find(transaction->space, type);
    bool guarded = policy != NULL && policy->access != NULL;
    policy_unref(policy);
    return guarded;
}

/* The row, with all that rules ask about in the arena. NULL: memory is out. */
static struct store_change *keep_row(struct arena *arena, const struct store_change *row) {
    struct store_change *kept = arena_alloc(arena, sizeof *kept);
    if (kept == NULL) return NULL;
    *kept = (struct store_change){.seq = row->seq,
                                  .transaction = row->transaction,
                                  .version = row->version,
                                  .first = row->first,
                                  .prev = row->prev,
                                  .stamp = row->stamp,
                                  .op = row->op,
                                  .type = arena_copy(arena, row->type),
                                  .id = arena_copy(arena, row->id),
                                  .by = arena_copy(arena, row->by),
                                  .origin = arena_copy(arena, row->origin),
                                  .parent = arena_copy(arena, row->parent),
                                  .data = arena_copy(arena, row->data)};
    bool whole = kept->type.bytes != NULL && kept->id.bytes != NULL && kept->by.bytes != NULL &&
                 kept->origin.bytes != NULL && kept->parent.bytes != NULL &&
                 kept->data.bytes != NULL;
    return whole ? kept : NULL;
}

/* What was found becomes a record that outlives it. */
static stet_status take_found(struct transaction *transaction, const struct found *found,
                              struct transaction_record *record, stet_error *err) {
    struct viewer whole = {.space = transaction->space, .actor = &transaction->admin};
    struct arena *arena = transaction->arena;
    record->version = found->version;
    record->first = found->row.first;
    record->exists = found->row.op != STORE_DELETE;
    if (is_guarded(transaction, found->row.type)) {
        record->row = keep_row(arena, &found->row);
        if (record->row == NULL) return transaction_no_memory(err);
    }
    if (!record->exists) return STET_OK;
    record->doc = arena_zalloc(arena, 1, sizeof *record->doc);
    if (record->doc == NULL) return transaction_no_memory(err);
    stet_status status = viewer_data(&whole, arena, &found->row, &record->data);
    if (status == STET_OK && found->held != NULL) record->data = arena_copy(arena, record->data);
    return status == STET_OK && record->data.bytes != NULL ? STET_OK : transaction_no_memory(err);
}

/* What stood in the snapshot, noted. */
static stet_status read_snapshot(struct transaction *transaction, stet_view type, stet_view id,
                                 struct transaction_record *record, stet_error *err) {
    struct found found = {0};
    if (recall(transaction, type, id, record)) return STET_OK;
    stet_status status = transaction_count_reads(transaction, err);
    if (status != STET_OK) return status;
    transaction_begin(transaction);
    *record = (struct transaction_record){0};
    if (transaction->staging != NULL) {
        status = find_staged(transaction, type, id, &found, err);
    } else if (transaction->cached) {
        status = find_cached(transaction, type, id, &found, err);
    } else {
        status = find_stored(transaction, type, id, &found, err);
    }
    if (status == STET_OK)
        status = read_set_point(transaction->reads, type, id, found.version, err);
    if (status == STET_OK && found.version > 0)
        status = take_found(transaction, &found, record, err);
    if (status == STET_OK) status = transaction_count_bytes(transaction, record->data.size, err);
    if (status == STET_OK)
        status = remember(transaction, read_set_find(transaction->reads, type, id), record, err);
    change_unref(found.held);
    return status;
}

/* ---- Showing ----------------------------------------------------------------------------- */

/* What this run wrote, as a change that rules can be asked about. */
static struct store_change written_row(const struct transaction *transaction,
                                       const struct transaction_write *write) {
    return (struct store_change){.op = write->lived ? STORE_UPDATE : STORE_CREATE,
                                 .type = write->type,
                                 .id = write->id,
                                 .version = write->version + 1,
                                 .first = write->lived ? write->first : 0,
                                 .by = transaction->command->actor.id,
                                 .stamp = transaction->now,
                                 .data = write->data};
}

/* Leaves of the record what who looks may see. row: what it is. */
static stet_status show(struct transaction *transaction, const struct store_change *row,
                        struct transaction_record *record, stet_error *err) {
    const struct viewer viewer = {.space = transaction->space, .actor = transaction->actor};
    stet_view data;
    if (transaction->actor->admin || row == NULL || !record->exists) return STET_OK;
    if (!viewer_sees(&viewer, row)) {
        if (type_is_system(row->type))
            return error_set(err, STET_FORBIDDEN, "record \"%.*s/%.*s\" is not yours to read",
                             VIEW_ARG(row->type), VIEW_ARG(row->id));
        *record = (struct transaction_record){0};
        return STET_OK;
    }
    record->met = true;
    stet_status status = viewer_data(&viewer, transaction->arena, row, &data);
    if (status != STET_OK) return error_set(err, status, "could not show a record to a function");
    if (data.size == record->data.size) return STET_OK;
    record->data = data;
    record->doc = arena_zalloc(transaction->arena, 1, sizeof *record->doc);
    return record->doc == NULL ? transaction_no_memory(err) : STET_OK;
}

/* Notes that the caller met it, for what is told of the run. */
static void note_met(struct transaction *transaction, stet_view type, stet_view id) {
    const struct read_point *point = read_set_find(transaction->reads, type, id);
    size_t index = point == NULL ? SIZE_MAX : (size_t)(point - transaction->reads->points);
    if (index < transaction->seen_count) transaction->seen[index].met = true;
}

bool transaction_may_name(const struct transaction *transaction, const struct read_point *point) {
    size_t index = (size_t)(point - transaction->reads->points);
    if (index >= transaction->seen_count || !transaction->seen[index].known)
        return !is_guarded(transaction, point->type);
    return transaction->seen[index].row == NULL || transaction->seen[index].met;
}

stet_status transaction_read(struct transaction *transaction, stet_view type, stet_view id,
                             struct transaction_record *record, stet_error *err) {
    stet_status status = check_name(type, id, err);
    if (status != STET_OK) return status;
    const struct transaction_write *write = find_write(transaction, name_hash(type, id), type, id);
    if (write == NULL) {
        status = read_snapshot(transaction, type, id, record, err);
        if (status == STET_OK) status = show(transaction, record->row, record, err);
        if (status == STET_OK && record->met) note_met(transaction, type, id);
        return status;
    }
    *record = (struct transaction_record){
        .exists = !write->deletes, .written = true, .data = write->data, .doc = write->doc};
    if (!record->exists || !is_guarded(transaction, type)) return STET_OK;
    const struct store_change row = written_row(transaction, write);
    return show(transaction, &row, record, err);
}

/* ---- Writing ----------------------------------------------------------------------------- */

static stet_status limit_writes(stet_error *err, const char *what, uint64_t limit) {
    error_set(err, STET_FUNCTION_LIMIT, "it may write %llu %s", (unsigned long long)limit, what);
    error_field(err, "writes", limit);
    return STET_FUNCTION_LIMIT;
}

static stet_status grow(struct transaction *transaction, stet_error *err) {
    if (transaction->write_count < transaction->write_capacity) return STET_OK;
    if (transaction->write_count >= transaction->writes_max)
        return limit_writes(err, "records", transaction->writes_max);
    size_t capacity = transaction->write_capacity == 0 ? 4 : 2 * transaction->write_capacity;
    if (capacity > transaction->writes_max) capacity = transaction->writes_max;
    struct transaction_write *writes =
        arena_alloc(transaction->arena, capacity * sizeof *transaction->writes);
    if (writes == NULL) return transaction_no_memory(err);
    if (transaction->write_count > 0)
        memcpy(writes, transaction->writes, transaction->write_count * sizeof *writes);
    transaction->writes = writes;
    transaction->write_capacity = capacity;
    return STET_OK;
}

/* Who may not read what stands there makes nothing in its place. */
static stet_status check_place(const struct transaction *transaction,
                               const struct transaction_record *record, stet_error *err) {
    const struct viewer viewer = {.space = transaction->space, .actor = transaction->actor};
    if (transaction->actor->admin || record->row == NULL || !record->exists ||
        viewer_sees(&viewer, record->row))
        return STET_OK;
    return error_set(err, STET_FORBIDDEN, "you may not write \"%.*s/%.*s\"",
                     VIEW_ARG(record->row->type), VIEW_ARG(record->row->id));
}

/* Data that somebody wrote without seeing all of the record, with the rest of it. */
static stet_status make_whole(struct transaction *transaction,
                              const struct transaction_write *write, stet_view *data,
                              stet_error *err) {
    struct store_change row;
    struct doc doc;
    if (transaction->actor->admin || write->row == NULL) return STET_OK;
    bool fresh = view_is_empty(write->data);    /* Nothing of this run stands on it. */
    if (fresh && !write->lived) return STET_OK; /* A creation is judged when it is decided. */
    row = fresh ? *write->row : written_row(transaction, write);
    const struct policy *policy = policy_find(transaction->space, write->type);
    const struct access_record from = {.change = &row, .data = &doc, .space = transaction->space};
    stet_status status = doc_parse(transaction->arena, row.data, NULL, &doc, err);
    if (status == STET_OK)
        status =
            access_restore(policy, transaction->actor, transaction->arena, &from, *data, data, err);
    policy_unref(policy);
    return status;
}

/* The write of a record, made from what stands in the snapshot. */
static stet_status need_write(struct transaction *transaction, stet_view type, stet_view id,
                              struct transaction_write **out, stet_error *err) {
    uint64_t hash = name_hash(type, id);
    struct transaction_record record;
    stet_status status = check_name(type, id, err);
    if (status == STET_OK && type_is_system(type)) {
        error_set(err, STET_SYSTEM_TYPE, "records of type \"%.*s\" are changed only by the system",
                  VIEW_ARG(type));
        status = STET_SYSTEM_TYPE;
    }
    if (status != STET_OK) return status;
    *out = find_write(transaction, hash, type, id);
    if (*out != NULL) return STET_OK;
    status = grow(transaction, err);
    if (status != STET_OK) return status;
    status = read_snapshot(transaction, type, id, &record, err);
    if (status == STET_OK) status = check_place(transaction, &record, err);
    if (status != STET_OK) return status;
    struct transaction_write *write = &transaction->writes[transaction->write_count];
    *write = (struct transaction_write){.hash = hash,
                                        .type = arena_copy(transaction->arena, type),
                                        .id = arena_copy(transaction->arena, id),
                                        .version = record.version,
                                        .lived = record.exists,
                                        .first = record.first,
                                        .before = record.data,
                                        .row = record.row,
                                        .deletes = true};
    if (write->type.bytes == NULL || write->id.bytes == NULL) return transaction_no_memory(err);
    transaction->write_count++;
    *out = write;
    return STET_OK;
}

static stet_status too_large(stet_error *err) {
    error_set(err, STET_TOO_LARGE, "the data is larger than %u bytes", DATA_BYTES_MAX);
    error_field(err, "data", DATA_BYTES_MAX);
    return STET_TOO_LARGE;
}

stet_status transaction_put(struct transaction *transaction, stet_view type, stet_view id,
                            stet_view data, stet_error *err) {
    struct transaction_write *write;
    if (data.size > DATA_BYTES_MAX) return too_large(err);
    if (transaction->write_bytes + data.size > FUNCTION_WRITE_BYTES_MAX)
        return limit_writes(err, "bytes", FUNCTION_WRITE_BYTES_MAX);
    stet_status status = need_write(transaction, type, id, &write, err);
    if (status != STET_OK) return status;
    status = make_whole(transaction, write, &data, err);
    if (status != STET_OK) return status;
    if (data.size > DATA_BYTES_MAX) return too_large(err);
    transaction->write_bytes += data.size;
    write->by_caller = write->by_caller || !transaction->actor->admin;
    write->doc = arena_zalloc(transaction->arena, 1, sizeof *write->doc);
    if (write->doc == NULL) return transaction_no_memory(err);
    write->deletes = false;
    write->data = data;
    return STET_OK;
}

stet_status transaction_delete(struct transaction *transaction, stet_view type, stet_view id,
                               stet_error *err) {
    struct transaction_record record;
    struct transaction_write *write;
    stet_status status = transaction_read(transaction, type, id, &record, err);
    if (status == STET_OK && !record.exists)
        status = error_set(err, STET_NOT_FOUND, "there is no record \"%.*s/%.*s\"", VIEW_ARG(type),
                           VIEW_ARG(id));
    if (status == STET_OK) status = need_write(transaction, type, id, &write, err);
    if (status != STET_OK) return status;
    write->by_caller = write->by_caller || !transaction->actor->admin;
    write->deletes = true;
    write->data = (stet_view){0};
    return STET_OK;
}

/* ---- The end ----------------------------------------------------------------------------- */

static stet_status make_mutation(struct transaction *transaction,
                                 const struct transaction_write *write, struct mutation *mutation,
                                 stet_error *err) {
    struct stet_command *command = transaction->command;
    *mutation = (struct mutation){.op = write->deletes ? STET_OP_DELETE : STET_OP_PUT,
                                  .type = write->type,
                                  .id = write->id,
                                  .body = write->data,
                                  .whole = write->lived,
                                  .as_admin = !write->by_caller};
    mutation->base.kind = write->lived ? STET_BASE_VERSION : STET_BASE_ABSENT;
    mutation->base.value = write->lived ? write->version : 0;
    if (write->deletes) {
        mutation->last_data = write->before;
        mutation->prepared_version = write->version;
    } else {
        stet_status status =
            doc_parse(transaction->arena, write->data, NULL, &mutation->body_doc, err);
        if (status != STET_OK) return status;
    }
    return command_prepare_apart(command, mutation, err);
}

stet_status transaction_finish(struct transaction *transaction, stet_error *err) {
    struct stet_command *command = transaction->command;
    command_drop_mutations(command);
    if (transaction->write_count == 0) return STET_OK;
    stet_status allowed = actor_demand(&command->actor, STET_SCOPE_WRITE, err);
    if (allowed != STET_OK) return allowed;
    struct mutation *mutations =
        arena_zalloc(transaction->arena, transaction->write_count, sizeof *mutations);
    if (mutations == NULL) return transaction_no_memory(err);
    command->mutations = mutations;
    command->transaction = true;
    for (size_t i = 0; i < transaction->write_count; i++) {
        const struct transaction_write *write = &transaction->writes[i];
        if (write->deletes && !write->lived) continue; /* It came and went within the run. */
        stet_status status =
            make_mutation(transaction, write, &mutations[command->mutation_count++], err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}
