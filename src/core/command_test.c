/* Filling commands: names, limits and bad bodies are refused by field; keys and requests are told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/uuid.h"
#include "core/write_fixture.h"

#define TEST(name) static void name(void **state)

static char *repeated(char c, size_t count) {
    char *text = arena_bytes(&world.arena, count + 1);
    assert_non_null(text);
    memset(text, c, count);
    text[count] = '\0';
    return text;
}

static void check_refused(struct answer answer, stet_status status, const char *field,
                          uint64_t limit) {
    check_status(answer, status);
    assert_string_equal(answer.field, field);
    assert_int_equal(answer.limit, limit);
}

static struct answer create_as(const char *type, const char *id, const char *data) {
    stet_mutation one = {
        .op = STET_OP_CREATE, .type = view_of(type), .id = view_of(id), .body = view_of(data)};
    return apply_one(one);
}

TEST(names_at_their_limit_are_taken_and_longer_ones_refused) {
    (void)state;
    must(create_as(repeated('t', TYPE_BYTES_MAX), repeated('i', ID_BYTES_MAX), "{}"));
    check_refused(create_as(repeated('t', TYPE_BYTES_MAX + 1), "1", "{}"), STET_BAD_REQUEST, "type",
                  TYPE_BYTES_MAX);
    check_refused(create_as("task", repeated('i', ID_BYTES_MAX + 1), "{}"), STET_BAD_REQUEST, "id",
                  ID_BYTES_MAX);
}

TEST(names_with_control_characters_or_bad_utf8_are_refused) {
    (void)state;
    check_refused(create_as("ta\nsk", "1", "{}"), STET_BAD_REQUEST, "type", 0);
    check_refused(create_as("", "1", "{}"), STET_BAD_REQUEST, "type", 0);
    check_refused(create_as("task", "\x7f", "{}"), STET_BAD_REQUEST, "id", 0);
    check_refused(create_as("task", "\xc0\xaf", "{}"), STET_BAD_REQUEST, "id", 0);
    check_refused(apply(STET_OP_PUT, NULL, none, "{}"), STET_BAD_REQUEST, "id", 0);
    must(create_as("täsk", "a/b #?%\xf0\x9f\x98\x80", "{}"));
}

TEST(operations_bases_and_strategies_that_do_not_exist_are_misuse) {
    (void)state;
    must(create_as("task", "1", "{}"));
    stet_mutation one = mutation(STET_OP_PUT, "1", at(1), "{}");
    one.op = (stet_op)99;
    check_status(apply_one(one), STET_MISUSE);
    one = mutation(STET_OP_PUT, "1", (stet_base){.kind = (stet_base_kind)99, .value = 1}, "{}");
    check_status(apply_one(one), STET_MISUSE);
    one = mutation(STET_OP_PUT, "1", at(1), "{}");
    one.on_conflict = (stet_strategy)99;
    check_status(apply_one(one), STET_MISUSE);
}

TEST(a_creation_without_an_id_gets_a_uuid_of_version_7) {
    (void)state;
    uint8_t uuid[UUID_BYTES];
    const char *id = json_at(must(create_as("task", NULL, "{}")).body, "/id");
    assert_true(uuid_parse(view_make(id + 1, UUID_TEXT_BYTES), uuid));
    assert_int_equal(uuid_version(uuid), 7);
}

TEST(data_must_be_an_object_of_valid_json) {
    (void)state;
    check_refused(create_as("task", "1", "[]"), STET_BAD_REQUEST, "data", 0);
    check_refused(create_as("task", "1", "1"), STET_BAD_REQUEST, "data", 0);
    check_refused(create_as("task", "1", ""), STET_BAD_JSON, "", 0);
    check_refused(create_as("task", "1", "{\"a\":1,\"a\":2}"), STET_BAD_JSON, "/a", 0);
    check_refused(apply(STET_OP_PATCH, "1", at(1), "[]"), STET_BAD_REQUEST, "patch", 0);
    check_refused(apply(STET_OP_PATCH_JSON, "1", at(1), "{}"), STET_BAD_REQUEST, "patch", 0);
}

TEST(data_past_its_limits_is_refused_with_the_limit) {
    (void)state;
    char *big = repeated(' ', DATA_BYTES_MAX + 1);
    memcpy(big, "{}", 2);
    check_refused(create_as("task", "1", big), STET_TOO_LARGE, "data", DATA_BYTES_MAX);
    big[DATA_BYTES_MAX] = '\0';
    must(create_as("task", "1", big));
    char *deep = repeated('[', JSON_DEPTH_MAX + 20);
    memcpy(deep, "{\"a\":", 5);
    check_refused(create_as("task", "2", deep), STET_TOO_LARGE, "depth", JSON_DEPTH_MAX);
}

TEST(a_field_of_a_transaction_is_named_with_its_mutation) {
    (void)state;
    stet_mutation all[] = {
        mutation(STET_OP_CREATE, "1", none, "{}"),
        mutation(STET_OP_PUT, "2", none, "{\"x\":{\"a\":1,\"a\":2}}"),
    };
    check_refused(transact(all, 2, NULL), STET_BAD_JSON, "mutations/1/data/x/a", 0);
    all[1] = mutation(STET_OP_PATCH, "2", at(1), "{");
    check_refused(transact(all, 2, NULL), STET_BAD_JSON, "mutations/1/patch", 0);
    all[1] = mutation(STET_OP_PUT, "", none, "{}");
    check_refused(transact(all, 2, NULL), STET_BAD_REQUEST, "mutations/1/id", 0);
    all[1] = mutation(STET_OP_PUT, "2", at(0), "{}");
    check_refused(transact(all, 2, NULL), STET_BAD_REQUEST, "mutations/1/base_version", 0);
    assert_int_equal(seq_now(), 0);
}

TEST(a_transaction_is_bounded_in_mutations_and_bytes) {
    (void)state;
    static stet_mutation many[TRANSACTION_MUTATIONS_MAX + 1];
    for (size_t i = 0; i <= TRANSACTION_MUTATIONS_MAX; i++)
        many[i] = mutation(STET_OP_CREATE, NULL, none, "{}");
    check_refused(transact(many, 0, NULL), STET_BAD_REQUEST, "mutations",
                  TRANSACTION_MUTATIONS_MAX);
    check_refused(transact(many, TRANSACTION_MUTATIONS_MAX + 1, NULL), STET_TOO_LARGE, "mutations",
                  TRANSACTION_MUTATIONS_MAX);
    char *big = repeated(' ', DATA_BYTES_MAX);
    memcpy(big, "{}", 2);
    for (size_t i = 0; i < 17; i++)
        many[i].body = view_of(big);
    check_refused(transact(many, 17, NULL), STET_TOO_LARGE, "mutations", TRANSACTION_BYTES_MAX);
}

TEST(a_mutation_key_is_bounded_and_clean) {
    (void)state;
    stet_mutation one = mutation(STET_OP_CREATE, "1", none, "{}");
    check_refused(keyed(one, repeated('k', MUTATION_KEY_BYTES_MAX + 1)), STET_BAD_REQUEST,
                  "client_mutation_id", MUTATION_KEY_BYTES_MAX);
    check_refused(keyed(one, "a\tb"), STET_BAD_REQUEST, "client_mutation_id", 0);
    must(keyed(one, repeated('k', MUTATION_KEY_BYTES_MAX)));
}

static void key_bytes(const char *key, uint8_t out[STORE_KEY_BYTES]) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_int_equal(command_set_key(command, view_of(key), NULL), STET_OK);
    memcpy(out, command->key_bytes, STORE_KEY_BYTES);
    command_destroy(command);
}

TEST(a_uuid_of_version_7_is_its_own_key_and_any_other_text_is_hashed) {
    (void)state;
    static const uint8_t plain[] = {0x01, 0x8f, 0x3e, 0x2a, 0x7c, 0x00, 0x70, 0x00,
                                    0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01};
    uint8_t key[STORE_KEY_BYTES], again[STORE_KEY_BYTES];
    key_bytes("018f3e2a-7c00-7000-8000-000000000001", key);
    assert_memory_equal(key, plain, sizeof plain);
    key_bytes("018F3E2A-7C00-7000-8000-000000000001", key);
    assert_memory_equal(key, plain, sizeof plain);
    key_bytes("018f3e2a-7c00-4000-8000-000000000001", key);
    assert_memory_not_equal(key, "\x01\x8f\x3e\x2a", 4);
    key_bytes("order-1", key);
    key_bytes("order-1", again);
    assert_memory_equal(key, again, sizeof key);
    key_bytes("order-2", again);
    assert_memory_not_equal(key, again, sizeof key);
}

TEST(a_request_is_the_same_only_when_everything_that_counts_is) {
    (void)state;
    const stet_origin origin = {.created_by = VIEW("eve")}, other = {.created_by = VIEW("bob")};
    stet_mutation one = mutation(STET_OP_CREATE, "ab", none, "{}");
    one.origin = &origin;
    must(keyed(one, "k"));
    one.origin = &other;
    check_status(keyed(one, "k"), STET_KEY_REUSED);
    one.origin = &origin;
    assert_true(must(keyed(one, "k")).replayed);
    check_status(transact(&one, 1, "k"), STET_KEY_REUSED);
}

TEST(a_revert_names_its_version) {
    (void)state;
    check_refused(apply(STET_OP_REVERT, "1", at(1), NULL), STET_BAD_REQUEST, "to", 0);
}

TEST(an_actor_must_have_a_name) {
    (void)state;
    struct stet_command *command = command_create(world.fixture.client);
    stet_mutation one = mutation(STET_OP_CREATE, "1", none, "{}");
    const stet_write write = {.mutations = &one, .mutation_count = 1};
    const stet_actor nobody = {0};
    stet_error err;
    assert_int_equal(command_fill_write(command, &write, NULL), STET_OK);
    assert_int_equal(command_submit(world.fixture.space, &nobody, command, NULL, &err),
                     STET_BAD_REQUEST);
    assert_string_equal(err.field, "actor");
    command_destroy(command);
}

TEST(a_command_is_filled_once) {
    (void)state;
    struct stet_command *command = command_create(world.fixture.client);
    stet_mutation one = mutation(STET_OP_CREATE, "1", none, "{}");
    const stet_write write = {.mutations = &one, .mutation_count = 1};
    assert_int_equal(command_fill_write(command, &write, NULL), STET_OK);
    assert_int_equal(command_fill_write(command, &write, NULL), STET_MISUSE);
    command_destroy(command);
}

TEST(what_a_key_did_is_kept_in_few_bytes_and_read_back) {
    (void)state;
    struct stet_command *command = command_create(world.fixture.client);
    static const uint64_t seqs[] = {2, 1, 31, 32, UINT64_MAX >> 2};
    command->mutation_count = 5;
    command->mutations = arena_zalloc(&command->arena, 5, sizeof *command->mutations);
    for (size_t i = 0; i < 5; i++)
        command->mutations[i].after_seq = seqs[i];
    command->mutations[1].decision = DECISION_UNCHANGED;
    stet_view result = command_encode_result(command);
    size_t offset = 0;
    uint64_t seq;
    unsigned flags;
    for (size_t i = 0; i < 5; i++) {
        assert_true(command_decode_result(result, &offset, &seq, &flags));
        assert_int_equal(seq, seqs[i]);
        assert_int_equal(flags, i == 1 ? KEY_RESULT_UNCHANGED : 0);
    }
    assert_false(command_decode_result(result, &offset, &seq, &flags));
    assert_int_equal(command_decode_words(result).size, 0);
    offset = 0;
    assert_false(command_decode_result(VIEW("\x80\x80"), &offset, &seq, &flags));
    command_destroy(command);
}

TEST(a_module_keeps_words_of_its_own_with_a_key) {
    (void)state;
    struct stet_command *command = command_create(world.fixture.client);
    size_t offset = 0;
    uint64_t seq;
    unsigned flags;
    command->kind = COMMAND_MODULE;
    command->mutation_count = 1;
    command->mutations = arena_zalloc(&command->arena, 1, sizeof *command->mutations);
    command->mutations[0].after_seq = 300;
    command->key_words = VIEW("{\"sum\":3}");
    stet_view result = command_encode_result(command);
    assert_true(command_decode_result(result, &offset, &seq, &flags));
    assert_int_equal(seq, 300);
    assert_false(command_decode_result(result, &offset, &seq, &flags));
    assert_true(view_equal(command_decode_words(result), VIEW("{\"sum\":3}")));
    command_destroy(command);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(names_at_their_limit_are_taken_and_longer_ones_refused),
        WORLD(names_with_control_characters_or_bad_utf8_are_refused),
        WORLD(operations_bases_and_strategies_that_do_not_exist_are_misuse),
        WORLD(a_creation_without_an_id_gets_a_uuid_of_version_7),
        WORLD(data_must_be_an_object_of_valid_json),
        WORLD(data_past_its_limits_is_refused_with_the_limit),
        WORLD(a_field_of_a_transaction_is_named_with_its_mutation),
        WORLD(a_transaction_is_bounded_in_mutations_and_bytes),
        WORLD(a_mutation_key_is_bounded_and_clean),
        WORLD(a_uuid_of_version_7_is_its_own_key_and_any_other_text_is_hashed),
        WORLD(a_request_is_the_same_only_when_everything_that_counts_is),
        WORLD(a_revert_names_its_version),
        WORLD(an_actor_must_have_a_name),
        WORLD(a_command_is_filled_once),
        WORLD(what_a_key_did_is_kept_in_few_bytes_and_read_back),
        WORLD(a_module_keeps_words_of_its_own_with_a_key),
    };
    return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
