/* Lookups: each takes the lock for reading, unless a snapshot holds it, and copies into the caller's arena. */
#include "base/error.h"
#include "base/view.h"
#include "store/memory/internal.h"

#include <stdlib.h>
#include <string.h>

static struct memory_store *of(const struct store_reader *reader) {
    return (struct memory_store *)reader->store;
}

static void read_begin(struct store_reader *reader) {
    if (!((struct memory_reader *)reader)->snapshot) pthread_rwlock_rdlock(&of(reader)->lock);
}

static void read_end(struct store_reader *reader) {
    if (!((struct memory_reader *)reader)->snapshot) pthread_rwlock_unlock(&of(reader)->lock);
}

stet_status memory_snapshot_begin(struct store_reader *reader, stet_error *err) {
    (void)err;
    read_begin(reader);
    ((struct memory_reader *)reader)->snapshot = true;
    return STET_OK;
}

void memory_snapshot_end(struct store_reader *reader) {
    ((struct memory_reader *)reader)->snapshot = false;
    read_end(reader);
}

stet_status memory_reader_open(struct store *store, struct store_reader **reader, stet_error *err) {
    struct memory_reader *opened = calloc(1, sizeof *opened);
    if (opened == NULL) return error_set(err, STET_NO_MEMORY, "could not open a reader");
    opened->base.store = store;
    *reader = &opened->base;
    return STET_OK;
}

void memory_reader_close(struct store_reader *reader) { free(reader); }

stet_status memory_clock(struct store_reader *reader, struct store_state *state, stet_error *err) {
    (void)err;
    read_begin(reader);
    *state = of(reader)->state;
    read_end(reader);
    return STET_OK;
}

stet_status memory_head(struct store_reader *reader, stet_view type, stet_view id,
                        struct store_head *head, stet_error *err) {
    (void)err;
    read_begin(reader);
    const struct memory_record *record = memory_record_find(of(reader), type, id);
    if (record != NULL) {
        *head = record->head;
    } else {
        memset(head, 0, sizeof *head);
    }
    read_end(reader);
    return STET_OK;
}

stet_status memory_head_of(struct store_reader *reader, uint64_t number, struct store_head *head,
                           stet_error *err) {
    const struct memory_store *store = of(reader);
    (void)err;
    memset(head, 0, sizeof *head);
    read_begin(reader);
    if (number > 0 && number <= store->change_count) {
        const struct store_change *first = store->changes[number - 1];
        const struct memory_record *record = memory_record_find(store, first->type, first->id);
        if (record->head.first == number) *head = record->head;
    }
    read_end(reader);
    return STET_OK;
}

static bool copy_in(struct arena *arena, stet_view from, stet_view *to) {
    *to = (stet_view){0};
    if (from.size == 0) return true;
    *to = arena_copy(arena, from);
    return to->bytes != NULL;
}

/* Copies a change for a reader. */
static bool change_out(struct arena *arena, const struct store_change *from, bool with_data,
                       struct store_change *to) {
    *to = *from;
    to->data = (stet_view){0};
    return copy_in(arena, from->type, &to->type) && copy_in(arena, from->id, &to->id) &&
           copy_in(arena, from->by, &to->by) && copy_in(arena, from->key, &to->key) &&
           copy_in(arena, from->source, &to->source) && copy_in(arena, from->merge, &to->merge) &&
           copy_in(arena, from->origin, &to->origin) && copy_in(arena, from->parent, &to->parent) &&
           copy_in(arena, from->forked_from, &to->forked_from) &&
           (!with_data || copy_in(arena, from->data, &to->data));
}

stet_status memory_change(struct store_reader *reader, struct arena *arena, uint64_t seq,
                          bool with_data, struct store_change *change, stet_error *err) {
    const struct memory_store *store = of(reader);
    stet_status status = STET_OK;
    read_begin(reader);
    if (seq == 0 || seq > store->change_count) {
        status = error_set(err, STET_PRUNED, "change %llu is not kept", (unsigned long long)seq);
    } else if (!change_out(arena, store->changes[seq - 1], with_data, change)) {
        status =
            error_set(err, STET_NO_MEMORY, "could not read change %llu", (unsigned long long)seq);
    }
    read_end(reader);
    return status;
}

stet_status memory_link(struct store_reader *reader, uint64_t seq, struct store_link *link,
                        stet_error *err) {
    const struct memory_store *store = of(reader);
    stet_status status = STET_OK;
    read_begin(reader);
    if (seq == 0 || seq > store->change_count) {
        status = error_set(err, STET_PRUNED, "change %llu is not kept", (unsigned long long)seq);
    } else {
        const struct store_change *change = store->changes[seq - 1];
        *link = (struct store_link){.version = change->version,
                                    .ordinal = change->ordinal,
                                    .prev = change->prev,
                                    .skip = change->skip,
                                    .stamp = change->stamp};
    }
    read_end(reader);
    return status;
}

stet_status memory_since(struct store_reader *reader, struct arena *arena, uint64_t after,
                         size_t limit, size_t bytes_max, bool with_data,
                         struct store_change *changes, size_t *count, stet_error *err) {
    const struct memory_store *store = of(reader);
    stet_status status = STET_OK;
    size_t found = 0, bytes = 0;
    read_begin(reader);
    for (size_t at = after;
         after < store->change_count && at < store->change_count && found < limit; at++) {
        bytes += store->changes[at]->data.size;
        if (found > 0 && bytes > bytes_max) break;
        if (!change_out(arena, store->changes[at], with_data, &changes[found])) {
            status = error_set(err, STET_NO_MEMORY, "could not read the changes since %llu",
                               (unsigned long long)after);
            break;
        }
        found++;
    }
    read_end(reader);
    if (status == STET_OK) *count = found;
    return status;
}

