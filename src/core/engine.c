/*
 * The engine: threads, the registry of spaces, and the keeper.
 *
 * Registry. A space is in the list from before it is opened until after it is closed, so that nobody opens its file twice:
 *
 *   (absent) ──first use──► OPENING ──► OPEN ──idle or dropped, no reference──► CLOSING ──► (absent)
 *                              └─failed─► (absent)
 *
 * Who finds OPENING or CLOSING waits. Opening and closing happen outside the lock; references are taken under it.
 */
#include "core/engine.h"

#include "base/error.h"
#include "base/view.h"
#include "core/client.h"
#include "doc/doc.h"
#include "store/lock.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEEPER_INTERVAL_S = 1, WORKERS_DEFAULT = 2, PATH_BYTES = 4096 };
enum { WAKE_CHUNK = 32, WAKE_IDLE_S = 5 };

void engine_report(stet_engine *engine, stet_severity severity, const char *format, ...) {
    if (engine->options.report == NULL) return;
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    engine->options.report(engine->options.report_context, severity, message);
}

/* ---- Where a space's file is ------------------------------------------------------------- */

static bool is_built_in(stet_view name) {
    return view_equal(name, VIEW("main")) || view_equal(name, VIEW("stet"));
}

/* The record of a space in the home space: which file is its own. STET_NOT_FOUND when there is no such space. */
static stet_status find_space_file(stet_engine *engine, stet_view name, char *path,
                                   size_t path_bytes, stet_error *err) {
    struct store_reader *reader = NULL;
    struct arena arena;
    struct store_head head;
    struct store_change change;
    struct doc doc;
    stet_view file;
    arena_init(&arena, 1024);
    stet_status status = space_reader_take(engine->home, &reader, err);
    if (status != STET_OK) goto done;
    status = store_head(reader, VIEW("stet.space"), name, &head, err);
    if (status != STET_OK) goto done;
    if (head.version == 0 || head.deleted) {
        status = error_set(err, STET_NOT_FOUND, "there is no space \"%.*s\"", VIEW_ARG(name));
        error_field(err, "space", 0);
        goto done;
    }
    status = store_change_at(reader, &arena, head.seq, &change, err);
    if (status != STET_OK) goto done;
    status = change_parse(&arena, change.data, &doc, err);
    if (status != STET_OK) goto done;
    doc_node node = doc_member(&doc, 0, VIEW("_file"));
    if (node == DOC_NONE || doc_string(&arena, &doc, node, &file) != STET_OK) {
        status =
            error_set(err, STET_CORRUPT, "the record of space \"%.*s\" is damaged", VIEW_ARG(name));
        goto done;
    }
    if (engine->data_dir != NULL)
        snprintf(path, path_bytes, "%s/spaces/%.*s", engine->data_dir, VIEW_ARG(file));
done:
    space_reader_give(engine->home, reader);
    arena_done(&arena);
    return status;
}

/* ---- Registry ---------------------------------------------------------------------------- */

/*
 * The entry of a name. One that was deleted while open does not count: it lives on until its last user lets go, and a new space of
 * that name, with a file of its own, need not wait for that.
 */
static struct space *find_entry(stet_engine *engine, stet_view name) {
    struct space *space = engine->spaces;
    while (space != NULL && (!view_equal(view_of(space->name), name) ||
                             (space->state == SPACE_OPEN && atomic_load(&space->dropped))))
        space = space->next;
    return space;
}

static void remove_entry(stet_engine *engine, struct space *space) {
    struct space **slot = &engine->spaces;
    while (*slot != space)
        slot = &(*slot)->next;
    *slot = space->next;
    pthread_cond_broadcast(&engine->spaces_moved);
}

/* Closes an entry marked CLOSING; it stays in the list until its file is closed. */
static void close_entry(stet_engine *engine, struct space *space) {
    space_close(space);
    pthread_mutex_lock(&engine->spaces_lock);
    remove_entry(engine, space);
    pthread_mutex_unlock(&engine->spaces_lock);
    space_free(space);
}

