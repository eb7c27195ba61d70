/*
 * Every allocation between filling a command and reading its outcome fails in turn, once and for good: the answer is the right one or
 * STET_NO_MEMORY, which means that nothing was done; and the engine goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/view.h"
#include "core/client.h"
#include "core/engine.h"
#include "failing_memory.h"
#include "stet_wiring.h"
#include "store/testkit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- An engine with some history --------------------------------------------------------- */

static stet_engine *engine;
static stet_client *client;
static stet_space *space, *home;
static const stet_actor actor = {.id = {.bytes = "ann", .size = 3}, .admin = true};
static char folder[64];
static const char *data_dir;

typedef stet_status fill(stet_command *command, stet_error *err);

static stet_status fill_one(stet_command *command, stet_mutation mutation, const char *key,
                            stet_error *err) {
    mutation.type = VIEW("task");
    const stet_write write = {
        .mutations = &mutation, .mutation_count = 1, .mutation_key = view_of(key)};
    return stet_command_write(command, &write, err);
}

static stet_base at(stet_version version) {
    return (stet_base){.kind = STET_BASE_VERSION, .value = version};
}

/* One command from beginning to end. stale_token: where a conflict's token goes, or NULL. */
static stet_status run(stet_space *where, fill *fill, char *token) {
    stet_command *command = stet_command_create(client);
    stet_error err;
    if (command == NULL) return STET_NO_MEMORY;
    stet_status status = fill(command, &err);
    if (status == STET_OK) status = stet_submit(where, &actor, command, NULL, &err);
    if (status == STET_OK) {
        if (!stet_command_is_done(command)) {
            while (engine_step(engine)) {}
            while (stet_client_next(client) != NULL) {}
        }
        const stet_outcome *outcome = stet_command_outcome(command);
        status = outcome->status;
        const char *member =
            token == NULL || outcome->body.size == 0
                ? NULL
                : memmem(outcome->body.bytes, outcome->body.size, "\"resolution_token\":\"", 20);
        if (member != NULL) {
            memcpy(token, member + 20, 64);
            token[64] = '\0';
        }
    }
    stet_command_destroy(command);
    return status;
}

static char token[65];

