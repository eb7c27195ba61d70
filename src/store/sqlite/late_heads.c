/* Heads that wait for being written; late_heads.h has the idea. A chained hash table, lists of record numbers, and a ring of seqs. */
#include "store/sqlite/late_heads.h"

#include "store/spine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_FIRST = 256, PREV_FIRST = 256, LIST_FIRST = 64, DIGIT_BITS = 11 };

stet_status late_init(struct late_heads *late, size_t heads_max) {
    *late = (struct late_heads){.heads_max = heads_max, .round = 1};
    return pthread_mutex_init(&late->mutex, NULL) == 0 ? STET_OK : STET_NO_MEMORY;
}

void late_done(struct late_heads *late) {
    if (late->heads_max == 0) return;
    for (size_t i = 0; i < late->bucket_count; i++) {
        for (struct late_head *head = late->buckets[i]; head != NULL;) {
            struct late_head *next = head->next;
            free(head);
            head = next;
        }
    }
    free(late->buckets);
    free(late->prev);
    free(late->filling.records);
    free(late->writing.records);
    free(late->waiting.records);
    free(late->forgetting.records);
    free(late->staged);
    free(late->slice);
    pthread_mutex_destroy(&late->mutex);
    *late = (struct late_heads){0};
}

/* ---- The table of heads, and the ring ---------------------------------------------------------------------------- */

static struct late_head **bucket_of(const struct late_heads *late, uint64_t record) {
    uint64_t mixed = record * UINT64_C(0x9e3779b97f4a7c15);
    return &late->buckets[(size_t)(mixed >> 32) & (late->bucket_count - 1)];
}

static struct late_head **slot_of(const struct late_heads *late, uint64_t record) {
    struct late_head **slot = bucket_of(late, record);
    while (*slot != NULL && (*slot)->record != record)
        slot = &(*slot)->next;
    return slot;
}

/* Room for `more` further heads. Under the mutex. */
static stet_status buckets_reserve(struct late_heads *late, size_t more) {
    size_t bucket_count = late->bucket_count == 0 ? BUCKETS_FIRST : late->bucket_count;
    while (bucket_count < late->count + more)
        bucket_count *= 2;
    if (bucket_count == late->bucket_count) return STET_OK;
    struct late_head **old = late->buckets, **buckets = calloc(bucket_count, sizeof *buckets);
    size_t old_count = late->bucket_count;
    if (buckets == NULL) return STET_NO_MEMORY;
    late->buckets = buckets;
    late->bucket_count = bucket_count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct late_head *head = old[i]; head != NULL;) {
            struct late_head *next = head->next, **slot = bucket_of(late, head->record);
            head->next = *slot;
            *slot = head;
            head = next;
        }
    }
    free(old);
    return STET_OK;
}

/* Room for the changes up to a seq. Under the mutex. */
static stet_status prev_reserve(struct late_heads *late, uint64_t seq) {
    size_t size = late->prev_size == 0 ? PREV_FIRST : late->prev_size;
    while (seq - late->forgotten > size)
        size *= 2;
    if (size == late->prev_size) return STET_OK;
    uint64_t *prev = calloc(size, sizeof *prev);
    if (prev == NULL) return STET_NO_MEMORY;
    for (uint64_t at = late->forgotten + 1; at <= late->kept; at++)
        prev[at & (size - 1)] = late->prev[at & (late->prev_size - 1)];
    free(late->prev);
    late->prev = prev;
    late->prev_size = size;
    return STET_OK;
}

static struct late_head *pack(const struct store_head *head) {
    uint8_t spine[SPINE_BYTES_MAX];
    size_t spine_size = spine_encode(head, spine);
    struct late_head *packed = malloc(sizeof *packed + spine_size);
    if (packed == NULL) return NULL;
    *packed = (struct late_head){.record = head->first,
                                 .seq = head->seq,
                                 .version = head->version,
                                 .hash = head->hash,
                                 .ordinal = head->ordinal,
                                 .parent = head->parent,
                                 .spine_size = (uint16_t)spine_size,
                                 .deleted = head->deleted,
                                 .forked = head->forked};
    memcpy(packed->spine, spine, spine_size);
    return packed;
}

