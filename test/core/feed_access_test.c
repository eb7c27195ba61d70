/* The feed under access rules: who is told of what, what leaves their sight, and what they see of it. */
#include "modules/feed/feed.h"

#include "base/view.h"
#include "modules/conflicts/conflicts.h"
#include "modules/feed/subscription.h"
#include "modules/operations/operations.h"
#include "modules/types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <unistd.h>

#include "core/write_fixture.h"

#define TEST(name) static void name(void **state)

static const struct module *const modules[] = {&types_module, &conflicts_module, &operations_module,
                                               NULL};
static const stet_view sales[] = {{"sales", 5}};
static stet_client *reader;
static char folder[64];

/* Sellers see what is theirs, but not what it costs. */
static const char owned[] =
    "{\"access\":{\"read\":\"owner = actor.id\",\"fields\":{\"/cost\":{\"hidden\":true}}}}";

static void declare(const char *definition) {
    struct stet_command *command = command_create(world.fixture.client);
    static stet_version version;
    const stet_type_write type = {.name = VIEW("task"), .definition = view_of(definition)};
    stet_type_write next = type;
    struct stet_command *look;
    stet_error err = {0};
    assert_non_null(command);
    look = command_create(world.fixture.client);
    assert_int_equal(types_fill_get(look, VIEW("task"), NULL), STET_OK);
    struct answer there = take(submitted(look));
    version = there.status == STET_OK ? there.version : 0;
    next.base = version > 0 ? at(version) : none;
    if (types_fill_write(command, &next, &err) != STET_OK) fail_msg("type: %s", err.message);
    must(take(submitted(command)));
}

static void begin(const char *data_dir) {
    world_open_with(modules, data_dir);
    assert_int_equal(client_create(world.fixture.engine, &reader, NULL), STET_OK);
    be("root");
    declare(owned);
}

static int setup(void **state) {
    (void)state;
    begin(NULL);
    return 0;
}

static int setup_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/stet-feed-XXXXXX");
    assert_non_null(mkdtemp(folder));
    begin(folder);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static int teardown(void **state) {
    client_destroy(reader);
    return world_close(state);
}

static int teardown_folder(void **state) {
    teardown(state);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static stet_subscription *follow_as(const stet_actor *actor, stet_feed_options options) {
    stet_subscription *subscription = NULL;
    assert_int_equal(
        feed_subscribe(reader, world.fixture.space, actor, &options, NULL, &subscription, NULL),
        STET_OK);
    return subscription;
}

static stet_actor seller(const char *id) {
    return (stet_actor){.id = view_of(id), .roles = sales, .role_count = 1};
}

static stet_subscription *follow(const char *id, stet_feed_options options) {
    const stet_actor actor = seller(id);
    return follow_as(&actor, options);
}

static const stet_feed_options from_start = {.since = 0};
static const stet_feed_options from_now = {.from_now = true};

/* Lets workers and the client do what there is. */
static void settle(void) {
    while (engine_step(world.fixture.engine))
        continue;
    while (feed_ready(reader) != NULL)
        continue;
}

static char kind_letter(const stet_event *event) {
    bool left = memmem(event->data.bytes, event->data.size, "\"left\":true", 11) != NULL;
    switch (event->kind) {
    case STET_EVENT_CHANGE: return left ? 'l' : 'c';
    case STET_EVENT_REVOKED: return 'r';
    case STET_EVENT_OPERATION: return 'o';
    case STET_EVENT_CONFLICT: return 'x';
    case STET_EVENT_READY:
    case STET_EVENT_BOOKMARK:
    case STET_EVENT_RESET:
    case STET_EVENT_END: break;
    }
    return '?';
}

/* The last event's data, and what came, as "c3 r4". */
static char last[4096];
static const char *taken(stet_subscription *subscription) {
    static char text[512];
    stet_event event;
    size_t used = 0;
    text[0] = '\0';
    for (int turn = 0; turn < 8; turn++) {
        while (feed_next(subscription, &event)) {
            if (event.kind == STET_EVENT_READY) continue;
            assert_null(memmem(event.data.bytes, event.data.size, "SECRET", 6));
            snprintf(last, sizeof last, "%.*s", VIEW_ARG(event.data));
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "%s%c%llu", used > 0 ? " " : "",
                                 kind_letter(&event), (unsigned long long)event.seq);
        }
        settle();
    }
    return text;
}

