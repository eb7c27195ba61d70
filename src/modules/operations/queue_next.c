/* Questions: who is ahead of whom, and who is next for whom. Nothing is moved. */
#include <assert.h>

#include "base/limits.h"
#include "base/view.h"
#include "modules/operations/order.h"
#include "modules/operations/queue_parts.h"

size_t queue_ahead(const struct queue *queue, const struct queue_entry *entry) {
    if (entry->state != QUEUE_READY && entry->state != QUEUE_DELAYED) return 0;
    struct queue_entry probe = *entry;
    if (entry->state == QUEUE_DELAYED) {
        probe.lifted = (uint8_t)queue_lifted_by(queue, entry);
        probe.level = (uint8_t)(queue_level_of(entry->class_) + probe.lifted);
    }
    size_t ahead = order_rank(entry->lane->tree[probe.level], &probe);
    for (unsigned level = probe.level + 1u; level < QUEUE_LEVELS; level++)
        if (entry->lane->tree[level] != NULL) ahead += entry->lane->tree[level]->size;
    return ahead;
}

struct queue_entry *queue_first(const struct queue_lane *lane) {
    for (unsigned level = QUEUE_LEVELS; level-- > 0;)
        if (lane->tree[level] != NULL) return order_first(lane->tree[level], ORDER_BY_LEVEL);
    return NULL;
}

struct queue_entry *queue_after(const struct queue_entry *entry) {
    assert(entry->state == QUEUE_READY);
    unsigned level = entry->level;
    struct queue_entry *next = order_after(entry->lane->tree[level], ORDER_BY_LEVEL, entry);
    while (next == NULL && level-- > 0)
        next = order_first(entry->lane->tree[level], ORDER_BY_LEVEL);
    return next;
}

static bool may_take(const struct queue_entry *entry, const struct queue_taker *taker) {
    const struct register_item *line = &entry->line->item;
    if (line->for_ == QUEUE_FOR_ANYONE) return taker->as == QUEUE_FOR_AGENT;
    if (line->for_ != taker->as) return false;
    return line->for_ == QUEUE_FOR_SERVER || view_equal(line->name, taker->agent);
}

static struct queue_entry *earlier(struct queue_entry *a, struct queue_entry *b) {
    if (a == NULL || b == NULL) return a == NULL ? b : a;
    return order_before(a, b) ? a : b;
}

/* The first of a level for a taker, behind `behind` unless that is NULL. */
static struct queue_entry *first_for(const struct queue *queue, const struct queue_lane *lane,
                                     const struct queue_taker *taker, unsigned level,
                                     const struct queue_entry *behind) {
    const struct queue_line *lines[2] = {queue_line_find(queue, lane, taker->as, taker->agent),
                                         taker->as == QUEUE_FOR_AGENT ? lane->anyone : NULL};
    struct queue_entry *found = NULL;
    for (unsigned i = 0; i < 2; i++) {
        if (lines[i] == NULL) continue;
        struct queue_entry *root = lines[i]->tree[level];
        found = earlier(found, behind == NULL ? order_first(root, ORDER_BY_LINE)
                                              : order_after(root, ORDER_BY_LINE, behind));
    }
    return found;
}

enum queue_verdict queue_next_as_if(const struct queue *queue, const struct queue_lane *lane,
                                    const struct queue_taker *taker,
                                    const struct queue_supposed *supposed,
                                    struct queue_entry **entry) {
    assert(taker->as != QUEUE_FOR_ANYONE);
    const struct queue_entry *behind = supposed->behind;
    if (lane->settings.paused) return QUEUE_PAUSED;
    struct queue_entry *first = behind == NULL ? queue_first(lane) : queue_after(behind);
    if (first == NULL) return QUEUE_NOTHING;
    bool full = supposed->places >= lane->settings.width;
    if (full && (first->level != QUEUE_TOP || supposed->urgent >= URGENT_RUNNING_MAX))
        return QUEUE_FULL;

    if (lane->settings.width == 1) {
        if (!may_take(first, taker)) return QUEUE_IN_LINE;
        *entry = first;
        return QUEUE_TAKE;
    }
    unsigned lowest = full ? QUEUE_TOP : QUEUE_LOW;
    for (unsigned level = first->level + 1u; level-- > lowest;) {
        bool split = behind != NULL && behind->level == level;
        struct queue_entry *found = first_for(queue, lane, taker, level, split ? behind : NULL);
        if (found == NULL) continue;
        *entry = found;
        return QUEUE_TAKE;
    }
    return full ? QUEUE_FULL : QUEUE_NOTHING;
}

enum queue_verdict queue_next(const struct queue *queue, const struct queue_lane *lane,
                              const struct queue_taker *taker, struct queue_entry **entry) {
    const struct queue_supposed now = {.places = lane->places, .urgent = queue->urgent_running};
    return queue_next_as_if(queue, lane, taker, &now, entry);
}

struct queue_entry *queue_batch_next(const struct queue *queue, const struct queue_entry *entry,
                                     const struct queue_taker *taker) {
    assert(entry->state == QUEUE_READY);
    if (view_is_empty(entry->batch_key)) return NULL;
    const struct queue_lane *lane = entry->lane;
    struct queue_entry *next = lane->settings.width == 1
                                   ? order_after(lane->tree[entry->level], ORDER_BY_LEVEL, entry)
                                   : first_for(queue, lane, taker, entry->level, entry);
    if (next == NULL || !may_take(next, taker)) return NULL;
    return view_equal(next->batch_key, entry->batch_key) ? next : NULL;
}
