#include "core/quota.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"
#include "core/space.h"
#include "core/staging.h"
#include "core/threshold.h"

#include <assert.h>
#include <stdlib.h>

/* ---- Words ------------------------------------------------------------------------------- */

const char *quota_name(enum quota_kind kind) {
    static const char *const names[QUOTA_KINDS] = {"writes_per_actor", "records", "bytes"};
    return names[kind];
}

static stet_status refuse(stet_error *err, const char *field, uint64_t limit, const char *words) {
    error_set(err, STET_INVALID_SETTINGS, "%s", words);
    error_field(err, field, limit);
    error_subject(err, "the settings");
    return STET_INVALID_SETTINGS;
}

/* Nothing else stands in an object. */
static bool only(const struct doc *doc, doc_node object, const char *const *names, size_t count) {
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        known += doc_member(doc, object, view_of(names[i])) != DOC_NONE;
    return known == doc_count(doc, object);
}

/* Lower than that settings could not be changed back in reasonable time, and times would not fit. */
#define RATE_MIN 0.01

static stet_status read_rate(const struct doc *doc, doc_node node, struct quota_limits *limits,
                             stet_error *err) {
    static const char *const names[] = {"rate", "burst"};
    if (doc_kind(doc, node) != DOC_OBJECT || !only(doc, node, names, 2))
        return refuse(err, "/limits/writes_per_actor", 0, "is an object with rate and burst");
    doc_node rate = doc_member(doc, node, VIEW("rate"));
    doc_node burst = doc_member(doc, node, VIEW("burst"));
    if (rate == DOC_NONE || doc_kind(doc, rate) != DOC_NUMBER ||
        doc_text(doc, rate).bytes[0] == '-')
        limits->rate = 0;
    else
        limits->rate = threshold_value(doc_text(doc, rate));
    if (limits->rate < RATE_MIN || limits->rate > WRITE_RATE_MAX)
        return refuse(err, "/limits/writes_per_actor/rate", WRITE_RATE_MAX,
                      "is a number of writes by second, from 0.01 to 1000000");
    /* A second's worth, unless it says otherwise. */
    limits->burst = (uint64_t)limits->rate;
    if ((double)limits->burst < limits->rate) limits->burst++;
    if (burst == DOC_NONE) return STET_OK;
    if (!doc_u64(doc, burst, &limits->burst) || limits->burst < 1 ||
        limits->burst > WRITE_BURST_MAX)
        return refuse(err, "/limits/writes_per_actor/burst", WRITE_BURST_MAX,
                      "is a number of writes, from 1 to 1000000");
    return STET_OK;
}

stet_status quota_read(const struct doc *doc, doc_node node, struct quota_limits *limits,
                       stet_error *err) {
    static const char *const names[] = {"writes_per_actor", "records", "bytes"};
    struct quota_limits read = {.records = QUOTA_NONE, .bytes = QUOTA_NONE};
    stet_status status = STET_OK;
    if (node == DOC_NONE) {
        *limits = read;
        return STET_OK;
    }
    if (doc_kind(doc, node) != DOC_OBJECT || !only(doc, node, names, 3))
        return refuse(err, "/limits", 0, "is an object with writes_per_actor, records and bytes");
    doc_node writes = doc_member(doc, node, VIEW("writes_per_actor"));
    doc_node records = doc_member(doc, node, VIEW("records"));
    doc_node bytes = doc_member(doc, node, VIEW("bytes"));
    if (writes != DOC_NONE) status = read_rate(doc, writes, &read, err);
    if (status != STET_OK) return status;
    if (records != DOC_NONE &&
        (!doc_u64(doc, records, &read.records) || read.records == QUOTA_NONE))
        return refuse(err, "/limits/records", 0, "is a whole number, 0 or more");
    if (bytes != DOC_NONE && (!doc_u64(doc, bytes, &read.bytes) || read.bytes == QUOTA_NONE))
        return refuse(err, "/limits/bytes", 0, "is a whole number, 0 or more");
    *limits = read;
    return STET_OK;
}

/* ---- How full ---------------------------------------------------------------------------- */

/* What a change takes beside its data and its words, about: its row, its key and its place in an index. */
enum { CHANGE_BYTES = 128 };

static void show_use(struct quota *quota) {
    atomic_store_explicit(&quota->used_records, quota->now.records, memory_order_relaxed);
    atomic_store_explicit(&quota->used_bytes, quota->now.bytes, memory_order_relaxed);
}

