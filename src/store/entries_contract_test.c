/* What every driver must do with parents, index entries, and versions that are no longer kept. */
#include "store/contract.h"

#include <stdlib.h>

static size_t scan(struct fixture *f, struct store_entry_range range, size_t limit,
                   struct store_entry_row *rows) {
    size_t count = 99;
    must(store_entries_scan(f->reader, &f->arena, &range, limit, rows, &count, err));
    return count;
}

/* Records enough for entries to name: the entries of a test must lead somewhere. */
static void put_records(struct fixture *f, unsigned count) {
    struct kit_batch kit;
    kit_begin(&kit, f->store);
    for (unsigned i = 1; i <= count; i++) {
        char id[16];
        int size = snprintf(id, sizeof id, "r%u", i);
        kit_change(&kit, STORE_CREATE, VIEW("task"), view_make(id, (size_t)size), VIEW("{}"));
    }
    kit_must_commit(&kit);
}

TEST(a_child_names_its_parent) {
    struct kit_batch kit;
    struct store_change change;
    kit_put(f->store, "deal", "1", "{}");
    kit_begin(&kit, f->store);
    struct store_change *made =
        kit_child(&kit, STORE_CREATE, VIEW("item"), VIEW("a"), VIEW("{}"), VIEW("deal/1"), 1);
    made->forked_from = VIEW("item/z@4");
    kit_link(&kit, 1, 2, false);
    kit_must_commit(&kit);
    assert_int_equal(kit_head(f->reader, "item", "a").parent, 1);
    must(store_change_at(f->reader, &f->arena, 2, &change, err));
    check_view(change.parent, "deal/1");
    check_view(change.forked_from, "item/z@4");
    kit_begin(&kit, f->store);
    kit_child(&kit, STORE_DELETE, VIEW("item"), VIEW("a"), VIEW("{}"), VIEW("deal/1"), 1);
    kit_link(&kit, 1, 2, true);
    kit_must_commit(&kit);
    assert_int_equal(kit_head(f->reader, "item", "a").parent, 1);
}

TEST(a_child_becomes_a_root) {
    struct kit_batch kit;
    kit_put(f->store, "deal", "1", "{}");
    kit_begin(&kit, f->store);
    kit_child(&kit, STORE_CREATE, VIEW("item"), VIEW("a"), VIEW("{}"), VIEW("deal/1"), 1);
    kit_link(&kit, 1, 2, false);
    kit_must_commit(&kit);
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_UPDATE, VIEW("item"), VIEW("a"), VIEW("{}"));
    kit_link(&kit, 1, 2, true);
    kit_must_commit(&kit);
    assert_int_equal(kit_head(f->reader, "item", "a").parent, 0);
}

TEST(records_are_found_by_number) {
    stet_view type, id;
    struct store_head head, heads[3];
    struct store_change changes[3];
    kit_put(f->store, "deal", "1", "{\"n\":1}");
    kit_put(f->store, "deal", "2", "{\"n\":2}");
    kit_put(f->store, "deal", "1", "{\"n\":3}");
    must(store_head_of(f->reader, &f->arena, 1, &type, &id, &head, err));
    check_view(type, "deal");
    check_view(id, "1");
    assert_int_equal(head.version, 2);
    assert_int_equal(head.seq, 3);
    const uint64_t numbers[] = {2, 3, 1}; /* 3 is a change, but no record. */
    must(store_records_of(f->reader, &f->arena, numbers, 3, true, heads, changes, err));
    check_view(changes[0].data, "{\"n\":2}");
    assert_int_equal(heads[1].version, 0);
    check_view(changes[2].data, "{\"n\":3}");
    must(store_records_of(f->reader, &f->arena, numbers, 1, false, heads, changes, err));
    check_view(changes[0].data, "");
    must(store_head_of(f->reader, &f->arena, 77, &type, &id, &head, err));
    assert_int_equal(head.version, 0);
    check_view(id, "");
}

