#include "cli/supervisor.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static struct supervisor supervisor;
static stet_error err;

static int setup(void **state) {
    (void)state;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    err = (stet_error){0};
    return 0;
}

static void set_pid(const char *name, long pid) {
    char text[24];
    snprintf(text, sizeof text, "%ld", pid);
    setenv(name, text, 1);
}

static void nobody_says_anything(void **state) {
    (void)state;
    assert_int_equal(supervisor_read(&supervisor, &err), STET_OK);
    assert_int_equal(supervisor.socket_count, 0);
    assert_int_equal(supervisor.notify_size, 0);
    assert_int_equal(supervisor.watchdog_ns, 0);
    supervisor_tell(&supervisor, "READY=1");
}

static void sockets_are_taken_when_they_are_for_this_process(void **state) {
    (void)state;
    set_pid("LISTEN_PID", getpid());
    setenv("LISTEN_FDS", "2", 1);
    assert_int_equal(supervisor_read(&supervisor, &err), STET_OK);
    assert_int_equal(supervisor.socket_count, 2);
    assert_int_equal(supervisor.sockets[0], 3);
    assert_int_equal(supervisor.sockets[1], 4);
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_PID"));
}

static void sockets_of_another_process_are_left(void **state) {
    (void)state;
    set_pid("LISTEN_PID", (long)getpid() + 1);
    setenv("LISTEN_FDS", "2", 1);
    assert_int_equal(supervisor_read(&supervisor, &err), STET_OK);
    assert_int_equal(supervisor.socket_count, 0);
}

static void what_is_no_number_is_refused(void **state) {
    static const char *const names[] = {"LISTEN_PID", "LISTEN_FDS", "WATCHDOG_PID",
                                        "WATCHDOG_USEC"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        setup(NULL);
        setenv(names[i], "many", 1);
        assert_int_equal(supervisor_read(&supervisor, &err), STET_BAD_REQUEST);
        assert_non_null(strstr(err.message, names[i]));
    }
}

static void too_many_sockets_are_refused(void **state) {
    char text[24];
    (void)state;
    set_pid("LISTEN_PID", getpid());
    snprintf(text, sizeof text, "%d", HTTP_LISTENERS_MAX + 1);
    setenv("LISTEN_FDS", text, 1);
    assert_int_equal(supervisor_read(&supervisor, &err), STET_BAD_REQUEST);
}

static void the_watchdog_is_for_this_process_or_whoever_asks(void **state) {
    (void)state;
    setenv("WATCHDOG_USEC", "3000000", 1);
    assert_int_equal(supervisor_read(&supervisor, &err), STET_OK);
    assert_true(supervisor.watchdog_ns == 3 * CLOCK_NS_PER_S);
    setenv("WATCHDOG_USEC", "3000000", 1);
    set_pid("WATCHDOG_PID", (long)getpid() + 1);
    assert_int_equal(supervisor_read(&supervisor, &err), STET_OK);
    assert_true(supervisor.watchdog_ns == 0);
}

static void messages_reach_a_path_and_a_name(void **state) {
    char folder[] = "/tmp/stet-test-XXXXXX";
    char path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (int abstract = 0; abstract < 2; abstract++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        char received[64] = {0};
        socklen_t size = offsetof(struct sockaddr_un, sun_path);
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        snprintf(path, sizeof path, "%s%s/notify", abstract ? "@" : "", folder);
        strcpy(address.sun_path, path);
        if (abstract) address.sun_path[0] = '\0';
        size += (socklen_t)strlen(path);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
        setenv("NOTIFY_SOCKET", path, 1);
        assert_int_equal(supervisor_read(&supervisor, &err), STET_OK);
        supervisor_tell(&supervisor, "READY=%d", 1);
        assert_int_equal(recv(fd, received, sizeof received - 1, MSG_DONTWAIT), 7);
        assert_string_equal(received, "READY=1");
        close(fd);
        if (!abstract) unlink(path);
    }
    rmdir(folder);
}

static void a_notify_socket_elsewhere_is_refused(void **state) {
    char path[200];
    (void)state;
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    setenv("NOTIFY_SOCKET", path, 1);
    assert_int_equal(supervisor_read(&supervisor, &err), STET_BAD_REQUEST);
    setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
    assert_int_equal(supervisor_read(&supervisor, &err), STET_BAD_REQUEST);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(nobody_says_anything),
        TEST(sockets_are_taken_when_they_are_for_this_process),
        TEST(sockets_of_another_process_are_left),
        TEST(what_is_no_number_is_refused),
        TEST(too_many_sockets_are_refused),
        TEST(the_watchdog_is_for_this_process_or_whoever_asks),
        TEST(messages_reach_a_path_and_a_name),
        TEST(a_notify_socket_elsewhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
