/*
 * A space: the unit of ordering and storage. It ties together a store, the heads its sequencer decides against, the ring of
 * what was published, and the modules' projections.
 *
 * Life: absent → opening → open → closing → absent. Opened by the first thread that needs it, closed by the keeper thread when
 * nobody has held a reference for a while, or at stet_close. space->refs counts handles and submitted commands.
 */
#ifndef CORE_SPACE_H
#define CORE_SPACE_H

#include "base/limits.h"
#include "core/contention.h"
#include "core/heads.h"
#include "core/heat.h"
#include "core/module.h"
#include "core/quota.h"
#include "core/receipts.h"
#include "core/ring.h"

#include <pthread.h>

struct engine_module_state {
    const struct module *module;
    void *state;
    struct module_time due; /* When its `due` is to be called. */
};

/* What became of a write from a stale base. */
enum settled_how {
    SETTLED_MERGED,
    SETTLED_APPLIED,   /* On top of what its writer had not seen. */
    SETTLED_DROPPED,   /* The record stayed as it was. */
    SETTLED_UNCHANGED, /* Merged, and equal to what stood there. */
    SETTLED_PARKED,
    SETTLED_REFUSED, /* A conflict. */
    SETTLED_WAYS
};

enum { RESOLUTION_BUCKETS = 12 };

/* Counters; relaxed atomics, read by metrics. */
struct space_counters {
    _Atomic uint64_t writes;   /* Changes committed. */
    _Atomic uint64_t commands; /* Writes decided, whatever came of them. */
    /* By conflict type: version_mismatch, concurrent_edit, agent_override. */
    _Atomic uint64_t conflicts[3];
    /* Writes from a stale base, by strategy and what became of them. */
    _Atomic uint64_t settled[STET_STRATEGY_ASK + 1][SETTLED_WAYS];
    _Atomic uint64_t merge_detours; /* Merges too dear for the sequencer, sent to a worker. */
    /* Conflicts that wait for a person, and how long they did: upper bounds 4^k seconds. */
    _Atomic uint64_t conflicts_open; /* Now. */
    _Atomic uint64_t conflicts_opened;
    _Atomic uint64_t conflicts_resolved;
    _Atomic uint64_t conflicts_expired;
    _Atomic uint64_t notices; /* To those whose values were replaced. */
    _Atomic uint64_t resolution_bucket[RESOLUTION_BUCKETS];
    _Atomic uint64_t resolution_s_sum;
    _Atomic uint64_t unchanged;
    _Atomic uint64_t replays;
    _Atomic uint64_t refused; /* Other refusals. */
    _Atomic uint64_t retries; /* Writes whose preparation had to be repeated by the sequencer. */
    _Atomic uint64_t commits;
    _Atomic uint64_t commit_failures;
    _Atomic uint64_t commit_ns_sum;
    _Atomic uint64_t commit_ns_bucket[16]; /* Upper bounds 2^k * 64 µs. */
    _Atomic uint64_t batch_bucket[12];     /* Commands per batch, upper bounds 2^k. */
    _Atomic uint64_t batch_sum;
    _Atomic uint64_t cache_hits;
    _Atomic uint64_t cache_misses;
    _Atomic uint64_t reservations;           /* By operations that lost too often. */
    _Atomic uint64_t reservation_waits;      /* Writes that waited for one. */
    _Atomic uint64_t reservation_timeouts;   /* And were turned away after that. */
    _Atomic uint64_t reservation_rejections; /* Of class low, which do not wait. */
    _Atomic uint64_t busy;                   /* Submissions refused because too much was waiting. */
    _Atomic uint64_t access_failures; /* Access rules that could not be judged, and so denied. */
    _Atomic uint64_t subscribers;
    _Atomic uint64_t events; /* Delivered to subscribers. */
    /* Changes published since the one delivered, upper bounds 2^k. */
    _Atomic uint64_t lag_bucket[18];
    _Atomic uint64_t lag_sum;
};

/* Somebody on another thread who wants to know when published moved (a client with subscriptions). */
struct watcher {
    struct watcher *next;
    void (*poke)(struct watcher *watcher); /* On the sequencer's thread; must not block. */
};

enum space_state { SPACE_OPENING, SPACE_OPEN, SPACE_CLOSING };

struct space {
    struct stet_engine *engine;
    char name[SPACE_NAME_BYTES_MAX + 1];
    uint64_t instance;  /* Distinct for every opening in this process: caches key on it. */
    struct space *next; /* In the registry. */
    atomic_int refs;
    _Atomic int64_t idle_since; /* Monotonic; meaningful while refs is 0. */
    enum space_state state;     /* Under the registry's lock. */
    atomic_bool dropped; /* Deleted: takes nothing more; closed when the last reference goes. */
    atomic_bool halted;  /* A commit's outcome is unknown: no writes until reopened. */
    char *file;          /* Path of its store; NULL in memory. */

