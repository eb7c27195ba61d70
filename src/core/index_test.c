/* Upkeep of indexes: unique values, children, the ring, filling while writes go on, and rows nobody needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/index.h"
#include "core/index_internal.h"
#include "core/policy.h"
#include "core/sequencer.h"
#include "core/write_fixture.h"

#include <stdlib.h>

/* ---- Helpers --------------------------------------------------------------------------------------------------------- */

static const struct index_field email[] = {{.pointer = {"/email", 6}}};
static const struct index_field stage_amount[] = {{.pointer = {"/stage", 6}},
                                                  {.pointer = {"/amount", 7}, .descending = true}};
static struct index_def by_email = {
    .number = 20, .unique = true, .field_count = 1, .fields = email};
static struct index_def by_stage = {.number = 21, .field_count = 2, .fields = stage_amount};

/* What the module that owns stet.type does when a definition is published. */
static void declare(struct index_def *const *indexes, size_t count) {
    static uint64_t versions;
    struct arena arena;
    arena_init(&arena, 1024);
    struct policy *policy = arena_zalloc(&arena, 1, sizeof *policy);
    assert_non_null(policy);
    atomic_init(&policy->refs, 1);
    policy->arena = arena;
    policy->type = VIEW("task");
    policy->version = policy->seq = ++versions;
    policy->indexes = indexes;
    policy->index_count = count;
    assert_int_equal(policies_reserve(world.fixture.space->policies, NULL), STET_OK);
    policies_stage(world.fixture.space->policies, VIEW("task"), policy);
    policies_publish(world.fixture.space->policies);
}

static struct index_def *const both[] = {&by_email, &by_stage};

static int setup_declared(void **state) {
    world_open(state);
    declare(both, 2);
    return 0;
}

static size_t entries_in(uint32_t index) {
    struct store_reader *reader = store_writer_reader(world.fixture.space->store);
    const struct store_entry_range range = {.index = index};
    uint64_t count;
    assert_int_equal(store_entries_count(reader, &range, 1000000, &count, NULL), STET_OK);
    return (size_t)count;
}

/* Every entry of the index is the key of its record's data, and every live record has one. */
static void check_index(const struct index_def *def) {
    struct store_reader *reader = store_writer_reader(world.fixture.space->store);
    struct store_row rows[64];
    size_t count, live = 0;
    assert_int_equal(
        store_scan(reader, &world.arena, VIEW("task"), (stet_view){0}, 64, rows, &count, NULL),
        STET_OK);
    for (size_t i = 0; i < count; i++) {
        struct store_change change;
        struct doc doc;
        stet_view key;
        uint64_t found;
        if (rows[i].head.deleted) continue;
        live++;
        assert_int_equal(store_change_at(reader, &world.arena, rows[i].head.seq, &change, NULL),
                         STET_OK);
        assert_int_equal(change_parse(&world.arena, change.data, &doc, NULL), STET_OK);
        assert_int_equal(index_key(&world.arena, def, &doc, &key), STET_OK);
        const struct store_entry_range range = {
            .index = def->number,
            .from = key,
            .after_key = key,
            .after_record = rows[i].head.first - 1 == 0 ? 0 : rows[i].head.first - 1};
        struct store_entry_row row;
        assert_int_equal(store_entries_scan(reader, &world.arena, &range, 1, &row, &found, NULL),
                         STET_OK);
        assert_int_equal(found, 1);
        assert_true(view_equal(row.key, key));
        assert_int_equal(row.record, rows[i].head.first);
    }
    assert_int_equal(entries_in(def->number), live);
}

static struct stet_command *start_put(const char *id, stet_base base, const char *data) {
    stet_mutation one = mutation(STET_OP_PUT, id, base, data);
    return start(&(stet_write){.mutations = &one, .mutation_count = 1});
}

/* ---- Unique ---------------------------------------------------------------------------------------------------------- */

