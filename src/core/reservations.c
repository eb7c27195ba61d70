/*
 * Two hash tables over the same entries, by record and by operation, and the operations in a list by the time at which they end.
 */
#include "core/reservations.h"

#include "base/error.h"
#include "base/view.h"
#include "core/command.h"
#include "core/retry.h"
#include "core/space.h"

#include <assert.h>
#include <stdlib.h>

enum { RECORD_BUCKETS = 1024, HOLDER_BUCKETS = 256 };

struct holder;

struct reserved {
    struct reserved *chain;   /* In its bucket. */
    struct reserved *sibling; /* Of the same holder. */
    struct holder *holder;
    uint64_t hash;
    uint32_t type_bytes, id_bytes;
    char key[]; /* type, then id. */
};

struct holder {
    struct holder *chain;
    struct holder *sooner, *later; /* By until. */
    struct rank rank;
    uint64_t hash;
    int64_t until;
    struct reserved *first;
    bool released; /* In the batch at hand. */
    char operation[];
};

struct reservations {
    struct reserved *records[RECORD_BUCKETS];
    struct holder *holders[HOLDER_BUCKETS];
    struct holder *soonest, *latest;
    size_t holder_count;
    size_t released_count;
};

bool rank_is_higher(const struct rank *one, const struct rank *other) {
    unsigned mine = class_priority(one->class_), theirs = class_priority(other->class_);
    if (one->level != other->level) return one->level > other->level;
    if (mine != theirs) return mine > theirs;
    if (one->stamp != other->stamp) return one->stamp < other->stamp;
    return view_compare(one->operation, other->operation) < 0;
}

/* ---- Tables ------------------------------------------------------------------------------ */

static uint64_t record_hash(const struct space *space, stet_view type, stet_view id) {
    return view_hash(id, view_hash(type, space->hash_seed));
}

static struct reserved *find_record(const struct space *space, stet_view type, stet_view id) {
    uint64_t hash = record_hash(space, type, id);
    struct reserved *entry = space->reservations->records[hash % RECORD_BUCKETS];
    for (; entry != NULL; entry = entry->chain)
        if (entry->hash == hash && view_equal(view_make(entry->key, entry->type_bytes), type) &&
            view_equal(view_make(entry->key + entry->type_bytes, entry->id_bytes), id))
            return entry;
    return NULL;
}

static struct holder *find_holder(const struct space *space, stet_view operation) {
    uint64_t hash = view_hash(operation, space->hash_seed);
    struct holder *holder = space->reservations->holders[hash % HOLDER_BUCKETS];
    while (holder != NULL &&
           (holder->hash != hash || !view_equal(holder->rank.operation, operation)))
        holder = holder->chain;
    return holder;
}

static void unlink_record(struct reservations *reservations, struct reserved *entry) {
    struct reserved **slot = &reservations->records[entry->hash % RECORD_BUCKETS];
    while (*slot != entry)
        slot = &(*slot)->chain;
    *slot = entry->chain;
}

static void unlink_sibling(struct reserved *entry) {
    struct reserved **slot = &entry->holder->first;
    while (*slot != entry)
        slot = &(*slot)->sibling;
    *slot = entry->sibling;
}

static void link_sibling(struct holder *holder, struct reserved *entry) {
    entry->holder = holder;
    entry->sibling = holder->first;
    holder->first = entry;
}

static void link_by_time(struct reservations *reservations, struct holder *holder) {
    struct holder *sooner = reservations->latest;
    while (sooner != NULL && sooner->until > holder->until)
        sooner = sooner->sooner;
    holder->sooner = sooner;
    holder->later = sooner != NULL ? sooner->later : reservations->soonest;
    *(sooner != NULL ? &sooner->later : &reservations->soonest) = holder;
    *(holder->later != NULL ? &holder->later->sooner : &reservations->latest) = holder;
}

static void unlink_by_time(struct reservations *reservations, struct holder *holder) {
    *(holder->sooner != NULL ? &holder->sooner->later : &reservations->soonest) = holder->later;
    *(holder->later != NULL ? &holder->later->sooner : &reservations->latest) = holder->sooner;
}