static void unpack(const struct late_head *packed, struct store_head *head) {
    *head = (struct store_head){.version = packed->version,
                                .seq = packed->seq,
                                .first = packed->record,
                                .hash = packed->hash,
                                .ordinal = packed->ordinal,
                                .parent = packed->parent,
                                .deleted = packed->deleted,
                                .forked = packed->forked};
    bool fits = spine_decode(head, packed->spine, packed->spine_size);
    assert(fits);
    (void)fits;
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

static stet_status list_reserve(struct late_list *list, size_t more) {
    size_t capacity = list->capacity == 0 ? LIST_FIRST : list->capacity;
    while (capacity < list->count + more)
        capacity *= 2;
    if (capacity == list->capacity) return STET_OK;
    uint64_t *records = realloc(list->records, capacity * sizeof *records);
    if (records == NULL) return STET_NO_MEMORY;
    list->records = records;
    list->capacity = capacity;
    return STET_OK;
}

/* By number, digit by digit: a tenth of what qsort takes, in the pause of one commit. spare: as long as records. */
static void sort(uint64_t **records, uint64_t **spare, size_t count) {
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all |= (*records)[i];
    for (unsigned shift = 0; shift < 64 && all >> shift != 0; shift += DIGIT_BITS) {
        size_t starts[1 << DIGIT_BITS] = {0}, start = 0;
        uint64_t *from = *records, *to = *spare;
        for (size_t i = 0; i < count; i++)
            starts[from[i] >> shift & ((1 << DIGIT_BITS) - 1)]++;
        for (size_t digit = 0; digit < 1 << DIGIT_BITS; digit++) {
            size_t here = starts[digit];
            starts[digit] = start;
            start += here;
        }
        for (size_t i = 0; i < count; i++)
            to[starts[from[i] >> shift & ((1 << DIGIT_BITS) - 1)]++] = from[i];
        *records = to;
        *spare = from;
    }
}

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

void late_start(struct late_heads *late, uint64_t written) {
    late->kept = late->written = late->forgotten = late->waiting.until = written;
}

stet_status late_load_change(struct late_heads *late, uint64_t seq, uint64_t prev) {
    if (prev_reserve(late, seq) != STET_OK) return STET_NO_MEMORY;
    late->prev[seq & (late->prev_size - 1)] = prev;
    late->kept = seq;
    return STET_OK;
}

stet_status late_load_head(struct late_heads *late, const struct store_head *head) {
    if (buckets_reserve(late, 1) != STET_OK || list_reserve(&late->filling, 1) != STET_OK)
        return STET_NO_MEMORY;
    struct late_head *packed = pack(head);
    if (packed == NULL) return STET_NO_MEMORY;
    struct late_head **slot = bucket_of(late, packed->record);
    packed->list = late->round;
    packed->next = *slot;
    *slot = packed;
    late->count++;
    late->filling.records[late->filling.count++] = packed->record;
    return STET_OK;
}

bool late_is_empty(const struct late_heads *late) { return late->written == late->kept; }

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* The list that was filled is sorted, and to be written. */
static stet_status round_begin(struct late_heads *late) {
    struct late_list *list = &late->filling;
    uint64_t *spare = malloc((list->capacity + 1) * sizeof *spare);
    if (spare == NULL) return STET_NO_MEMORY;
    sort(&list->records, &spare, list->count);
    /* Of the two, the one that holds the result may have been allocated one longer; nobody minds. */
    free(spare);
    late->writing = *list;
    late->writing.done = 0;
    late->writing.until = late->kept;
    late->is_writing = true;
    *list = (struct late_list){0};
    late->round++;
    return STET_OK;
}

static bool is_round_due(const struct late_heads *late) {
    return late->filling.count >= late->heads_max ||
           (late->filling.count > 0 && late->kept - late->written >= 2 * late->heads_max);
}

/* Puts the next `count` of the list that is written into the slice. */
static stet_status slice_fill(struct late_heads *late, size_t count) {
    const struct late_list *list = &late->writing;
    if (count > list->count - list->done) count = list->count - list->done;
    if (count > late->slice_capacity) {
        struct late_head **slice = realloc(late->slice, count * sizeof(struct late_head *));
        if (slice == NULL) return STET_NO_MEMORY;
        late->slice = slice;
        late->slice_capacity = count;
    }
    for (size_t i = 0; i < count; i++) {
        late->slice[i] = *slot_of(late, list->records[list->done + i]);
        assert(late->slice[i] != NULL);
    }
    late->slice_count = count;
    return STET_OK;
}

stet_status late_take(struct late_heads *late, size_t change_count, enum late_amount amount,
                      uint64_t *until) {
    late->slice_count = 0;
    *until = 0;
    bool all = amount == LATE_ALL;
    if (!late->is_writing && (all || is_round_due(late)) && round_begin(late) != STET_OK)
        return STET_NO_MEMORY;
    if (!late->is_writing) return STET_OK;
    /* A little faster than new ones come, so that a round is over before the next is due. */
    size_t count = all ? late->writing.count : change_count + change_count / 4 + 1;
    if (slice_fill(late, count) != STET_OK) return STET_NO_MEMORY;
    if (late->writing.done + late->slice_count == late->writing.count) *until = late->writing.until;
    return STET_OK;
}

static stet_status staged_reserve(struct late_heads *late, size_t count) {
    if (count <= late->staged_capacity) return STET_OK;
    struct late_staged *staged = realloc(late->staged, count * sizeof *staged);
    if (staged == NULL) return STET_NO_MEMORY;
    late->staged = staged;
    late->staged_capacity = count;
    return STET_OK;
}

/* Packs the last head of each record of the batch. */
static stet_status staged_pack(struct late_heads *late, const struct store_plan *plan,
                               size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!plan->final[i]) continue;
        struct late_head *packed = pack(&plan->heads[i]);
        if (packed == NULL) return STET_NO_MEMORY;
        late->staged[late->staged_count++] = (struct late_staged){.after = packed};
    }
    return STET_OK;
}

