#include "modules/operations/estimate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

#define NS_PER_S 1e9
/* The histogram: three bins an octave, from a millisecond to more than a day. */
#define BINS 81
#define BINS_PER_OCTAVE 3
#define BIN_FIRST_S 1e-3
/* Below so many samples a kind's own histogram says less than the lane's. */
#define KIND_SAMPLES_MIN 5
/* Before there are samples, times are taken to be exponential: so many samples' worth. */
#define PRIOR_SAMPLES 2.0
/* Time constants of the parallelism, in mean processing times: of its value, and of how much it varies. */
#define PARALLEL_MEMORY 2.0
#define PARALLEL_SPREAD_MEMORY 30.0
/* Arrivals over which a level's rate is smoothed. */
#define ARRIVALS_MEMORY 64.0
/* Of the workers, at most so much is taken to go to who comes later. */
#define OVERTAKEN_MAX 0.95
/* The standard normal distribution's 90 % quantile. */
#define Z_90 1.2816
/* How far an agent is off that says how far it is. */
#define PROGRESS_SPREAD 0.3

/* Smoothed times. Weights grow instead of the old ones shrinking; they are brought down when they get large. */
struct times {
    double count; /* Samples, up to ESTIMATE_MEMORY. */
    double mean, variance;
    double weight; /* Of the next sample in the histogram. */
    float mass[BINS];
    float sum[BINS]; /* Mass times seconds. */
    /* Of a bin and all above it: mass, mass times seconds, and times their squares. A wait looks at every running operation. */
    double mass_from[BINS + 1], sum_from[BINS + 1], square_from[BINS + 1];
};

struct estimate_kind {
    struct estimate_kind *next;
    uint64_t hash;
    struct times times;
    size_t who_bytes, op_type_bytes;
    char text[];
};

struct estimate {
    struct times all;
    struct estimate_kind *kinds;
    struct estimate_kind *other; /* Those that are not told apart. */
    unsigned kind_count;
    size_t bytes;

    int64_t load_since;
    unsigned places;
    size_t ready;
    bool parallel_known;
    double parallel;
    double slow_parallel, slow_variance; /* Over a longer time: how much it varies. */

    double interval_s[QUEUE_LEVELS]; /* Between arrivals; 0: not known. */
    int64_t arrived_at[QUEUE_LEVELS];
    bool arrived[QUEUE_LEVELS];
    int64_t idle_since; /* Something is ready, nothing runs, nobody asks; INT64_MAX: not so. */
};

static double seconds(int64_t from, int64_t to) {
    return to <= from ? 0 : (double)(to - from) / NS_PER_S;
}

/* ---- Times ------------------------------------------------------------------------------- */

static unsigned bin_of(double s) {
    if (s <= BIN_FIRST_S) return 0;
    double bin = log2(s / BIN_FIRST_S) * BINS_PER_OCTAVE;
    return bin >= BINS - 1 ? BINS - 1 : (unsigned)bin;
}

static void times_shrink(struct times *times, double factor) {
    for (unsigned i = 0; i < BINS; i++) {
        times->mass[i] *= (float)factor;
        times->sum[i] *= (float)factor;
        times->mass_from[i] *= factor;
        times->sum_from[i] *= factor;
        times->square_from[i] *= factor;
    }
    times->weight *= factor;
}

static void times_add(struct times *times, double s) {
    if (times->count < ESTIMATE_MEMORY) times->count++;
    double share = 1 / times->count;
    double off = s - times->mean;
    times->mean += share * off;
    times->variance = (1 - share) * (times->variance + share * off * off);

    if (times->weight == 0) times->weight = 1;
    unsigned bin = bin_of(s);
    times->mass[bin] += (float)times->weight;
    times->sum[bin] += (float)(times->weight * s);
    for (unsigned i = 0; i <= bin; i++) {
        times->mass_from[i] += times->weight;
        times->sum_from[i] += times->weight * s;
        times->square_from[i] += times->weight * s * s;
    }
    times->weight /= 1 - 1.0 / ESTIMATE_MEMORY;
    if (times->weight > 1e12) times_shrink(times, 1e-12);
}

/* The variance, with the doubt of who has seen little. */
static double times_variance(const struct times *times) {
    double exponential = times->mean * times->mean;
    return (times->count * times->variance + PRIOR_SAMPLES * exponential) /
           (times->count + PRIOR_SAMPLES);
}

