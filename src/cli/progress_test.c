#include "cli/progress.h"

#include "base/view.h"

#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SEEN_BYTES = 64 * 1024, MARK = '\036' };

/* A terminal of so many columns, or a plain file, and what was printed on it. */
struct screen {
    struct terminal terminal;
    struct clock_manual clock;
    int outer; /* The terminal's other side; -1: a file. */
    char seen[SEEN_BYTES];
};

static void screen_width(struct screen *screen, unsigned columns) {
    struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
    assert_int_equal(ioctl(screen->outer, TIOCSWINSZ, &size), 0);
}

static void terminal_open(struct screen *screen, unsigned columns) {
    int inner;
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    assert_int_equal(openpty(&screen->outer, &inner, NULL, NULL, NULL), 0);
    screen_width(screen, columns);
    FILE *stream = fdopen(inner, "w");
    assert_non_null(stream);
    terminal_init(&screen->terminal, stream);
    clock_manual_init(&screen->clock, 0);
}

static void file_open(struct screen *screen) {
    FILE *stream = tmpfile();
    assert_non_null(stream);
    screen->outer = -1;
    terminal_init(&screen->terminal, stream);
    clock_manual_init(&screen->clock, 0);
}

static void screen_close(struct screen *screen) {
    fclose(screen->terminal.stream);
    if (screen->outer >= 0) close(screen->outer);
}

/* What was printed since the last look. */
static const char *look(struct screen *screen) {
    size_t size = 0;
    fflush(screen->terminal.stream);
    if (screen->outer < 0) {
        rewind(screen->terminal.stream);
        size = fread(screen->seen, 1, SEEN_BYTES - 1, screen->terminal.stream);
    } else {
        /* The kernel may take its time to carry bytes over; the mark comes after all of them. */
        fputc(MARK, screen->terminal.stream);
        fflush(screen->terminal.stream);
        while (size == 0 || screen->seen[size - 1] != MARK) {
            ssize_t got = read(screen->outer, screen->seen + size, SEEN_BYTES - 1 - size);
            assert_true(got > 0);
            size += (size_t)got;
        }
        size -= 1;
    }
    screen->seen[size] = '\0';
    return screen->seen;
}

static unsigned occurrences(const char *text, const char *part) {
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        count += 1;
    return count;
}

static void a_bar_says_share_rate_and_time_left(void **state) {
    struct screen screen;
    struct progress progress;
    (void)state;
    terminal_open(&screen, 100);
    progress_init(&progress, &screen.terminal, false, &screen.clock.clock);
    progress_begin(&progress, "Importing", "records", 40000);
    assert_non_null(strstr(look(&screen), "Importing  ["));
    clock_manual_advance(&screen.clock, 2 * CLOCK_NS_PER_S);
    progress_set(&progress, 10000);
    const char *drawn = look(&screen);
    assert_non_null(strstr(drawn, "#"));
    assert_non_null(strstr(drawn, "]   25 %  10,000/40,000 records  5,000/s  0:06 left"));
    assert_null(strchr(drawn, '\n'));
    clock_manual_advance(&screen.clock, 6 * CLOCK_NS_PER_S);
    progress_set(&progress, 40000);
    progress_end(&progress);
    assert_non_null(
        strstr(look(&screen), "\r\033[KImporting: 40,000 records in 0:08, 5,000/s\r\n"));
    screen_close(&screen);
}

static void a_bar_is_drawn_at_most_ten_times_a_second(void **state) {
    struct screen screen;
    struct progress progress;
    (void)state;
    terminal_open(&screen, 80);
    progress_init(&progress, &screen.terminal, false, &screen.clock.clock);
    progress_begin(&progress, "Importing", "records", 1000);
    for (unsigned i = 0; i < 1000; i++) {
        clock_manual_advance(&screen.clock, CLOCK_NS_PER_MS);
        progress_set(&progress, i);
    }
    unsigned drawn = occurrences(look(&screen), "\r\033[K");
    assert_in_range(drawn, 9, 11);
    progress_end(&progress);
    screen_close(&screen);
}