static stet_status fill_create(stet_command *command, stet_error *err) {
    return fill_one(command,
                    (stet_mutation){.op = STET_OP_CREATE,
                                    .id = VIEW("new"),
                                    .body = VIEW("{\"n\":[1,2,{\"a\":null}]}")},
                    "key-create", err);
}
static stet_status fill_first(stet_command *command, stet_error *err) {
    return fill_one(command,
                    (stet_mutation){.op = STET_OP_CREATE,
                                    .id = VIEW("1"),
                                    .body = VIEW("{\"a\":1,\"b\":1,\"c\":1}")},
                    NULL, err);
}
static stet_status fill_second(stet_command *command, stet_error *err) {
    return fill_one(command,
                    (stet_mutation){.op = STET_OP_PUT,
                                    .id = VIEW("1"),
                                    .base = at(1),
                                    .body = VIEW("{\"a\":2,\"b\":1,\"c\":1}")},
                    "key-second", err);
}
static stet_status fill_patch(stet_command *command, stet_error *err) {
    return fill_one(command,
                    (stet_mutation){.op = STET_OP_PATCH,
                                    .id = VIEW("1"),
                                    .base = at(2),
                                    .body = VIEW("{\"c\":{\"deep\":[true]}}")},
                    NULL, err);
}
static stet_status fill_stale(stet_command *command, stet_error *err) {
    return fill_one(command,
                    (stet_mutation){.op = STET_OP_PUT,
                                    .id = VIEW("1"),
                                    .base = at(1),
                                    .body = VIEW("{\"a\":3,\"b\":3,\"c\":1}")},
                    "key-stale", err);
}
static stet_status fill_winner(stet_command *command, stet_error *err) {
    return fill_one(command,
                    (stet_mutation){.op = STET_OP_PATCH,
                                    .id = VIEW("1"),
                                    .base = at(1),
                                    .body = VIEW("{\"b\":9}"),
                                    .on_conflict = STET_STRATEGY_LAST_WRITER_WINS},
                    NULL, err);
}
static stet_status fill_merge(stet_command *command, stet_error *err) {
    return fill_one(command,
                    (stet_mutation){.op = STET_OP_PATCH,
                                    .id = VIEW("1"),
                                    .base = at(1),
                                    .body = VIEW("{\"b\":9,\"d\":{\"e\":1}}"),
                                    .on_conflict = STET_STRATEGY_MERGE},
                    "key-merge", err);
}
static stet_status fill_newest(stet_command *command, stet_error *err) {
    return fill_one(command,
                    (stet_mutation){.op = STET_OP_PUT,
                                    .id = VIEW("1"),
                                    .base = at(1),
                                    .body = VIEW("{\"b\":9}"),
                                    .modified_at = clock_wall_ns(clock_system()),
                                    .on_conflict = STET_STRATEGY_NEWEST},
                    NULL, err);
}
static stet_status fill_dropped(stet_command *command, stet_error *err) {
    return fill_one(command,
                    (stet_mutation){.op = STET_OP_PATCH,
                                    .id = VIEW("1"),
                                    .base = at(1),
                                    .body = VIEW("{\"b\":9}"),
                                    .on_conflict = STET_STRATEGY_SERVER_WINS},
                    "key-dropped", err);
}
static stet_status fill_preview(stet_command *command, stet_error *err) {
    const stet_mutation mutation = {.op = STET_OP_PATCH,
                                    .type = VIEW("task"),
                                    .id = VIEW("1"),
                                    .base = at(1),
                                    .body = VIEW("{\"a\":9}"),
                                    .on_conflict = STET_STRATEGY_MERGE};
    return stet_command_write(
        command, &(stet_write){.mutations = &mutation, .mutation_count = 1, .preview = true}, err);
}
static stet_status fill_delete(stet_command *command, stet_error *err) {
    return fill_one(command, (stet_mutation){.op = STET_OP_DELETE, .id = VIEW("1"), .base = at(2)},
                    NULL, err);
}
static stet_status fill_revert(stet_command *command, stet_error *err) {
    return fill_one(
        command,
        (stet_mutation){.op = STET_OP_REVERT, .id = VIEW("1"), .base = at(2), .revert_to = 1}, NULL,
        err);
}
static stet_status fill_transaction(stet_command *command, stet_error *err) {
    const stet_mutation mutations[] = {
        {.op = STET_OP_CREATE, .type = VIEW("note"), .id = VIEW("x"), .body = VIEW("{}")},
        {.op = STET_OP_PATCH,
         .type = VIEW("task"),
         .id = VIEW("1"),
         .base = at(2),
         .body = VIEW("{\"x\":1}")},
        {.op = STET_OP_CREATE, .type = VIEW("other"), .id = VIEW("y"), .body = VIEW("{}")},
    };
    const stet_write write = {.mutations = mutations,
                              .mutation_count = 3,
                              .transaction = true,
                              .mutation_key = VIEW("key-transaction")};
    return stet_command_write(command, &write, err);
}
static stet_status fill_resolve(stet_command *command, stet_error *err) {
    const stet_resolution resolution = {.type = VIEW("task"),
                                        .id = VIEW("1"),
                                        .token = view_of(token),
                                        .choice = STET_CHOICE_FIELDS,
                                        .yours = VIEW("{\"a\":3,\"b\":3,\"c\":1}"),
                                        .fields = VIEW("{\"/a\":\"yours\"}")};
    return stet_command_resolve(command, &resolution, err);
}
static stet_status fill_receipt(stet_command *command, stet_error *err) {
    return stet_command_receipt(command, VIEW("key-second"), err);
}
static stet_status fill_space(stet_command *command, stet_error *err) {
    return stet_command_space_create(command, VIEW("more"), err);
}
static stet_status fill_token(stet_command *command, stet_error *err) {
    const stet_token_request request = {
        .actor = VIEW("bob"), .name = VIEW("laptop"), .replace = true};
    return stet_command_token_create(command, &request, err);
}
static stet_status fill_after(stet_command *command, stet_error *err) {
    return fill_one(
        command,
        (stet_mutation){.op = STET_OP_CREATE, .id = VIEW("after"), .body = VIEW("{\"z\":1}")},
        "key-after", err);
}