    struct store *store;
    struct ring ring;
    bool ring_ready;    /* ring_init succeeded. */
    uint8_t secret[32]; /* Of resolution tokens. */
    char id[32];        /* For people and programs: which data these are. From the secret. */
    /* Of tables by names, which others choose: from the secret, so that nobody can choose names that collide. */
    uint64_t hash_seed;
    struct space_counters counters;
    struct contention contention;

    struct heat heat; /* Which records conflict most. */

    pthread_mutex_t readers_lock;
    struct store_reader *readers[64]; /* Idle ones. */
    size_t reader_count;

    pthread_mutex_t watchers_lock;
    struct watcher *watchers;

    /* The sequencer's, below. */
    struct sequencer *sequencer;
    struct stet_command *queue_first, *queue_last; /* Under the sequencer's lock. */
    /* Likewise: the last of those at the queue's head that waited already; NULL: there are none. */
    struct stet_command *queue_woken;
    size_t queue_count;       /* Likewise. */
    size_t queue_bytes;       /* Likewise. */
    struct space *ready_next; /* Likewise. */
    bool ready;               /* Likewise: queued for its sequencer, or being worked on. */
    struct heads heads;
    struct receipts receipts;
    struct quota quota;
    struct engine_module_state *modules;
    size_t module_count;
    struct policies *policies;         /* core/policy.h */
    struct indexes *indexes;           /* core/index.h */
    struct spans *spans;               /* core/spans.h; NULL until there is a booking. */
    struct retain *retain;             /* core/retain.h */
    struct reservations *reservations; /* core/reservations.h; NULL until there is one. */
    _Atomic int operations_sight;      /* enum operations_sight, by the space's settings. */
    bool chores; /* There is work for the pauses between batches: rows or versions to be removed. */
    /* Commands that wait to be decided again, in the order they began to wait; linked by next. */
    struct stet_command *held_first, *held_last;
    size_t held_count;
    _Atomic int64_t access_report_next; /* When a rule that cannot be judged is reported again. */
    _Atomic int64_t merge_report_next;  /* When a function that fails to merge is reported again. */
    atomic_bool held_changed;           /* One of them was cancelled, or the space is gone. */
    /* Monotonic: when its sequencer must look at it although nothing waits. MODULE_NEVER: never. */
    _Atomic int64_t due_at;
    struct stet_command *due_done; /* Made for what was due in the batch at hand. */
    bool attached;                 /* Its sequencer watches over it. Under the sequencer's lock. */
    struct space
        *sequencer_next; /* Among the open spaces of its sequencer. Under the sequencer's lock. */
    /* A failed batch was taken back, but the projections could not be loaded anew. */
    bool modules_stale;
    /* Where positions and versions went on when the space was restored from a backup; 0: it never was. */
    uint64_t life;
    uint64_t seq;  /* Last assigned, staged ones included. */
    int64_t stamp; /* Likewise. */
};

/* To whom operations are shown that they did not ask for, beside those with the scope "operate" (core/operation.h). */
enum operations_sight {
    OPERATIONS_FOR_SERVICES, /* Tokens without roles: what services use. */
    OPERATIONS_FOR_MEMBERS,  /* Everybody with the role "member". */
    OPERATIONS_PRIVATE,      /* Nobody. */
};

/* A space that is not open yet, with no reference. NULL when memory is out. */
struct space *space_create(struct stet_engine *engine, const char *name);

/* Opens its store and modules. file: NULL for one in memory. On failure the caller closes and frees it. */
stet_status space_open(struct space *space, const char *file, stet_error *err);

/* Closes what space_open opened, also after it failed halfway; then space_free. */
void space_close(struct space *space);
void space_free(struct space *space);

/*
 * The version after a head's. What was written after a backup that was restored is gone, but clients may remember its versions: a
 * record's first version after it is one that nobody can have seen.
 */
static inline uint64_t space_next_version(const struct space *space,
                                          const struct store_head *head) {
    if (head->seq <= space->life && head->version < space->life) return space->life + 1;
    return head->version + 1;
}

struct space *space_ref(struct space *space);
void space_unref(struct space *space);

/* A reader for the duration of a call. */
stet_status space_reader_take(struct space *space, struct store_reader **reader, stet_error *err);
void space_reader_give(struct space *space, struct store_reader *reader);

void space_watch(struct space *space, struct watcher *watcher);
void space_unwatch(struct space *space, struct watcher *watcher);
/* Tells all of them that something was published, or that the ring is closed. */
void space_poke(struct space *space);

/* Which module owns a system type; NULL for any other type (and for unknown system types). */
const struct module *space_type_owner(const struct space *space, stet_view type);

/* Empties and reloads every projection from the live heads. */
stet_status space_load_modules(struct space *space, stet_error *err);

/* What a module of the space says of a measure: struct module.gauge. False: nobody knows. The sequencer's thread. */
bool space_gauge(const struct space *space, enum module_measure measure, stet_view lane,
                 stet_class class_, const struct module_time *now, double *value);

#endif
