/* Locks: one holder at a time, leases that end, waiting in order, fencing tokens, and what a restart leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/write_fixture.h"
#include "modules/locks/locks.h"

#include <ftw.h>
#include <unistd.h>

#define TEST(name) static void name(void **state)

static const struct module *const modules[] = {&locks_module, NULL};
static char folder[64];

static int setup(void **state) {
    (void)state;
    world_open_with(modules, NULL);
    return 0;
}

static int setup_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/stet-locks-XXXXXX");
    assert_non_null(mkdtemp(folder));
    world_open_with(modules, folder);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static int teardown_folder(void **state) {
    world_close(state);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- In a word --------------------------------------------------------------------------- */

static void work(void) {
    engine_step(world.fixture.engine);
    while (client_next(world.fixture.client) != NULL)
        ;
}

static void pass(int64_t seconds) {
    clock_manual_advance(&world.clock, seconds * CLOCK_NS_PER_S);
    work();
}

/* Everybody here is an ordinary person unless a test says otherwise. */
static void am(const char *actor) {
    be(actor);
    world.fixture.actor.admin = false;
}

static struct stet_command *ask(const stet_lock_request *request) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    if (locks_fill_acquire(command, request, &err) != STET_OK) fail_msg("%s", err.message);
    return submitted(command);
}

static struct stet_command *start_lock(const char *actor, const char *name, unsigned wait_s) {
    am(actor);
    struct stet_command *command =
        ask(&(stet_lock_request){.name = view_of(name), .ttl_s = 10, .wait_s = wait_s});
    work();
    return command;
}

static struct answer acquire(const char *actor, const char *name) {
    return take(start_lock(actor, name, 0));
}

static stet_version must_acquire(const char *actor, const char *name) {
    return must(acquire(actor, name)).version;
}

static struct answer renew(const char *actor, const char *name, uint64_t token, unsigned ttl_s) {
    struct stet_command *command = command_create(world.fixture.client);
    am(actor);
    assert_int_equal(locks_fill_renew(command, view_of(name), token, ttl_s, NULL), STET_OK);
    return take(submitted(command));
}

static struct answer release(const char *actor, const char *name, uint64_t token) {
    struct stet_command *command = command_create(world.fixture.client);
    am(actor);
    assert_int_equal(locks_fill_release(command, view_of(name), token, NULL), STET_OK);
    return take(submitted(command));
}

static struct answer look(const char *name) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_int_equal(locks_fill_read(command, view_of(name), NULL), STET_OK);
    return take(submitted(command));
}

static struct answer list(const char *after, unsigned limit) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_int_equal(locks_fill_list(command, view_of(after), limit, NULL), STET_OK);
    return take(submitted(command));
}

static struct answer put_locked(const char *id, uint64_t token) {
    stet_mutation one = mutation(STET_OP_CREATE, id, none, "{}");
    one.lock = VIEW("x");
    one.lock_token = token;
    return apply_one(one);
}

/* ---- Holding ----------------------------------------------------------------------------- */

TEST(a_lock_has_one_holder) {
    (void)state;
    struct answer first = must(acquire("ann", "x"));
    check_json(first.body, "/holder", "\"ann\"");
    check_json(first.body, "/token", "1");
    check_json(first.body, "/ttl_s", "10");
    assert_true(first.created);
    struct answer second = acquire("bob", "x");
    check_status(second, STET_LOCKED);
    check_json(second.body, "/holder", "\"ann\"");
    check_json(second.body, "/retry_after", "10");
    assert_non_null(json_at(second.body, "/expires_at"));
    must_acquire("bob", "y");
}

TEST(to_hold_needs_another_scope_than_to_look) {
    (void)state;
    const stet_lock_request request = {.name = VIEW("y")};
    must_acquire("ann", "x");
    world.fixture.actor.scopes = STET_SCOPE_READ;
    must(look("x"));
    check_status(take(ask(&request)), STET_FORBIDDEN);
    world.fixture.actor.scopes = STET_SCOPE_WRITE;
    must(take(ask(&request)));
    check_status(look("x"), STET_FORBIDDEN);
    check_status(list("", 0), STET_FORBIDDEN);
}

