#include "modules/feed/feed.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "modules/feed/subscription.h"

#include <assert.h>
#include <stdlib.h>

enum { TAKE_CHANGES = 64 };

/* ---- Queues ---- */

void feed_queue_push(struct feed_queue *queue, struct stet_subscription *subscription) {
    assert(subscription->queue == NULL);
    subscription->queue = queue;
    subscription->queue_next = NULL;
    subscription->queue_prev = queue->last;
    *(queue->last != NULL ? &queue->last->queue_next : &queue->first) = subscription;
    queue->last = subscription;
}

void feed_queue_remove(struct stet_subscription *subscription) {
    struct feed_queue *queue = subscription->queue;
    struct stet_subscription *next = subscription->queue_next;
    struct stet_subscription *prev = subscription->queue_prev;
    if (queue == NULL) return;
    *(prev != NULL ? &prev->queue_next : &queue->first) = next;
    *(next != NULL ? &next->queue_prev : &queue->last) = prev;
    subscription->queue = NULL;
}

void subscription_wake(struct stet_subscription *subscription) {
    if (!subscription->asked || subscription->queue != NULL) return;
    feed_queue_push(&subscription->home->feed->ready, subscription);
}

/* ---- Routing what was published ---- */

static void route_to(struct topic_node *node, struct feed_space *home, struct change *change) {
    uint64_t seq = change->row.seq;
    for (; node != NULL; node = node->next) {
        struct stet_subscription *subscription = node->subscription;
        if (subscription->state != SUBSCRIPTION_LIVE || seq <= subscription->cursor ||
            seq == subscription->last_match)
            continue;
        /* A condition of one subscriber is asked when its turn comes: thousands of them would keep everybody waiting here. */
        if (filter_is_shared(subscription->filter) &&
            filter_judge(subscription->filter, &home->look, &change->row, change) == FILTER_NO)
            continue;
        if (subscription->cursor >= subscription->last_match) {
            /* It was idle: nothing before this one concerns it. */
            subscription->cursor = seq - 1;
            if (subscription->resume < home->whole) subscription->resume = home->whole;
        }
        subscription->last_match = seq;
        subscription_wake(subscription);
    }
}

/* Some who follow the type may see none of its records any more. */
static void route_definition(struct feed_space *home, struct change *change) {
    struct stet_subscription *subscription = home->subscriptions;
    for (; subscription != NULL; subscription = subscription->next) {
        struct topic_node node = {.subscription = subscription};
        const struct filter *filter = subscription->filter;
        if (!filter->actor.admin && filter_follows(filter, change->row.id))
            route_to(&node, home, change);
    }
}

static void route(struct feed_space *home, struct change *change) {
    struct index_hits hits = index_find(&home->index, &change->row);
    bool system = type_is_system(change->row.type);
    window_put(&home->window, change);
    route_to(hits.lists[0], home, change);
    route_to(hits.lists[1], home, change);
    if (!system) route_to(hits.lists[2], home, change);
    if (view_equal(change->row.type, VIEW("stet.type"))) route_definition(home, change);
    home->processed = change->row.seq;
    if (change->row.transaction == change->row.seq) home->whole = change->row.seq;
}

/* The ring moved past what was routed: nobody knows any more what concerns whom. */
static void all_fall_behind(struct feed_space *home) {
    struct stet_subscription *subscription = home->subscriptions;
    for (; subscription != NULL; subscription = subscription->next) {
        if (subscription->state != SUBSCRIPTION_LIVE) continue;
        if (subscription->cursor >= subscription->last_match) {
            if (subscription->cursor < home->processed) subscription->cursor = home->processed;
            if (subscription->resume < home->whole) subscription->resume = home->whole;
        }
        subscription->state = SUBSCRIPTION_BEHIND;
        subscription_wake(subscription);
    }
}

