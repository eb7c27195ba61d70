#include "modules/feed/page.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/engine.h"
#include "core/read.h"
#include "core/render.h"

#include <assert.h>
#include <stdlib.h>

/* A page that finds nothing goes on for so many changes before it lets others have their turn. */
enum { ROWS_CHUNK = 128, ROWS_BYTES = 1024 * 1024, ROWS_SCANNED_MAX = 20000, CREATED_MEMO = 64 };
/* Begun anew where versions are let go while a page is read; each try begins above them. */
enum { TRIES_MAX = 16 };

/* ---- Inbox ------------------------------------------------------------------------------- */

struct inbox *inbox_create(struct stet_client *client) {
    struct inbox *inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL) return NULL;
    atomic_init(&inbox->refs, 1);
    atomic_init(&inbox->poked, false);
    pthread_mutex_init(&inbox->lock, NULL);
    inbox->client = client;
    return inbox;
}

static void inbox_unref(struct inbox *inbox) {
    if (atomic_fetch_sub_explicit(&inbox->refs, 1, memory_order_acq_rel) != 1) return;
    pthread_mutex_destroy(&inbox->lock);
    free(inbox);
}

struct page *inbox_take(struct inbox *inbox) {
    struct page *first;
    pthread_mutex_lock(&inbox->lock);
    first = inbox->first;
    inbox->first = NULL;
    inbox->last = NULL;
    pthread_mutex_unlock(&inbox->lock);
    return first;
}

void inbox_poke(struct inbox *inbox) {
    atomic_store_explicit(&inbox->poked, true, memory_order_release);
    pthread_mutex_lock(&inbox->lock);
    if (inbox->client != NULL) client_wake(inbox->client);
    pthread_mutex_unlock(&inbox->lock);
}

void inbox_close(struct inbox *inbox) {
    struct page *page;
    pthread_mutex_lock(&inbox->lock);
    inbox->client = NULL;
    pthread_mutex_unlock(&inbox->lock);
    page = inbox_take(inbox);
    while (page != NULL) {
        struct page *next = page->next;
        page_destroy(page);
        page = next;
    }
    inbox_unref(inbox);
}

/* Hands a page in; false when nobody is there to take it. */
static bool inbox_put(struct inbox *inbox, struct page *page) {
    bool taken;
    pthread_mutex_lock(&inbox->lock);
    taken = inbox->client != NULL;
    if (taken) {
        if (inbox->last == NULL)
            inbox->first = page;
        else
            inbox->last->next = page;
        inbox->last = page;
        atomic_store_explicit(&inbox->poked, true, memory_order_release);
        client_wake(inbox->client);
    }
    pthread_mutex_unlock(&inbox->lock);
    return taken;
}

/* ---- Reading, on a worker ---------------------------------------------------------------- */

struct reading {
    struct page *page;
    struct store_reader *reader;
    struct arena rows_arena;
    struct arena ahead_arena; /* For looking ahead in a transaction that the rows at hand cut. */
    struct arena record_arena;
    struct arena memo_arena;
    struct store_change rows[ROWS_CHUNK];
    size_t count;
    uint64_t published; /* Nothing beyond it is shown. */
    uint64_t transaction;
    uint64_t transaction_match; /* The last change of `transaction` that matches. */
    size_t scanned;
    bool overtaken; /* What was to be shown was let go meanwhile. */
    struct filter_look look;
    struct {
        uint64_t first;
        struct created created;
    } memo[CREATED_MEMO];
};

static enum filter_verdict judge(struct reading *reading, const struct store_change *change) {
    return filter_judge(reading->page->filter, &reading->look, change, NULL);
}

static bool matches(struct reading *reading, const struct store_change *change) {
    return judge(reading, change) != FILTER_NO;
}

