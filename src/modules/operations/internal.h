/*
 * What the files of this folder share: the module's state in one space (the projection), and the tasks its commands stand for.
 */
#ifndef MODULES_OPERATIONS_INTERNAL_H
#define MODULES_OPERATIONS_INTERNAL_H

#include "core/actor.h"
#include "core/client.h"
#include "core/operation.h"
#include "modules/operations/by_id.h"
#include "modules/operations/estimate.h"
#include "modules/operations/metrics.h"
#include "modules/operations/operations.h"
#include "modules/operations/queue.h"
#include "modules/operations/record.h"
#include "modules/operations/timers.h"

#define SYSTEM_ACTOR VIEW("stet")

struct operation;

/* An operation that another one waits for. */
struct dependency {
    struct operation *waiter, *on;   /* on NULL: it is finished, or not looked up yet. */
    struct dependency *next, **link; /* Among those that wait for `on`. */
    stet_view id;
};

/* Who has an operation in hand. One block, with its texts. */
struct hand {
    stet_view agent, worker, actor;
    char bytes[];
};

/* What an agent said that no version says yet. */
struct note {
    bool has_percent;
    double percent, estimated_s;
    int64_t at;
    stet_view message;
    char bytes[];
};

/* What changes from version to version, as far as the queue must know it. A function of the head. */
struct operation_state {
    enum operation_status status;
    uint64_t version, seq;
    unsigned attempts, retries, level;
    bool held; /* Somebody has the lease. */
    uint64_t token;
    unsigned ttl_s;
    int64_t started_at;
    int64_t after;
    uint64_t batch;
    bool has_percent;
    double percent, estimated_s;
};

/* Why one that waits cannot be started any more. ASK: it has to be found out whether it is so. */
enum doom { DOOM_NONE, DOOM_DEPENDENCY, DOOM_PARENT, DOOM_ASK };

/* An unfinished operation: one block of memory, but for the hand and the note. */
struct operation {
    struct queue_entry entry;
    struct operation *bucket_next;
    uint64_t hash;
    struct operation *by_id[BY_ID_TREES][2]; /* What stands below it: before, behind. */
    struct lane *lane;
    struct operation_state state;
    /* Never changes. */
    stet_view id, by, agent, function, op_type, parent, batch_key;
    stet_class class_, effective;
    unsigned depth, max_retries, timeout_s;
    uint64_t turn, tag;
    int64_t created_at, queued_at, not_before, deadline;
    struct dependency *dependencies;
    size_t dependency_count;

    size_t missing; /* Dependencies that are not completed. */
    struct dependency *dependents;
    struct operation *above, *below, *beside, **beside_link; /* Parent, first child, next child. */
    enum doom doom;
    struct operation *doomed_next, **doomed_link;
    struct hand *hand;
    struct operation *running_next, **running_link; /* In its lane, while it is held. */
    bool leads; /* While it is held: it stands for all of its batch that are. */

    /* Memory only. */
    struct queue_timer lease; /* Monotonic: when the lease ends, or the run took too long. */
    struct queue_timer deadline_timer; /* Wall clock. */
    struct queue_timer flush;          /* Monotonic: when the note becomes a version. */
    int64_t lease_ends, run_ends;      /* Monotonic. */
    int64_t told_at;                   /* Monotonic: when a version last told of progress. */
    int64_t reported_at;               /* When the agent last said how far it is; wall clock. */
    struct note *note;
    struct operation *to_run_next, **to_run_link; /* Functions that are running. */
    int64_t run_at;                               /* Monotonic: not to be run earlier. */
    bool at_work;                                 /* A function: a worker of ours has it. */
    bool stale;                                   /* Of before a reset, not loaded again yet. */
    char bytes[];
};

struct lane_settings {
    unsigned width, max_queued, max_queued_per_actor, age_s, timeout_s, keep_s;
    bool fair, paused, draining;
    bool declared; /* By an administrator: it stays although nothing is in it. */
};

/* A claim that waits. In its command's arena. */
struct waiter {
    struct waiter *next, *previous;
    struct lane *lane; /* NULL: does not wait. */
    uint64_t tag;
    bool woken;
    stet_view agent;
    unsigned hands;
};