stet_status late_stage(struct late_heads *late, const struct store_batch *batch,
                       const struct store_plan *plan) {
    size_t count = batch->change_count;
    assert(late->staged_count == 0);
    late->filled_before = late->filling.count;
    if (count == 0) return STET_OK;
    stet_status status = staged_reserve(late, count);
    if (status == STET_OK) status = list_reserve(&late->filling, count);
    if (status == STET_OK) status = staged_pack(late, plan, count);
    if (status != STET_OK) goto fail;

    pthread_mutex_lock(&late->mutex);
    status = buckets_reserve(late, late->staged_count);
    if (status == STET_OK) status = prev_reserve(late, batch->changes[count - 1].seq);
    if (status != STET_OK) {
        pthread_mutex_unlock(&late->mutex);
        goto fail;
    }
    for (size_t i = 0; i < count; i++)
        late->prev[batch->changes[i].seq & (late->prev_size - 1)] = batch->changes[i].prev;
    for (size_t i = 0; i < late->staged_count; i++) {
        struct late_staged *staged = &late->staged[i];
        struct late_head **slot = slot_of(late, staged->after->record);
        staged->before = *slot;
        staged->after->next = *slot == NULL ? NULL : (*slot)->next;
        staged->after->list = late->round;
        if (*slot == NULL) late->count++;
        if (*slot == NULL || (*slot)->list != late->round)
            late->filling.records[late->filling.count++] = staged->after->record;
        *slot = staged->after;
    }
    pthread_mutex_unlock(&late->mutex);
    return STET_OK;
fail:
    for (size_t i = 0; i < late->staged_count; i++)
        free(late->staged[i].after);
    late->staged_count = 0;
    return status;
}