static stet_status created_of(struct reading *reading, const struct store_change *change,
                              struct created *created, stet_error *err) {
    size_t place = change->first % CREATED_MEMO;
    stet_status status;
    if (change->first != 0 && reading->memo[place].first == change->first) {
        *created = reading->memo[place].created;
        return STET_OK;
    }
    arena_reset(&reading->record_arena);
    status = read_created(reading->reader, &reading->record_arena, change, created, err);
    if (status != STET_OK) return status;
    created->by = arena_copy(&reading->memo_arena, created->by);
    if (created->by.bytes == NULL) return error_set(err, STET_NO_MEMORY, "could not read a page");
    reading->memo[place].first = change->first;
    reading->memo[place].created = *created;
    return STET_OK;
}

/* Finds the last matching change of the transaction that rows[index] belongs to, which matches. */
static stet_status look_ahead(struct reading *reading, size_t index, stet_error *err) {
    const struct store_change *change = &reading->rows[index];
    uint64_t transaction = change->transaction;
    uint64_t position = change->seq;
    uint64_t match = change->seq;
    size_t next = index + 1;
    while (next < reading->count && reading->rows[next].transaction == transaction) {
        position = reading->rows[next].seq;
        if (matches(reading, &reading->rows[next])) match = position;
        next++;
    }
    while (next == reading->count && position < transaction) {
        struct store_change ahead[ROWS_CHUNK];
        size_t count = 0;
        arena_reset(&reading->ahead_arena);
        stet_status status = store_since(reading->reader, &reading->ahead_arena, position,
                                         ROWS_CHUNK, ROWS_BYTES, ahead, &count, err);
        if (status != STET_OK) return status;
        if (count == 0) break;
        for (size_t row = 0; row < count && position < transaction; row++) {
            position = ahead[row].seq;
            if (position <= transaction && matches(reading, &ahead[row])) match = position;
        }
    }
    reading->transaction = transaction;
    reading->transaction_match = match;
    return STET_OK;
}

/* What is told of one change, behind what is in the page already. */
static stet_status write_event(struct reading *reading, const struct store_change *change,
                               enum filter_verdict verdict, stet_error *err) {
    struct page *page = reading->page;
    const struct viewer viewer = {.space = page->space, .actor = &page->filter->actor};
    struct json_writer writer;
    struct created created;
    json_begin(&writer, &page->text);
    if (verdict == FILTER_REVOKED || verdict == FILTER_TYPE_REVOKED) {
        filter_write_revoked(&writer, change, verdict);
    } else {
        stet_status status = created_of(reading, change, &created, err);
        if (status != STET_OK) return status;
        bool partial = filter_is_partial(page->filter, &reading->look, change);
        render_event(&writer, partial ? &viewer : NULL, change, &created);
    }
    if (json_end(&writer) == STET_OK && verdict == FILTER_LEFT) filter_mark_left(&page->text);
    if (buffer_status(&page->text) != STET_OK)
        return error_set(err, buffer_status(&page->text), "could not render a page");
    return STET_OK;
}

static stet_status add_event(struct reading *reading, size_t index, enum filter_verdict verdict,
                             stet_error *err) {
    struct page *page = reading->page;
    const struct store_change *change = &reading->rows[index];
    size_t offset = page->text.size;
    bool last = change->transaction == change->seq;
    stet_status status = STET_OK;
    if (!last) {
        if (reading->transaction != change->transaction) status = look_ahead(reading, index, err);
        if (status != STET_OK) return status;
        last = reading->transaction_match == change->seq;
    }
    status = write_event(reading, change, verdict, err);
    if (status != STET_OK) return status;
    bool revoked = verdict == FILTER_REVOKED || verdict == FILTER_TYPE_REVOKED;
    page->events[page->event_count++] =
        (struct page_event){.seq = change->seq,
                            .resume = last ? change->transaction : 0,
                            .offset = offset,
                            .size = page->text.size - offset,
                            .kind = revoked ? STET_EVENT_REVOKED : change_event_kind(change)};
    return STET_OK;
}

static bool page_is_full(const struct page *page) {
    return page->event_count >= CHANGES_LIMIT_MAX || page->text.size >= FEED_PAGE_BYTES_MAX;
}