/* ---- Locks and trees --------------------------------------------------------------------- */

static char tree_version[64];

static stet_status fill_doc(stet_command *command, stet_mutation mutation, stet_error *err) {
    mutation.type = VIEW("doc");
    return stet_command_write(command, &(stet_write){.mutations = &mutation, .mutation_count = 1},
                              err);
}
static stet_status fill_top(stet_command *command, stet_error *err) {
    return fill_doc(
        command,
        (stet_mutation){.op = STET_OP_CREATE, .id = VIEW("top"), .body = VIEW("{\"n\":1}")}, err);
}
static stet_status fill_child(stet_command *command, stet_error *err) {
    return fill_doc(command,
                    (stet_mutation){.op = STET_OP_CREATE,
                                    .id = VIEW("child"),
                                    .body = VIEW("{\"n\":1}"),
                                    .parent = VIEW("doc/top"),
                                    .sets_parent = true},
                    err);
}
static stet_status fill_first_fork(stet_command *command, stet_error *err) {
    return stet_command_fork(
        command,
        &(stet_fork){.type = VIEW("doc"), .id = VIEW("top"), .new_id = VIEW("fork"), .tree = true},
        err);
}
static stet_status fill_fork_patch(stet_command *command, stet_error *err) {
    return fill_doc(
        command,
        (stet_mutation){
            .op = STET_OP_PATCH, .id = VIEW("fork"), .base = at(1), .body = VIEW("{\"n\":2}")},
        err);
}
static stet_status fill_tree_read(stet_command *command, stet_error *err) {
    return stet_command_tree_read(command, VIEW("doc"), VIEW("top"), 0, err);
}
static stet_status fill_second_child(stet_command *command, stet_error *err) {
    return fill_doc(command,
                    (stet_mutation){.op = STET_OP_CREATE,
                                    .id = VIEW("other"),
                                    .body = VIEW("{\"n\":1}"),
                                    .parent = VIEW("doc/child"),
                                    .sets_parent = true},
                    err);
}
static stet_status fill_tree_put(stet_command *command, stet_error *err) {
    const stet_tree_write write = {
        .type = VIEW("doc"),
        .id = VIEW("top"),
        .tree_version = view_of(tree_version),
        .tree = VIEW("{\"children\":[{\"data\":{\"new\":1}}]}"),
        .mutation_key = VIEW("key-tree"),
    };
    return stet_command_tree_put(command, &write, err);
}
static stet_status fill_fork(stet_command *command, stet_error *err) {
    return stet_command_fork(
        command, &(stet_fork){.type = VIEW("doc"), .id = VIEW("top"), .tree = true}, err);
}
static stet_status fill_fork_merge(stet_command *command, stet_error *err) {
    return stet_command_merge(command,
                              &(stet_merge){.type = VIEW("doc"),
                                            .id = VIEW("fork"),
                                            .base_version = 2,
                                            .tree = true,
                                            .mutation_key = VIEW("key-merge")},
                              err);
}
static stet_status fill_lock(stet_command *command, stet_error *err) {
    return stet_command_lock_acquire(command,
                                     &(stet_lock_request){.name = VIEW("l"),
                                                          .note = VIEW("why"),
                                                          .mutation_key = VIEW("key-lock")},
                                     err);
}

/* ---- Operations -------------------------------------------------------------------------- */

/* Too large to stand in the operation's own record. */
static char large[2000];

