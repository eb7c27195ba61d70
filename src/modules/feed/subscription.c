#include "modules/feed/subscription.h"

#include "base/error.h"
#include "base/view.h"
#include "core/render.h"

#include <assert.h>
#include <stdio.h>

/* A subscriber that finds nothing in so many changes lets the others have their turn. */
enum { SCAN_CHANGES_MAX = 1024 };

/* ---- Events without a change ---- */

static void fill_note(struct stet_subscription *subscription, stet_event *event,
                      enum stet_event_kind kind, uint64_t seq) {
    char *note = subscription->home->feed->note;
    int size = snprintf(note, sizeof subscription->home->feed->note, "{\"seq\":%llu}",
                        (unsigned long long)seq);
    *event = (stet_event){
        .kind = kind, .seq = seq, .resume = seq, .data = view_make(note, (size_t)size)};
}

static void fill_end(struct stet_subscription *subscription, stet_event *event) {
    char *note = subscription->home->feed->note;
    stet_status status = (stet_status)subscription->failure;
    int size;
    if (status == STET_OK)
        status =
            atomic_load(&subscription->home->space->dropped) ? STET_NOT_FOUND : STET_SHUTTING_DOWN;
    size = snprintf(note, sizeof subscription->home->feed->note, "{\"code\":\"%s\"}",
                    status_code(status));
    *event = (stet_event){.kind = STET_EVENT_END,
                          .seq = subscription->resume,
                          .resume = 0,
                          .data = view_make(note, (size_t)size)};
    subscription->ended = true;
}

/* Everything up to here was delivered, or does not concern it; the end of a transaction. */
static uint64_t position_of(const struct stet_subscription *subscription) {
    const struct feed_space *home = subscription->home;
    bool idle = subscription->state == SUBSCRIPTION_LIVE &&
                subscription->cursor >= subscription->last_match;
    return idle && home->processed > subscription->resume ? home->processed : subscription->resume;
}

void feed_bookmark(stet_subscription *subscription, stet_event *event) {
    fill_note(subscription, event, STET_EVENT_BOOKMARK, position_of(subscription));
}

/* ---- Events from the ring ---- */

enum step { STEP_EVENT, STEP_DONE, STEP_LOST, STEP_YIELD, STEP_FAILED };

static enum filter_verdict judge(const struct stet_subscription *subscription,
                                 struct change *change) {
    return filter_judge(subscription->filter, &subscription->home->look, &change->row, change);
}

/* Finds the last matching change of a transaction. False when the ring lost part of it. */
static bool look_ahead(struct stet_subscription *subscription, uint64_t seq, uint64_t transaction) {
    uint64_t match = seq;
    while (++seq <= transaction) {
        struct change *change = window_get(&subscription->home->window, seq);
        if (change == NULL) return false;
        if (judge(subscription, change) != FILTER_NO) match = seq;
    }
    subscription->transaction = transaction;
    subscription->transaction_match = match;
    return true;
}

static void pass(struct stet_subscription *subscription, const struct change *change) {
    subscription->cursor = change->row.seq;
    if (change->row.transaction == change->row.seq) subscription->resume = change->row.seq;
}

/* How far behind a subscriber is shows in how much was published since what it is given now. */
static void count_event(struct stet_subscription *subscription, uint64_t seq) {
    struct feed_space *home = subscription->home;
    struct tally *tally = &home->tally;
    const size_t last = TALLY_BUCKETS - 1;
    uint64_t published = ring_published(&home->space->ring);
    uint64_t lag = published > seq ? published - seq : 0;
    size_t bucket = 0;
    for (uint64_t bound = 1; bucket < last && lag > bound; bound *= 2)
        bucket++;
    tally->events++;
    tally->lag_bucket[bucket]++;
    tally->lag_sum += lag;
    if (tally->events == TALLY_EVENTS_MAX) tally_flush(home);
}