/* Puts the rows at hand into the page. *more: go on with the next ones. */
static stet_status add_rows(struct reading *reading, bool *more, stet_error *err) {
    struct page *page = reading->page;
    for (size_t index = 0; index < reading->count; index++) {
        const struct store_change *change = &reading->rows[index];
        if (change->seq > reading->published || page_is_full(page)) {
            *more = false;
            return STET_OK;
        }
        if (change->pruned && filter_follows(page->filter, change->type)) {
            reading->overtaken = true;
            *more = false;
            return STET_OK;
        }
        enum filter_verdict verdict = judge(reading, change);
        if (verdict != FILTER_NO) {
            stet_status status = add_event(reading, index, verdict, err);
            if (status != STET_OK) return status;
        }
        page->end = change->seq;
        if (change->seq == change->transaction) page->resume = change->seq;
    }
    reading->scanned += reading->count;
    if (reading->count == 0) {
        /* What is missing up to `published` was pruned, and of no concern: else it had been a reset. */
        page->end = reading->published;
        page->resume = reading->published;
        *more = false;
    }
    /* A page without events may end inside a transaction: the next one goes on there all the same. */
    if (page->end >= reading->published || reading->scanned >= ROWS_SCANNED_MAX) *more = false;
    return STET_OK;
}

/* Moves a position inside a transaction back to before it. What is not kept cannot be looked at: then it stays. */
static stet_status round_back(struct reading *reading, uint64_t *position, stet_error *err) {
    struct store_change change;
    uint64_t at = *position;
    uint64_t transaction;
    stet_status status;
    if (at == 0 || at >= reading->published) return STET_OK;
    arena_reset(&reading->record_arena);
    status = store_change_at(reading->reader, &reading->record_arena, at, &change, err);
    if (status == STET_PRUNED || status == STET_NOT_FOUND) return STET_OK;
    if (status != STET_OK) return status;
    transaction = change.transaction;
    if (transaction == at) return STET_OK;
    while (--at > 0) {
        arena_reset(&reading->record_arena);
        status = store_change_at(reading->reader, &reading->record_arena, at, &change, err);
        if (status == STET_PRUNED || status == STET_NOT_FOUND) break;
        if (status != STET_OK) return status;
        if (change.transaction != transaction) break;
    }
    *position = at;
    return STET_OK;
}

/* A position that this space never had: of a time that a restore from a backup did away with. Every change keeps its row. */
static stet_status find_lost(struct reading *reading, bool *lost, stet_error *err) {
    const struct page *page = reading->page;
    struct store_change change;
    *lost = false;
    if (page->space->life == 0 || page->after == 0 || page->after == page->space->life)
        return STET_OK;
    arena_reset(&reading->record_arena);
    stet_status status =
        store_change_at(reading->reader, &reading->record_arena, page->after, &change, err);
    *lost = status == STET_PRUNED;
    return *lost ? STET_OK : status;
}

/* What the followed types no longer keep. */
static stet_status find_floor(struct reading *reading, uint64_t *floor, stet_error *err) {
    struct store_type *types;
    size_t count;
    stet_status status;
    *floor = 0;
    arena_reset(&reading->record_arena);
    status = store_types(reading->reader, &reading->record_arena, &types, &count, err);
    for (size_t index = 0; status == STET_OK && index < count; index++) {
        if (types[index].floor_seq > *floor &&
            filter_follows(reading->page->filter, types[index].name))
            *floor = types[index].floor_seq;
    }
    return status;
}