TEST(a_lock_is_not_reentrant) {
    (void)state;
    must_acquire("ann", "x");
    check_status(acquire("ann", "x"), STET_LOCKED);
}

TEST(tokens_rise_with_every_acquisition) {
    (void)state;
    stet_version first = must_acquire("ann", "x");
    must(release("ann", "x", first));
    stet_version second = must_acquire("ann", "x");
    assert_true(second > first);
    check_status(release("ann", "x", first), STET_LOCK_LOST);
    check_status(acquire("bob", "x"), STET_LOCKED);
}

TEST(only_the_holder_or_an_administrator_lets_go) {
    (void)state;
    stet_version token = must_acquire("ann", "x");
    check_status(release("bob", "x", token), STET_FORBIDDEN);
    check_status(renew("bob", "x", token, 0), STET_FORBIDDEN);
    be("root");
    struct stet_command *command = command_create(world.fixture.client);
    assert_int_equal(locks_fill_release(command, VIEW("x"), token, NULL), STET_OK);
    must(take(submitted(command)));
    must_acquire("bob", "x");
}

TEST(a_lock_that_nobody_holds_is_not_found) {
    (void)state;
    check_status(look("x"), STET_NOT_FOUND);
    check_status(release("ann", "x", 1), STET_LOCK_LOST);
    stet_version token = must_acquire("ann", "x");
    check_json(look("x").body, "/holder", "\"ann\"");
    must(release("ann", "x", token));
    check_status(look("x"), STET_NOT_FOUND);
}

TEST(what_is_asked_is_checked) {
    (void)state;
    static const stet_lock_request bad[] = {
        {.name = {"", 0}},
        {.name = {"x", 1}, .ttl_s = LOCK_TTL_S_MAX + 1},
        {.name = {"x", 1}, .wait_s = WAIT_S_MAX + 1},
        {.name = {"x", 1}, .note = {"\xff", 1}},
    };
    static const char *const fields[] = {"name", "ttl_s", "wait_s", "note"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct stet_command *command = command_create(world.fixture.client);
        stet_error err = {0};
        assert_int_equal(locks_fill_acquire(command, &bad[i], &err), STET_BAD_REQUEST);
        assert_string_equal(err.field, fields[i]);
        command_destroy(command);
    }
}

TEST(nobody_else_writes_the_records) {
    (void)state;
    stet_mutation one = {.op = STET_OP_CREATE,
                         .type = VIEW("stet.lock"),
                         .id = VIEW("x"),
                         .body = VIEW("{\"holder\":\"eve\",\"ttl_s\":3600}")};
    check_status(apply_one(one), STET_SYSTEM_TYPE);
}

TEST(a_dry_run_takes_nothing) {
    (void)state;
    am("ann");
    stet_lock_request request = {.name = VIEW("x"), .dry_run = true};
    must(take(ask(&request)));
    check_status(look("x"), STET_NOT_FOUND);
    must_acquire("bob", "x");
    check_status(take(ask(&request)), STET_LOCKED);
}

/* ---- Time -------------------------------------------------------------------------------- */

TEST(a_lease_ends_by_itself_and_history_says_so) {
    (void)state;
    stet_version token = must_acquire("ann", "x");
    uint64_t seq = seq_now();
    pass(9);
    check_json(look("x").body, "/holder", "\"ann\"");
    assert_int_equal(seq_now(), seq);
    pass(1);
    assert_int_equal(seq_now(), seq + 1);
    check_status(look("x"), STET_NOT_FOUND);
    check_status(renew("ann", "x", token, 0), STET_LOCK_LOST);
    struct change *head;
    assert_int_equal(client_head(world.fixture.client, world.fixture.space, VIEW("stet.lock"),
                                 VIEW("x"), &head, NULL),
                     STET_OK);
    assert_true(change_is_delete(head));
    assert_true(view_equal(head->row.source, VIEW("expired")));
    change_unref(head);
}