stet_status memory_scan(struct store_reader *reader, struct arena *arena, stet_view name,
                        stet_view after_id, size_t limit, struct store_row *rows, size_t *count,
                        stet_error *err) {
    stet_status status = STET_OK;
    size_t found = 0;
    read_begin(reader);
    const struct memory_type *type = memory_type_find(of(reader), name);
    for (size_t at = type == NULL ? 0 : memory_type_bound(type, after_id, true);
         type != NULL && at < type->count && found < limit; at++, found++) {
        rows[found].head = type->records[at]->head;
        if (!copy_in(arena, type->records[at]->id, &rows[found].id)) {
            status = error_set(err, STET_NO_MEMORY, "could not list \"%.*s\"", VIEW_ARG(name));
            break;
        }
    }
    read_end(reader);
    if (status == STET_OK) *count = found;
    return status;
}

stet_status memory_types(struct store_reader *reader, struct arena *arena,
                         struct store_type **types, size_t *count, stet_error *err) {
    stet_status status = STET_OK;
    size_t found = 0;
    read_begin(reader);
    const struct memory_store *store = of(reader);
    struct store_type *list = arena_zalloc(arena, store->type_count + 1, sizeof *list);
    if (list == NULL) status = error_set(err, STET_NO_MEMORY, "could not list the types");
    for (size_t i = 0; status == STET_OK && i < store->type_count; i++) {
        const struct memory_type *type = store->types[i];
        if (type->count == 0) continue;
        list[found].live = type->live;
        list[found].floor_seq = type->floor_seq;
        if (!copy_in(arena, type->name, &list[found].name)) {
            status = error_set(err, STET_NO_MEMORY, "could not list the types");
        }
        found++;
    }
    read_end(reader);
    if (status != STET_OK) return status;
    *types = list;
    *count = found;
    return STET_OK;
}

stet_status memory_key_find(struct store_reader *reader, struct arena *arena,
                            const uint8_t key[STORE_KEY_BYTES], stet_view actor,
                            struct store_key *out, stet_error *err) {
    stet_status status = STET_OK;
    read_begin(reader);
    const struct memory_store *store = of(reader);
    const struct memory_key *found =
        memory_table_key(&store->keys[store->keys_current], key, actor);
    if (found == NULL) found = memory_table_key(&store->keys[!store->keys_current], key, actor);
    if (found == NULL) {
        status = STET_NOT_FOUND;
    } else {
        struct store_key copy = found->key;
        if (!copy_in(arena, found->key.actor, &copy.actor) ||
            !copy_in(arena, found->key.result, &copy.result)) {
            status = error_set(err, STET_NO_MEMORY, "could not look up a mutation key");
        } else {
            *out = copy;
        }
    }
    read_end(reader);
    return status;
}

stet_status memory_entries(struct store_reader *reader, struct arena *arena,
                           const struct store_bounds *bounds, bool reverse, size_t limit,
                           struct store_entry_row *rows, size_t *count, stet_error *err) {
    stet_status status = STET_OK;
    size_t found = 0;
    read_begin(reader);
    const struct entry_node *node =
        entries_beside(&of(reader)->entries, reverse ? &bounds->below : &bounds->above, reverse);
    for (; node != NULL && found < limit; node = reverse ? node->previous : node->next[0]) {
        if (reverse ? entries_compare(node, &bounds->above) <= 0
                    : entries_compare(node, &bounds->below) >= 0)
            break;
        rows[found].record = node->record;
        if (!copy_in(arena, node->key, &rows[found].key)) {
            status = error_set(err, STET_NO_MEMORY, "could not read an index");
            break;
        }
        found++;
    }
    read_end(reader);
    if (status == STET_OK) *count = found;
    return status;
}

stet_status memory_entries_count(struct store_reader *reader, const struct store_bounds *bounds,
                                 uint64_t limit, uint64_t *count, stet_error *err) {
    uint64_t found = 0;
    (void)err;
    read_begin(reader);
    for (const struct entry_node *node =
             entries_beside(&of(reader)->entries, &bounds->above, false);
         node != NULL && found < limit && entries_compare(node, &bounds->below) < 0;
         node = node->next[0])
        found++;
    read_end(reader);
    *count = found;
    return STET_OK;
}

stet_status memory_entry_indexes(struct store_reader *reader, uint32_t after, size_t limit,
                                 uint32_t *indexes, size_t *count, stet_error *err) {
    struct store_place place = {.index = (uint64_t)after + 1};
    const struct entry_node *node;
    size_t found = 0;
    (void)err;
    read_begin(reader);
    while (found < limit && (node = entries_beside(&of(reader)->entries, &place, false)) != NULL) {
        indexes[found++] = node->index;
        place.index = (uint64_t)node->index + 1;
    }
    read_end(reader);
    *count = found;
    return STET_OK;
}

stet_status memory_meta_get(struct store_reader *reader, struct arena *arena, stet_view name,
                            stet_view *value, stet_error *err) {
    stet_status status = STET_NOT_FOUND;
    read_begin(reader);
    for (const struct memory_meta *meta = of(reader)->meta; meta != NULL; meta = meta->next) {
        if (!view_equal(meta->name, name)) continue;
        status = copy_in(arena, meta->value, value) ? STET_OK : STET_NO_MEMORY;
        break;
    }
    read_end(reader);
    if (status != STET_OK) error_set(err, status, "could not find \"%.*s\"", VIEW_ARG(name));
    return status;
}

stet_status memory_check(struct store_reader *reader,
                         void (*report)(void *context, const char *finding), void *context,
                         uint64_t *findings, stet_error *err) {
    (void)reader, (void)report, (void)context, (void)findings, (void)err;
    return STET_OK;
}
