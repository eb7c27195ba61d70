/*
 * Estimates: by small stories, and against what happened in simulated lanes. A simulation asks at each submission how long it will wait, and
 * compares with how long it did. Counted are waits longer than one mean processing time, after the first WARM operations: the error is
 * |estimate - wait| / wait. STET_TEST_OPERATIONS sets how many operations each scenario has.
 */
#include "modules/operations/estimate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four of C first. */
#include <cmocka.h>

#include "base/limits.h"
#include "base/view.h"

#define TEST(name) static void name(void **state)
#define S INT64_C(1000000000)

static struct estimate *estimate;

static int setup(void **state) {
    (void)state;
    assert_int_equal(estimate_create(&estimate, NULL), STET_OK);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    estimate_destroy(estimate);
    return 0;
}

static struct estimate_kind *kind_of(const char *op_type) {
    return estimate_kind(estimate, VIEW("planner"), view_of(op_type));
}

static void must_finish(const char *op_type, double took_s, unsigned times) {
    for (unsigned i = 0; i < times; i++)
        estimate_finished(estimate, kind_of(op_type), (int64_t)(took_s * 1e9), 0);
}

static struct estimate_answer ask(const struct estimate_question *question) {
    struct estimate_answer answer;
    estimate_wait(estimate, question, &answer);
    return answer;
}

static void check_near(double seen, double wanted, double off) {
    if (fabs(seen - wanted) > off) fail_msg("%g is not %g", seen, wanted);
}

/* ---- Stories ----------------------------------------------------------------------------- */

TEST(without_a_sample_nothing_is_said) {
    (void)state;
    double s = 0;
    assert_false(ask(&(struct estimate_question){.ahead = 3, .width = 1, .places = 1}).known);
    assert_false(estimate_processing(estimate, kind_of("plan"), &s));
    assert_false(estimate_rate(estimate, 1, &s));
}

TEST(but_what_a_running_agent_says_counts) {
    (void)state;
    struct estimate_run run = {.remaining_s = 30, .reported_at = 10 * S};
    struct estimate_question question = {
        .ahead = 1, .width = 1, .runs = &run, .run_count = 1, .places = 1, .now = 10 * S};
    struct estimate_answer answer = ask(&question);
    assert_true(answer.known);
    assert_true(answer.low_s < answer.wait_s && answer.wait_s < answer.high_s);
    assert_true(answer.wait_s > 30 && answer.wait_s < 80);
}

TEST(constant_times_add_up) {
    (void)state;
    must_finish("plan", 10, 500);
    struct estimate_run run = {.kind = kind_of("plan")};
    struct estimate_question question = {
        .ahead = 4, .width = 1, .runs = &run, .run_count = 1, .places = 1, .now = 4 * S};
    struct estimate_answer answer = ask(&question);
    check_near(answer.wait_s, 46, 2);
    assert_true(answer.low_s > 35 && answer.high_s < 60);
    double s = 0;
    assert_true(estimate_processing(estimate, kind_of("plan"), &s));
    check_near(s, 10, 0.01);
    assert_true(estimate_remaining(estimate, &run, 4 * S, &s));
    check_near(s, 6, 0.1);
}

TEST(an_agents_own_word_beats_the_average) {
    (void)state;
    must_finish("plan", 10, 100);
    struct estimate_run run = {
        .kind = kind_of("plan"), .percent = 50, .remaining_s = 100, .reported_at = 4 * S};
    double s = 0;
    assert_true(estimate_remaining(estimate, &run, 5 * S, &s));
    check_near(s, 99, 0.01);
    run.remaining_s = 0;
    run.percent = 99;
    run.reported_at = 99 * S;
    assert_true(estimate_remaining(estimate, &run, 99 * S, &s));
    assert_true(s < 3);
}

TEST(fewer_workers_than_places_are_noticed) {
    (void)state;
    must_finish("plan", 10, 100);
    for (int64_t t = 0; t < 100; t++)
        estimate_load(estimate, 2, 50, t * 10 * S);
    struct estimate_run runs[2] = {{.kind = kind_of("plan"), .started_at = 995 * S},
                                   {.kind = kind_of("plan"), .started_at = 995 * S}};
    struct estimate_question question = {
        .ahead = 50, .width = 10, .runs = runs, .run_count = 2, .places = 2, .now = 1000 * S};
    check_near(ask(&question).wait_s, 255, 20);
    double per_s = 0;
    assert_true(estimate_rate(estimate, 10, &per_s));
    check_near(per_s, 0.2, 0.01);
}

