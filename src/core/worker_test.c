#include "core/worker.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct numbered {
    struct job job;
    int number;
};

static int done[16];
static int done_count;
static atomic_int freed;

static void note(struct job *job) { done[done_count++] = ((struct numbered *)job)->number; }

static void count_and_free(struct job *job) {
    atomic_fetch_add(&freed, 1);
    free(job);
}

static void jobs_run_in_order(void **state) {
    (void)state;
    struct workers workers;
    struct numbered jobs[3];
    assert_int_equal(workers_init(&workers), STET_OK);
    for (int index = 0; index < 3; index++) {
        jobs[index] = (struct numbered){.job.run = note, .number = index};
        assert_int_equal(workers_submit(&workers, &jobs[index].job, NULL), STET_OK);
    }
    assert_true(workers_step(&workers));
    assert_int_equal(done_count, 1);
    workers_stop(&workers);
    assert_int_equal(done_count, 3);
    for (int index = 0; index < 3; index++)
        assert_int_equal(done[index], index);
    assert_false(workers_step(&workers));
    workers_done(&workers);
}

static void what_waits_is_bounded(void **state) {
    (void)state;
    struct workers workers;
    struct job *jobs = calloc(READ_QUEUE_MAX + 1, sizeof *jobs);
    stet_error err;
    done_count = 0;
    assert_int_equal(workers_init(&workers), STET_OK);
    for (int index = 0; index < READ_QUEUE_MAX; index++) {
        struct job *job = malloc(sizeof *job);
        *job = (struct job){.run = count_and_free};
        assert_int_equal(workers_submit(&workers, job, &err), STET_OK);
    }
    jobs[0].run = count_and_free;
    assert_int_equal(workers_submit(&workers, &jobs[0], &err), STET_BUSY);
    assert_int_equal(err.status, STET_BUSY);
    assert_int_equal(err.limit, READ_QUEUE_MAX);
    atomic_store(&freed, 0);
    workers_stop(&workers);
    assert_int_equal(atomic_load(&freed), READ_QUEUE_MAX);
    assert_int_equal(workers_submit(&workers, &jobs[0], &err), STET_SHUTTING_DOWN);
    workers_done(&workers);
    free(jobs);
}

static void threads_work_off_everything_before_they_stop(void **state) {
    (void)state;
    struct workers workers;
    int submitted = 0;
    atomic_store(&freed, 0);
    assert_int_equal(workers_init(&workers), STET_OK);
    assert_int_equal(workers_start(&workers, 3, NULL), STET_OK);
    while (submitted < 2000) {
        struct job *job = malloc(sizeof *job);
        *job = (struct job){.run = count_and_free};
        assert_int_equal(workers_submit(&workers, job, NULL), STET_OK);
        submitted++;
    }
    workers_stop(&workers);
    assert_int_equal(atomic_load(&freed), submitted);
    workers_done(&workers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_in_order),
        cmocka_unit_test(what_waits_is_bounded),
        cmocka_unit_test(threads_work_off_everything_before_they_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