/* What the store says; should it be unable to, what was known before is the best there is. */
static void measure(struct space *space) {
    struct quota *quota = &space->quota;
    uint64_t bytes;
    if (quota->limits.bytes == QUOTA_NONE || store_used(space->store, &bytes) != STET_OK) return;
    quota->now.bytes = quota->committed.bytes = bytes;
}

void quota_init(struct quota *quota) {
    quota->limits = (struct quota_limits){.records = QUOTA_NONE, .bytes = QUOTA_NONE};
    atomic_store(&quota->shown_records, QUOTA_NONE);
    atomic_store(&quota->shown_bytes, QUOTA_NONE);
}

void quota_done(struct quota *quota) {
    free(quota->buckets);
    quota->buckets = NULL;
}

void quota_limit(struct space *space, const struct quota_limits *limits) {
    struct quota *quota = &space->quota;
    if (quota->limits.rate != limits->rate || quota->limits.burst != limits->burst) {
        /* What is owed was counted in writes that took another time. */
        quota_done(quota);
    }
    quota->limits = *limits;
    quota->write_ns = limits->rate > 0 ? (int64_t)((double)CLOCK_NS_PER_S / limits->rate) : 0;
    atomic_store_explicit(&quota->shown_rate, limits->rate, memory_order_relaxed);
    atomic_store_explicit(&quota->shown_burst, limits->burst, memory_order_relaxed);
    atomic_store_explicit(&quota->shown_records, limits->records, memory_order_relaxed);
    atomic_store_explicit(&quota->shown_bytes, limits->bytes, memory_order_relaxed);
    measure(space);
    show_use(quota);
}

void quota_count(struct space *space, uint64_t records) {
    space->quota.now.records = space->quota.committed.records = records;
    show_use(&space->quota);
}

void quota_begin(struct space *space) { measure(space); }

void quota_commit(struct space *space) {
    space->quota.committed = space->quota.now;
    measure(space);
    show_use(&space->quota);
}

void quota_undo(struct space *space) { space->quota.now = space->quota.committed; }

void quota_staged(struct quota *quota, const struct change *change,
                  const struct store_head *before) {
    const struct store_change *row = &change->row;
    quota->now.bytes += CHANGE_BYTES + row->type.size + row->id.size + row->by.size +
                        row->key.size + row->source.size + row->merge.size + row->origin.size +
                        row->parent.size + row->forked_from.size + row->data.size;
    if (type_is_system(row->type)) return;
    bool lived = before->version > 0 && !before->deleted;
    if (row->op == STORE_DELETE) {
        /* The store's count may be damaged; that is for a check to find. */
        quota->now.records -= lived && quota->now.records > 0;
    } else {
        quota->now.records += !lived;
    }
}

/* ---- Writes of one actor ----------------------------------------------------------------- */

enum { WAYS = 8, ROWS = WRITERS_REMEMBERED_MAX / WAYS };
static_assert((ROWS & (ROWS - 1)) == 0, "a row is found by bits of a hash");

struct write_bucket {
    uint64_t
        actor; /* A hash under the space's own seed, so that nobody can choose whom they push out; 0: free. */
    int64_t full_at; /* Monotonic. */
};

struct write_buckets {
    struct write_bucket rows[ROWS][WAYS];
};

static struct write_bucket *find(struct write_buckets *buckets, uint64_t actor) {
    struct write_bucket *row = buckets->rows[actor & (ROWS - 1)], *fullest = &row[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (row[i].actor == actor) return &row[i];
        if (row[i].full_at < fullest->full_at) fullest = &row[i];
    }
    *fullest = (struct write_bucket){.actor = actor};
    return fullest;
}

static uint64_t cost_of(const struct stet_command *command) {
    uint64_t cost = 0;
    for (size_t i = 0; i < command->mutation_count; i++)
        cost += command->mutations[i].op != STET_OP_CHECK &&
                !type_is_system(command->mutations[i].type);
    return cost;
}

static void count_refused(struct quota *quota, enum quota_kind kind) {
    atomic_fetch_add_explicit(&quota->refused[kind], 1, memory_order_relaxed);
}