/* Puts whatever is there, and says at which position. */
static unsigned long long put(const char *id, const char *data) {
    struct answer there = read_record(id);
    return must(try_put(id, there.status == STET_OK ? at(there.version) : none, data)).seq;
}

static const char *expect(const char *format, ...) {
    static char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return text;
}

/* ---- Live -------------------------------------------------------------------------------- */

TEST(only_what_they_may_read_is_told_without_what_is_hidden) {
    (void)state;
    stet_subscription *ben = follow("ben", from_now);
    assert_string_equal(taken(ben), "");
    unsigned long long one = put("a", "{\"owner\":\"ben\",\"n\":1,\"cost\":\"SECRET\"}");
    put("b", "{\"owner\":\"eva\",\"n\":\"SECRET\"}");
    assert_string_equal(taken(ben), expect("c%llu", one));
    check_json(last, "/record/data", "{\"owner\":\"ben\",\"n\":1}");
    feed_unsubscribe(ben);
}

TEST(what_leaves_their_sight_is_revoked_and_what_comes_is_a_change) {
    (void)state;
    stet_subscription *ben = follow("ben", from_now);
    unsigned long long one = put("a", "{\"owner\":\"ben\"}");
    assert_string_equal(taken(ben), expect("c%llu", one));
    unsigned long long two = put("a", "{\"owner\":\"eva\",\"x\":\"SECRET\"}");
    assert_string_equal(taken(ben), expect("r%llu", two));
    check_json(last, "/op", "\"revoked\"");
    check_json(last, "/address", "\"task/a\"");
    check_json(last, "/type", "\"task\"");
    check_json(last, "/id", "\"a\"");
    put("a", "{\"owner\":\"eva\",\"x\":\"SECRET 2\"}");
    assert_string_equal(taken(ben), "");
    unsigned long long back = put("a", "{\"owner\":\"ben\"}");
    assert_string_equal(taken(ben), expect("c%llu", back));
    feed_unsubscribe(ben);
}

TEST(a_deletion_is_told_to_those_who_saw_the_record) {
    (void)state;
    stet_subscription *ben = follow("ben", from_now);
    stet_subscription *eva = follow("eva", from_now);
    must_put("a", none, "{\"owner\":\"ben\",\"cost\":\"SECRET\"}");
    must_delete("a", at(1));
    assert_string_equal(taken(eva), "");
    taken(ben);
    check_json(last, "/op", "\"delete\"");
    check_json(last, "/record/data", "{\"owner\":\"ben\"}");
    feed_unsubscribe(ben);
    feed_unsubscribe(eva);
}

TEST(nobody_sees_old_versions_of_what_has_left_their_sight) {
    (void)state;
    stet_subscription *ben = follow("ben", from_now);
    assert_string_equal(taken(ben), "");
    /* They are read late: all is published before anything is taken. */
    put("a", "{\"owner\":\"ben\",\"n\":1}");
    put("a", "{\"owner\":\"ben\",\"n\":2}");
    unsigned long long gone = put("a", "{\"owner\":\"eva\"}");
    settle();
    assert_string_equal(taken(ben), expect("r%llu", gone));
    feed_unsubscribe(ben);
}

/* ---- Conditions -------------------------------------------------------------------------- */

TEST(a_condition_does_not_tell_what_is_hidden) {
    (void)state;
    stet_feed_options asked = from_now;
    asked.where = VIEW("cost = 'SECRET'");
    stet_subscription *ben = follow("ben", asked), *mia = follow("ben", asked);
    const stet_actor root = {.id = VIEW("root"), .admin = true};
    stet_subscription *all = follow_as(&root, asked);
    put("a", "{\"owner\":\"ben\",\"cost\":\"SECRET\"}");
    put("a", "{\"owner\":\"ben\",\"cost\":\"less\"}");
    assert_string_equal(taken(ben), "");
    assert_string_equal(taken(mia), "");
    stet_event event;
    unsigned count = 0;
    settle();
    while (feed_next(all, &event))
        count += event.kind == STET_EVENT_CHANGE;
    assert_int_equal(count, 2);
    feed_unsubscribe(ben);
    feed_unsubscribe(mia);
    feed_unsubscribe(all);
}