static void no_line_is_wider_than_the_terminal(void **state) {
    char line[PROGRESS_LINE_BYTES];
    struct screen screen;
    struct progress progress;
    (void)state;
    terminal_open(&screen, 80);
    progress_init(&progress, &screen.terminal, false, &screen.clock.clock);
    progress_begin(&progress, "Restoring the whole backup", "records", UINT64_MAX);
    progress_set(&progress, UINT64_MAX / 3);
    for (unsigned columns = 1; columns < 200; columns++) {
        size_t size = progress_format(&progress, 90 * CLOCK_NS_PER_S, columns, line);
        assert_int_equal(size, strlen(line));
        assert_in_range(size, 1, columns);
    }
    assert_non_null(strchr(line, '['));

    /* The width is asked for anew with every line. */
    look(&screen);
    screen_width(&screen, 30);
    clock_manual_advance(&screen.clock, CLOCK_NS_PER_S);
    progress_set(&progress, UINT64_MAX / 2);
    assert_in_range(strlen(look(&screen)), 5, 29 + strlen("\r\033[K"));
    progress_end(&progress);
    screen_close(&screen);
}

static void an_unknown_total_shows_a_count_and_a_rate(void **state) {
    char line[PROGRESS_LINE_BYTES];
    struct screen screen;
    struct progress progress;
    (void)state;
    file_open(&screen);
    progress_init(&progress, &screen.terminal, false, &screen.clock.clock);
    progress_begin(&progress, "Exporting", "bytes", 0);
    progress_set(&progress, 3 * 1024 * 1024);
    progress_format(&progress, 2 * CLOCK_NS_PER_S, 80, line);
    assert_string_equal(line, "Exporting  3.0 MiB  1.5 MiB/s");
    screen_close(&screen);
}

static void elsewhere_a_plain_line_every_five_seconds(void **state) {
    struct screen screen;
    struct progress progress;
    (void)state;
    file_open(&screen);
    progress_init(&progress, &screen.terminal, false, &screen.clock.clock);
    progress_begin(&progress, "Importing", "records", 1200);
    for (unsigned i = 1; i <= 120; i++) {
        clock_manual_advance(&screen.clock, 100 * CLOCK_NS_PER_MS);
        progress_set(&progress, i * 10);
    }
    progress_end(&progress);
    assert_string_equal(look(&screen), "Importing   41 %  500/1,200 records  100/s  0:07 left\n"
                                       "Importing   83 %  1,000/1,200 records  100/s  0:02 left\n"
                                       "Importing: 1,200 records in 0:12, 100/s\n");
    screen_close(&screen);
}

static void silent_work_prints_notes_alone(void **state) {
    struct screen screen;
    struct progress progress;
    (void)state;
    file_open(&screen);
    progress_init(&progress, &screen.terminal, true, &screen.clock.clock);
    progress_begin(&progress, "Importing", "records", 10);
    clock_manual_advance(&screen.clock, 60 * CLOCK_NS_PER_S);
    progress_set(&progress, 5);
    progress_note(&progress, "line %d: bad\033[2J", 3);
    progress_end(&progress);
    assert_string_equal(look(&screen), "line 3: bad\\u001b[2J\n");
    screen_close(&screen);
}

static void a_note_stands_above_the_bar(void **state) {
    struct screen screen;
    struct progress progress;
    (void)state;
    terminal_open(&screen, 80);
    progress_init(&progress, &screen.terminal, false, &screen.clock.clock);
    progress_begin(&progress, "Importing", "records", 10);
    look(&screen);
    progress_note(&progress, "line 3: bad");
    static const char expected[] = "\r\033[Kline 3: bad\r\n\r\033[KImporting";
    assert_int_equal(strncmp(look(&screen), expected, strlen(expected)), 0);
    progress_end(&progress);
    screen_close(&screen);
}