stet_status quota_take(struct staging *staging, stet_error *err) {
    struct stet_command *command = staging->command;
    struct quota *quota = &staging->space->quota;
    int64_t now = staging->time.monotonic;
    if (quota->write_ns == 0 || command->took || command->actor.admin || command->internal ||
        command->dry_run)
        return STET_OK;
    uint64_t cost = cost_of(command);
    if (cost == 0) return STET_OK;
    if (quota->buckets == NULL) quota->buckets = calloc(1, sizeof *quota->buckets);
    if (quota->buckets == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a limit");
    uint64_t hash = view_hash(command->actor.id, staging->space->hash_seed);
    struct write_bucket *bucket = find(quota->buckets, hash == 0 ? 1 : hash);
    uint64_t burst = quota->limits.burst, needed = cost < burst ? cost : burst;
    int64_t since = bucket->full_at > now ? bucket->full_at : now;
    int64_t late = since - now - (int64_t)(burst - needed) * quota->write_ns;
    if (late <= 0) {
        bucket->full_at = since + (int64_t)cost * quota->write_ns;
        command->took = true;
        return STET_OK;
    }
    command->retry_after_s = (uint64_t)((late + CLOCK_NS_PER_S - 1) / CLOCK_NS_PER_S);
    count_refused(quota, QUOTA_WRITES);
    stet_view rate = threshold_number(staging_arena(staging), quota->limits.rate);
    error_set(err, STET_TOO_MANY_REQUESTS,
              "%.*s may make %.*s writes by second here, and %llu at once",
              VIEW_ARG(command->actor.id), VIEW_ARG(rate), (unsigned long long)burst);
    error_field(err, quota_name(QUOTA_WRITES), burst);
    return STET_TOO_MANY_REQUESTS;
}

/* ---- Records and bytes ------------------------------------------------------------------- */

static stet_status refuse_full(struct quota *quota, enum quota_kind kind, stet_error *err) {
    uint64_t limit = kind == QUOTA_RECORDS ? quota->limits.records : quota->limits.bytes;
    count_refused(quota, kind);
    error_set(err, STET_QUOTA_EXCEEDED, "the space has no room left: it may hold %llu %s",
              (unsigned long long)limit, quota_name(kind));
    error_field(err, quota_name(kind), limit);
    return STET_QUOTA_EXCEEDED;
}

/* Whether some of its mutations are kept beyond what was there: a version with data, or a write that waits for a person. */
static bool takes_room(const struct stet_command *command) {
    for (size_t i = 0; i < command->mutation_count; i++) {
        const struct mutation *mutation = &command->mutations[i];
        if (type_is_system(mutation->type)) continue;
        if (mutation->decision == DECISION_PARKED) return true;
        if (mutation->decision == DECISION_STAGED && mutation->change->row.op != STORE_DELETE)
            return true;
    }
    return false;
}

stet_status quota_check(struct staging *staging, stet_error *err) {
    struct quota *quota = &staging->space->quota;
    bool grew = quota->now.records > staging->use_before.records;
    /* What time has made due was given its room when it was asked for. */
    if (staging->command->internal) return STET_OK;
    if (grew && quota->now.records > quota->limits.records)
        return refuse_full(quota, QUOTA_RECORDS, err);
    if (quota->now.bytes > quota->limits.bytes && takes_room(staging->command))
        return refuse_full(quota, QUOTA_BYTES, err);
    return STET_OK;
}

stet_status quota_check_bytes(struct staging *staging, stet_error *err) {
    struct quota *quota = &staging->space->quota;
    return quota->now.bytes > quota->limits.bytes ? refuse_full(quota, QUOTA_BYTES, err) : STET_OK;
}

/* ---- Showing ----------------------------------------------------------------------------- */

static void show_one(const struct quota *quota, enum quota_kind kind, const _Atomic uint64_t *limit,
                     uint64_t used, struct json_writer *writer) {
    uint64_t value = atomic_load_explicit(limit, memory_order_relaxed);
    (void)quota;
    if (value == QUOTA_NONE) return;
    json_key(writer, view_of(quota_name(kind)));
    json_object_begin(writer);
    if (used != QUOTA_NONE) json_member_u64(writer, VIEW("used"), used);
    json_member_u64(writer, VIEW("limit"), value);
    json_object_end(writer);
}

void quota_show(struct arena *arena, const struct quota *quota, uint64_t records,
                struct json_writer *writer) {
    double rate = atomic_load_explicit(&quota->shown_rate, memory_order_relaxed);
    json_object_begin(writer);
    if (rate > 0) {
        json_key(writer, view_of(quota_name(QUOTA_WRITES)));
        json_object_begin(writer);
        json_member_raw(writer, VIEW("rate"), threshold_number(arena, rate));
        json_member_u64(writer, VIEW("burst"),
                        atomic_load_explicit(&quota->shown_burst, memory_order_relaxed));
        json_object_end(writer);
    }
    show_one(quota, QUOTA_RECORDS, &quota->shown_records, records, writer);
    show_one(quota, QUOTA_BYTES, &quota->shown_bytes,
             atomic_load_explicit(&quota->used_bytes, memory_order_relaxed), writer);
    json_object_end(writer);
}
