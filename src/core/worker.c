#include "core/worker.h"

#include "base/error.h"
#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

stet_status workers_init(struct workers *workers) {
    *workers =
        (struct workers){.waiting_max = READ_QUEUE_MAX, .busy = "too many reads are waiting"};
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->wake, NULL);
    return STET_OK;
}

/* The first job in the queue, or NULL. Under the lock. */
static struct job *take_first(struct workers *workers) {
    struct job *job = workers->first;
    if (job == NULL) return NULL;
    workers->first = job->next;
    if (workers->first == NULL) workers->last = NULL;
    workers->waiting--;
    job->next = NULL;
    return job;
}

static void *worker_main(void *context) {
    struct workers *workers = context;
    struct job *job;
    pthread_setname_np(pthread_self(), "worker");
    pthread_mutex_lock(&workers->lock);
    for (;;) {
        while ((job = take_first(workers)) == NULL && !workers->stopping)
            pthread_cond_wait(&workers->wake, &workers->lock);
        if (job == NULL) break;
        pthread_mutex_unlock(&workers->lock);
        job->run(job);
        pthread_mutex_lock(&workers->lock);
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

stet_status workers_start(struct workers *workers, size_t count, stet_error *err) {
    assert(workers->threads == NULL);
    workers->threads = calloc(count, sizeof *workers->threads);
    if (workers->threads == NULL && count > 0)
        return error_set(err, STET_NO_MEMORY, "could not start %zu worker threads", count);
    while (workers->thread_count < count) {
        int failure =
            pthread_create(&workers->threads[workers->thread_count], NULL, worker_main, workers);
        if (failure != 0) {
            workers_stop(workers);
            error_set(err, STET_NO_MEMORY, "could not start a worker thread");
            error_cause(err, "pthread_create: %s", strerror(failure));
            return STET_NO_MEMORY;
        }
        workers->thread_count++;
    }
    return STET_OK;
}

void workers_stop(struct workers *workers) {
    pthread_mutex_lock(&workers->lock);
    workers->stopping = true;
    pthread_cond_broadcast(&workers->wake);
    pthread_mutex_unlock(&workers->lock);
    for (size_t index = 0; index < workers->thread_count; index++)
        pthread_join(workers->threads[index], NULL);
    workers->thread_count = 0;
    /* Without threads (manual mode, or a failed start) what waits is done here. */
    while (workers_step(workers))
        ;
}

void workers_done(struct workers *workers) {
    assert(workers->thread_count == 0 && workers->first == NULL);
    free(workers->threads);
    pthread_cond_destroy(&workers->wake);
    pthread_mutex_destroy(&workers->lock);
    *workers = (struct workers){0};
}

stet_status workers_submit(struct workers *workers, struct job *job, stet_error *err) {
    stet_status status = STET_OK;
    job->next = NULL;
    pthread_mutex_lock(&workers->lock);
    if (workers->stopping) {
        status = STET_SHUTTING_DOWN;
    } else if (workers->waiting >= workers->waiting_max) {
        status = STET_BUSY;
    } else {
        if (workers->last == NULL)
            workers->first = job;
        else
            workers->last->next = job;
        workers->last = job;
        workers->waiting++;
        pthread_cond_signal(&workers->wake);
    }
    pthread_mutex_unlock(&workers->lock);
    if (status == STET_BUSY) {
        error_set(err, STET_BUSY, "%s", workers->busy);
        error_field(err, "", workers->waiting_max);
    } else if (status != STET_OK) {
        error_set(err, status, "the engine is closing");
    }
    return status;
}

bool workers_step(struct workers *workers) {
    struct job *job;
    pthread_mutex_lock(&workers->lock);
    job = take_first(workers);
    pthread_mutex_unlock(&workers->lock);
    if (job == NULL) return false;
    job->run(job);
    return true;
}