static void color_obeys_no_color(void **state) {
    struct screen screen;
    struct progress progress;
    (void)state;
    for (int colored = 0; colored < 2; colored++) {
        if (colored) {
            unsetenv("NO_COLOR");
        } else {
            setenv("NO_COLOR", "1", 1);
        }
        terminal_open(&screen, 80);
        progress_init(&progress, &screen.terminal, false, &screen.clock.clock);
        progress_begin(&progress, "Importing", "records", 10);
        clock_manual_advance(&screen.clock, CLOCK_NS_PER_S);
        progress_set(&progress, 5);
        const char *seen = look(&screen);
        assert_int_equal(strstr(seen, "m#") != NULL, colored);
        assert_non_null(strstr(seen, "#"));
        progress_end(&progress);
        screen_close(&screen);
    }
}

static void a_run_that_stops_early_says_how_far_it_came(void **state) {
    struct screen screen;
    struct progress progress;
    (void)state;
    file_open(&screen);
    progress_init(&progress, &screen.terminal, false, &screen.clock.clock);
    progress_begin(&progress, "Importing", "records", 1000);
    progress_resume(&progress, 500);
    clock_manual_advance(&screen.clock, CLOCK_NS_PER_S);
    progress_set(&progress, 600);
    progress_end(&progress);
    progress_end(&progress);
    assert_string_equal(look(&screen), "Importing: 600 of 1,000 records in 0:01, 100/s\n");
    screen_close(&screen);
}

static void time_has_no_rate(void **state) {
    struct screen screen;
    struct progress progress;
    (void)state;
    file_open(&screen);
    progress_init(&progress, &screen.terminal, false, &screen.clock.clock);
    progress_begin(&progress, "Simulating", "s", 3);
    for (unsigned i = 1; i <= 3; i++) {
        clock_manual_advance(&screen.clock, CLOCK_NS_PER_S);
        progress_set(&progress, i);
    }
    progress_end(&progress);
    assert_string_equal(look(&screen), "Simulating: 3 s\n");
    screen_close(&screen);
}

/* The line is ended, and the program dies of the signal as it would have. */
static void ctrl_c_ends_the_line(void **state) {
    struct screen screen;
    struct progress progress;
    int status;
    (void)state;
    terminal_open(&screen, 80);
    pid_t child = fork();
    if (child == 0) {
        progress_init(&progress, &screen.terminal, false, &screen.clock.clock);
        progress_begin(&progress, "Importing", "records", 10);
        raise(SIGINT);
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    const char *seen = look(&screen);
    assert_string_equal(seen + strlen(seen) - 2, "\r\n");
    screen_close(&screen);
}

static void a_handler_of_the_command_stays(void **state) {
    struct screen screen;
    struct progress progress;
    (void)state;
    terminal_open(&screen, 80);
    signal(SIGINT, SIG_IGN);
    progress_init(&progress, &screen.terminal, false, &screen.clock.clock);
    progress_begin(&progress, "Importing", "records", 10);
    raise(SIGINT);
    progress_end(&progress);
    assert_ptr_equal(signal(SIGINT, SIG_DFL), SIG_IGN);
    assert_ptr_equal(signal(SIGTERM, SIG_DFL), SIG_DFL);
    screen_close(&screen);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bar_says_share_rate_and_time_left),
        cmocka_unit_test(a_bar_is_drawn_at_most_ten_times_a_second),
        cmocka_unit_test(no_line_is_wider_than_the_terminal),
        cmocka_unit_test(an_unknown_total_shows_a_count_and_a_rate),
        cmocka_unit_test(elsewhere_a_plain_line_every_five_seconds),
        cmocka_unit_test(silent_work_prints_notes_alone),
        cmocka_unit_test(a_note_stands_above_the_bar),
        cmocka_unit_test(color_obeys_no_color),
        cmocka_unit_test(a_run_that_stops_early_says_how_far_it_came),
        cmocka_unit_test(time_has_no_rate),
        cmocka_unit_test(ctrl_c_ends_the_line),
        cmocka_unit_test(a_handler_of_the_command_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
