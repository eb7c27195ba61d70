/*
 * The engine: a data directory, its registry of spaces, and the threads: sequencers, workers, and the keeper, which closes idle
 * spaces. Everything public about it is in stet.h; this header is for core, the modules and the tests.
 */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include "base/clock.h"
#include "core/sequencer.h"
#include "core/space.h"
#include "core/worker.h"
#include "store/store.h"

struct dirlock;
struct outbound_wish;

/* What tests put in the place of the world. Zero members mean the real thing. */
struct engine_seams {
    const struct clock *clock;
    const struct entropy *entropy;
    const char *vfs;         /* SQLite VFS. */
    const char *synchronous; /* See struct store_options. */
    size_t wal_restart_bytes;
    size_t late_heads_max;
    bool manual; /* No threads: the caller drives with engine_step. */
    unsigned commit_batch_max;
    /* Functions commit if nobody else wrote what they write, whatever became of what they read: snapshot isolation, so that a test can
       show what validating reads prevents. */
    bool unvalidated_reads;
    /* How dear it is to judge a password. 0: PASSWORD_OPS, PASSWORD_MEMORY_BYTES. */
    unsigned long long password_ops;
    size_t password_memory_bytes;
};

/* Something that goes on beside the engine, with a thread of its own (src/backup), and ends before it. */
struct engine_companion {
    struct engine_companion *next;
    /* engine->stopping is set. Ends the thread and frees the companion. */
    void (*stop)(struct engine_companion *companion);
    void (*metrics)(struct engine_companion *companion, stet_metric_visit *visit, void *context);
};

struct stet_engine {
    struct engine_seams seams;
    const struct clock *clock;
    const struct entropy *entropy;
    char *data_dir; /* NULL: in memory. */
    struct dirlock *lock;
    stet_options options; /* Without the borrowed texts. */
    unsigned key_retention_s;
    unsigned commit_batch_max;
    int64_t space_idle_ns;
    size_t client_cache_bytes;
    const struct module *const *modules;     /* NULL-terminated. */
    const struct function_runner *functions; /* Of one of them; NULL: nobody runs functions. */
    pthread_mutex_t spaces_lock;
    pthread_cond_t spaces_moved; /* A space opened, closed or failed to. */
    struct space *spaces;
    struct space *home; /* "stet": always open. */
    _Atomic uint64_t instances;
    struct sequencer *sequencers;
    size_t sequencer_count;
    _Atomic size_t next_sequencer;
    struct workers workers;
    bool workers_ready;
    /* One thread for copies of whole spaces, which would keep a worker from everything else for minutes. Started by the
       first copy, under copies_lock. */
    struct workers copies;
    bool copies_started;
    /* Judging passwords takes long and much memory: a few at a time, and nobody else waits for it. Started by the first, under
       copies_lock. */
    struct workers passwords;
    bool passwords_started;
    pthread_mutex_t copies_lock;
    struct engine_companion *companions; /* Under copies_lock. */
    struct {
        pthread_mutex_t lock;
        struct outbound_wish *wishes;
        void (*wake)(void *context); /* NULL: nobody posts anything. */
        void *context;
    } outbound; /* core/outbound.h */
    pthread_t keeper;
    bool keeper_started;
    pthread_mutex_t keeper_lock;
    pthread_cond_t keeper_wake;
    atomic_bool stopping;
    int64_t clock_offset; /* Wall minus monotonic, as the keeper saw it last; 0: not yet. */
    /* What functions are run in; of the functions module. Set while the engine is opened. */
    void *sandboxes;
    void (*sandboxes_destroy)(void *sandboxes);
    /* What is remembered of all spaces' people together (attempts, tickets); of the people module. Likewise. */
    void *people;
    void (*people_destroy)(void *people);
    bool sweep_due; /* Files of deleted spaces are to be removed. Under keeper_lock. */
    pthread_mutex_t clients_lock;
    struct stet_client *idle_clients; /* Of the blocking calls. */
    atomic_int clients;
    char advice[512];
};

stet_status engine_open(const stet_options *options, const struct engine_seams *seams,
                        const struct module *const *modules, stet_engine **engine, stet_error *err);
void engine_close(stet_engine *engine);

/* A reference to an open space, opening it when needed. */
stet_status engine_space(stet_engine *engine, stet_view name, struct space **space,
                         stet_error *err);

/* The space's record, whose last data this was, is deleted: closes it when unused and removes its files. */
void engine_space_drop(stet_engine *engine, stet_view name, stet_view data);

/* One round of the keeper: closes unused spaces, removes files of deleted ones. The keeper's thread, or a test's. */
void engine_keep(stet_engine *engine);

/* With seams.manual: everything that waits on sequencers and workers is done on this thread. True when anything was. */
bool engine_step(stet_engine *engine);
/* With seams.manual: exactly one batch of at most max commands of one space. */
bool engine_step_batch(stet_engine *engine, struct space *space, size_t max);

/* The thread for copies; starts it. STET_SHUTTING_DOWN, STET_NO_MEMORY. */
stet_status engine_copies(stet_engine *engine, struct workers **copies, stet_error *err);

/* The threads for passwords; starts them. STET_SHUTTING_DOWN, STET_NO_MEMORY. */
stet_status engine_passwords(stet_engine *engine, struct workers **passwords, stet_error *err);

/* STET_SHUTTING_DOWN: the engine is closing; the companion stays the caller's. */
stet_status engine_accompany(stet_engine *engine, struct engine_companion *companion,
                             stet_error *err);

/*
 * A name for a temporary file in the data directory (path: at least ENGINE_PATH_BYTES). What a killed process left there is removed
 * when the engine is opened. STET_BAD_REQUEST: there is no data directory.
 */
enum { ENGINE_PATH_BYTES = 4096 };
stet_status engine_temporary(stet_engine *engine, char *path, stet_error *err);

void engine_report(stet_engine *engine, stet_severity severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
