/*
 * The progress of long work, on standard error. On a terminal one line that is drawn anew at most ten times a second: what is
 * done, a bar, the share, the rate, the time left; without a known total a count and a rate. Elsewhere a plain line every few
 * seconds. At the end one last line says what was done and how fast. Silent where the caller says so (--json).
 *
 *     progress_init(&progress, &cli->errors, cli->json, clock_system());
 *     progress_begin(&progress, "Importing", "records", total);
 *     … progress_set(&progress, done); …
 *     progress_end(&progress);
 *
 * Ctrl-C in the midst of a line ends the line, so that the shell's prompt does not stand behind it; a command that handles
 * SIGINT itself keeps doing so, and calls progress_end.
 *
 * Thread: one. One progress at a time.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/clock.h"
#include "cli/terminal.h"

#include <stdbool.h>
#include <stdint.h>

enum progress_style { PROGRESS_SILENT, PROGRESS_LINES, PROGRESS_BAR };

struct progress {
    struct terminal *terminal;
    const struct clock *clock;
    enum progress_style style;
    bool running;
    const char *what; /* "Importing": static texts. */
    const char *unit; /* "records"; "bytes" is shown as KiB, MiB, … */
    uint64_t total;   /* 0: unknown. */
    uint64_t done;
    uint64_t
        first; /* What was done when the work began: an earlier run's share is not this one's speed. */
    int64_t begin_ns; /* All monotonic. */
    int64_t shown_ns; /* The last line. */
    int64_t rate_ns;  /* When the rate was last looked at, */
    uint64_t rate_done;
    double rate; /* per second, of late; 0: not known yet. */
    bool drawn;  /* There is an unfinished line on the terminal. */
};

/* terminal: borrowed until progress_end, usually standard error's. */
void progress_init(struct progress *progress, struct terminal *terminal, bool silent,
                   const struct clock *clock);

/* total 0: unknown. `unit` "bytes" is for sizes, "s" for time, which has no rate. */
void progress_begin(struct progress *progress, const char *what, const char *unit, uint64_t total);

/* What an earlier run had done already, before the first progress_set. */
void progress_resume(struct progress *progress, uint64_t done);

/* The total became known, or grew; 0: it is unknown after all. */
void progress_total(struct progress *progress, uint64_t total);

/* So much is done; cheap enough for every record. */
void progress_set(struct progress *progress, uint64_t done);

/* Takes the line away, so that something else may be printed in its place; the next progress_set brings it back below. */
void progress_hide(struct progress *progress);

/* Prints a line above the bar, also when silent. What could steer the terminal is escaped. */
__attribute__((format(printf, 2, 3))) void progress_note(struct progress *progress,
                                                         const char *format, ...);

/* The last line: what was done, in what time, how fast. Does nothing when there is nothing running. */
void progress_end(struct progress *progress);

enum { PROGRESS_LINE_BYTES = 512 };

/* The line as of now, at most `columns` wide, no colour and no newline; for progress_set and the test. Returns its bytes. */
size_t progress_format(const struct progress *progress, int64_t now_ns, unsigned columns,
                       char line[PROGRESS_LINE_BYTES]);

#endif
