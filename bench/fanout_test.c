/*
 * The audit of the fan-out: a server that does not send everybody everything once, in order, gets no figure. The server here is a few
 * lines that speak just enough HTTP, in a process of its own; honest, or broken in one way.
 */
#include "fanout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum fault {
    HONEST,
    LOSES_ONE,       /* One subscriber does not get one change. */
    SENDS_ONE_TWICE, /* One gets one again. */
    SWAPS_TWO,       /* One gets two the wrong way round. */
    SENDS_ANOTHERS,  /* One gets a change that does not concern it. */
    INVENTS_ONE,     /* One gets a position that was never written. */
    ENDS_A_STREAM,
    RESETS_A_STREAM,
    ANSWERS_TWICE_ALIKE, /* Two writes are said to have one position. */
};

enum { PEERS_MAX = 64, IN_BYTES = 8192, FAULT_AT = 40 };

struct peer {
    int fd;
    bool listens;
    char what[64]; /* "record-0000007", "g=07", or "": the type. */
    size_t in_size;
    char in[IN_BYTES];
    char held[1024]; /* An event that was passed over by the one after it. */
};

/* ---- The server -------------------------------------------------------------------------- */

static enum fault fault;
static struct peer peers[PEERS_MAX];
static struct pollfd polled[PEERS_MAX + 1];
static size_t peer_count;
static unsigned long long last_seq, changes;

static void say(const struct peer *peer, const char *text) {
    size_t size = strlen(text);
    if (send(peer->fd, text, size, MSG_NOSIGNAL) != (ssize_t)size) _exit(3);
}

static bool concerns(const struct peer *peer, const char *id) {
    if (peer->what[0] == '\0') return true;
    if (peer->what[0] == 'g')
        return strtoul(peer->what + 2, NULL, 10) == strtoul(id + 7, NULL, 10) % FANOUT_GROUPS;
    return strcmp(peer->what, id) == 0;
}

/* The change at which the fault is, and the subscriber it hits: the first whom it concerns, or not. */
static void tell(struct peer *peer, const char *id, bool at_fault) {
    char event[512];
    snprintf(event, sizeof event,
             "id: %llu\nevent: change\ndata: {\"seq\":%llu,\"record\":{\"id\":\"%s\"}}\n\n",
             last_seq, last_seq, id);
    if (at_fault && fault == LOSES_ONE) return;
    if (at_fault && fault == SWAPS_TWO) {
        snprintf(peer->held, sizeof peer->held, "%s", event);
        return;
    }
    if (at_fault && fault == ENDS_A_STREAM) {
        shutdown(peer->fd, SHUT_RDWR);
        return;
    }
    if (at_fault && fault == RESETS_A_STREAM) say(peer, "id: 1\nevent: reset\ndata: {}\n\n");
    say(peer, event);
    if (at_fault && fault == SENDS_ONE_TWICE) say(peer, event);
    if (at_fault && fault == INVENTS_ONE) {
        snprintf(event, sizeof event, "id: %llu\nevent: change\ndata: {}\n\n", last_seq + 1000);
        say(peer, event);
    }
    if (peer->held[0] != '\0') say(peer, peer->held);
    peer->held[0] = '\0';
}

static void tell_all(const char *id) {
    bool at_fault = ++changes == FAULT_AT;
    for (size_t i = 0; i < peer_count; i++) {
        struct peer *peer = &peers[i];
        if (!peer->listens) continue;
        if (!concerns(peer, id)) {
            if (at_fault && fault == SENDS_ANOTHERS) {
                tell(peer, id, false);
                at_fault = false;
            }
            continue;
        }
        tell(peer, id, at_fault && fault != SENDS_ANOTHERS);
        if (fault != SENDS_ANOTHERS) at_fault = false;
    }
}

static void answer_write(struct peer *peer, char *head) {
    char id[16] = "", text[256], body[64];
    static bool any_listens;
    for (size_t i = 0; i < peer_count && !any_listens; i++)
        any_listens = peers[i].listens;
    memcpy(id, strstr(head, "record-"), 14);
    bool alike = fault == ANSWERS_TWICE_ALIKE && any_listens && changes + 1 == FAULT_AT;
    unsigned long long said = ++last_seq - (alike ? 1 : 0);
    if (any_listens) tell_all(id);
    snprintf(body, sizeof body, "{\"seq\":%llu}", said);
    snprintf(text, sizeof text,
             "HTTP/1.1 200 OK\r\nETag: \"%llu\"\r\nContent-Length: %zu\r\n\r\n%s", last_seq,
             strlen(body), body);
    say(peer, text);
}

static void answer_listener(struct peer *peer, const char *head) {
    char text[256];
    const char *record = strstr(head, "record-");
    const char *group = strstr(head, "%27");
    const char *end = strstr(head, " HTTP/1.1");
    if (record != NULL && record < end) snprintf(peer->what, sizeof peer->what, "%.14s", record);
    if (group != NULL && group < end) snprintf(peer->what, sizeof peer->what, "g=%.2s", group + 3);
    peer->listens = true;
    snprintf(text, sizeof text,
             "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 2000\n\n"
             "id: %llu\nevent: ready\ndata: {}\n\n",
             last_seq);
    say(peer, text);
}