static void sweep_soon(stet_engine *engine) {
    pthread_mutex_lock(&engine->keeper_lock);
    engine->sweep_due = true;
    pthread_cond_signal(&engine->keeper_wake);
    pthread_mutex_unlock(&engine->keeper_lock);
}

/* Opens an entry that is already in the list as OPENING. Gives it its file first. */
static stet_status open_entry(stet_engine *engine, struct space *space, stet_error *err) {
    char path[PATH_BYTES];
    if (engine->data_dir != NULL && is_built_in(view_of(space->name)))
        snprintf(path, sizeof path, "%s/%s.db", engine->data_dir, space->name);
    if (!is_built_in(view_of(space->name))) {
        stet_status status = find_space_file(engine, view_of(space->name), path, sizeof path, err);
        if (status != STET_OK) return status;
    }
    return space_open(space, engine->data_dir == NULL ? NULL : path, err);
}

stet_status engine_space(stet_engine *engine, stet_view name, struct space **out, stet_error *err) {
    if (name.size == 0 || name.size > SPACE_NAME_BYTES_MAX) {
        error_set(err, STET_NOT_FOUND, "there is no such space");
        error_field(err, "space", SPACE_NAME_BYTES_MAX);
        return STET_NOT_FOUND;
    }
    char text[SPACE_NAME_BYTES_MAX + 1];
    memcpy(text, name.bytes, name.size);
    text[name.size] = '\0';
    pthread_mutex_lock(&engine->spaces_lock);
    struct space *space;
    while ((space = find_entry(engine, name)) != NULL && space->state != SPACE_OPEN)
        pthread_cond_wait(&engine->spaces_moved, &engine->spaces_lock);
    if (space != NULL) {
        *out = space_ref(space);
        pthread_mutex_unlock(&engine->spaces_lock);
        return STET_OK;
    }
    space = space_create(engine, text);
    if (space == NULL) {
        pthread_mutex_unlock(&engine->spaces_lock);
        return error_set(err, STET_NO_MEMORY, "out of memory for a space");
    }
    space->state = SPACE_OPENING;
    space->next = engine->spaces;
    engine->spaces = space;
    pthread_mutex_unlock(&engine->spaces_lock);

    stet_status status = open_entry(engine, space, err);

    pthread_mutex_lock(&engine->spaces_lock);
    if (status == STET_OK && atomic_load(&space->dropped))
        status = error_set(err, STET_NOT_FOUND, "there is no space \"%s\"", text);
    if (status == STET_OK) {
        space->state = SPACE_OPEN;
        *out = space_ref(space);
        pthread_cond_broadcast(&engine->spaces_moved);
    } else {
        space->state = SPACE_CLOSING;
    }
    pthread_mutex_unlock(&engine->spaces_lock);
    if (status != STET_OK) {
        bool dropped = atomic_load(&space->dropped);
        close_entry(engine, space);
        if (dropped) sweep_soon(engine); /* Its file may have been made meanwhile. */
    }
    return status;
}

/* Whether an open space is the one that a record's data names, not one of the same name made since. */
static bool is_file_of(const struct space *space, stet_view data) {
    if (space->file == NULL) return true;
    const char *file = strrchr(space->file, '/') + 1;
    return memmem(data.bytes, data.size, file, strlen(file)) != NULL;
}

void engine_space_drop(stet_engine *engine, stet_view name, stet_view data) {
    pthread_mutex_lock(&engine->spaces_lock);
    struct space *space = find_entry(engine, name);
    if (space != NULL && (space->state != SPACE_OPEN || is_file_of(space, data))) {
        atomic_store(&space->dropped, true);
        if (space->state == SPACE_OPEN) {
            ring_close(&space->ring);
            space_poke(space);
            atomic_store(&space->held_changed, true);
            sequencer_poke(space->sequencer, space);
        }
    }
    pthread_mutex_unlock(&engine->spaces_lock);
    sweep_soon(engine);
}

