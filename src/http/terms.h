/*
 * The terms of a write: what it was made from, what to do when that is stale, its mutation key and
 * how to answer. Each may be given in a header, in the query or in the envelope; given in two
 * places, they must agree.
 *
 * Thread: the loop's.
 */
#ifndef HTTP_TERMS_H
#define HTTP_TERMS_H

#include "http/body.h"
#include "http/request.h"

struct terms {
    stet_base base;
    bool base_in_header; /* A stale base is then answered with 412 instead of 409. */
    stet_strategy on_conflict;
    bool on_conflict_given;
    stet_time modified_at; /* 0: not given. */
    stet_view key;
    bool dry_run;
    enum prefer prefer;
    stet_view parent; /* With sets_parent; empty: it becomes a root. */
    bool sets_parent;
    stet_view lock;
    uint64_t lock_token;
};

/* Which terms a route takes. The others are refused there by name: what is said and not heeded loses somebody's edit. */
enum terms_part {
    TERMS_KEY = 1 << 0,
    TERMS_DRY_RUN = 1 << 1,
    TERMS_BASE_VERSION = 1 << 2, /* If-Match, too. */
    TERMS_BASE_UPDATED_AT = 1 << 3,
    TERMS_ABSENT = 1 << 4, /* If-None-Match: *, where something may be created. */
    TERMS_STRATEGY = 1 << 5,
    TERMS_MODIFIED_AT = 1 << 6,
    TERMS_PARENT = 1 << 7,
    TERMS_LOCK = 1 << 8,
};
#define TERMS_BASE (TERMS_BASE_VERSION | TERMS_BASE_UPDATED_AT)
/* Of what happens to a record as it is, of what is written to it, and of what may create it. */
#define TERMS_RECORD                                                                               \
    (TERMS_KEY | TERMS_DRY_RUN | TERMS_BASE | TERMS_STRATEGY | TERMS_MODIFIED_AT | TERMS_LOCK)
#define TERMS_DATA (TERMS_RECORD | TERMS_PARENT)
#define TERMS_CREATING (TERMS_DATA | TERMS_ABSENT)

/* From headers and query. parts: of enum terms_part. */
stet_status terms_read(struct terms *terms, struct request *request, unsigned parts,
                       stet_error *err);
/* The envelope's members for these parts, to read the body with; then from that. */
member_set terms_members(unsigned parts);
stet_status terms_read_body(struct terms *terms, const struct body *body, stet_error *err);

/* The members "parent" and "lock" of an envelope or of one mutation of a transaction. */
stet_status terms_read_relations(const struct body *body, stet_mutation *mutation, stet_error *err);

/* A transaction's body: its key, and at least one mutation. *mutations: as of mutations_read. */
stet_status terms_read_mutations(struct terms *terms, const struct body *body,
                                 stet_mutation **mutations, size_t *count, stet_error *err);

/* The code of a write that succeeded: 200, 201, or 202 for one that waits for a person. */
int terms_http(const stet_outcome *outcome);

/* Answers a write: the common end of all of them. request->state is its struct terms. */
void terms_reply(struct request *request);

#endif