static stet_status fill_operation(stet_command *command, stet_error *err) {
    const stet_view on[] = {VIEW("o")};
    memset(large, ' ', sizeof large);
    large[0] = '1';
    return stet_command_operation_submit(
        command,
        &(stet_operation_request){.id = VIEW("p"),
                                  .lane = VIEW("fresh"),
                                  .agent = VIEW("x"),
                                  .input = view_make(large, sizeof large),
                                  .parent = VIEW("o"),
                                  .depends_on = on,
                                  .depends_on_count = 1,
                                  .mutation_key = VIEW("key-operation")},
        err);
}
static stet_status fill_waiting(stet_command *command, stet_error *err) {
    return stet_command_operation_submit(
        command, &(stet_operation_request){.id = VIEW("o"), .lane = VIEW("l")}, err);
}
static stet_status fill_claim(stet_command *command, stet_error *err) {
    return stet_command_claim(
        command, &(stet_claim){.lane = VIEW("l"), .agent = VIEW("x"), .worker = VIEW("w")}, err);
}
static stet_status fill_progress(stet_command *command, stet_error *err) {
    return stet_command_operation_progress(command,
                                           &(stet_operation_progress){.id = VIEW("o"),
                                                                      .lease = 2,
                                                                      .sets_percent = true,
                                                                      .percent = 10,
                                                                      .message = VIEW("on it")},
                                           err);
}
static stet_status fill_complete(stet_command *command, stet_error *err) {
    const stet_mutation made = {
        .op = STET_OP_CREATE, .type = VIEW("task"), .id = VIEW("made"), .body = VIEW("{}")};
    return stet_command_operation_complete(
        command,
        &(stet_operation_completion){.id = VIEW("o"),
                                     .lease = 2,
                                     .result = VIEW("{\"done\":true}"),
                                     .mutations = &made,
                                     .mutation_count = 1,
                                     .claims_next = true},
        err);
}
static stet_status fill_failure(stet_command *command, stet_error *err) {
    return stet_command_operation_fail(
        command,
        &(stet_operation_failure){
            .id = VIEW("o"), .lease = 2, .error = VIEW("no idea"), .retry = true},
        err);
}
static stet_status fill_cancel(stet_command *command, stet_error *err) {
    return stet_command_operation_cancel(command, VIEW("o"), VIEW("enough"), err);
}
static stet_status fill_lane(stet_command *command, stet_error *err) {
    return stet_command_lane_put(command, VIEW("other"), VIEW("{\"width\":3}"), (stet_base){0},
                                 err);
}

static bool needs_operation(fill *story) {
    return story == fill_operation || story == fill_claim || story == fill_progress ||
           story == fill_complete || story == fill_failure || story == fill_cancel;
}

/* One that waits; for those who work on it, in their hands. */
static void queue_one(fill *story) {
    assert_int_equal(run(space, fill_waiting, NULL), STET_OK);
    if (story == fill_operation || story == fill_claim) return;
    assert_int_equal(run(space, fill_claim, NULL), STET_OK);
}

/* ---- People ------------------------------------------------------------------------------ */

static char link_token[65];

static stet_status fill_user(stet_command *command, stet_error *err) {
    const stet_view roles[] = {VIEW("sales")};
    return stet_command_user_create(command,
                                    &(stet_user){.id = VIEW("bob"),
                                                 .name = VIEW("Bob"),
                                                 .roles = roles,
                                                 .role_count = 1,
                                                 .password = VIEW("correct horse")},
                                    err);
}
static stet_status fill_login(stet_command *command, stet_error *err) {
    return stet_command_login(command,
                              &(stet_login){.user = VIEW("bob"),
                                            .password = VIEW("correct horse"),
                                            .name = VIEW("laptop"),
                                            .address = VIEW("::1"),
                                            .show_token = true},
                              err);
}
static stet_status fill_password(stet_command *command, stet_error *err) {
    return stet_command_password(
        command, &(stet_password_change){.user = VIEW("bob"), .new_password = VIEW("another one")},
        err);
}
static stet_status fill_disable(stet_command *command, stet_error *err) {
    return stet_command_user_patch(command, VIEW("bob"), VIEW("{\"disabled\":true}"),
                                   (stet_base){0}, err);
}
static stet_status fill_end_all(stet_command *command, stet_error *err) {
    return stet_command_session_end_all(command, VIEW("bob"), false, err);
}
static stet_status fill_link(stet_command *command, stet_error *err) {
    return stet_command_link_create(
        command, &(stet_link){.kind = STET_LINK_RESET, .user = VIEW("bob"), .replace = true}, err);
}
static stet_status fill_redeem(stet_command *command, stet_error *err) {
    return stet_command_link_redeem(
        command, &(stet_redemption){.token = view_of(link_token), .password = VIEW("another one")},
        err);
}

