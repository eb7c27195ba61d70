#include "modules/trees/tree.h"

#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/render.h"

#include <stdio.h>
#include <stdlib.h>

enum { SCAN_PAGE = 256, SINCE_PAGE = 128, SINCE_MAX = 4096 };

/* ---- Addresses --------------------------------------------------------------------------- */

stet_view address_of(struct arena *arena, stet_view type, stet_view id) {
    struct buffer buffer;
    buffer_init(&buffer, arena, 0);
    address_format(&buffer, type, id);
    return buffer_status(&buffer) == STET_OK ? buffer_view(&buffer) : (stet_view){0};
}

stet_view address_at(struct arena *arena, stet_view type, stet_view id, uint64_t version) {
    stet_view address = address_of(arena, type, id);
    if (view_is_empty(address)) return address;
    return arena_format(arena, "%.*s@%llu", VIEW_ARG(address), (unsigned long long)version);
}

stet_status address_split(struct arena *arena, stet_view address, stet_view *type, stet_view *id,
                          uint64_t *version, stet_error *err) {
    const char *at = address.size == 0 ? NULL : memrchr(address.bytes, '@', address.size);
    if (at != NULL) {
        size_t size = (size_t)(at - address.bytes);
        stet_status status =
            view_parse_u64(view_make(at + 1, address.size - size - 1), version)
                ? address_parse(arena, view_make(address.bytes, size), type, id, err)
                : STET_BAD_REQUEST;
        if (status != STET_BAD_REQUEST) return status;
    }
    return error_set(err, STET_CORRUPT, "the origin of a fork is damaged");
}

/* ---- Reading ----------------------------------------------------------------------------- */

struct reading {
    struct space *space;
    struct store_reader *reader;
    struct arena *arena;
    struct tree *tree;
    stet_error *err;
    bool torn; /* Something moved under our hands. */
};

/* The numbers of a record's children, appended to out; at most TREE_NODES_MAX of them in all. */
static stet_status read_children(struct reading *reading, uint64_t parent, uint64_t *numbers,
                                 size_t *count) {
    uint8_t from[STORE_NUMBER_BYTES], to[STORE_NUMBER_BYTES];
    struct store_entry_row rows[SCAN_PAGE];
    size_t found = SCAN_PAGE;
    store_number_key(parent, from);
    store_number_key(parent + 1, to);
    struct store_entry_range range = {.index = STORE_INDEX_PARENT,
                                      .from = view_make(from, sizeof from),
                                      .to = view_make(to, sizeof to)};
    while (found == SCAN_PAGE) {
        stet_status status = store_entries_scan(reading->reader, reading->arena, &range, SCAN_PAGE,
                                                rows, &found, reading->err);
        if (status != STET_OK) return status;
        if (*count + reading->tree->count + found > TREE_NODES_MAX) {
            error_set(reading->err, STET_TOO_LARGE, "the tree has more than %d nodes",
                      TREE_NODES_MAX);
            error_field(reading->err, "tree", TREE_NODES_MAX);
            return STET_TOO_LARGE;
        }
        for (size_t i = 0; i < found; i++)
            numbers[(*count)++] = rows[i].record;
        if (found > 0) {
            range.after_key = rows[found - 1].key;
            range.after_record = rows[found - 1].record;
        }
    }
    return STET_OK;
}

/* The nodes below those from `first` on: one level. */
static stet_status read_level(struct reading *reading, size_t first) {
    struct tree *tree = reading->tree;
    struct arena *arena = reading->arena;
    size_t last = tree->count, count = 0;
    uint64_t *numbers = arena_alloc(arena, TREE_NODES_MAX * sizeof *numbers);
    uint32_t *parents = arena_alloc(arena, TREE_NODES_MAX * sizeof *parents);
    if (numbers == NULL || parents == NULL)
        return error_set(reading->err, STET_NO_MEMORY, "out of memory for a tree");
    for (size_t i = first; i < last; i++) {
        size_t before = count;
        stet_status status = read_children(reading, tree->nodes[i].number, numbers, &count);
        if (status != STET_OK) return status;
        for (size_t j = before; j < count; j++)
            parents[j] = (uint32_t)i;
    }
    if (count == 0) return STET_OK;
    struct store_head *heads = arena_alloc(arena, count * sizeof *heads);
    struct store_change *rows = arena_alloc(arena, count * sizeof *rows);
    if (heads == NULL || rows == NULL)
        return error_set(reading->err, STET_NO_MEMORY, "out of memory for a tree");
    stet_status status =
        store_records_of(reading->reader, arena, numbers, count, true, heads, rows, reading->err);
    if (status != STET_OK) return status;
    for (size_t i = 0; i < count; i++) {
        struct tree_node *parent = &tree->nodes[parents[i]];
        struct tree_node *node = &tree->nodes[tree->count];
        if (heads[i].version == 0 || heads[i].deleted || heads[i].parent != parent->number) {
            reading->torn = true;
            return STET_OK;
        }
        *node = (struct tree_node){
            .number = numbers[i],
            .head = heads[i],
            .row = rows[i],
            .parent = parents[i],
            .depth = parent->depth + 1,
            .first_child = TREE_NONE,
            .next_sibling = TREE_NONE,
        };
        uint32_t *slot = &parent->first_child;
        while (*slot != TREE_NONE)
            slot = &tree->nodes[*slot].next_sibling;
        *slot = (uint32_t)tree->count++;
    }
    return STET_OK;
}