TEST(entries_are_scanned_both_ways) {
    struct kit_batch kit;
    struct store_entry_row rows[8];
    put_records(f, 4);
    kit_begin(&kit, f->store);
    kit_entry(&kit, 20, VIEW("b"), 2, false);
    kit_entry(&kit, 20, VIEW("a"), 4, false);
    kit_entry(&kit, 20, VIEW("a"), 3, false);
    kit_entry(&kit, 20, VIEW("ab"), 1, false);
    kit_entry(&kit, 21, VIEW("a"), 1, false);
    kit_entry(&kit, 19, VIEW("z"), 1, false);
    kit_must_commit(&kit);
    assert_int_equal(scan(f, (struct store_entry_range){.index = 20}, 8, rows), 4);
    check_view(rows[0].key, "a");
    assert_int_equal(rows[0].record, 3);
    assert_int_equal(rows[1].record, 4);
    check_view(rows[2].key, "ab");
    check_view(rows[3].key, "b");
    assert_int_equal(scan(f, (struct store_entry_range){.index = 20, .reverse = true}, 2, rows), 2);
    check_view(rows[0].key, "b");
    check_view(rows[1].key, "ab");
    struct store_entry_range range = {
        .index = 20, .from = VIEW("a"), .to = VIEW("b"), .after_key = VIEW("a"), .after_record = 3};
    assert_int_equal(scan(f, range, 8, rows), 2);
    assert_int_equal(rows[0].record, 4);
    range.reverse = true;
    range.after_record = 4;
    assert_int_equal(scan(f, range, 8, rows), 1);
    assert_int_equal(rows[0].record, 3);
}

TEST(entries_apply_in_order) {
    struct kit_batch kit;
    struct store_entry_row rows[4];
    uint64_t count;
    put_records(f, 2);
    kit_begin(&kit, f->store);
    kit_entry(&kit, 20, VIEW("a"), 1, false);
    kit_entry(&kit, 20, VIEW("a"), 1, false);
    kit_entry(&kit, 20, VIEW("b"), 1, false);
    kit_entry(&kit, 20, VIEW("b"), 1, true);
    kit_entry(&kit, 20, VIEW("c"), 2, true);
    kit_entry(&kit, 20, VIEW("c"), 2, false);
    kit_must_commit(&kit);
    const struct store_entry_range all = {.index = 20};
    assert_int_equal(scan(f, all, 4, rows), 2);
    check_view(rows[1].key, "c");
    must(store_entries_count(f->reader, &all, 100, &count, err));
    assert_int_equal(count, 2);
    must(store_entries_count(f->reader, &all, 1, &count, err));
    assert_int_equal(count, 1);
}

TEST(a_batch_may_hold_entries_only) {
    struct kit_batch kit;
    struct store_entry_row rows[2];
    put_records(f, 1);
    kit_begin(&kit, f->store);
    kit_entry(&kit, 20, view_make("\0\xff", 2), 1, false);
    kit_must_commit(&kit);
    assert_int_equal(store_state(f->store)->seq, 1);
    assert_int_equal(scan(f, (struct store_entry_range){.index = 20}, 2, rows), 1);
    assert_int_equal(rows[0].key.size, 2);
    assert_memory_equal(rows[0].key.bytes, "\0\xff", 2);
}

TEST(an_index_is_dropped_bit_by_bit) {
    struct kit_batch kit;
    uint32_t indexes[4];
    size_t count;
    put_records(f, 5);
    kit_begin(&kit, f->store);
    for (uint64_t record = 1; record <= 5; record++) {
        kit_entry(&kit, 20, VIEW("k"), record, false);
        kit_entry(&kit, 400, VIEW("k"), record, false);
    }
    kit_must_commit(&kit);
    must(store_entry_indexes(f->reader, 0, 4, indexes, &count, err));
    assert_int_equal(count, 2);
    assert_int_equal(indexes[0], 20);
    assert_int_equal(indexes[1], 400);
    must(store_entries_drop(f->store, 20, 3, &count, err));
    assert_int_equal(count, 3);
    must(store_entries_drop(f->store, 20, 3, &count, err));
    assert_int_equal(count, 2);
    must(store_entries_drop(f->store, 20, 3, &count, err));
    assert_int_equal(count, 0);
    must(store_entry_indexes(f->reader, 0, 4, indexes, &count, err));
    assert_int_equal(count, 1);
    must(store_entry_indexes(f->reader, UINT32_MAX, 4, indexes, &count, err));
    assert_int_equal(count, 0);
}

