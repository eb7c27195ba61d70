/*
 * Backups at intervals, on a thread of their own. When the next one is due follows from the newest that is there, so a
 * restart neither repeats nor skips one. Two at a time cannot be: one thread makes them.
 *
 * What may be removed is what this schedule made: marked as scheduled, and of this data directory. One that lost its
 * manifest, or came from elsewhere, stays for people to look at.
 */
#include "backup/backup.h"
#include "backup/place.h"
#include "backup/set.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"
#include "core/engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

struct schedule {
    struct engine_companion companion;
    struct stet_engine *engine;
    char *dir;
    int64_t every_ns;
    unsigned keep;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* Under lock, as all below. */
    bool running;
    uint64_t made, failures;
    int64_t last_success; /* Of the newest backup, also of one made before the start; 0: none. */
    int64_t last_duration_ns;
    uint64_t last_bytes;
};

/* ---- What is there ----------------------------------------------------------------------- */

static int64_t wall(void) { return clock_wall_ns(clock_system()); }

struct past {
    char name[64];
    int64_t made_at;
    int64_t
        order; /* As made_at; but all that is there was made before now, so one from the future is of a clock that was
                      wrong, and nobody knows how old it is: it goes first. */
};

struct pasts {
    struct past *items;
    size_t count, capacity;
};

static int by_age(const void *a, const void *b) {
    const struct past *left = a, *right = b;
    if (left->order != right->order) return left->order < right->order ? -1 : 1;
    return strcmp(left->name, right->name);
}

/* The name of this data directory in manifests, from its live space "stet". */
static stet_status own_source(struct schedule *schedule, char source[MANIFEST_SOURCE_BYTES]) {
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];
    const struct space *home = schedule->engine->home;
    digest_of(view_make(home->secret, sizeof home->secret), digest);
    digest_hex(digest, hex);
    snprintf(source, MANIFEST_SOURCE_BYTES, "%.*s", MANIFEST_SOURCE_BYTES - 1, hex);
    return STET_OK;
}

/* Complete backups of this schedule, oldest first. */
static stet_status pasts_find(struct schedule *schedule, struct pasts *pasts, stet_error *err) {
    char source[MANIFEST_SOURCE_BYTES], path[FILES_PATH_BYTES];
    struct dirent *entry;
    int64_t now = wall();
    stet_status status = own_source(schedule, source);
    *pasts = (struct pasts){0};
    DIR *dir = opendir(schedule->dir);
    if (dir == NULL) {
        if (errno == ENOENT) return STET_OK;
        return files_error(err, errno, "look into", schedule->dir);
    }
    while (status == STET_OK && (entry = readdir(dir)) != NULL) {
        struct manifest manifest;
        if (strncmp(entry->d_name, SET_PREFIX, strlen(SET_PREFIX)) != 0 ||
            strlen(entry->d_name) >= sizeof pasts->items[0].name ||
            files_path(path, schedule->dir, entry->d_name, NULL) != STET_OK ||
            set_read(path, &manifest, NULL) != STET_OK)
            continue;
        bool own = manifest.scheduled && strcmp(manifest.source, source) == 0;
        int64_t made_at = manifest.made_at;
        manifest_done(&manifest);
        if (!own) continue;
        if (pasts->count == pasts->capacity) {
            size_t capacity = pasts->capacity == 0 ? 16 : pasts->capacity * 2;
            struct past *items = realloc(pasts->items, capacity * sizeof *items);
            if (items == NULL) {
                status = error_set(err, STET_NO_MEMORY, "out of memory");
                break;
            }
            pasts->items = items;
            pasts->capacity = capacity;
        }
        struct past *past = &pasts->items[pasts->count++];
        past->made_at = made_at;
        past->order = made_at > now ? made_at - INT64_MAX : made_at;
        snprintf(past->name, sizeof past->name, "%s", entry->d_name);
    }
    closedir(dir);
    if (pasts->count > 0) qsort(pasts->items, pasts->count, sizeof pasts->items[0], by_age);
    return status;
}

