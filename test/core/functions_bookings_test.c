/* Bookings by functions: what they find out, what they may leave to the commit, and that nobody gets a time twice through them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/sequencer.h"
#include "core/worker.h"
#include "modules/types/types.h"

#define FUNCTIONS_BESIDE &types_module,
#include "modules/functions/functions_testing.h"

#define TEST(name) static void name(void **state)

static void declare(const char *definition) {
    struct stet_command *command = empty_command();
    const stet_type_write write = {
        .name = VIEW("task"), .definition = view_of(definition), .base = none};
    stet_error err = {0};
    if (types_fill_write(command, &write, &err) != STET_OK) fail_msg("%s", err.message);
    must(take(submitted(command)));
}

static int setup(void **state) {
    functions_setup(state);
    declare("{\"exclusive\":{\"resource\":\"/room\",\"start\":\"/start\",\"end\":\"/"
            "end\",\"tz\":\"UTC\"}}");
    must_define("find", none, "return {at = free('task', input.room, input.s, input.from)}");
    must_define("book", none,
                "local done, way = book('task', input.id, {room = input.room, start = input.from, "
                "['end'] = input.to})\nreturn {done = done == true, way = way}");
    must_define(
        "put", none,
        "put('task', input.id, {room = input.room, start = input.from, ['end'] = input.to})");
    return 0;
}

#define NINE "2026-03-02T09:00:00Z"
#define TEN "2026-03-02T10:00:00Z"

static const char *input(const char *id, const char *from, const char *to) {
    return arena_format(&world.arena,
                        "{\"id\":\"%s\",\"room\":\"red\",\"from\":\"%s\",\"to\":\"%s\"}", id, from,
                        to)
        .bytes;
}

static void check_free(const char *from, const char *expected) {
    struct answer found = must(call(
        "find",
        arena_format(&world.arena, "{\"room\":\"red\",\"s\":3600,\"from\":\"%s\"}", from).bytes));
    check_json(found.body, "/result/at", expected);
}

TEST(a_function_finds_the_next_free_time) {
    (void)state;
    check_free(NINE, "\"2026-03-02T09:00:00.000000000Z\"");
    must_put("a", none,
             "{\"room\":\"red\",\"start\":\"2026-03-02T09:30\",\"end\":\"2026-03-02T10:30\"}");
    check_free(NINE, "\"2026-03-02T10:30:00.000000000Z\"");
    check_free("2026-03-02T08:30:00Z", "\"2026-03-02T08:30:00.000000000Z\"");
    check_status(call("find", "{\"room\":\"red\",\"s\":0,\"from\":\"" NINE "\"}"),
                 STET_FUNCTION_FAILED);
    check_status(call("find", "{\"room\":\"red\",\"s\":60,\"from\":\"soon\"}"),
                 STET_FUNCTION_FAILED);
}

TEST(a_function_learns_what_is_in_the_way) {
    (void)state;
    check_json(must(call("book", input("a", NINE, TEN))).body, "/result/done", "true");
    struct answer refused = must(call("book", input("b", NINE, TEN)));
    check_json(refused.body, "/result/done", "false");
    check_json(refused.body, "/result/way/0/start", "\"2026-03-02T09:00:00.000000000Z\"");
    check_json(refused.body, "/result/way/0/resource", "\"red\"");
    check_status(read_record("b"), STET_NOT_FOUND);
    /* What is moved is not in its own way. */
    check_json(must(call("book", input("a", "2026-03-02T09:30:00Z", TEN))).body, "/result/done",
               "true");
}

TEST(a_function_sees_what_it_booked_itself) {
    (void)state;
    must_define("two", none,
                "local function one(id, from, to) return book('task', id, {room = 'red', start = "
                "from, ['end'] = to}) == true end\n"
                "local first = one('a', '" NINE "', '" TEN "')\n"
                "local second = one('b', '" NINE "', '" TEN "')\n"
                "local moved = one('a', '" TEN "', '2026-03-02T11:00:00Z')\n"
                "local third = one('b', '" NINE "', '" TEN "')\n"
                "return {first, second, moved, third, free('task', 'red', 60, '" NINE "')}");
    struct answer both = must(call("two", "{}"));
    check_json(both.body, "/result", "[true,false,true,true,\"2026-03-02T11:00:00.000000000Z\"]");
    check_status(
        try_put("c", none,
                "{\"room\":\"red\",\"start\":\"2026-03-02T09:30\",\"end\":\"2026-03-02T10:30\"}"),
        STET_SLOT_TAKEN);
}

TEST(a_put_without_room_fails_at_the_commit) {
    (void)state;
    must(call("put", input("a", NINE, TEN)));
    struct answer refused = call("put", input("b", NINE, TEN));
    check_status(refused, STET_SLOT_TAKEN);
    check_status(read_record("b"), STET_NOT_FOUND);
}

/* Many runs at once look at the same hour and take it, each from what it saw. */
TEST(runs_that_race_for_an_hour_get_different_ones) {
    enum { RUNS = 10 };
    struct stet_command *commands[RUNS];
    (void)state;
    must_define("next", none,
                "local at = free('task', 'red', 3600, '" NINE "')\n"
                "local h = tonumber(string.sub(at, 12, 13))\n"
                "local to = string.format('2026-03-%sT%02d:00:00Z', string.sub(at, 9, 10), h + 1)\n"
                "put('task', input.id, {room = 'red', start = at, ['end'] = to})\nreturn at");
    for (int i = 0; i < RUNS; i++)
        commands[i] = start_call("next", arena_format(&world.arena, "{\"id\":\"r%d\"}", i).bytes);
    struct answer answers[RUNS];
    /* Who lost waits a moment before it runs again. */
    for (int i = 0; i < RUNS; i++)
        while (!commands[i]->done) {
            if (!engine_step(world.fixture.engine))
                clock_manual_advance(&world.clock, CLOCK_NS_PER_MS);
            while (client_next(world.fixture.client) != NULL)
                ;
        }
    for (int i = 0; i < RUNS; i++)
        answers[i] = take(commands[i]);
    for (int i = 0; i < RUNS; i++)
        must(answers[i]);
    for (int i = 0; i < RUNS; i++) {
        const char *mine =
            json_at(read_record(arena_format(&world.arena, "r%d", i).bytes).body, "/data/start");
        for (int j = 0; j < i; j++)
            assert_string_not_equal(
                mine, json_at(read_record(arena_format(&world.arena, "r%d", j).bytes).body,
                              "/data/start"));
    }
}

TEST(types_without_bookings_are_told_apart) {
    (void)state;
    must_define("other", none, "return free('note', 'red', 60)");
    check_status(call("other", "{}"), STET_FUNCTION_FAILED);
    must_define("caught", none,
                "local ok, e = pcall(book, 'task', 'a', {room = 'red', start = 'soon', ['end'] = "
                "'later'})\n"
                "return {ok, e.code}");
    check_json(must(call("caught", "{}")).body, "/result", "[false,\"INVALID_TIME\"]");
}

int main(void) {
#define BOOKINGS(name) cmocka_unit_test_setup_teardown(name, setup, world_close)
    const struct CMUnitTest tests[] = {
        BOOKINGS(a_function_finds_the_next_free_time),
        BOOKINGS(a_function_learns_what_is_in_the_way),
        BOOKINGS(a_function_sees_what_it_booked_itself),
        BOOKINGS(a_put_without_room_fails_at_the_commit),
        BOOKINGS(runs_that_race_for_an_hour_get_different_ones),
        BOOKINGS(types_without_bookings_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
