/*
 * The load generator: one thread, epoll, a closed loop. Every connection has one operation under way, checks its answer, and begins
 * the next. What an answer must be depends on the mode (load_modes.c); the first that is not so ends the program, and so does a counter
 * that does not stand where the acknowledged increments put it.
 *
 * A case is a target, used in one way, under one mode with so many connections. All cases are measured in turn, and again in the next
 * round, so that what else happens on the machine falls on all of them; what is shown is the median (load_report.c). The other targets
 * stand still meanwhile: what a server puts off is done in its own time.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "measure.h"
#include "target.h"
#include "workload.h"

#include <stdnoreturn.h>

enum {
    LIST_MAX = 16,
    CASES_MAX = 128,
    SPACES_MAX = 8,
    ROUNDS_MAX = 64,
    RECORDS_MIN = 1000, /* How many of the records are hot. */
};

enum mode {
    MODE_PUT,
    MODE_UPDATE,
    MODE_GET,
    MODE_GET304,
    MODE_ECHO,
    MODE_INCR,
    MODE_POST,
    MODE_ADD,
    MODE_FRESH,
    MODE_STALE,
    MODE_FRESH_PATCH,
    MODE_STALE_PATCH,
    MODE_BOOK,
    MODE_SLOT,
    MODES,
    /* Not to be measured: all records once. */
    MODE_FILL = MODES,
    MODE_FILL_PAIRS,
    MODE_TURN_PAIRS,
    MODE_AUDIT,
    MODE_AUDIT_PAIRS,
};

extern const char *const mode_names[];

struct settings {
    struct target_options options;
    struct target *targets[LIST_MAX];
    size_t target_count;
    const char *variants[LIST_MAX]; /* None: all of each target. */
    size_t variant_count;
    enum mode modes[LIST_MAX];
    size_t mode_count;
    unsigned connections[LIST_MAX];
    size_t connection_count;
    const char *json;
    size_t records;
    size_t spaces;   /* The records are dealt out to so many; what has no spaces is left out. */
    unsigned starts; /* So many starts of each target are timed instead of all else; 0: none. */
    double seconds;
    double warm_seconds; /* Before it counts. */
    unsigned rounds;
    bool minimal;
    bool crash; /* After the audit: kill the servers, start them again, audit again. */
};

/* ---- What a mode does (load_modes.c) ----------------------------------------------------- */

/* A target with what was stored in it. */
struct site {
    struct target *target;
    struct workload tasks; /* Written whole. */
    struct workload pairs; /* Records in which two fields change by turns; see workload.h. */
    bool counters, filled, paired, booked;
    uint64_t bookings, wishes; /* Numbers that were given out. */
    const char *variant;       /* The way `tasks` was written. */
};

struct connection {
    struct link *link;
    unsigned index; /* Among the load's. */
    struct op op;
    size_t record;
    uint64_t version; /* add: as last seen. */
    uint64_t count;   /* incr: the value read, or being written. add: the value last seen. */
    int64_t started_ns;
    char id[WORKLOAD_ID_BYTES];
    char key[WORKLOAD_KEY_BYTES];
    char data[WORKLOAD_DATA_BYTES];
    struct booking booking;
};

/* One run of one mode. */
struct load {
    const struct settings *settings;
    struct site *site;
    enum mode mode;
    int epoll;
    unsigned connections;
    bool counting;
    bool stopping;
    size_t flying;
    size_t fill_next;
    uint64_t version, count; /* incr, add: of the counter at the start. */
    uint64_t lost;           /* incr, add: writes that came too late, in the time counted. */
    uint64_t won;     /* incr, add: all increments, warm-up included. book, slot: all bookings. */
    uint64_t booking; /* slot: what everybody is after. */
    struct histogram histogram;
};

enum step { STEP_DONE, STEP_GO_ON };

/* Whether a target, used in that way, can do all the mode asks for. */
bool mode_suits(const struct settings *settings, enum mode mode, const struct target *target,
                const char *variant);
/* Before the first operation: declares types, stores what the mode needs, reads the counter. */
void mode_begin(struct load *load);
/* Fills in the connection's next operation. False: there is none. */
bool mode_next(struct load *load, struct connection *connection);
/* STEP_GO_ON: the operation has another request, which is in connection->op. Ends the program when the answer is not as it must be. */
enum step mode_answered(struct load *load, struct connection *connection,
                        const struct reply *reply);
/* After the last operation: no increment was lost and none counted twice, or the program ends. */
void mode_end(struct load *load);
/* At the end of all: every record is read, and must be what the last acknowledged write of it left, or the program ends. */
void site_audit(const struct settings *settings, struct site *site);

/* ---- Bookings (load_bookings.c): what the functions above do for them -------------------- */

void bookings_begin(struct load *load);
void bookings_next(struct load *load, struct connection *connection);
bool bookings_good(struct load *load, const struct reply *reply);
void bookings_end(struct load *load);

/* ---- Running (load.c) -------------------------------------------------------------------- */

noreturn void load_fail(const char *what);
/* The mode (of `like`) on a few connections until it has no next operation. */
void load_through(const struct load *like, enum mode mode);
/* One operation by itself, on a connection of its own, which the caller closes: the reply's body lives as long. */
struct link *load_one(struct target *target, const struct op *op, struct reply *reply);
/* All of it: starts the targets, measures, prints, stops them. */
void load_run(const struct settings *settings);
/* settings->starts of each target: the median of the time until it listened, and of what it takes when it idles. */
void load_starts(const struct settings *settings);

/* ---- Rows (load_report.c) ---------------------------------------------------------------- */

struct row {
    double seconds;
    double operations;
    double p50_us, p99_us;
    uint64_t lost;
    struct cpu server, own;
    double batch;
    uint64_t resident; /* 0: unknown. */
};

struct load_case {
    struct target *target;
    const char *variant; /* NULL: the target has one way. */
    enum mode mode;
    unsigned connections;
    struct row rounds[ROUNDS_MAX];
};

double median_of(double *values, size_t count);
void report_head(void);
/* The median round of a case. */
void report_case(const struct settings *settings, const struct load_case *load_case, FILE *results);
/* What the figures are compared for: a target's rates against the first's, and stale against fresh writes. */
void report_ratios(const struct settings *settings, const struct load_case *cases, size_t count,
                   FILE *results);

#endif
