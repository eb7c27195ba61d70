#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What is logged between capture_begin and capture_end, which stands in for descriptor 2. */
static int saved = -1;
static FILE *captured;
static char text[2 * 1024 * 1024];

static void capture_begin(void) {
    captured = tmpfile();
    assert_non_null(captured);
    saved = dup(STDERR_FILENO);
    assert_true(saved >= 0 && dup2(fileno(captured), STDERR_FILENO) >= 0);
}

static size_t capture_end(void) {
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(captured);
    size_t size = fread(text, 1, sizeof text - 1, captured);
    text[size] = '\0';
    fclose(captured);
    return size;
}

/* The line without its time, which must be one. */
static void check_line(const char *expected) {
    size_t size = capture_end();
    int64_t ns;
    assert_true(size > CLOCK_RFC3339_BYTES);
    assert_true(clock_parse_rfc3339(view_make(text, CLOCK_RFC3339_BYTES), &ns));
    assert_string_equal(text + CLOCK_RFC3339_BYTES, expected);
}

static void an_event_is_one_line(void **state) {
    (void)state;
    capture_begin();
    LOG(LOG_INFO, "listening", log_text("url", VIEW("http://127.0.0.1:7838")), log_u64("pid", 7),
        log_i64("delta", -3));
    check_line(" info msg=\"listening\" url=http://127.0.0.1:7838 pid=7 delta=-3\n");
}

static void an_event_may_have_no_fields(void **state) {
    (void)state;
    capture_begin();
    LOG(LOG_ERROR, "stopped");
    check_line(" error msg=\"stopped\"\n");
}

static void what_clients_sent_cannot_forge_a_line(void **state) {
    (void)state;
    capture_begin();
    LOG(LOG_WARN, "odd", log_text("a", VIEW("x\ninfo msg=\"y\"\\\t\x1b[2J\x7f")),
        log_text("b", VIEW("")), log_text("c", VIEW("k=v")), log_text("d", VIEW("\xC3\xA4")),
        log_text("e", VIEW("\xFF")), log_text("f", VIEW("\xC2\x9B")));
    check_line(
        " warn msg=\"odd\" a=\"x\\ninfo msg=\\\"y\\\"\\\\\\t\\x1b[2J\\x7f\" b=\"\" c=\"k=v\" "
        "d=\"\xC3\xA4\" e=\"\\xff\" f=\"\\xc2\\x9b\"\n");
}

static void a_long_line_is_cut_and_says_so(void **state) {
    (void)state;
    static char value[LOG_LINE_BYTES_MAX + 100];
    static const char *const fills[] = {"x", "\xC3\xA4", "\n"};
    for (size_t i = 0; i < sizeof fills / sizeof fills[0]; i++) {
        for (size_t shift = 0; shift < 120; shift++) {
            size_t size = LOG_LINE_BYTES_MAX - shift;
            for (size_t k = 0; k < size; k++)
                value[k] = fills[i][k % strlen(fills[i])];
            capture_begin();
            LOG(LOG_INFO, "long", log_text("value", view_make(value, size)), log_u64("n", 1));
            size_t written = capture_end();
            assert_true(written <= LOG_LINE_BYTES_MAX);
            assert_true(view_is_utf8(view_make(text, written)));
            assert_int_equal(text[written - 1], '\n');
            assert_ptr_equal(strchr(text, '\n'), text + written - 1);
            bool cut = strcmp(text + written - 11, "\" cut=true\n") == 0;
            bool whole = strcmp(text + written - 6, "\" n=1\n") == 0;
            bool without_n = strcmp(text + written - 10, " cut=true\n") == 0;
            assert_true(cut || whole || without_n);
        }
    }
}

static void lower_levels_are_left_out(void **state) {
    (void)state;
    enum log_level level;
    assert_true(log_parse_level(VIEW("warn"), &level));
    assert_false(log_parse_level(VIEW("loud"), &level));
    log_set_level(level);
    capture_begin();
    LOG(LOG_INFO, "quiet");
    LOG(LOG_WARN, "heard");
    check_line(" warn msg=\"heard\"\n");
    assert_false(log_enabled(LOG_INFO));
    log_set_level(LOG_INFO);
}

enum { THREADS = 4, LINES = 500 };

static void *chatter(void *context) {
    for (int i = 0; i < LINES; i++)
        LOG(LOG_INFO, "line", log_text("who", view_of(context)));
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state) {
    (void)state;
    static char names[THREADS][300];
    pthread_t threads[THREADS];
    capture_begin();
    for (int i = 0; i < THREADS; i++) {
        memset(names[i], 'a' + i, sizeof names[i] - 1);
        pthread_create(&threads[i], NULL, chatter, names[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    capture_end();
    int lines = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
        const char *who = strstr(line, "who=");
        assert_non_null(who);
        assert_string_equal(who + 4, names[who[4] - 'a']);
    }
    assert_int_equal(lines, THREADS * LINES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_one_line),
        cmocka_unit_test(an_event_may_have_no_fields),
        cmocka_unit_test(what_clients_sent_cannot_forge_a_line),
        cmocka_unit_test(a_long_line_is_cut_and_says_so),
        cmocka_unit_test(lower_levels_are_left_out),
        cmocka_unit_test(lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