TEST(who_had_it_on_their_list_learns_that_it_left) {
    (void)state;
    stet_feed_options asked = from_now;
    asked.where = VIEW("n > 1");
    stet_subscription *ben = follow("ben", asked);
    put("a", "{\"owner\":\"ben\",\"n\":1}");
    put("a", "{\"owner\":\"eva\",\"n\":1}");
    assert_string_equal(taken(ben), ""); /* It never was on the list. */
    unsigned long long on = put("a", "{\"owner\":\"ben\",\"n\":2}");
    assert_string_equal(taken(ben), expect("c%llu", on));
    unsigned long long off = put("a", "{\"owner\":\"ben\",\"n\":1}");
    assert_string_equal(taken(ben), expect("l%llu", off));
    on = put("a", "{\"owner\":\"ben\",\"n\":2}");
    assert_string_equal(taken(ben), expect("c%llu", on));
    unsigned long long gone = put("a", "{\"owner\":\"eva\",\"n\":2}");
    assert_string_equal(taken(ben), expect("r%llu", gone));
    feed_unsubscribe(ben);
}

/* ---- The past ---------------------------------------------------------------------------- */

TEST(the_past_is_judged_as_it_was_and_as_it_is_now) {
    (void)state;
    unsigned long long kept = put("kept", "{\"owner\":\"ben\",\"cost\":\"SECRET\"}");
    put("lost", "{\"owner\":\"ben\",\"n\":\"SECRET\"}");
    unsigned long long gone = put("lost", "{\"owner\":\"eva\"}");
    put("evas", "{\"owner\":\"eva\",\"n\":\"SECRET\"}");
    stet_subscription *ben = follow("ben", from_start);
    assert_string_equal(taken(ben), expect("c%llu r%llu", kept, gone));
    feed_unsubscribe(ben);
    /* And from the store: a ring that was just opened is empty. */
    client_destroy(reader);
    fixture_close(&world.fixture);
    world_reopen();
    assert_int_equal(client_create(world.fixture.engine, &reader, NULL), STET_OK);
    ben = follow("ben", from_start);
    assert_string_equal(taken(ben), expect("c%llu r%llu", kept, gone));
    feed_unsubscribe(ben);
}

/* ---- Rules that change ------------------------------------------------------------------- */

TEST(a_type_that_is_closed_is_revoked_as_a_whole) {
    (void)state;
    stet_subscription *ben = follow("ben", from_now);
    put("a", "{\"owner\":\"ben\"}");
    taken(ben);
    declare("{\"access\":{\"read\":\"actor.roles contains 'boss'\"}}");
    assert_string_equal(taken(ben), expect("r%llu", (unsigned long long)seq_now()));
    check_json(last, "/type", "\"task\"");
    check_no_json(last, "/id");
    put("a", "{\"owner\":\"ben\",\"n\":\"SECRET\"}");
    assert_string_equal(taken(ben), "");
    /* And open again. */
    declare("{\"access\":{\"read\":true}}");
    assert_string_equal(taken(ben), "");
    unsigned long long again = put("a", "{\"owner\":\"x\"}");
    assert_string_equal(taken(ben), expect("c%llu", again));
    feed_unsubscribe(ben);
}

TEST(new_rules_hold_for_what_is_delivered_from_then_on) {
    (void)state;
    stet_subscription *ben = follow("ben", from_now);
    put("a", "{\"owner\":\"ben\",\"n\":\"SECRET\"}");
    declare("{\"access\":{\"read\":\"owner = actor.id\",\"fields\":{\"/n\":{\"hidden\":true}}}}");
    taken(ben);
    check_json(last, "/record/data", "{\"owner\":\"ben\"}");
    feed_unsubscribe(ben);
}