/* ---- Files of deleted spaces ------------------------------------------------------------- */

/* Whether a file in DIR/spaces belongs to a live space or to one that is still open. "x.db-wal" belongs to "x.db". */
static bool is_file_wanted(stet_engine *engine, struct store_reader *reader, struct arena *arena,
                           const char *name) {
    const char *end = strstr(name, ".db");
    const char *dash = end == NULL ? NULL : memrchr(name, '-', (size_t)(end - name));
    if (dash == NULL) return true; /* Not one of ours. */
    stet_view space = view_make(name, (size_t)(dash - name));
    stet_view file = view_make(name, (size_t)(end - name) + 3);
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/spaces/%.*s", engine->data_dir, VIEW_ARG(file));
    pthread_mutex_lock(&engine->spaces_lock);
    bool open = false;
    bool opening = false;
    for (struct space *entry = engine->spaces; entry != NULL; entry = entry->next) {
        /* Its file is not known yet. */
        if (entry->state == SPACE_OPENING)
            opening = opening || view_equal(view_of(entry->name), space);
        else
            open = open || (entry->file != NULL && strcmp(entry->file, path) == 0);
    }
    pthread_mutex_unlock(&engine->spaces_lock);
    if (opening) sweep_soon(engine);
    if (open || opening) return true;
    struct store_head head;
    struct store_change change;
    if (store_head(reader, VIEW("stet.space"), space, &head, NULL) != STET_OK) return true;
    if (head.version == 0 || head.deleted) return false;
    if (store_change_at(reader, arena, head.seq, &change, NULL) != STET_OK) return true;
    return memmem(change.data.bytes, change.data.size, file.bytes, file.size) != NULL;
}

static void sweep_files(stet_engine *engine) {
    char path[PATH_BYTES];
    struct store_reader *reader = NULL;
    struct arena arena;
    if (engine->data_dir == NULL) return;
    snprintf(path, sizeof path, "%s/spaces", engine->data_dir);
    DIR *dir = opendir(path);
    if (dir == NULL) return;
    arena_init(&arena, 1024);
    if (space_reader_take(engine->home, &reader, NULL) == STET_OK) {
        struct dirent *entry;
        while ((entry = readdir(dir)) != NULL) {
            arena_reset(&arena);
            if (entry->d_name[0] == '.' || is_file_wanted(engine, reader, &arena, entry->d_name))
                continue;
            snprintf(path, sizeof path, "%s/spaces/%s", engine->data_dir, entry->d_name);
            if (unlink(path) == 0)
                engine_report(engine, STET_REPORT_INFO, "removed %s of a deleted space",
                              entry->d_name);
        }
    }
    space_reader_give(engine->home, reader);
    arena_done(&arena);
    closedir(dir);
}

/* ---- Keeper ------------------------------------------------------------------------------ */

/* Closes spaces that nobody uses: idle ones, and dropped ones at once. */
static void close_unused(stet_engine *engine) {
    for (;;) {
        int64_t now = clock_monotonic_ns(engine->clock);
        struct space *victim = NULL;
        pthread_mutex_lock(&engine->spaces_lock);
        for (struct space *space = engine->spaces; space != NULL; space = space->next) {
            if (space->state != SPACE_OPEN || atomic_load(&space->refs) > 0) continue;
            /* Somebody counts on a deadline in it. */
            if (atomic_load(&space->due_at) != MODULE_NEVER && !atomic_load(&space->dropped))
                continue;
            /* What is in memory only is gone when it is closed: idle or not, it stays. */
            bool is_idle = engine->data_dir != NULL &&
                           now - atomic_load(&space->idle_since) >= engine->space_idle_ns;
            if (!atomic_load(&space->dropped) && !is_idle) continue;
            space->state = SPACE_CLOSING;
            victim = space;
            break;
        }
        pthread_mutex_unlock(&engine->spaces_lock);
        if (victim == NULL) return;
        bool dropped = atomic_load(&victim->dropped);
        close_entry(engine, victim);
        if (dropped) sweep_soon(engine); /* While it was open its file had to stay. */
    }
}

