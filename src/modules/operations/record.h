/*
 * What a `stet.operation` record says. Members that begin with "_" are the queue's own: what it needs to put its lanes together again
 * as they were, and to tell whether a completion is a repeated one.
 *
 * What is large stands in a `stet.payload` record of its own, ID.input or ID.result, so that a version that only tells of progress
 * stays small.
 */
#ifndef MODULES_OPERATIONS_RECORD_H
#define MODULES_OPERATIONS_RECORD_H

#include "base/arena.h"
#include "core/change.h"
#include "doc/write.h"
#include "modules/operations/status.h"

#define OPERATION_TYPE VIEW("stet.operation")
#define PAYLOAD_TYPE VIEW("stet.payload")
#define LANE_TYPE VIEW("stet.lane")

/* One of the last things an agent said. */
struct progress_update {
    int64_t at;
    bool has_percent;
    double percent;
    stet_view message, agent;
};
enum { PROGRESS_UPDATES_KEPT = 5 };

/* A list of texts; the array and what it points to are somebody's arena's. */
struct text_list {
    const stet_view *items;
    size_t count;
};

/* Views are borrowed from the data it was read from, or from the arena. Empty views and zeros: not said. */
struct operation_record {
    enum operation_status status;
    stet_view event; /* What happened last: "OperationQueued", … */
    stet_view lane;
    stet_class class_, effective; /* effective: the maximum along its parents. */
    stet_view op_type, agent, function, handler, by;
    uint64_t cause_seq;
    stet_view input; /* JSON; empty with a payload, or null. */
    bool input_apart;
    bool input_veiled; /* It tells of a record: shown as far as its reader may see that. */
    stet_view target, parent, batch_key;
    unsigned depth;
    struct text_list depends_on;
    int64_t created_at, queued_at, not_before, deadline;
    unsigned timeout_s; /* 0: the lane's. */
    unsigned max_retries, retries, attempts, level;

    /* At work. */
    int64_t started_at;
    stet_view current_agent, worker;
    struct text_list agents; /* agents_involved. */
    bool has_percent;
    double percent, estimated_s;
    stet_view message;
    struct progress_update updates[PROGRESS_UPDATES_KEPT]; /* The oldest first. */
    size_t update_count;

    /* Ended, or gave up a run. */
    int64_t finished_at;
    stet_view result; /* JSON. */
    bool result_apart;
    stet_view error, reason;

    /* The queue's own. */
    uint64_t turn, tag;
    uint64_t token; /* The lease's; of a finished one, that of the last lease. 0: none. */
    bool held;      /* Somebody has that lease. */
    unsigned ttl_s;
    stet_view claimed_by; /* Which actor has the lease. */
    uint64_t batch;       /* Which token the batch has that it was taken in. */
    int64_t after;        /* It is not tried again earlier. */
    stet_view done;       /* The hash of the completion. */
    stet_view results;    /* JSON array: what became of its mutations. */
    /* What who asked for it may do: with that right a function runs. */
    bool by_admin;
    unsigned by_scopes;
    struct text_list by_roles;

    /* As record_write put it: the members that everybody may see, without the braces. Lives as long as what was written. Reading leaves it
       empty. */
    stet_view visible;
};

/* STET_CORRUPT when it is not one of ours; STET_NO_MEMORY. */
stet_status record_read(struct arena *arena, stet_view data, struct operation_record *record,
                        stet_error *err);
/* Empty when memory is out. */
stet_view record_write(struct arena *arena, struct operation_record *record);

bool text_list_has(const struct text_list *list, stet_view text);
/* The list with one more. False: memory is out. */
bool text_list_add(struct arena *arena, struct text_list *list, stet_view text);

/* A number as JSON, e.g. 12.5. */
void json_number(struct json_writer *writer, double value);
/* Seconds, to the millisecond: more is more than anybody can promise. */
void json_seconds(struct json_writer *writer, double seconds);

stet_view class_text(stet_class class_);

#endif
