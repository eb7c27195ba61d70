/*
 * The insides of the feed: a client's subscriptions and the spaces it follows.
 *
 * States of a subscription, and what its cursor means in each:
 *
 *   BEHIND ──ring reaches back──► (scans the ring) ──reached `processed`──► LIVE
 *     │  ▲                                                                   │
 *     │  └──────────────── the ring moved past the cursor ───────────────────┘
 *     ▼ it does not
 *   WANTS_PAGE ──fewer than FEED_JOBS_MAX──► READING ──inbox──► PAGE ──used up, or pushed out──► BEHIND
 *
 *   LIVE: every change ≤ home->processed was either delivered, or does not match, or lies in (cursor, last_match]. Nothing is
 *         done for an idle one when a change that does not concern it goes by: not even its cursor moves.
 *   Else: every change ≤ cursor was delivered or does not match.
 *
 * Invariants
 *   1. A change is delivered at most once per subscription and in seq order: the cursor only grows.
 *   2. `resume` is the end of a transaction (or what the subscriber named), and everything up to it was delivered.
 *   3. A subscription is in at most one of the lists ready (it said false, and has something) and waiting (it wants a page).
 */
#ifndef FEED_SUBSCRIPTION_H
#define FEED_SUBSCRIPTION_H

#include "modules/feed/feed.h"
#include "modules/feed/index.h"
#include "modules/feed/page.h"
#include "modules/feed/window.h"

enum subscription_state {
    SUBSCRIPTION_LIVE,
    SUBSCRIPTION_BEHIND,
    SUBSCRIPTION_WANTS_PAGE,
    SUBSCRIPTION_READING,
    SUBSCRIPTION_PAGE,
};

/* A list of subscriptions through their queue links. */
struct feed_queue {
    struct stet_subscription *first, *last;
};

enum {
    TALLY_BUCKETS = sizeof(((struct space_counters *)NULL)->lag_bucket) /
                    sizeof(((struct space_counters *)NULL)->lag_bucket[0]),
    TALLY_EVENTS_MAX = 256,
};

/* Counted here and added to the space's counters in one go: those are written by all clients' threads, and three atomic additions for
 * each event were a tenth of what it cost. */
struct tally {
    uint64_t events;
    uint64_t lag_sum;
    uint64_t lag_bucket[TALLY_BUCKETS];
};

/* One space as one client follows it. */
struct feed_space {
    struct watcher watcher; /* First: poke casts. */
    atomic_bool poked;
    struct feed_client *feed;
    struct space *space; /* A reference. */
    struct feed_space *next, *prev;
    struct stet_subscription *subscriptions;
    uint64_t processed; /* Routed up to here. */
    uint64_t whole;     /* The end of the last transaction up to `processed`. */
    bool closed;        /* The ring is: nothing more will come. */
    struct index index;
    struct filter_table filters;
    struct window window;
    struct filter_look look;
    struct tally tally;
};

struct feed_client {
    struct stet_client *client;
    struct inbox *inbox;
    struct feed_space *spaces;
    struct feed_queue ready;
    struct feed_queue waiting;
    size_t reading; /* Pages asked for and not yet back, also for subscriptions that are gone. */
    struct page *held_newest, *held_oldest;
    size_t held_bytes;
    char note[64]; /* The data of ready, bookmark, reset and end. */
};

struct stet_subscription {
    struct feed_space *home;
    struct filter *filter;
    void *context;
    struct stet_subscription *next, *prev;             /* Of the same space. */
    struct stet_subscription *queue_next, *queue_prev; /* In ready or waiting. */
    struct feed_queue *queue;                          /* Which of them; NULL: none. */
    struct page *page;                                 /* READING, PAGE. */
    uint64_t cursor;
    uint64_t resume;
    uint64_t last_match;        /* LIVE: the newest change that concerns it. */
    uint64_t transaction;       /* The transaction whose last matching change is known, … */
    uint64_t transaction_match; /* … and that change. */
    uint8_t state;              /* enum subscription_state */
    uint8_t failure;            /* A stet_status that ends it. */
    bool asked;                 /* It said false and waits for feed_ready. */
    bool round; /* The cursor is what the subscriber named, perhaps inside a transaction. */
    bool ready_due;
    bool reset_due;
    bool ended;
    struct topic_node nodes[];
};

/* ---- feed.c ---- */

/* Puts it among the ready ones, if it said false. */
void subscription_wake(struct stet_subscription *subscription);
void feed_queue_push(struct feed_queue *queue, struct stet_subscription *subscription);
void feed_queue_remove(struct stet_subscription *subscription);

/* ---- subscription.c ---- */

/* What was counted shows in the metrics. */
void tally_flush(struct feed_space *home);

/* ---- backlog.c: pages of a client ---- */

/* BEHIND → WANTS_PAGE or READING. */
void backlog_want(struct stet_subscription *subscription);
/* Takes in what workers have read, and lets the next ones read. */
void backlog_collect(struct feed_client *feed);
/* PAGE → BEHIND, keeping the cursor. Also forgets a page on its way. */
void backlog_drop(struct stet_subscription *subscription);
/* Lets those that wait for a place read. */
void backlog_start(struct feed_client *feed);

#endif