/* Tells the operator when the wall clock jumps against the monotonic one: stamps hold, but times will look odd. */
static void watch_clock(stet_engine *engine) {
    int64_t offset = clock_wall_ns(engine->clock) - clock_monotonic_ns(engine->clock);
    int64_t jump = (offset - engine->clock_offset) / CLOCK_NS_PER_S;
    if (engine->clock_offset != 0 && (jump > STAMP_JUMP_MAX_S || jump < -STAMP_JUMP_MAX_S))
        engine_report(engine, STET_REPORT_WARNING, "the clock jumped by %lld s", (long long)jump);
    engine->clock_offset = offset;
}

/* Has a space that nobody uses look at its deadlines. With none it is closed again soon. */
static void wake_space(stet_engine *engine, stet_view name) {
    struct space *space = NULL;
    stet_error err = {0};
    if (engine_space(engine, name, &space, &err) != STET_OK) {
        if (err.status != STET_NOT_FOUND)
            engine_report(engine, STET_REPORT_WARNING, "could not open space \"%.*s\": %s",
                          VIEW_ARG(name), err.message);
        return;
    }
    space_unref(space);
    /* Only the keeper closes spaces, and this is its thread. */
    int64_t soon =
        clock_monotonic_ns(engine->clock) - engine->space_idle_ns + WAKE_IDLE_S * CLOCK_NS_PER_S;
    if (engine->space_idle_ns > WAKE_IDLE_S * CLOCK_NS_PER_S)
        atomic_store(&space->idle_since, soon);
}

/*
 * A space is opened by its first use, but what was promised for a time comes due also where nobody looks: once, after the start,
 * every space is opened. Those that wait for something stay open.
 */
static void wake_spaces(stet_engine *engine) {
    struct store_reader *reader = NULL;
    struct store_row rows[WAKE_CHUNK];
    struct arena arena, page;
    stet_view after = {0};
    size_t count = WAKE_CHUNK;
    if (engine->data_dir == NULL) return;
    wake_space(engine, VIEW("main"));
    if (space_reader_take(engine->home, &reader, NULL) != STET_OK) return;
    arena_init(&arena, 1024);
    arena_init(&page, 4096);
    while (count == WAKE_CHUNK && !atomic_load(&engine->stopping)) {
        arena_reset(&page);
        if (store_scan(reader, &page, VIEW("stet.space"), after, WAKE_CHUNK, rows, &count, NULL) !=
            STET_OK)
            break;
        for (size_t i = 0; i < count && !atomic_load(&engine->stopping); i++)
            if (rows[i].head.version > 0 && !rows[i].head.deleted) wake_space(engine, rows[i].id);
        arena_reset(&arena);
        if (count > 0) after = arena_copy(&arena, rows[count - 1].id);
        if (after.bytes == NULL) break;
    }
    space_reader_give(engine->home, reader);
    arena_done(&page);
    arena_done(&arena);
}

void engine_keep(stet_engine *engine) {
    watch_clock(engine);
    close_unused(engine);
    pthread_mutex_lock(&engine->keeper_lock);
    bool sweep = engine->sweep_due;
    engine->sweep_due = false;
    pthread_mutex_unlock(&engine->keeper_lock);
    if (sweep) sweep_files(engine);
}

static void *keep(void *context) {
    stet_engine *engine = context;
    bool woken =
        false; /* After a while only: who opens a directory for one command need not wait for all spaces. */
    pthread_setname_np(pthread_self(), "keeper");
    pthread_mutex_lock(&engine->keeper_lock);
    while (!atomic_load(&engine->stopping)) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += KEEPER_INTERVAL_S;
        pthread_cond_timedwait(&engine->keeper_wake, &engine->keeper_lock, &until);
        if (atomic_load(&engine->stopping)) break;
        pthread_mutex_unlock(&engine->keeper_lock);
        engine_keep(engine);
        if (!woken) wake_spaces(engine);
        woken = true;
        pthread_mutex_lock(&engine->keeper_lock);
    }
    pthread_mutex_unlock(&engine->keeper_lock);
    return NULL;
}

