/*
 * The audit of the CRM.
 *
 *   1. Each version has the facts of the one before, but for those that its writer set or added to.
 *   2. What is read now is what the history ends with, and what adds up (amounts, payments, hours) is the sum of what was
 *      acknowledged.
 *   3. At no position of the history, and not in what is read now, does one room or person have two live bookings that overlap.
 *      Bookings are half-open: one may begin when another ends.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/simulate_crm.h"

#include <stdlib.h>

enum { SPANS_FIRST = 1024 };

/* That something is taken, or given back, at a position. */
struct span {
    uint64_t resource; /* Rooms are even, people odd. */
    uint64_t seq;      /* UINT64_MAX: as it is read now. */
    uint32_t record;
    bool begins; /* False: it is given back. */
    int64_t start;
    int64_t end;
};

struct spans {
    struct span *items;
    size_t count;
    size_t capacity;
};

static stet_status spans_add(struct sim_audit *audit, const struct span *span) {
    if (audit->extra == NULL) audit->extra = calloc(1, sizeof(struct spans));
    struct spans *spans = audit->extra;
    if (spans == NULL) return STET_NO_MEMORY;
    if (spans->count == spans->capacity) {
        size_t capacity = spans->capacity == 0 ? SPANS_FIRST : spans->capacity * 2;
        struct span *items = realloc(spans->items, capacity * sizeof *items);
        if (items == NULL) return STET_NO_MEMORY;
        spans->items = items;
        spans->capacity = capacity;
    }
    spans->items[spans->count++] = *span;
    return STET_OK;
}

/* What an event takes, as begun or given back at this position. */
static stet_status add_event(struct sim_audit *audit, uint32_t record, const int64_t *values,
                             uint64_t seq, bool begins) {
    struct span span = {.seq = seq,
                        .record = record,
                        .begins = begins,
                        .start = values[EVENT_START],
                        .end = values[EVENT_END]};
    stet_status status = STET_OK;
    if (values[EVENT_LIVE] == 0) return STET_OK;
    if (values[EVENT_ROOM] > 0) {
        span.resource = (uint64_t)values[EVENT_ROOM] * 2;
        status = spans_add(audit, &span);
    }
    for (unsigned i = 0; status == STET_OK && i < CRM_PEOPLE_MAX; i++) {
        uint32_t person = crm_crew_person(values[EVENT_PEOPLE], i);
        if (person == UINT32_MAX) break;
        span.resource = (uint64_t)person * 2 + 1;
        status = spans_add(audit, &span);
    }
    return status;
}

/* ---- Versions ---- */

static void find_fact(struct sim_audit *audit, const char *name, uint64_t version,
                      const struct crm_fact *fact, bool written, int64_t before, int64_t after,
                      int64_t wanted) {
    bool is_number = fact->form == CRM_NUMBER;
    if (written && is_number) {
        sim_find(&audit->findings,
                 "%s: version %llu has %s %lld; %lld added to the %lld before make %lld", name,
                 (unsigned long long)version, fact->name, (long long)after,
                 (long long)(wanted - before), (long long)before, (long long)wanted);
    } else if (written && fact->form == CRM_LINES) {
        sim_find(&audit->findings,
                 "%s: version %llu does not have the lines of %s before and its writer's", name,
                 (unsigned long long)version, fact->name);
    } else if (written) {
        sim_find(&audit->findings, "%s: version %llu does not have the %s that its writer set",
                 name, (unsigned long long)version, fact->name);
    } else {
        sim_find(&audit->findings,
                 "%s: version %llu has another %s than the one before, which its writer left alone",
                 name, (unsigned long long)version, fact->name);
    }
}

stet_status crm_judge_step(struct sim *sim, struct sim_audit *audit, uint32_t record,
                           const char *name, const struct sim_version *before_version,
                           const struct sim_version *after_version) {
    static const struct crm_state nothing = {0};
    const struct sim_write *write = after_version->write;
    const struct crm_state *before = before_version == NULL ? &nothing : before_version->data;
    const struct crm_state *after = after_version->data;
    unsigned kind = sim_kind_of(record);
    (void)sim;
    for (unsigned i = 0; write != NULL && i < SIM_VALUES_MAX; i++) {
        const struct crm_fact *fact = crm_fact(kind, i);
        bool written = (write->facts >> i & 1) != 0;
        int64_t wanted = before->values[i];
        if (fact->name == NULL) break;
        if (written && fact->adds)
            wanted = (int64_t)((uint64_t)wanted + (uint64_t)write->values[i]);
        if (written && !fact->adds) wanted = write->values[i];
        if (wanted == CRM_ANY ? after->values[i] != 0 : after->values[i] == wanted) continue;
        find_fact(audit, name, after_version->version, fact, written, before->values[i],
                  after->values[i], wanted);
    }
    if (kind != CRM_EVENTS) return STET_OK;
    stet_status status = STET_OK;
    if (before_version != NULL)
        status = add_event(audit, record, before->values, after_version->seq, false);
    if (status == STET_OK)
        status = add_event(audit, record, after->values, after_version->seq, true);
    return status;
}