struct lane {
    struct lane *next;
    struct queue_lane *queue; /* NULL only during a reset. */
    struct lane_settings settings;
    uint64_t version, seq;     /* Of its record; 0: it has none yet. */
    bool dirty;                /* Somebody who waits may find something now. */
    struct queue_timer idle;   /* Monotonic: when it is forgotten, unless it is used. */
    struct operation *running; /* Those that are held. */
    struct operation *by_id;   /* All that are not finished. */
    struct waiter *first, *last;
    struct estimate *estimate;
    struct lane_metrics *metrics; /* NULL: it is not measured. */
    stet_view name;
    char bytes[];
};

/* What was made for a change that is being staged, so that apply cannot fail. */
struct pending {
    struct pending *next;
    uint64_t seq;
    struct operation *fresh; /* NULL: it is there already. */
    struct operation_state state;
    struct hand *hand;
    struct lane *lane; /* Of a lane's record: with these settings. */
    struct lane_settings settings;
    stet_view id;
    char bytes[];
};

#define PRUNE_NOTHING UINT64_MAX

/* Where the forgetting of finished operations is. */
struct prune_state {
    uint64_t
        from;    /* Behind this change the next pass begins; PRUNE_NOTHING: nothing was finished. */
    uint64_t at; /* Where the pass under way is; PRUNE_NOTHING: none is. */
    uint64_t held;   /* The pass's first one that is still to be kept; 0: none. */
    int64_t next_at; /* Monotonic. */
    bool busy;       /* A step is under way. */
};

/* What is due, but refused. Each waits for itself; only when many are refused do all wait. */
struct refusals {
    /* What `due` asked for last; both NULL: something else. */
    struct operation *doomed;
    struct queue_timer *timer;
    struct timers *timers; /* Where that timer is. */
    int64_t since;         /* Monotonic: `count` were refused since then. */
    unsigned count;
    int64_t blocked_until; /* Monotonic: no operation is moved by time before. */
};

/* Belongs to the sequencer's thread. */
struct operations {
    struct space *space;
    struct queue *queue;
    struct operation **buckets;
    size_t bucket_count, count;
    struct operation *by_id, *held_by_id; /* All, and those that are held. */
    struct lane *lanes;
    size_t lane_count;       /* Also those that somebody only waits in. */
    size_t lanes_recorded;   /* Those that have a record. */
    bool lanes_to_sweep;     /* One has none any more. */
    struct timers idle;      /* Monotonic: lanes nobody declared, with nothing in them. */
    struct timers leases;    /* Monotonic. */
    struct timers deadlines; /* Wall clock. */
    struct timers flushes;   /* Monotonic. */
    struct operation *doomed;
    struct operation *doomed_later; /* Those whose end was refused. */
    int64_t doomed_again_at;        /* Monotonic: when they are tried again. */
    struct pending *pending;
    size_t pending_count;
    uint64_t last_tag;
    int64_t now;       /* The wall clock, of the command at hand; never goes back. */
    int64_t monotonic; /* Likewise. */
    /* Nothing can be begun for want of memory: not to be tried again before that monotonic time. */
    int64_t blocked_until;
    struct refusals refusals;
    struct metrics metrics;
    struct operation *to_run;   /* Functions that are running, at work or not. */
    unsigned functions_running; /* In the background. */
    struct operation *starting; /* Which `due` began last; NULL: none. */
    struct prune_state prune;
    bool prune_starting; /* What `due` began last was a step of it. */
};

/* -- The projection: table.c, lane.c, state.c, stage.c, load.c -- */

stet_status operations_open(struct space *space, void **state, stet_error *err);
void operations_close(void *state);
void operations_reset(void *state);
stet_status operations_load(void *state, const struct store_change *head, stet_error *err);
stet_status operations_loaded(void *state, stet_error *err);
void operations_apply(void *state, const struct store_change *change);

