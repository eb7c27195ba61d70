#include "cli/progress.h"

#include "base/view.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    DRAW_EVERY_MS = 100,
    LINE_EVERY_S = 5,
    RATE_MEMORY_S = 3, /* A rate forgets what is older, roughly. */
    BAR_COLUMNS_MAX = 30,
    BAR_COLUMNS_MIN = 8,
    PART_BYTES = 64,
    WHAT_COLUMNS_MAX = 40,
};

/* The file descriptor of an unfinished line, for the signal handler; -1 when there is none. */
static volatile sig_atomic_t unfinished = -1;

static void interrupted(int number) {
    int fd = unfinished;
    if (fd >= 0 && write(fd, "\n", 1) < 0) unfinished = -1; /* Nothing can be done about it. */
    signal(number, SIG_DFL);
    raise(number);
}

/* Only where nobody handles the signal already, and nobody ignores it. */
static void handler_put(int number) {
    struct sigaction old, own = {.sa_handler = interrupted};
    sigemptyset(&own.sa_mask);
    if (sigaction(number, NULL, &old) != 0) return;
    if ((old.sa_flags & SA_SIGINFO) == 0 && old.sa_handler == SIG_DFL)
        sigaction(number, &own, NULL);
}

static void handler_take(int number) {
    struct sigaction old;
    if (sigaction(number, NULL, &old) != 0) return;
    if ((old.sa_flags & SA_SIGINFO) == 0 && old.sa_handler == interrupted) signal(number, SIG_DFL);
}

/* 1234567 → "1,234,567"; sizes → "1.2 MiB". */
/* Seconds of seconds: how many a second says nothing. */
static bool is_time(const struct progress *progress) { return strcmp(progress->unit, "s") == 0; }

static void format_count(char out[PART_BYTES], const char *unit, double value) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    char digits[PART_BYTES];
    if (strcmp(unit, "bytes") == 0) {
        size_t step = 0;
        while (value >= 1024 && step + 1 < sizeof units / sizeof units[0]) {
            value /= 1024;
            step += 1;
        }
        snprintf(out, PART_BYTES, step == 0 ? "%.0f %s" : "%.1f %s", value, units[step]);
        return;
    }
    int size = snprintf(digits, sizeof digits, "%.0f", value);
    size_t to = 0;
    for (int i = 0; i < size && to + 2 < PART_BYTES; i++) {
        if (i > 0 && (size - i) % 3 == 0) out[to++] = ',';
        out[to++] = digits[i];
    }
    out[to] = '\0';
}

