/*
 * The portable part of store_check. It needs memory for one page of rows, not for the whole log: every change is compared
 * with the ones it points at, and that nothing forks or hangs loose follows from counting: each head's ordinal is how
 * many changes lead to it, so the ordinals of all heads add up to the number of changes, unless some were pruned.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/view.h"
#include "store/driver.h"
#include "store/spine.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHECK_PAGE = 256, CHECK_PAGE_BYTES = 4 * 1024 * 1024 };

struct check {
    struct store_reader *reader;
    const struct store_driver *driver;
    bool (*is_declared)(void *context, uint32_t index); /* NULL: all are. */
    void (*report)(void *context, const char *finding);
    void *context;
    uint64_t findings;
    uint64_t changes;
    uint64_t ordinals;
    uint64_t floor_seq; /* The highest pruned seq of any type. */
    const struct store_type *types;
    size_t type_count;
    uint64_t children; /* Live heads with a parent. */
    stet_view lives;   /* Where positions were passed over: driver.h. */
    struct arena page;
    struct arena row;
    stet_error *err;
};

__attribute__((format(printf, 2, 3))) static void finding(struct check *check, const char *format,
                                                          ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    check->findings++;
    if (check->report != NULL) check->report(check->context, text);
}

/* Reads a change another one points at. *present is false when it was pruned, or is missing and was reported. */
static stet_status pointed(struct check *check, const struct store_change *from, uint64_t seq,
                           const char *what, struct store_change *to, bool *present) {
    stet_status status =
        check->driver->change(check->reader, &check->row, seq, false, to, check->err);
    *present = status == STET_OK;
    if (status != STET_OK && status != STET_PRUNED) return status;
    if (!*present && seq > check->floor_seq) {
        finding(check, "change %" PRIu64 ": its %s %" PRIu64 " is missing", from->seq, what, seq);
    }
    if (*present && (!view_equal(to->type, from->type) || !view_equal(to->id, from->id) ||
                     to->seq >= from->seq)) {
        finding(check,
                "change %" PRIu64 ": its %s %" PRIu64 " is not an earlier change of the record",
                from->seq, what, seq);
    }
    return STET_OK;
}

static uint64_t floor_of(const struct check *check, stet_view type) {
    for (size_t i = 0; i < check->type_count; i++) {
        if (view_equal(check->types[i].name, type)) return check->types[i].floor_seq;
    }
    return 0;
}

/* Whether the positions after `from` up to `to` were passed over when the store began anew, perhaps more than once. */
static bool is_passed_over(const struct check *check, uint64_t from, uint64_t to) {
    stet_view lives = check->lives;
    struct store_life life;
    while (store_life_next(&lives, &life))
        if (life.from == from) from = life.to;
    return from == to;
}

/* The version that follows beside the next one: with the record's first change in a life, the first of that life. (An import of
   history says itself which versions a record has.) */
static uint64_t version_after(const struct check *check, const struct store_change *before,
                              uint64_t seq) {
    stet_view lives = check->lives;
    uint64_t version = before->version + 1;
    struct store_life life;
    while (store_life_next(&lives, &life))
        if (before->seq <= life.from && life.to < seq && version <= life.to) version = life.to + 1;
    return version;
}

static stet_status check_change(struct check *check, const struct store_change *change) {
    struct store_change other;
    bool present;
    stet_status status;
    if (change->version == 0 || change->ordinal == 0) {
        finding(check, "change %" PRIu64 ": no version", change->seq);
        return STET_OK;
    }
    if ((change->ordinal == 1) != (change->prev == 0) ||
        (change->ordinal == 1) != (change->first == change->seq)) {
        finding(check, "change %" PRIu64 ": first and prev do not fit its ordinal", change->seq);
    }
    if (change->pruned && change->seq > floor_of(check, change->type)) {
        finding(check, "change %" PRIu64 ": pruned, but its type's floor is below", change->seq);
    }
    if (change->prev != 0) {
        status = pointed(check, change, change->prev, "prev", &other, &present);
        if (status != STET_OK) return status;
        if (present && ((other.version + 1 != change->version &&
                         version_after(check, &other, change->seq) != change->version) ||
                        other.ordinal + 1 != change->ordinal)) {
            finding(check, "change %" PRIu64 ": version %" PRIu64 " follows version %" PRIu64,
                    change->seq, change->version, other.version);
        }
    }
    uint64_t skip_ordinal = change->ordinal & (change->ordinal - 1);
    if ((skip_ordinal == 0) != (change->skip == 0)) {
        finding(check, "change %" PRIu64 ": skip does not fit its ordinal", change->seq);
    }
    if (change->skip != 0) {
        status = pointed(check, change, change->skip, "skip", &other, &present);
        if (status != STET_OK) return status;
        if (present && other.ordinal != skip_ordinal) {
            finding(check, "change %" PRIu64 ": skip leads to ordinal %" PRIu64, change->seq,
                    other.ordinal);
        }
    }
    if (change->first != change->seq) {
        status = pointed(check, change, change->first, "first", &other, &present);
        if (status != STET_OK) return status;
        if (present && other.ordinal != 1) {
            finding(check, "change %" PRIu64 ": first is not the first change", change->seq);
        }
    }
    return STET_OK;
}