TEST(a_type_without_rules_is_for_members) {
    (void)state;
    declare("{}");
    const stet_actor member = {.id = VIEW("mia")};
    stet_subscription *mia = follow_as(&member, from_now);
    stet_subscription *ben = follow("ben", from_now);
    unsigned long long one = put("a", "{\"n\":1}");
    assert_string_equal(taken(mia), expect("c%llu", one));
    assert_string_equal(taken(ben), "");
    feed_unsubscribe(mia);
    feed_unsubscribe(ben);
}

/* ---- Operations -------------------------------------------------------------------------- */

static void ask_for(const char *id) {
    struct stet_command *command = command_create(world.fixture.client);
    const stet_operation_request request = {.id = view_of(id), .lane = VIEW("l")};
    assert_int_equal(operations_fill_submit(command, &request, NULL), STET_OK);
    must(take(submitted(command)));
}

TEST(operations_are_told_to_who_asked_for_them) {
    (void)state;
    static const stet_view type = {"stet.operation", 14};
    stet_feed_options asked = from_now;
    asked.types = &type;
    asked.type_count = 1;
    stet_subscription *ben = follow("ben", asked), *eva = follow("eva", asked);
    world.fixture.actor = seller("ben");
    ask_for("bens");
    const char *told = taken(ben);
    assert_int_equal(told[0], 'o');
    assert_string_equal(taken(eva), "");
    feed_unsubscribe(ben);
    feed_unsubscribe(eva);
}

TEST(a_conflict_is_told_briefly_to_who_is_bound_by_rules) {
    (void)state;
    static const stet_view type = {"stet.conflict", 13};
    stet_feed_options asked = from_now;
    asked.types = &type;
    asked.type_count = 1;
    stet_subscription *ben = follow("ben", asked);
    put("a", "{\"owner\":\"ben\",\"n\":1,\"cost\":\"SECRET\"}");
    put("a", "{\"owner\":\"ben\",\"n\":2,\"cost\":\"SECRET 2\"}");
    stet_mutation late =
        mutation(STET_OP_PUT, "a", at(1), "{\"owner\":\"ben\",\"cost\":\"SECRET 3\"}");
    late.on_conflict = STET_STRATEGY_ASK;
    assert_true(apply_one(late).parked);
    assert_int_equal(taken(ben)[0], 'x');
    check_json(last, "/event", "\"opened\"");
    check_json(last, "/address", "\"task/a\"");
    check_json(last, "/conflict/state", "\"open\"");
    check_no_json(last, "/affected_data");
    feed_unsubscribe(ben);
}

TEST(reading_needs_its_scope) {
    (void)state;
    stet_actor actor = seller("ben");
    stet_subscription *subscription = NULL;
    actor.scopes = STET_SCOPE_WRITE;
    assert_int_equal(
        feed_subscribe(reader, world.fixture.space, &actor, &from_now, NULL, &subscription, NULL),
        STET_FORBIDDEN);
}

#define ACCESS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        ACCESS(only_what_they_may_read_is_told_without_what_is_hidden),
        ACCESS(what_leaves_their_sight_is_revoked_and_what_comes_is_a_change),
        ACCESS(a_deletion_is_told_to_those_who_saw_the_record),
        ACCESS(nobody_sees_old_versions_of_what_has_left_their_sight),
        ACCESS(a_condition_does_not_tell_what_is_hidden),
        ACCESS(who_had_it_on_their_list_learns_that_it_left),
        cmocka_unit_test_setup_teardown(the_past_is_judged_as_it_was_and_as_it_is_now, setup_folder,
                                        teardown_folder),
        ACCESS(a_type_that_is_closed_is_revoked_as_a_whole),
        ACCESS(new_rules_hold_for_what_is_delivered_from_then_on),
        ACCESS(a_type_without_rules_is_for_members),
        ACCESS(operations_are_told_to_who_asked_for_them),
        ACCESS(a_conflict_is_told_briefly_to_who_is_bound_by_rules),
        ACCESS(reading_needs_its_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