/* NULL: it is not there, or finished. */
struct operation *operations_find(const struct operations *operations, stet_view id);
/* NULL: it has no record. */
struct lane *lanes_find(const struct operations *operations, stet_view name);
/* Also one that somebody only waits in, or is about to use; NULL: memory is out. */
struct lane *lanes_need(struct operations *operations, stet_view name);
/* Forgets lanes that have neither a record nor anybody who waits. */
void lanes_sweep(struct operations *operations);
/* Operations of a lane that one agent has in hand, a batch counting as one. */
unsigned lane_in_hand(const struct lane *lane, stet_view agent);
/* Claims that wait for work and have a hand free; of very many, some. */
unsigned claims_waiting(const struct lane *lane);
/* Begins the lease's time anew. */
void operation_extend(struct operations *operations, struct operation *operation, unsigned ttl_s);

/* Drops what was prepared for changes that never came. While nothing of the command at hand is staged. */
void operations_drop_pending(struct operations *operations);

/*
 * Stages a move: the record's next version, in the status to which the event leads, which must be allowed. row: out, may be NULL: the
 * change as staged; lives as long as the command.
 */
stet_status operations_move(struct operations *operations, struct staging *staging, stet_view id,
                            struct operation_record *record, enum operation_event event,
                            const struct store_change **row, stet_error *err);
/* The record of an operation as it stands for this command. STET_NOT_FOUND. row may be NULL. */
stet_status operations_get(struct staging *staging, stet_view id, struct store_head *head,
                           struct store_change *row, struct operation_record *record,
                           stet_error *err);
/* Puts a value into a payload record. */
stet_status payload_put(struct staging *staging, stet_view operation, const char *what,
                        stet_view json, stet_error *err);
stet_view payload_id(struct arena *arena, stet_view operation, const char *what);
/* The record of a lane. */
stet_status lanes_put(struct operations *operations, struct staging *staging, stet_view name,
                      const struct lane_settings *settings, stet_error *err);
void lane_settings_default(struct lane_settings *settings);
/* As they are by default, whoever set them; what is compared includes `declared`. */
bool lane_settings_are_default(const struct lane_settings *settings);
/* The lane of a new operation: its record is made with the first one. STET_TOO_LARGE: there are too many. */
stet_status lanes_put_first(struct operations *operations, struct staging *staging, stet_view name,
                            stet_error *err);
/* STET_TOO_LARGE: there are LANES_MAX with a record already. */
stet_status lanes_check_count(const struct operations *operations, stet_error *err);
/* Stages that a lane is forgotten which nobody declared and where nothing is; else stages nothing. */
stet_status lanes_forget(struct operations *operations, struct staging *staging, stet_view name,
                         stet_error *err);
/* Its time until it is forgotten begins, or it has none, for it is used. */
void lane_note_idle(struct operations *operations, struct lane *lane);

/* -- Who may see and do what: rights.c -- */

/* Whether the actor sees all operations of the space, also those that are not theirs. Any thread. */
bool rights_see_all(const struct space *space, const stet_actor *actor);
/* Whether they see one: they asked for it, or have it in their hands (claimed_by; empty: nobody has). Any thread. */
bool rights_see(const struct space *space, const stet_actor *actor, stet_view by,
                stet_view claimed_by);
/* The same of one in memory, or of a version of its record. */
bool rights_see_open(const struct space *space, const stet_actor *actor,
                     const struct operation *operation);
/* STET_OK, STET_NOT_FOUND: they do not see it; STET_FORBIDDEN: it is not theirs to cancel or to try again. */
stet_status rights_steer(const struct space *space, const stet_actor *actor, stet_view id,
                         stet_view by, stet_view claimed_by, stet_error *err);
/* STET_OK when the actor has one of the scopes, of which the first is named. */
stet_status rights_demand(const stet_actor *actor, unsigned scope, unsigned or_scope,
                          stet_error *err);
bool operations_may_read(const struct space *space, const stet_actor *actor,
                         const struct store_change *change);
/* Keeps what the actor may do with an operation of theirs. The roles are borrowed. */
void rights_keep(struct operation_record *record, const stet_actor *actor);
/* Who asked for an operation, as they may act now through it. In the arena. */
stet_status rights_restore(struct arena *arena, const struct operation_record *record,
                           stet_actor *actor, stet_error *err);

/* -- Tasks -- */

