/*
 * JSON bodies: objects whose members are known by name. Envelopes, transactions, import lines and
 * all other bodies are read through the one table of names in body.c, so that every unknown member
 * and every wrong type is refused in the same words, by its JSON pointer.
 *
 * Thread: any.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "doc/doc.h"

#include <assert.h>

enum member {
    MEMBER_OP,
    MEMBER_TYPE,
    MEMBER_ID,
    MEMBER_PARENT,
    MEMBER_LOCK,
    MEMBER_BASE_VERSION,
    MEMBER_BASE_UPDATED_AT,
    MEMBER_DATA,
    MEMBER_PATCH,
    MEMBER_ON_CONFLICT,
    MEMBER_CLIENT_MUTATION_ID, /* Also read as clientMutationId. */
    MEMBER_MODIFIED_AT,
    MEMBER_TO,
    MEMBER_MUTATIONS,
    MEMBER_RESOLUTION_TOKEN,
    MEMBER_CHOICE,
    MEMBER_YOURS,
    MEMBER_FIELDS,
    MEMBER_ACTOR,
    MEMBER_NAME,
    MEMBER_ADMIN,
    MEMBER_EXPIRES_AT,
    MEMBER_REPLACE,
    MEMBER_TYPES,
    MEMBER_VERSION,
    MEMBER_CREATED_AT,
    MEMBER_CREATED_BY,
    MEMBER_UPDATED_AT,
    MEMBER_UPDATED_BY,
    MEMBER_TOKEN,
    MEMBER_TTL_S,
    MEMBER_WAIT_S,
    MEMBER_NOTE,
    MEMBER_CONFLICTS,
    MEMBER_FILTER,
    MEMBER_RECORD,
    MEMBER_PERSON,
    MEMBER_OLDER_THAN,
    MEMBER_AFTER,
    MEMBER_IDS,
    MEMBER_ALL,
    MEMBER_TREE,
    MEMBER_TREE_VERSION,
    MEMBER_INTO_VERSION,
    MEMBER_SEQ,
    MEMBER_TRANSACTION,
    MEMBER_SOURCE,
    MEMBER_MERGE,
    MEMBER_FORKED_FROM,
    MEMBER_LANE,
    MEMBER_CLASS,
    MEMBER_OP_TYPE,
    MEMBER_AGENT,
    MEMBER_FUNCTION,
    MEMBER_OPERATION,
    MEMBER_INPUTS,
    MEMBER_FUNCTIONS,
    MEMBER_INPUT,
    MEMBER_TARGET,
    MEMBER_DEPENDS_ON,
    MEMBER_BATCH_KEY,
    MEMBER_NOT_BEFORE,
    MEMBER_DEADLINE,
    MEMBER_TIMEOUT_S,
    MEMBER_MAX_RETRIES,
    MEMBER_REASON,
    MEMBER_WORKER,
    MEMBER_HANDS,
    MEMBER_MAX,
    MEMBER_BATCH,
    MEMBER_BIND,
    MEMBER_LEASE,
    MEMBER_PERCENT,
    MEMBER_MESSAGE,
    MEMBER_ESTIMATED_S,
    MEMBER_RESULT,
    MEMBER_CLAIM_NEXT,
    MEMBER_ERROR,
    MEMBER_RETRY,
    MEMBER_RETRY_AFTER_S,
    MEMBER_ASYNC,
    MEMBER_USER,
    MEMBER_PASSWORD,
    MEMBER_OLD,
    MEMBER_NEW,
    MEMBER_ROLES,
    MEMBER_SCOPES,
    MEMBER_EMAIL,
    MEMBER_DISABLED,
    MEMBER_KIND,
    MEMBER_LINK,
    MEMBER_DEVICE,
    MEMBER_BYPASS,
    MEMBER_SUB,
    MEMBER_WHERE,
    MEMBER_EVENTS,
    MEMBER_SINCE,
    MEMBER_CSRF,
    MEMBER_CLIENT,
    MEMBER_ADDRESS,
    MEMBER_COUNT,
};

/* One bit for each name. */
__extension__ typedef unsigned __int128 member_set;
#define MEMBER_BIT(member) ((member_set)1 << (member))
static_assert(MEMBER_COUNT <= 128, "a member_set has 128 bits");

struct body {
    struct arena *arena;
    const struct doc *doc;
    const char *prefix;           /* Of the pointers in errors: "" or "/mutations/3". */
    doc_node nodes[MEMBER_COUNT]; /* DOC_NONE: absent, or null. */
    member_set nulls;             /* A MEMBER_BIT for each that stands there as null. */
};

/* As large as the largest body may be; what is inside is bounded when it becomes data. */
extern const struct doc_limits body_limits;

/**
 * Finds the members of an object.
 *
 * @param allowed  A MEMBER_BIT for each name that may stand here.
 * @return STET_OK, STET_BAD_REQUEST: not an object, or an unknown member; err->field points at it.
 */
stet_status body_read(struct body *body, struct arena *arena, const struct doc *doc, doc_node node,
                      member_set allowed, const char *prefix, stet_error *err);

/* Whether the member says "none": it is there as null. */
static inline bool body_is_null(const struct body *body, enum member member) {
    return (body->nulls & MEMBER_BIT(member)) != 0;
}

static inline bool body_has(const struct body *body, enum member member) {
    return body->nodes[member] != DOC_NONE;
}

/* Each leaves *out alone when the member is absent. STET_BAD_REQUEST: of the wrong type. */
stet_status body_text(const struct body *body, enum member member, stet_view *out, stet_error *err);
stet_status body_u64(const struct body *body, enum member member, uint64_t *out, stet_error *err);
stet_status body_flag(const struct body *body, enum member member, bool *out, stet_error *err);
stet_status body_time(const struct body *body, enum member member, stet_time *out, stet_error *err);
/* The value as it stands in the text; objects only unless arrays is set. */
stet_status body_json(const struct body *body, enum member member, bool arrays, stet_view *out,
                      stet_error *err);

/* The value as it stands in the text, of any kind. */
void body_value(const struct body *body, enum member member, stet_view *out);
stet_status body_number(const struct body *body, enum member member, double *out, stet_error *err);
/* A whole number from 0 to `max`. */
stet_status body_unsigned(const struct body *body, enum member member, unsigned max, unsigned *out,
                          stet_error *err);
/* An array of texts. *out: in the arena; NULL without any. */
stet_status body_texts(const struct body *body, enum member member, const stet_view **out,
                       size_t *count, stet_error *err);

/* "choice" of a resolution; it must be there. */
stet_status body_choice(const struct body *body, stet_choice *out, stet_error *err);

/* Makes a pointer of a field that the library names, where it is a member of this body. */
void body_point(const struct body *body, stet_error *err);

/* STET_BAD_REQUEST with the pointer of a member. */
stet_status body_bad(const struct body *body, enum member member, const char *what,
                     stet_error *err);

#endif