/* What is left of one that has run for a while, and how sure that is. */
struct rest {
    double mean, variance;
};

static struct rest times_rest(const struct times *times, double elapsed) {
    unsigned from = bin_of(elapsed);
    /* Its own bin counts while it is in the lower part of it. */
    if ((double)times->sum[from] <= (double)times->mass[from] * elapsed) from++;
    double mass = times->mass_from[from];
    /* Longer than all that were seen: the longer it has run, the longer it may yet. */
    if (mass <= times->weight * 1e-6) {
        double left = elapsed / 2;
        return (struct rest){left, left * left};
    }
    double mean = times->sum_from[from] / mass;
    double variance = times->square_from[from] / mass - mean * mean;
    return (struct rest){mean > elapsed ? mean - elapsed : 0, variance > 0 ? variance : 0};
}

/* ---- Kinds ------------------------------------------------------------------------------- */

stet_status estimate_create(struct estimate **made, stet_error *err) {
    struct estimate *estimate = calloc(1, sizeof *estimate);
    struct estimate_kind *other = calloc(1, sizeof *other);
    if (estimate == NULL || other == NULL) {
        free(estimate);
        free(other);
        return error_set(err, STET_NO_MEMORY, "no memory for a lane's estimates");
    }
    estimate->other = other;
    estimate->bytes = sizeof *estimate + sizeof *other;
    estimate->idle_since = INT64_MAX;
    *made = estimate;
    return STET_OK;
}

void estimate_destroy(struct estimate *estimate) {
    if (estimate == NULL) return;
    for (struct estimate_kind *kind = estimate->kinds, *next; kind != NULL; kind = next) {
        next = kind->next;
        free(kind);
    }
    free(estimate->other);
    free(estimate);
}

size_t estimate_bytes(const struct estimate *estimate) { return estimate->bytes; }

struct estimate_kind *estimate_kind(struct estimate *estimate, stet_view who, stet_view op_type) {
    uint64_t hash = view_hash(op_type, view_hash(who, 0));
    for (struct estimate_kind *kind = estimate->kinds; kind != NULL; kind = kind->next)
        if (kind->hash == hash && view_equal(view_make(kind->text, kind->who_bytes), who) &&
            view_equal(view_make(kind->text + kind->who_bytes, kind->op_type_bytes), op_type))
            return kind;
    if (estimate->kind_count >= ESTIMATE_KINDS_MAX) return estimate->other;

    size_t bytes = sizeof(struct estimate_kind) + who.size + op_type.size;
    struct estimate_kind *kind = calloc(1, bytes);
    if (kind == NULL) return estimate->other;
    kind->hash = hash;
    kind->who_bytes = who.size;
    kind->op_type_bytes = op_type.size;
    if (who.size > 0) memcpy(kind->text, who.bytes, who.size);
    if (op_type.size > 0) memcpy(kind->text + who.size, op_type.bytes, op_type.size);
    kind->next = estimate->kinds;
    estimate->kinds = kind;
    estimate->kind_count++;
    estimate->bytes += bytes;
    return kind;
}

/* ---- What happens ------------------------------------------------------------------------ */

void estimate_queued(struct estimate *estimate, enum queue_level level, int64_t now) {
    if (estimate->arrived[level]) {
        double interval = seconds(estimate->arrived_at[level], now);
        double *mean = &estimate->interval_s[level];
        *mean = *mean == 0 ? interval : *mean + (interval - *mean) / ARRIVALS_MEMORY;
    }
    estimate->arrived[level] = true;
    estimate->arrived_at[level] = now;
}

void estimate_finished(struct estimate *estimate, struct estimate_kind *kind, int64_t took_ns,
                       int64_t now) {
    (void)now;
    double took = took_ns <= 0 ? 0 : (double)took_ns / NS_PER_S;
    times_add(&estimate->all, took);
    times_add(&kind->times, took);
}