static void drop_records(struct reservations *reservations, struct holder *holder) {
    while (holder->first != NULL) {
        struct reserved *entry = holder->first;
        holder->first = entry->sibling;
        unlink_record(reservations, entry);
        free(entry);
    }
}

static void drop_holder(struct reservations *reservations, struct holder *holder) {
    struct holder **slot = &reservations->holders[holder->hash % HOLDER_BUCKETS];
    while (*slot != holder)
        slot = &(*slot)->chain;
    *slot = holder->chain;
    drop_records(reservations, holder);
    unlink_by_time(reservations, holder);
    reservations->holder_count--;
    if (holder->released) reservations->released_count--;
    free(holder);
}

static void end(struct space *space, struct holder *holder) {
    uint64_t tag = holder->hash;
    drop_holder(space->reservations, holder);
    space_wake_held(space, tag);
}

void reservations_destroy(struct reservations *reservations) {
    if (reservations == NULL) return;
    while (reservations->soonest != NULL)
        drop_holder(reservations, reservations->soonest);
    free(reservations);
}

/* ---- Taking ------------------------------------------------------------------------------ */

static struct holder *add_holder(struct space *space, const struct rank *rank, int64_t until) {
    struct reservations *reservations = space->reservations;
    if (reservations->holder_count >= RESERVATIONS_MAX) return NULL;
    struct holder *holder = malloc(sizeof *holder + rank->operation.size);
    if (holder == NULL) return NULL;
    *holder = (struct holder){.rank = *rank, .until = until};
    memcpy(holder->operation, rank->operation.bytes, rank->operation.size);
    holder->rank.operation = view_make(holder->operation, rank->operation.size);
    holder->hash = view_hash(rank->operation, space->hash_seed);
    struct holder **slot = &reservations->holders[holder->hash % HOLDER_BUCKETS];
    holder->chain = *slot;
    *slot = holder;
    link_by_time(reservations, holder);
    reservations->holder_count++;
    return holder;
}

static bool take_record(struct space *space, struct holder *holder,
                        const struct reserved_record *record) {
    struct reserved *entry = find_record(space, record->type, record->id);
    if (entry != NULL && entry->holder == holder) return true;
    if (entry != NULL) {
        struct holder *other = entry->holder;
        if (!other->released && rank_is_higher(&other->rank, &holder->rank)) return true;
        unlink_sibling(entry);
        link_sibling(holder, entry);
        /* Who waits for the other one waits for this one now. */
        space_wake_held(space, other->hash);
        return true;
    }
    entry = malloc(sizeof *entry + record->type.size + record->id.size);
    if (entry == NULL) return false;
    *entry = (struct reserved){.hash = record_hash(space, record->type, record->id),
                               .type_bytes = (uint32_t)record->type.size,
                               .id_bytes = (uint32_t)record->id.size};
    memcpy(entry->key, record->type.bytes, record->type.size);
    memcpy(entry->key + record->type.size, record->id.bytes, record->id.size);
    struct reserved **slot = &space->reservations->records[entry->hash % RECORD_BUCKETS];
    entry->chain = *slot;
    *slot = entry;
    link_sibling(holder, entry);
    return true;
}

void reservations_take(struct space *space, const struct rank *rank,
                       const struct reserved_record *records, size_t count,
                       int64_t until_monotonic) {
    assert(!view_is_empty(rank->operation));
    if (space->reservations == NULL) space->reservations = calloc(1, sizeof *space->reservations);
    if (space->reservations == NULL) return;
    struct holder *before = find_holder(space, rank->operation);
    if (before != NULL) drop_holder(space->reservations, before);
    if (count > RESERVATION_RECORDS_MAX) count = RESERVATION_RECORDS_MAX;
    struct holder *holder = count == 0 ? NULL : add_holder(space, rank, until_monotonic);
    bool complete = holder != NULL;
    for (size_t i = 0; i < count && complete; i++)
        complete = take_record(space, holder, &records[i]);
    if (holder != NULL && (!complete || holder->first == NULL)) {
        drop_holder(space->reservations, holder);
        holder = NULL;
    }
    if (holder != NULL)
        atomic_fetch_add_explicit(&space->counters.reservations, 1, memory_order_relaxed);
    /* They look again who is in their way: it may have other records now. */
    if (before != NULL) space_wake_held(space, view_hash(rank->operation, space->hash_seed));
}

