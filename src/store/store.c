/*
 * The portable part of the store: it validates batches, derives heads, walks a record's past, and calls the driver for
 * everything that touches storage.
 *
 * A store's state moves only here, after the driver said that a commit is durable.
 */
#include "store/store.h"

#include "base/error.h"
#include "base/view.h"
#include "store/driver.h"
#include "store/spine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct store_driver *const drivers[] = {&store_sqlite_driver, &store_memory_driver};

/* ---- Lives -------------------------------------------------------------------------------------------------- */

static bool number_until(stet_view *text, char end, uint64_t *number) {
    size_t digits = 0;
    while (digits < text->size && text->bytes[digits] != end)
        digits++;
    if (digits == text->size || !view_parse_u64(view_make(text->bytes, digits), number))
        return false;
    *text = view_make(text->bytes + digits + 1, text->size - digits - 1);
    return true;
}

bool store_life_next(stet_view *text, struct store_life *life) {
    stet_view rest = *text;
    if (!number_until(&rest, ':', &life->from) || !number_until(&rest, ';', &life->to) ||
        life->to <= life->from)
        return false;
    *text = rest;
    return true;
}

static stet_status lives_load(struct store *store, struct arena *arena, stet_view *lives,
                              stet_error *err) {
    struct store_life life = {0};
    stet_status status =
        store->driver->meta_get(store->writer, arena, VIEW(STORE_META_LIVES), lives, err);
    if (status == STET_NOT_FOUND) *lives = (stet_view){.bytes = ""};
    if (status != STET_OK) return status == STET_NOT_FOUND ? STET_OK : status;
    stet_view rest = *lives;
    while (store_life_next(&rest, &life))
        continue;
    if (rest.size > 0)
        return error_set(err, STET_CORRUPT, "the list of the store's lives is damaged");
    store->state.life = life.to;
    return STET_OK;
}

stet_status store_renew(struct store *store, uint64_t seq, stet_error *err) {
    struct arena arena;
    stet_view lives;
    if (store->driver->renew == NULL)
        return error_set(err, STET_BAD_REQUEST, "a space in memory is not restored");
    if (seq <= store->state.seq || seq > INT64_MAX || store->failed)
        return error_set(err, STET_MISUSE, "a new life begins behind the one before");
    arena_init(&arena, 1024);
    stet_status status = lives_load(store, &arena, &lives, err);
    if (status == STET_OK) {
        lives = arena_format(&arena, "%.*s%llu:%llu;", VIEW_ARG(lives),
                             (unsigned long long)store->state.seq, (unsigned long long)seq);
        status = lives.bytes == NULL
                     ? error_set(err, STET_NO_MEMORY, "could not begin anew")
                     : store->driver->renew(store, seq, store->state.stamp, lives, err);
    }
    arena_done(&arena);
    if (status != STET_OK) return status;
    store->state.seq = seq;
    store->state.life = seq;
    return STET_OK;
}

stet_status store_backup(struct store *store, const char *path, bool (*stop)(void *context),
                         void *context, stet_error *err) {
    if (store->driver->backup == NULL)
        return error_set(err, STET_BAD_REQUEST, "a space in memory cannot be backed up");
    return store->driver->backup(store, path, stop, context, err);
}

/* ---- Opening and closing --------------------------------------------------------------------------------------- */

stet_status store_open(const struct store_options *options, struct store **out, stet_error *err) {
    struct store *store = NULL;
    struct arena arena;
    stet_view lives;
    stet_status status = STET_MISUSE;
    for (size_t i = 0; status == STET_MISUSE && i < sizeof drivers / sizeof drivers[0]; i++) {
        if (strcmp(drivers[i]->name, options->driver) != 0) continue;
        status = drivers[i]->open(options, &store, err);
        if (status != STET_OK) return status;
    }
    if (store == NULL)
        return error_set(err, STET_MISUSE, "there is no storage driver \"%s\"", options->driver);
    arena_init(&arena, 256);
    status = lives_load(store, &arena, &lives, err);
    arena_done(&arena);
    if (status != STET_OK) {
        store_close(store);
        return status;
    }
    *out = store;
    return STET_OK;
}

