/*
 * A client: one thread's own handle on the engine: the queue of its completed commands, its read cache, and its subscriptions.
 *
 * The cache holds heads, keyed by space, type and id, bounded in bytes, least recently used out first. Before a read is answered,
 * client_sync applies what was published since (from the ring) to the entries it concerns, so a cached answer is as
 * linearizable as a stored one; when the ring no longer reaches back, the space's entries are dropped.
 */
#ifndef CORE_CLIENT_H
#define CORE_CLIENT_H

#include "core/addresses.h"
#include "core/births.h"
#include "core/cache.h"
#include "core/command.h"
#include "core/engine.h"

struct feed_client;   /* modules/feed */
struct auth_client;   /* modules/auth */
struct people_client; /* modules/people */

struct stet_client {
    struct stet_engine *engine;
    int fd; /* eventfd */
    pthread_mutex_t lock;
    struct stet_command *done_first, *done_last; /* Under the lock. */
    bool signalled;             /* Under the lock: the descriptor is readable, or about to be. */
    atomic_uint signalling;     /* Threads that are just making it readable. */
    struct stet_command *taken; /* Taken off the queue, to be handed out one by one. */
    struct stet_command *pool;
    size_t pool_count;
    struct cache cache;
    struct births births;
    struct addresses addresses;
    struct arena scratch; /* For what lives only during one call. */
    struct feed_client *feed;
    void (*feed_destroy)(struct feed_client *feed);
    struct auth_client *auth;
    void (*auth_destroy)(struct auth_client *auth);
    struct people_client *people;
    void (*people_destroy)(struct people_client *people);
    struct stet_client *next; /* Among the idle ones of the blocking calls. */
};

stet_status client_create(stet_engine *engine, stet_client **client, stet_error *err);
void client_destroy(stet_client *client);

/* Completions: a chain of commands of this client, linked by next. Any thread; wakes once. */
void client_complete(stet_client *client, struct stet_command *first, struct stet_command *last);
/* The next completed command, or NULL. The client's thread. */
struct stet_command *client_next(stet_client *client);
/* Makes the descriptor readable. Any thread. */
void client_wake(stet_client *client);

/*
 * The head of a record as of now, with a reference: from the cache or the store. Tombstones are heads too.
 * STET_NOT_FOUND: it never existed. The client's thread.
 */
stet_status client_head(stet_client *client, struct space *space, stet_view type, stet_view id,
                        struct change **head, stet_error *err);

/* created_at and created_by of a record, for rendering. Borrowed from the arena. As remembered, or from its first change. */
struct created {
    int64_t at;
    stet_view by;
};
stet_status client_created(stet_client *client, struct space *space,
                           const struct store_change *change, struct arena *arena,
                           struct created *created, stet_error *err);

#endif