/* ---- Copies, companions, temporary files -------------------------------------------------- */

stet_status engine_copies(stet_engine *engine, struct workers **copies, stet_error *err) {
    stet_status status = STET_OK;
    pthread_mutex_lock(&engine->copies_lock);
    if (atomic_load(&engine->stopping)) {
        status = error_set(err, STET_SHUTTING_DOWN, "the engine is closing");
    } else if (!engine->copies_started) {
        if (!engine->seams.manual) status = workers_start(&engine->copies, 1, err);
        engine->copies_started = status == STET_OK;
    }
    pthread_mutex_unlock(&engine->copies_lock);
    if (status == STET_OK) *copies = &engine->copies;
    return status;
}

/* Half of the cores at most, so that who logs in does not keep the others from their work. */
static size_t password_threads(void) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = cores > 1 ? (size_t)cores / 2 : 1;
    return count < PASSWORD_THREADS_MAX ? count : PASSWORD_THREADS_MAX;
}

stet_status engine_passwords(stet_engine *engine, struct workers **passwords, stet_error *err) {
    stet_status status = STET_OK;
    pthread_mutex_lock(&engine->copies_lock);
    if (atomic_load(&engine->stopping)) {
        status = error_set(err, STET_SHUTTING_DOWN, "the engine is closing");
    } else if (!engine->passwords_started) {
        if (!engine->seams.manual)
            status = workers_start(&engine->passwords, password_threads(), err);
        engine->passwords_started = status == STET_OK;
    }
    pthread_mutex_unlock(&engine->copies_lock);
    if (status == STET_OK) *passwords = &engine->passwords;
    return status;
}

stet_status engine_accompany(stet_engine *engine, struct engine_companion *companion,
                             stet_error *err) {
    stet_status status = STET_OK;
    pthread_mutex_lock(&engine->copies_lock);
    if (atomic_load(&engine->stopping)) {
        status = error_set(err, STET_SHUTTING_DOWN, "the engine is closing");
    } else {
        companion->next = engine->companions;
        engine->companions = companion;
    }
    pthread_mutex_unlock(&engine->copies_lock);
    return status;
}

static void stop_companions(stet_engine *engine) {
    pthread_mutex_lock(&engine->copies_lock);
    struct engine_companion *companion = engine->companions;
    engine->companions = NULL;
    pthread_mutex_unlock(&engine->copies_lock);
    while (companion != NULL) {
        struct engine_companion *next = companion->next;
        companion->stop(companion);
        companion = next;
    }
}

stet_status engine_temporary(stet_engine *engine, char *path, stet_error *err) {
    if (engine->data_dir == NULL)
        return error_set(err, STET_BAD_REQUEST, "a space in memory cannot be backed up");
    snprintf(path, ENGINE_PATH_BYTES, "%s/tmp", engine->data_dir);
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        stet_status status = errno == ENOSPC ? STET_NO_SPACE : STET_IO;
        return error_set(err, status, "could not create \"%s\": %s", path, strerror(errno));
    }
    snprintf(path, ENGINE_PATH_BYTES, "%s/tmp/%016llx.db", engine->data_dir,
             (unsigned long long)entropy_u64(engine->entropy));
    return STET_OK;
}