void tally_flush(struct feed_space *home) {
    struct space_counters *counters = &home->space->counters;
    struct tally *tally = &home->tally;
    if (tally->events == 0) return;
    atomic_fetch_add_explicit(&counters->events, tally->events, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->lag_sum, tally->lag_sum, memory_order_relaxed);
    for (size_t bucket = 0; bucket < TALLY_BUCKETS; bucket++) {
        if (tally->lag_bucket[bucket] == 0) continue;
        atomic_fetch_add_explicit(&counters->lag_bucket[bucket], tally->lag_bucket[bucket],
                                  memory_order_relaxed);
    }
    *tally = (struct tally){0};
}

static stet_status text_for(struct stet_subscription *subscription, struct change *change,
                            enum filter_verdict verdict, stet_view *text) {
    struct feed_space *home = subscription->home;
    bool partial = filter_is_partial(subscription->filter, &home->look, &change->row);
    if (verdict == FILTER_YES && !partial) return window_text(&home->window, change, text);
    return window_text_for(&home->window, change, subscription->filter, partial, verdict, text);
}

static stet_event_kind kind_for(const struct store_change *row, enum filter_verdict verdict) {
    bool revoked = verdict == FILTER_REVOKED || verdict == FILTER_TYPE_REVOKED;
    return revoked ? STET_EVENT_REVOKED : change_event_kind(row);
}

static enum step deliver(struct stet_subscription *subscription, uint64_t seq,
                         enum filter_verdict verdict, stet_event *event) {
    struct window *window = &subscription->home->window;
    struct change *change = window_get(window, seq);
    uint64_t transaction;
    stet_status status;
    bool last = true;
    if (change == NULL) return STEP_LOST;
    transaction = change->row.transaction;
    if (transaction != seq) {
        if (subscription->transaction != transaction && !look_ahead(subscription, seq, transaction))
            return STEP_LOST;
        last = subscription->transaction_match == seq;
        /* Looking ahead may have let go of it. */
        change = window_get(window, seq);
        if (change == NULL) return STEP_LOST;
    }
    *event = (stet_event){
        .kind = kind_for(&change->row, verdict), .seq = seq, .resume = last ? transaction : 0};
    status = text_for(subscription, change, verdict, &event->data);
    if (status != STET_OK) {
        subscription->failure = (uint8_t)status;
        return STEP_FAILED;
    }
    subscription->cursor = last ? transaction : seq;
    if (last) subscription->resume = transaction;
    count_event(subscription, seq);
    return STEP_EVENT;
}

/* The next event among the changes in (cursor, last]. */
static enum step step_ring(struct stet_subscription *subscription, uint64_t last,
                           stet_event *event) {
    size_t scanned = 0;
    while (subscription->cursor < last) {
        struct change *change = window_get(&subscription->home->window, subscription->cursor + 1);
        if (change == NULL) return STEP_LOST;
        enum filter_verdict verdict = judge(subscription, change);
        if (verdict != FILTER_NO) return deliver(subscription, change->row.seq, verdict, event);
        pass(subscription, change);
        if (++scanned >= SCAN_CHANGES_MAX) return STEP_YIELD;
    }
    return STEP_DONE;
}

/* ---- Events from a page ---- */

static enum step step_page(struct stet_subscription *subscription, stet_event *event) {
    struct page *page = subscription->page;
    const struct page_event *one;
    if (page->event_next == page->event_count) {
        if (subscription->cursor < page->end) subscription->cursor = page->end;
        if (subscription->resume < page->resume) subscription->resume = page->resume;
        backlog_drop(subscription);
        return STEP_DONE;
    }
    one = &page->events[page->event_next++];
    *event = (stet_event){.kind = one->kind,
                          .seq = one->seq,
                          .resume = one->resume,
                          .data = view_make(page->text.bytes + one->offset, one->size)};
    subscription->cursor = one->resume != 0 ? one->resume : one->seq;
    if (one->resume != 0) subscription->resume = one->resume;
    count_event(subscription, one->seq);
    return STEP_EVENT;
}