/* Takes its name away first: what is half removed must not be taken for a backup. */
static void remove_past(struct schedule *schedule, const struct past *past) {
    char from[FILES_PATH_BYTES], to[FILES_PATH_BYTES], name[96];
    snprintf(name, sizeof name, SET_REMOVING "%s", past->name);
    if (files_path(from, schedule->dir, past->name, NULL) != STET_OK ||
        files_path(to, schedule->dir, name, NULL) != STET_OK)
        return;
    if (rename(from, to) != 0) {
        engine_report(schedule->engine, STET_REPORT_WARNING,
                      "could not remove the old backup \"%s\": %s", from, strerror(errno));
        return;
    }
    files_remove(to);
}

/* made: the path of the one that was just made, which stays whatever the clock does meanwhile. */
static void prune(struct schedule *schedule, const char *made) {
    struct pasts pasts;
    stet_error err = {0};
    if (schedule->keep == 0) return;
    const char *slash = strrchr(made, '/');
    const char *made_name = slash == NULL ? made : slash + 1;
    if (pasts_find(schedule, &pasts, &err) != STET_OK)
        engine_report(schedule->engine, STET_REPORT_WARNING, "old backups stay: %s", err.message);
    else
        for (size_t i = 0; pasts.count > schedule->keep && i < pasts.count - schedule->keep; i++)
            if (strcmp(pasts.items[i].name, made_name) != 0) remove_past(schedule, &pasts.items[i]);
    free(pasts.items);
}

/* ---- The thread -------------------------------------------------------------------------- */

static void make(struct schedule *schedule) {
    const stet_backup options = {.dir = schedule->dir, .engine = schedule->engine};
    stet_backup_report *report = malloc(sizeof *report);
    stet_error err = {0};
    int64_t began = clock_monotonic_ns(clock_system());
    stet_status status = report == NULL ? error_set(&err, STET_NO_MEMORY, "out of memory")
                                        : set_make(&options, true, report, &err);
    int64_t took = clock_monotonic_ns(clock_system()) - began;
    pthread_mutex_lock(&schedule->lock);
    if (status == STET_OK) {
        schedule->made++;
        schedule->last_success = report->made_at;
        schedule->last_duration_ns = took;
        schedule->last_bytes = report->bytes;
    } else if (status != STET_CANCELLED) {
        schedule->failures++;
    }
    pthread_mutex_unlock(&schedule->lock);
    if (status == STET_OK) {
        engine_report(schedule->engine, STET_REPORT_INFO,
                      "backed up %llu spaces, %llu bytes, in %.1f s to \"%s\"",
                      (unsigned long long)report->spaces, (unsigned long long)report->bytes,
                      (double)took / 1e9, report->path);
        prune(schedule, report->path);
    } else if (status != STET_CANCELLED) {
        engine_report(
            schedule->engine, STET_REPORT_ERROR,
            "the scheduled backup to \"%s\" failed: %s; it is tried again at the next time",
            schedule->dir, err.message);
    }
    free(report);
}

/* Waits until a time of the wall clock. False: stop. The clock is looked at anew now and then, for it may be set. */
static bool wait_until(struct schedule *schedule, int64_t due) {
    pthread_mutex_lock(&schedule->lock);
    int64_t left;
    while (!schedule->stopping && (left = due - wall()) > 0) {
        struct timespec until;
        if (left > DUE_RECHECK_S * CLOCK_NS_PER_S) left = DUE_RECHECK_S * CLOCK_NS_PER_S;
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t at = until.tv_sec * CLOCK_NS_PER_S + until.tv_nsec + left;
        until.tv_sec = (time_t)(at / CLOCK_NS_PER_S);
        until.tv_nsec = (long)(at % CLOCK_NS_PER_S);
        pthread_cond_timedwait(&schedule->wake, &schedule->lock, &until);
    }
    bool go = !schedule->stopping;
    schedule->running = go;
    pthread_mutex_unlock(&schedule->lock);
    return go;
}

static void *keep_backups(void *context) {
    struct schedule *schedule = context;
    pthread_setname_np(pthread_self(), "backups");
    set_sweep(schedule->dir);
    pthread_mutex_lock(&schedule->lock);
    int64_t due = schedule->last_success + schedule->every_ns;
    pthread_mutex_unlock(&schedule->lock);
    /* A newest backup from the future is of a clock that was wrong. */
    if (due > wall() + schedule->every_ns) due = wall();
    while (wait_until(schedule, due)) {
        int64_t began = wall();
        make(schedule);
        pthread_mutex_lock(&schedule->lock);
        schedule->running = false;
        pthread_mutex_unlock(&schedule->lock);
        due = began + schedule->every_ns;
    }
    return NULL;
}

