/* What has no room is refused, and nothing else is: by hand, and against a model that knows no better than to compare everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "core/exclusive.h"
#include "core/index.h"
#include "core/policy.h"
#include "core/spans.h"
#include "core/write_fixture.h"

#include "core/access_fixture.h"

#include <stdlib.h>
#include <unistd.h>

#define MINUTE (60 * CLOCK_NS_PER_S)

/* Declares the intervals of type "task" from now on; with the same numbers each time. */
static void declare(const char *text) {
    static uint64_t seq = 5000;
    struct arena kept;
    stet_error err = {0};
    size_t count = 0;
    arena_init(&kept, 4096);
    struct policy *policy = arena_zalloc(&kept, 1, sizeof *policy);
    struct doc *definition = arena_zalloc(&kept, 1, sizeof *definition);
    if (doc_parse(&kept, arena_copy(&kept, view_of(text)), NULL, definition, &err) != STET_OK ||
        exclusive_compile(&kept, definition, 0, &policy->exclusive, &count, &err) != STET_OK)
        fail_msg("%s: %s %s", text, err.field, err.message);
    struct index_def **defs = arena_zalloc(&kept, count, sizeof *defs);
    for (const struct exclusive *one = policy->exclusive; one != NULL; one = one->next) {
        defs[policy->index_count] = one->index;
        one->index->number = STORE_INDEX_FIRST + (uint32_t)policy->index_count++;
    }
    atomic_init(&policy->refs, 1);
    policy->type = VIEW("task");
    policy->version = policy->seq = ++seq;
    policy->overrides = 1u << STET_STRATEGY_MERGE;
    policy->indexes = (struct index_def *const *)defs;
    policy->arena = kept;
    struct policies *policies = world.fixture.space->policies;
    assert_int_equal(policies_reserve(policies, NULL), STET_OK);
    policies_stage(policies, policy->type, policy);
    policies_publish(policies);
}

#define ROOM                                                                                       \
    "{\"resource\":\"/room\",\"start\":\"/start\",\"end\":\"/end\",\"tz\":\"UTC\","                \
    "\"unless\":\"status = 'cancelled'\"}"

static int open_room(void **state) {
    world_open(state);
    declare(ROOM);
    return 0;
}

/* 2026-03-01 at hh:mm. */
static const char *data_of(const char *room, const char *start, const char *end, const char *more) {
    return arena_format(&world.arena,
                        "{\"room\":%s,\"start\":\"2026-03-01T%s\",\"end\":\"2026-03-01T%s\"%s}",
                        room, start, end, more)
        .bytes;
}
static const char *book(const char *room, const char *start, const char *end) {
    return data_of(arena_format(&world.arena, "\"%s\"", room).bytes, start, end, "");
}

static struct answer check_taken(struct answer answer, const char *address) {
    check_status(answer, STET_SLOT_TAKEN);
    check_json(answer.body, "/code", "\"SLOT_TAKEN\"");
    check_json(answer.body, "/in_the_way/0/address", address);
    return answer;
}

/* ---- By hand ------------------------------------------------------------------------------------------------------------ */

static void two_bookings_do_not_overlap(void **state) {
    (void)state;
    must_put("a", none, book("red", "09:00", "10:00"));
    struct answer taken =
        check_taken(try_put("b", none, book("red", "09:30", "10:30")), "\"task/a\"");
    check_json(taken.body, "/in_the_way/0/start", "\"2026-03-01T09:00:00.000000000Z\"");
    check_json(taken.body, "/in_the_way/0/end", "\"2026-03-01T10:00:00.000000000Z\"");
    check_json(taken.body, "/in_the_way/0/resource", "\"red\"");
    check_json(taken.body, "/next_free/0/resource", "\"red\"");
    check_json(taken.body, "/next_free/0/start", "\"2026-03-01T10:00:00.000000000Z\"");
    check_json(taken.body, "/next_free/0/end", "\"2026-03-01T11:00:00.000000000Z\"");
    check_json(taken.body, "/next_free/1/start", "\"2026-03-01T11:00:00.000000000Z\"");
    assert_string_equal(json_at(taken.body, "/field"), "\"/room\"");
    check_status(read_record("b"), STET_NOT_FOUND);
}

