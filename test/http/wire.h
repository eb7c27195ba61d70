/*
 * What the HTTP tests speak with: a server in this process on a free port, and a client that writes
 * bare bytes, so that what is malformed, late or in pieces can be sent too.
 */
#ifndef TEST_HTTP_WIRE_H
#define TEST_HTTP_WIRE_H

#include "http/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct wire {
    int fd;
    char *bytes; /* Received and not yet taken. */
    size_t size;
    size_t capacity;
};

struct answer {
    int status;
    char *head; /* Status line and headers, NUL-terminated. */
    char *body; /* NUL-terminated; chunks joined. */
    size_t body_size;
};

/* The server of the running test; in-memory engine, no authentication. */
extern stet_engine *engine;
extern struct http_server *server;
extern int port;
extern struct wire wire;  /* The connection `call` uses. */
extern struct answer got; /* What it answered last. */

/* options: listen is set to a free port when NULL. Opens `wire`. */
void serve(const struct http_options *options);
void serve_plainly(void);
void serve_stop(void);
int teardown(void **state); /* For cmocka: ends whatever serve began. */

/* A connection; -1 when it is refused. */
int dial(void);
struct wire wire_open(void);
void wire_close(struct wire *wire);
void wire_send(struct wire *wire, const char *format, ...) __attribute__((format(printf, 2, 3)));
void wire_send_bytes(struct wire *wire, const void *bytes, size_t size);
/* Waits for a whole answer. False: the connection ended or nothing came for ten seconds. */
bool wire_answer(struct wire *wire, bool head_only, struct answer *answer);
void answer_done(struct answer *answer);
/* Waits until the received bytes contain text; what is up to its end is taken. */
bool wire_until(struct wire *wire, const char *text);
/* True once the other side has closed. */
bool wire_closed(struct wire *wire, int timeout_ms);

/* One request over `wire` (opened again when it was closed), its answer in `got`. headers: lines
 * ending in \r\n, or "". body: NULL for none. Host and Content-Length are added. */
void call(const char *method, const char *target, const char *headers, const char *body);
/* The value of a header of `got`; NULL when absent. Valid until the next call of it. */
const char *header(const char *name);

/* Asks /metrics until it has this line, for what happens soon after an answer. */
void wait_for_metric(const char *line);

#define JSON "Content-Type: application/json\r\n"
#define STET "Content-Type: application/stet+json\r\n"

#define expect_status(code) expect_status_at(code, __FILE__, __LINE__)
#define expect_body(text) expect_body_at(text, __FILE__, __LINE__)
#define expect_no_body(text) expect_no_body_at(text, __FILE__, __LINE__)
#define expect_header(name, value) expect_header_at(name, value, __FILE__, __LINE__)
/* A problem document with this code and, unless NULL, this field. */
#define expect_problem(http, code, field) expect_problem_at(http, code, field, __FILE__, __LINE__)
void expect_status_at(int code, const char *file, int line);
void expect_body_at(const char *text, const char *file, int line);
void expect_no_body_at(const char *text, const char *file, int line);
void expect_header_at(const char *name, const char *value, const char *file, int line);
void expect_problem_at(int http, const char *code, const char *field, const char *file, int line);

/* The value of a string or number member of got.body, as text; fails the test when absent. */
const char *member(const char *name);

#endif
