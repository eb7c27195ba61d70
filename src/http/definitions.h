/*
 * Definitions: what is declared under a name, such as a type or a function, is read, written under the version it was made from, and
 * deleted in one way.
 *
 * Thread: the loop's.
 */
#ifndef HTTP_DEFINITIONS_H
#define HTTP_DEFINITIONS_H

#include "http/terms.h"

/* A write of one. In the request's arena, as request->state. */
struct definition {
    struct terms terms; /* First: terms_reply reads request->state as terms. */
    struct doc doc;     /* The body, when it is an envelope. */
    bool deletes;
    stet_view text; /* What is declared; empty where it is deleted. */
};

/* No strategy: a stale write of a definition is always refused. */
#define DEFINITION_TERMS (TERMS_KEY | TERMS_DRY_RUN | TERMS_BASE)

/* Makes one and reads its terms from headers and query; the caller's own parameters come next. parts: of enum terms_part. */
stet_status definition_begin(struct request *request, unsigned parts, bool deletes,
                             struct definition **definition, stet_error *err);
/* Finishes the parameters and reads the body. what: in words ("the type's definition"). */
stet_status definition_read(struct request *request, struct definition *definition, unsigned parts,
                            const char *what, stet_error *err);
/* Submits the write that request->command was filled with. status, err: of filling it. */
void definition_submit(struct request *request, stet_status status, stet_error *err);

/* Many at once: `{member: {name: definition}}`. Finishes the parameters; ->text becomes the inner object. */
stet_status definitions_read(struct request *request, struct definition *definitions,
                             enum member member, stet_error *err);

/* One definition as it is, with its version as ETag. */
void definition_reply(struct request *request);

#endif
