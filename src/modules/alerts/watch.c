/*
 *              above for for_s                       not above clear_below for for_s
 *   quiet ───────────────────────► firing (a record) ───────────────────────────────► quiet
 *
 * Which of the two it is stands in the book; here is only since when the value has been where.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/alerts/internal.h"

enum { ARENA_BLOCK_BYTES = 4096 };

void watch_init(struct watch *watch) {
    *watch = (struct watch){0};
    arena_init(&watch->arena, ARENA_BLOCK_BYTES);
}

void watch_done(struct watch *watch) { arena_done(&watch->arena); }

struct watched *watch_find(const struct watch *watch, stet_view name) {
    for (size_t i = 0; i < watch->count; i++)
        if (view_equal(watch->list[i].threshold.name, name)) return &watch->list[i];
    return NULL;
}

static bool same_subject(const struct threshold *a, const struct threshold *b) {
    return a->measure == b->measure && a->class_ == b->class_ && view_equal(a->lane, b->lane);
}

static stet_status read_settings(struct watch *watch, stet_view settings, stet_error *err) {
    struct threshold *list;
    struct doc doc;
    size_t count;
    stet_view text = arena_copy(&watch->arena, settings);
    if (text.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for alerts");
    stet_status status = doc_parse(&watch->arena, text, NULL, &doc, err);
    if (status == STET_OK)
        status = threshold_read(&watch->arena, &doc, doc_member(&doc, 0, VIEW("alerts")), &list,
                                &count, err);
    if (status != STET_OK) return status;
    watch->list = arena_zalloc(&watch->arena, count + 1, sizeof *watch->list);
    if (watch->list == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for alerts");
    for (size_t i = 0; i < count; i++)
        watch->list[i].threshold = list[i];
    watch->count = count;
    return STET_OK;
}

stet_status watch_set(struct watch *watch, stet_view settings, stet_error *err) {
    struct watch next;
    watch_init(&next);
    stet_status status = view_is_empty(settings) ? STET_OK : read_settings(&next, settings, err);
    if (status != STET_OK) {
        watch_done(&next);
        return status;
    }
    for (size_t i = 0; i < next.count; i++) {
        struct watched *now = &next.list[i];
        const struct watched *before = watch_find(watch, now->threshold.name);
        if (before == NULL || !same_subject(&before->threshold, &now->threshold)) continue;
        now->window = before->window;
        now->rejections = before->rejections;
    }
    watch_done(watch);
    *watch = next;
    return STET_OK;
}

/* ---- Measuring --------------------------------------------------------------------------- */

/* What happened in the last minute, or since it was first looked. */
static void window_add(struct window *window, int64_t at, uint64_t part, uint64_t whole,
                       uint64_t *parts, uint64_t *wholes) {
    const unsigned size = WINDOW_S + 1;
    window->samples[window->next].at = at;
    window->samples[window->next].part = part;
    window->samples[window->next].whole = whole;
    window->next = (window->next + 1) % size;
    if (window->count < size) window->count++;
    unsigned first = (window->next + size - window->count) % size;
    while (window->count > 1 &&
           window->samples[first].at < at - (int64_t)WINDOW_S * CLOCK_NS_PER_S) {
        first = (first + 1) % size;
        window->count--;
    }
    *parts = part - window->samples[first].part;
    *wholes = whole - window->samples[first].whole;
}

static double measure_conflicts(struct watched *watched, const struct space *space, int64_t at) {
    uint64_t conflicts = 0, parts, wholes;
    for (size_t i = 0; i < 3; i++)
        conflicts += atomic_load_explicit(&space->counters.conflicts[i], memory_order_relaxed);
    uint64_t writes = atomic_load_explicit(&space->counters.commands, memory_order_relaxed);
    window_add(&watched->window, at, conflicts, writes, &parts, &wholes);
    return wholes == 0 ? 0 : (double)parts / (double)wholes;
}

static double measure_rejections(struct watched *watched, int64_t at) {
    uint64_t parts, wholes;
    window_add(&watched->window, at, watched->rejections, 0, &parts, &wholes);
    return (double)parts;
}

static double measure(struct watched *watched, const struct space *space,
                      const struct module_time *now) {
    const struct threshold *threshold = &watched->threshold;
    double value = 0;
    switch (threshold->measure) {
    case MEASURE_CONFLICT_RATE: return measure_conflicts(watched, space, now->monotonic);
    case MEASURE_REJECTIONS: return measure_rejections(watched, now->monotonic);
    case MEASURE_QUEUE_DEPTH:
    case MEASURE_QUEUE_WAIT_S:
    case MEASURE_OLDEST_WAIT_S:
    case MEASURE_PROCESSING_S:
    case MEASURES: break;
    }
    return space_gauge(space, threshold->measure, threshold->lane, threshold->class_, now, &value)
               ? value
               : 0;
}

void watch_sample(struct watch *watch, const struct space *space, const struct module_time *now) {
    for (size_t i = 0; i < watch->count; i++) {
        struct watched *watched = &watch->list[i];
        const struct threshold *threshold = &watched->threshold;
        double value = measure(watched, space, now);
        watched->value = value;
        if (value <= threshold->above) watched->past_since = 0;
        if (value > threshold->above && watched->past_since == 0)
            watched->past_since = now->monotonic + 1; /* Never 0. */
        if (value > threshold->clear_below) watched->clear_since = 0;
        if (value <= threshold->clear_below && watched->clear_since == 0)
            watched->clear_since = now->monotonic + 1;
    }
}

void watch_rejected(struct watch *watch, stet_view lane, stet_class class_) {
    for (size_t i = 0; i < watch->count; i++) {
        const struct threshold *threshold = &watch->list[i].threshold;
        if (threshold->lane.size > 0 && !view_equal(threshold->lane, lane)) continue;
        if (threshold->class_ != STET_CLASS_DEFAULT && threshold->class_ != class_) continue;
        watch->list[i].rejections++;
    }
}

static bool held(int64_t since, unsigned for_s, int64_t now) {
    return since != 0 && now + 1 - since >= (int64_t)for_s * CLOCK_NS_PER_S;
}

bool watch_fires(const struct watched *watched, int64_t now) {
    return held(watched->past_since, watched->threshold.for_s, now);
}

bool watch_clears(const struct watched *watched, int64_t now) {
    return held(watched->clear_since, watched->threshold.for_s, now);
}