static void all_end(struct feed_space *home) {
    struct stet_subscription *subscription = home->subscriptions;
    home->closed = true;
    for (; subscription != NULL; subscription = subscription->next)
        subscription_wake(subscription);
}

static void process(struct feed_space *home) {
    struct ring *ring = &home->space->ring;
    uint64_t published;
    /* Before `published` is read: a poke that comes later is for what came later. */
    atomic_store(&home->poked, false);
    published = ring_published(ring);
    while (home->processed < published) {
        struct change *changes[TAKE_CHANGES];
        size_t count;
        if (!ring_take(ring, home->processed, changes, TAKE_CHANGES, &count)) {
            all_fall_behind(home);
            home->processed = published;
            home->whole = published;
            break;
        }
        for (size_t index = 0; index < count; index++) {
            if (changes[index]->row.seq <= published) route(home, changes[index]);
            change_unref(changes[index]);
        }
    }
    tally_flush(home);
    if (!home->closed && ring_is_closed(ring)) all_end(home);
}

static void poke(struct watcher *watcher) {
    struct feed_space *home = (struct feed_space *)watcher;
    atomic_store(&home->poked, true);
    inbox_poke(home->feed->inbox);
}

stet_subscription *feed_ready(stet_client *client) {
    struct feed_client *feed = client->feed;
    struct stet_subscription *subscription;
    if (feed == NULL) return NULL;
    if (atomic_exchange(&feed->inbox->poked, false)) {
        for (struct feed_space *home = feed->spaces; home != NULL; home = home->next) {
            if (atomic_load(&home->poked)) process(home);
        }
        backlog_collect(feed);
    }
    subscription = feed->ready.first;
    if (subscription == NULL) return NULL;
    feed_queue_remove(subscription);
    subscription->asked = false;
    return subscription;
}

/* ---- Clients and spaces ---- */

static void feed_destroy(struct feed_client *feed) {
    while (feed->spaces != NULL)
        feed_unsubscribe(feed->spaces->subscriptions);
    inbox_close(feed->inbox);
    free(feed);
}

static struct feed_client *feed_get(stet_client *client) {
    struct feed_client *feed = client->feed;
    if (feed != NULL) return feed;
    feed = calloc(1, sizeof *feed);
    if (feed == NULL) return NULL;
    feed->client = client;
    feed->inbox = inbox_create(client);
    if (feed->inbox == NULL) {
        free(feed);
        return NULL;
    }
    client->feed = feed;
    client->feed_destroy = feed_destroy;
    return feed;
}

static struct feed_space *home_get(struct feed_client *feed, struct space *space) {
    struct feed_space *home = feed->spaces;
    while (home != NULL && home->space != space)
        home = home->next;
    if (home != NULL) return home;
    home = calloc(1, sizeof *home);
    if (home == NULL) return NULL;
    static_assert(offsetof(struct feed_space, watcher) == 0, "poke casts");
    home->watcher.poke = poke;
    atomic_init(&home->poked, false);
    home->feed = feed;
    home->space = space_ref(space);
    home->processed = ring_published(&space->ring);
    home->whole = home->processed;
    window_init(&home->window, feed->client, space);
    filter_look_init(&home->look, space, feed->client, NULL);
    home->next = feed->spaces;
    if (home->next != NULL) home->next->prev = home;
    feed->spaces = home;
    space_watch(space, &home->watcher);
    return home;
}

static void home_put(struct feed_space *home) {
    struct space *space = home->space;
    if (home->subscriptions != NULL) return;
    space_unwatch(space, &home->watcher);
    *(home->prev != NULL ? &home->prev->next : &home->feed->spaces) = home->next;
    if (home->next != NULL) home->next->prev = home->prev;
    window_done(&home->window);
    filter_look_done(&home->look);
    index_done(&home->index);
    free(home);
    space_unref(space);
}

/* ---- Subscriptions ---- */

