/*
 * The sequencer's cache of what is booked, and the check. core/spans.h tells what is judged when.
 */
#include "core/spans.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/index.h"
#include "core/spans_internal.h"

#include <assert.h>
#include <stdlib.h>

/* ---- The cache ------------------------------------------------------------------------------------------------------- */

enum { BUCKETS = 16384 };

struct cached {
    struct cached *next;          /* In its bucket. */
    struct cached *newer, *older; /* By use. */
    uint32_t index;
    int64_t number;
    struct slot_page page;
    size_t bytes; /* What it counts for. */
    size_t size;
    char resource[];
};

struct spans {
    struct cached *buckets[BUCKETS];
    struct cached *newest, *oldest;
    size_t bytes;
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for bookings");
}

static struct cached **bucket_of(struct spans *spans, uint32_t index, stet_view resource,
                                 int64_t number) {
    uint64_t seed = (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15) + index;
    return &spans->buckets[view_hash(resource, seed) % BUCKETS];
}

static void unlink_use(struct spans *spans, struct cached *cached) {
    *(cached->newer != NULL ? &cached->newer->older : &spans->newest) = cached->older;
    *(cached->older != NULL ? &cached->older->newer : &spans->oldest) = cached->newer;
}

static void link_newest(struct spans *spans, struct cached *cached) {
    cached->newer = NULL;
    cached->older = spans->newest;
    *(spans->newest != NULL ? &spans->newest->newer : &spans->oldest) = cached;
    spans->newest = cached;
}

static void let_go(struct spans *spans, struct cached *cached) {
    struct cached **link =
        bucket_of(spans, cached->index, view_make(cached->resource, cached->size), cached->number);
    while (*link != cached)
        link = &(*link)->next;
    *link = cached->next;
    unlink_use(spans, cached);
    spans->bytes -= cached->bytes;
    slot_list_done(&cached->page.list);
    free(cached);
}

/* A page has grown, or is new: others may have to go. */
static void count_bytes(struct spans *spans, struct cached *cached) {
    size_t bytes = sizeof *cached + cached->size + cached->page.list.capacity * sizeof(struct slot);
    spans->bytes += bytes - cached->bytes;
    cached->bytes = bytes;
    while (spans->bytes > SPANS_CACHE_BYTES_MAX && spans->oldest != cached)
        let_go(spans, spans->oldest);
}

void spans_reset(struct spans *spans) {
    while (spans != NULL && spans->newest != NULL)
        let_go(spans, spans->newest);
}

void spans_destroy(struct spans *spans) {
    spans_reset(spans);
    free(spans);
}

static struct cached *find_cached(struct spans *spans, uint32_t index, stet_view resource,
                                  int64_t number) {
    struct cached *cached = *bucket_of(spans, index, resource, number);
    while (cached != NULL && (cached->number != number || cached->index != index ||
                              !view_equal(view_make(cached->resource, cached->size), resource)))
        cached = cached->next;
    return cached;
}

/* Takes an entry into the pages that are there. One that cannot grow is let go: it can be read anew. */
static void take_in(struct spans *spans, const struct store_entry *entry) {
    struct slot slot;
    stet_view resource;
    if (entry->index < STORE_INDEX_FIRST ||
        !slot_of_key(entry->key, entry->record, &resource, &slot))
        return;
    int64_t last = slot_page_number(slot.end - 1);
    for (int64_t number = slot_page_number(slot.begin); number <= last; number++) {
        struct cached *cached = find_cached(spans, entry->index, resource, number);
        if (cached == NULL) continue;
        if (entry->remove) {
            slot_page_take(&cached->page, &slot);
        } else if (slot_page_put(&cached->page, &slot) == STET_OK) {
            count_bytes(spans, cached);
        } else {
            let_go(spans, cached);
        }
    }
}

void spans_accept(struct space *space, const struct batch *batch) {
    for (size_t i = batch->entry_mark; space->spans != NULL && i < batch->entry_count; i++)
        take_in(space->spans, &batch->entries[i]);
}