/* What one caller of a client was told of a record is not told to the next one, who may not read it. */
static void whose_record_is_in_the_way_is_told_to_its_readers(void **state) {
    (void)state;
    const stet_actor boss = world.fixture.actor;
    const char *wish = data_of("\"red\"", "09:30", "10:30", "");
    must_put("a", none, data_of("\"red\"", "09:00", "10:00", ",\"owner\":\"ann\""));
    give_access("{`read`:`owner = actor.id`,`create`:true}");
    for (int i = 0; i < 2; i++) {
        world.fixture.actor = boss;
        check_taken(try_put("b", none, wish), "\"task/a\"");
        as("ann", NULL);
        check_taken(try_put("b", none, wish), "\"task/a\"");
        as("bob", NULL);
        struct answer taken = try_put("b", none, wish);
        check_status(taken, STET_SLOT_TAKEN);
        check_json(taken.body, "/in_the_way/0/resource", "\"red\"");
        check_no_json(taken.body, "/in_the_way/0/address");
    }
    world.fixture.actor = boss;
}

static void half_open_intervals_meet(void **state) {
    (void)state;
    must_put("a", none, book("red", "09:00", "10:00"));
    must_put("b", none, book("red", "10:00", "11:00"));
    must_put("c", none, book("red", "08:00", "09:00"));
    must_put("d", none, book("blue", "09:00", "10:00"));
}

static void moving_is_not_in_its_own_way(void **state) {
    (void)state;
    stet_version a = must_put("a", none, book("red", "09:00", "10:00"));
    a = must_put("a", at(a), book("red", "09:30", "10:30"));
    must_put("b", none, book("red", "09:00", "09:30"));
    check_taken(try_put("a", at(a), book("red", "09:15", "10:15")), "\"task/b\"");
    check_data("a", a, book("red", "09:30", "10:30"));
}

static void what_is_cancelled_or_deleted_gives_its_time_back(void **state) {
    (void)state;
    stet_version a = must_put("a", none, book("red", "09:00", "10:00"));
    a = must_put("a", at(a), data_of("\"red\"", "09:00", "10:00", ",\"status\":\"cancelled\""));
    stet_version b = must_put("b", none, book("red", "09:00", "10:00"));
    check_taken(try_put("a", at(a), book("red", "09:00", "10:00")), "\"task/b\"");
    b = must_delete("b", at(b));
    must_put("a", at(a), book("red", "09:00", "10:00"));
    check_taken(try_put("b", at(b), book("red", "09:59", "10:30")), "\"task/a\"");
    /* Taking the deletion back books again. */
    stet_mutation revert = mutation(STET_OP_REVERT, "b", at(b), NULL);
    revert.revert_to = 1;
    check_taken(apply_one(revert), "\"task/a\"");
}

static void a_patch_of_something_else_is_not_judged(void **state) {
    (void)state;
    stet_version a = must_put("a", none, book("red", "09:00", "10:00"));
    must(apply(STET_OP_PATCH, "a", at(a), "{\"note\":\"bring cake\"}"));
    check_taken(try_put("b", none, book("red", "09:00", "10:00")), "\"task/a\"");
}

static void several_resources_are_taken_all_or_none(void **state) {
    (void)state;
    must_put("a", none, data_of("[\"red\",\"ann\"]", "09:00", "10:00", ""));
    struct answer taken = check_taken(
        try_put("b", none, data_of("[\"blue\",\"ann\"]", "09:30", "10:30", "")), "\"task/a\"");
    check_json(taken.body, "/in_the_way/0/resource", "\"ann\"");
    check_no_json(taken.body, "/in_the_way/1");
    must_put("c", none, book("blue", "09:30", "11:30"));
    /* The next free time is one for both: ann has time from 10, blue from 11:30. */
    taken = check_taken(try_put("b", none, data_of("[\"blue\",\"ann\"]", "09:30", "10:30", "")),
                        "\"task/a\"");
    check_json(taken.body, "/next_free/0/start", "\"2026-03-01T11:30:00.000000000Z\"");
}

static void a_transaction_is_judged_as_a_whole(void **state) {
    (void)state;
    stet_version a = must_put("a", none, book("red", "09:00", "10:00"));
    stet_version b = must_put("b", none, book("red", "10:00", "11:00"));
    const stet_mutation swap[] = {
        mutation(STET_OP_PUT, "a", at(a), book("red", "10:00", "11:00")),
        mutation(STET_OP_PUT, "b", at(b), book("red", "09:00", "10:00")),
    };
    must(transact(swap, 2, "swap"));
    const stet_mutation clash[] = {
        mutation(STET_OP_PUT, "c", none, book("blue", "09:00", "10:00")),
        mutation(STET_OP_PUT, "d", none, book("blue", "09:30", "10:30")),
        mutation(STET_OP_PUT, "e", none, book("red", "08:00", "09:00")),
    };
    struct answer answer = transact(clash, 3, "clash");
    check_status(answer, STET_SLOT_TAKEN);
    check_json(answer.body, "/conflicts/0/index", "0");
    check_json(answer.body, "/conflicts/0/in_the_way/0/address", "\"task/d\"");
    check_json(answer.body, "/conflicts/1/in_the_way/0/address", "\"task/c\"");
    check_no_json(answer.body, "/conflicts/2");
    must_put("e", none, book("red", "08:00", "09:00"));
    must_put("f", none, book("blue", "09:00", "10:30"));
}

