/*
 * Opening and closing one space. Who may have it open, and when, is the registry's business (core/engine.c).
 */
#include "base/error.h"
#include "base/view.h"
#include "core/engine.h"
#include "core/index.h"
#include "core/reservations.h"
#include "core/retain.h"
#include "core/space.h"
#include "core/spans.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Modules ----------------------------------------------------------------------------- */

static bool owns(const struct module *module, stet_view type) {
    for (const char *const *owned = module->types; owned != NULL && *owned != NULL; owned++)
        if (view_equal(view_of(*owned), type)) return true;
    return false;
}

const struct module *space_type_owner(const struct space *space, stet_view type) {
    for (size_t i = 0; i < space->module_count; i++)
        if (owns(space->modules[i].module, type)) return space->modules[i].module;
    return NULL;
}

/* Shows every live head of one type to the modules that want it. */
static stet_status load_type(struct space *space, struct arena *arena, stet_view type,
                             stet_error *err) {
    enum { PAGE = 256 };
    struct store_reader *reader = store_writer_reader(space->store);
    struct store_row rows[PAGE];
    stet_view after = {0};
    char after_bytes[ID_BYTES_MAX];
    size_t count;
    do {
        arena_reset(arena);
        stet_status status = store_scan(reader, arena, type, after, PAGE, rows, &count, err);
        if (status != STET_OK) return status;
        for (size_t i = 0; i < count; i++) {
            if (rows[i].head.deleted) continue;
            struct store_change change;
            status = store_change_at(reader, arena, rows[i].head.seq, &change, err);
            if (status != STET_OK) return status;
            for (size_t m = 0; m < space->module_count; m++) {
                const struct module *module = space->modules[m].module;
                if (module->load == NULL || !(module->loads_all || owns(module, type))) continue;
                status = module->load(space->modules[m].state, &change, err);
                if (status != STET_OK) return status;
            }
        }
        if (count > 0) {
            assert(rows[count - 1].id.size <= sizeof after_bytes);
            memcpy(after_bytes, rows[count - 1].id.bytes, rows[count - 1].id.size);
            after = view_make(after_bytes, rows[count - 1].id.size);
        }
    } while (count == PAGE);
    return STET_OK;
}

stet_status space_load_modules(struct space *space, stet_error *err) {
    struct arena types_arena, arena;
    struct store_type *types;
    size_t type_count;
    arena_init(&types_arena, 4096);
    arena_init(&arena, 65536);
    for (size_t m = 0; m < space->module_count; m++)
        if (space->modules[m].module->reset != NULL)
            space->modules[m].module->reset(space->modules[m].state);
    stet_status status =
        store_types(store_writer_reader(space->store), &types_arena, &types, &type_count, err);
    uint64_t records = 0;
    for (size_t i = 0; status == STET_OK && i < type_count; i++)
        records += type_is_system(types[i].name) ? 0 : types[i].live;
    if (status == STET_OK) quota_count(space, records);
    for (size_t i = 0; status == STET_OK && i < type_count; i++) {
        bool wanted = false;
        for (size_t m = 0; m < space->module_count; m++) {
            const struct module *module = space->modules[m].module;
            wanted = wanted ||
                     (module->load != NULL && (module->loads_all || owns(module, types[i].name)));
        }
        if (wanted) status = load_type(space, &arena, types[i].name, err);
    }
    for (size_t m = 0; status == STET_OK && m < space->module_count; m++)
        if (space->modules[m].module->loaded != NULL)
            status = space->modules[m].module->loaded(space->modules[m].state, err);
    arena_done(&arena);
    arena_done(&types_arena);
    return status;
}

bool space_gauge(const struct space *space, enum module_measure measure, stet_view lane,
                 stet_class class_, const struct module_time *now, double *value) {
    for (size_t m = 0; m < space->module_count; m++) {
        const struct engine_module_state *one = &space->modules[m];
        if (one->module->gauge != NULL &&
            one->module->gauge(one->state, measure, lane, class_, now, value))
            return true;
    }
    return false;
}