/* What earlier commands of the batch have staged is not in the store yet. */
static stet_status lay_over(struct cached *cached, const struct batch *batch) {
    stet_view own = view_make(cached->resource, cached->size);
    for (size_t i = 0; i < batch->entry_mark; i++) {
        const struct store_entry *entry = &batch->entries[i];
        struct slot slot;
        stet_view resource;
        if (entry->index != cached->index ||
            !slot_of_key(entry->key, entry->record, &resource, &slot) ||
            !view_equal(resource, own) || cached->number < slot_page_number(slot.begin) ||
            cached->number > slot_page_number(slot.end - 1))
            continue;
        if (entry->remove) {
            slot_page_take(&cached->page, &slot);
        } else if (slot_page_put(&cached->page, &slot) != STET_OK) {
            return STET_NO_MEMORY;
        }
    }
    return STET_OK;
}

static stet_status read_page(struct space *space, const struct batch *batch, uint32_t index,
                             stet_view resource, int64_t number, struct cached **out,
                             stet_error *err) {
    struct cached *cached = calloc(1, sizeof *cached + resource.size);
    if (cached == NULL) return no_memory(err);
    cached->index = index;
    cached->number = number;
    cached->size = resource.size;
    if (resource.size > 0) memcpy(cached->resource, resource.bytes, resource.size);
    stet_status status = slot_page_load(&cached->page, store_writer_reader(space->store), index,
                                        resource, number, err);
    if (status == STET_OK && lay_over(cached, batch) != STET_OK) status = no_memory(err);
    if (status != STET_OK) {
        slot_list_done(&cached->page.list);
        free(cached);
        return status;
    }
    struct cached **bucket = bucket_of(space->spans, index, resource, number);
    cached->next = *bucket;
    *bucket = cached;
    link_newest(space->spans, cached);
    count_bytes(space->spans, cached);
    *out = cached;
    return STET_OK;
}

/* ---- A command's own entries, and the source over both ---------------------------------------------------------------- */

static int compare_places(const struct pending_slot *a, const struct pending_slot *b) {
    if (a->index != b->index) return a->index < b->index ? -1 : 1;
    int order = view_compare(a->resource, b->resource);
    if (order != 0) return order;
    if (a->slot.begin != b->slot.begin) return a->slot.begin < b->slot.begin ? -1 : 1;
    return 0;
}

static int compare_pending(const void *left, const void *right) {
    const struct pending_slot *a = left, *b = right;
    int order = compare_places(a, b);
    if (order == 0) order = view_compare(a->key, b->key);
    if (order == 0) order = (a->slot.record > b->slot.record) - (a->slot.record < b->slot.record);
    if (order == 0) order = (a->order > b->order) - (a->order < b->order);
    return order;
}

static bool same_entry(const struct pending_slot *a, const struct pending_slot *b) {
    return a->index == b->index && a->slot.record == b->slot.record && view_equal(a->key, b->key);
}

/* Of what is said of one key, the last word counts; and taking out and putting back is nothing. */
static void net(struct pending *pending, const struct pending_slot *all, size_t count) {
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && same_entry(&all[i], &all[end]); end++)
            ;
        bool was = all[i].remove, is = !all[end - 1].remove;
        if (was == is) continue;
        int64_t length = all[i].slot.end - all[i].slot.begin;
        if (is && length > pending->longest) pending->longest = length;
        if (is) pending->adds[pending->add_count++] = all[i];
        if (was) pending->removes[pending->remove_count++] = all[i];
    }
}

