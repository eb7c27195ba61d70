/*
 * Workers: threads for what may take long (lists, history, checks, cold feed pages). A job is anything with a function; jobs
 * are taken in order. Bounded: past READ_QUEUE_MAX waiting, STET_BUSY.
 */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include "stet.h"

#include <pthread.h>

struct job {
    struct job *next;
    void (*run)(struct job *job); /* On a worker; may free the job. */
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *first, *last;
    size_t waiting;
    size_t waiting_max; /* READ_QUEUE_MAX, unless set before the first job. */
    const char *busy;   /* What is said when so many wait. */
    pthread_t *threads;
    size_t thread_count;
    bool stopping;
};

stet_status workers_init(struct workers *workers);
stet_status workers_start(struct workers *workers, size_t count, stet_error *err);
void workers_stop(struct workers *workers); /* Works off what waits first. */
void workers_done(struct workers *workers);
stet_status workers_submit(struct workers *workers, struct job *job, stet_error *err);
/* Manual mode: runs one job here. False when none waits. */
bool workers_step(struct workers *workers);

#endif