/* Changes in order: seqs without a gap, stamps increasing, transactions whole; then each against what it points at. */
static stet_status check_changes(struct check *check, const struct store_state *state) {
    struct store_change *changes = malloc(CHECK_PAGE * sizeof *changes);
    uint64_t seq = 0, transaction = 0;
    int64_t stamp = 0;
    size_t count = 0;
    stet_status status = STET_OK;
    if (changes == NULL)
        return error_set(check->err, STET_NO_MEMORY, "could not check the changes");
    do {
        arena_reset(&check->page);
        status = check->driver->since(check->reader, &check->page, seq, CHECK_PAGE,
                                      CHECK_PAGE_BYTES, true, changes, &count, check->err);
        for (size_t i = 0; status == STET_OK && i < count; i++) {
            const struct store_change *change = &changes[i];
            if (change->seq != seq + 1 && change->seq - 1 > check->floor_seq &&
                !is_passed_over(check, seq, change->seq - 1)) {
                finding(check, "changes %" PRIu64 " to %" PRIu64 " are missing", seq + 1,
                        change->seq - 1);
            }
            if (change->stamp <= stamp)
                finding(check, "change %" PRIu64 ": its stamp does not increase", change->seq);
            if (change->transaction < change->seq ||
                (change->transaction != transaction && transaction >= change->seq)) {
                finding(check, "change %" PRIu64 ": its transaction is not whole", change->seq);
            }
            if (change->transaction > state->seq) {
                finding(check, "change %" PRIu64 ": the end of its transaction is missing",
                        change->seq);
            }
            seq = change->seq;
            stamp = change->stamp;
            transaction = change->transaction;
            check->changes++;
            arena_reset(&check->row);
            status = check_change(check, change);
        }
    } while (status == STET_OK && count > 0);
    free(changes);
    if (status == STET_OK &&
        (seq > state->seq || (seq < state->seq && state->seq > check->floor_seq &&
                              !is_passed_over(check, seq, state->seq)))) {
        finding(check, "the clock says seq %" PRIu64 ", the last change is %" PRIu64, state->seq,
                seq);
    }
    if (status == STET_OK && stamp > state->stamp)
        finding(check, "the clock is behind the last change");
    return status;
}

/* A child's parent exists, and the tree leads from it to the child while that lives. */
static stet_status check_parent(struct check *check, stet_view type, const struct store_row *row,
                                const struct store_change *change) {
    const struct store_head *head = &row->head;
    struct store_head parent;
    uint8_t key[STORE_NUMBER_BYTES];
    uint64_t entries;
    if (view_is_empty(change->forked_from) == head->forked)
        finding(check, "head \"%.*s/%.*s\": whether it is a fork differs from its change",
                VIEW_ARG(type), VIEW_ARG(row->id));
    if (view_is_empty(change->parent) != (head->parent == 0)) {
        finding(check, "head \"%.*s/%.*s\": its parent differs from that of its change",
                VIEW_ARG(type), VIEW_ARG(row->id));
    }
    if (head->parent == 0) return STET_OK;
    stet_status status = check->driver->head_of(check->reader, head->parent, &parent, check->err);
    if (status != STET_OK) return status;
    if (parent.version == 0) {
        finding(check, "head \"%.*s/%.*s\": its parent %" PRIu64 " is no record", VIEW_ARG(type),
                VIEW_ARG(row->id), head->parent);
    }
    if (head->deleted) return STET_OK;
    check->children++;
    store_number_key(head->parent, key);
    stet_view bytes = view_make(key, sizeof key);
    const struct store_bounds bounds = {
        .above = {.index = STORE_INDEX_PARENT, .key = bytes, .record = head->first - 1},
        .below = {.index = STORE_INDEX_PARENT, .key = bytes, .record = head->first + 1}};
    status = check->driver->entries_count(check->reader, &bounds, 1, &entries, check->err);
    if (status == STET_OK && entries == 0) {
        finding(check, "head \"%.*s/%.*s\": its parent does not lead to it", VIEW_ARG(type),
                VIEW_ARG(row->id));
    }
    return status;
}