TEST(a_worker_that_waits_means_no_wait) {
    (void)state;
    must_finish("plan", 10, 100);
    struct estimate_question question = {.width = 2, .takers = 1};
    struct estimate_answer answer = ask(&question);
    assert_true(answer.known);
    check_near(answer.high_s, 0, 0);
    question.paused = true;
    assert_false(ask(&question).known);
}

TEST(a_lane_without_workers_says_for_how_long) {
    (void)state;
    estimate_load(estimate, 0, 1, 5 * S);
    estimate_load(estimate, 0, 2, 7 * S);
    check_near(estimate_idle_s(estimate, 15 * S), 10, 0.001);
    estimate_claimed(estimate, 15 * S);
    check_near(estimate_idle_s(estimate, 16 * S), 1, 0.001);
    estimate_load(estimate, 1, 1, 17 * S);
    check_near(estimate_idle_s(estimate, 18 * S), 0, 0);
}

TEST(not_before_is_waited_for) {
    (void)state;
    must_finish("plan", 10, 100);
    struct estimate_question question = {.width = 1, .not_before = 100 * S, .now = 40 * S};
    check_near(ask(&question).wait_s, 60, 0.001);
}

TEST(kinds_past_the_bound_share_one) {
    (void)state;
    char name[16];
    for (unsigned i = 0; i < ESTIMATE_KINDS_MAX; i++) {
        snprintf(name, sizeof name, "%u", i);
        assert_ptr_equal(kind_of(name), kind_of(name));
    }
    assert_ptr_equal(kind_of("one more"), kind_of("and another"));
    assert_ptr_not_equal(kind_of("0"), kind_of("1"));
}

/* ---- Simulated lanes --------------------------------------------------------------------- */

#define WARM 400
#define OPERATIONS_DEFAULT 4000
#define WORKERS_MAX 8
#define MEAN_S 10.0

enum service { CONSTANT, EXPONENTIAL, LOGNORMAL, TWO_KINDS, SERVICES };
static const char *const service_names[] = {"constant", "exponential", "lognormal", "two kinds"};
enum arrival { POISSON, BURSTY, ARRIVALS };
static const char *const arrival_names[] = {"poisson", "bursty"};

struct scenario {
    enum service service;
    enum arrival arrival;
    unsigned workers;
    bool come_and_go; /* Between half and all of the workers are there. */
    bool overtakes;   /* One of five is of class high; only the others are counted. */
};

struct job {
    double arrives, takes, begins;
    double said, low, high;
    bool known, high_class;
    unsigned kind;
};

static uint64_t random_state;
static double uniform(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return ((double)(random_state >> 11) + 0.5) / 9007199254740992.0;
}
static double exponential(double mean) { return -mean * log(uniform()); }
static double normal(void) {
    return sqrt(-2 * log(uniform())) * cos(2 * 3.14159265358979 * uniform());
}

static void draw_service(const struct scenario *scenario, struct job *job) {
    switch (scenario->service) {
    case CONSTANT: job->takes = MEAN_S; return;
    case EXPONENTIAL: job->takes = exponential(MEAN_S); return;
    case LOGNORMAL: /* As scattered as its mean. */
        job->takes = MEAN_S / sqrt(2) * exp(sqrt(log(2)) * normal());
        return;
    case TWO_KINDS: /* Four quick ones of 4, one slow of 34, each give or take a quarter. */
        job->kind = uniform() < 0.2;
        job->takes = (job->kind ? 34 : 4) * (0.75 + uniform() / 2);
        return;
    case SERVICES: return;
    }
}

struct lane {
    struct job *jobs;
    size_t count, arrived;
    size_t *waiting[2]; /* Of the two classes: rows by arrival. */
    size_t first[2], last[2];
    ptrdiff_t at_work[WORKERS_MAX]; /* -1: idle; -2: away. */
    bool leaves[WORKERS_MAX];
    double changes_at;
    unsigned places;
};

static int64_t ns(double s) { return (int64_t)(s * 1e9); }