TEST(what_is_pruned_keeps_its_metadata) {
    struct kit_batch kit;
    struct store_change change, history[4];
    struct store_type *types;
    size_t count;
    kit_put(f->store, "task", "1", "{\"n\":1}");
    kit_put(f->store, "other", "1", "{}");
    kit_put(f->store, "task", "1", "{\"n\":2}");
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("1"), VIEW("{\"n\":3}"));
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("1"), VIEW("{\"n\":4}"));
    kit_prune(&kit, 3, VIEW("task"));
    kit_prune(&kit, 1, VIEW("task"));
    kit_prune(&kit, 4, VIEW("task")); /* Of this very batch. */
    kit_must_commit(&kit);
    must(store_change_at(f->reader, &f->arena, 1, &change, err));
    assert_true(change.pruned);
    assert_int_equal(change.op, STORE_CREATE);
    check_view(change.data, "");
    check_view(change.by, "user:test");
    must(store_change_at(f->reader, &f->arena, 5, &change, err));
    assert_false(change.pruned);
    check_view(change.data, "{\"n\":4}");
    const struct store_head head = kit_head(f->reader, "task", "1");
    must(store_history(f->reader, &f->arena, &head, 0, 4, true, history, &count, err));
    assert_int_equal(count, 4);
    assert_true(history[1].pruned);
    must(store_find(f->reader, &f->arena, &head, STORE_BOUND_VERSION, 2, &change, err));
    assert_int_equal(change.seq, 3);
    assert_true(change.pruned);
    must(store_types(f->reader, &f->arena, &types, &count, err));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(types[i].floor_seq, view_equal(types[i].name, VIEW("task")) ? 4 : 0);
    must(store_since_bare(f->reader, &f->arena, 2, 2, history, &count, err));
    assert_int_equal(count, 2);
    assert_int_equal(history[0].seq, 3);
    check_view(history[1].data, "");
}

TEST(what_is_erased_keeps_not_even_how_it_came_about) {
    struct kit_batch kit;
    struct store_change change;
    kit_put(f->store, "task", "1", "{\"n\":1}");
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("1"), VIEW("{\"n\":2}"))->merge =
        VIEW("{\"from\":1}");
    kit_must_commit(&kit);
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("1"), VIEW("{\"n\":3}"));
    kit_prune(&kit, 2, VIEW("task")); /* Pruned first, erased then: what is left of it goes, too. */
    kit_must_commit(&kit);
    must(store_change_at(f->reader, &f->arena, 2, &change, err));
    assert_true(change.pruned && change.merge.size > 0);
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("1"), VIEW("{\"n\":4}"));
    for (uint64_t seq = 1; seq <= 3; seq++) {
        kit_prune(&kit, seq, VIEW("task"));
        kit.prunes[seq - 1].erase = true;
    }
    kit_must_commit(&kit);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        must(store_change_at(f->reader, &f->arena, seq, &change, err));
        assert_true(change.pruned);
        assert_int_equal(change.data.size + change.merge.size + change.origin.size, 0);
        assert_int_equal(change.version, seq);
        check_view(change.by, "user:test");
    }
}

TEST(what_makes_no_sense_is_refused) {
    struct kit_batch kit;
    put_records(f, 1);
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("r1"), VIEW("{}"))->parent = VIEW("task/r1");
    assert_int_equal(kit_commit(&kit, NULL), STET_MISUSE);
    kit_begin(&kit, f->store);
    kit_entry(&kit, 20, VIEW(""), 1, false);
    assert_int_equal(kit_commit(&kit, NULL), STET_MISUSE);
    kit_begin(&kit, f->store);
    kit_entry(&kit, 20, VIEW("a"), 0, false);
    assert_int_equal(kit_commit(&kit, NULL), STET_MISUSE);
    kit_begin(&kit, f->store);
    kit_prune(&kit, 2, VIEW("task"));
    assert_int_equal(kit_commit(&kit, NULL), STET_MISUSE);
}

/* ---- Against a model ------------------------------------------------------------------------------------------------ */

enum { MODEL_RECORDS = 6, MODEL_KEYS = 40, MODEL_INDEXES = 3 };

static uint32_t random_state;
static unsigned random_below(unsigned bound) {
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % bound;
}