/* Where it begins. What was published is routed already. */
static void place(struct stet_subscription *subscription, const stet_feed_options *options) {
    uint64_t published = subscription->home->processed;
    bool ahead = !options->from_now && options->since > published;
    bool live = options->from_now || ahead || options->since == published;
    /* A position that was never reached here is of another database, or of one restored from an older copy. */
    subscription->reset_due = ahead;
    subscription->ready_due = true;
    subscription->cursor = live ? published : options->since;
    subscription->resume = subscription->cursor;
    subscription->last_match = subscription->cursor;
    subscription->state = live ? SUBSCRIPTION_LIVE : SUBSCRIPTION_BEHIND;
    subscription->round = !live && options->since > 0;
}

/* While the ring reaches back, a position inside a transaction is moved here; else the first page does it. */
static void round_in_ring(struct stet_subscription *subscription) {
    struct window *window = &subscription->home->window;
    uint64_t seq = subscription->cursor;
    const struct change *change;
    uint64_t transaction;
    if (!subscription->round) return;
    change = window_get(window, seq);
    if (change == NULL) goto unknown;
    transaction = change->row.transaction;
    while (transaction != subscription->cursor && --seq > 0) {
        change = window_get(window, seq);
        if (change == NULL) goto unknown;
        if (change->row.transaction != transaction) break;
    }
    subscription->cursor = seq;
    subscription->resume = seq;
    subscription->round = false;
    return;
unknown:
    backlog_want(subscription);
}

stet_status feed_subscribe(stet_client *client, struct space *space, const stet_actor *actor,
                           const stet_feed_options *options, void *context, stet_subscription **out,
                           stet_error *err) {
    struct stet_subscription *subscription = NULL;
    struct filter *filter = NULL;
    struct feed_client *feed;
    struct feed_space *home = NULL;
    stet_status status = filter_create(space, actor, options, &filter, err);
    if (status != STET_OK) return status;
    status = STET_NO_MEMORY;
    subscription =
        calloc(1, sizeof *subscription + index_nodes(filter) * sizeof subscription->nodes[0]);
    feed = feed_get(client);
    if (subscription == NULL || feed == NULL) goto done;
    home = home_get(feed, space);
    if (home == NULL) goto done;
    status = index_add(&home->index, filter, subscription, subscription->nodes);
    if (status != STET_OK) goto done;
    filter_enter(&home->filters, filter);
    subscription->home = home;
    subscription->filter = filter;
    subscription->context = context;
    subscription->next = home->subscriptions;
    if (subscription->next != NULL) subscription->next->prev = subscription;
    home->subscriptions = subscription;
    /* It is not to be routed to before it has its place: BEHIND is left alone. */
    subscription->state = SUBSCRIPTION_BEHIND;
    process(home);
    place(subscription, options);
    round_in_ring(subscription);
    atomic_fetch_add_explicit(&space->counters.subscribers, 1, memory_order_relaxed);
    *out = subscription;
done:
    if (status != STET_OK) {
        if (home != NULL) home_put(home);
        free(subscription);
        filter_unref(filter);
        error_set(err, status, "out of memory for a subscription");
    }
    return status;
}

void feed_unsubscribe(stet_subscription *subscription) {
    struct feed_space *home;
    if (subscription == NULL) return;
    home = subscription->home;
    tally_flush(home);
    backlog_drop(subscription);
    feed_queue_remove(subscription);
    index_remove(&home->index, subscription->filter, subscription->nodes);
    *(subscription->prev != NULL ? &subscription->prev->next : &home->subscriptions) =
        subscription->next;
    if (subscription->next != NULL) subscription->next->prev = subscription->prev;
    atomic_fetch_sub_explicit(&home->space->counters.subscribers, 1, memory_order_relaxed);
    filter_leave(&home->filters, subscription->filter);
    filter_unref(subscription->filter);
    free(subscription);
    home_put(home);
}

void *feed_context(const stet_subscription *subscription) { return subscription->context; }