/* Reads once. *again: versions were let go while it did, and the floor rose above where it began. */
static stet_status try_page(struct reading *reading, bool *again, stet_error *err) {
    struct page *page = reading->page;
    uint64_t floor = 0;
    bool more = true, lost = false;
    stet_status status = find_floor(reading, &floor, err);
    if (status == STET_OK && page->round) status = find_lost(reading, &lost, err);
    if (status != STET_OK) return status;
    page->event_count = 0;
    page->resume = 0;
    buffer_reset(&page->text);
    reading->scanned = 0;
    reading->transaction = 0;
    reading->overtaken = false;
    page->start = page->after;
    page->reset = floor > page->after || lost;
    if (lost) {
        page->start = reading->published;
    } else if (page->reset) {
        page->start = floor < reading->published ? floor : reading->published;
    } else if (page->round) {
        status = round_back(reading, &page->start, err);
        if (status != STET_OK) return status;
    }
    page->end = page->start;
    while (more) {
        arena_reset(&reading->rows_arena);
        status = store_since(reading->reader, &reading->rows_arena, page->end, ROWS_CHUNK,
                             ROWS_BYTES, reading->rows, &reading->count, err);
        if (status == STET_OK) status = add_rows(reading, &more, err);
        if (status != STET_OK) return status;
    }
    *again = reading->overtaken;
    return STET_OK;
}

static stet_status read_page(struct reading *reading, stet_error *err) {
    bool again = true;
    for (int tries = 0; again && tries < TRIES_MAX; tries++) {
        stet_status status = try_page(reading, &again, err);
        if (status != STET_OK) return status;
    }
    if (again) return error_set(err, STET_BUSY, "history is let go faster than it can be read");
    return STET_OK;
}

/* A page may have to be held until its reader's socket drains: it keeps no more than it needs. */
static void page_trim(struct page *page) {
    size_t count = page->event_count;
    struct page_event *events = realloc(page->events, (count == 0 ? 1 : count) * sizeof *events);
    if (events != NULL) page->events = events;
}

static stet_status page_read(struct page *page) {
    struct reading *reading = calloc(1, sizeof *reading);
    stet_status status = STET_NO_MEMORY;
    page->events = calloc(CHANGES_LIMIT_MAX, sizeof *page->events);
    if (reading == NULL || page->events == NULL) goto done;
    reading->page = page;
    arena_init(&reading->rows_arena, 65536);
    arena_init(&reading->ahead_arena, 4096);
    arena_init(&reading->record_arena, 4096);
    arena_init(&reading->memo_arena, 4096);
    /* Before the store is read: what it shows beyond is not published yet. */
    reading->published = ring_published(&page->space->ring);
    status = space_reader_take(page->space, &reading->reader, NULL);
    if (status != STET_OK) goto done;
    filter_look_init(&reading->look, page->space, NULL, reading->reader);
    status = read_page(reading, NULL);
    filter_look_done(&reading->look);
    space_reader_give(page->space, reading->reader);
    page_trim(page);
done:
    if (reading != NULL) {
        arena_done(&reading->rows_arena);
        arena_done(&reading->ahead_arena);
        arena_done(&reading->record_arena);
        arena_done(&reading->memo_arena);
    }
    free(reading);
    return status;
}

static void page_run(struct job *job) {
    struct page *page = (struct page *)job;
    struct inbox *inbox = page->inbox;
    page->status = page_read(page);
    if (!inbox_put(inbox, page)) page_destroy(page);
    inbox_unref(inbox);
}

stet_status page_submit(struct inbox *inbox, struct stet_subscription *subscription,
                        struct space *space, struct filter *filter, uint64_t after, bool round,
                        struct page **out, stet_error *err) {
    struct page *page = calloc(1, sizeof *page);
    stet_status status;
    static_assert(offsetof(struct page, job) == 0, "page_run casts");
    if (page == NULL) return error_set(err, STET_NO_MEMORY, "could not read a page");
    page->job.run = page_run;
    page->inbox = inbox;
    page->subscription = subscription;
    page->space = space_ref(space);
    page->filter = filter_ref(filter);
    page->after = after;
    page->round = round;
    buffer_init(&page->text, NULL, 0);
    atomic_fetch_add_explicit(&inbox->refs, 1, memory_order_relaxed);
    status = workers_submit(&space->engine->workers, &page->job, err);
    if (status != STET_OK) {
        page_destroy(page);
        inbox_unref(inbox);
        return status;
    }
    *out = page;
    return STET_OK;
}

void page_destroy(struct page *page) {
    if (page == NULL) return;
    space_unref(page->space);
    filter_unref(page->filter);
    buffer_done(&page->text);
    free(page->events);
    free(page);
}
