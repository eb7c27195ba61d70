/*
 * Problem documents (RFC 9457): what every refusal looks like.
 *
 * Pure: bytes in, bytes out. Thread: any.
 */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "base/arena.h"
#include "base/buffer.h"
#include "stet.h"

struct problem {
    stet_status status;
    int http;         /* The code of the answer, which need not be the table's: 412, 431. */
    stet_view detail; /* What happened, for a person. */
    stet_view field;  /* May be empty. */
    uint64_t limit;   /* 0: none. */
    stet_view request_id;
    stet_view members; /* A JSON object whose members are spliced in; or empty. */
};

/* Appends the document. Members of `members` win over detail, code, field and limit, and never over
 * type, title, status and request_id. */
void problem_write(struct buffer *buffer, struct arena *arena, const struct problem *problem);

/* Seconds a client should wait before the same request can help; 0: it cannot. */
unsigned problem_retry_after_s(stet_status status);
/* What a refused command says of it in "retry_after"; 0: it does not say. */
unsigned problem_outcome_retry_after_s(struct arena *arena, const stet_outcome *outcome);

#endif