/* ---- All ---- */

/* Tells whether the subscription has anything to say besides changes. */
static bool next_note(struct stet_subscription *subscription, stet_event *event) {
    if (subscription->home->closed || subscription->failure != STET_OK) {
        fill_end(subscription, event);
        return true;
    }
    if (subscription->reset_due) {
        subscription->reset_due = false;
        fill_note(subscription, event, STET_EVENT_RESET, subscription->resume);
        return true;
    }
    if (subscription->ready_due && subscription->state == SUBSCRIPTION_LIVE) {
        subscription->ready_due = false;
        fill_note(subscription, event, STET_EVENT_READY, position_of(subscription));
        return true;
    }
    return false;
}

static enum step next_change(struct stet_subscription *subscription, stet_event *event) {
    switch ((enum subscription_state)subscription->state) {
    case SUBSCRIPTION_LIVE: return step_ring(subscription, subscription->last_match, event);
    case SUBSCRIPTION_BEHIND: return step_ring(subscription, subscription->home->processed, event);
    case SUBSCRIPTION_PAGE: return step_page(subscription, event);
    case SUBSCRIPTION_WANTS_PAGE:
    case SUBSCRIPTION_READING: break;
    }
    return STEP_DONE;
}

/* Whether there may be more, now that a step ended without an event. */
static bool go_on(struct stet_subscription *subscription, enum subscription_state before,
                  enum step step) {
    if (step == STEP_FAILED) return true;
    if (step == STEP_LOST) {
        subscription->state = SUBSCRIPTION_BEHIND;
        backlog_want(subscription);
        /* It could not even be asked for. */
        return subscription->failure != STET_OK;
    }
    if (before == SUBSCRIPTION_BEHIND) {
        subscription->state = SUBSCRIPTION_LIVE;
        subscription->last_match = subscription->cursor;
        return true;
    }
    return before == SUBSCRIPTION_PAGE;
}

bool feed_next(stet_subscription *subscription, stet_event *event) {
    struct feed_client *feed = subscription->home->feed;
    if (subscription->ended) return false;
    subscription->asked = false;
    if (subscription->queue == &feed->ready) feed_queue_remove(subscription);
    for (;;) {
        enum subscription_state before = (enum subscription_state)subscription->state;
        enum step step;
        if (next_note(subscription, event)) return true;
        step = next_change(subscription, event);
        if (step == STEP_EVENT) return true;
        if (step == STEP_YIELD) {
            subscription->asked = true;
            subscription_wake(subscription);
            inbox_poke(feed->inbox);
            return false;
        }
        if (!go_on(subscription, before, step)) break;
    }
    tally_flush(subscription->home);
    subscription->asked = true;
    return false;
}

/* Whether the page being read from is still the one of that position; then it goes on behind it. */
static bool rewind_page(struct stet_subscription *subscription, uint64_t resume) {
    struct page *page = subscription->page;
    size_t next = page->event_next;
    while (next > 0 && page->events[next - 1].resume != resume)
        next--;
    if (next > 0) page->event_next = next;
    return next > 0;
}

void feed_rewind(stet_subscription *subscription, uint64_t resume) {
    assert(!subscription->ended && resume <= subscription->cursor);
    tally_flush(subscription->home);
    if (resume == subscription->cursor) return;
    if (subscription->state == SUBSCRIPTION_PAGE && !rewind_page(subscription, resume))
        backlog_drop(subscription);
    /* A page on its way, or wanted, is one from the cursor on. */
    if (subscription->state == SUBSCRIPTION_READING) backlog_drop(subscription);
    if (subscription->state == SUBSCRIPTION_WANTS_PAGE) {
        feed_queue_remove(subscription);
        subscription->state = SUBSCRIPTION_BEHIND;
    }
    /* LIVE stays so: what lies between the cursor and the last match is judged again. */
    subscription->cursor = resume;
    subscription->resume = resume;
    subscription->asked = false;
}
