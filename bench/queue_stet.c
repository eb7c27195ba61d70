/*
 * Stet's request queue over HTTP/1.1: POST …/operations, …/lanes/{lane}/claim, …/operations/{id}/complete. Each submission carries a mutation
 * key, as a careful client's would.
 */
#include "http_link.h"
#include "queue_target.h"
#include "server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct target target = {.name = "stet"};

static void stet_start(const struct target_options *options) { server_start(options, &target.pid); }
static void stet_stop(void) {
    server_stop(target.pid);
    target.pid = 0;
}
static pid_t stet_pid(void) { return target.pid; }

static size_t post(char out[REQUEST_BYTES_MAX], const char *path, const char *more,
                   const char *body) {
    int size = snprintf(out, REQUEST_BYTES_MAX,
                        "POST /v1/main/%s%s%sContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        path, server_lines, more, strlen(body), body);
    return (size_t)size;
}

static void stet_make_lane(const char *lane) {
    static const char settings[] =
        "{\"width\":1000,\"max_queued\":1000000,\"max_queued_per_actor\":1000000}";
    char request[REQUEST_BYTES_MAX], answer[REPLY_BYTES_MAX];
    int size = snprintf(request, sizeof request,
                        "PUT /v1/main/lanes/%s%sConnection: close\r\nContent-Type: application/json"
                        "\r\nIf-None-Match: *\r\nContent-Length: %zu\r\n\r\n%s",
                        lane, server_lines, strlen(settings), settings);
    server_ask(request, (size_t)size, answer, sizeof answer);
    errno = 0;
    if (strncmp(answer, "HTTP/1.1 20", 11) != 0) server_fail(answer);
}

static struct link *open_link(const char *lane) {
    (void)lane;
    return http_link_open(server_connect());
}

static void stet_send(struct link *link, enum job_step step, const struct job *job) {
    char request[REQUEST_BYTES_MAX], path[256], more[96] = "", body[512], input[JOB_BYTES_MAX];
    switch (step) {
    case JOB_SUBMIT:
        job_write(input, job->number);
        snprintf(path, sizeof path, "operations");
        snprintf(more, sizeof more, "Idempotency-Key: %s-%" PRIu64 "\r\n", job->lane, job->number);
        snprintf(body, sizeof body, "{\"lane\":\"%s\",\"agent\":\"bench\",\"input\":%s}", job->lane,
                 input);
        break;
    case JOB_CLAIM:
        snprintf(path, sizeof path, "lanes/%s/claim", job->lane);
        snprintf(body, sizeof body,
                 "{\"agent\":\"bench\",\"worker\":\"%u\",\"hands\":1000,\"wait_s\":%u}",
                 job->worker, job->wait_s);
        break;
    case JOB_COMPLETE:
        snprintf(path, sizeof path, "operations/%s/complete", job->id);
        snprintf(body, sizeof body, "{\"lease\":%" PRIu64 "}", job->lease);
        break;
    }
    http_link_send(link, request, post(request, path, more, body));
}

/* What stands behind a member's name; ends the program where it is not there. */
static const char *member(stet_view body, const char *name) {
    const char *found = memmem(body.bytes, body.size, name, strlen(name));
    errno = 0;
    if (found == NULL) server_fail("an answer is not as it should be");
    return found + strlen(name);
}

static bool stet_receive(struct link *link, enum job_step step, struct job *job) {
    struct reply reply;
    if (!http_link_receive(&target, link, NULL, &reply)) return false;
    /* 202: it is queued. Of a record it would mean a conflict, so that links call it a refusal. */
    bool queued = step == JOB_SUBMIT && reply.kind == REPLY_REFUSED &&
                  strncmp(reply.body.bytes, "HTTP/1.1 202", 12) == 0;
    if (reply.kind != REPLY_OK && reply.kind != REPLY_CREATED && !queued) {
        fprintf(stderr, "%.*s\n", (int)reply.body.size, reply.body.bytes);
        errno = 0;
        server_fail("a step was refused");
    }
    if (step != JOB_CLAIM) return true;
    job->found = memmem(reply.body.bytes, reply.body.size, "\"lease\"", 7) != NULL;
    if (!job->found) return true;
    const char *id = member(reply.body, "\"id\":\"");
    snprintf(job->id, sizeof job->id, "%.*s", (int)strcspn(id, "\""), id);
    const char *token = member(reply.body, "\"token\":");
    job->lease = strtoull(token + (*token == '"'), NULL, 10);
    errno = 0;
    if (!job_read(reply.body, &job->number)) server_fail("a job without its number");
    return true;
}

/* The sum of an object of numbers, or a number. */
static uint64_t sum_of(const char *text) {
    uint64_t sum = 0;
    if (*text != '{') return strtoull(text, NULL, 10);
    for (; *text != '\0' && *text != '}'; text++)
        if (*text == ':') sum += strtoull(text + 1, NULL, 10);
    return sum;
}

static void stet_count(const char *lane, uint64_t *waiting, uint64_t *running) {
    char request[REQUEST_BYTES_MAX], answer[REPLY_BYTES_MAX];
    int size = snprintf(request, sizeof request, "GET /v1/main/lanes/%s%sConnection: close\r\n\r\n",
                        lane, server_lines);
    server_ask(request, (size_t)size, answer, sizeof answer);
    stet_view body = {answer, strlen(answer)};
    *waiting = sum_of(member(body, "\"queued\":"));
    *running = sum_of(member(body, "\"running\":"));
}

struct queue_target queue_stet = {
    .name = "stet",
    .start = stet_start,
    .stop = stet_stop,
    .pid = stet_pid,
    .make_lane = stet_make_lane,
    .open = open_link,
    .close = http_link_close,
    .send = stet_send,
    .receive = stet_receive,
    .count = stet_count,
    .wakes = true,
};