static void one_of_a_batch_gets_the_time(void **state) {
    enum { WRITERS = 100 };
    struct stet_command *commands[WRITERS];
    unsigned won = 0;
    (void)state;
    for (int i = 0; i < WRITERS; i++) {
        stet_mutation one = mutation(STET_OP_CREATE, arena_format(&world.arena, "w%d", i).bytes,
                                     none, book("red", "09:00", "10:00"));
        commands[i] = start(&(stet_write){.mutations = &one, .mutation_count = 1});
    }
    for (int i = 0; i < WRITERS; i++) {
        struct answer answer = take(commands[i]);
        won += answer.status == STET_OK;
        if (answer.status != STET_OK) check_taken(answer, "\"task/w0\"");
    }
    assert_int_equal(won, 1);
}

static void a_dry_run_says_what_would_be(void **state) {
    (void)state;
    stet_mutation one = mutation(STET_OP_PUT, "a", none, book("red", "09:00", "10:00"));
    const stet_write dry = {.mutations = &one, .mutation_count = 1, .dry_run = true};
    must(run(&dry));
    must(run(&dry));
    must_put("b", none, book("red", "09:00", "10:00"));
    check_taken(run(&dry), "\"task/b\"");
}

static void weights_add_up_to_the_capacity(void **state) {
    (void)state;
    declare("{\"resource\":\"/room\",\"start\":\"/start\",\"end\":\"/end\",\"tz\":\"UTC\","
            "\"capacity\":10,\"weight\":\"/seats\"}");
    must_put("a", none, data_of("\"hall\"", "09:00", "11:00", ",\"seats\":4"));
    must_put("b", none, data_of("\"hall\"", "11:00", "13:00", ",\"seats\":7"));
    /* 4 and then 7, never both. */
    must_put("c", none, data_of("\"hall\"", "10:00", "12:00", ",\"seats\":3"));
    struct answer taken = check_taken(
        try_put("d", none, data_of("\"hall\"", "10:30", "12:30", ",\"seats\":1")), "\"task/c\"");
    check_json(taken.body, "/in_the_way/1/address", "\"task/b\"");
    check_no_json(taken.body, "/in_the_way/2");
    check_json(taken.body, "/next_free/0/start", "\"2026-03-01T12:00:00.000000000Z\"");
    must_put("d", none, data_of("\"hall\"", "09:00", "11:00", ",\"seats\":3"));
    check_status(try_put("e", none, data_of("\"hall\"", "09:00", "11:00", ",\"seats\":11")),
                 STET_INVALID_DATA);
}

static void buffers_are_part_of_a_booking(void **state) {
    (void)state;
    declare("{\"resource\":\"/room\",\"start\":\"/start\",\"end\":\"/end\",\"tz\":\"UTC\","
            "\"buffer_before_s\":300,\"buffer_after_s\":600}");
    must_put("a", none, book("red", "09:00", "10:00"));
    struct answer taken =
        check_taken(try_put("b", none, book("red", "10:14", "11:00")), "\"task/a\"");
    check_json(taken.body, "/in_the_way/0/end", "\"2026-03-01T10:00:00.000000000Z\"");
    check_json(taken.body, "/next_free/0/start", "\"2026-03-01T10:15:00.000000000Z\"");
    check_json(taken.body, "/next_free/0/end", "\"2026-03-01T11:01:00.000000000Z\"");
    must_put("b", none, book("red", "10:15", "11:00"));
}

static void a_hold_ends_by_the_sequencers_time(void **state) {
    (void)state;
    declare("{\"resource\":\"/room\",\"start\":\"/start\",\"end\":\"/end\",\"tz\":\"UTC\","
            "\"hold_expires\":\"/hold\"}");
    char text[CLOCK_RFC3339_BYTES + 1] = {0};
    clock_format_rfc3339((WORLD_START_S + 60) * CLOCK_NS_PER_S, text);
    const char *hold = arena_format(&world.arena, ",\"hold\":\"%s\"", text).bytes;
    stet_version a = must_put("a", none, data_of("\"red\"", "09:00", "10:00", hold));
    check_taken(try_put("b", none, book("red", "09:00", "10:00")), "\"task/a\"");
    clock_manual_advance(&world.clock, 60 * CLOCK_NS_PER_S);
    /* It could still be confirmed, as nobody came. */
    stet_mutation confirm = mutation(STET_OP_PUT, "a", at(a), book("red", "09:00", "10:00"));
    must(run(&(stet_write){.mutations = &confirm, .mutation_count = 1, .dry_run = true}));
    must_put("b", none, book("red", "09:00", "10:00"));
    check_taken(apply_one(confirm), "\"task/b\"");
}

