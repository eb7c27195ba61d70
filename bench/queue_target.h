/*
 * A queue under load: jobs are submitted, claimed and completed over links, one step at a time on each. A target turns steps into bytes and
 * bytes into replies, and starts and stops its server; queue_load.c drives them. What a target cannot do ends the program with a sentence.
 */
#ifndef BENCH_QUEUE_TARGET_H
#define BENCH_QUEUE_TARGET_H

#include "target.h"

enum { JOB_BYTES_MAX = 160 };

enum job_step { JOB_SUBMIT, JOB_CLAIM, JOB_COMPLETE };

struct job {
    uint64_t number;  /* Ours: what the payload says. */
    char id[64];      /* The server's, of a claimed one. */
    uint64_t lease;   /* Likewise, where there is such a thing. */
    bool found;       /* By the claim. */
    unsigned wait_s;  /* A claim waits for so long; 0: it does not. */
    const char *lane; /* Another name for a queue, a tube, a value in a column. */
    unsigned worker;  /* Who asks. */
};

struct queue_target {
    const char *name;
    void (*start)(const struct target_options *options);
    void (*stop)(void);
    pid_t (*pid)(void);
    /* Before its first job. */
    void (*make_lane)(const char *lane);
    struct link *(*open)(const char *lane);
    void (*close)(struct link *link);
    void (*send)(struct link *link, enum job_step step, const struct job *job);
    /* False: not complete. Of a claim it fills the job. */
    bool (*receive)(struct link *link, enum job_step step, struct job *job);
    /* How many wait and run, as the server says. */
    void (*count)(const char *lane, uint64_t *waiting, uint64_t *running);
    bool wakes;        /* A claim can wait for a job. */
    bool has_children; /* Its work is done by child processes. */
};

extern struct queue_target queue_stet;
extern struct queue_target queue_beanstalkd;
extern struct queue_target queue_postgres; /* Where there is libpq; see meson.build. */
extern struct queue_target queue_racy;     /* Likewise. */

/* The payload of a job, the same for all: some 100 bytes of JSON; and its number again. */
size_t job_write(char out[JOB_BYTES_MAX], uint64_t number);
bool job_read(stet_view payload, uint64_t *number);

#endif