static void a_unique_value_belongs_to_one_record(void **state) {
    (void)state;
    must_put("a", none, "{\"email\":\"x@y\"}");
    struct answer refused = try_put("b", none, "{\"email\":\"\\u0078@y\"}");
    check_status(refused, STET_UNIQUE_VIOLATION);
    assert_string_equal(refused.field, "/email");
    assert_non_null(strstr(refused.message, "task/a"));
    check_json(refused.body, "/field", "\"/email\"");
    check_json(refused.body, "/address", "\"task/a\"");
    assert_int_equal(fixture_version(&world.fixture, "task", "b"), 0);
    must_put("a", at(1), "{\"email\":\"x@y\",\"n\":1}");
    must_put("a", at(2), "{\"email\":\"z@y\"}");
    must_put("b", none, "{\"email\":\"x@y\"}");
    check_status(try_put("a", at(3), "{\"email\":\"x@y\"}"), STET_UNIQUE_VIOLATION);
    must_delete("b", at(1));
    must_put("a", at(3), "{\"email\":\"x@y\"}");
    check_index(&by_email);
    check_index(&by_stage);
}

static void absent_and_null_are_not_unique(void **state) {
    (void)state;
    must_put("a", none, "{}");
    must_put("b", none, "{}");
    must_put("c", none, "{\"email\":null}");
    must_put("d", none, "{\"email\":null}");
    check_index(&by_email);
}

static void long_values_are_compared_whole(void **state) {
    (void)state;
    char x[4096], y[4096];
    memset(x, 'a', sizeof x);
    int head = snprintf(x, sizeof x, "{\"email\":\"");
    x[head] = 'a';
    snprintf(x + 4000, sizeof x - 4000, "x\"}");
    memcpy(y, x, sizeof y);
    y[4000] = 'y';
    must_put("a", none, x);
    must_put("b", none, y);
    check_status(try_put("c", none, x), STET_UNIQUE_VIOLATION);
    must_put("d", none, "{\"email\":[1,2]}");
    check_status(try_put("e", none, "{\"email\":[1.0,2]}"), STET_UNIQUE_VIOLATION);
    must_put("e", none, "{\"email\":[2,1]}");
}

static void one_batch_sees_its_own_values(void **state) {
    (void)state;
    struct stet_command *a = start_put("a", none, "{\"email\":\"x\"}");
    struct stet_command *b = start_put("b", none, "{\"email\":\"x\"}");
    struct stet_command *c = start_put("a", at(1), "{\"email\":\"y\"}");
    struct stet_command *d = start_put("b", none, "{\"email\":\"x\"}");
    struct stet_command *e = start_put("c", none, "{\"email\":\"y\"}");
    check_status(take(a), STET_OK);
    check_status(take(b), STET_UNIQUE_VIOLATION);
    check_status(take(c), STET_OK);
    check_status(take(d), STET_OK);
    check_status(take(e), STET_UNIQUE_VIOLATION);
    check_index(&by_email);
}

static void a_refused_transaction_leaves_no_value_behind(void **state) {
    (void)state;
    must_put("z", none, "{\"email\":\"taken\"}");
    const stet_mutation three[] = {mutation(STET_OP_PUT, "a", none, "{\"email\":\"x\"}"),
                                   mutation(STET_OP_PUT, "b", none, "{\"email\":\"taken\"}"),
                                   mutation(STET_OP_PUT, "c", none, "{\"email\":\"w\"}")};
    const stet_write write = {.mutations = three, .mutation_count = 3, .transaction = true};
    struct stet_command *refused = start(&write);
    struct stet_command *later = start_put("d", none, "{\"email\":\"x\"}");
    check_status(take(refused), STET_UNIQUE_VIOLATION);
    check_status(take(later), STET_OK);
    check_index(&by_email);
}

static void a_transaction_may_hand_a_value_on(void **state) {
    (void)state;
    must_put("a", none, "{\"email\":\"x\"}");
    const stet_mutation two[] = {mutation(STET_OP_PUT, "a", at(1), "{\"email\":\"y\"}"),
                                 mutation(STET_OP_PUT, "b", none, "{\"email\":\"x\"}")};
    check_status(transact(two, 2, NULL), STET_OK);
    check_index(&by_email);
}

/* ---- Trees and forks ------------------------------------------------------------------------------------------------- */

static stet_view children_key(uint64_t parent, uint8_t bytes[STORE_NUMBER_BYTES]) {
    store_number_key(parent, bytes);
    return view_make(bytes, STORE_NUMBER_BYTES);
}

static struct answer put_under(const char *id, stet_base base, const char *parent) {
    stet_mutation one = mutation(STET_OP_PUT, id, base, "{\"n\":1}");
    struct stet_command *command = command_create(world.fixture.client);
    const stet_write write = {.mutations = &one, .mutation_count = 1};
    assert_int_equal(command_fill_write(command, &write, NULL), STET_OK);
    command->mutations[0].sets_parent = true;
    command->mutations[0].parent = view_of(parent);
    return take(submitted(command));
}

