/*
 * One run of an agent's program: input on its standard input, progress and result as lines on its standard output, its
 * standard error passed on. While it runs its owner is asked to keep the lease, and may have it stopped.
 *
 * A line that is a JSON object with "result" or "mutations" is what the program leaves behind (the last one counts); one with
 * "percent" or "message" is progress; anything else goes to standard error, for people.
 *
 * Thread: one for each run.
 */
#ifndef CLI_AGENT_RUN_H
#define CLI_AGENT_RUN_H

#include "base/arena.h"
#include "stet.h"

/* What the owner of a run is asked meanwhile. */
struct agent_watch {
    void *context;
    /* The latest progress, raw JSON values; empty: not given. With both empty it is only time for a heartbeat. False: stop it. */
    bool (*beat)(void *context, stet_view percent, stet_view message);
    unsigned beat_ms; /* How often at least. */
    /* Whether it is to end because the agent does. Asked several times a second. */
    bool (*stopping)(void *context);
};

struct agent_program {
    char *const *words;       /* NULL-terminated. */
    char *const *environment; /* Likewise. */
    stet_view input;
    const char *label; /* Before each line that is passed on. */
};

struct agent_result {
    bool started;  /* else `error` says why not. */
    bool stopped;  /* beat or stopping ended it. */
    int exit_code; /* -1: ended by `signal`. */
    int signal;
    stet_view
        last; /* The last line with "result" or "mutations", in the arena; empty: there was none. */
    stet_view error; /* The end of its standard error, in the arena. */
};

enum {
    AGENT_LINE_BYTES_MAX = 20 * 1024 * 1024, /* A result with its mutations. */
    AGENT_ERROR_BYTES = 2000,                /* Kept of standard error. */
    AGENT_GRACE_MS = 10000,                  /* Between SIGTERM and SIGKILL. */
};

/* STET_OK, also when the program failed; STET_NO_MEMORY, STET_IO: it could not be watched, and was ended. */
stet_status agent_run(const struct agent_program *program, const struct agent_watch *watch,
                      struct arena *arena, struct agent_result *result, stet_error *err);

#endif