stet_status pending_make(struct arena *arena, const struct batch *batch, struct pending *pending,
                         stet_error *err) {
    size_t most = batch->entry_count - batch->entry_mark, count = 0;
    *pending = (struct pending){0};
    bool any = false;
    for (size_t i = batch->entry_mark; !any && i < batch->entry_count; i++)
        any = batch->entries[i].index >= STORE_INDEX_FIRST && batch->entries[i].key.size > 0 &&
              batch->entries[i].key.bytes[0] == SPAN_KEY_TAG;
    if (!any) return STET_OK;
    struct pending_slot *all = arena_zalloc(arena, most, sizeof *all);
    pending->adds = arena_zalloc(arena, most, sizeof *pending->adds);
    pending->removes = arena_zalloc(arena, most, sizeof *pending->removes);
    if (all == NULL || pending->adds == NULL || pending->removes == NULL) return no_memory(err);
    for (size_t i = batch->entry_mark; i < batch->entry_count; i++) {
        const struct store_entry *entry = &batch->entries[i];
        struct pending_slot *one = &all[count];
        if (entry->index < STORE_INDEX_FIRST ||
            !slot_of_key(entry->key, entry->record, &one->resource, &one->slot))
            continue;
        one->index = entry->index;
        one->key = entry->key;
        one->remove = entry->remove;
        one->order = count++;
    }
    qsort(all, count, sizeof *all, compare_pending);
    net(pending, all, count);
    return STET_OK;
}

/* The first of a sorted list that does not come before index, resource and begin. */
static size_t find_pending(const struct pending_slot *list, size_t count,
                           const struct pending_slot *place) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_places(&list[middle], place) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static stet_status cached_page(struct slot_source *base, stet_view resource, int64_t number,
                               const struct slot_page **page, stet_error *err) {
    struct span_source *source = (struct span_source *)base;
    struct space *space = source->space;
    if (space->spans == NULL) space->spans = calloc(1, sizeof *space->spans);
    if (space->spans == NULL) return no_memory(err);
    struct cached *cached = find_cached(space->spans, source->index, resource, number);
    if (cached == NULL) {
        stet_status status =
            read_page(space, source->batch, source->index, resource, number, &cached, err);
        if (status != STET_OK) return status;
    } else if (space->spans->newest != cached) {
        unlink_use(space->spans, cached);
        link_newest(space->spans, cached);
    }
    *page = &cached->page;
    return STET_OK;
}

static stet_status pending_more(struct slot_source *base, stet_view resource, int64_t from,
                                int64_t to, struct slot_list *hits) {
    struct span_source *source = (struct span_source *)base;
    const struct pending *pending = source->pending;
    const struct pending_slot place = {
        .index = source->index, .resource = resource, .slot = {.begin = to}};
    for (size_t i = find_pending(pending->adds, pending->add_count, &place); i-- > 0;) {
        const struct pending_slot *one = &pending->adds[i];
        if (one->index != source->index || !view_equal(one->resource, resource) ||
            one->slot.begin <= from - pending->longest)
            break;
        if (one == source->self || one->slot.end <= from || one->slot.held_until <= base->now)
            continue;
        if (slot_list_add(hits, &one->slot) != STET_OK) return STET_NO_MEMORY;
    }
    return STET_OK;
}

static bool pending_skip(struct slot_source *base, stet_view resource, const struct slot *slot) {
    struct span_source *source = (struct span_source *)base;
    const struct pending *pending = source->pending;
    const struct pending_slot place = {
        .index = source->index, .resource = resource, .slot = {.begin = slot->begin}};
    size_t i = find_pending(pending->removes, pending->remove_count, &place);
    for (; i < pending->remove_count && compare_places(&pending->removes[i], &place) == 0; i++) {
        const struct slot *removed = &pending->removes[i].slot;
        if (removed->record == slot->record && removed->end == slot->end &&
            removed->weight == slot->weight && removed->held_until == slot->held_until)
            return true;
    }
    return false;
}

void span_source_init(struct span_source *source, struct space *space, const struct batch *batch,
                      uint32_t index, const struct pending *pending, int64_t now) {
    *source = (struct span_source){
        .source = {.page = cached_page, .now = now},
        .space = space,
        .batch = batch,
        .index = index,
        .pending = pending,
    };
    if (pending == NULL || pending->add_count + pending->remove_count == 0) return;
    source->source.more = pending_more;
    source->source.skip = pending_skip;
}