static void a_reason_allows_an_overlap(void **state) {
    (void)state;
    declare("{\"resource\":\"/room\",\"start\":\"/start\",\"end\":\"/end\",\"tz\":\"UTC\","
            "\"allow_overlap\":\"/why\"}");
    stet_version a = must_put("a", none, book("red", "09:00", "10:00"));
    stet_version b =
        must_put("b", none, data_of("\"red\"", "09:00", "10:00", ",\"why\":\"the boss\""));
    check_taken(try_put("b", at(b), book("red", "09:00", "10:00")), "\"task/a\"");
    must_delete("a", at(a));
    must_put("c", none, book("red", "09:30", "10:00"));
}

static void without_a_resource_there_is_one_calendar(void **state) {
    (void)state;
    declare(
        "[{\"start\":[\"/day\",\"/from\"],\"end\":[\"/day\",\"/to\"],\"tz\":\"Europe/Berlin\"}]");
    must_put("a", none, "{\"day\":\"2026-03-01\",\"from\":\"09:00\",\"to\":\"10:00\"}");
    struct answer taken =
        try_put("b", none, "{\"day\":\"2026-03-01\",\"from\":\"09:30\",\"to\":\"10:30\"}");
    check_taken(taken, "\"task/a\"");
    check_json(taken.body, "/in_the_way/0/start", "\"2026-03-01T08:00:00.000000000Z\"");
    check_no_json(taken.body, "/in_the_way/0/resource");
    must_put("b", none, "{\"day\":\"2026-03-02\",\"from\":\"09:30\",\"to\":\"10:30\"}");
}

static void any_of_is_chosen_in_the_commit(void **state) {
    (void)state;
    declare("{\"resource\":\"/room\",\"any_of\":\"/rooms\",\"start\":\"/start\",\"end\":\"/end\","
            "\"tz\":\"UTC\"}");
    const char *any = data_of("null", "09:00", "10:00", ",\"rooms\":[\"red\",\"blue\"]");
    check_json(must(try_put("a", none, any)).body, "/data/room", "\"red\"");
    check_json(must(try_put("b", none, any)).body, "/data/room", "\"blue\"");
    struct answer taken = check_taken(try_put("c", none, any), "\"task/a\"");
    check_json(taken.body, "/next_free/0/resource", "\"red\"");
    check_json(taken.body, "/next_free/1/resource", "\"blue\"");
    check_json(taken.body, "/next_free/1/start", "\"2026-03-01T10:00:00.000000000Z\"");
    /* Two of one transaction do not get the same one. */
    const char *later = data_of("null", "12:00", "13:00", ",\"rooms\":[\"red\",\"blue\"]");
    const stet_mutation both[] = {mutation(STET_OP_PUT, "d", none, later),
                                  mutation(STET_OP_PUT, "e", none, later)};
    must(transact(both, 2, "both"));
    check_json(read_record("d").body, "/data/room", "\"red\"");
    check_json(read_record("e").body, "/data/room", "\"blue\"");
    /* Who is asked again stays where it is, if it can. */
    check_json(must(try_put("e", at(1),
                            data_of("null", "12:30", "13:30", ",\"rooms\":[\"red\",\"blue\"]")))
                   .body,
               "/data/room", "\"blue\"");
    check_status(try_put("f", none, data_of("null", "12:00", "13:00", ",\"rooms\":[1]")),
                 STET_INVALID_DATA);
}

static void what_was_merged_is_judged_too(void **state) {
    (void)state;
    stet_version a = must_put("a", none, book("red", "09:00", "10:00"));
    must(apply(STET_OP_PATCH, "a", at(a), "{\"room\":\"blue\"}"));
    must_put("b", none, book("blue", "11:00", "12:00"));
    stet_mutation move = mutation(STET_OP_PATCH, "a", at(a),
                                  "{\"start\":\"2026-03-01T11:00\",\"end\":\"2026-03-01T12:00\"}");
    move.on_conflict = STET_STRATEGY_MERGE;
    check_taken(apply_one(move), "\"task/b\"");
}

