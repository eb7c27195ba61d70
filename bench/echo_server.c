/*
 * The bare echo: the server's own HTTP layer with nothing behind it, as the ceiling of what a hot GET can reach.
 *
 *   echo_server --data DIR --port N
 *
 * The same loops, limits and headers as in the shipped server; only the handler of /healthz is another one (meson.build has the linker
 * put it there): it answers with as many bytes as the GET of a record of the load generator has. A route of the shipped server would
 * not do: no answer that is made without a record is as long. It ends with SIGINT or SIGTERM.
 */
#include "http/handlers.h"
#include "http/request.h"
#include "http/server.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 500 of data, and what stands around them: type, id, version, who and when. */
enum { ECHO_BODY_BYTES = 775 };

static char body[ECHO_BODY_BYTES];

void __wrap_handle_health(struct request *request);

void __wrap_handle_health(struct request *request) {
    struct reply reply = {.http = 200, .body = {body, sizeof body}};
    request_reply(request, &reply);
}

static void fail(const char *what) {
    fprintf(stderr, "echo_server: %s\n", what);
    exit(1);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"data", required_argument, NULL, 'd'}, {"port", required_argument, NULL, 'p'}, {0}};
    stet_options engine_options = {0};
    char listen[64] = "127.0.0.1:0";
    struct http_options http = {.listen = listen};
    struct http_server *server = NULL;
    stet_engine *engine = NULL;
    stet_error err;
    sigset_t ends;
    int signal_number;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'd': engine_options.data_dir = optarg; break;
        case 'p': snprintf(listen, sizeof listen, "127.0.0.1:%s", optarg); break;
        default: return 2;
        }
    }
    if (engine_options.data_dir == NULL) fail("--data is missing");
    memset(body, '1', sizeof body); /* A number, and so JSON. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* Before there are other threads. */
    if (stet_open(&engine_options, &engine, &err) != STET_OK ||
        http_server_start(engine, &http, &server, &err) != STET_OK)
        fail(err.message);
    sigwait(&ends, &signal_number);
    http_server_stop(server);
    stet_close(engine);
    return 0;
}
