#include "modules/conflicts/board.h"

#include "base/error.h"
#include "base/view.h"
#include "core/batch.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS_FIRST = 16, OPEN_FIRST = 16 };

/* ---- Tables of nodes that live in entries ------------------------------------------------ */

/* Doubles the buckets; without memory for that the chains only grow longer. */
static void table_grow(struct table *table) {
    size_t count = table->bucket_count == 0 ? BUCKETS_FIRST : table->bucket_count * 2;
    struct node **buckets = calloc(count, sizeof(struct node *));
    if (buckets == NULL) return;
    for (size_t i = 0; i < table->bucket_count; i++) {
        while (table->buckets[i] != NULL) {
            struct node *node = table->buckets[i];
            table->buckets[i] = node->next;
            node->next = buckets[node->hash & (count - 1)];
            buckets[node->hash & (count - 1)] = node;
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->bucket_count = count;
}

/* There must be buckets: reserve sees to it. */
static void table_add(struct table *table, struct node *node, uint64_t hash, struct entry *entry) {
    if (table->count >= table->bucket_count) table_grow(table);
    struct node **slot = &table->buckets[hash & (table->bucket_count - 1)];
    *node = (struct node){.next = *slot, .hash = hash, .entry = entry};
    *slot = node;
    table->count++;
}

static void table_remove(struct table *table, struct node *node) {
    struct node **slot = &table->buckets[node->hash & (table->bucket_count - 1)];
    while (*slot != node)
        slot = &(*slot)->next;
    *slot = node->next;
    node->entry = NULL;
    table->count--;
}

static struct node *table_first(const struct table *table, uint64_t hash) {
    struct node *node =
        table->bucket_count == 0 ? NULL : table->buckets[hash & (table->bucket_count - 1)];
    while (node != NULL && node->hash != hash)
        node = node->next;
    return node;
}

static struct node *table_next(const struct node *node) {
    uint64_t hash = node->hash;
    do {
        node = node->next;
    } while (node != NULL && node->hash != hash);
    return (struct node *)(uintptr_t)node;
}

static uint64_t hash_name(const struct board *board, stet_view name) {
    return view_hash(name, board->hash_seed);
}

static uint64_t hash_record(const struct board *board, stet_view type, stet_view id) {
    return view_hash(id, view_hash(type, board->hash_seed));
}

/* ---- Entries ----------------------------------------------------------------------------- */

static stet_view put(char **end, stet_view view) {
    stet_view placed = view_make(*end, view.size);
    if (view.size > 0) memcpy(*end, view.bytes, view.size);
    *end += view.size;
    return placed;
}

/* In whose inbox a record may stand. */
static struct view_list persons_of(const struct conflict_record *record) {
    if (record->state == CONFLICT_RESOLVED || record->state == CONFLICT_EXPIRED)
        return (struct view_list){.items = &record->by, .count = 1};
    return record->persons;
}

static struct entry *entry_create(stet_view id, uint64_t first, uint64_t seq,
                                  const struct conflict_record *record) {
    struct view_list persons = persons_of(record);
    size_t bytes = sizeof(struct entry) + persons.count * sizeof(struct place) + id.size +
                   record->type.size + record->id.size + record->by.size;
    for (size_t i = 0; i < persons.count; i++)
        bytes += persons.items[i].size;
    struct entry *entry = malloc(bytes);
    if (entry == NULL) return NULL;
    *entry = (struct entry){
        .state = record->state,
        .base_version = record->base_version,
        .current_version = record->current_version,
        .first = first,
        .seq = seq,
        .opened_at = record->opened_at,
        .deadline = record->deadline,
        .at = record->resolved_at > record->opened_at ? record->resolved_at : record->opened_at,
        .fallback = record->fallback,
        .notice = record->state == CONFLICT_OVERWRITTEN || record->state == CONFLICT_SETTLED,
        .places = (struct place *)(entry + 1),
    };
    char *end = (char *)(entry->places + persons.count);
    entry->id = put(&end, id);
    entry->type = put(&end, record->type);
    entry->record_id = put(&end, record->id);
    entry->by = put(&end, record->by);
    for (size_t i = 0; i < persons.count; i++) {
        stet_view name = put(&end, persons.items[i]);
        if (!record_concerns(record, name)) continue;
        entry->places[entry->place_count++] =
            (struct place){.person = name, .unread = !record_is_read(record, name)};
    }
    entry->shown = entry->state == CONFLICT_OPEN || entry->place_count > 0;
    return entry;
}

static int compare_deadlines(int64_t a_deadline, uint64_t a_first, const struct entry *b) {
    if (a_deadline != b->deadline) return a_deadline < b->deadline ? -1 : 1;
    return a_first < b->first ? -1 : a_first > b->first;
}

size_t board_position(const struct board *board, int64_t deadline, uint64_t first) {
    size_t low = 0, high = board->open_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_deadlines(deadline, first, board->open[middle]) > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Room for everything that was prepared, and one more. */
static stet_status reserve(struct board *board, stet_error *err) {
    struct table *tables[] = {&board->ids, &board->records, &board->writers, &board->persons};
    size_t wanted = board->open_count + board->prepared_count + 1;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (tables[i]->bucket_count == 0) table_grow(tables[i]);
    bool ready = true;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        ready = ready && tables[i]->bucket_count > 0;
    if (ready && wanted > board->open_capacity) {
        size_t capacity = board->open_capacity == 0 ? OPEN_FIRST : board->open_capacity * 2;
        if (capacity < wanted) capacity = wanted;
        struct entry **open = realloc(board->open, capacity * sizeof(struct entry *));
        ready = open != NULL;
        if (ready) {
            board->open = open;
            board->open_capacity = capacity;
        }
    }
    return ready ? STET_OK : error_set(err, STET_NO_MEMORY, "out of memory for conflicts");
}

static void add(struct board *board, struct entry *entry) {
    table_add(&board->ids, &entry->by_id, hash_name(board, entry->id), entry);
    for (size_t i = 0; i < entry->place_count; i++)
        table_add(&board->persons, &entry->places[i].node,
                  hash_name(board, entry->places[i].person), entry);
    if (entry->state != CONFLICT_OPEN) return;
    table_add(&board->records, &entry->by_record, hash_record(board, entry->type, entry->record_id),
              entry);
    table_add(&board->writers, &entry->by_writer, hash_name(board, entry->by), entry);
    size_t at = board_position(board, entry->deadline, entry->first);
    assert(board->open_count < board->open_capacity);
    memmove(board->open + at + 1, board->open + at,
            (board->open_count - at) * sizeof(struct entry *));
    board->open[at] = entry;
    board->open_count++;
}

static void drop(struct board *board, struct entry *entry) {
    board_untouch(board, entry);
    table_remove(&board->ids, &entry->by_id);
    for (size_t i = 0; i < entry->place_count; i++)
        table_remove(&board->persons, &entry->places[i].node);
    if (entry->state == CONFLICT_OPEN) {
        table_remove(&board->records, &entry->by_record);
        table_remove(&board->writers, &entry->by_writer);
        size_t at = board_position(board, entry->deadline, entry->first);
        assert(board->open[at] == entry);
        board->open_count--;
        memmove(board->open + at, board->open + at + 1,
                (board->open_count - at) * sizeof(struct entry *));
    }
    free(entry);
}

/* Puts an entry in the place of what stood there for its id. */
static void replace(struct board *board, struct entry *entry) {
    struct entry *old = board_find(board, entry->id);
    if (old != NULL) drop(board, old);
    if (entry->shown) {
        add(board, entry);
    } else {
        free(entry);
    }
}

/* ---- The projection ---------------------------------------------------------------------- */

void board_init(struct board *board, uint64_t hash_seed) {
    *board = (struct board){.hash_seed = hash_seed};
}

/* Whether the change an entry was made from still stands in the batch: its seq alone may be another's by now. */
static bool is_staged(const struct batch *batch, const struct entry *entry) {
    const struct change *change = batch == NULL ? NULL : batch_find_change(batch, entry->seq);
    return change != NULL && view_equal(change->row.id, entry->id) &&
           view_equal(change->row.type, CONFLICT_TYPE);
}

void board_drop_refused(struct board *board, const struct batch *batch) {
    struct entry **slot = &board->prepared;
    while (*slot != NULL) {
        struct entry *entry = *slot;
        if (is_staged(batch, entry)) {
            slot = &entry->prepared_next;
            continue;
        }
        *slot = entry->prepared_next;
        board->prepared_count--;
        free(entry);
    }
}

void board_clear(struct board *board) {
    board_drop_refused(board, NULL);
    for (size_t i = 0; i < board->ids.bucket_count; i++)
        while (board->ids.buckets[i] != NULL)
            drop(board, board->ids.buckets[i]->entry);
    assert(board->open_count == 0 && board->persons.count == 0 && board->records.count == 0);
}

void board_done(struct board *board) {
    board_clear(board);
    free(board->ids.buckets);
    free(board->records.buckets);
    free(board->writers.buckets);
    free(board->persons.buckets);
    free(board->open);
}

stet_status board_load(struct board *board, const struct store_change *head, stet_error *err) {
    struct conflict_record record;
    struct arena arena;
    arena_init(&arena, 4096);
    stet_status status = record_decode(&arena, head->data, &record, err);
    if (status == STET_OK) status = reserve(board, err);
    if (status == STET_OK) {
        struct entry *entry = entry_create(head->id, head->first, head->seq, &record);
        if (entry == NULL) {
            status = error_set(err, STET_NO_MEMORY, "out of memory for conflicts");
        } else {
            replace(board, entry);
        }
    }
    arena_done(&arena);
    return status;
}

stet_status board_prepare(struct board *board, stet_view id, uint64_t first, uint64_t seq,
                          const struct conflict_record *record, stet_error *err) {
    stet_status status = reserve(board, err);
    if (status != STET_OK) return status;
    struct entry *entry = entry_create(id, first, seq, record);
    if (entry == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for conflicts");
    entry->prepared_next = board->prepared;
    board->prepared = entry;
    board->prepared_count++;
    return STET_OK;
}

void board_apply(struct board *board, const struct store_change *change) {
    struct entry **slot = &board->prepared;
    while (*slot != NULL && ((*slot)->seq != change->seq || !view_equal((*slot)->id, change->id)))
        slot = &(*slot)->prepared_next;
    struct entry *entry = *slot;
    assert(entry != NULL); /* Nobody stages such a record but through this module. */
    *slot = entry->prepared_next;
    board->prepared_count--;
    replace(board, entry);
}

/* ---- Records that moved on ---------------------------------------------------------------- */

void board_touch(struct board *board, stet_view type, stet_view id, uint64_t version, int64_t now) {
    struct entry *entry = NULL;
    while ((entry = board_of_record(board, type, id, entry)) != NULL) {
        if (entry->touched || entry->current_version == version) continue;
        entry->touched = true;
        entry->touched_at = now;
        entry->touched_prev = board->touched_last;
        entry->touched_next = NULL;
        if (board->touched_last != NULL) {
            board->touched_last->touched_next = entry;
        } else {
            board->touched_first = entry;
        }
        board->touched_last = entry;
    }
}

void board_untouch(struct board *board, struct entry *entry) {
    if (!entry->touched) return;
    entry->touched = false;
    if (entry->touched_prev != NULL) {
        entry->touched_prev->touched_next = entry->touched_next;
    } else {
        board->touched_first = entry->touched_next;
    }
    if (entry->touched_next != NULL) {
        entry->touched_next->touched_prev = entry->touched_prev;
    } else {
        board->touched_last = entry->touched_prev;
    }
}

/* ---- Lookups ----------------------------------------------------------------------------- */

struct entry *board_find(const struct board *board, stet_view id) {
    struct node *node = table_first(&board->ids, hash_name(board, id));
    while (node != NULL && !view_equal(node->entry->id, id))
        node = table_next(node);
    return node == NULL ? NULL : node->entry;
}

struct entry *board_of_record(const struct board *board, stet_view type, stet_view id,
                              const struct entry *after) {
    struct node *node = after == NULL ? table_first(&board->records, hash_record(board, type, id))
                                      : table_next(&after->by_record);
    while (node != NULL &&
           !(view_equal(node->entry->type, type) && view_equal(node->entry->record_id, id)))
        node = table_next(node);
    return node == NULL ? NULL : node->entry;
}

size_t board_count_record(const struct board *board, stet_view type, stet_view id) {
    size_t count = 0;
    struct entry *entry = NULL;
    while ((entry = board_of_record(board, type, id, entry)) != NULL)
        count++;
    return count;
}

size_t board_count_writer(const struct board *board, stet_view writer) {
    size_t count = 0;
    struct node *node = table_first(&board->writers, hash_name(board, writer));
    for (; node != NULL; node = table_next(node))
        if (view_equal(node->entry->by, writer)) count++;
    return count;
}

struct place *board_inbox(const struct board *board, stet_view person, const struct place *after) {
    struct node *node = after == NULL ? table_first(&board->persons, hash_name(board, person))
                                      : table_next(&after->node);
    for (; node != NULL; node = table_next(node)) {
        struct place *place = (struct place *)node;
        if (view_equal(place->person, person)) return place;
    }
    return NULL;
}