static stet_status read_once(struct reading *reading, stet_view type, stet_view id) {
    struct tree *tree = reading->tree;
    struct store_head head;
    stet_status status = store_head(reading->reader, type, id, &head, reading->err);
    if (status != STET_OK) return status;
    if (head.version == 0)
        return error_set(reading->err, STET_NOT_FOUND, "the record does not exist");
    if (head.deleted) return error_set(reading->err, STET_DELETED, "the record was deleted");
    tree->nodes[0] = (struct tree_node){.number = head.first,
                                        .head = head,
                                        .parent = TREE_NONE,
                                        .first_child = TREE_NONE,
                                        .next_sibling = TREE_NONE};
    tree->count = 1;
    status = store_change_at(reading->reader, reading->arena, head.seq, &tree->nodes[0].row,
                             reading->err);
    size_t first = 0;
    while (status == STET_OK && first < tree->count && !reading->torn) {
        size_t next = tree->count;
        status = read_level(reading, first);
        first = next;
    }
    return status;
}

static bool has_number(const struct tree *tree, uint64_t number) {
    for (size_t i = 0; i < tree->count; i++)
        if (tree->nodes[i].number == number) return true;
    return false;
}

/* Whether an address, as changes keep it, is that of a node. */
static bool has_address(struct reading *reading, stet_view address) {
    stet_view type, id;
    if (view_is_empty(address)) return false;
    if (address_parse(reading->arena, address, &type, &id, NULL) != STET_OK) return true;
    return trees_find(reading->tree, type, id) != TREE_NONE;
}

/* Whether a change belongs to a node, or to a record that came from or went to one. */
static stet_status concerns(struct reading *reading, const struct store_change *change,
                            bool *concerns) {
    struct store_change before;
    *concerns = has_number(reading->tree, change->first) || has_address(reading, change->parent);
    if (*concerns || change->prev == 0) return STET_OK;
    stet_status status =
        store_change_at(reading->reader, reading->arena, change->prev, &before, reading->err);
    if (status == STET_PRUNED) {
        *concerns = true;
        return STET_OK;
    }
    if (status == STET_OK) *concerns = has_address(reading, before.parent);
    return status;
}

/* Looks at what was committed after `seq`. *last: the position up to which to wait before the tree is read again; 0: it holds. */
static stet_status verify(struct reading *reading, uint64_t seq, uint64_t *last) {
    struct store_change changes[SINCE_PAGE];
    size_t count = SINCE_PAGE, seen = 0;
    *last = 0;
    for (uint64_t after = seq; count == SINCE_PAGE; after = changes[count - 1].seq) {
        stet_status status = store_since_bare(reading->reader, reading->arena, after, SINCE_PAGE,
                                              changes, &count, reading->err);
        if (status != STET_OK || count == 0) return status;
        seen += count;
        for (size_t i = 0; i < count; i++) {
            bool matters = reading->torn || seen > SINCE_MAX;
            if (!matters) status = concerns(reading, &changes[i], &matters);
            if (status != STET_OK) return status;
            if (matters) *last = changes[count - 1].transaction;
        }
        if (seen > SINCE_MAX) return STET_OK;
    }
    return STET_OK;
}

