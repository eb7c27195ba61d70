/*
 * Fifty tabs: threads that use sessions while others log in, out, change passwords and roles. Whoever was told that a session is over finds nobody
 * in it any more; whoever was not stays in. And a restart changes nothing of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/testkit.h"
#undef must /* Of statuses; here it is of answers. */

#include "modules/people/people_testing.h"

#include <pthread.h>
#include <unistd.h>

enum { TABS = 8, ROUNDS = 20 };

static stet_engine *engine;
static struct space *space;
static char token[SECRET_TEXT_BYTES];
static atomic_bool ended; /* The session's logout was answered. */
static atomic_uint seen_in, seen_out;

/* Waits for a command's answer without driving the engine. */
static stet_status wait_for(stet_client *client, struct stet_command *command,
                            const stet_actor *actor) {
    stet_error err = {0};
    if (command_submit(space, actor, command, NULL, &err) != STET_OK) fail_msg("%s", err.message);
    while (!command->done) {
        while (client_next(client) != NULL)
            ;
        if (!command->done) usleep(100);
    }
    command_render(command);
    return command->outcome.status;
}

static void *tab(void *unused) {
    stet_client *client;
    (void)unused;
    if (client_create(engine, &client, NULL) != STET_OK) return (void *)1;
    uintptr_t wrong = 0;
    for (bool out = false; !out && wrong == 0;) {
        stet_identity identity;
        bool was_ended = atomic_load(&ended);
        stet_status status =
            people_identify(client, space, view_of(token), STET_USE, &identity, NULL);
        if (status == STET_OK && was_ended) wrong = 1;
        if (status != STET_OK && status != STET_SESSION_ENDED) wrong = 2;
        if (status == STET_OK && strcmp(identity.actor, "ann") != 0) wrong = 3;
        out = status == STET_SESSION_ENDED;
        atomic_fetch_add(out ? &seen_out : &seen_in, 1);
    }
    client_destroy(client);
    return (void *)wrong;
}

static void add_ann(stet_client *client, const stet_actor *root) {
    struct stet_command *command = command_create(client);
    stet_user user = {.id = VIEW("ann"), .password = VIEW(PASSWORD)};
    assert_int_equal(people_fill_user_create(command, &user, NULL), STET_OK);
    assert_int_equal(wait_for(client, command, root), STET_OK);
    command_destroy(command);
}

static void log_ann_in(stet_client *client, const stet_actor *anyone) {
    struct stet_command *command = command_create(client);
    stet_login login = {.user = VIEW("ann"), .password = VIEW(PASSWORD)};
    assert_int_equal(people_fill_login(command, &login, NULL), STET_OK);
    assert_int_equal(wait_for(client, command, anyone), STET_OK);
    stet_view secret = people_secret(command);
    snprintf(token, sizeof token, "%.*s", VIEW_ARG(secret));
    command_destroy(command);
}

/* Each round the other way out. */
static stet_status fill_way_out(struct stet_command *command, int round) {
    stet_password_change change = {.user = VIEW("ann"), .new_password = VIEW(PASSWORD)};
    switch (round % 3) {
    case 0: return people_fill_session_end_all(command, VIEW("ann"), false, NULL);
    case 1: return people_fill_password(command, &change, NULL);
    default: break;
    }
    return people_fill_user_patch(command, VIEW("ann"), VIEW("{\"disabled\":true}"), (stet_base){0},
                                  NULL);
}

static void enable_ann(stet_client *client, const stet_actor *root) {
    struct stet_command *command = command_create(client);
    assert_int_equal(people_fill_user_patch(command, VIEW("ann"), VIEW("{\"disabled\":false}"),
                                            (stet_base){0}, NULL),
                     STET_OK);
    assert_int_equal(wait_for(client, command, root), STET_OK);
    command_destroy(command);
}

static void no_tab_outlives_its_session(void **state) {
    (void)state;
    const struct engine_seams seams = {.password_ops = 1, .password_memory_bytes = 8192};
    const stet_actor root = {.id = VIEW("root"), .admin = true};
    stet_client *client;
    assert_int_equal(engine_open(NULL, &seams, people_modules, &engine, NULL), STET_OK);
    assert_int_equal(engine_space(engine, VIEW("main"), &space, NULL), STET_OK);
    assert_int_equal(client_create(engine, &client, NULL), STET_OK);
    add_ann(client, &root);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[TABS];
        log_ann_in(client, &root);
        atomic_store(&ended, false);
        unsigned in = atomic_load(&seen_in);
        for (int i = 0; i < TABS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, tab, NULL), 0);
        while (atomic_load(&seen_in) < in + TABS)
            usleep(100);
        struct stet_command *command = command_create(client);
        assert_int_equal(fill_way_out(command, round), STET_OK);
        assert_int_equal(wait_for(client, command, &root), STET_OK);
        command_destroy(command);
        atomic_store(&ended, true);
        for (int i = 0; i < TABS; i++) {
            void *wrong;
            pthread_join(threads[i], &wrong);
            assert_ptr_equal(wrong, NULL);
        }
        enable_ann(client, &root);
    }
    assert_int_equal(atomic_load(&seen_out), TABS * ROUNDS);
    client_destroy(client);
    space_unref(space);
    engine_close(engine);
}

/* ---- Restart ----------------------------------------------------------------------------- */

static void a_restart_logs_nobody_out_or_in(void **state) {
    static char in[SECRET_TEXT_BYTES], out[SECRET_TEXT_BYTES], used[SECRET_TEXT_BYTES];
    char folder[64];
    (void)state;
    kit_folder(folder);
    world_open_with(people_modules, folder);
    must(add_user("ann", "sales"));
    snprintf(out, sizeof out, "%s", must_log_in("ann"));
    snprintf(in, sizeof in, "%s", must_log_in("ann"));
    snprintf(used, sizeof used, "%s", must_log_in("ann"));
    const char *link =
        text_at(make_link((stet_link){.kind = STET_LINK_RESET, .user = VIEW("ann")}), "/token");
    become(out);
    must(end_session(""));
    pass_s(SESSION_IDLE_S / 2);
    assert_int_equal(use(used), STET_OK); /* Noted: more than a quarter has gone. */
    settle_down();
    fixture_close(&world.fixture);
    world_reopen();
    assert_int_equal(use(in), STET_OK);
    assert_int_equal(use(out), STET_SESSION_ENDED);
    pass_s(SESSION_IDLE_S / 4 * 3);
    fixture_close(&world.fixture); /* What was used a moment before it stops is forgotten … */
    world_reopen();
    assert_int_equal(use(in), STET_SESSION_ENDED);
    assert_int_equal(use(used), STET_OK); /* … but not what was noted. */
    be("root");
    must(redeem(link, "", "another password"));
    assert_int_equal(use(used), STET_SESSION_ENDED);
    world_close(NULL);
    kit_remove(folder);
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_tab_outlives_its_session),
        cmocka_unit_test(a_restart_logs_nobody_out_or_in),
    };
    return cmocka_run_group_tests_name("people tabs", tests, NULL, NULL);
}
