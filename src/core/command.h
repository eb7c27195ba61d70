/*
 * A command: one request from creation to outcome. It owns all memory of the request (one arena) and the slot by which it is
 * queued and completed, so that completing never allocates.
 *
 *   filled ──submit──► prepared ──► queued ──► decided ──► durable ──► completed ──► rendered
 *     (client's thread)             (sequencer, or a worker for scans)      (client's thread)
 *
 * A write is prepared on the submitting thread: names checked, bodies parsed, patches applied to their base, the change built.
 * The sequencer decides it (core/decide.c) against the heads, which only it may change. The outcome is rendered on the
 * client's thread from what the decision recorded.
 */
#ifndef CORE_COMMAND_H
#define CORE_COMMAND_H

#include "base/buffer.h"
#include "core/actor.h"
#include "core/change.h"
#include "core/module.h"
#include "core/policy.h"
#include "core/worker.h"
#include "doc/doc.h"

struct export;
struct json_writer;
struct merging;
struct slot_taken; /* core/spans.h */
struct rank;

enum command_kind {
    COMMAND_EMPTY,
    COMMAND_WRITE,
    COMMAND_RESOLVE, /* Becomes a write when prepared. */
    COMMAND_READ,
    COMMAND_LIST,
    COMMAND_HISTORY,
    COMMAND_DIFF,
    COMMAND_EXPORT,
    COMMAND_RECEIPT, /* On the sequencer: exact, because it waits its turn. */
    COMMAND_STATS,
    COMMAND_CHECK,
    COMMAND_MODULE,      /* A module's own, on the sequencer: command->owner decides it. */
    COMMAND_MODULE_READ, /* A module's own list: command->read_rows fills the answer on a worker. */
};

/* What the sequencer decided for one mutation. */
enum decision {
    DECISION_NONE,
    DECISION_STAGED,    /* A change was made: mutation->change. */
    DECISION_UNCHANGED, /* The result equals the head. */
    DECISION_REFUSED,   /* mutation->status says why. */
    DECISION_DROPPED,   /* Its strategy lets the record stand: a success that changes nothing. */
    DECISION_PARKED,    /* It waits for a person: mutation->conflict_id. */
    DECISION_PASSED,    /* A check that held. */
};

struct mutation {
    stet_op op;
    stet_view type;
    stet_view id;
    stet_base base;
    stet_strategy on_conflict;
    stet_version revert_to;
    stet_origin origin;
    bool imported;       /* With origin.history: one version of a record's history. */
    int64_t modified_at; /* The client's own time of the change, for "newest"; 0: not given. */
    stet_view parent; /* With sets_parent: the address of the new parent; empty: becomes a root. */
    bool sets_parent;
    /* "type/id@version" of what it is a copy of, or of what it was last merged into; empty: as it is. */
    stet_view forked_from;
    stet_view lock; /* The lock it relies on, with its fencing token; empty: none. */
    uint64_t lock_token;
    bool purges;       /* Erased for good: core/purge.h. */
    bool touches;      /* A new version even when the data is equal. */
    bool generated_id; /* The id was made here: it is not part of the request's hash. */
    stet_view body;    /* As sent. */
    struct doc body_doc;

    /* Prepared: the writer's own version of the record ("yours"), where it could be computed. */
    bool has_yours;     /* yours_data and yours_hash are set (never for deletes and checks). */
    bool prepared_late; /* yours came from a head of the batch, which may yet be taken back. */
    stet_view yours_data;
    struct doc yours_doc; /* Parsed from yours_data, if its text is that; else of no use. */
    uint64_t yours_hash;
    uint64_t prepared_version; /* The head the preparation looked at. */
    stet_view last_data;       /* DELETE: that head's data. */
    /* A failure to be reported only if nothing earlier in the order of outcomes applies. */
    stet_status prepare_status;
    stet_error *prepare_error;
    /* Built at preparation when the outcome is likely; staged by the sequencer. Owned. */
    struct change *change;
    /* The type's policy at preparation, with a reference; yours was validated against it when `validated`. */
    const struct policy *policy;
    bool prepared; /* By its module (command_prepare_apart): left alone when the command is. */
    bool validated;
    uint64_t validated_from; /* Also against this version of the record's data; 0: against none. */
    struct change *base_change; /* The version it was made from, when that was at hand. Owned. */
    struct change
        *newer_change;     /* The head that the preparation knew, when that was newer. Owned. */
    struct merging *ahead; /* A merge made ahead of the sequencer (core/merging.h), in the arena. */
    stet_view origin_json; /* What its change keeps of an import, and of modified_at. */
    /* Of one to whom fields are hidden (core/veil.h): yours as they see it, where that is not yours_data; under which policy (its seq) a
       patch was applied so; and whether yours_data came with what is hidden already, for it was not sent but made here. */
    stet_view shown;
    uint64_t veiled_by;
    bool whole;
    /* Made by a function that runs as an administrator: decided as if one had written it. */
    bool as_admin;

