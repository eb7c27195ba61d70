/*
 * Shared by the files of this folder.
 *
 *   definition.c  what a definition says; hiding.c what of it nobody reads back
 *   handlers.c    the module: which handlers there are and how far each has come, and when there is something to follow
 *   follow.c      on a worker: which changes somebody reacts to; on the sequencer: the reactions
 *   match.c       whether one handler reacts to one change, and what it is told
 *   commands.c    writing, getting and listing them
 */
#ifndef MODULES_HANDLERS_INTERNAL_H
#define MODULES_HANDLERS_INTERNAL_H

#include "base/limits.h"
#include "core/client.h"
#include "core/operation.h"
#include "core/outbound.h"
#include "core/query.h"
#include "core/read.h"
#include "modules/handlers/definition.h"
#include "modules/handlers/handlers.h"

#define HANDLER_TYPE VIEW("stet.handler")
#define STATE_TYPE VIEW("stet.handler_state")
#define OPERATION_TYPE VIEW("stet.operation")

enum { HANDLER_ERROR_BYTES = 256 };

/* How far one has come; what a `stet.handler_state` record says. */
struct progress {
    uint64_t
        born; /* Seq of the change that created the handler: a new one of that name begins anew. */
    uint64_t position; /* Every change up to here was looked at. */
    uint64_t reactions;
    uint64_t failed; /* Reactions whose operation ended otherwise than it should. */
    uint64_t missed; /* Changes it could not judge, for their data are no longer kept. */
    char last_error[HANDLER_ERROR_BYTES];
    int64_t last_error_at; /* 0: there was none. */
};

struct entry {
    struct entry *next;
    char name[HANDLER_NAME_BYTES_MAX + 1];
    uint64_t version; /* Of its record; 0: there is none. */
    bool created;     /* born_here is known. */
    uint64_t born_here;
    struct handler *handler; /* Compiled, of that version; NULL: a worker has to look first. */
    stet_view by;            /* Who wrote the definition; owned. */
    bool placed;             /* progress is known. */
    struct progress progress;
    bool has_state; /* There is a record of its state: */
    struct progress noted;
    int64_t blocked_until; /* Monotonic: a reaction could not be queued; 0: it could. */
};

/* The module's state of one space. The sequencer's thread; it changes entries under the lock, for metrics are read on others. */
struct handlers {
    struct space *space;
    pthread_mutex_t lock;
    struct entry *entries;
    uint64_t generation; /* Of the projection: how often it was loaded. */
    bool under_way;      /* A follow is. */
    int64_t blocked_until;
    bool wants_look; /* The runner of webhooks is to look at this space: it was opened. */
    struct outbound_wish wish;
};

struct entry *handlers_find(const struct handlers *handlers, stet_view name);

/* ---- Following: command->module_data of the work in the background ----------------------------------------------------- */

/* One handler during one turn. */
struct follower {
    stet_view name, by;
    uint64_t version;
    struct handler *handler; /* A reference, once it was looked at. */
    bool created;
    uint64_t born_here;
    bool placed, has_state;
    bool ready; /* Compiled and placed. */
    struct progress progress;
    uint64_t noted_position;
    bool note;    /* Its state is to be stored. */
    bool blocked; /* A reaction could not be queued. */
};

struct reaction {
    struct reaction *next;
    struct follower *follower;
    uint64_t seq;
    unsigned event;
    stet_view input, parent, target;
    bool guarded; /* It tells of a record whose type has access rules. */
};

struct follow {
    enum task_kind {
        TASK_FOLLOW,
        TASK_FORGET,
        TASK_SHOW
    } kind; /* Of all commands of this module. */
    uint64_t generation;
    struct follower *followers;
    size_t count;
    struct reaction *first, **last;
    size_t reaction_count, input_bytes;
    uint64_t reached;
    stet_view name; /* TASK_FORGET. */
};

/* On a worker. */
stet_status follow_hop(struct stet_command *command, struct store_reader *reader, stet_error *err);
/* On the sequencer: the reactions, and how far each has come. */
stet_status follow_decide(struct handlers *handlers, struct staging *staging, struct follow *follow,
                          stet_error *err);
void follow_release(struct stet_command *command);

/* match.c: adds a reaction where the handler is to react. */
struct look {
    struct arena *arena;
    struct store_reader *reader;
    struct space *space;
    const struct store_change *change;
    /* Found out once for each change, when first asked for. */
    struct arena once;
    bool parsed;
    bool unreadable; /* Its data are no longer kept. */
    stet_view visible;
    struct store_change shown; /* The change with what may be seen of it. */
    struct query_record record;
    unsigned system_event;  /* Of conflicts, alerts and operations; HANDLER_EVENTS: none. */
    stet_view subject_type; /* The type of the record that it is about. */
    stet_view handler;      /* Of an operation: which handler asked for it. */
    bool too_deep;          /* It is the record of where a cycle ended. */
    stet_view error;
};
void look_init(struct look *look, struct space *space, struct store_reader *reader);
void look_done(struct look *look);
stet_status look_at(struct look *look, const struct store_change *change, stet_error *err);
stet_status look_match(struct look *look, struct follow *follow, struct follower *follower,
                       stet_error *err);
/* An operation that a handler asked for ended badly. */
void look_count(struct look *look, struct follower *follower);

/* commands.c: the decision of TASK_SHOW. */
stet_status show_decide(struct handlers *handlers, struct stet_command *command, stet_error *err);

/* A state record's data. */
stet_status progress_read(struct arena *arena, stet_view data, struct progress *progress,
                          stet_error *err);
stet_view progress_write(struct arena *arena, const struct progress *progress);

#endif