void crm_add(const struct sim *sim, const struct sim_write *write, int64_t sums[SIM_VALUES_MAX]) {
    (void)sim;
    for (unsigned i = 0; i < SIM_VALUES_MAX; i++) {
        if ((write->facts >> i & 1) == 0 || !crm_fact(sim_kind_of(write->record), i)->adds)
            continue;
        sums[i] = (int64_t)((uint64_t)sums[i] + (uint64_t)write->values[i]);
    }
}

stet_status crm_judge_now(struct sim *sim, struct sim_audit *audit, uint32_t record,
                          const char *name, const void *now_data, const void *newest_data,
                          const int64_t sums[SIM_VALUES_MAX]) {
    const struct crm_state *now = now_data;
    const struct crm_state *newest = newest_data;
    unsigned kind = sim_kind_of(record);
    (void)sim;
    for (unsigned i = 0; i < SIM_VALUES_MAX; i++) {
        const struct crm_fact *fact = crm_fact(kind, i);
        if (fact->name == NULL) break;
        if (now->values[i] != newest->values[i]) {
            sim_find(&audit->findings, "%s: the record has another %s than its history ends with",
                     name, fact->name);
        }
        if (!fact->adds || now->values[i] == sums[i]) continue;
        if (fact->form == CRM_NUMBER) {
            sim_find(&audit->findings, "%s: %s is %lld; what was acknowledged adds up to %lld",
                     name, fact->name, (long long)now->values[i], (long long)sums[i]);
        } else {
            sim_find(&audit->findings, "%s: %s do not have all lines that were acknowledged", name,
                     fact->name);
        }
    }
    return kind == CRM_EVENTS ? add_event(audit, record, now->values, UINT64_MAX, true) : STET_OK;
}

/* ---- Bookings ---- */

/* By resource and position; what is given back goes before what is taken in its place. */
static int compare(const void *left, const void *right) {
    const struct span *a = left;
    const struct span *b = right;
    if (a->resource != b->resource) return a->resource < b->resource ? -1 : 1;
    if (a->seq != b->seq) return a->seq < b->seq ? -1 : 1;
    if (a->begins != b->begins) return a->begins ? 1 : -1;
    return (a->record > b->record) - (a->record < b->record);
}

static void find_overlap(struct sim *sim, struct sim_audit *audit, const struct span *late,
                         const struct span *early) {
    char names[2][SIM_NAME_BYTES];
    char times[2][CLOCK_RFC3339_BYTES];
    char at[48] = "now";
    sim_name(sim, late->record, names[0]);
    sim_name(sim, early->record, names[1]);
    clock_format_rfc3339(late->start * CLOCK_NS_PER_S, times[0]);
    clock_format_rfc3339(late->end * CLOCK_NS_PER_S, times[1]);
    if (late->seq != UINT64_MAX)
        snprintf(at, sizeof at, "at position %llu", (unsigned long long)late->seq);
    sim_find(
        &audit->findings,
        "%.60s: double booked, %s: it has %s-%llu from %.16s to %.16s, and so has %.60s", names[0],
        at, late->resource % 2 == 0 ? "room" : "person",
        (unsigned long long)(late->resource % 2 == 0 ? late->resource / 2 - 1 : late->resource / 2),
        times[0], times[1], names[1]);
}

/* Goes through a resource's positions with the bookings that are live at each; what is read now is a history of its own. */
static size_t judge_resource(struct sim *sim, struct sim_audit *audit, const struct span *spans,
                             size_t count, struct span *live) {
    size_t lives = 0;
    size_t i = 0;
    for (; i < count && spans[i].resource == spans[0].resource; i++) {
        const struct span *span = &spans[i];
        if (span->seq == UINT64_MAX && i > 0 && spans[i - 1].seq != UINT64_MAX) lives = 0;
        if (!span->begins) {
            for (size_t n = 0; n < lives; n++) {
                if (live[n].record != span->record) continue;
                live[n] = live[--lives];
                break;
            }
            continue;
        }
        for (size_t n = 0; n < lives; n++) {
            if (live[n].start < span->end && span->start < live[n].end)
                find_overlap(sim, audit, span, &live[n]);
        }
        live[lives++] = *span;
    }
    return i;
}

void crm_judge_end(struct sim *sim, struct sim_audit *audit) {
    struct spans *spans = audit->extra;
    audit->extra = NULL;
    if (spans == NULL) return;
    struct span *live = malloc(spans->count * sizeof *live);
    if (live == NULL) {
        sim_find(&audit->findings, "out of memory for %zu bookings: they were not compared",
                 spans->count);
    } else {
        qsort(spans->items, spans->count, sizeof *spans->items, compare);
        for (size_t i = 0; i < spans->count;)
            i += judge_resource(sim, audit, &spans->items[i], spans->count - i, live);
    }
    free(live);
    free(spans->items);
    free(spans);
}