    /* Decided. */
    enum decision decision;
    stet_status status;
    stet_error *error;        /* With DECISION_REFUSED, beyond the status. */
    struct store_head before; /* The head it was decided against. */
    stet_view permitted;      /* The result that access rules allow for that head. */
    bool bypass;              /* They do not, but an administrator passes. */
    uint64_t after_version;   /* Of the record after the decision. */
    uint64_t after_seq;
    stet_strategy strategy; /* In force when the base was stale; else STET_STRATEGY_DEFAULT. */
    stet_view conflict_id;  /* Of the conflict record kept for it; empty: none. */
    stet_view taken_by; /* With UNIQUE_VIOLATION: the address of the record that has the value. */
    struct slot_taken *taken; /* With SLOT_TAKEN: by what, and when there is room (core/spans.h). */
};

/*
 * By what a command's changes are made, for the history: members of a change's `origin`. Set before its mutations are prepared; borrowed or
 * in the arena.
 */
struct provenance_made {
    stet_view operation; /* Its id; empty: none. */
    stet_view function;  /* "name@version"; empty: none. */
    stet_view inputs;    /* JSON array of the addresses it was made from; empty: not told. */
};

enum command_render { RENDER_RECORD, RENDER_FLAT };

struct stet_command {
    struct job job; /* While a worker has it. */
    /* In the sequencer's queue, a worker's, or the client's completions. */
    struct stet_command *next;
    struct stet_client *client;
    struct space *space; /* A reference while submitted. */
    enum command_kind kind;
    bool submitted;
    bool done;
    bool rendered;
    void *context;
    struct arena arena;
    stet_actor actor;
    /* The module on whose behalf a system type is written; NULL for everybody else. */
    const struct module *owner;
    size_t queue_bytes; /* What it counts for in the sequencer's queue. */
    /* With what right it writes what others may have reserved (core/reservations.h); in the arena. NULL: a plain write. */
    const struct rank *rank;

    /* Write. */
    struct mutation *mutations;
    size_t mutation_count;
    bool transaction;
    bool dry_run;
    stet_view key; /* As the client wrote it. */
    bool has_key;
    uint8_t key_bytes[STORE_KEY_BYTES];
    uint8_t request_hash[STORE_HASH_BYTES];
    stet_view source;
    struct provenance_made made; /* By what its changes are made. */
    stet_view merge;             /* Provenance to keep with the change (resolve). */
    bool keeps_deleted;  /* A resolution that leaves a tombstone: its check holds for one. */
    bool single_use_key; /* A replay is ALREADY_RESOLVED. */
    enum command_render render;
    /*
     * A detour over a worker. Set before submitting (work that is too long for the submitting thread), or by the sequencer when a
     * decision needs more than may be spent there: the command is then not answered but taken to a worker, hop runs, and it comes
     * back to the sequencer. hop may set command->hop again; a failure completes the command with it. Cleared before it runs.
     */
    stet_status (*hop)(struct stet_command *command, struct store_reader *reader, stet_error *err);
    bool judges; /* Its hops judge passwords: on the engine's threads for that, not on a worker. */
    unsigned hops; /* How often the sequencer sent it on a detour. */
    /* Held: decided by the sequencer to wait (see staging_hold). */
    bool held;
    bool wait_over;        /* It waited as long as it may: decide now. */
    atomic_bool cancelled; /* Its client is no longer interested. Any thread. */
    bool internal;         /* Made by the sequencer for `due`: nobody waits for its answer. */
    bool background;       /* The same, with work for a worker: decided later, as any other. */
    struct staged_record *extra; /* Records that modules staged along with it. */
    uint64_t held_tag;
    int64_t held_until; /* Monotonic; 0: at once. */
    int64_t
        reserved_until; /* Monotonic: how long it waits for reservations of others, in all; 0: it met none. */
    /* Set by a module that let it wait: runs once on the sequencer's thread when the command is about to be answered, whatever came of
       it, so that the module can forget it and let others go on (space_wake_held). Not for commands that hop. */
    void (*left)(struct stet_command *command);
    /*
     * COMMAND_MODULE, on the client's thread: writes the answer, a whole JSON object, and sets outcome->version and the like. A
     * COMMAND_WRITE may have one of its own, too, for its success; a replay is answered as any other
     * unless answers_replay.
     */
    stet_status (*answer)(struct stet_command *command, struct json_writer *writer,
                          stet_error *err);
    bool answers_replay;
    /* Adds members to the body of a failure of the whole command. May be NULL. */
    void (*explain)(struct stet_command *command, struct json_writer *writer);
    /* Adds members to what is said of one refused mutation. May be NULL. */
    void (*explain_mutation)(struct stet_command *command, size_t index,
                             struct json_writer *writer);
    /* Gives back what module_data holds beside the arena, when the command is cleared: the client's thread. May be NULL. */
    void (*release)(struct stet_command *command);
    /* Runs on the submitting thread before the rest of the preparation: fills mutations from reads. May be NULL. */
    stet_status (*prepare)(struct stet_command *command, stet_error *err);
    /* Adds members to a flat answer, e.g. a token shown once. May be NULL. */
    void (*decorate)(struct stet_command *command, struct json_writer *writer);
    /*
     * Writes that modules make of many records, on the sequencer's thread. begin: after the key was looked up and before the first
     * mutation is decided; may refuse the whole, or set hop where what the mutations were made from no longer holds. bind:
     * before each mutation, which may depend on what became of the ones before it. Either may be NULL.
     */
    stet_status (*begin)(struct staging *staging, stet_error *err);
    stet_status (*bind)(struct staging *staging, size_t index, stet_error *err);
    void *module_data; /* In the arena. */