/* ---- Giving back ------------------------------------------------------------------------- */

void reservations_release(struct space *space, stet_view operation) {
    if (space->reservations == NULL || space->reservations->holder_count == 0) return;
    struct holder *holder = find_holder(space, operation);
    if (holder == NULL || holder->released) return;
    holder->released = true;
    space->reservations->released_count++;
}

void reservations_commit(struct space *space) {
    if (space->reservations == NULL) return;
    struct holder *next;
    for (struct holder *holder = space->reservations->soonest;
         holder != NULL && space->reservations->released_count > 0; holder = next) {
        next = holder->later;
        if (holder->released) end(space, holder);
    }
}

void reservations_undo(struct space *space) {
    if (space->reservations == NULL) return;
    for (struct holder *holder = space->reservations->soonest; holder != NULL;
         holder = holder->later)
        holder->released = false;
    space->reservations->released_count = 0;
}

int64_t reservations_next(const struct space *space) {
    if (space->reservations == NULL || space->reservations->soonest == NULL) return MODULE_NEVER;
    return space->reservations->soonest->until;
}

void reservations_expire(struct space *space, int64_t monotonic) {
    while (reservations_next(space) <= monotonic)
        end(space, space->reservations->soonest);
}

/* ---- Meeting one ------------------------------------------------------------------------- */

/* Whose reservation keeps the command from one of its records; NULL: nobody's. */
static const struct holder *in_the_way(const struct staging *staging, const struct rank *rank,
                                       const struct mutation **met) {
    const struct stet_command *command = staging->command;
    for (size_t i = 0; i < command->mutation_count; i++) {
        const struct mutation *mutation = &command->mutations[i];
        /* A check changes nothing, unless it is yet to become something else. */
        if (mutation->op == STET_OP_CHECK && command->bind == NULL) continue;
        const struct reserved *entry = find_record(staging->space, mutation->type, mutation->id);
        if (entry == NULL || entry->holder->released) continue;
        const struct holder *holder = entry->holder;
        if (holder->until <= staging->time.monotonic) continue;
        if (view_equal(holder->rank.operation, rank->operation)) continue;
        if (rank_is_higher(rank, &holder->rank)) continue;
        *met = mutation;
        return holder;
    }
    return NULL;
}

stet_status reservations_admit(struct staging *staging, stet_error *err) {
    struct stet_command *command = staging->command;
    struct space_counters *counters = &staging->space->counters;
    const struct mutation *met = NULL;
    if (staging->space->reservations->holder_count == 0) return STET_OK;
    if (command->internal && command->rank == NULL) return STET_OK;
    struct rank rank = {.class_ = STET_CLASS_NORMAL, .stamp = staging->now};
    if (command->rank != NULL) rank = *command->rank;
    const struct holder *holder = in_the_way(staging, &rank, &met);
    if (holder == NULL) return STET_OK;
    if (rank.class_ == STET_CLASS_LOW) {
        atomic_fetch_add_explicit(&counters->reservation_rejections, 1, memory_order_relaxed);
        return error_set(err, STET_OPERATION_REJECTED,
                         "record \"%.*s/%.*s\" is reserved for an operation that comes first",
                         VIEW_ARG(met->type), VIEW_ARG(met->id));
    }
    if (command->reserved_until == 0) {
        command->reserved_until =
            staging->time.monotonic + RESERVATION_WAIT_MS_MAX * INT64_C(1000000);
        atomic_fetch_add_explicit(&counters->reservation_waits, 1, memory_order_relaxed);
    }
    if (command->reserved_until <= staging->time.monotonic) {
        atomic_fetch_add_explicit(&counters->reservation_timeouts, 1, memory_order_relaxed);
        error_set(err, STET_BUSY,
                  "record \"%.*s/%.*s\" is reserved for an operation that comes first; it will be "
                  "free in a moment",
                  VIEW_ARG(met->type), VIEW_ARG(met->id));
        error_field(err, "reservation_wait_ms", RESERVATION_WAIT_MS_MAX);
        return STET_BUSY;
    }
    return staging_hold(staging, holder->hash, command->reserved_until, err);
}
