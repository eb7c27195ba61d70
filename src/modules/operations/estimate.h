/*
 * How long will it take? Estimates for one lane, learnt from what was seen: processing times by kind, how many run at once while others
 * wait, and how many come in between. Pure arithmetic over times that are passed in (nanoseconds of one clock); no I/O.
 *
 * - Processing times of a kind (who does it, and what kind of work) have a mean and a variance, each new one weighing at least
 *   1 / ESTIMATE_MEMORY, and a histogram, from which follows how long one that has run for a while will still run. Before the first is
 *   finished only what running agents say of themselves is known; without that nothing is said.
 * - The parallelism c is the time-average of how many ran at once while others were ready: width is only its bound, for there may be
 *   fewer workers than places.
 * - With n ahead, W = (n·m + Σ remaining − (c − 1)·e) / c: the work before it and what is left of the running ones, less what the
 *   other c − 1 workers will still have in hand when it starts (e = m·(1 + cv²) / 2, the mean residual life). Who comes later but
 *   goes first stretches it by 1 / (1 − their share of the workers).
 * - Waits are taken to be spread like a lognormal with that mean, and the variance of the work, of what is known of m, and of c. Told is the
 *   median, and the range from the 10 % to the 90 % quantile: 8 of 10 waits should end inside it. estimate_test says how often they did: as
 *   often as said on the whole, less often where those who overtake come in bursts, for their arrivals are taken to be independent.
 *
 * Thread: the sequencer's.
 */
#ifndef MODULES_OPERATIONS_ESTIMATE_H
#define MODULES_OPERATIONS_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modules/operations/queue.h"
#include "stet.h"

#define ESTIMATE_MEMORY 128 /* Operations over which times are smoothed. */

struct estimate; /* Of one lane. */
struct estimate_kind;

stet_status estimate_create(struct estimate **made, stet_error *err);
void estimate_destroy(struct estimate *estimate); /* Accepts NULL. */
size_t estimate_bytes(const struct estimate *estimate);

/*
 * The kind of an operation: who does it (agent or function; empty: anyone) and its op_type. At most ESTIMATE_KINDS_MAX are told apart;
 * further ones, and those for which there is no memory, share one. Never NULL, lives as long as the estimate.
 */
struct estimate_kind *estimate_kind(struct estimate *estimate, stet_view who, stet_view op_type);

/* -- What happens. Each at the moment it happens -- */

/* One was queued at a level (as it stands then; those lifted later are not told again). */
void estimate_queued(struct estimate *estimate, enum queue_level level, int64_t now);
/* A run ended well: it took so long. Failed, cancelled and lost ones are not told. */
void estimate_finished(struct estimate *estimate, struct estimate_kind *kind, int64_t took_ns,
                       int64_t now);
/* So many places are taken, and so many are ready, from now on: after every change of either. */
void estimate_load(struct estimate *estimate, unsigned places, size_t ready, int64_t now);
/* Somebody asked for work: a claim, also one that found nothing. */
void estimate_claimed(struct estimate *estimate, int64_t now);

/* -- Answers -- */

/* One that runs now. */
struct estimate_run {
    struct estimate_kind *kind;
    int64_t started_at;
    double percent;     /* As it told itself at reported_at; 0: it did not. */
    double remaining_s; /* Likewise; beats percent. 0: not given. */
    int64_t reported_at;
};

/* What is asked. */
struct estimate_question {
    enum queue_level level; /* Where it stands. */
    size_t ahead;
    unsigned width;
    bool paused;
    const struct estimate_run *runs; /* Of the lane; of many, any ESTIMATE_RUNS_MAX will do. */
    size_t run_count;
    unsigned places;    /* Taken. */
    unsigned takers;    /* Claims that wait for work. */
    int64_t not_before; /* 0: none. */
    int64_t now;
};
#define ESTIMATE_RUNS_MAX 64

struct estimate_answer {
    bool
        known; /* False: nothing is known of how long things take here, or the lane is paused: say null. */
    double wait_s;
    double low_s, high_s; /* 10 % and 90 %. */
};
void estimate_wait(const struct estimate *estimate, const struct estimate_question *question,
                   struct estimate_answer *answer);

/* The mean time of a kind; where nothing of it was finished, of the lane. False: not known. */
bool estimate_processing(const struct estimate *estimate, const struct estimate_kind *kind,
                         double *mean_s);
/* And of all that the lane did. */
bool estimate_lane_processing(const struct estimate *estimate, double *mean_s);
/* How much longer a running one will take; 0 or more. False: not known. */
bool estimate_remaining(const struct estimate *estimate, const struct estimate_run *run,
                        int64_t now, double *remaining_s);
/* Operations finished per second while there is work: for Retry-After. False: not known. */
bool estimate_rate(const struct estimate *estimate, unsigned width, double *per_s);
/*
 * For how long others have been ready while nothing ran and nobody asked: without workers the estimate says only how long
 * it would take if one came. 0: there is somebody, or nothing waits.
 */
double estimate_idle_s(const struct estimate *estimate, int64_t now);

#endif
