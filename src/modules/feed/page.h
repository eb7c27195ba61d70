/*
 * A page of backlog: what a subscriber missed and the ring no longer holds, read from the store and rendered on a worker.
 *
 * The inbox is what a page outlives its client by: a worker hands its page in under the inbox's lock, or frees it when the client
 * is gone.
 */
#ifndef FEED_PAGE_H
#define FEED_PAGE_H

#include "core/client.h"
#include "core/worker.h"
#include "modules/feed/filter.h"

struct page;

struct inbox {
    atomic_uint refs;
    pthread_mutex_t lock;
    struct stet_client *client; /* NULL once it is gone. Under the lock. */
    struct page *first, *last;  /* Pages that were read. Under the lock. */
    atomic_bool poked;          /* The client has something to look at. */
};

struct inbox *inbox_create(struct stet_client *client);
/* The client is gone; pages that come later free themselves. */
void inbox_close(struct inbox *inbox);
struct page *inbox_take(struct inbox *inbox); /* All that was handed in, linked by next. */
/* Notes that there is something, and wakes the client. Any thread. */
void inbox_poke(struct inbox *inbox);

struct page_event {
    uint64_t seq;
    uint64_t resume; /* 0: inside a transaction. */
    size_t offset;   /* In text. */
    size_t size;
    stet_event_kind kind;
};

struct page {
    struct job job;
    struct page *next;
    struct page *held_newer, *held_older; /* Among the pages the client holds. */
    struct inbox *inbox;
    /* The client's thread only. NULL: nobody wants it any more. */
    struct stet_subscription *subscription;
    struct space *space;
    struct filter *filter;
    uint64_t after; /* In: the position before the page. */
    bool round;     /* In: `after` may lie inside a transaction; move it back to before it. */

    stet_status status; /* Out; the rest is set when it is STET_OK. */
    bool reset;         /* Part of what was asked for is not kept: begins at start instead. */
    uint64_t start;     /* Where the page really begins. */
    uint64_t end;       /* Everything up to here is in the page or of no concern. */
    uint64_t resume;    /* The end of the last whole transaction up to `end`; 0: none. */
    struct page_event *events;
    size_t event_count;
    size_t event_next; /* The client's: the next to hand out. */
    struct buffer text;
};

/* Starts reading. STET_BUSY: too much waits already. The page comes back through the inbox; until
   then only its `subscription` may be touched. */
stet_status page_submit(struct inbox *inbox, struct stet_subscription *subscription,
                        struct space *space, struct filter *filter, uint64_t after, bool round,
                        struct page **page, stet_error *err);
void page_destroy(struct page *page);

#endif