TEST(a_renewal_keeps_the_token_and_makes_no_version) {
    (void)state;
    stet_version token = must_acquire("ann", "x");
    uint64_t seq = seq_now();
    for (int i = 0; i < 5; i++) {
        pass(9);
        assert_int_equal(must(renew("ann", "x", token, 0)).version, token);
    }
    assert_int_equal(seq_now(), seq);
    check_status(acquire("bob", "x"), STET_LOCKED);
    check_json(must(renew("ann", "x", token, 60)).body, "/ttl_s", "60");
    pass(59);
    check_status(acquire("bob", "x"), STET_LOCKED);
    pass(1);
    must_acquire("bob", "x");
}

TEST(leases_end_in_the_order_of_their_times) {
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        am("ann");
        must(take(ask(&(stet_lock_request){.name = view_of(name), .ttl_s = 1 + (i * 37) % 200})));
    }
    for (unsigned held = 200; held > 0; held--) {
        uint64_t seq = seq_now();
        pass(1);
        assert_int_equal(seq_now(), seq + 1);
    }
}

TEST(a_reload_neither_shortens_nor_lengthens_a_lease) {
    (void)state;
    stet_version token = must_acquire("ann", "x");
    pass(6);
    assert_int_equal(space_load_modules(world.fixture.space, NULL), STET_OK);
    pass(3);
    check_json(look("x").body, "/holder", "\"ann\"");
    pass(1);
    check_status(renew("ann", "x", token, 0), STET_LOCK_LOST);
    assert_int_equal(space_load_modules(world.fixture.space, NULL), STET_OK);
    must_acquire("bob", "x");
}

/* ---- Waiting ----------------------------------------------------------------------------- */

TEST(waiting_is_served_in_the_order_of_asking) {
    (void)state;
    static const char *const names[] = {"bob", "cleo", "dan"};
    struct stet_command *waiting[3];
    stet_version token = must_acquire("ann", "x");
    const char *holder = "ann";
    for (int i = 0; i < 3; i++)
        waiting[i] = start_lock(names[i], "x", 60);
    check_json(look("x").body, "/waiting", "3");
    for (int i = 0; i < 3; i++) {
        assert_false(waiting[i]->done);
        /* One who comes at the very moment must not overtake those who wait. */
        am("eve");
        struct stet_command *late = command_create(world.fixture.client);
        struct stet_command *leaving = command_create(world.fixture.client);
        stet_lock_request request = {.name = VIEW("x")};
        be(holder);
        assert_int_equal(locks_fill_release(leaving, VIEW("x"), token, NULL), STET_OK);
        submitted(leaving);
        am("eve");
        assert_int_equal(locks_fill_acquire(late, &request, NULL), STET_OK);
        submitted(late);
        must(take(leaving));
        check_status(take(late), STET_LOCKED);
        struct answer got = must(take(waiting[i]));
        holder = names[i];
        token = got.version;
        for (int j = i + 1; j < 3; j++)
            assert_false(waiting[j]->done);
    }
    must(release("dan", "x", token));
    must_acquire("eve", "x");
}

TEST(one_who_waits_gets_a_lease_that_ended) {
    (void)state;
    must_acquire("ann", "x");
    struct stet_command *waiting = start_lock("bob", "x", 60);
    pass(9);
    assert_false(waiting->done);
    pass(1);
    check_json(must(take(waiting)).body, "/holder", "\"bob\"");
}

TEST(a_wait_that_is_over_is_told_who_holds_it) {
    (void)state;
    stet_version token = must_acquire("ann", "x");
    struct stet_command *waiting = start_lock("bob", "x", 5);
    struct stet_command *patient = start_lock("cleo", "x", 60);
    pass(5);
    struct answer over = take(waiting);
    check_status(over, STET_LOCKED);
    check_json(over.body, "/holder", "\"ann\"");
    must(release("ann", "x", token));
    must(take(patient));
}