static size_t ready(const struct lane *lane) {
    return lane->last[0] - lane->first[0] + lane->last[1] - lane->first[1];
}

static void give_work(struct lane *lane, double now) {
    for (unsigned w = 0; w < WORKERS_MAX; w++) {
        unsigned class_ = lane->first[1] < lane->last[1];
        if (lane->at_work[w] != -1 || lane->first[class_] == lane->last[class_]) continue;
        size_t at = lane->waiting[class_][lane->first[class_]++];
        lane->jobs[at].begins = now;
        lane->at_work[w] = (ptrdiff_t)at;
        lane->places++;
    }
    estimate_load(estimate, lane->places, ready(lane), ns(now));
}

static void submit(struct lane *lane, double now) {
    struct job *job = &lane->jobs[lane->arrived];
    struct estimate_run runs[WORKERS_MAX];
    struct estimate_question question = {
        .level = job->high_class ? QUEUE_HIGH : QUEUE_NORMAL,
        .width = WORKERS_MAX,
        .runs = runs,
        .now = ns(now),
    };
    for (unsigned w = 0; w < WORKERS_MAX; w++) {
        question.takers += lane->at_work[w] == -1;
        if (lane->at_work[w] < 0) continue;
        const struct job *other = &lane->jobs[lane->at_work[w]];
        runs[question.run_count++] = (struct estimate_run){
            .kind = kind_of(other->kind ? "slow" : "quick"), .started_at = ns(other->begins)};
    }
    question.places = lane->places;
    question.ahead = lane->last[1] - lane->first[1];
    if (!job->high_class) question.ahead += lane->last[0] - lane->first[0];
    struct estimate_answer answer = ask(&question);
    job->known = answer.known;
    job->said = answer.wait_s;
    job->low = answer.low_s;
    job->high = answer.high_s;
    estimate_queued(estimate, question.level, ns(now));
    lane->waiting[job->high_class][lane->last[job->high_class]++] = lane->arrived++;
}

/* Somebody leaves when the work in hand is done, or comes back. */
static void change_workers(struct lane *lane, const struct scenario *scenario, double now) {
    unsigned wanted = scenario->workers / 2 + (unsigned)(uniform() * (scenario->workers / 2 + 1));
    for (unsigned w = 0; w < scenario->workers; w++) {
        lane->leaves[w] = w >= wanted;
        if (!lane->leaves[w] && lane->at_work[w] == -2) lane->at_work[w] = -1;
        if (lane->leaves[w] && lane->at_work[w] == -1) lane->at_work[w] = -2;
    }
    lane->changes_at = now + 100 * MEAN_S;
}

static void plan_jobs(const struct scenario *scenario, struct lane *lane) {
    double capacity = scenario->come_and_go ? scenario->workers * 0.75 : scenario->workers;
    double between = MEAN_S / (capacity * 0.93), now = 0;
    for (size_t i = 0; i < lane->count; i++) {
        bool comes = scenario->arrival == POISSON || i % 20 == 0;
        if (comes) now += exponential(scenario->arrival == POISSON ? between : 20 * between);
        lane->jobs[i].arrives = now;
        lane->jobs[i].high_class = scenario->overtakes && uniform() < 0.2;
        draw_service(scenario, &lane->jobs[i]);
    }
}