/* Whether an index lets go of a record that is deleted. One that only tells of forks does not, nor one that is on its way out. */
static bool is_kept_up(const struct check *check, uint32_t index) {
    if (index < STORE_INDEX_FIRST) return index != STORE_INDEX_FORK;
    return check->is_declared == NULL || check->is_declared(check->context, index);
}

/* Every entry names a record, which lives unless it only tells of a fork; and the tree has as many as there are children. */
static stet_status check_entries(struct check *check) {
    enum { PAGE = 1024 };
    struct store_entry_row *rows = malloc(PAGE * sizeof *rows);
    uint64_t children = 0;
    uint32_t index = STORE_INDEX_PARENT;
    size_t found = 1;
    stet_status status = STET_OK;
    if (rows == NULL) return error_set(check->err, STET_NO_MEMORY, "could not check the entries");
    for (; status == STET_OK && found > 0;
         status =
             check->driver->entry_indexes(check->reader, index, 1, &index, &found, check->err)) {
        struct store_bounds bounds = {.above = {.index = index},
                                      .below = {.index = (uint64_t)index + 1}};
        size_t count = PAGE;
        while (count == PAGE) {
            /* The keys of the page before are where this one begins. */
            struct arena before = check->page;
            arena_init(&check->page, 65536);
            status = check->driver->entries(check->reader, &check->page, &bounds, false, PAGE, rows,
                                            &count, check->err);
            arena_done(&before);
            for (size_t i = 0; status == STET_OK && i < count; i++) {
                struct store_head head;
                status = check->driver->head_of(check->reader, rows[i].record, &head, check->err);
                if (status == STET_OK &&
                    (head.version == 0 || (head.deleted && is_kept_up(check, index)))) {
                    finding(check,
                            "an entry of index %" PRIu32 " names %" PRIu64 ", which is no "
                            "record%s",
                            index, rows[i].record, head.version == 0 ? "" : " any more");
                }
            }
            if (status != STET_OK) break;
            if (index == STORE_INDEX_PARENT) children += count;
            if (count == 0) break;
            bounds.above.key = rows[count - 1].key;
            bounds.above.record = rows[count - 1].record;
        }
        if (status != STET_OK) break;
    }
    free(rows);
    if (status == STET_OK && children != check->children) {
        finding(check, "there are %" PRIu64 " entries of children, and %" PRIu64 " children",
                children, check->children);
    }
    return status;
}

static stet_status check_head(struct check *check, stet_view type, const struct store_row *row) {
    const struct store_head *head = &row->head;
    struct store_change change;
    stet_status status =
        check->driver->change(check->reader, &check->row, head->seq, false, &change, check->err);
    if (status == STET_PRUNED) {
        finding(check, "head \"%.*s/%.*s\": its change %" PRIu64 " is missing", VIEW_ARG(type),
                VIEW_ARG(row->id), head->seq);
        return STET_OK;
    }
    if (status != STET_OK) return status;
    if (!view_equal(change.type, type) || !view_equal(change.id, row->id) ||
        change.version != head->version || change.ordinal != head->ordinal ||
        change.first != head->first || (change.op == STORE_DELETE) != head->deleted) {
        finding(check, "head \"%.*s/%.*s\" differs from its change %" PRIu64, VIEW_ARG(type),
                VIEW_ARG(row->id), head->seq);
    }
    if (change.pruned) {
        finding(check, "head \"%.*s/%.*s\": its data was pruned", VIEW_ARG(type),
                VIEW_ARG(row->id));
    }
    status = check_parent(check, type, row, &change);
    if (status != STET_OK) return status;
    unsigned count = spine_count(head->ordinal);
    if (count == 0 || head->spine[count - 1] != head->seq ||
        change.skip != (count > 1 ? head->spine[count - 2] : 0)) {
        finding(check, "head \"%.*s/%.*s\": its spine is wrong", VIEW_ARG(type), VIEW_ARG(row->id));
        return STET_OK;
    }
    for (unsigned i = count - 1; i > 0; i--) {
        struct store_link link;
        status = check->driver->link(check->reader, head->spine[i], &link, check->err);
        if (status == STET_PRUNED) break;
        if (status != STET_OK) return status;
        if (link.skip != head->spine[i - 1]) {
            finding(check, "head \"%.*s/%.*s\": its spine is wrong", VIEW_ARG(type),
                    VIEW_ARG(row->id));
            break;
        }
    }
    check->ordinals += head->ordinal;
    return STET_OK;
}

