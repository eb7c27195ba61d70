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

#define TERMS_MEMBERS                                                                              \
    (MEMBER_BIT(MEMBER_BASE_VERSION) | MEMBER_BIT(MEMBER_BASE_UPDATED_AT) |                        \
     MEMBER_BIT(MEMBER_ON_CONFLICT) | MEMBER_BIT(MEMBER_CLIENT_MUTATION_ID) |                      \
     MEMBER_BIT(MEMBER_MODIFIED_AT) | MEMBER_BIT(MEMBER_PARENT) | MEMBER_BIT(MEMBER_LOCK))

/* Which preconditions a route understands. */
enum terms_scope {
    TERMS_RECORD, /* If-Match; If-None-Match: * only where something may be created. */
    TERMS_CREATING,
    TERMS_KEY_ONLY, /* No base: transactions, resolutions. */
};

/* From headers and query. */
stet_status terms_read(struct terms *terms, struct request *request, enum terms_scope scope,
                       stet_error *err);
/* From an envelope read with TERMS_MEMBERS. */
stet_status terms_read_body(struct terms *terms, const struct body *body, stet_error *err);

/* The members "parent" and "lock" of an envelope or of one mutation of a transaction. */
stet_status terms_read_relations(const struct body *body, stet_mutation *mutation, stet_error *err);

/* Answers a write: the common end of all of them. request->state is its struct terms. */
void terms_reply(struct request *request);

#endif