static void children_follow_their_records(void **state) {
    (void)state;
    struct store_reader *reader = store_writer_reader(world.fixture.space->store);
    uint64_t findings;
    must_put("p", none, "{}");
    must_put("q", none, "{}");
    check_status(put_under("c", none, "task/p"), STET_OK);
    assert_int_equal(entries_in(STORE_INDEX_PARENT), 1);
    must_put("c", at(1), "{\"n\":2}");
    assert_int_equal(entries_in(STORE_INDEX_PARENT), 1);
    check_status(put_under("c", at(2), "task/q"), STET_OK);
    assert_int_equal(entries_in(STORE_INDEX_PARENT), 1);
    check_status(put_under("d", none, "task/nobody"), STET_NOT_FOUND);
    check_status(put_under("d", none, "nonsense"), STET_BAD_REQUEST);
    check_status(put_under("e", none, "t%61sk/%71"), STET_OK); /* Kept as we spell it. */
    struct store_change row;
    assert_int_equal(store_change_at(reader, &world.arena, seq_now(), &row, NULL), STET_OK);
    assert_true(view_equal(row.parent, VIEW("task/q")));
    must_delete("e", at(1));
    must_delete("c", at(3));
    assert_int_equal(entries_in(STORE_INDEX_PARENT), 0);
    assert_int_equal(store_check(reader, NULL, NULL, &findings, NULL), STET_OK);
    assert_int_equal(findings, 0);
}

/* ---- The ring -------------------------------------------------------------------------------------------------------- */

static enum index_changed changed(uint32_t index, stet_view from, stet_view to, uint64_t seq) {
    struct batch batch = {0};
    return index_changed_since(world.fixture.space, &batch, index, from, to, seq);
}

static void ranges_know_what_changed_in_them(void **state) {
    (void)state;
    uint8_t p[STORE_NUMBER_BYTES], q[STORE_NUMBER_BYTES];
    must_put("p", none, "{}");
    must_put("q", none, "{}");
    uint64_t before = seq_now();
    stet_view of_p = children_key(1, p), of_q = children_key(2, q);
    assert_int_equal(changed(STORE_INDEX_PARENT, of_p, of_q, before), INDEX_UNCHANGED);
    put_under("c", none, "task/p");
    assert_int_equal(changed(STORE_INDEX_PARENT, of_p, of_q, before), INDEX_CHANGED);
    assert_int_equal(changed(STORE_INDEX_PARENT, of_q, (stet_view){0}, before), INDEX_UNCHANGED);
    assert_int_equal(changed(STORE_INDEX_PARENT, of_p, of_q, seq_now()), INDEX_UNCHANGED);
    assert_int_equal(changed(STORE_INDEX_FORK, of_p, (stet_view){0}, before), INDEX_UNCHANGED);
    uint64_t middle = seq_now();
    put_under("c", at(1), "task/q");
    assert_int_equal(changed(STORE_INDEX_PARENT, of_p, of_q, middle), INDEX_CHANGED);
    assert_int_equal(changed(STORE_INDEX_PARENT, of_q, (stet_view){0}, middle), INDEX_CHANGED);
}

static void the_ring_forgets_from_its_end(void **state) {
    (void)state;
    must_put("p", none, "{}");
    uint64_t start_seq = seq_now();
    struct store_entry entry = {.index = 99, .key = VIEW("k"), .record = 1};
    struct batch batch = {.entries = &entry, .entry_count = 1};
    for (size_t i = 0; i < INDEX_RING_MAX; i++) {
        world.fixture.space->seq++;
        index_publish(world.fixture.space, &batch);
    }
    assert_int_equal(changed(99, VIEW("a"), VIEW("b"), start_seq), INDEX_UNCHANGED);
    assert_int_equal(changed(99, VIEW("a"), VIEW("l"), start_seq), INDEX_CHANGED);
    world.fixture.space->seq++;
    index_publish(world.fixture.space, &batch);
    assert_int_equal(changed(99, VIEW("a"), VIEW("b"), start_seq), INDEX_UNKNOWN);
    assert_int_equal(changed(99, VIEW("a"), VIEW("b"), start_seq + 1), INDEX_UNCHANGED);
    world.fixture.space->seq = start_seq;
}

