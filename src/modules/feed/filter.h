/*
 * What one subscriber wants to see, and who it is. Immutable and counted by reference: the pages read for it on workers share it.
 *
 * Who may not read a record is told nothing of it, but that it went out of their sight when a change did that: FILTER_REVOKED. From the past
 * they are shown only what is of records that they may read now.
 *
 * With `where`, a change is for it when the record matches after the change, or did before it: whoever keeps a list of the
 * matching records learns what to take off it. The version before is looked at only when the one after does not match.
 */
#ifndef FEED_FILTER_H
#define FEED_FILTER_H

#include "core/client.h"
#include "core/query.h"
#include "core/space.h"
#include "doc/write.h"

struct filter_record {
    stet_view type;
    stet_view id;
};

struct filter {
    atomic_uint refs;
    bool is_member;
    stet_actor actor; /* With its roles; in no session. */
    unsigned type_count;
    unsigned record_count;
    stet_view *types;              /* Behind the struct, in the same block, as all its texts. */
    struct filter_record *records; /* Likewise. */
    struct filter_where *where;    /* A reference; NULL: whatever the names let through. */
};

/* As many as the window has changes: who is not further behind has nothing asked again. */
enum { WHERE_VERDICTS = 256 };

/* A condition, which many subscribers of a client may share. What it said of the newest changes is remembered by the client's thread. */
struct filter_where {
    atomic_uint refs;
    const struct expr *expr;
    stet_view text; /* In the arena. */
    struct arena arena;
    /* The client's thread alone: */
    struct filter_where *next; /* In its bucket. */
    size_t users;              /* Subscriptions; 0: in no table. */
    uint64_t *
        verdicts; /* WHERE_VERDICTS of seq × 4 + enum filter_verdict; NULL: nobody shares it, or memory was out. */
};

/* The conditions of a client's subscriptions to a space, by their texts. */
struct filter_table {
    struct filter_where *buckets[64];
};

/* Lets the filter of a new subscription use the condition that others use, when its text is the same; and the end of that. */
void filter_enter(struct filter_table *table, struct filter *filter);
void filter_leave(struct filter_table *table, struct filter *filter);

enum filter_verdict {
    FILTER_NO,
    FILTER_YES,
    FILTER_LEFT,    /* It matched before the change and does not any more; or nobody can tell. */
    FILTER_REVOKED, /* They could read the record before the change, and cannot any more. */
    FILTER_TYPE_REVOKED, /* A change of a type's rules, by which they can read none of its records any more. */
};

/* How a thread looks at changes for where: its own memory, and what it looked at last, so that many subscribers to one change
   have it parsed once. */
struct filter_look {
    struct space *space;
    stet_client *client;         /* Whose thread it is; NULL: a worker, with a reader. */
    struct store_reader *reader; /* NULL: taken from the space when one is needed. */
    struct change *held;         /* What `record` is of, with a reference; NULL: nothing. */
    struct query_record record;
    struct arena arena;
    struct arena before_arena;
    /* The policy of the type of the change that was asked about last. */
    uint64_t policy_seq; /* Of that change; 0: none was. */
    unsigned policy_generation;
    const struct policy *policy;
};

void filter_look_init(struct filter_look *look, struct space *space, stet_client *client,
                      struct store_reader *reader);
void filter_look_done(struct filter_look *look); /* Accepts a zeroed one. */

/* Owned: filter_unref. Errors as feed_subscribe. */
stet_status filter_create(const struct space *space, const stet_actor *actor,
                          const stet_feed_options *options, struct filter **filter,
                          stet_error *err);
struct filter *filter_ref(struct filter *filter);
void filter_unref(struct filter *filter);

/* Whether a change is for this subscriber. Without names: everything but system types. shared: the change the row is of, if any. */
enum filter_verdict filter_judge(const struct filter *filter, struct filter_look *look,
                                 const struct store_change *row, struct change *shared);

/* Whether a condition is worth asking before anybody is woken for a change: it is asked once for all who share it. */
static inline bool filter_is_shared(const struct filter *filter) {
    return filter->where != NULL && filter->where->verdicts != NULL;
}

/* Whether the event of a change that is for them has fields that they may not see, so that it is not to be shared with others. */
bool filter_is_partial(const struct filter *filter, struct filter_look *look,
                       const struct store_change *row);

/* The event of FILTER_REVOKED or FILTER_TYPE_REVOKED. */
void filter_write_revoked(struct json_writer *writer, const struct store_change *row,
                          enum filter_verdict verdict);

/* Adds "left": true to the event rendered last: an object at the end of the buffer. */
void filter_mark_left(struct buffer *event);

/* Whether changes of a type may be for it: whose pruning it has to be told of. */
bool filter_follows(const struct filter *filter, stet_view type);

#endif
