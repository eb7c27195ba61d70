/*
 * A link that speaks HTTP/1.1: what targets share that do.
 */
#ifndef BENCH_HTTP_LINK_H
#define BENCH_HTTP_LINK_H

#include "target.h"

/* Takes over a connected, non-blocking socket. */
struct link *http_link_open(int fd);
void http_link_close(struct link *link);
void http_link_send(struct link *link, const char *request, size_t size);
/* As a target's receive. The version is the ETag; a refusal's body is the whole answer. */
bool http_link_receive(struct target *target, struct link *link, const struct op *op,
                       struct reply *reply);

#endif