void late_withdraw(struct late_heads *late) {
    pthread_mutex_lock(&late->mutex);
    for (size_t i = late->staged_count; i-- > 0;) {
        struct late_staged *staged = &late->staged[i];
        struct late_head **slot = slot_of(late, staged->after->record);
        assert(*slot == staged->after);
        if (staged->before == NULL) {
            *slot = staged->after->next;
            late->count--;
        } else {
            staged->before->next = staged->after->next;
            *slot = staged->before;
        }
    }
    pthread_mutex_unlock(&late->mutex);
    for (size_t i = 0; i < late->staged_count; i++)
        free(late->staged[i].after);
    if (late->staged_count > 0) late->filling.count = late->filled_before;
    late->staged_count = 0;
    late->slice_count = 0;
}

/* Takes away the next `count` of the records that the round before last wrote, unless they have changed since. Under the mutex. */
static void forget(struct late_heads *late, size_t count) {
    struct late_list *list = &late->forgetting;
    for (; count > 0 && list->done < list->count; count--, list->done++) {
        struct late_head **slot = slot_of(late, list->records[list->done]), *head = *slot;
        if (head == NULL || head->seq > list->until) continue;
        *slot = head->next;
        late->count--;
        free(head);
    }
    if (list->done < list->count) return;
    free(list->records);
    *list = (struct late_list){0};
}

void late_keep(struct late_heads *late, uint64_t kept, uint64_t until) {
    size_t change_count = (size_t)(kept - late->kept);
    pthread_mutex_lock(&late->mutex);
    late->kept = kept;
    late->writing.done += late->slice_count;
    late->slice_count = 0;
    if (late->bucket_count > 0) forget(late, change_count + change_count / 4 + 1);
    if (until != 0) {
        if (late->bucket_count > 0) forget(late, SIZE_MAX);
        late->written = until;
        late->forgotten = late->waiting.until;
        late->forgetting = late->waiting;
        late->forgetting.done = 0;
        late->waiting = late->writing;
        late->writing = (struct late_list){0};
        late->is_writing = false;
    }
    pthread_mutex_unlock(&late->mutex);
    for (size_t i = 0; i < late->staged_count; i++)
        free(late->staged[i].before);
    late->staged_count = 0;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

void late_view_begin(struct late_heads *late, struct late_view *view) {
    pthread_mutex_lock(&late->mutex);
    *view = (struct late_view){.open = true, .kept = late->kept, .written = late->written};
    pthread_mutex_unlock(&late->mutex);
}

/* Under the mutex. */
static enum late_found find(const struct late_heads *late, const struct late_view *view,
                            uint64_t record, struct store_head *head, uint64_t *seq) {
    if (!view->newest && view->written < late->forgotten) return LATE_BEHIND;
    if (late->bucket_count == 0) return LATE_TABLE;
    const struct late_head *found = *slot_of(late, record);
    if (found == NULL) return LATE_TABLE;
    if (view->newest || found->seq <= view->kept || (view->exact && found->seq <= view->seq)) {
        unpack(found, head);
        return LATE_HEAD;
    }
    if (!view->exact) return LATE_ASK;
    uint64_t at = found->seq;
    while (at > view->seq && at > late->forgotten)
        at = late->prev[at & (late->prev_size - 1)];
    if (at == 0) return LATE_ABSENT;
    *seq = at;
    return at > late->forgotten ? LATE_CHANGE : LATE_TABLE;
}

enum late_found late_find(struct late_heads *late, const struct late_view *view, uint64_t record,
                          struct store_head *head, uint64_t *seq) {
    pthread_mutex_lock(&late->mutex);
    enum late_found found = find(late, view, record, head, seq);
    pthread_mutex_unlock(&late->mutex);
    return found;
}