static bool needs_person(fill *story) {
    return story == fill_login || story == fill_password || story == fill_disable ||
           story == fill_end_all || story == fill_link || story == fill_redeem;
}

/* A user who is in, and has a link for a new password. */
static void invite(void) {
    assert_int_equal(run(space, fill_user, NULL), STET_OK);
    assert_int_equal(run(space, fill_login, NULL), STET_OK);
    stet_command *command = stet_command_create(client);
    must(fill_link(command, err));
    must(stet_submit(space, &actor, command, NULL, err));
    while (engine_step(engine)) {}
    while (stet_client_next(client) != NULL) {}
    stet_view secret = stet_command_secret(command);
    assert_true(secret.size > 0);
    snprintf(link_token, sizeof link_token, "%.*s", (int)secret.size, secret.bytes);
    stet_command_destroy(command);
}

/* A tree of two and its fork, and the tree's version. */
static void plant(void) {
    assert_int_equal(run(space, fill_top, NULL), STET_OK);
    assert_int_equal(run(space, fill_child, NULL), STET_OK);
    assert_int_equal(run(space, fill_first_fork, NULL), STET_OK);
    assert_int_equal(run(space, fill_fork_patch, NULL), STET_OK);
    stet_command *command = stet_command_create(client);
    must(fill_tree_read(command, err));
    must(stet_submit(space, &actor, command, NULL, err));
    while (engine_step(engine)) {}
    while (stet_client_next(client) != NULL) {}
    const stet_outcome *outcome = stet_command_outcome(command);
    const char *member = memmem(outcome->body.bytes, outcome->body.size, "\"tree_version\":\"", 16);
    assert_non_null(member);
    snprintf(tree_version, sizeof tree_version, "%.*s", (int)strcspn(member + 16, "\""),
             member + 16);
    stet_command_destroy(command);
}

static bool needs_tree(fill *story) {
    return story == fill_second_child || story == fill_tree_put || story == fill_fork ||
           story == fill_fork_merge;
}

static void open_engine(void) {
    const struct engine_seams seams = {
        .manual = true, .password_ops = 1, .password_memory_bytes = 8192};
    const stet_options options = {.data_dir = data_dir, .sequencer_threads = 1};
    must(engine_open(&options, &seams, stet_modules, &engine, err));
    must(stet_client_create(engine, &client, err));
    must(stet_space_open(client, VIEW("main"), &space, err));
    must(stet_space_open(client, VIEW("stet"), &home, err));
    assert_int_equal(run(space, fill_first, NULL), STET_OK);
    assert_int_equal(run(space, fill_second, NULL), STET_OK);
    assert_int_equal(run(home, fill_token, NULL), STET_OK);
    assert_int_equal(run(space, fill_stale, token), STET_CONCURRENT_MODIFICATION);
}

static void close_engine(void) {
    stet_space_close(space);
    stet_space_close(home);
    stet_client_destroy(client);
    stet_close(engine);
}

static bool check_is_clean(stet_space *where) {
    uint64_t findings = 1;
    struct store_reader *reader = store_writer_reader(((struct space *)where)->store);
    return store_check(reader, NULL, NULL, &findings, NULL) == STET_OK && findings == 0;
}

