/*
 * Starting another project's server to race against: in a folder of its own, on a free port of the loopback, as another user where it
 * refuses root, and gone when the benchmark is.
 *
 * What cannot be done ends the program with a sentence that names the server.
 */
#ifndef BENCH_SPAWN_H
#define BENCH_SPAWN_H

#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>
#include <sys/types.h>

struct target_options;

enum { SPAWN_PATH_BYTES = 4096 };

struct spawn {
    const char *name;              /* For what is said. */
    const struct passwd *user;     /* NULL: who we are. */
    char folder[SPAWN_PATH_BYTES]; /* Of the server; holds the file "log" with what it said. */
    int port;
    int death_signal;    /* What it gets when the benchmark is killed; SIGINT unless changed. */
    pid_t pid;           /* 0: it does not run. Leads a group of processes of its own. */
    double listening_ms; /* From before its program was executed until it accepted a connection. */
};

noreturn void spawn_fail(const struct spawn *spawn, const char *what, const char *why);
/* With the end of the server's log, which says why better than we can. */
noreturn void spawn_fail_log(const struct spawn *spawn, const char *what);

/* Makes the folder, and finds a port. user: who is to own it, when we are root; NULL: nobody else. */
void spawn_prepare(struct spawn *spawn, const char *name, const char *dir, const char *user);
/* The program's path: among `places`, NULL-terminated, and in PATH. False: it is not installed. */
bool spawn_find(const char *name, const char *const *places, char out[SPAWN_PATH_BYTES]);
/* A program of the server's that ends by itself; it must succeed. */
void spawn_run(struct spawn *spawn, const char *const *arguments);
/* The server; returns once it accepts connections on the port. */
void spawn_start(struct spawn *spawn, const char *const *arguments);
/* Ends it with a signal and waits for its end; with SIGKILL, its children with it. */
void spawn_end(struct spawn *spawn, int signal);
/* Ends what still runs, and removes the folder. */
void spawn_done(struct spawn *spawn);
/* A connected, non-blocking socket to the port. */
int spawn_connect(const struct spawn *spawn);

#endif
