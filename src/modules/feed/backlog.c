#include "modules/feed/subscription.h"

#include "base/limits.h"

#include <assert.h>

static size_t page_bytes(const struct page *page) {
    return sizeof *page + page->text.capacity + page->event_count * sizeof *page->events;
}

/* ---- Pages held ---- */

static void hold(struct feed_client *feed, struct page *page) {
    page->held_newer = NULL;
    page->held_older = feed->held_newest;
    *(feed->held_newest != NULL ? &feed->held_newest->held_newer : &feed->held_oldest) = page;
    feed->held_newest = page;
    feed->held_bytes += page_bytes(page);
}

static void release(struct feed_client *feed, struct page *page) {
    *(page->held_newer != NULL ? &page->held_newer->held_older : &feed->held_newest) =
        page->held_older;
    *(page->held_older != NULL ? &page->held_older->held_newer : &feed->held_oldest) =
        page->held_newer;
    feed->held_bytes -= page_bytes(page);
    page_destroy(page);
}

void backlog_drop(struct stet_subscription *subscription) {
    struct page *page = subscription->page;
    if (page == NULL) return;
    subscription->page = NULL;
    if (subscription->state == SUBSCRIPTION_READING)
        page->subscription = NULL;
    else
        release(subscription->home->feed, page);
    subscription->state = SUBSCRIPTION_BEHIND;
}

/* Somebody who does not read must not keep others from it: the page held longest goes, and is read again when asked for. */
static void make_room(struct feed_client *feed, const struct page *kept) {
    while (feed->held_bytes > FEED_HELD_BYTES_MAX && feed->held_oldest != kept)
        backlog_drop(feed->held_oldest->subscription);
}

/* ---- Asking ---- */

static void wait_for_page(struct stet_subscription *subscription) {
    subscription->state = SUBSCRIPTION_WANTS_PAGE;
    feed_queue_remove(subscription);
    feed_queue_push(&subscription->home->feed->waiting, subscription);
}

static void submit(struct stet_subscription *subscription) {
    struct feed_client *feed = subscription->home->feed;
    stet_status status =
        page_submit(feed->inbox, subscription, subscription->home->space, subscription->filter,
                    subscription->cursor, subscription->round, &subscription->page, NULL);
    if (status == STET_OK) {
        feed->reading++;
        subscription->state = SUBSCRIPTION_READING;
    } else if (status == STET_BUSY && feed->reading > 0) {
        wait_for_page(subscription);
    } else {
        subscription->state = SUBSCRIPTION_BEHIND;
        subscription->failure = (uint8_t)status;
        subscription_wake(subscription);
    }
}

void backlog_want(struct stet_subscription *subscription) {
    assert(subscription->state == SUBSCRIPTION_BEHIND && subscription->page == NULL);
    if (subscription->home->feed->reading < FEED_JOBS_MAX)
        submit(subscription);
    else
        wait_for_page(subscription);
}

void backlog_start(struct feed_client *feed) {
    size_t tries = FEED_JOBS_MAX;
    while (feed->waiting.first != NULL && feed->reading < FEED_JOBS_MAX && tries-- > 0) {
        struct stet_subscription *subscription = feed->waiting.first;
        feed_queue_remove(subscription);
        submit(subscription);
    }
}

/* ---- Taking in ---- */

static void receive(struct feed_client *feed, struct page *page) {
    struct stet_subscription *subscription = page->subscription;
    feed->reading--;
    if (subscription == NULL) {
        page_destroy(page);
        return;
    }
    assert(subscription->page == page && subscription->state == SUBSCRIPTION_READING);
    if (page->status != STET_OK) {
        subscription->failure = (uint8_t)page->status;
        subscription->page = NULL;
        subscription->state = SUBSCRIPTION_BEHIND;
        page_destroy(page);
    } else {
        subscription->state = SUBSCRIPTION_PAGE;
        if (page->reset || subscription->round) subscription->resume = page->start;
        if (page->reset) subscription->reset_due = true;
        subscription->round = false;
        subscription->cursor = page->start;
        hold(feed, page);
        make_room(feed, page);
    }
    subscription_wake(subscription);
}

void backlog_collect(struct feed_client *feed) {
    struct page *page = inbox_take(feed->inbox);
    while (page != NULL) {
        struct page *next = page->next;
        receive(feed, page);
        page = next;
    }
    backlog_start(feed);
}