stet_status trees_read(struct space *space, struct store_reader *reader, struct arena *arena,
                       stet_view type, stet_view id, struct tree *tree, stet_error *err) {
    struct reading reading = {
        .space = space, .reader = reader, .arena = arena, .tree = tree, .err = err};
    tree->nodes = arena_alloc(arena, TREE_NODES_MAX * sizeof *tree->nodes);
    if (tree->nodes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a tree");
    for (int attempt = 0; attempt < TREE_READS_MAX; attempt++) {
        uint64_t last;
        reading.torn = false;
        tree->seq = ring_published(&space->ring);
        tree->count = 0;
        stet_status status = read_once(&reading, type, id);
        bool is_answer = status == STET_OK || status == STET_NOT_FOUND || status == STET_DELETED;
        if (!is_answer) return status;
        stet_error refusal = err == NULL ? (stet_error){0} : *err;
        stet_status verified = verify(&reading, tree->seq, &last);
        if (verified != STET_OK) return verified;
        if (last == 0 && !reading.torn) {
            if (err != NULL && status != STET_OK) *err = refusal;
            return status;
        }
        /* What tore it may be durable, but not published yet: nobody may have seen it. */
        if (last != 0 && !ring_wait(&space->ring, last, MIN_SEQ_WAIT_MS_MAX)) break;
    }
    return error_set(err, STET_BUSY, "the tree is changing too fast to be read; try again");
}

stet_status trees_read_top(struct space *space, struct store_reader *reader, struct arena *arena,
                           stet_view type, stet_view id, struct tree *tree, stet_error *err) {
    struct store_head head;
    struct store_change row;
    stet_status status = store_head(reader, type, id, &head, err);
    if (status != STET_OK) return status;
    if (head.version == 0) return error_set(err, STET_NOT_FOUND, "the record does not exist");
    if (head.deleted) return error_set(err, STET_DELETED, "the record was deleted");
    status = store_change_at(reader, arena, head.seq, &row, err);
    if (status != STET_OK) return status;
    /* Durable, but perhaps not published yet: nobody may have seen it. */
    if (row.seq > ring_published(&space->ring) &&
        !ring_wait(&space->ring, row.transaction, MIN_SEQ_WAIT_MS_MAX))
        return error_set(err, STET_UNAVAILABLE, "the record is being written");
    tree->nodes = arena_zalloc(arena, 1, sizeof *tree->nodes);
    if (tree->nodes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a record");
    tree->count = 1;
    tree->seq = row.transaction;
    tree->nodes[0] = (struct tree_node){.number = head.first,
                                        .head = head,
                                        .row = row,
                                        .parent = TREE_NONE,
                                        .first_child = TREE_NONE,
                                        .next_sibling = TREE_NONE};
    return STET_OK;
}

bool trees_shows_tombstone(struct stet_command *command, struct store_reader *reader,
                           stet_view type, stet_view id) {
    const struct viewer viewer = command_viewer(command);
    struct store_head head;
    struct store_change row;
    stet_error ignored;
    return store_head(reader, type, id, &head, &ignored) == STET_OK && head.version > 0 &&
           store_change_at(reader, &command->arena, head.seq, &row, &ignored) == STET_OK &&
           viewer_sees(&viewer, &row);
}

stet_status trees_read_for(struct stet_command *command, struct store_reader *reader,
                           enum tree_extent extent, stet_view type, stet_view id, struct tree *tree,
                           stet_error *err) {
    const struct viewer viewer = command_viewer(command);
    stet_status status = (extent == TREE_WHOLE ? trees_read : trees_read_top)(
        command->space, reader, &command->arena, type, id, tree, err);
    if (command->actor.admin) return status;
    if (status == STET_DELETED && !trees_shows_tombstone(command, reader, type, id))
        return error_set(err, STET_NOT_FOUND, "the record does not exist");
    for (size_t i = 0; status == STET_OK && i < tree->count; i++) {
        if (viewer_sees(&viewer, &tree->nodes[i].row)) continue;
        status = i == 0 ? error_set(err, STET_NOT_FOUND, "the record does not exist")
                        : error_set(err, STET_FORBIDDEN, "a record of the tree may not be read");
    }
    return status;
}

uint32_t trees_find(const struct tree *tree, stet_view type, stet_view id) {
    for (size_t i = 0; i < tree->count; i++)
        if (view_equal(tree->nodes[i].row.id, id) && view_equal(tree->nodes[i].row.type, type))
            return (uint32_t)i;
    return TREE_NONE;
}

/* ---- Versions ---------------------------------------------------------------------------- */

/* A bijection that spreads every bit over all others; the constants are SplitMix64's. */
static uint64_t spread(uint64_t value) {
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

void tree_version_begin(struct tree_version *version, uint64_t seq) {
    *version = (struct tree_version){.seq = seq};
}

/* A sum, so that the order of nodes does not matter. Parents need no part in it: a move is a version. */
void tree_version_add(struct tree_version *version, uint64_t number, uint64_t record_version) {
    version->count++;
    version->digest += spread(spread(number) + record_version);
}

struct tree_version tree_version_of(const struct tree *tree) {
    struct tree_version version;
    tree_version_begin(&version, tree->seq);
    for (size_t i = 0; i < tree->count; i++)
        tree_version_add(&version, tree->nodes[i].number, tree->nodes[i].head.version);
    return version;
}

stet_view tree_version_format(const struct tree_version *version, char *text) {
    int size = snprintf(text, TREE_VERSION_BYTES_MAX, "%llx-%llx-%016llx",
                        (unsigned long long)version->seq, (unsigned long long)version->count,
                        (unsigned long long)version->digest);
    return view_make(text, (size_t)size);
}

static bool parse_hex(stet_view *rest, uint64_t *value) {
    size_t size = 0;
    *value = 0;
    while (size < rest->size && rest->bytes[size] != '-') {
        char c = rest->bytes[size++];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0 || size > 16) return false;
        *value = *value << 4 | (uint64_t)digit;
    }
    if (size == 0) return false;
    bool more = size < rest->size;
    *rest = view_make(rest->bytes + size + more, rest->size - size - more);
    return true;
}

bool tree_version_parse(stet_view text, struct tree_version *version) {
    return parse_hex(&text, &version->seq) && parse_hex(&text, &version->count) &&
           parse_hex(&text, &version->digest) && text.size == 0;
}