static void long_bookings_cross_pages(void **state) {
    (void)state;
    must_put("a", none, "{\"room\":\"red\",\"start\":\"2026-01-01\",\"end\":\"2026-12-31\"}");
    check_taken(try_put("b", none, book("red", "09:00", "10:00")), "\"task/a\"");
    struct answer taken = check_taken(
        try_put("b", none, "{\"room\":\"red\",\"start\":\"2026-02-01\",\"end\":\"2027-01-15\"}"),
        "\"task/a\"");
    check_no_json(taken.body, "/in_the_way/1");
    must_put("b", none, "{\"room\":\"red\",\"start\":\"2026-12-31\",\"end\":\"2027-01-15\"}");
}

static void hostile_sizes_are_refused_or_bounded(void **state) {
    enum { CLASHES = TRANSACTION_MUTATIONS_MAX };
    static stet_mutation mutations[CLASHES];
    struct buffer buffer;
    (void)state;
    declare("{\"resource\":\"/room\",\"any_of\":\"/rooms\",\"start\":\"/start\",\"end\":\"/end\","
            "\"tz\":\"UTC\"}");
    buffer_init(&buffer, &world.arena, 0);
    for (int i = 0; i <= SPAN_CANDIDATES_MAX; i++)
        buffer_append_format(&buffer, "%s\"r%d\"", i == 0 ? "[" : ",", i);
    buffer_append_char(&buffer, ']');
    const char *names = world_text(buffer_view(&buffer));
    struct answer many = try_put("a", none, data_of(names, "09:00", "10:00", ""));
    check_status(many, STET_TOO_LARGE);
    assert_string_equal(many.field, "/room");
    assert_int_equal(many.limit, SPAN_RESOURCES_MAX);
    many = try_put("a", none,
                   data_of("null", "09:00", "10:00",
                           arena_format(&world.arena, ",\"rooms\":%s", names).bytes));
    check_status(many, STET_TOO_LARGE);
    assert_string_equal(many.field, "/rooms");
    /* All of them after one slot: each is told of some, and of how many others. */
    for (int i = 0; i < CLASHES; i++)
        mutations[i] = mutation(STET_OP_CREATE, arena_format(&world.arena, "c%d", i).bytes, none,
                                book("red", "09:00", "10:00"));
    struct answer clash = transact(mutations, CLASHES, "clash");
    check_status(clash, STET_SLOT_TAKEN);
    check_json(clash.body, "/conflicts/0/more_in_the_way",
               arena_format(&world.arena, "%d", CLASHES - 1 - SLOTS_IN_WAY_MAX).bytes);
    check_json(clash.body, "/conflicts/999/index", "999");
    check_json(clash.body, "/conflicts/999/in_the_way/0/address", "\"task/c0\"");
    check_no_json(clash.body, "/conflicts/999/in_the_way/1");
    must_put("a", none, book("red", "09:00", "10:00"));
}

#define REPEATING                                                                                  \
    "{\"resource\":\"/room\",\"any_of\":\"/any\",\"start\":\"/start\",\"end\":\"/end\","           \
    "\"tz\":\"UTC\",\"recurrence\":{\"rrule\":\"/rrule\"}}"

static void names_that_are_too_long_for_a_key_are_told_apart(void **state) {
    char names[3][301];
    (void)state;
    for (int i = 0; i < 3; i++) {
        memset(names[i], 'r', 300);
        names[i][300] = '\0';
        names[i][299] = (char)('0' + i);
    }
    must_put("a", none, book(names[0], "09:00", "10:00"));
    must_put("b", none, book(names[1], "09:00", "10:00"));
    /* The hash at the end of a key is no text, and must not come into an answer. */
    struct answer taken =
        check_taken(try_put("c", none, book(names[0], "09:00", "10:00")), "\"task/a\"");
    assert_true(view_is_utf8(view_of(taken.body)));
    check_json(taken.body, "/detail", "\"the time is taken already\"");
    must_put("c", none, book(names[2], "09:00", "10:00"));
}