static void destroy(struct schedule *schedule) {
    pthread_cond_destroy(&schedule->wake);
    pthread_mutex_destroy(&schedule->lock);
    free(schedule->dir);
    free(schedule);
}

static void stop(struct engine_companion *companion) {
    struct schedule *schedule = (struct schedule *)companion;
    pthread_mutex_lock(&schedule->lock);
    schedule->stopping = true;
    pthread_cond_signal(&schedule->wake);
    pthread_mutex_unlock(&schedule->lock);
    pthread_join(schedule->thread, NULL);
    destroy(schedule);
}

static void metrics(struct engine_companion *companion, stet_metric_visit *visit, void *context) {
    struct schedule *schedule = (struct schedule *)companion;
    pthread_mutex_lock(&schedule->lock);
    const struct {
        const char *name;
        const char *help;
        stet_metric_kind kind;
        double value;
    } rows[] = {
        {"stet_backups_total", "Scheduled backups made.", STET_METRIC_COUNTER,
         (double)schedule->made},
        {"stet_backup_failures_total", "Scheduled backups that failed.", STET_METRIC_COUNTER,
         (double)schedule->failures},
        {"stet_backup_running", "1 while a scheduled backup is being made.", STET_METRIC_GAUGE,
         schedule->running ? 1 : 0},
        {"stet_backup_last_success_timestamp_seconds",
         "When the newest scheduled backup was begun, since 1970; 0: there is none.",
         STET_METRIC_GAUGE, (double)(schedule->last_success / CLOCK_NS_PER_S)},
        {"stet_backup_last_duration_seconds", "How long the last scheduled backup took.",
         STET_METRIC_GAUGE, (double)schedule->last_duration_ns / 1e9},
        {"stet_backup_last_bytes", "Size of the last scheduled backup.", STET_METRIC_GAUGE,
         (double)schedule->last_bytes},
    };
    pthread_mutex_unlock(&schedule->lock);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        visit(context, rows[i].name, rows[i].help, rows[i].kind, "", "", rows[i].value);
}

static struct schedule *create(struct stet_engine *engine, const stet_backup_schedule *options) {
    struct schedule *schedule = calloc(1, sizeof *schedule);
    if (schedule == NULL) return NULL;
    schedule->companion = (struct engine_companion){.stop = stop, .metrics = metrics};
    schedule->engine = engine;
    schedule->dir = strdup(options->dir);
    schedule->every_ns = (int64_t)options->every_s * CLOCK_NS_PER_S;
    schedule->keep = options->keep;
    pthread_mutex_init(&schedule->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&schedule->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (schedule->dir != NULL) return schedule;
    destroy(schedule);
    return NULL;
}

stet_status backup_schedule(struct stet_engine *engine, const stet_backup_schedule *options,
                            stet_error *err) {
    struct pasts pasts;
    if (options->dir == NULL || options->dir[0] == '\0' || options->every_s == 0 ||
        options->keep > BACKUP_KEEP_MAX)
        return error_set(err, STET_MISUSE, "a schedule needs a folder and an interval");
    if (engine->data_dir == NULL)
        return error_set(err, STET_BAD_REQUEST, "spaces in memory cannot be backed up");
    struct schedule *schedule = create(engine, options);
    if (schedule == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a schedule");
    /* What cannot work is said at the start, not in the middle of a night. */
    stet_status status = place_check(options->dir, err);
    if (status == STET_OK) status = files_make_folder(options->dir, err);
    if (status == STET_OK && access(options->dir, W_OK | X_OK) != 0)
        status = files_error(err, errno, "write to", options->dir);
    if (status == STET_OK) {
        status = pasts_find(schedule, &pasts, err);
        if (status == STET_OK && pasts.count > 0)
            schedule->last_success = pasts.items[pasts.count - 1].made_at;
        free(pasts.items);
    }
    if (status == STET_OK && pthread_create(&schedule->thread, NULL, keep_backups, schedule) != 0)
        status = error_set(err, STET_NO_MEMORY, "could not start a thread");
    if (status != STET_OK) {
        destroy(schedule);
        return status;
    }
    status = engine_accompany(engine, &schedule->companion, err);
    if (status != STET_OK) stop(&schedule->companion);
    return status;
}