/* Keys of one or two bytes out of a few, so that one often begins another. */
static stet_view model_key(unsigned number) {
    static const char bytes[] = "\x00\x01\x00\x01\xff\xfe\x00\xff\xff\xff\x01\x01";
    return view_make(bytes + number % 11, 1 + number / 11 % 2);
}

struct model {
    struct store_entry_row rows[MODEL_INDEXES][MODEL_RECORDS * MODEL_KEYS];
    size_t count[MODEL_INDEXES];
};

static int compare_rows(const void *a, const void *b) {
    const struct store_entry_row *x = a, *y = b;
    int order = view_compare(x->key, y->key);
    return order != 0 ? order : (x->record > y->record) - (x->record < y->record);
}

static void model_apply(struct model *model, unsigned index, stet_view key, uint64_t record,
                        bool remove) {
    struct store_entry_row row = {.key = key, .record = record}, *rows = model->rows[index];
    size_t *count = &model->count[index], at = 0;
    while (at < *count && compare_rows(&rows[at], &row) != 0)
        at++;
    if (remove && at < *count) rows[at] = rows[--*count];
    if (!remove && at == *count) rows[(*count)++] = row;
    qsort(rows, *count, sizeof *rows, compare_rows);
}

/* One range, read in pages of a few rows, against the model. */
static void check_range(struct fixture *f, const struct model *model, unsigned index) {
    struct store_entry_row rows[4];
    struct store_entry_range range = {.index = 20 + index, .reverse = random_below(2) == 0};
    if (random_below(4) > 0) range.from = model_key(random_below(MODEL_KEYS));
    if (random_below(4) > 0) range.to = model_key(random_below(MODEL_KEYS));
    struct store_entry_row expected[MODEL_RECORDS * MODEL_KEYS];
    size_t expected_count = 0, at = 0, count, limit = 1 + random_below(4);
    uint64_t counted;
    for (size_t i = 0; i < model->count[index]; i++) {
        size_t k = range.reverse ? model->count[index] - 1 - i : i;
        const struct store_entry_row *row = &model->rows[index][k];
        if (view_compare(row->key, range.from) < 0) continue;
        if (range.to.size > 0 && view_compare(row->key, range.to) >= 0) continue;
        expected[expected_count++] = *row;
    }
    must(store_entries_count(f->reader, &range, 1000, &counted, err));
    assert_int_equal(counted, expected_count);
    do {
        count = scan(f, range, limit, rows);
        for (size_t i = 0; i < count; i++, at++) {
            assert_true(at < expected_count);
            assert_int_equal(compare_rows(&rows[i], &expected[at]), 0);
        }
        if (count > 0) {
            range.after_key = rows[count - 1].key;
            range.after_record = rows[count - 1].record;
        }
    } while (count == limit);
    assert_int_equal(at, expected_count);
}

TEST(entries_are_as_in_a_model) {
    static struct model model;
    const uint32_t seed = 20260;
    random_state = seed;
    model = (struct model){0};
    print_message("seed %u, driver %s\n", seed, f->driver);
    put_records(f, MODEL_RECORDS);
    for (int round = 0; round < 60; round++) {
        struct kit_batch kit;
        kit_begin(&kit, f->store);
        for (unsigned i = 1 + random_below(20); i > 0; i--) {
            unsigned index = random_below(MODEL_INDEXES);
            stet_view key = model_key(random_below(MODEL_KEYS));
            uint64_t record = 1 + random_below(MODEL_RECORDS);
            bool remove = random_below(3) == 0;
            kit_entry(&kit, 20 + index, key, record, remove);
            model_apply(&model, index, key, record, remove);
        }
        kit_must_commit(&kit);
        for (int i = 0; i < 8; i++)
            check_range(f, &model, random_below(MODEL_INDEXES));
        arena_reset(&f->arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_names_its_parent),
        cmocka_unit_test(a_child_becomes_a_root),
        cmocka_unit_test(records_are_found_by_number),
        cmocka_unit_test(entries_are_scanned_both_ways),
        cmocka_unit_test(entries_apply_in_order),
        cmocka_unit_test(a_batch_may_hold_entries_only),
        cmocka_unit_test(an_index_is_dropped_bit_by_bit),
        cmocka_unit_test(what_is_pruned_keeps_its_metadata),
        cmocka_unit_test(what_is_erased_keeps_not_even_how_it_came_about),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(entries_are_as_in_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