/* The story told with ever more memory until nothing fails. */
static unsigned sweep(fill *story, bool in_home, stet_status expected, enum failing how) {
    unsigned refused = 0;
    for (long n = 0;; n++) {
        if (data_dir != NULL) kit_folder_in_memory(folder);
        open_engine();
        if (needs_tree(story)) plant();
        if (needs_operation(story)) queue_one(story);
        if (needs_person(story)) invite();
        stet_space *where = in_home ? home : space;
        stet_seq before = stet_space_seq(where);
        memory_fails(how, n);
        stet_status status = run(where, story, NULL);
        memory_works();
        if (status != expected && status != STET_NO_MEMORY)
            fail_msg("allocation %ld: status %d", n, status);
        if (status == STET_NO_MEMORY) {
            refused++;
            assert_int_equal(stet_space_seq(where), before);
            assert_int_equal(run(where, story, NULL), expected);
        }
        /* Progress may be told a little later. */
        bool reads = story == fill_receipt || story == fill_dropped || story == fill_preview ||
                     story == fill_progress;
        if (expected == STET_OK && !reads) assert_true(stet_space_seq(where) > before);
        assert_int_equal(run(space, fill_after, NULL), STET_OK);
        assert_true(check_is_clean(where));
        close_engine();
        if (data_dir != NULL) kit_remove(folder);
        if (!memory_failed()) break;
    }
    return refused;
}

static void sweep_all(enum failing how) {
    static const struct {
        const char *name;
        fill *fill;
        bool in_home;
        stet_status expected;
    } stories[] = {
        {"create", fill_create, false, STET_OK},
        {"patch", fill_patch, false, STET_OK},
        {"conflict", fill_stale, false, STET_CONCURRENT_MODIFICATION},
        {"last writer wins", fill_winner, false, STET_OK},
        {"merge", fill_merge, false, STET_OK},
        {"newest", fill_newest, false, STET_OK},
        {"server wins", fill_dropped, false, STET_OK},
        {"preview", fill_preview, false, STET_OK},
        {"delete", fill_delete, false, STET_OK},
        {"revert", fill_revert, false, STET_OK},
        {"transaction", fill_transaction, false, STET_OK},
        {"resolve", fill_resolve, false, STET_OK},
        {"receipt", fill_receipt, false, STET_OK},
        {"child", fill_second_child, false, STET_OK},
        {"tree", fill_tree_put, false, STET_OK},
        {"fork", fill_fork, false, STET_OK},
        {"merge of a fork", fill_fork_merge, false, STET_OK},
        {"lock", fill_lock, false, STET_OK},
        {"operation", fill_operation, false, STET_OK},
        {"claim", fill_claim, false, STET_OK},
        {"progress", fill_progress, false, STET_OK},
        {"completion", fill_complete, false, STET_OK},
        {"failure", fill_failure, false, STET_OK},
        {"cancelling", fill_cancel, false, STET_OK},
        {"lane", fill_lane, false, STET_OK},
        {"user", fill_user, false, STET_OK},
        {"login", fill_login, false, STET_OK},
        {"password", fill_password, false, STET_OK},
        {"disabling", fill_disable, false, STET_OK},
        {"logging out everywhere", fill_end_all, false, STET_OK},
        {"link", fill_link, false, STET_OK},
        {"redemption", fill_redeem, false, STET_OK},
        {"space", fill_space, true, STET_OK},
        {"token", fill_token, true, STET_OK},
    };
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        unsigned refused = sweep(stories[i].fill, stories[i].in_home, stories[i].expected, how);
        print_message("%s: refused %u times\n", stories[i].name, refused);
        assert_true(refused > 0);
    }
}

static void each_allocation_in_memory_fails_once(void **state) {
    (void)state;
    data_dir = NULL;
    sweep_all(FAIL_ONCE);
}

static void memory_ends_at_each_allocation(void **state) {
    (void)state;
    data_dir = NULL;
    sweep_all(FAIL_FROM_THEN_ON);
}

static void each_allocation_over_sqlite_fails_once(void **state) {
    (void)state;
    data_dir = folder;
    sweep_all(FAIL_ONCE);
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_in_memory_fails_once),
        cmocka_unit_test(memory_ends_at_each_allocation),
        cmocka_unit_test(each_allocation_over_sqlite_fails_once),
    };
    return cmocka_run_group_tests_name("no_memory", tests, NULL, NULL);
}