/* The time since the last change goes into the averages; only time in which others waited says how many can run at once. */
static void learn_parallel(struct estimate *estimate, int64_t now) {
    double passed = seconds(estimate->load_since, now);
    if (estimate->ready == 0 || estimate->places == 0 || passed <= 0) return;
    double places = estimate->places;
    if (!estimate->parallel_known) {
        estimate->parallel_known = true;
        estimate->parallel = estimate->slow_parallel = places;
        return;
    }
    double mean = estimate->all.count == 0 ? passed : estimate->all.mean;
    if (mean <= 0) mean = passed;
    estimate->parallel +=
        (1 - exp(-passed / (PARALLEL_MEMORY * mean))) * (places - estimate->parallel);
    double share = 1 - exp(-passed / (PARALLEL_SPREAD_MEMORY * mean));
    double off = places - estimate->slow_parallel;
    estimate->slow_parallel += share * off;
    estimate->slow_variance = (1 - share) * (estimate->slow_variance + share * off * off);
}

void estimate_load(struct estimate *estimate, unsigned places, size_t ready, int64_t now) {
    learn_parallel(estimate, now);
    bool idle = ready > 0 && places == 0;
    if (!idle) estimate->idle_since = INT64_MAX;
    if (idle && estimate->idle_since == INT64_MAX) estimate->idle_since = now;
    estimate->places = places;
    estimate->ready = ready;
    estimate->load_since = now;
}

void estimate_claimed(struct estimate *estimate, int64_t now) {
    if (estimate->idle_since != INT64_MAX) estimate->idle_since = now;
}

/* ---- Answers ----------------------------------------------------------------------------- */

/* The times that say most about a kind. */
static const struct times *times_of(const struct estimate *estimate,
                                    const struct estimate_kind *kind) {
    return kind == NULL || kind->times.count < KIND_SAMPLES_MIN ? &estimate->all : &kind->times;
}

static bool run_rest(const struct estimate *estimate, const struct estimate_run *run, int64_t now,
                     struct rest *rest) {
    const struct times *times = times_of(estimate, run->kind);
    double elapsed = seconds(run->started_at, now);
    double since = seconds(run->reported_at, now);
    bool told = run->remaining_s > 0 || run->percent > 0;
    if (times->count == 0 && !told) return false;
    if (times->count > 0) *rest = times_rest(times, elapsed);
    if (!told) return true;

    double left, trust = 1;
    if (run->remaining_s > 0) {
        left = run->remaining_s - since;
    } else {
        double percent = run->percent > 100 ? 100 : run->percent;
        left = seconds(run->started_at, run->reported_at) * (100 - percent) / percent - since;
        /* One percent says little about the other ninety-nine. */
        if (times->count > 0) trust = percent / 100;
    }
    if (left < 0) left = 0;
    double variance = left * left * PROGRESS_SPREAD * PROGRESS_SPREAD;
    if (times->count == 0) *rest = (struct rest){left, variance};
    rest->mean = trust * left + (1 - trust) * rest->mean;
    rest->variance = trust * variance + (1 - trust) * rest->variance;
    return true;
}

bool estimate_remaining(const struct estimate *estimate, const struct estimate_run *run,
                        int64_t now, double *remaining_s) {
    struct rest rest;
    if (!run_rest(estimate, run, now, &rest)) return false;
    *remaining_s = rest.mean;
    return true;
}

bool estimate_processing(const struct estimate *estimate, const struct estimate_kind *kind,
                         double *mean_s) {
    if (kind != NULL && kind->times.count > 0) {
        *mean_s = kind->times.mean;
        return true;
    }
    return estimate_lane_processing(estimate, mean_s);
}

bool estimate_lane_processing(const struct estimate *estimate, double *mean_s) {
    if (estimate->all.count == 0) return false;
    *mean_s = estimate->all.mean;
    return true;
}

/* How many work at once, as far as is known; at least 1 or next to it, at most width. */
static double workers(const struct estimate *estimate, unsigned width, unsigned places,
                      unsigned takers) {
    double now = (double)places + takers;
    double many = estimate->parallel_known ? estimate->parallel : now;
    /* More than the average are here: somebody has come. Fewer: they may just be between two operations. */
    if (now > many + 0.5) many = now;
    if (many > width) many = width;
    return many < 0.25 ? 1 : many;
}

bool estimate_rate(const struct estimate *estimate, unsigned width, double *per_s) {
    if (estimate->all.count == 0 || estimate->all.mean <= 0) return false;
    *per_s = workers(estimate, width, estimate->places, 0) / estimate->all.mean;
    return true;
}