static stet_status check_heads(struct check *check, const struct store_type *type) {
    struct store_row *rows = malloc(CHECK_PAGE * sizeof *rows);
    struct arena *page = &check->page;
    struct buffer after; /* The page's arena is emptied before the next page is read. */
    uint64_t live = 0;
    size_t count = 0;
    stet_status status = STET_OK;
    if (rows == NULL) return error_set(check->err, STET_NO_MEMORY, "could not check the heads");
    buffer_init(&after, NULL, 0);
    do {
        arena_reset(page);
        status = check->driver->scan(check->reader, page, type->name, buffer_view(&after),
                                     CHECK_PAGE, rows, &count, check->err);
        if (status == STET_CORRUPT) {
            finding(check, "type \"%.*s\": a head after \"%.*s\" cannot be read",
                    VIEW_ARG(type->name), VIEW_ARG(buffer_view(&after)));
            live = type->live;
            count = 0;
            status = STET_OK;
        }
        for (size_t i = 0; status == STET_OK && i < count; i++) {
            arena_reset(&check->row);
            if (!rows[i].head.deleted) live++;
            status = check_head(check, type->name, &rows[i]);
        }
        if (status == STET_OK && count > 0) {
            buffer_reset(&after);
            buffer_append_view(&after, rows[count - 1].id);
            status = buffer_status(&after);
        }
    } while (status == STET_OK && count > 0);
    buffer_done(&after);
    free(rows);
    if (status == STET_OK && live != type->live) {
        finding(check, "type \"%.*s\" counts %" PRIu64 " records, there are %" PRIu64,
                VIEW_ARG(type->name), type->live, live);
    }
    return status;
}

stet_status check_log(struct store_reader *reader,
                      bool (*is_declared)(void *context, uint32_t index),
                      void (*report)(void *context, const char *finding), void *context,
                      uint64_t *findings, stet_error *err) {
    struct check check = {.reader = reader,
                          .driver = reader->store->driver,
                          .is_declared = is_declared,
                          .report = report,
                          .context = context,
                          .err = err};
    struct arena types_arena;
    struct store_state state;
    struct store_type *types = NULL;
    size_t type_count = 0;
    arena_init(&types_arena, 4096);
    arena_init(&check.page, 65536);
    arena_init(&check.row, 4096);
    stet_status status = check.driver->clock(reader, &state, err);
    if (status == STET_OK)
        status = check.driver->types(reader, &types_arena, &types, &type_count, err);
    if (status == STET_OK) {
        status =
            check.driver->meta_get(reader, &types_arena, VIEW(STORE_META_LIVES), &check.lives, err);
        if (status == STET_NOT_FOUND) status = STET_OK;
    }
    for (size_t i = 0; status == STET_OK && i < type_count; i++) {
        if (types[i].floor_seq > check.floor_seq) check.floor_seq = types[i].floor_seq;
    }
    check.types = types;
    check.type_count = type_count;
    if (status == STET_OK) status = check_changes(&check, &state);
    for (size_t i = 0; status == STET_OK && i < type_count; i++)
        status = check_heads(&check, &types[i]);
    if (status == STET_OK) status = check_entries(&check);
    if (status == STET_OK && check.floor_seq == 0 && check.ordinals != check.changes) {
        finding(&check, "the heads account for %" PRIu64 " changes, there are %" PRIu64,
                check.ordinals, check.changes);
    }
    arena_done(&check.row);
    arena_done(&check.page);
    arena_done(&types_arena);
    *findings += check.findings;
    return status;
}