    /* Resolve. */
    stet_resolution resolution;

    /* Reads. */
    stet_read read;
    stet_list list;
    struct query *query; /* Of a list with where, sort or fields; core/query.h. */
    stet_history history;
    stet_version diff_from, diff_to;
    struct export *export; /* core/export.h */
    stet_status (*read_rows)(struct stet_command *command, struct store_reader *reader,
                             struct buffer *out, stet_error *err);
    bool copies; /* It copies the whole space: on the engine's thread for that, not on a worker. */

    /* Decided. */
    stet_status status;
    stet_error error;
    bool replayed;
    bool staged_any;
    /* Refused, but what its module staged after staging_take_back is stored all the same. */
    bool keeps_staged;
    struct store_key replay; /* What the key did, when replayed. */
    bool merged;             /* A strategy settled a stale write. */
    bool parked;             /* It waits for a person: the first mutation's conflict_id. */
    bool preview;            /* A dry run whose answer is core/preview.h. */
    bool minimal;            /* The caller wants no body on success. */
    stet_view key_result;    /* What the key row will say. */
    stet_view
        key_words; /* COMMAND_MODULE, set when it is decided: what else that keeps, for the answer to a replay. */
    /* COMMAND_RECEIPT: STET_OK when nothing is known, or how it was refused. */
    stet_status receipt_status;
    /* The space's seq at the decision; the transaction's last seq when it staged. */
    uint64_t decided_seq;
    bool took;              /* What it costs is out of its actor's bucket (core/quota.h). */
    uint64_t retry_after_s; /* With TOO_MANY_REQUESTS of that. */
    struct change *head;    /* A read's record. Owned. */

    stet_outcome outcome;
};

/*
 * The result blob of a key row: for each mutation seq << 2 | flags, as varints; then, where a module keeps words of its own there
 * (command->key_words), a zero and those.
 */
enum { KEY_RESULT_UNCHANGED = 1, KEY_RESULT_NOTHING = 2, KEY_RESULT_DROPPED = 3 };
stet_view command_encode_result(struct stet_command *command);
/* Reads one entry from offset; false at the end. */
bool command_decode_result(stet_view result, size_t *offset, uint64_t *seq, unsigned *flags);
/* The words a module kept there; empty: none. */
stet_view command_decode_words(stet_view result);

/* The mutation of this command that staged the change with this seq; NULL: it is another command's. */
const struct mutation *command_find_staged(const struct stet_command *command, uint64_t seq);

/* The record that a module staged to keep a parked write: the one with the first mutation's conflict_id. NULL: there is none. */
const struct mutation *command_find_parked(const struct stet_command *command);

/* Checks names as every entrance does. field: "type", "id", … */
stet_status check_type_name(stet_view type, const char *field, stet_error *err);
stet_status check_id(stet_view id, const char *field, stet_error *err);
stet_status check_actor(stet_view actor, stet_error *err);
/* 1 to bytes_max bytes of UTF-8 without control characters. */
stet_status check_word(stet_view name, size_t bytes_max, const char *field, stet_error *err);

/* From the client's pool, or new; NULL when memory is out. Destroyed back into the pool. core/command.c */
struct stet_command *command_create(struct stet_client *client);
void command_destroy(struct stet_command *command);

/* Copies and checks a write; see stet_command_write. */
stet_status command_fill_write(struct stet_command *command, const stet_write *write,
                               stet_error *err);
stet_status command_set_key(struct stet_command *command, stet_view key, stet_error *err);

/* Prepares a write on the submitting thread: whatever can be known before the sequencer. core/prepare.c */
stet_status command_prepare(struct stet_command *command, stet_error *err);

/*
 * Prepares a PUT or DELETE that a module made: as command_prepare does, without the client's cache, so on any thread. Of a DELETE last_data and
 * prepared_version are set already, if known. core/prepare.c
 */
stet_status command_prepare_apart(struct stet_command *command, struct mutation *mutation,
                                  stet_error *err);

/* Renders outcome; core/outcome.c. */
void command_render(struct stet_command *command);
/* For the answer of a module's command: an array element for each of its mutations, as a transaction's "results" has them. */
stet_status command_render_results(struct stet_command *command, struct json_writer *writer,
                                   stet_error *err);

/* Gives up the mutations, so that others can be made in their place. */
void command_drop_mutations(struct stet_command *command);

/* Releases what a command holds, keeping its memory for reuse. */
void command_clear(struct stet_command *command);

#endif