/* Keys longer than the ring keeps: never "unchanged" by mistake. */
static void long_keys_are_changed_when_in_doubt(void **state) {
    (void)state;
    char key[64], bound[64];
    memset(key, 'k', sizeof key);
    memset(bound, 'k', sizeof bound);
    struct store_entry entry = {.index = 99, .key = view_make(key, sizeof key), .record = 1};
    struct batch batch = {.entries = &entry, .entry_count = 1};
    uint64_t before = world.fixture.space->seq;
    world.fixture.space->seq++;
    index_publish(world.fixture.space, &batch);
    bound[63] = 'z';
    stet_view beyond = view_make(bound, sizeof bound);
    assert_int_equal(changed(99, beyond, (stet_view){0}, before), INDEX_CHANGED);
    assert_int_equal(changed(99, VIEW("k"), beyond, before), INDEX_CHANGED);
    assert_int_equal(changed(99, VIEW("a"), VIEW("k"), before), INDEX_UNCHANGED);
    assert_int_equal(changed(99, VIEW("l"), (stet_view){0}, before), INDEX_UNCHANGED);
    world.fixture.space->seq = before;
}

/* ---- Filling --------------------------------------------------------------------------------------------------------- */

/* A batch made by hand, as the sequencer would for a command of the module that owns the types. */
static void fill(struct index_build *build, const struct index_chunk *chunk) {
    struct space *space = world.fixture.space;
    struct batch batch;
    batch_init(&batch);
    batch_mark(&batch);
    assert_int_equal(index_build_fill(space, &batch, &world.arena, build, chunk, NULL), STET_OK);
    struct store_batch stored = {
        .entries = batch.entries, .entry_count = batch.entry_count, .stamp = space->stamp};
    assert_int_equal(store_commit(space->store, &stored, NULL), STET_OK);
    index_publish(space, &batch);
    batch_done(&batch);
}

static struct index_chunk read_chunk(struct index_build *build, stet_view after) {
    struct store_reader *reader;
    struct index_chunk chunk;
    assert_int_equal(space_reader_take(world.fixture.space, &reader, NULL), STET_OK);
    assert_int_equal(index_build_chunk(build, reader, &world.arena, after, &chunk, NULL), STET_OK);
    space_reader_give(world.fixture.space, reader);
    return chunk;
}

static struct index_build *begin_build(void) {
    struct index_def defs[2] = {by_email, by_stage};
    struct index_build *build;
    defs[0].number = by_email.number = index_number_new(world.fixture.space);
    defs[1].number = by_stage.number = index_number_new(world.fixture.space);
    assert_int_equal(index_build_begin(world.fixture.space, VIEW("task"), defs, 2, &build, NULL),
                     STET_OK);
    return build;
}

static uint64_t collisions_of(struct index_build *build, struct index_collision *example) {
    struct batch batch;
    size_t examples;
    uint64_t count;
    bool more;
    batch_init(&batch);
    assert_int_equal(index_build_collisions(world.fixture.space, &batch, &world.arena, build,
                                            example, 1, &examples, &count, &more, NULL),
                     STET_OK);
    assert_false(more);
    assert_int_equal(examples, count > 0 ? 1 : 0);
    batch_done(&batch);
    return count;
}

static void an_index_is_filled_while_writes_go_on(void **state) {
    (void)state;
    must_put("a", none, "{\"email\":\"a\",\"stage\":\"won\"}");
    must_put("b", none, "{\"email\":\"b\"}");
    must_put("c", none, "{\"email\":\"c\"}");
    must_put("d", none, "{\"email\":\"d\"}");
    must_delete("d", at(1));
    struct index_build *build = begin_build();
    assert_int_equal(
        index_build_begin(world.fixture.space, VIEW("task"), &by_email, 1, &build, NULL),
        STET_BUSY);
    must_put("b", at(1), "{\"email\":\"b2\"}"); /* Before its chunk is read… */
    struct index_chunk chunk = read_chunk(build, (stet_view){0});
    assert_true(chunk.last);
    must_put("c", at(1), "{\"email\":\"c2\"}"); /* …and between that and its fill. */
    must_delete("a", at(1));
    must_put("e", none, "{\"email\":\"e\"}");
    fill(build, &chunk);
    fill(build, &chunk); /* Twice does no harm. */
    assert_int_equal(collisions_of(build, &(struct index_collision){0}), 0);
    check_index(&by_email);
    check_index(&by_stage);
    index_build_end(world.fixture.space, build, true);
    declare(both, 2);
    check_status(try_put("f", none, "{\"email\":\"b2\"}"), STET_UNIQUE_VIOLATION);
    must_put("e", at(1), "{\"email\":\"e2\"}");
    check_index(&by_email);
}