/* So many series of ten years are more than one request may book, and so nothing of them is. */
static void one_request_holds_up_the_others_for_so_long_only(void **state) {
    enum { SERIES = SPANS_PER_REQUEST_MAX / 3660 + 1 };
    stet_mutation all[SERIES];
    (void)state;
    declare(REPEATING);
    for (int i = 0; i < SERIES; i++) {
        const char *id = arena_format(&world.arena, "s%d", i).bytes;
        all[i] = mutation(STET_OP_CREATE, id, none,
                          data_of(arena_format(&world.arena, "\"r%d\"", i).bytes, "09:00", "10:00",
                                  ",\"rrule\":\"FREQ=DAILY\""));
    }
    struct answer answer = transact(all, SERIES, "all");
    check_status(answer, STET_TOO_LARGE);
    check_status(read_record("s0"), STET_NOT_FOUND);
    must(transact(all, 2, "two"));
    /* Rules that find nothing cost as much. */
    for (int i = 0; i < 3; i++)
        all[i] = mutation(STET_OP_CREATE, arena_format(&world.arena, "t%d", i).bytes, none,
                          data_of("\"blue\"", "09:00", "10:00",
                                  ",\"rrule\":\"FREQ=SECONDLY;BYHOUR=3;BYMINUTE=3;BYSECOND=3\""));
    check_status(transact(all, 3, "dear"), STET_TOO_LARGE);
    must_put("a", none, book("red", "09:00", "10:00"));
}

static void choosing_for_a_long_series_is_bounded(void **state) {
    struct buffer rooms;
    enum { ROOMS = SPAN_CANDIDATES_MAX, DAYS = SPAN_CHOICE_LOOKS_MAX / ROOMS + 1 };
    (void)state;
    declare(REPEATING);
    /* Every room is free but for the last day. */
    for (int half = 0; half < 2; half++) {
        buffer_init(&rooms, &world.arena, 0);
        for (int i = half * ROOMS / 2; i < (half + 1) * ROOMS / 2; i++)
            buffer_append_text(
                &rooms,
                arena_format(&world.arena, "%s\"r%d\"", rooms.size == 0 ? "[" : ",", i).bytes);
        buffer_append_text(&rooms, "]");
        must_put(half == 0 ? "h0" : "h1", none,
                 arena_format(&world.arena,
                              "{\"room\":%.*s,\"start\":\"2026-04-20\",\"end\":\"2026-04-21\"}",
                              VIEW_ARG(buffer_view(&rooms)))
                     .bytes);
    }
    buffer_init(&rooms, &world.arena, 0);
    for (int i = 0; i < ROOMS; i++)
        buffer_append_text(&rooms,
                           arena_format(&world.arena, "%s\"r%d\"", i == 0 ? "[" : ",", i).bytes);
    buffer_append_text(&rooms, "]");
    assert_int_equal(DAYS, 51); /* From March 1st to April 20th. */
    const char *more = arena_format(&world.arena, ",\"rrule\":\"FREQ=DAILY;COUNT=%d\",\"any\":%.*s",
                                    DAYS, VIEW_ARG(buffer_view(&rooms)))
                           .bytes;
    struct answer answer = try_put("long", none, data_of("null", "09:00", "10:00", more));
    check_status(answer, STET_TOO_LARGE);
    assert_string_equal(json_at(answer.body, "/field"), "\"/any\"");
    more = arena_format(&world.arena, ",\"rrule\":\"FREQ=DAILY;COUNT=%d\",\"any\":%.*s", DAYS - 1,
                        VIEW_ARG(buffer_view(&rooms)))
               .bytes;
    must_put("short", none, data_of("null", "09:00", "10:00", more));
}

static void what_a_record_once_had_is_not_judged(void **state) {
    (void)state;
    must_put("a", none, book("red", "09:00", "10:00"));
    stet_mutation past = mutation(STET_OP_PUT, "b", none, book("red", "09:00", "10:00"));
    stet_origin origin = {.history = true,
                          .version = 1,
                          .created_at = 5,
                          .created_by = VIEW("eve"),
                          .updated_at = 5,
                          .updated_by = VIEW("eve")};
    past.origin = &origin;
    must(run(&(stet_write){.mutations = &past, .mutation_count = 1, .source = VIEW("import")}));
    origin.version = 2;
    origin.base_version = 1;
    past.body = view_of(book("red", "11:00", "12:00"));
    must(run(&(stet_write){.mutations = &past, .mutation_count = 1, .source = VIEW("import")}));
    check_taken(try_put("c", none, book("red", "11:00", "12:00")), "\"task/b\"");
}

/* ---- Against a model ------------------------------------------------------------------------------------------------------ */

enum { RECORDS = 40, ROOMS = 3, CAPACITY = 3, BEFORE = 5, AFTER = 10, HORIZON = 600 };

struct booking {
    bool live, cancelled, allowed;
    int rooms;                    /* Bits. */
    int start, end, weight, hold; /* Minutes; hold 0: none. */
    stet_version version;
};

static uint64_t seed;
static int draw(int bound) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((seed >> 33) % (uint64_t)bound);
}