TEST(who_has_left_never_gets_the_lock) {
    (void)state;
    stet_version token = must_acquire("ann", "x");
    struct stet_command *gone = start_lock("bob", "x", 60);
    struct stet_command *next = start_lock("cleo", "x", 60);
    command_cancel(gone);
    /* In the same breath, so that the one who left is the first in the row when it becomes free. */
    must(release("ann", "x", token));
    check_status(take(gone), STET_CANCELLED);
    check_json(must(take(next)).body, "/holder", "\"cleo\"");
}

TEST(who_leaves_while_awake_lets_the_next_one_on) {
    (void)state;
    stet_version token = must_acquire("ann", "x");
    struct stet_command *gone = start_lock("bob", "x", 60);
    struct stet_command *next = start_lock("cleo", "x", 60);
    struct stet_command *leaving = command_create(world.fixture.client);
    am("ann");
    assert_int_equal(locks_fill_release(leaving, VIEW("x"), token, NULL), STET_OK);
    submitted(leaving);
    /* The release wakes bob, who is then in the queue. */
    assert_true(engine_step_batch(world.fixture.engine, world.fixture.space, 1));
    command_cancel(gone);
    must(take(leaving));
    check_status(take(gone), STET_CANCELLED);
    must(take(next));
}

TEST(a_deleted_space_ends_all_waiting) {
    (void)state;
    must_acquire("ann", "x");
    struct stet_command *waiting = start_lock("bob", "x", 60);
    engine_space_drop(world.fixture.engine, VIEW("main"), (stet_view){0});
    check_status(take(waiting), STET_NOT_FOUND);
}

/* ---- Keys -------------------------------------------------------------------------------- */

TEST(a_repeated_acquisition_answers_as_the_first_time) {
    (void)state;
    stet_lock_request request = {
        .name = VIEW("x"), .ttl_s = 10, .note = VIEW("nightly"), .mutation_key = VIEW("k")};
    am("ann");
    struct answer first = must(take(ask(&request)));
    struct answer again = must(take(ask(&request)));
    assert_true(again.replayed);
    assert_int_equal(again.version, first.version);
    check_json(again.body, "/note", "\"nightly\"");
    request.ttl_s = 11;
    check_status(take(ask(&request)), STET_KEY_REUSED);
}

TEST(one_sent_twice_while_it_waits_is_acquired_once) {
    (void)state;
    stet_lock_request request = {.name = VIEW("x"), .wait_s = 60, .mutation_key = VIEW("k")};
    stet_version token = must_acquire("ann", "x");
    am("bob");
    struct stet_command *first = ask(&request);
    struct stet_command *twin = ask(&request);
    work();
    must(release("ann", "x", token));
    struct answer one = must(take(first));
    struct answer two = must(take(twin));
    assert_false(one.replayed);
    assert_true(two.replayed);
    assert_int_equal(one.version, two.version);
}

/* ---- Writes that rely on a lock ---------------------------------------------------------- */

TEST(a_write_may_rely_on_a_lock) {
    (void)state;
    check_status(put_locked("1", 1), STET_LOCK_LOST);
    stet_version token = must_acquire("ann", "x");
    must(put_locked("1", token));
    check_status(put_locked("2", token + 1), STET_LOCK_LOST);
    must(release("ann", "x", token));
    stet_version later = must_acquire("bob", "x");
    check_status(put_locked("2", token), STET_LOCK_LOST);
    must(put_locked("2", later));
}

/* Its deadline would have it applied, though nobody looks at the lock then. */
TEST(a_write_is_not_parked_and_a_check_does_not_hold_without_the_lock) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    must_put("1", at(1), "{\"n\":2}");
    stet_mutation one = mutation(STET_OP_PUT, "1", at(1), "{\"n\":3}");
    one.on_conflict = STET_STRATEGY_ASK;
    one.lock = VIEW("x");
    one.lock_token = 1;
    check_status(apply_one(one), STET_LOCK_LOST);
    one.base = at(2);
    one.body = VIEW("{\"n\":2}");
    check_status(apply_one(one), STET_LOCK_LOST);
    stet_mutation check = mutation(STET_OP_CHECK, "1", at(2), NULL);
    check.lock = VIEW("x");
    check.lock_token = 1;
    assert_int_equal(transact(&check, 1, NULL).status, STET_LOCK_LOST);
}