static void run_lane(const struct scenario *scenario, struct lane *lane) {
    for (unsigned w = 0; w < WORKERS_MAX; w++)
        lane->at_work[w] = w < scenario->workers ? -1 : -2;
    lane->changes_at = scenario->come_and_go ? 0 : INFINITY;
    size_t done = 0;
    while (done < lane->count) {
        double arrival = lane->arrived < lane->count ? lane->jobs[lane->arrived].arrives : INFINITY;
        double ends = INFINITY;
        unsigned who = 0;
        for (unsigned w = 0; w < WORKERS_MAX; w++) {
            if (lane->at_work[w] < 0) continue;
            const struct job *job = &lane->jobs[lane->at_work[w]];
            if (job->begins + job->takes < ends) {
                ends = job->begins + job->takes;
                who = w;
            }
        }
        double now = fmin(lane->changes_at, fmin(arrival, ends));
        if (now == lane->changes_at) {
            change_workers(lane, scenario, now);
        } else if (now == ends) {
            const struct job *job = &lane->jobs[lane->at_work[who]];
            estimate_finished(estimate, kind_of(job->kind ? "slow" : "quick"), ns(job->takes),
                              ns(now));
            lane->at_work[who] = lane->leaves[who] ? -2 : -1;
            lane->places--;
            done++;
        } else {
            submit(lane, now);
        }
        give_work(lane, now);
    }
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct score {
    double *errors;
    size_t count, inside;
    double real, said; /* Sums. */
};

static double median(struct score *score) {
    qsort(score->errors, score->count, sizeof *score->errors, compare_doubles);
    return score->errors[score->count / 2];
}

static void simulate(const struct scenario *scenario, size_t operations, struct score *all) {
    struct lane lane = {.count = operations, .jobs = calloc(operations, sizeof(struct job))};
    struct score score = {.errors = calloc(operations, sizeof(double))};
    for (unsigned i = 0; i < 2; i++)
        lane.waiting[i] = calloc(operations, sizeof(size_t));
    assert_non_null(lane.jobs);
    assert_non_null(score.errors);
    assert_int_equal(estimate_create(&estimate, NULL), STET_OK);
    plan_jobs(scenario, &lane);
    run_lane(scenario, &lane);
    for (size_t i = WARM; i < operations; i++) {
        const struct job *job = &lane.jobs[i];
        double waited = job->begins - job->arrives;
        if (waited < MEAN_S || job->high_class) continue;
        assert_true(job->known);
        score.errors[score.count++] = fabs(job->said - waited) / waited;
        score.inside += waited >= job->low && waited <= job->high;
        score.real += waited;
        score.said += job->said;
    }
    assert_true(median(&score) <= 0.30);
    memcpy(all->errors + all->count, score.errors, score.count * sizeof(double));
    all->count += score.count;
    all->inside += score.inside;
    printf("%-11s %-7s %u workers%s%s: %zu waits of %.0f s, said %.0f s; median error %.1f %%; "
           "%.0f %% inside "
           "the range\n",
           service_names[scenario->service], arrival_names[scenario->arrival], scenario->workers,
           scenario->come_and_go ? ", come and go" : "", scenario->overtakes ? ", overtaken" : "",
           score.count, score.real / (double)score.count, score.said / (double)score.count,
           100 * median(&score), 100.0 * (double)score.inside / (double)score.count);
    estimate_destroy(estimate);
    free(lane.jobs);
    free(lane.waiting[0]);
    free(lane.waiting[1]);
    free(score.errors);
}

TEST(estimates_are_near_what_happens) {
    (void)state;
    const char *given = getenv("STET_TEST_OPERATIONS");
    size_t operations = given == NULL ? OPERATIONS_DEFAULT : strtoul(given, NULL, 10);
    static const unsigned workers[] = {1, 2, 4, 8};
    struct score all = {.errors = calloc(operations * 64, sizeof(double))};
    assert_non_null(all.errors);
    random_state = 88172645463325252u;
    for (unsigned service = 0; service < SERVICES; service++)
        for (unsigned arrival = 0; arrival < ARRIVALS; arrival++) {
            for (unsigned i = 0; i < 4; i++)
                simulate(&(struct scenario){service, arrival, workers[i], false, false}, operations,
                         &all);
            simulate(&(struct scenario){service, arrival, 8, true, false}, operations, &all);
            simulate(&(struct scenario){service, arrival, 2, false, true}, operations, &all);
        }
    double error = median(&all), inside = (double)all.inside / (double)all.count;
    printf("all: %zu waits; median error %.1f %%; %.0f %% inside the range\n", all.count,
           100 * error, 100 * inside);
    assert_true(error <= 0.25);
    assert_true(inside >= 0.70 && inside <= 0.90);
    free(all.errors);
}

int main(void) {
#define story(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        story(without_a_sample_nothing_is_said),
        story(but_what_a_running_agent_says_counts),
        story(constant_times_add_up),
        story(an_agents_own_word_beats_the_average),
        story(fewer_workers_than_places_are_noticed),
        story(a_worker_that_waits_means_no_wait),
        story(a_lane_without_workers_says_for_how_long),
        story(not_before_is_waited_for),
        story(kinds_past_the_bound_share_one),
        cmocka_unit_test(estimates_are_near_what_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
