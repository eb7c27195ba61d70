/*
 * The HTTP layer: any bytes on a connection, whole or in pieces, to a server with one loop that this thread drives. It must
 * answer with HTTP or not at all, let the connection go, and leave nothing behind.
 *
 * The first byte says how the rest is cut: into pieces of (byte modulo 64) bytes; 0: all at once.
 */
#include "base/limits.h"
#include "fuzz.h"
#include "http/presence.h"
#include "http/request.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

/* The engine keeps what was written: a fresh one now and then. */
enum { INPUTS_PER_ENGINE = 2000, ROUNDS_MAX = 2000 };

static struct http_server server;
static struct loop *loop;
static unsigned inputs;

static void wake(void *context, unsigned index) {
    (void)context;
    (void)index;
    atomic_store(&loop->presence_due, true);
    loop_wake(loop);
}

static void begin(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7838)};
    struct sockaddr_storage storage = {0};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(&storage, &address, sizeof address);
    memset(&server, 0, sizeof server);
    server.options = (struct http_options){
        .listen = "127.0.0.1:7838",
        .no_auth = true,
        .io_threads = 1,
        .connections_max = 100,
        .header_timeout_s = HTTP_HEADER_TIMEOUT_S,
        .body_timeout_s = HTTP_BODY_TIMEOUT_S,
        .idle_timeout_s = HTTP_IDLE_TIMEOUT_S,
        .bookmark_s = FEED_BOOKMARK_S,
    };
    REQUIRE(stet_open(NULL, &server.engine, NULL) == STET_OK);
    REQUIRE(gate_init(&server.gate, &server.options, &storage, 1, NULL) == STET_OK);
    loop = calloc(1, sizeof *loop);
    REQUIRE(loop != NULL);
    server.loops = loop;
    server.loop_count = 1;
    REQUIRE(presence_create(1, wake, NULL, &server.presence, NULL) == STET_OK);
    REQUIRE(loop_prepare(loop, &server, 0, NULL) == STET_OK);
    REQUIRE(loop_init(loop, NULL) == STET_OK);
}

static void end(void) {
    loop_done(loop);
    loop_unprepare(loop);
    gate_done(&server.gate);
    presence_destroy(server.presence);
    stet_close(server.engine);
    free(loop);
}

/* Takes what was answered; checks how the first of it begins. */
static void drain(int fd, bool *first) {
    char bytes[65536];
    for (;;) {
        ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (size <= 0) return;
        if (*first) REQUIRE(size >= 7 && memcmp(bytes, "HTTP/1.", 7) == 0);
        *first = false;
    }
}

static void turn(int fd, bool *first) {
    loop_round(loop, loop->commands > 0 ? 50 : 0);
    drain(fd, first);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    int pair[2];
    bool first = true;
    if (size < 2) return 0;
    if (inputs++ % INPUTS_PER_ENGINE == 0) {
        if (inputs > 1) {
            end();
        } else {
            atexit(end);
        }
        begin();
    }
    size_t piece = bytes[0] % 64;
    bytes++;
    size--;
    if (piece == 0) piece = size;

    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    atomic_fetch_add(&server.connections, 1);
    loop_add_socket(loop, pair[0]);
    for (int stuck = 0; size > 0 && stuck < ROUNDS_MAX;) {
        ssize_t sent =
            send(pair[1], bytes, piece < size ? piece : size, MSG_NOSIGNAL | MSG_DONTWAIT);
        turn(pair[1], &first);
        if (sent <= 0) {
            stuck++;
            if (atomic_load(&server.connections) == 0) break;
            continue;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
    (void)shutdown(pair[1], SHUT_WR);
    for (int i = 0; i < 20 || loop->commands > 0; i++)
        turn(pair[1], &first);
    close(pair[1]);
    for (int i = 0; i < ROUNDS_MAX && atomic_load(&server.connections) > 0; i++)
        loop_round(loop, i < 100 ? 0 : 1);
    REQUIRE(atomic_load(&server.connections) == 0);
    REQUIRE(loop->requests == 0 && loop->peers == NULL && loop->streams == NULL);
    return 0;
}
