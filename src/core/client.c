/* A client's completions and its cached reads of heads. */
#include "core/client.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/render.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

stet_status client_create(stet_engine *engine, stet_client **out, stet_error *err) {
    stet_client *client = calloc(1, sizeof *client);
    if (client == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a client");
    client->engine = engine;
    client->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (client->fd < 0) {
        error_set(err, STET_IO, "could not create a client");
        error_cause(err, "eventfd: %s", strerror(errno));
        free(client);
        return STET_IO;
    }
    pthread_mutex_init(&client->lock, NULL);
    cache_init(&client->cache, engine->client_cache_bytes);
    births_init(&client->births);
    addresses_init(&client->addresses);
    arena_init(&client->scratch, 4096);
    *out = client;
    return STET_OK;
}

void client_destroy(stet_client *client) {
    if (client == NULL) return;
    if (client->feed != NULL) client->feed_destroy(client->feed);
    if (client->auth != NULL) client->auth_destroy(client->auth);
    if (client->people != NULL) client->people_destroy(client->people);
    while (client->pool != NULL) {
        struct stet_command *command = client->pool;
        client->pool = command->next;
        arena_done(&command->arena);
        free(command);
    }
    cache_done(&client->cache);
    births_done(&client->births);
    addresses_done(&client->addresses);
    arena_done(&client->scratch);
    /* Who gave back the last command may still be about to say so. */
    while (atomic_load_explicit(&client->signalling, memory_order_acquire) > 0)
        sched_yield();
    pthread_mutex_destroy(&client->lock);
    close(client->fd);
    free(client);
}

/* ---- Completions ------------------------------------------------------------------------- */

/*
 * `signalled` means that the descriptor is readable or about to be: the write comes after the lock is released, lest the client
 * that it wakes run into the lock on another core. So client_next clears the flag only when it read something; otherwise the
 * write is still on its way and wakes once more.
 */
static bool needs_signal_locked(stet_client *client) {
    if (client->signalled) return false;
    client->signalled = true;
    atomic_fetch_add_explicit(&client->signalling, 1, memory_order_relaxed);
    return true;
}

static void signal_client(stet_client *client) {
    uint64_t one = 1;
    /* Cannot fail: the counter stays small, and client_destroy waits for us. */
    ssize_t written = write(client->fd, &one, sizeof one);
    assert(written == (ssize_t)sizeof one);
    (void)written;
    atomic_fetch_sub_explicit(&client->signalling, 1, memory_order_release);
}

void client_complete(stet_client *client, struct stet_command *first, struct stet_command *last) {
    pthread_mutex_lock(&client->lock);
    if (client->done_last != NULL) {
        client->done_last->next = first;
    } else {
        client->done_first = first;
    }
    client->done_last = last;
    bool needs_signal = needs_signal_locked(client);
    pthread_mutex_unlock(&client->lock);
    if (needs_signal) signal_client(client);
}

void client_wake(stet_client *client) {
    pthread_mutex_lock(&client->lock);
    bool needs_signal = needs_signal_locked(client);
    pthread_mutex_unlock(&client->lock);
    if (needs_signal) signal_client(client);
}

struct stet_command *client_next(stet_client *client) {
    if (client->taken == NULL) {
        pthread_mutex_lock(&client->lock);
        client->taken = client->done_first;
        client->done_first = NULL;
        client->done_last = NULL;
        if (client->signalled) {
            uint64_t count;
            ssize_t got = read(client->fd, &count, sizeof count);
            client->signalled = got != (ssize_t)sizeof count;
        }
        pthread_mutex_unlock(&client->lock);
    }
    struct stet_command *command = client->taken;
    if (command == NULL) return NULL;
    client->taken = command->next;
    command->next = NULL;
    command->done = true;
    return command;
}

/* ---- Heads ------------------------------------------------------------------------------- */

static stet_status load_head(stet_client *client, struct space *space, stet_view type, stet_view id,
                             struct change **head, stet_error *err) {
    struct store_reader *reader;
    struct store_head stored;
    struct store_change row;
    stet_status status = space_reader_take(space, &reader, err);
    if (status != STET_OK) return status;
    arena_reset(&client->scratch);
    status = store_head(reader, type, id, &stored, err);
    if (status == STET_OK && stored.version == 0)
        status = error_set(err, STET_NOT_FOUND, "the record does not exist");
    if (status == STET_OK)
        status = store_change_at(reader, &client->scratch, stored.seq, &row, err);
    space_reader_give(space, reader);
    if (status != STET_OK) return status;
    /* Durable but not published yet: whoever read the cache a moment ago saw the version before it. */
    if (row.seq > ring_published(&space->ring) &&
        !ring_wait(&space->ring, row.seq, MIN_SEQ_WAIT_MS_MAX))
        return error_set(err, STET_UNAVAILABLE,
                         "the record is being written and its outcome is unknown");
    *head = change_from_row(&row);
    if (*head == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a record");
    cache_put(&client->cache, space, *head);
    return STET_OK;
}

stet_status client_head(stet_client *client, struct space *space, stet_view type, stet_view id,
                        struct change **head, stet_error *err) {
    cache_sync(&client->cache, space);
    struct cache_value *cached = cache_find(&client->cache, space, type, id);
    if (cached != NULL) {
        atomic_fetch_add_explicit(&space->counters.cache_hits, 1, memory_order_relaxed);
        *head = change_ref(cached->head);
        return STET_OK;
    }
    atomic_fetch_add_explicit(&space->counters.cache_misses, 1, memory_order_relaxed);
    return load_head(client, space, type, id, head, err);
}

stet_status client_created(stet_client *client, struct space *space,
                           const struct store_change *change, struct arena *arena,
                           struct created *created, stet_error *err) {
    if (change->seq == change->first) {
        change_created(arena, change, created);
        return STET_OK;
    }
    const struct birth *birth = births_find(&client->births, space->instance, change->first);
    if (birth != NULL) {
        created->at = birth->at;
        created->by = arena_copy(arena, view_make(birth->by, birth->by_bytes));
        return created->by.bytes == NULL ? error_set(err, STET_NO_MEMORY, "out of memory")
                                         : STET_OK;
    }
    struct store_reader *reader;
    struct store_change first;
    struct change *published = ring_find(&space->ring, change->first);
    if (published != NULL) {
        first = published->row;
        change_created(arena, &first, created);
        created->by = arena_copy(arena, created->by);
        change_unref(published);
        if (created->by.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    } else {
        stet_status status = space_reader_take(space, &reader, err);
        if (status != STET_OK) return status;
        status = store_change_at(reader, arena, change->first, &first, err);
        space_reader_give(space, reader);
        if (status != STET_OK) return status;
        change_created(arena, &first, created);
    }
    births_put(&client->births, space->instance, change->first, created->at, created->by);
    return STET_OK;
}
