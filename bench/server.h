/*
 * A stet server under measurement: started with a fresh data directory on a free port, with the token that `stet init` prints; or one
 * that runs already, named by its URL. One per program.
 *
 * What cannot be done ends the program with a sentence.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stddef.h>
#include <stdnoreturn.h>
#include <sys/types.h>

struct target_options;

/* pid: of the server, or 0 when it runs already. */
void server_start(const struct target_options *options, pid_t *pid);
/* Kills it, and starts it again on what it left, on another port. */
void server_crash(const struct target_options *options, pid_t *pid);
/* From its execution until it could be connected to. */
extern double server_listening_ms;
/* Ends it and removes its folder; does nothing for one that was not started. */
void server_stop(pid_t pid);

/* A connected, non-blocking socket. */
int server_connect(void);

/* What follows method and path in every request: the protocol, Host and Authorization, each line ended. */
extern char server_lines[512];
extern size_t server_lines_size;

/* One request on a connection of its own, which the server closes at the end of the answer. out: NUL-terminated. */
void server_ask(const char *request, size_t request_size, char *out, size_t size);

/* With errno's words, unless it is 0. */
noreturn void server_fail(const char *what);

#endif