static int now_minutes(void) {
    return (int)((world.clock.wall_ns - WORLD_START_S * CLOCK_NS_PER_S) / MINUTE);
}

static bool takes(const struct booking *one, int room, int now) {
    return one->live && !one->cancelled && !one->allowed && (one->rooms >> room & 1) != 0 &&
           (one->hold == 0 || one->hold > now);
}

/* Whether every minute of every room that a changed booking takes has room for all that take it. */
static bool model_fits(const struct booking *all, const struct booking *before, int now) {
    for (int i = 0; i < RECORDS; i++) {
        const struct booking *one = &all[i], *old = &before[i];
        for (int room = 0; room < ROOMS; room++) {
            if (!takes(one, room, now)) continue;
            bool had = old->live && !old->cancelled && !old->allowed && (old->rooms >> room & 1);
            if (had && old->start == one->start && old->end == one->end &&
                old->weight == one->weight && old->hold == one->hold)
                continue;
            for (int minute = one->start - BEFORE; minute < one->end + AFTER; minute++) {
                int load = 0;
                for (int j = 0; j < RECORDS; j++)
                    if (takes(&all[j], room, now) && all[j].start - BEFORE <= minute &&
                        all[j].end + AFTER > minute)
                        load += all[j].weight;
                if (load > CAPACITY) return false;
            }
        }
    }
    return true;
}

static void time_text(char out[CLOCK_RFC3339_BYTES + 1], int minute) {
    clock_format_rfc3339(WORLD_START_S * CLOCK_NS_PER_S + minute * MINUTE, out);
    out[CLOCK_RFC3339_BYTES] = '\0';
}

static const char *model_data(const struct booking *one) {
    char start[CLOCK_RFC3339_BYTES + 1], end[CLOCK_RFC3339_BYTES + 1],
        hold[CLOCK_RFC3339_BYTES + 1];
    time_text(start, one->start);
    time_text(end, one->end);
    time_text(hold, one->hold);
    const char *rooms[] = {
        "[]",     "[\"r0\"]",        "\"r1\"",          "[\"r0\",\"r1\"]",
        "\"r2\"", "[\"r0\",\"r2\"]", "[\"r2\",\"r1\"]", "[\"r0\",\"r1\",\"r2\"]"};
    return arena_format(&world.arena,
                        "{\"room\":%s,\"start\":\"%s\",\"end\":\"%s\",\"seats\":%d,\"hold\":%s%s%s,"
                        "\"status\":\"%s\",\"why\":\"%s\"}",
                        rooms[one->rooms], start, end, one->weight, one->hold == 0 ? "null" : "\"",
                        one->hold == 0 ? "" : hold, one->hold == 0 ? "" : "\"",
                        one->cancelled ? "cancelled" : "on", one->allowed ? "so" : "")
        .bytes;
}

#define MODEL                                                                                      \
    "{\"resource\":\"/room\",\"start\":\"/start\",\"end\":\"/end\",\"weight\":\"/seats\","         \
    "\"capacity\":3,\"hold_expires\":\"/hold\",\"unless\":\"status = 'cancelled'\","               \
    "\"allow_overlap\":\"/why\",\"buffer_before_s\":300,\"buffer_after_s\":600}"

/* A mutation that makes of a booking what a draw says. */
static stet_mutation draw_change(struct booking *one, int i) {
    const char *id = arena_format(&world.arena, "b%02d", i).bytes;
    stet_base base = one->version == 0 ? none : at(one->version);
    if (one->live && draw(4) == 0) {
        one->live = false;
        return mutation(STET_OP_DELETE, id, base, NULL);
    }
    bool moves_only = one->live && draw(3) > 0;
    one->start = draw(HORIZON);
    one->end = one->start + 1 + draw(draw(4) == 0 ? 300 : 60);
    if (!moves_only) {
        one->rooms = draw(1 << ROOMS);
        one->weight = draw(CAPACITY + 1);
        one->hold = draw(4) == 0 ? now_minutes() + draw(40) : 0;
        one->cancelled = draw(6) == 0;
        one->allowed = draw(10) == 0;
    }
    one->live = true;
    return mutation(STET_OP_PUT, id, base, model_data(one));
}

static stet_version version_of(const struct answer *answer, size_t count, size_t k) {
    if (count == 1) return answer->version;
    char pointer[32];
    snprintf(pointer, sizeof pointer, "/results/%zu/version", k);
    return strtoull(json_at(answer->body, pointer), NULL, 10);
}

