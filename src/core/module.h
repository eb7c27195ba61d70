/*
 * The seam between core and everything built on it: types, conflicts, locks, bookings, operations, auth … implement struct module
 * and do not include each other; core knows none of them. src/stet.c lists them.
 *
 * A module keeps a *projection*: state in memory that is a function of the live heads of the system types it owns (and of any
 * other type it watches). It is filled by load over heads when a space opens and kept by apply at staging; a test shows that both
 * agree. After an aborted batch it is reset and loaded anew.
 *
 * Thread: everything but may_read runs on the space's sequencer thread (or before the space is published to others); may_read
 * runs on any thread and may use no projection. What a module's own commands do on the submitting thread is in core/command.h.
 */
#ifndef CORE_MODULE_H
#define CORE_MODULE_H

#include "core/change.h"

struct doc_merge_result;
struct function_runner; /* core/function.h */
struct mutation;
struct operation_spawn; /* core/operation.h */
struct space;
struct staging; /* core/staging.h */
struct stet_command;

/* One mutation about to be staged. Borrowed for the call. */
struct proposal {
    const struct stet_command *command;
    size_t index; /* Of the mutation in its command; the ones before it are staged already. */
    const stet_actor *actor;
    stet_view type;
    stet_view id;
    enum store_op op;
    const struct store_head *head;   /* The record's head before; version 0: it never existed. */
    stet_view data;                  /* The data after; for a delete, the last data. */
    int64_t now;                     /* The stamp it will carry, or a later one. */
    const struct mutation *mutation; /* NULL: staged by a module, which vouches for it. */
};

/* What became of a write from a stale base, for a module that keeps account of it. */
enum settlement_kind {
    SETTLEMENT_MERGED,  /* By field rules; where one side's value was dropped, a field says so. */
    SETTLEMENT_APPLIED, /* On top of versions the writer had not seen. */
    SETTLEMENT_DROPPED, /* The record stays; the writer's change is not stored. */
    SETTLEMENT_PARKED,  /* It waits for a person: the module must keep it. */
};

/* Borrowed for the call. */
struct settlement {
    enum settlement_kind kind;
    struct stet_command *command;
    struct mutation *mutation; /* Its conflict_id is set by the module that keeps the conflict. */
    size_t index;
    stet_strategy strategy;
    uint64_t base_version;                  /* 0: unknown to the record. */
    const struct store_head *head;          /* The record's head before. */
    stet_view base, current, yours, result; /* Data; empty: absent, or not known. */
    bool deletes;                           /* yours is a deletion. */
    /* Of base, current and yours by the type's rules; NULL where one of them is not known. */
    const struct doc_merge_result *merge;
    /* Pointers of fields whose value in current is not in result, though the writer had not seen it, and who wrote them. */
    const struct settlement_loss *losses;
    size_t loss_count;
    int64_t now;
};

struct settlement_loss {
    stet_view pointer;
    stet_view by;     /* The author of the value that was lost. */
    uint64_t version; /* In which they wrote it. */
};

/* The two clocks: deadlines run on the wall clock, leases and waits on the monotonic one. Nanoseconds. */
struct module_time {
    int64_t wall;
    int64_t monotonic;
    /* The wall clock jumped ahead and nobody has confirmed it yet: deadlines are not to be applied. */
    bool wall_held;
};
#define MODULE_NEVER INT64_MAX

/* What alerts can watch. The first ones another module tells: operations, of its lanes; the last two alerts counts itself. */
enum module_measure {
    MEASURE_QUEUE_DEPTH,  /* Operations that wait. */
    MEASURE_QUEUE_WAIT_S, /* How long those that were started waited, smoothed. */
    MEASURE_OLDEST_WAIT_S,
    MEASURE_PROCESSING_S,  /* How long a run takes, smoothed. */
    MEASURE_CONFLICT_RATE, /* Conflicts by write over the last minute. */
    MEASURE_REJECTIONS,    /* Operations rejected in the last minute. */
    MEASURES,
};

/* One sample of a module's metric. suffix: of histograms, e.g. "_bucket". labels: what follows `space="…"`, each with a comma before it,
   values escaped; at most METRIC_LABEL_BYTES_MAX bytes. */
typedef void module_sample(void *context, const char *suffix, const char *labels, double value);
#define METRIC_LABEL_BYTES_MAX 256

/*
 * A metric of a module, for each space. visit runs on any thread while the space's sequencer works: it reads atomics, or takes a lock of the
 * module's own that is never held for long, and calls nothing but `sample`.
 */
struct module_metric {
    const char *name; /* "stet_…"; NULL ends a list. */
    const char *help;
    stet_metric_kind kind;
    void (*visit)(void *state, module_sample *sample, void *context);
};

/* What becomes of a record of a module when the record it tells of is erased. */
enum module_concern {
    CONCERN_ERASED, /* It will say nothing of it any more: the module's erase sees to that. */
    CONCERN_KEEPS,  /* It goes on; whoever purges is told its name. */
};

/* A record that is to be erased, and where a module says which of its own hold something of it. */
struct module_erasure {
    stet_view type, id, address;
    void (*add)(void *context, enum module_concern concern, stet_view type, stet_view id);
    void *context;
};