void store_close(struct store *store) {
    if (store == NULL) return;
    free(store->plan.heads);
    free(store->plan.final);
    free(store->plan.live);
    free(store->plan.slots);
    store->driver->close(store);
}

const char *store_advice(const struct store *store) { return store->advice; }

const struct store_state *store_state(const struct store *store) { return &store->state; }

struct store_reader *store_writer_reader(struct store *store) {
    return store->writer;
}

void store_maintain(struct store *store) { store->driver->maintain(store); }

void store_usage(const struct store *store, struct store_usage *usage) {
    store->driver->usage(store, usage);
}

stet_status store_used(struct store *store, uint64_t *bytes) {
    return store->driver->used(store, bytes);
}

/* ---- Committing ---------------------------------------------------------------------------------------------- */

static stet_status plan_reserve(struct store_plan *plan, size_t count) {
    if (count <= plan->capacity) return STET_OK;
    size_t capacity = 64;
    while (capacity < count)
        capacity *= 2;
    struct store_head *heads = malloc(capacity * sizeof *heads);
    bool *final = malloc(capacity * sizeof *final);
    int8_t *live = malloc(capacity * sizeof *live);
    uint64_t *slots = malloc(2 * capacity * sizeof *slots);
    if (heads == NULL || final == NULL || live == NULL || slots == NULL) {
        free(heads);
        free(final);
        free(live);
        free(slots);
        return STET_NO_MEMORY;
    }
    free(plan->heads);
    free(plan->final);
    free(plan->live);
    free(plan->slots);
    *plan = (struct store_plan){.heads = heads,
                                .final = final,
                                .live = live,
                                .capacity = capacity,
                                .slots = slots,
                                .slot_count = 2 * capacity};
    return STET_OK;
}