static unsigned play(struct booking *all, int rounds, unsigned *refused) {
    unsigned accepted = 0;
    for (int round = 0; round < rounds; round++) {
        struct booking next[RECORDS];
        stet_mutation mutations[4];
        int chosen[4];
        size_t count = draw(4) == 0 ? 2 + (size_t)draw(3) : 1;
        memcpy(next, all, sizeof next);
        for (size_t k = 0; k < count; k++) {
            bool again;
            do {
                chosen[k] = draw(RECORDS);
                again = false;
                for (size_t j = 0; j < k; j++)
                    again = again || chosen[j] == chosen[k];
            } while (again);
            mutations[k] = draw_change(&next[chosen[k]], chosen[k]);
        }
        bool dry = draw(10) == 0, fits = model_fits(next, all, now_minutes());
        const stet_write write = {.mutations = mutations,
                                  .mutation_count = count,
                                  .transaction = count > 1,
                                  .dry_run = dry};
        struct answer answer = run(&write);
        if (answer.status != (fits ? STET_OK : STET_SLOT_TAKEN))
            fail_msg("seed %llu, round %d: %s, %s %s", (unsigned long long)seed, round,
                     fits ? "fits" : "does not fit", answer.message, answer.body);
        if (draw(8) == 0) clock_manual_advance(&world.clock, draw(10) * MINUTE);
        accepted += fits;
        *refused += !fits;
        if (!fits || dry) continue;
        memcpy(all, next, sizeof next);
        for (size_t k = 0; k < count; k++)
            all[chosen[k]].version = version_of(&answer, count, k);
    }
    return accepted;
}

static void a_random_schedule_agrees_with_the_model(void **state) {
    struct booking all[RECORDS];
    unsigned refused = 0, accepted = 0;
    const char *given = getenv("STET_SEED");
    (void)state;
    for (uint64_t game = 1; game <= 24; game++) {
        seed = given != NULL ? strtoull(given, NULL, 10) : game;
        world_open(state);
        declare(MODEL);
        memset(all, 0, sizeof all);
        accepted += play(all, 250, &refused);
        world_close(state);
    }
    assert_true(accepted > 200 && refused > 200);
}

static void what_is_booked_outlives_the_process(void **state) {
    char folder[] = "/tmp/stet-spans-XXXXXX";
    struct booking all[RECORDS];
    unsigned refused = 0;
    assert_non_null(mkdtemp(folder));
    world_open_with(fixture_no_modules, folder);
    declare(MODEL);
    memset(all, 0, sizeof all);
    seed = 99;
    for (int life = 0; life < 3; life++) {
        play(all, 60, &refused);
        fixture_close(&world.fixture);
        world_reopen();
        declare(MODEL);
    }
    assert_true(refused > 20);
    world_close(state);
    char command[64];
    snprintf(command, sizeof command, "rm -rf -- '%s'", folder);
    assert_int_equal(system(command), 0);
}

#define ROOM_TEST(name) cmocka_unit_test_setup_teardown(name, open_room, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        ROOM_TEST(two_bookings_do_not_overlap),
        ROOM_TEST(whose_record_is_in_the_way_is_told_to_its_readers),
        ROOM_TEST(half_open_intervals_meet),
        ROOM_TEST(moving_is_not_in_its_own_way),
        ROOM_TEST(what_is_cancelled_or_deleted_gives_its_time_back),
        ROOM_TEST(a_patch_of_something_else_is_not_judged),
        ROOM_TEST(several_resources_are_taken_all_or_none),
        ROOM_TEST(a_transaction_is_judged_as_a_whole),
        ROOM_TEST(one_of_a_batch_gets_the_time),
        ROOM_TEST(a_dry_run_says_what_would_be),
        ROOM_TEST(weights_add_up_to_the_capacity),
        ROOM_TEST(buffers_are_part_of_a_booking),
        ROOM_TEST(a_hold_ends_by_the_sequencers_time),
        ROOM_TEST(a_reason_allows_an_overlap),
        ROOM_TEST(without_a_resource_there_is_one_calendar),
        ROOM_TEST(any_of_is_chosen_in_the_commit),
        ROOM_TEST(what_was_merged_is_judged_too),
        ROOM_TEST(long_bookings_cross_pages),
        ROOM_TEST(hostile_sizes_are_refused_or_bounded),
        ROOM_TEST(names_that_are_too_long_for_a_key_are_told_apart),
        ROOM_TEST(one_request_holds_up_the_others_for_so_long_only),
        ROOM_TEST(choosing_for_a_long_series_is_bounded),
        ROOM_TEST(what_a_record_once_had_is_not_judged),
        cmocka_unit_test(a_random_schedule_agrees_with_the_model),
        cmocka_unit_test(what_is_booked_outlives_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
