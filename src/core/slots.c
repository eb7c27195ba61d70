/*
 * Pages of slots, and what can be asked of them.
 */
#include "core/slots.h"

#include "base/error.h"
#include "base/view.h"

#include <assert.h>
#include <stdlib.h>

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for bookings");
}

enum { SLOTS_PER_STEP = 64 };

/* ---- Lists ----------------------------------------------------------------------------------------------------------- */

static stet_status make_room(struct slot_list *list) {
    if (list->count < list->capacity) return STET_OK;
    size_t capacity = list->capacity == 0 ? 16 : list->capacity + list->capacity / 2;
    struct slot *grown = realloc(list->slots, capacity * sizeof *grown);
    if (grown == NULL) return STET_NO_MEMORY;
    list->slots = grown;
    list->capacity = capacity;
    return STET_OK;
}

stet_status slot_list_add(struct slot_list *list, const struct slot *slot) {
    if (make_room(list) != STET_OK) return STET_NO_MEMORY;
    list->slots[list->count++] = *slot;
    return STET_OK;
}

void slot_list_done(struct slot_list *list) {
    free(list->slots);
    *list = (struct slot_list){0};
}

static bool overlaps(const struct slot *slot, int64_t from, int64_t to) {
    return slot->begin < to && slot->end > from;
}

/* ---- Pages ----------------------------------------------------------------------------------------------------------- */

static int compare_slots(const void *left, const void *right) {
    const struct slot *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end) return a->end < b->end ? -1 : 1;
    if (a->record != b->record) return a->record < b->record ? -1 : 1;
    if (a->weight != b->weight) return a->weight < b->weight ? -1 : 1;
    return (a->held_until > b->held_until) - (a->held_until < b->held_until);
}