/* What a process that was killed left in DIR/tmp. */
static void remove_temporary(stet_engine *engine) {
    char path[PATH_BYTES];
    struct dirent *entry;
    snprintf(path, sizeof path, "%s/tmp", engine->data_dir);
    DIR *dir = opendir(path);
    if (dir == NULL) return;
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

/* ---- Open and close ---------------------------------------------------------------------- */

static stet_status open_directory(stet_engine *engine, stet_error *err) {
    char path[PATH_BYTES];
    stet_status status = dirlock_acquire(engine->data_dir, &engine->lock, err);
    if (status != STET_OK) return status;
    snprintf(path, sizeof path, "%s/restoring", engine->data_dir);
    if (access(path, F_OK) == 0)
        return error_set(
            err, STET_CORRUPT,
            "a restore into \"%s\" was not finished: empty the folder and restore again",
            engine->data_dir);
    remove_temporary(engine);
    snprintf(path, sizeof path, "%s/spaces", engine->data_dir);
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        status = errno == ENOSPC ? STET_NO_SPACE : STET_IO;
        error_set(err, status, "could not create \"%s\"", path);
        error_cause(err, "mkdir: %s", strerror(errno));
        return status;
    }
    return STET_OK;
}

static stet_status start_threads(stet_engine *engine, const stet_options *options,
                                 stet_error *err) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = options->sequencer_threads > 0 ? options->sequencer_threads
                                                  : (size_t)(cores > 0 ? cores : 1);
    engine->sequencers = calloc(count, sizeof *engine->sequencers);
    if (engine->sequencers == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for threads");
    for (size_t i = 0; i < count; i++) {
        if (sequencer_init(&engine->sequencers[i], engine) != STET_OK)
            return error_set(err, STET_NO_MEMORY, "out of memory for threads");
        engine->sequencer_count++;
    }
    if (workers_init(&engine->workers) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "out of memory for threads");
    engine->workers_ready = true;
    if (workers_init(&engine->copies) != STET_OK || workers_init(&engine->passwords) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "out of memory for threads");
    engine->passwords.waiting_max = PASSWORD_QUEUE_MAX;
    engine->passwords.busy = "too many passwords wait to be judged";
    if (engine->seams.manual) return STET_OK;
    stet_status status = STET_OK;
    for (size_t i = 0; i < count && status == STET_OK; i++)
        status = sequencer_start(&engine->sequencers[i], err);
    if (status == STET_OK)
        status = workers_start(
            &engine->workers,
            options->worker_threads > 0 ? options->worker_threads : WORKERS_DEFAULT, err);
    return status;
}

stet_status engine_open(const stet_options *options, const struct engine_seams *seams,
                        const struct module *const *modules, stet_engine **out, stet_error *err) {
    static const stet_options defaults;
    if (options == NULL) options = &defaults;
    stet_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for an engine");
    if (seams != NULL) engine->seams = *seams;
    engine->options = *options;
    engine->options.data_dir = NULL;
    engine->clock = engine->seams.clock != NULL ? engine->seams.clock : clock_system();
    engine->entropy = engine->seams.entropy != NULL ? engine->seams.entropy : entropy_system();
    engine->modules = modules;
    for (size_t i = 0; modules[i] != NULL; i++)
        if (modules[i]->functions != NULL) engine->functions = modules[i]->functions;
    engine->key_retention_s =
        options->key_retention_s > 0 ? options->key_retention_s : KEY_RETENTION_S;
    engine->commit_batch_max =
        engine->seams.commit_batch_max > 0 ? engine->seams.commit_batch_max : COMMIT_BATCH_MAX;
    engine->space_idle_ns =
        (int64_t)(options->space_idle_s > 0 ? options->space_idle_s : SPACE_IDLE_S) *
        CLOCK_NS_PER_S;
    engine->client_cache_bytes =
        options->client_cache_bytes > 0 ? options->client_cache_bytes : CACHE_BYTES_DEFAULT;
    pthread_mutex_init(&engine->spaces_lock, NULL);
    pthread_cond_init(&engine->spaces_moved, NULL);
    pthread_mutex_init(&engine->keeper_lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    /* The keeper must go on when the wall clock steps back: that is one of the things it tells. */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&engine->keeper_wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&engine->clients_lock, NULL);
    pthread_mutex_init(&engine->copies_lock, NULL);
    pthread_mutex_init(&engine->outbound.lock, NULL);

    stet_status status = STET_OK;
    if (options->data_dir != NULL) {
        engine->data_dir = strdup(options->data_dir);
        status = engine->data_dir == NULL
                     ? error_set(err, STET_NO_MEMORY, "out of memory for an engine")
                     : open_directory(engine, err);
    }
    if (status == STET_OK) status = start_threads(engine, options, err);
    if (status == STET_OK) status = engine_space(engine, VIEW("stet"), &engine->home, err);
    if (status != STET_OK) goto done;
    snprintf(engine->advice, sizeof engine->advice, "%s", store_advice(engine->home->store));
    sweep_files(engine);
    if (!engine->seams.manual && pthread_create(&engine->keeper, NULL, keep, engine) != 0)
        status = error_set(err, STET_NO_MEMORY, "could not start the keeper thread");
    else
        engine->keeper_started = !engine->seams.manual;
done:
    if (status == STET_OK) {
        *out = engine;
    } else {
        engine_close(engine);
    }
    return status;
}

