/*
 * beanstalkd with a write-ahead log that is synced at each write (-f 0): put, reserve, delete. A lane is a tube.
 */
#include "queue_target.h"
#include "spawn.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct beanstalkd_link {
    struct link link;
    size_t in_size;
    char in[REPLY_BYTES_MAX];
};

static struct spawn spawn;

static noreturn void fail(const char *what, const char *why) { spawn_fail(&spawn, what, why); }

static void beanstalkd_start(const struct target_options *options) {
    char program[SPAWN_PATH_BYTES], log[SPAWN_PATH_BYTES], port[16];
    spawn_prepare(&spawn, "beanstalkd", options->dir, NULL);
    if (!spawn_find("beanstalkd", NULL, program))
        fail("is not installed", "Debian's package is beanstalkd");
    snprintf(log, sizeof log, "%s", spawn.folder);
    snprintf(port, sizeof port, "%d", spawn.port);
    spawn_start(&spawn, (const char *[]){program, "-l", "127.0.0.1", "-p", port, "-f", "0", "-b",
                                         log, NULL});
}

static void beanstalkd_stop(void) { spawn_done(&spawn); }
static pid_t beanstalkd_pid(void) { return spawn.pid; }
static void beanstalkd_make_lane(const char *lane) { (void)lane; }

static void say(struct link *link, const char *bytes, size_t size) {
    if (send(link->fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
        fail("a connection was lost", strerror(errno));
}

/* Reads more; false: there is none now. */
static bool read_more(struct beanstalkd_link *link) {
    ssize_t got =
        recv(link->link.fd, link->in + link->in_size, sizeof link->in - 1 - link->in_size, 0);
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) fail("it closed a connection, or an answer is too long", strerror(errno));
    link->in_size += (size_t)got;
    link->in[link->in_size] = '\0';
    return true;
}

/* An answer by itself, to a line; with a body, all that comes until it is quiet. */
static void ask(struct beanstalkd_link *link, const char *line, const char *wanted) {
    say(&link->link, line, strlen(line));
    link->in_size = 0;
    link->in[0] = '\0';
    while (strstr(link->in, "\r\n") == NULL) {
        struct pollfd ready = {.fd = link->link.fd, .events = POLLIN};
        poll(&ready, 1, -1);
        read_more(link);
    }
    if (strncmp(link->in, wanted, strlen(wanted)) != 0) fail(line, link->in);
}

static struct link *beanstalkd_open(const char *lane) {
    char line[128];
    struct beanstalkd_link *link = calloc(1, sizeof *link);
    if (link == NULL) fail("connect", "out of memory");
    link->link = (struct link){.fd = spawn_connect(&spawn), .timer = -1};
    snprintf(line, sizeof line, "use %s\r\n", lane);
    ask(link, line, "USING");
    snprintf(line, sizeof line, "watch %s\r\n", lane);
    ask(link, line, "WATCHING");
    ask(link, "ignore default\r\n", "WATCHING");
    link->in_size = 0;
    return &link->link;
}

static void beanstalkd_close(struct link *link) {
    close(link->fd);
    free(link);
}

static void beanstalkd_send(struct link *link, enum job_step step, const struct job *job) {
    char out[512], payload[JOB_BYTES_MAX];
    int size = 0;
    switch (step) {
    case JOB_SUBMIT: {
        size_t bytes = job_write(payload, job->number);
        size = snprintf(out, sizeof out, "put 1024 0 60 %zu\r\n%s\r\n", bytes, payload);
        break;
    }
    case JOB_CLAIM:
        size = snprintf(out, sizeof out, "reserve-with-timeout %u\r\n", job->wait_s);
        break;
    case JOB_COMPLETE: size = snprintf(out, sizeof out, "delete %s\r\n", job->id); break;
    }
    say(link, out, (size_t)size);
}

static bool beanstalkd_receive(struct link *base, enum job_step step, struct job *job) {
    struct beanstalkd_link *link = (struct beanstalkd_link *)base;
    if (!read_more(link)) return false;
    const char *end = strstr(link->in, "\r\n");
    if (end == NULL) return false;
    if (step == JOB_SUBMIT) {
        if (strncmp(link->in, "INSERTED ", 9) != 0) fail("put", link->in);
    } else if (step == JOB_COMPLETE) {
        if (strncmp(link->in, "DELETED", 7) != 0) fail("delete", link->in);
    } else if (strncmp(link->in, "RESERVED ", 9) != 0) {
        if (strncmp(link->in, "TIMED_OUT", 9) != 0) fail("reserve", link->in);
        job->found = false;
    } else {
        char *rest;
        uint64_t id = strtoull(link->in + 9, &rest, 10);
        size_t bytes = strtoull(rest, NULL, 10);
        const char *payload = end + 2;
        if ((size_t)(link->in + link->in_size - payload) < bytes + 2) return false;
        job->found = true;
        snprintf(job->id, sizeof job->id, "%" PRIu64, id);
        if (!job_read((stet_view){payload, bytes}, &job->number))
            fail("a job without its number", link->in);
    }
    link->in_size = 0;
    return true;
}

static uint64_t number_of(const char *text, const char *name) {
    const char *found = strstr(text, name);
    if (found == NULL) fail(name, text);
    return strtoull(found + strlen(name), NULL, 10);
}

static void beanstalkd_count(const char *lane, uint64_t *waiting, uint64_t *running) {
    char line[128];
    struct beanstalkd_link *link = (struct beanstalkd_link *)beanstalkd_open(lane);
    snprintf(line, sizeof line, "stats-tube %s\r\n", lane);
    ask(link, line, "OK ");
    while (strstr(link->in, "pause-time-left") == NULL) { /* The last line. */
        struct pollfd ready = {.fd = link->link.fd, .events = POLLIN};
        poll(&ready, 1, -1);
        read_more(link);
    }
    *waiting = number_of(link->in, "current-jobs-ready: ");
    *running = number_of(link->in, "current-jobs-reserved: ");
    beanstalkd_close(&link->link);
}

struct queue_target queue_beanstalkd = {
    .name = "beanstalkd",
    .start = beanstalkd_start,
    .stop = beanstalkd_stop,
    .pid = beanstalkd_pid,
    .make_lane = beanstalkd_make_lane,
    .open = beanstalkd_open,
    .close = beanstalkd_close,
    .send = beanstalkd_send,
    .receive = beanstalkd_receive,
    .count = beanstalkd_count,
    .wakes = true,
};