static void format_time(char out[PART_BYTES], double seconds) {
    unsigned long long whole = seconds < 1e12 ? (unsigned long long)(seconds + 0.5) : 0;
    if (whole >= 3600) {
        snprintf(out, PART_BYTES, "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60, whole % 60);
    } else {
        snprintf(out, PART_BYTES, "%llu:%02llu", whole / 60, whole % 60);
    }
}

static double seconds_since(const struct progress *progress, int64_t now_ns) {
    return (double)(now_ns - progress->begin_ns) / (double)CLOCK_NS_PER_S;
}

/* The rate of late, or since the beginning while that is all there is. */
static double rate_now(const struct progress *progress, int64_t now_ns) {
    double seconds = seconds_since(progress, now_ns);
    if (progress->rate > 0) return progress->rate;
    return seconds > 0 ? (double)(progress->done - progress->first) / seconds : 0;
}

static void rate_update(struct progress *progress, int64_t now_ns) {
    double seconds = (double)(now_ns - progress->rate_ns) / (double)CLOCK_NS_PER_S;
    if (seconds <= 0) return;
    double rate = (double)(progress->done - progress->rate_done) / seconds;
    double weight = progress->rate == 0 ? 1 : seconds / (seconds + RATE_MEMORY_S);
    progress->rate += (rate - progress->rate) * weight;
    progress->rate_ns = now_ns;
    progress->rate_done = progress->done;
}

struct line {
    char *bytes;
    size_t size;
};

static void line_add(struct line *line, const char *text) {
    size_t size = strlen(text);
    if (size > PROGRESS_LINE_BYTES - 1 - line->size) size = PROGRESS_LINE_BYTES - 1 - line->size;
    memcpy(line->bytes + line->size, text, size);
    line->size += size;
    line->bytes[line->size] = '\0';
}

static void line_bar(struct line *line, double share, unsigned columns) {
    unsigned filled = (unsigned)(share * columns);
    line_add(line, "  [");
    for (unsigned i = 0; i < columns; i++)
        line_add(line, i < filled ? "#" : ".");
    line_add(line, "]");
}

/*
 * The parts in the order they are given up when there is no room: the bar, the time left, the rate, the unit, the total; what
 * is done, or its share, stays longest.
 */
size_t progress_format(const struct progress *progress, int64_t now_ns, unsigned columns,
                       char out[PROGRESS_LINE_BYTES]) {
    char done[PART_BYTES], total[PART_BYTES], rate[PART_BYTES], left[PART_BYTES];
    char share_part[PART_BYTES] = "", count_part[2 * PART_BYTES + 32],
         rate_part[PART_BYTES + 8] = "", left_part[PART_BYTES + 8] = "";
    bool sized = strcmp(progress->unit, "bytes") == 0;
    double share = 0, per_second = rate_now(progress, now_ns);
    struct line line = {.bytes = out};
    format_count(done, progress->unit, (double)progress->done);
    format_count(total, progress->unit, (double)progress->total);
    format_count(rate, progress->unit, per_second);
    if (progress->total > 0) {
        share = (double)progress->done / (double)progress->total;
        if (share > 1) share = 1;
        snprintf(share_part, sizeof share_part, "  %3u %%", (unsigned)(share * 100));
        snprintf(count_part, sizeof count_part, "  %s/%s", done, total);
        if (per_second > 0 && progress->done < progress->total) {
            format_time(left, (double)(progress->total - progress->done) / per_second);
            snprintf(left_part, sizeof left_part, "  %s left", left);
        }
    } else {
        snprintf(count_part, sizeof count_part, "  %s", done);
    }
    if (!is_time(progress)) snprintf(rate_part, sizeof rate_part, "  %s/s", rate);

    size_t what = strlen(progress->what);
    if (what > WHAT_COLUMNS_MAX) what = WHAT_COLUMNS_MAX;
    size_t unit = sized ? 0 : 1 + strlen(progress->unit);
    size_t room = columns, used = what;
    size_t parts[] = {strlen(share_part), strlen(count_part), unit, strlen(rate_part),
                      strlen(left_part)};
    size_t kept = 0;
    while (kept < sizeof parts / sizeof parts[0] && used + parts[kept] <= room)
        used += parts[kept++];
    size_t bar = room - (used < room ? used : room);
    bar = bar > 4 ? bar - 4 : 0; /* Two spaces and two brackets. */
    if (bar > BAR_COLUMNS_MAX) bar = BAR_COLUMNS_MAX;

    char name[WHAT_COLUMNS_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)(what < room ? what : room), progress->what);
    line_add(&line, name);
    if (progress->total > 0 && kept == 5 && bar >= BAR_COLUMNS_MIN)
        line_bar(&line, share, (unsigned)bar);
    if (kept > 0) line_add(&line, share_part);
    if (kept > 1) line_add(&line, count_part);
    if (kept > 2 && !sized) {
        line_add(&line, " ");
        line_add(&line, progress->unit);
    }
    if (kept > 3) line_add(&line, rate_part);
    if (kept > 4) line_add(&line, left_part);
    return line.size;
}