/* An operation as an answer shows it. */
struct shown {
    struct store_change row;
    /* What need not be read in its data, as the command has written that itself; visible is empty where it has not. */
    stet_view visible, by;
    int64_t created_at;
    bool input_apart, input_veiled, result_apart;
    bool open;  /* Of a list from the store: it was not finished when it was read there. */
    bool waits; /* What follows is of one that waits. */
    bool delayed;
    size_t position, ahead;
    bool known, knows_average;
    double wait_s, low_s, high_s, average_s;
    bool knows_rest; /* Of one that runs. */
    double rest_s;
    double idle_s;
    int64_t at; /* When that was so. */
    /* A claim's. */
    bool leased;
    unsigned ttl_s;
    int64_t expires_at;
    uint64_t token;
};

struct function_work;

/* A command of this module; in its arena, as command->module_data. */
struct task {
    stet_status (*decide)(struct operations *operations, struct staging *staging, struct task *task,
                          stet_error *err);
    struct operations *operations; /* While it is decided, or waits. */
    stet_view id;
    struct shown shown;

    /* Submitting. */
    struct operation_spawn spawn;
    bool spawned; /* By a module: limits do not apply. */
    double retry_after_s;

    /* Claiming. */
    stet_claim claim;
    struct waiter waiter;
    int64_t until; /* Monotonic: how long it waits; 0: it has not been decided yet. */
    struct shown *taken;
    size_t taken_count;

    /* Working. */
    stet_operation_progress progress;
    stet_operation_completion completion;
    stet_operation_failure failure;
    stet_view done; /* The completion's hash. */
    bool cancel;
    int64_t expires_at;
    bool repeated;
    bool retries_known;
    unsigned retries, retries_left, level;
    int64_t delay_ns;
    struct task *next; /* The claim that goes on where this ends. */

    /* Moves. */
    stet_view reason;
    enum doom doom;

    /* Lanes. */
    stet_view settings;
    stet_base base;
    stet_lane_move move;
    struct lane_shown *lanes;
    size_t lane_count;

    /* Lists. */
    stet_operation_list list;
    const stet_view *ids;
    size_t id_count;
    struct shown *rows;
    size_t row_count;
    stet_view next_id;
    uint64_t rows_seq; /* As of which they were read from the store; else UINT64_MAX. */

    struct function_work *work;
    struct prune_work *prune;
};

/* A fresh task that `command` will stand for; NULL when memory is out or the command is filled (err says which). */
struct task *operations_begin(struct stet_command *command, stet_error *err);
/* Makes the command one that the sequencer hands to task->decide. */
void operations_finish(struct stet_command *command, struct task *task,
                       stet_status (*answer)(struct stet_command *command,
                                             struct json_writer *writer, stet_error *err));
/* A text of at most so many bytes of UTF-8, copied. */
stet_status operations_text(struct stet_command *command, stet_view given, size_t bytes_max,
                            const char *field, stet_view *kept, stet_error *err);