TEST(a_write_whose_lease_ended_is_refused) {
    (void)state;
    stet_version token = must_acquire("ann", "x");
    clock_manual_advance(&world.clock, 10 * CLOCK_NS_PER_S);
    struct answer refused = put_locked("1", token);
    check_status(refused, STET_LOCK_LOST);
    assert_string_equal(refused.field, "lock");
}

/* ---- Lists and restarts ------------------------------------------------------------------ */

TEST(locks_are_listed_by_name_in_pages) {
    (void)state;
    must_acquire("ann", "b");
    must_acquire("bob", "a");
    stet_version token = must_acquire("cleo", "c");
    must_acquire("dan", "d");
    must(release("cleo", "c", token));
    const char *page = must(list(NULL, 2)).body;
    check_json(page, "/locks/0/id", "\"a\"");
    check_json(page, "/locks/1/holder", "\"ann\"");
    check_json(page, "/next", "\"b\"");
    page = must(list("b", 2)).body;
    check_json(page, "/locks/0/id", "\"d\"");
    check_no_json(page, "/locks/1");
    check_no_json(page, "/next");
}

TEST(a_restart_gives_a_holder_its_whole_time_again) {
    (void)state;
    stet_version token = must_acquire("ann", "x");
    stet_version other = must_acquire("ann", "y");
    must(release("ann", "y", other));
    pass(9);
    fixture_close(&world.fixture);
    world_reopen();
    check_status(acquire("bob", "x"), STET_LOCKED);
    pass(9);
    must(put_locked("1", token));
    must(renew("ann", "x", token, 0));
    pass(10);
    must_acquire("bob", "x");
    assert_true(must_acquire("bob", "y") > other);
}

int main(void) {
#define MEMORY(name) cmocka_unit_test_setup_teardown(name, setup, world_close)
#define DISK(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)
    const struct CMUnitTest tests[] = {
        MEMORY(a_lock_has_one_holder),
        MEMORY(to_hold_needs_another_scope_than_to_look),
        MEMORY(a_lock_is_not_reentrant),
        MEMORY(tokens_rise_with_every_acquisition),
        MEMORY(only_the_holder_or_an_administrator_lets_go),
        MEMORY(a_lock_that_nobody_holds_is_not_found),
        MEMORY(what_is_asked_is_checked),
        MEMORY(nobody_else_writes_the_records),
        MEMORY(a_dry_run_takes_nothing),
        MEMORY(a_lease_ends_by_itself_and_history_says_so),
        MEMORY(a_renewal_keeps_the_token_and_makes_no_version),
        MEMORY(leases_end_in_the_order_of_their_times),
        MEMORY(a_reload_neither_shortens_nor_lengthens_a_lease),
        MEMORY(waiting_is_served_in_the_order_of_asking),
        MEMORY(one_who_waits_gets_a_lease_that_ended),
        MEMORY(a_wait_that_is_over_is_told_who_holds_it),
        MEMORY(who_has_left_never_gets_the_lock),
        MEMORY(who_leaves_while_awake_lets_the_next_one_on),
        MEMORY(a_deleted_space_ends_all_waiting),
        MEMORY(a_repeated_acquisition_answers_as_the_first_time),
        MEMORY(one_sent_twice_while_it_waits_is_acquired_once),
        MEMORY(a_write_may_rely_on_a_lock),
        MEMORY(a_write_is_not_parked_and_a_check_does_not_hold_without_the_lock),
        MEMORY(a_write_whose_lease_ended_is_refused),
        MEMORY(locks_are_listed_by_name_in_pages),
        DISK(a_restart_gives_a_holder_its_whole_time_again),
    };
    return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