/* The first that does not come before `slot`. */
static size_t find_place(const struct slot_list *list, const struct slot *slot) {
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_slots(&list->slots[middle], slot) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

stet_status slot_page_put(struct slot_page *page, const struct slot *slot) {
    struct slot_list *list = &page->list;
    size_t place = find_place(list, slot);
    if (place < list->count && compare_slots(&list->slots[place], slot) == 0) return STET_OK;
    if (make_room(list) != STET_OK) return STET_NO_MEMORY;
    memmove(list->slots + place + 1, list->slots + place,
            (list->count - place) * sizeof *list->slots);
    list->slots[place] = *slot;
    list->count++;
    if (slot->end - slot->begin > page->longest) page->longest = slot->end - slot->begin;
    return STET_OK;
}

void slot_page_take(struct slot_page *page, const struct slot *slot) {
    struct slot_list *list = &page->list;
    size_t place = find_place(list, slot);
    if (place == list->count || compare_slots(&list->slots[place], slot) != 0) return;
    list->count--;
    memmove(list->slots + place, list->slots + place + 1,
            (list->count - place) * sizeof *list->slots);
}

bool slot_of_key(stet_view key, uint64_t record, stet_view *resource, struct slot *slot) {
    static const struct exclusive bare = {0};
    struct span_key read;
    if (!span_key_read(&bare, key, &read)) return false;
    *resource = read.resource;
    *slot = (struct slot){.begin = read.begin,
                          .end = read.end,
                          .held_until = read.span.held_until,
                          .record = record,
                          .weight = read.span.weight};
    return true;
}

static stet_status load_class(struct slot_page *page, struct store_reader *reader,
                              struct arena *arena, struct store_entry_range *range, int64_t from,
                              stet_error *err) {
    enum { PAGE_ROWS = 256 };
    struct store_entry_row rows[PAGE_ROWS];
    size_t count = PAGE_ROWS;
    while (count == PAGE_ROWS) {
        stet_status status = store_entries_scan(reader, arena, range, PAGE_ROWS, rows, &count, err);
        if (status != STET_OK) return status;
        for (size_t i = 0; i < count; i++) {
            struct slot slot;
            stet_view resource;
            if (!slot_of_key(rows[i].key, rows[i].record, &resource, &slot))
                return error_set(err, STET_CORRUPT, "an entry of a booking is damaged");
            if (slot.end <= from) continue;
            if (slot_list_add(&page->list, &slot) != STET_OK) return no_memory(err);
            if (slot.end - slot.begin > page->longest) page->longest = slot.end - slot.begin;
        }
        if (count > 0) {
            range->after_key = rows[count - 1].key;
            range->after_record = rows[count - 1].record;
        }
    }
    return STET_OK;
}

stet_status slot_page_load(struct slot_page *page, struct store_reader *reader, uint32_t index,
                           stet_view resource, int64_t number, stet_error *err) {
    struct arena arena;
    int64_t from = number * SLOT_PAGE_NS;
    stet_status status = STET_OK;
    arena_init(&arena, 16384);
    for (unsigned class = 0; status == STET_OK && class < SPAN_CLASSES; class ++) {
        struct store_entry_range range = {.index = index};
        arena_reset(&arena);
        if (span_range(&arena, resource, class, from, from + SLOT_PAGE_NS, &range.from,
                       &range.to) != STET_OK)
            status = no_memory(err);
        if (status == STET_OK) status = load_class(page, reader, &arena, &range, from, err);
    }
    arena_done(&arena);
    if (page->list.count > 1)
        qsort(page->list.slots, page->list.count, sizeof *page->list.slots, compare_slots);
    return status;
}

/* ---- Gathering ------------------------------------------------------------------------------------------------------- */

static stet_status gather_page(struct slot_source *source, stet_view resource,
                               const struct slot_page *page, int64_t page_from, int64_t from,
                               int64_t to, struct slot_list *hits) {
    const struct slot_list *list = &page->list;
    const struct slot behind = {.begin = to, .end = INT64_MIN};
    for (size_t i = find_place(list, &behind); i-- > 0;) {
        const struct slot *slot = &list->slots[i];
        if (slot->begin <= from - page->longest) break;
        if (!overlaps(slot, from, to) || slot->held_until <= source->now) continue;
        /* A page before this one had it, too. */
        if (slot->begin < page_from && from < page_from) continue;
        if (source->skip != NULL && source->skip(source, resource, slot)) continue;
        if (slot_list_add(hits, slot) != STET_OK) return STET_NO_MEMORY;
    }
    return STET_OK;
}

stet_status slots_gather(struct slot_source *source, stet_view resource, int64_t from, int64_t to,
                         struct slot_list *hits, stet_error *err) {
    int64_t last = slot_page_number(to - 1);
    for (int64_t number = slot_page_number(from); number <= last; number++) {
        const struct slot_page *page;
        stet_status status = source->page(source, resource, number, &page, err);
        if (status == STET_OK &&
            gather_page(source, resource, page, number * SLOT_PAGE_NS, from, to, hits) != STET_OK)
            status = no_memory(err);
        if (status != STET_OK) return status;
    }
    if (source->more != NULL && source->more(source, resource, from, to, hits) != STET_OK)
        return no_memory(err);
    return STET_OK;
}

/* ---- Peaks ----------------------------------------------------------------------------------------------------------- */

/* A heap of slots by end, the earliest on top: those that are running while the sweep goes on. It lies in the part of the list that the sweep
   has passed. */
static void heap_push(struct slot *heap, size_t count, struct slot slot) {
    size_t at = count;
    while (at > 0 && heap[(at - 1) / 2].end > slot.end) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = slot;
}

static void heap_pop(struct slot *heap, size_t count) {
    struct slot last = heap[count - 1];
    size_t at = 0, child;
    count--;
    while ((child = 2 * at + 1) < count) {
        if (child + 1 < count && heap[child + 1].end < heap[child].end) child++;
        if (heap[child].end >= last.end) break;
        heap[at] = heap[child];
        at = child;
    }
    if (count > 0) heap[at] = last;
}

uint64_t slots_peak(struct slot_list *hits, int64_t from, int64_t to, int64_t *at) {
    struct slot *slots = hits->slots;
    uint64_t load = 0, peak = 0;
    size_t running = 0;
    *at = from;
    (void)to;
    if (hits->count > 1) qsort(slots, hits->count, sizeof *slots, compare_slots);
    for (size_t i = 0; i < hits->count; i++) {
        struct slot slot = slots[i];
        int64_t begin = slot.begin < from ? from : slot.begin;
        assert(overlaps(&slot, from, to));
        while (running > 0 && slots[0].end <= begin) {
            load -= slots[0].weight;
            heap_pop(slots, running--);
        }
        heap_push(slots, running++, slot);
        load += slot.weight;
        if (load > peak) {
            peak = load;
            *at = begin;
        }
    }
    return peak;
}

/* ---- The next place --------------------------------------------------------------------------------------------------- */

/* Whether there is room from `from` on; else *later is the first begin at which there may be. */
static stet_status has_room(struct slot_source *source, const struct slot_wish *wish,
                            stet_view resource, int64_t from, struct slot_list *hits, bool *room,
                            int64_t *later, stet_error *err) {
    int64_t to = from + wish->length, at;
    uint64_t sum = 0;
    size_t kept = 0;
    hits->count = 0;
    stet_status status = slots_gather(source, resource, from, to, hits, err);
    if (status != STET_OK) return status;
    for (size_t i = 0; i < hits->count; i++) {
        if (wish->record != 0 && hits->slots[i].record == wish->record) continue;
        sum += hits->slots[i].weight;
        hits->slots[kept++] = hits->slots[i];
    }
    hits->count = kept;
    *room = sum + wish->weight <= wish->capacity;
    if (*room) return STET_OK;
    /* The sweep leaves its list in disorder and short of what ended. */
    struct slot_list copy = {0};
    for (size_t i = 0; i < kept; i++) {
        if (slot_list_add(&copy, &hits->slots[i]) == STET_OK) continue;
        slot_list_done(&copy);
        return no_memory(err);
    }
    *room = slots_peak(&copy, from, to, &at) + wish->weight <= wish->capacity;
    slot_list_done(&copy);
    *later = INT64_MAX;
    /* As long as all that run at the peak go on, there is no room for anything that holds that instant, so one of them must end. */
    for (size_t i = 0; !*room && i < kept; i++)
        if (hits->slots[i].begin <= at && hits->slots[i].end > at && hits->slots[i].end < *later)
            *later = hits->slots[i].end;
    assert(*room || *later > from);
    return STET_OK;
}

stet_status slots_next(struct slot_source *source, const struct slot_wish *wish, int64_t from,
                       int64_t until, size_t *steps, bool *found, int64_t *begin, stet_error *err) {
    struct slot_list hits = {0};
    size_t agreed = 0;
    stet_status status = STET_OK;
    *found = false;
    while (status == STET_OK && from < until && agreed<wish->resource_count && * steps> 0) {
        bool room;
        int64_t later = from;
        status = has_room(source, wish, wish->resources[agreed], from, &hits, &room, &later, err);
        /* A long wish is held against many slots each time. */
        size_t cost = 1 + hits.count / SLOTS_PER_STEP;
        *steps -= cost < *steps ? cost : *steps;
        if (status == STET_OK && room) agreed++;
        if (status == STET_OK && !room) {
            agreed = 0;
            from = later;
        }
    }
    slot_list_done(&hits);
    *found = status == STET_OK && agreed == wish->resource_count && from < until;
    *begin = from;
    return status;
}

/* ---- From the store --------------------------------------------------------------------------------------------------- */

struct slot_reader_page {
    struct slot_reader_page *next;
    int64_t number;
    struct slot_page page;
    size_t size;
    char resource[];
};

static stet_status reader_page(struct slot_source *source, stet_view resource, int64_t number,
                               const struct slot_page **page, stet_error *err) {
    struct slot_reader *slots = (struct slot_reader *)source;
    struct slot_reader_page *one = slots->pages;
    while (one != NULL &&
           (one->number != number || !view_equal(view_make(one->resource, one->size), resource)))
        one = one->next;
    if (one == NULL) {
        one = calloc(1, sizeof *one + resource.size);
        if (one == NULL) return no_memory(err);
        one->number = number;
        one->size = resource.size;
        if (resource.size > 0) memcpy(one->resource, resource.bytes, resource.size);
        stet_status status =
            slot_page_load(&one->page, slots->reader, slots->index, resource, number, err);
        if (status != STET_OK) {
            slot_list_done(&one->page.list);
            free(one);
            return status;
        }
        one->next = slots->pages;
        slots->pages = one;
    }
    *page = &one->page;
    return STET_OK;
}

void slot_reader_init(struct slot_reader *slots, struct store_reader *reader, uint32_t index,
                      int64_t now) {
    *slots = (struct slot_reader){
        .source = {.page = reader_page, .now = now}, .reader = reader, .index = index};
}

void slot_reader_done(struct slot_reader *slots) {
    while (slots->pages != NULL) {
        struct slot_reader_page *next = slots->pages->next;
        slot_list_done(&slots->pages->page.list);
        free(slots->pages);
        slots->pages = next;
    }
}
