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

/* What stood in the snapshot, noted. */
static stet_status read_snapshot(struct transaction *transaction, stet_view type, stet_view id,
                                 struct transaction_record *record, stet_error *err) {
    struct found found = {0};
    struct viewer viewer = command_viewer(transaction->command);
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
    if (status == STET_OK && found.version > 0 && !viewer_sees(&viewer, &found.row))
        status = error_set(err, STET_FORBIDDEN, "record \"%.*s/%.*s\" is not yours to read",
                           VIEW_ARG(type), VIEW_ARG(id));
    if (status == STET_OK)
        status = read_set_point(transaction->reads, type, id, found.version, err);
    if (status == STET_OK && found.version > 0) {
        record->version = found.version;
        record->first = found.row.first;
        record->exists = found.row.op != STORE_DELETE;
        if (record->exists) {
            record->doc = arena_zalloc(transaction->arena, 1, sizeof *record->doc);
            if (record->doc == NULL) status = transaction_no_memory(err);
            if (status == STET_OK)
                status = viewer_data(&viewer, transaction->arena, &found.row, &record->data);
            if (status == STET_OK && found.held != NULL)
                record->data = arena_copy(transaction->arena, record->data);
            if (status != STET_OK || record->data.bytes == NULL)
                status = transaction_no_memory(err);
        }
    }
    if (status == STET_OK) status = transaction_count_bytes(transaction, record->data.size, err);
    if (status == STET_OK)
        status = remember(transaction, read_set_find(transaction->reads, type, id), record, err);
    change_unref(found.held);
    return status;
}

stet_status transaction_read(struct transaction *transaction, stet_view type, stet_view id,
                             struct transaction_record *record, stet_error *err) {
    stet_status status = check_name(type, id, err);
    if (status != STET_OK) return status;
    const struct transaction_write *write = find_write(transaction, name_hash(type, id), type, id);
    if (write == NULL) return read_snapshot(transaction, type, id, record, err);
    *record = (struct transaction_record){
        .exists = !write->deletes, .written = true, .data = write->data, .doc = write->doc};
    return STET_OK;
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
    if (status != STET_OK) return status;
    struct transaction_write *write = &transaction->writes[transaction->write_count];
    *write = (struct transaction_write){.hash = hash,
                                        .type = arena_copy(transaction->arena, type),
                                        .id = arena_copy(transaction->arena, id),
                                        .version = record.version,
                                        .lived = record.exists,
                                        .first = record.first,
                                        .before = record.data,
                                        .deletes = true};
    if (write->type.bytes == NULL || write->id.bytes == NULL) return transaction_no_memory(err);
    transaction->write_count++;
    *out = write;
    return STET_OK;
}

stet_status transaction_put(struct transaction *transaction, stet_view type, stet_view id,
                            stet_view data, stet_error *err) {
    struct transaction_write *write;
    if (data.size > DATA_BYTES_MAX) {
        error_set(err, STET_TOO_LARGE, "the data is larger than %u bytes", DATA_BYTES_MAX);
        error_field(err, "data", DATA_BYTES_MAX);
        return STET_TOO_LARGE;
    }
    if (transaction->write_bytes + data.size > FUNCTION_WRITE_BYTES_MAX)
        return limit_writes(err, "bytes", FUNCTION_WRITE_BYTES_MAX);
    stet_status status = need_write(transaction, type, id, &write, err);
    if (status != STET_OK) return status;
    transaction->write_bytes += data.size;
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
                                  .body = write->data};
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