void engine_close(stet_engine *engine) {
    if (engine == NULL) return;
    pthread_mutex_lock(&engine->keeper_lock);
    atomic_store(&engine->stopping, true);
    pthread_cond_signal(&engine->keeper_wake);
    pthread_mutex_unlock(&engine->keeper_lock);
    if (engine->keeper_started) pthread_join(engine->keeper, NULL);
    stop_companions(engine);
    for (size_t i = 0; i < engine->sequencer_count; i++)
        sequencer_stop(&engine->sequencers[i]);
    if (engine->workers_ready) {
        workers_stop(&engine->passwords);
        workers_stop(&engine->copies);
        workers_stop(&engine->workers);
    }
    /* Without threads nobody else does it. */
    while (engine->seams.manual && workers_step(&engine->workers))
        ;
    for (size_t i = 0; i < engine->sequencer_count; i++)
        sequencer_settle(&engine->sequencers[i]);
    while (engine->idle_clients != NULL) {
        struct stet_client *client = engine->idle_clients;
        engine->idle_clients = client->next;
        client_destroy(client);
    }
    space_unref(engine->home);
    while (engine->spaces != NULL) {
        engine->spaces->state = SPACE_CLOSING;
        close_entry(engine, engine->spaces);
    }
    if (engine->sandboxes_destroy != NULL) engine->sandboxes_destroy(engine->sandboxes);
    if (engine->people_destroy != NULL) engine->people_destroy(engine->people);
    if (engine->workers_ready) {
        workers_done(&engine->passwords);
        workers_done(&engine->copies);
        workers_done(&engine->workers);
    }
    for (size_t i = 0; i < engine->sequencer_count; i++)
        sequencer_done(&engine->sequencers[i]);
    free(engine->sequencers);
    dirlock_release(engine->lock);
    pthread_mutex_destroy(&engine->spaces_lock);
    pthread_cond_destroy(&engine->spaces_moved);
    pthread_mutex_destroy(&engine->keeper_lock);
    pthread_cond_destroy(&engine->keeper_wake);
    pthread_mutex_destroy(&engine->clients_lock);
    pthread_mutex_destroy(&engine->copies_lock);
    pthread_mutex_destroy(&engine->outbound.lock);
    free(engine->data_dir);
    free(engine);
}

bool engine_step(stet_engine *engine) {
    bool any = false;
    for (size_t i = 0; i < engine->sequencer_count; i++)
        while (sequencer_step(&engine->sequencers[i], engine->commit_batch_max))
            any = true;
    while (workers_step(&engine->workers) || workers_step(&engine->copies) ||
           workers_step(&engine->passwords))
        any = true;
    return any;
}

bool engine_step_batch(stet_engine *engine, struct space *space, size_t max) {
    (void)engine;
    return sequencer_run_batch(space->sequencer, space, max) > 0;
}
