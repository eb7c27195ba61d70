#include "server.h"

#include "measure.h"
#include "target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

char server_lines[512];
size_t server_lines_size;

double server_listening_ms;

static char host[64]; /* IPv4. */
static int port;
static char folder[4096]; /* Of the server we started. */
static char token[128];

noreturn void server_fail(const char *what) {
    fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, what, errno != 0 ? ": " : "",
            errno != 0 ? strerror(errno) : "");
    exit(1);
}

int server_connect(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1) server_fail(host);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) server_fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) server_fail("fcntl");
    return fd;
}

/* ---- Start and stop ---------------------------------------------------------------------- */

/* Runs a command line and gives its output, NUL-terminated. */
static void run(const char *command, char *out, size_t size) {
    FILE *pipe = popen(command, "r");
    if (pipe == NULL) server_fail(command);
    size_t got = fread(out, 1, size - 1, pipe);
    out[got] = '\0';
    if (pclose(pipe) != 0) server_fail(command);
}

static void take_url(const char *url) {
    if (sscanf(url, "http://%63[^:/]:%d", host, &port) != 2) server_fail(url);
}

static const char *program_of(const struct target_options *options) {
    return options->program != NULL ? options->program : "build/stet";
}

static void spawn(pid_t *pid, const struct target_options *options, const char *url_file) {
    const char *program = program_of(options);
    char io_threads[16], connections_max[16] = "10000", data[4200];
    snprintf(io_threads, sizeof io_threads, "%u", options->io_threads);
    if (options->connections_max > 0)
        snprintf(connections_max, sizeof connections_max, "%u", options->connections_max);
    snprintf(data, sizeof data, "%s/data", folder);
    *pid = fork();
    if (*pid < 0) server_fail("fork");
    if (*pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* However we end. */
        execl(program, program, "serve", "--data", data, "--listen", "127.0.0.1:0", "--url-file",
              url_file, "--io-threads", io_threads, "--connections-max", connections_max,
              "--log-level", "error", (char *)NULL);
        _exit(127);
    }
}

static void wait_for_url(pid_t pid, const char *url_file) {
    char url[256] = "";
    for (int tries = 0; tries < 20000; tries++) {
        FILE *file = fopen(url_file, "re");
        if (file != NULL) {
            bool got = fgets(url, sizeof url, file) != NULL;
            fclose(file);
            if (got) break;
        }
        if (waitpid(pid, NULL, WNOHANG) != 0) server_fail("the server ended at once");
        usleep(500);
    }
    take_url(url);
}

/* It writes the file once it listens. */
static void run_server(const struct target_options *options, pid_t *pid) {
    char url_file[4200];
    snprintf(url_file, sizeof url_file, "%s/url", folder);
    unlink(url_file);
    int64_t started = now_ns();
    errno = 0;
    spawn(pid, options, url_file);
    wait_for_url(*pid, url_file);
    server_listening_ms = (double)(now_ns() - started) / 1e6;
}

/* What every request says. */
static void render_lines(void) {
    server_lines_size = (size_t)snprintf(server_lines, sizeof server_lines,
                                         " HTTP/1.1\r\nHost: %s:%d\r\nAuthorization: Bearer %s\r\n",
                                         host, port, token);
}

void server_start(const struct target_options *options, pid_t *pid) {
    char command[8500], out[1024];
    errno = 0;
    *pid = 0;
    if (options->url != NULL) {
        take_url(options->url);
        snprintf(token, sizeof token, "%s", options->token == NULL ? "" : options->token);
    } else {
        snprintf(folder, sizeof folder, "%s/bench.XXXXXX", options->dir);
        if (mkdtemp(folder) == NULL) server_fail(folder);
        snprintf(command, sizeof command, "'%s' init --data '%s/data'", program_of(options),
                 folder);
        run(command, out, sizeof out);
        const char *word = strstr(out, "stet_");
        if (word == NULL || sscanf(word, "%127s", token) != 1)
            server_fail("stet init printed no token");
        run_server(options, pid);
    }
    render_lines();
}

void server_crash(const struct target_options *options, pid_t *pid) {
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    run_server(options, pid);
    render_lines();
}

void server_stop(pid_t pid) {
    char command[4200];
    if (pid == 0) return;
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    snprintf(command, sizeof command, "rm -rf -- '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "%s: could not remove %s\n", program_invocation_short_name, folder);
}

void server_ask(const char *request, size_t request_size, char *out, size_t size) {
    size_t got_size = 0;
    int fd = server_connect();
    for (size_t sent = 0; sent < request_size;) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        poll(&ready, 1, -1);
        ssize_t more = write(fd, request + sent, request_size - sent);
        if (more < 0 && errno != EAGAIN) server_fail("write");
        if (more > 0) sent += (size_t)more;
    }
    while (got_size < size - 1) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        poll(&ready, 1, -1);
        ssize_t got = read(fd, out + got_size, size - 1 - got_size);
        if (got <= 0) break;
        got_size += (size_t)got;
    }
    close(fd);
    out[got_size] = '\0';
}