/* Asked each time: a terminal may change its size at any moment, and a signal would have to be somebody's. */
static unsigned columns_now(const struct progress *progress) {
    struct winsize size;
    if (ioctl(fileno(progress->terminal->stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static void draw(struct progress *progress, int64_t now_ns) {
    char line[PROGRESS_LINE_BYTES];
    FILE *stream = progress->terminal->stream;
    unsigned columns = columns_now(progress);
    /* Terminals wrap once the last column is written. */
    progress_format(progress, now_ns, columns > 1 ? columns - 1 : 1, line);
    fputs("\r\033[K", stream);
    const char *bar = strchr(line, '['), *end = bar == NULL ? NULL : strchr(bar, ']');
    if (progress->terminal->color && end != NULL) {
        size_t filled = strspn(bar + 1, "#");
        fprintf(stream, "%.*s\033[32m%.*s\033[0m%s", (int)(bar + 1 - line), line, (int)filled,
                bar + 1, bar + 1 + filled);
    } else {
        fputs(line, stream);
    }
    fflush(stream);
    progress->drawn = true;
    unfinished = fileno(stream);
}

void progress_init(struct progress *progress, struct terminal *terminal, bool silent,
                   const struct clock *clock) {
    const char *kind = getenv("TERM");
    *progress = (struct progress){.terminal = terminal, .clock = clock, .what = "", .unit = ""};
    if (silent) {
        progress->style = PROGRESS_SILENT;
    } else if (terminal->width > 0 && (kind == NULL || strcmp(kind, "dumb") != 0)) {
        progress->style = PROGRESS_BAR;
    } else {
        progress->style = PROGRESS_LINES;
    }
}

void progress_begin(struct progress *progress, const char *what, const char *unit, uint64_t total) {
    int64_t now_ns = clock_monotonic_ns(progress->clock);
    assert(!progress->running);
    progress->what = what;
    progress->unit = unit;
    progress->total = total;
    progress->done = progress->first = progress->rate_done = 0;
    progress->begin_ns = progress->shown_ns = progress->rate_ns = now_ns;
    progress->rate = 0;
    progress->running = true;
    if (progress->style != PROGRESS_BAR) return;
    handler_put(SIGINT);
    handler_put(SIGTERM);
    draw(progress, now_ns);
}

void progress_resume(struct progress *progress, uint64_t done) {
    progress->done = progress->first = progress->rate_done = done;
}

void progress_total(struct progress *progress, uint64_t total) { progress->total = total; }

void progress_set(struct progress *progress, uint64_t done) {
    char line[PROGRESS_LINE_BYTES];
    progress->done = done > progress->done ? done : progress->done;
    if (!progress->running || progress->style == PROGRESS_SILENT) return;
    int64_t now_ns = clock_monotonic_ns(progress->clock);
    int64_t since_ns = now_ns - progress->shown_ns;
    bool bar = progress->style == PROGRESS_BAR;
    if (since_ns < (bar ? DRAW_EVERY_MS * CLOCK_NS_PER_MS : LINE_EVERY_S * CLOCK_NS_PER_S)) return;
    rate_update(progress, now_ns);
    progress->shown_ns = now_ns;
    if (bar) {
        draw(progress, now_ns);
        return;
    }
    /* A log has no width to fit, and a bar says nothing there that the share does not. */
    progress_format(progress, now_ns, PROGRESS_LINE_BYTES / 2, line);
    char *from = strstr(line, "  ["), *to = from == NULL ? NULL : strchr(from, ']');
    if (to != NULL) memmove(from, to + 1, strlen(to + 1) + 1);
    fprintf(progress->terminal->stream, "%s\n", line);
    fflush(progress->terminal->stream);
}

void progress_hide(struct progress *progress) {
    if (!progress->drawn) return;
    fputs("\r\033[K", progress->terminal->stream);
    fflush(progress->terminal->stream);
    progress->drawn = false;
    unfinished = -1;
}

void progress_note(struct progress *progress, const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    bool drawn = progress->drawn;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    progress_hide(progress);
    if (size >= 0) {
        terminal_text(progress->terminal, COLOR_NONE, view_make(text, (size_t)size));
        fputc('\n', progress->terminal->stream);
        free(text);
    }
    if (drawn) draw(progress, clock_monotonic_ns(progress->clock));
}

void progress_end(struct progress *progress) {
    char done[PART_BYTES], total[PART_BYTES], rate[PART_BYTES], took[PART_BYTES];
    if (!progress->running) return;
    progress->running = false;
    progress_hide(progress);
    handler_take(SIGINT);
    handler_take(SIGTERM);
    if (progress->style == PROGRESS_SILENT) return;
    double seconds = seconds_since(progress, clock_monotonic_ns(progress->clock));
    bool whole = progress->total == 0 || progress->done >= progress->total;
    bool sized = strcmp(progress->unit, "bytes") == 0;
    format_count(done, progress->unit, (double)progress->done);
    format_count(total, progress->unit, (double)progress->total);
    format_count(rate, progress->unit,
                 seconds > 0 ? (double)(progress->done - progress->first) / seconds : 0);
    format_time(took, seconds);
    fprintf(progress->terminal->stream, "%s: %s%s%s%s%s", progress->what, done, whole ? "" : " of ",
            whole ? "" : total, sized ? "" : " ", sized ? "" : progress->unit);
    if (!is_time(progress)) fprintf(progress->terminal->stream, " in %s, %s/s", took, rate);
    fputc('\n', progress->terminal->stream);
    fflush(progress->terminal->stream);
}