stet_status need_text(stet_view given, const char *field, stet_error *err);
stet_status bad_field(stet_error *err, const char *field, uint64_t limit, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
stet_status no_memory(stet_error *err);
stet_status no_operation(stet_view id, const char *field, stet_error *err);

stet_status decide_submit(struct operations *operations, struct staging *staging, struct task *task,
                          stet_error *err);
stet_status operations_spawn(void *state, struct staging *staging,
                             const struct operation_spawn *spawn, stet_error *err);

/* Claims: claim.c. Wakes those who wait in lanes where there may be something now. */
void claims_wake(struct operations *operations);
/* freed: places that the command at hand gives back itself. */
stet_status claim_take(struct operations *operations, struct staging *staging, struct task *task,
                       unsigned freed, stet_error *err);
stet_status claim_copy(struct stet_command *command, const stet_claim *claim, stet_claim *kept,
                       stet_error *err);

/* Somebody takes one in hand. shown: may be NULL. */
struct start {
    stet_view agent, worker, actor;
    unsigned ttl_s;
    uint64_t batch;
};
stet_status operation_start(struct operations *operations, struct staging *staging,
                            const struct operation *operation, const struct start *start,
                            struct shown *shown, stet_error *err);
/* Whether another one of its batch is in hand, too: then it takes no place of its own. */
bool operation_shares(const struct operation *operation);

static inline struct operation *operation_of(struct queue_entry *entry) {
    return (struct operation *)((char *)entry - offsetof(struct operation, entry));
}

/* Functions: function_run.c. When something may be done; 0: now. */
int64_t functions_next(const struct operations *operations);
bool functions_due(struct operations *operations, struct task *task, struct stet_command *command);
/* What functions_due filled last could not be brought to a worker. */
void functions_not_started(struct operations *operations);
void functions_ended(struct operations *operations, struct stet_command *command);

/* Forgetting what was finished long ago: prune.c, alike. */
void prune_note_finished(struct operations *operations, uint64_t seq);
int64_t prune_next(const struct operations *operations);
bool prune_due(struct operations *operations, struct task *task, struct stet_command *command);
void prune_not_started(struct operations *operations);
void prune_ended(struct operations *operations, const struct stet_command *command);

/* What may be done by time: due.c. */
void operations_decided(void *state);
void operations_next_due(void *state, struct module_time *at);
bool operations_due(void *state, const struct module_time *now, bool refused,
                    struct stet_command *command);

/* Checks what a deferred start must hold: *doom says why it must not be started. */
stet_status operation_check_start(struct staging *staging, const struct operation *operation,
                                  enum doom *doom, stet_error *err);
/* Notes that the operation is to be ended. */
void operation_doom(struct operations *operations, struct operation *operation, enum doom doom);
void operation_undoom(struct operation *operation);
/* Its end was refused: others come first. */
void operation_doom_later(struct operations *operations, struct operation *operation);
/* The record with what was said since, in the arena. */
stet_status record_now(struct staging *staging, const struct operation *operation,
                       struct operation_record **record, stet_error *err);
/* Whether somebody may say something of an operation with this lease. */
stet_status lease_check(struct operations *operations, struct staging *staging,
                        const struct operation *operation, uint64_t lease, stet_error *err);
/* Of one that may be finished: what became of it, for who still believes to have it. */
stet_status lease_refuse_finished(stet_view id, uint64_t lease,
                                  const struct operation_record *record, stet_error *err);
/* What an agent said becomes a version. */
stet_status progress_flush(struct operations *operations, struct staging *staging,
                           struct operation *operation, stet_error *err);
struct failing {
    stet_view error;
    bool retry; /* While it has retries left. */
    unsigned retry_after_s;
};
/* Stages the end of a run that failed. */
stet_status operation_fail(struct operations *operations, struct staging *staging,
                           const struct operation *operation, struct operation_record *record,
                           const struct failing *failing, const struct store_change **row,
                           stet_error *err);
/* Moves the queue on to `now`, and notes where somebody may find something. */
void operations_tick(struct operations *operations);
/* Stages its end by somebody: OPERATION_EVENT_CANCELLED or EXPIRED. */
stet_status operation_end(struct operations *operations, struct staging *staging, stet_view id,
                          struct operation_record *record, enum operation_event event,
                          stet_view reason, const struct store_change **row, stet_error *err);
/* Gives up the run at hand: nobody has the lease any more. */
void record_let_go(struct operation_record *record);
/* What somebody said meanwhile becomes part of the record. */
void record_take_note(struct operation_record *record, const struct operation *operation);

/* -- Answers: show.c -- */

/* A version that the command at hand has staged. */
void shown_staged(struct shown *shown, const struct store_change *row,
                  const struct operation_record *record);
/* What is to be known about one that waits or runs, on the sequencer. */
void shown_fill(struct operations *operations, const struct operation *operation,
                struct shown *shown);
void lane_estimate(struct operations *operations, const struct lane *lane, unsigned level,
                   size_t ahead, int64_t not_before, struct estimate_answer *answer);
/* Null where it is not known. */
void put_seconds(struct json_writer *writer, stet_view name, bool known, double seconds);
void put_range(struct json_writer *writer, bool known, double low_s, double high_s);
void shown_render_place(struct json_writer *writer, const struct shown *shown);
enum show_part { SHOW_WHOLE, SHOW_BARE }; /* BARE: without input and result. */
stet_status shown_render(struct stet_command *command, struct json_writer *writer,
                         const struct shown *shown, enum show_part part, stet_error *err);
stet_status answer_shown(struct stet_command *command, struct json_writer *writer, stet_error *err);
stet_status answer_claim(struct stet_command *command, struct json_writer *writer, stet_error *err);

#endif