static void collisions_are_told_with_examples(void **state) {
    (void)state;
    struct index_collision example;
    must_put("a", none, "{\"email\":\"x\"}");
    must_put("b", none, "{\"email\":\"x\"}");
    must_put("c", none, "{\"email\":\"x\"}");
    must_put("d", none, "{\"email\":\"y\"}");
    struct index_build *build = begin_build();
    struct index_chunk chunk = read_chunk(build, (stet_view){0});
    fill(build, &chunk);
    assert_int_equal(collisions_of(build, &example), 2);
    assert_true(view_equal(example.taken_by, VIEW("task/a")));
    assert_true(view_equal(example.address, VIEW("task/b")));
    /* Staged while it is filled: one more, and one less. */
    must_put("e", none, "{\"email\":\"y\"}");
    assert_int_equal(collisions_of(build, &example), 3);
    must_put("b", at(1), "{\"email\":\"b\"}");
    must_delete("c", at(1));
    must_delete("e", at(1));
    assert_int_equal(collisions_of(build, &example), 0);
    index_build_end(world.fixture.space, build, true);
}

static void what_is_given_up_is_removed(void **state) {
    (void)state;
    must_put("a", none, "{\"email\":\"x\"}");
    struct index_build *build = begin_build();
    struct index_chunk chunk = read_chunk(build, (stet_view){0});
    fill(build, &chunk);
    assert_int_equal(entries_in(by_email.number), 1);
    index_build_end(world.fixture.space, build, false);
    must_put("b", none, "{\"email\":\"x\"}");
    while (engine_step(world.fixture.engine))
        ;
    assert_int_equal(entries_in(by_email.number), 0);
    assert_int_equal(entries_in(by_stage.number), 0);
}

static bool known(void *context, uint32_t number) { return number == *(uint32_t *)context; }

static void unknown_indexes_are_retired_at_open(void **state) {
    (void)state;
    must_put("a", none, "{\"email\":\"x\"}");
    check_index(&by_email);
    assert_int_equal(index_retire_others(world.fixture.space, known, &by_stage.number, NULL),
                     STET_OK);
    while (index_maintain(world.fixture.space, 0))
        ;
    assert_int_equal(entries_in(by_email.number), 0);
    assert_int_equal(entries_in(by_stage.number), 1);
    uint32_t number = index_number_new(world.fixture.space);
    assert_true(number > by_email.number && number > by_stage.number);
    index_retire(world.fixture.space, by_stage.number);
    while (engine_step(world.fixture.engine))
        ;
    assert_int_equal(entries_in(by_stage.number), 1);
    must_put("b", none, "{}"); /* The batch plans when it is due. */
    clock_manual_advance(&world.clock, INDEX_RETIRE_S * CLOCK_NS_PER_S);
    while (engine_step(world.fixture.engine))
        ;
    assert_int_equal(entries_in(by_stage.number), 0);
    index_number_taken(world.fixture.space, number + 10);
    assert_int_equal(index_number_new(world.fixture.space), number + 11);
}

int main(void) {
#define IN(setup, name) cmocka_unit_test_setup_teardown(name, setup, world_close)
    const struct CMUnitTest tests[] = {
        IN(setup_declared, a_unique_value_belongs_to_one_record),
        IN(setup_declared, absent_and_null_are_not_unique),
        IN(setup_declared, long_values_are_compared_whole),
        IN(setup_declared, one_batch_sees_its_own_values),
        IN(setup_declared, a_refused_transaction_leaves_no_value_behind),
        IN(setup_declared, a_transaction_may_hand_a_value_on),
        IN(world_open, children_follow_their_records),
        IN(world_open, ranges_know_what_changed_in_them),
        IN(world_open, the_ring_forgets_from_its_end),
        IN(world_open, long_keys_are_changed_when_in_doubt),
        IN(world_open, an_index_is_filled_while_writes_go_on),
        IN(world_open, collisions_are_told_with_examples),
        IN(world_open, what_is_given_up_is_removed),
        IN(setup_declared, unknown_indexes_are_retired_at_open),
    };
    return cmocka_run_group_tests_name("core_index", tests, NULL, NULL);
}