struct module {
    const char *name;
    const char *const *types; /* System types it owns, NULL-terminated. Nobody else writes them. */
    const char *space;        /* Active only in this space; NULL: in every one. */
    bool loads_all;           /* load and apply see every type, not only its own. */

    /* A projection for one space. May be NULL when the module keeps none. */
    stet_status (*open)(struct space *space, void **state, stet_error *err);
    void (*close)(void *state);
    void (*reset)(void *state); /* Forgets everything; loads follow. */

    /* One live head at open or after a reset. */
    stet_status (*load)(void *state, const struct store_change *head, stet_error *err);

    /* The loads are over. NULL: not interested. */
    stet_status (*loaded)(void *state, stet_error *err);

    /*
     * May refuse a command because of the session its actor acts in, before anything else is decided about it, and again whenever it is
     * decided anew. Asked only for actors with a session. NULL: knows nothing of sessions.
     */
    stet_status (*enter)(void *state, const stet_actor *actor, const struct module_time *now,
                         stet_error *err);

    /* May refuse a mutation before anything else is decided about it, whatever it would come to: also one that would change nothing, or
       wait. NULL: accepts everything. */
    stet_status (*admit)(void *state, const struct mutation *mutation, stet_error *err);

    /* May refuse a proposal with any status; err->message is for the caller. NULL: accepts everything. */
    stet_status (*check)(void *state, const struct proposal *proposal, stet_error *err);

    /* A write from a stale base was settled, or is to wait: stages the module's own records into the same transaction. What it
       returns but STET_OK refuses the write. NULL: not interested. */
    stet_status (*settled)(void *state, struct staging *staging,
                           const struct settlement *settlement, stet_error *err);

    /*
     * A command of the module's own (COMMAND_MODULE): decides it by staging records, or refuses it, or holds it: staging_hold in
     * core/staging.h. Its answer is rendered by command->answer on the client's thread.
     */
    stet_status (*decide)(void *state, struct staging *staging, struct stet_command *command,
                          const struct module_time *now, stet_error *err);

    /* All commands of a batch were decided, and nothing is committed yet: the last moment to wake (space_wake_held) who may go on now, so
       that they are decided in the same batch. May be called several times for one. NULL: not interested. */
    void (*decided)(void *state);

    /* When `due` is next to be called, on each clock; MODULE_NEVER where there is nothing. Called after each batch. */
    void (*next_due)(void *state, struct module_time *at);
    /*
     * Fills an empty command with what time has made due (command_fill_write, command->owner = the module, or kind COMMAND_MODULE); it is
     * decided at once in the batch at hand, as any other, with its actor. False: nothing is due. refused: the command it filled
     * last was refused; it must not fill the same one again. Its transaction should be what moves the projection on.
     *
     * With command->hop set (kind COMMAND_MODULE, or COMMAND_WRITE that is prepared) it is work in the background: it is taken to a worker, not
     * decided now, and decided (by `decide`) in a later batch as any command is. The module must remember that it is under way and not fill it again until
     * `ended` was called for it.
     */
    bool (*due)(void *state, const struct module_time *now, bool refused,
                struct stet_command *command);

    /*
     * A command in the background is over: command->status says how; with STET_OK its changes are durable and published. Called once for
     * each, whatever became of it, also while the engine closes. Must not fail.
     */
    void (*ended)(void *state, struct stet_command *command);

    /* Puts an operation into its lane along with the command at hand: staging_spawn in core/operation.h. One module has it. */
    stet_status (*spawn)(void *state, struct staging *staging, const struct operation_spawn *spawn,
                         stet_error *err);

    /* What it knows of a lane (empty: of all together) and a class (STET_CLASS_DEFAULT: of all); the sequencer's thread. False: that is none
       of its measures, or it is not known yet. NULL: it has none. Asked through space_gauge. */
    bool (*gauge)(void *state, enum module_measure measure, stet_view lane, stet_class class_,
                  const struct module_time *now, double *value);

    const struct module_metric *metrics; /* NULL: it has none. */

    /* The module that can run functions says how; NULL for all others. It becomes engine->functions. */
    const struct function_runner *functions;

    /* Whether a version must be kept although its type's retention lets it go. NULL: keeps none. */
    bool (*keeps)(void *state, stet_view type, stet_view id, uint64_t version);

    /*
     * A record is erased (core/purge.h). concerns: whether a record of the module's holds something of it; any thread, no projection;
     * scratch: emptied behind the call. erase: stages a version of that record, or its deletion, that says nothing of it; the versions
     * before are then erased with it. Both or neither.
     */
    void (*concerns)(const struct store_change *row, struct arena *scratch,
                     const struct module_erasure *erasure);
    stet_status (*erase)(void *state, struct staging *staging, stet_view type, stet_view id,
                         stet_error *err);

    /* A change was staged: move the projection. Cannot fail. */
    void (*apply)(void *state, const struct store_change *change);

    /* A change is durable and published: effects outside the space. */
    void (*published)(void *state, struct space *space, const struct store_change *change);

    /* Whether an actor may read a record of the module's types by the general routes. NULL: nobody may. */
    bool (*may_read)(const struct space *space, const stet_actor *actor,
                     const struct store_change *change);
};

#endif