static stet_status open_modules(struct space *space, stet_error *err) {
    const struct module *const *modules = space->engine->modules;
    size_t count = 0;
    while (modules[count] != NULL)
        count++;
    space->modules = calloc(count + 1, sizeof *space->modules);
    if (space->modules == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a space");
    for (size_t i = 0; i < count; i++) {
        if (modules[i]->space != NULL && strcmp(modules[i]->space, space->name) != 0) continue;
        struct engine_module_state *module = &space->modules[space->module_count];
        module->module = modules[i];
        if (modules[i]->open != NULL) {
            stet_status status = modules[i]->open(space, &module->state, err);
            if (status != STET_OK) return status;
        }
        space->module_count++;
    }
    return space_load_modules(space, err);
}

/* ---- Open and close ---------------------------------------------------------------------- */

/* The key of resolution tokens: made once, kept with the space, so that tokens outlive a restart. */
static stet_status load_secret(struct space *space, stet_error *err) {
    struct arena arena;
    stet_view stored;
    stet_error absent = {0};
    arena_init(&arena, 256);
    stet_status status =
        store_meta_get(store_writer_reader(space->store), &arena, VIEW("secret"), &stored, &absent);
    if (status == STET_OK && stored.size != sizeof space->secret) {
        status = error_set(err, STET_CORRUPT, "the secret of space \"%s\" is damaged", space->name);
    } else if (status == STET_OK) {
        memcpy(space->secret, stored.bytes, sizeof space->secret);
    } else if (status == STET_NOT_FOUND) {
        const struct entropy *entropy = space->engine->entropy;
        entropy->fill(entropy->context, space->secret, sizeof space->secret);
        status = store_meta_put(space->store, VIEW("secret"),
                                view_make(space->secret, sizeof space->secret), err);
    } else if (err != NULL) {
        *err = absent;
    }
    arena_done(&arena);
    return status;
}

/* Of the secret, which every space has of its own and a restore renews; of a hash nobody learns it. */
static void name_data(struct space *space) {
    static const char label[] = "which data these are";
    unsigned char hash[crypto_generichash_BYTES_MIN];
    char text[2 * sizeof hash + 1];
    static_assert(sizeof text == sizeof space->id + 1, "two digits for each byte");
    crypto_generichash(hash, sizeof hash, (const unsigned char *)label, sizeof label, space->secret,
                       sizeof space->secret);
    sodium_bin2hex(text, sizeof text, hash, sizeof hash);
    memcpy(space->id, text, sizeof space->id);
}

stet_status space_open(struct space *space, const char *file, stet_error *err) {
    struct stet_engine *engine = space->engine;
    if (file != NULL && (space->file = strdup(file)) == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for a space");
    struct store_options options = {
        .driver = space->file == NULL ? "memory" : "sqlite",
        .path = space->file,
        .vfs = engine->seams.vfs,
        .synchronous = engine->seams.synchronous,
        .wal_restart_bytes = engine->seams.wal_restart_bytes,
        .late_heads_max = engine->seams.late_heads_max,
    };
    stet_status status = store_open(&options, &space->store, err);
    if (status != STET_OK) return status;
    const struct store_state *state = store_state(space->store);
    space->seq = state->seq;
    space->stamp = state->stamp;
    space->life = state->life;
    if (state->recovered)
        engine_report(engine, STET_REPORT_WARNING,
                      "space \"%s\" was not closed cleanly; recovered to seq %llu", space->name,
                      (unsigned long long)state->seq);
    int64_t ahead = state->stamp - clock_wall_ns(engine->clock);
    if (ahead > STAMP_JUMP_MAX_S * CLOCK_NS_PER_S)
        engine_report(engine, STET_REPORT_WARNING,
                      "the clock is %lld s behind the last change of space \"%s\"",
                      (long long)(ahead / CLOCK_NS_PER_S), space->name);
    status = load_secret(space, err);
    if (status != STET_OK) return status;
    name_data(space);
    space->hash_seed = view_hash(view_make(space->secret, sizeof space->secret), space->instance);
    status = ring_init(&space->ring, state->seq);
    if (status != STET_OK) return error_set(err, status, "out of memory for a space");
    space->ring_ready = true;
    heads_init(&space->heads, space->hash_seed);
    receipts_init(&space->receipts);
    status = policies_create(&space->policies, space->hash_seed);
    if (status != STET_OK) return error_set(err, status, "out of memory for a space");
    status = indexes_create(&space->indexes, space->store, err);
    if (status != STET_OK) return status;
    status = retain_open(space, err);
    if (status != STET_OK) return status;
    status = open_modules(space, err);
    if (status == STET_OK) sequencer_attach(space->sequencer, space);
    return status;
}

struct space *space_create(struct stet_engine *engine, const char *name) {
    struct space *space = calloc(1, sizeof *space);
    if (space == NULL) return NULL;
    space->engine = engine;
    snprintf(space->name, sizeof space->name, "%s", name);
    space->instance = atomic_fetch_add(&engine->instances, 1) + 1;
    size_t pinned = atomic_fetch_add(&engine->next_sequencer, 1) % engine->sequencer_count;
    space->sequencer = &engine->sequencers[pinned];
    atomic_store(&space->due_at, MODULE_NEVER);
    pthread_mutex_init(&space->readers_lock, NULL);
    pthread_mutex_init(&space->watchers_lock, NULL);
    contention_init(&space->contention);
    quota_init(&space->quota);
    heat_init(&space->heat);
    return space;
}

void space_close(struct space *space) {
    sequencer_detach(space->sequencer, space);
    assert(space->queue_count == 0 && space->held_count == 0);
    for (size_t i = 0; i < space->module_count; i++)
        if (space->modules[i].module->close != NULL)
            space->modules[i].module->close(space->modules[i].state);
    free(space->modules);
    if (space->ring_ready) ring_done(&space->ring);
    heads_done(&space->heads);
    receipts_done(&space->receipts);
    quota_done(&space->quota);
    policies_destroy(space->policies);
    indexes_destroy(space->indexes);
    spans_destroy(space->spans);
    retain_close(space);
    reservations_destroy(space->reservations);
    while (space->reader_count > 0)
        store_reader_close(space->readers[--space->reader_count]);
    store_close(space->store);
}

void space_free(struct space *space) {
    pthread_mutex_destroy(&space->readers_lock);
    pthread_mutex_destroy(&space->watchers_lock);
    contention_done(&space->contention);

    heat_done(&space->heat);
    free(space->file);
    free(space);
}

struct space *space_ref(struct space *space) {
    atomic_fetch_add_explicit(&space->refs, 1, memory_order_relaxed);
    return space;
}

void space_unref(struct space *space) {
    if (space == NULL) return;
    /* Before the count falls: afterwards the keeper may already be closing it. */
    atomic_store_explicit(&space->idle_since, clock_monotonic_ns(space->engine->clock),
                          memory_order_relaxed);
    int before = atomic_fetch_sub_explicit(&space->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    (void)before;
}

/* ---- Readers and watchers ---------------------------------------------------------------- */

stet_status space_reader_take(struct space *space, struct store_reader **reader, stet_error *err) {
    *reader = NULL;
    pthread_mutex_lock(&space->readers_lock);
    if (space->reader_count > 0) *reader = space->readers[--space->reader_count];
    pthread_mutex_unlock(&space->readers_lock);
    return *reader != NULL ? STET_OK : store_reader_open(space->store, reader, err);
}

void space_reader_give(struct space *space, struct store_reader *reader) {
    if (reader == NULL) return;
    pthread_mutex_lock(&space->readers_lock);
    if (space->reader_count < sizeof space->readers / sizeof space->readers[0]) {
        space->readers[space->reader_count++] = reader;
        reader = NULL;
    }
    pthread_mutex_unlock(&space->readers_lock);
    store_reader_close(reader);
}

void space_watch(struct space *space, struct watcher *watcher) {
    pthread_mutex_lock(&space->watchers_lock);
    watcher->next = space->watchers;
    space->watchers = watcher;
    pthread_mutex_unlock(&space->watchers_lock);
}

void space_poke(struct space *space) {
    pthread_mutex_lock(&space->watchers_lock);
    for (struct watcher *watcher = space->watchers; watcher != NULL; watcher = watcher->next)
        watcher->poke(watcher);
    pthread_mutex_unlock(&space->watchers_lock);
}

void space_unwatch(struct space *space, struct watcher *watcher) {
    pthread_mutex_lock(&space->watchers_lock);
    for (struct watcher **slot = &space->watchers; *slot != NULL; slot = &(*slot)->next) {
        if (*slot != watcher) continue;
        *slot = watcher->next;
        break;
    }
    pthread_mutex_unlock(&space->watchers_lock);
}