/* Whole requests; false: it left. */
static bool read_peer(struct peer *peer) {
    ssize_t got = recv(peer->fd, peer->in + peer->in_size, sizeof peer->in - 1 - peer->in_size, 0);
    if (got <= 0) return false;
    peer->in_size += (size_t)got;
    peer->in[peer->in_size] = '\0';
    char *body = strstr(peer->in, "\r\n\r\n");
    if (body == NULL) return true;
    const char *length = strstr(peer->in, "Content-Length: ");
    size_t whole =
        (size_t)(body + 4 - peer->in) + (length == NULL ? 0 : strtoul(length + 16, NULL, 10));
    if (peer->in_size < whole) return true;
    peer->in_size = 0;
    if (strncmp(peer->in, "PUT /v1/main/records/task/", 26) == 0)
        answer_write(peer, peer->in);
    else if (strncmp(peer->in, "GET /v1/main/changes?", 21) == 0)
        answer_listener(peer, peer->in);
    else
        _exit(6);
    return true;
}

/* Until all who came are gone. */
static void serve(int listener) {
    bool any = false;
    while (!any || peer_count > 0) {
        polled[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        for (size_t i = 0; i < peer_count; i++)
            polled[i + 1] = (struct pollfd){.fd = peers[i].fd, .events = POLLIN};
        if (poll(polled, peer_count + 1, 20000) <= 0) _exit(4);
        for (size_t i = peer_count; i > 0; i--) {
            if (polled[i].revents == 0 || read_peer(&peers[i - 1])) continue;
            close(peers[i - 1].fd);
            peers[i - 1] = peers[--peer_count];
        }
        if (polled[0].revents == 0) continue;
        if (peer_count == PEERS_MAX) _exit(5);
        peers[peer_count++] = (struct peer){.fd = accept(listener, NULL, NULL)};
        any = true;
    }
}

/* ---- The claims -------------------------------------------------------------------------- */

static int listen_anywhere(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, PEERS_MAX), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void drive(int port, enum fanout_mix mix, double rate) {
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    const struct target_options options = {.url = url, .token = "t"};
    const struct fanout fanout = {.target = &target_stet,
                                  .subscribers = 12,
                                  .mix = mix,
                                  .records = 4,
                                  .writers = 2,
                                  .rate = rate,
                                  .ahead = 8,
                                  .seconds = 0.2,
                                  .patience_s = 1};
    struct fanout_row row;
    target_stet.start(&target_stet, &options);
    fanout_run(&fanout, &row);
    /* Honest figures: everybody got what concerns it. */
    if (mix == FANOUT_TYPE && row.events != row.writes * 12) _exit(2);
    if (row.events <= 0 || row.p99_us <= 0 || row.seconds <= 0) _exit(2);
}

/* Whether there was a row. The generator ends its process when the server is at fault. */
static bool passes_at(enum fault chosen, enum fanout_mix mix, double rate) {
    int port, status;
    int listener = listen_anywhere(&port);
    pid_t server = fork();
    if (server == 0) {
        fault = chosen;
        serve(listener);
        _exit(0);
    }
    close(listener);
    pid_t client = fork();
    if (client == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL) abort();
        drive(port, mix, rate);
        exit(0);
    }
    assert_int_equal(waitpid(client, &status, 0), client);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), 0, 1);
    return WEXITSTATUS(status) == 0;
}

static bool passes(enum fault chosen, enum fanout_mix mix) { return passes_at(chosen, mix, 0); }

static void an_honest_server_gets_a_figure(void **state) {
    (void)state;
    assert_true(passes(HONEST, FANOUT_TYPE));
    assert_true(passes(HONEST, FANOUT_MIXED));
    assert_true(passes(HONEST, FANOUT_RECORD));
    assert_true(passes_at(HONEST, FANOUT_TYPE, 500));
}

static void a_lost_change_is_noticed(void **state) {
    (void)state;
    assert_false(passes(LOSES_ONE, FANOUT_TYPE));
    assert_false(passes(LOSES_ONE, FANOUT_MIXED));
}

static void a_change_sent_twice_is_noticed(void **state) {
    (void)state;
    assert_false(passes(SENDS_ONE_TWICE, FANOUT_TYPE));
}

static void a_change_out_of_order_is_noticed(void **state) {
    (void)state;
    assert_false(passes(SWAPS_TWO, FANOUT_TYPE));
}

static void a_change_for_somebody_else_is_noticed(void **state) {
    (void)state;
    assert_false(passes(SENDS_ANOTHERS, FANOUT_MIXED));
    assert_false(passes(SENDS_ANOTHERS, FANOUT_RECORD));
}

static void a_change_that_was_not_made_is_noticed(void **state) {
    (void)state;
    assert_false(passes(INVENTS_ONE, FANOUT_TYPE));
}

static void a_stream_that_does_not_go_on_is_noticed(void **state) {
    (void)state;
    assert_false(passes(ENDS_A_STREAM, FANOUT_TYPE));
    assert_false(passes(RESETS_A_STREAM, FANOUT_TYPE));
}

static void two_writes_with_one_position_are_noticed(void **state) {
    (void)state;
    assert_false(passes(ANSWERS_TWICE_ALIKE, FANOUT_TYPE));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_server_gets_a_figure),
        cmocka_unit_test(a_lost_change_is_noticed),
        cmocka_unit_test(a_change_sent_twice_is_noticed),
        cmocka_unit_test(a_change_out_of_order_is_noticed),
        cmocka_unit_test(a_change_for_somebody_else_is_noticed),
        cmocka_unit_test(a_change_that_was_not_made_is_noticed),
        cmocka_unit_test(a_stream_that_does_not_go_on_is_noticed),
        cmocka_unit_test(two_writes_with_one_position_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
