/*
 * The bare echo of our HTTP layer (echo_server.c), beside which a hot GET is measured. It can do nothing else.
 */
#include "http_link.h"
#include "spawn.h"

#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct spawn spawn;
static char request[256];
static size_t request_size;

/* Its program stands beside ours. */
static void echo_start(struct target *target, const struct target_options *options) {
    char own[SPAWN_PATH_BYTES] = "", program[SPAWN_PATH_BYTES + 16], port[16];
    (void)options->program;
    if (readlink("/proc/self/exe", own, sizeof own - 1) < 0) {
        spawn.name = target->name;
        spawn_fail(&spawn, "where are we", strerror(errno));
    }
    spawn_prepare(&spawn, target->name, options->dir, NULL);
    snprintf(program, sizeof program, "%s/echo_server", dirname(own));
    snprintf(port, sizeof port, "%d", spawn.port);
    spawn_start(&spawn, (const char *[]){program, "--data", spawn.folder, "--port", port, NULL});
    target->pid = spawn.pid;
    target->listening_ms = spawn.listening_ms;
    request_size = (size_t)snprintf(
        request, sizeof request, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", spawn.port);
}

static void echo_stop(struct target *target) {
    spawn_done(&spawn);
    target->pid = 0;
}

static struct link *echo_open(struct target *target) {
    (void)target;
    return http_link_open(spawn_connect(&spawn));
}

static bool echo_can(const char *variant, const struct op *op) {
    (void)variant;
    return op->kind == OP_ECHO;
}

static void echo_send(struct target *target, struct link *link, const struct op *op) {
    (void)target;
    (void)op;
    http_link_send(link, request, request_size);
}

struct target target_echo = {
    .name = "echo",
    .start = echo_start,
    .stop = echo_stop,
    .open = echo_open,
    .close = http_link_close,
    .can = echo_can,
    .send = echo_send,
    .receive = http_link_receive,
};