double estimate_idle_s(const struct estimate *estimate, int64_t now) {
    return estimate->idle_since == INT64_MAX ? 0 : seconds(estimate->idle_since, now);
}

/* The share of the workers that goes to who comes later and stands higher. */
static double overtaken(const struct estimate *estimate, enum queue_level level, double workload_s,
                        int64_t now) {
    double rate = 0;
    for (unsigned i = level + 1u; i < QUEUE_LEVELS; i++) {
        if (estimate->interval_s[i] <= 0) continue;
        double quiet = seconds(estimate->arrived_at[i], now);
        rate += 1 / (quiet > estimate->interval_s[i] ? quiet : estimate->interval_s[i]);
    }
    double share = rate * workload_s;
    return share > OVERTAKEN_MAX ? OVERTAKEN_MAX : share;
}

/* What the running ones have left, all together. */
struct running {
    struct rest left; /* Sums, grown to all places where only some runs were given. */
    double whole;     /* The mean of their whole times, from what they say. */
    bool known;
};

static struct running running_of(const struct estimate *estimate,
                                 const struct estimate_question *question) {
    struct running running = {0};
    double count = 0;
    for (size_t i = 0; i < question->run_count; i++) {
        struct rest rest;
        if (!run_rest(estimate, &question->runs[i], question->now, &rest)) continue;
        running.left.mean += rest.mean;
        running.left.variance += rest.variance;
        running.whole += seconds(question->runs[i].started_at, question->now) + rest.mean;
        count++;
    }
    if (count == 0) return running;
    running.known = true;
    running.whole /= count;
    running.left.mean *= question->places / count;
    running.left.variance *= question->places / count;
    return running;
}

static void answer_from(double mean, double variance, double later_s,
                        struct estimate_answer *answer) {
    answer->known = true;
    answer->wait_s = answer->low_s = answer->high_s = later_s;
    if (mean <= 0) return;
    double spread = sqrt(log1p(variance / (mean * mean)));
    double median = mean / exp(spread * spread / 2);
    answer->wait_s += median;
    answer->low_s += median * exp(-Z_90 * spread);
    answer->high_s += median * exp(Z_90 * spread);
}

void estimate_wait(const struct estimate *estimate, const struct estimate_question *question,
                   struct estimate_answer *answer) {
    *answer = (struct estimate_answer){0};
    if (question->paused) return;
    /* Until it may be started at all, the others before it go on; what is left of them then is a guess from today. */
    double later = question->not_before == 0 ? 0 : seconds(question->now, question->not_before);

    double c = workers(estimate, question->width, question->places, question->takers);
    if (question->places < question->width && question->takers > question->ahead) {
        answer_from(0, 0, later, answer);
        return;
    }
    struct running running = running_of(estimate, question);
    double m = estimate->all.mean, variance = times_variance(&estimate->all);
    if (estimate->all.count == 0) {
        if (!running.known) return;
        m = running.whole;
        variance = m * m;
    }
    if (!running.known) {
        running.left.mean = m * question->places;
        running.left.variance = variance * question->places;
    }

    double n = (double)question->ahead;
    if (estimate->parallel_known && n + 1 <= c - question->places) {
        answer_from(0, 0, later, answer);
        return;
    }
    double work = running.left.mean + n * m;
    double work_variance = running.left.variance + n * variance;
    double e = m > 0 ? (m + variance / m) / 2 : 0;
    double wait = (work - (c - 1) * e) / c;
    double least = work / (c * (c + 1));
    if (wait < least) wait = least;

    /* A busy period of those who overtake, begun by the wait. */
    double share = overtaken(estimate, question->level, m / c, question->now);
    double stretch = 1 / (1 - share);
    double spread = work_variance * stretch * stretch / (c * c) +
                    wait * share * 2 * e / c * stretch * stretch * stretch;
    wait *= stretch;
    /* What is not known well stretches all of it: m, and how c will change. */
    double relative = m > 0 ? variance / (m * m) / (2 * estimate->all.count + 1) : 0;
    if (estimate->slow_parallel > 0)
        relative += estimate->slow_variance / (estimate->slow_parallel * estimate->slow_parallel);
    spread += relative * wait * wait;
    if (later > wait) {
        answer_from(0, 0, later, answer);
        return;
    }
    answer_from(wait, spread, 0, answer);
}