/* Marks the last change of each record. A record's `first` is its number, so a set of those suffices. */
static void plan_mark_final(struct store_plan *plan, size_t count) {
    size_t slot_count = 2;
    while (slot_count < 2 * count)
        slot_count *= 2;
    assert(slot_count <= plan->slot_count || count == 0);
    if (count > 0) memset(plan->slots, 0, slot_count * sizeof plan->slots[0]);
    for (size_t i = count; i-- > 0;) {
        uint64_t first = plan->heads[i].first;
        size_t at = (size_t)(first * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (slot_count - 1);
        while (plan->slots[at] != 0 && plan->slots[at] != first)
            at = (at + 1) & (slot_count - 1);
        plan->final[i] = plan->slots[at] == 0;
        plan->slots[at] = first;
    }
}

/* The rules a batch must obey; breaking one is a bug of the caller, and storing it would be damage. */
static stet_status batch_validate(const struct store *store, const struct store_batch *batch,
                                  stet_error *err) {
    uint64_t seq = store->state.seq;
    int64_t stamp = store->state.stamp;
    size_t count = batch->change_count;
    for (size_t i = 0; i < count; i++) {
        const struct store_change *change = &batch->changes[i];
        if (change->seq != seq + 1)
            return error_set(err, STET_MISUSE, "the seqs of a batch must be consecutive");
        if (change->stamp <= stamp)
            return error_set(err, STET_MISUSE, "the stamps of a batch must increase");
        if (change->type.size == 0 || change->id.size == 0) {
            return error_set(err, STET_MISUSE, "a change needs a type and an id");
        }
        uint64_t past_first = change->transaction - batch->changes[0].seq;
        if (change->transaction < change->seq || past_first >= count ||
            batch->changes[past_first].transaction != change->transaction ||
            (i + 1 < count && change->transaction > change->seq &&
             batch->changes[i + 1].transaction != change->transaction)) {
            return error_set(err, STET_MISUSE,
                             "a transaction's changes must be consecutive, and whole in a batch");
        }
        if (view_is_empty(change->parent) != (change->parent_number == 0))
            return error_set(err, STET_MISUSE, "a change's parent needs its address and number");
        seq = change->seq;
        stamp = change->stamp;
    }
    for (size_t i = 0; i < batch->entry_count; i++) {
        if (batch->entries[i].key.size == 0 || batch->entries[i].record == 0)
            return error_set(err, STET_MISUSE, "an entry needs a key and a record");
    }
    for (size_t i = 0; i < batch->prune_count; i++) {
        const struct store_prune *prune = &batch->prunes[i];
        if (prune->seq == 0 || prune->seq > seq || prune->type.size == 0)
            return error_set(err, STET_MISUSE, "only what was committed can be pruned");
    }
    if (count > 0 ? batch->stamp != stamp : batch->stamp < stamp) {
        return error_set(err, STET_MISUSE, "the stamp of a batch must be that of its last change");
    }
    return STET_OK;
}

stet_status store_commit(struct store *store, struct store_batch *batch, stet_error *err) {
    struct store_plan *plan = &store->plan;
    size_t count = batch->change_count;
    if (store->failed) {
        return error_set(err, STET_COMMIT_UNKNOWN,
                         "an earlier commit failed; the store takes no more writes");
    }
    stet_status status = batch_validate(store, batch, err);
    if (status != STET_OK) return status;
    if (plan_reserve(plan, count) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "could not stage a batch");

    for (size_t i = 0; i < count; i++) {
        const struct store_head *before = &batch->heads[i];
        plan->heads[i] = *before;
        status = store_head_advance(&plan->heads[i], &batch->changes[i], batch->hashes[i], err);
        if (status != STET_OK) return status;
        bool was_live = before->version != 0 && !before->deleted;
        plan->live[i] = (int8_t)((plan->heads[i].deleted ? 0 : 1) - (was_live ? 1 : 0));
    }
    plan_mark_final(plan, count);

    status = store->driver->commit(store, batch, plan, err);
    if (status == STET_COMMIT_UNKNOWN) store->failed = true;
    if (status != STET_OK) return status;

    if (count > 0) memcpy(batch->heads, plan->heads, count * sizeof plan->heads[0]);
    store->state.seq += count;
    store->state.stamp = batch->stamp;
    if (batch->rotate_keys) store->state.keys_rotated_at = batch->stamp;
    return STET_OK;
}

stet_status store_meta_put(struct store *store, stet_view name, stet_view value, stet_error *err) {
    if (name.size == 0 || view_starts(name, VIEW("store."))) {
        return error_set(err, STET_MISUSE, "the name \"%.*s\" is the store's own", VIEW_ARG(name));
    }
    if (store->failed) {
        return error_set(err, STET_COMMIT_UNKNOWN,
                         "an earlier commit failed; the store takes no more writes");
    }
    stet_status status = store->driver->meta_put(store, name, value, err);
    if (status == STET_COMMIT_UNKNOWN) store->failed = true;
    return status;
}

/* ---- Reading ------------------------------------------------------------------------------------------------- */

stet_status store_reader_open(struct store *store, struct store_reader **reader, stet_error *err) {
    return store->driver->reader_open(store, reader, err);
}

void store_reader_close(struct store_reader *reader) {
    if (reader != NULL) reader->store->driver->reader_close(reader);
}

stet_status store_head(struct store_reader *reader, stet_view type, stet_view id,
                       struct store_head *head, stet_error *err) {
    return reader->store->driver->head(reader, type, id, head, err);
}

stet_status store_change_at(struct store_reader *reader, struct arena *arena, uint64_t seq,
                            struct store_change *change, stet_error *err) {
    return reader->store->driver->change(reader, arena, seq, true, change, err);
}

stet_status store_since(struct store_reader *reader, struct arena *arena, uint64_t after,
                        size_t limit, size_t bytes_max, struct store_change *changes, size_t *count,
                        stet_error *err) {
    return reader->store->driver->since(reader, arena, after, limit, bytes_max, true, changes,
                                        count, err);
}

stet_status store_since_bare(struct store_reader *reader, struct arena *arena, uint64_t after,
                             size_t limit, struct store_change *changes, size_t *count,
                             stet_error *err) {
    return reader->store->driver->since(reader, arena, after, limit, SIZE_MAX, false, changes,
                                        count, err);
}

stet_status store_scan(struct store_reader *reader, struct arena *arena, stet_view type,
                       stet_view after_id, size_t limit, struct store_row *rows, size_t *count,
                       stet_error *err) {
    return reader->store->driver->scan(reader, arena, type, after_id, limit, rows, count, err);
}

stet_status store_types(struct store_reader *reader, struct arena *arena, struct store_type **types,
                        size_t *count, stet_error *err) {
    return reader->store->driver->types(reader, arena, types, count, err);
}

/* ---- By number, and by index ------------------------------------------------------------------------------------ */

static stet_status records_of(struct store_reader *reader, struct arena *arena,
                              const uint64_t *records, size_t count, bool with_data,
                              struct store_head *heads, struct store_change *changes,
                              stet_error *err) {
    const struct store_driver *driver = reader->store->driver;
    for (size_t i = 0; i < count; i++) {
        stet_status status = driver->head_of(reader, records[i], &heads[i], err);
        if (status != STET_OK) return status;
        if (changes == NULL) continue;
        if (heads[i].version == 0) {
            changes[i] = (struct store_change){0};
            continue;
        }
        status = driver->change(reader, arena, heads[i].seq, with_data, &changes[i], err);
        if (status == STET_PRUNED)
            return error_set(err, STET_CORRUPT, "the change of record %llu is missing",
                             (unsigned long long)records[i]);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

stet_status store_records_of(struct store_reader *reader, struct arena *arena,
                             const uint64_t *records, size_t count, bool with_data,
                             struct store_head *heads, struct store_change *changes,
                             stet_error *err) {
    stet_status status = reader->store->driver->snapshot_begin(reader, err);
    if (status != STET_OK) return status;
    status = records_of(reader, arena, records, count, with_data, heads, changes, err);
    reader->store->driver->snapshot_end(reader);
    return status;
}

stet_status store_head_of(struct store_reader *reader, struct arena *arena, uint64_t record,
                          stet_view *type, stet_view *id, struct store_head *head,
                          stet_error *err) {
    struct store_change change;
    stet_status status = store_records_of(reader, arena, &record, 1, false, head, &change, err);
    if (status != STET_OK) return status;
    *type = change.type;
    *id = change.id;
    return STET_OK;
}

/* No record has number 0, so the place of (key, 0) is just before the key. */
static struct store_bounds bounds_of(const struct store_entry_range *range) {
    struct store_place after = {
        .index = range->index, .key = range->after_key, .record = range->after_record};
    struct store_bounds bounds = {.above = {.index = range->index, .key = range->from},
                                  .below = {.index = range->index, .key = range->to}};
    if (range->to.size == 0) bounds.below.index++;
    if (range->after_record == 0) return bounds;
    if (range->reverse) {
        if (range->to.size == 0 || view_compare(after.key, range->to) < 0) bounds.below = after;
    } else if (view_compare(after.key, range->from) >= 0) {
        bounds.above = after;
    }
    return bounds;
}

stet_status store_entries_scan(struct store_reader *reader, struct arena *arena,
                               const struct store_entry_range *range, size_t limit,
                               struct store_entry_row *rows, size_t *count, stet_error *err) {
    struct store_bounds bounds = bounds_of(range);
    return reader->store->driver->entries(reader, arena, &bounds, range->reverse, limit, rows,
                                          count, err);
}

stet_status store_entries_count(struct store_reader *reader, const struct store_entry_range *range,
                                uint64_t limit, uint64_t *count, stet_error *err) {
    struct store_entry_range whole = {.index = range->index, .from = range->from, .to = range->to};
    struct store_bounds bounds = bounds_of(&whole);
    return reader->store->driver->entries_count(reader, &bounds, limit, count, err);
}

stet_status store_entry_indexes(struct store_reader *reader, uint32_t after, size_t limit,
                                uint32_t *indexes, size_t *count, stet_error *err) {
    return reader->store->driver->entry_indexes(reader, after, limit, indexes, count, err);
}

stet_status store_entries_drop(struct store *store, uint32_t index, size_t limit, size_t *count,
                               stet_error *err) {
    if (store->failed) {
        return error_set(err, STET_COMMIT_UNKNOWN,
                         "an earlier commit failed; the store takes no more writes");
    }
    stet_status status = store->driver->entries_drop(store, index, limit, count, err);
    if (status == STET_COMMIT_UNKNOWN) store->failed = true;
    return status;
}

stet_status store_key_find(struct store_reader *reader, struct arena *arena,
                           const uint8_t key[STORE_KEY_BYTES], stet_view actor,
                           struct store_key *out, stet_error *err) {
    return reader->store->driver->key_find(reader, arena, key, actor, out, err);
}

stet_status store_meta_get(struct store_reader *reader, struct arena *arena, stet_view name,
                           stet_view *value, stet_error *err) {
    return reader->store->driver->meta_get(reader, arena, name, value, err);
}

/*
 * Where a walk stands: a change known to be newer than the bound. Versions and seqs of its neighbours follow from its own
 * numbers (versions of one record have no gaps), so only a bound in time has to look at them.
 */
struct walk {
    struct store_reader *reader;
    enum store_bound kind;
    uint64_t bound;
    stet_error *err;
};

/* Whether the change at seq is newer than the bound. version: of it, if no new life began in between; one that is in the
   life at hand cannot have. One that is no longer kept is older than all that are. */
static stet_status walk_is_newer(const struct walk *walk, uint64_t seq, uint64_t version,
                                 bool *newer) {
    uint64_t life = walk->reader->store->state.life;
    switch (walk->kind) {
    case STORE_BOUND_VERSION:
        if (life > 0 && version <= life) break;
        *newer = version > walk->bound;
        return STET_OK;
    case STORE_BOUND_SEQ: *newer = seq > walk->bound; return STET_OK;
    case STORE_BOUND_STAMP: break;
    }
    struct store_link link;
    stet_status status = walk->reader->store->driver->link(walk->reader, seq, &link, walk->err);
    *newer =
        status == STET_OK &&
        (walk->kind == STORE_BOUND_VERSION ? link.version : (uint64_t)link.stamp) > walk->bound;
    return status == STET_PRUNED ? STET_OK : status;
}

/* Finds the seq of the newest change at or before the bound. */
static stet_status walk_find(const struct walk *walk, const struct store_head *head,
                             uint64_t *found) {
    /* The head's own path first: start from its oldest entry that is still newer than the bound. */
    uint64_t at = 0;
    bool newer = false;
    for (unsigned i = spine_count(head->ordinal); i-- > 0;) {
        uint64_t version = head->version - (head->ordinal - spine_ordinal(head->ordinal, i));
        stet_status status = walk_is_newer(walk, head->spine[i], version, &newer);
        if (status != STET_OK) return status;
        if (!newer) break;
        at = head->spine[i];
    }
    if (at == 0) {
        *found = head->seq;
        return STET_OK;
    }
    for (;;) {
        struct store_link link;
        stet_status status = walk->reader->store->driver->link(walk->reader, at, &link, walk->err);
        if (status != STET_OK) return status;
        if (link.prev == 0) {
            return error_set(walk->err, STET_NOT_FOUND, "the record did not exist yet");
        }
        newer = false;
        if (link.skip != 0) {
            uint64_t version = link.version - spine_low_bit(link.ordinal);
            status = walk_is_newer(walk, link.skip, version, &newer);
            if (status != STET_OK) return status;
        }
        if (newer) {
            at = link.skip;
            continue;
        }
        if (link.skip != link.prev) {
            status = walk_is_newer(walk, link.prev, link.version - 1, &newer);
            if (status != STET_OK) return status;
        }
        if (!newer) {
            *found = link.prev;
            return STET_OK;
        }
        at = link.prev;
    }
}

static stet_status find(struct store_reader *reader, struct arena *arena,
                        const struct store_head *head, enum store_bound kind, uint64_t bound,
                        bool with_data, struct store_change *change, stet_error *err) {
    const struct walk walk = {.reader = reader, .kind = kind, .bound = bound, .err = err};
    uint64_t seq;
    if (head->version == 0) return error_set(err, STET_NOT_FOUND, "the record never existed");
    stet_status status = walk_find(&walk, head, &seq);
    if (status != STET_OK) return status;
    return reader->store->driver->change(reader, arena, seq, with_data, change, err);
}

stet_status store_find(struct store_reader *reader, struct arena *arena,
                       const struct store_head *head, enum store_bound kind, uint64_t bound,
                       struct store_change *change, stet_error *err) {
    stet_status status = reader->store->driver->snapshot_begin(reader, err);
    if (status != STET_OK) return status;
    status = find(reader, arena, head, kind, bound, true, change, err);
    reader->store->driver->snapshot_end(reader);
    return status;
}

stet_status store_find_bare(struct store_reader *reader, struct arena *arena,
                            const struct store_head *head, enum store_bound kind, uint64_t bound,
                            struct store_change *change, stet_error *err) {
    stet_status status = reader->store->driver->snapshot_begin(reader, err);
    if (status != STET_OK) return status;
    status = find(reader, arena, head, kind, bound, false, change, err);
    reader->store->driver->snapshot_end(reader);
    return status;
}

stet_status store_history(struct store_reader *reader, struct arena *arena,
                          const struct store_head *head, uint64_t before_version, size_t limit,
                          bool with_data, struct store_change *changes, size_t *count,
                          stet_error *err) {
    const struct store_driver *driver = reader->store->driver;
    size_t found = 0;
    if (head->version == 0 || limit == 0) {
        *count = 0;
        return STET_OK;
    }
    stet_status status = driver->snapshot_begin(reader, err);
    if (status != STET_OK) return status;
    uint64_t seq = head->seq;
    if (before_version != 0 && before_version <= head->version) {
        const struct walk walk = {
            .reader = reader, .kind = STORE_BOUND_VERSION, .bound = before_version - 1, .err = err};
        status = walk_find(&walk, head, &seq);
    }
    while (status == STET_OK && found < limit && seq != 0) {
        status = driver->change(reader, arena, seq, with_data, &changes[found], err);
        if (status == STET_OK) seq = changes[found++].prev;
    }
    driver->snapshot_end(reader);
    if (status != STET_OK && status != STET_NOT_FOUND && status != STET_PRUNED) return status;
    *count = found;
    return STET_OK;
}

stet_status store_check(struct store_reader *reader,
                        void (*report)(void *context, const char *finding), void *context,
                        uint64_t *findings, stet_error *err) {
    return store_check_declared(reader, NULL, report, context, findings, err);
}

stet_status store_check_declared(struct store_reader *reader,
                                 bool (*is_declared)(void *context, uint32_t index),
                                 void (*report)(void *context, const char *finding), void *context,
                                 uint64_t *findings, stet_error *err) {
    const struct store_driver *driver = reader->store->driver;
    uint64_t found = 0;
    stet_status status = driver->snapshot_begin(reader, err);
    if (status != STET_OK) return status;
    status = driver->check(reader, report, context, &found, err);
    if (status == STET_OK) status = check_log(reader, is_declared, report, context, &found, err);
    driver->snapshot_end(reader);
    if (status == STET_OK) *findings = found;
    return status;
}
