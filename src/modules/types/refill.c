/*
 * Intervals that were computed by other time zone data.
 *
 * The rows of an interval are found by computing them again from the record. When the clock of a zone is changed by law, a server that is
 * started with new data computes other instants for local times: it would not find the old rows any more, and they would go on taking
 * time that nobody can give back. So a definition remembers the data its rows were computed by, and where these are not those of
 * this process it is put once more, unchanged, in the background: that fills indexes with new numbers while writes go on, by the
 * way of any declaration over records that are there, and the old rows go with the old numbers.
 *
 * Until then the old rows stand for what is booked. Bookings that did not overlap before may do so now, as when a declaration is forced:
 * both stay, what is new is judged, and they are counted and reported.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "calendar/zone.h"
#include "core/engine.h"
#include "modules/types/internal.h"

#include <stdlib.h>

struct refill {
    struct refill *next;
    size_t size;
    char type[];
};

static stet_view name_of(const struct refill *refill) {
    return view_make(refill->type, refill->size);
}

stet_status refills_note(struct types *types, const struct policy *policy, stet_error *err) {
    struct refill **slot = &types->refills.first;
    if (definition_is_current(policy)) return STET_OK;
    while (*slot != NULL && !view_equal(name_of(*slot), policy->type))
        slot = &(*slot)->next;
    if (*slot != NULL) return STET_OK;
    struct refill *refill = malloc(sizeof *refill + policy->type.size);
    if (refill == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a type");
    refill->next = NULL;
    refill->size = policy->type.size;
    memcpy(refill->type, policy->type.bytes, policy->type.size);
    *slot = refill;
    return STET_OK;
}

static void forget_first(struct refills *refills) {
    struct refill *gone = refills->first;
    refills->first = gone->next;
    free(gone);
}

void refills_forget(struct refills *refills) {
    while (refills->first != NULL)
        forget_first(refills);
}

int64_t refills_next(const struct types *types) {
    const struct refills *refills = &types->refills;
    return refills->first == NULL || refills->under_way ? MODULE_NEVER : refills->blocked_until;
}

/* To the worker and back, where its surveys begin: the sequencer has other things to do than to wait for them. */
static stet_status hop_away(struct stet_command *command, struct store_reader *reader,
                            stet_error *err) {
    (void)command, (void)reader, (void)err;
    return STET_OK;
}

static stet_status fill(struct types *types, const struct policy *policy,
                        struct stet_command *command, stet_error *err) {
    struct store_change change;
    stet_status status = store_change_at(store_writer_reader(types->space->store), &command->arena,
                                         policy->seq, &change, err);
    if (status != STET_OK) return status;
    const stet_type_write write = {
        .name = policy->type,
        .definition = change.data,
        .base = {.kind = STET_BASE_VERSION, .value = policy->version},
        .force = true,
    };
    command->actor = (stet_actor){.id = VIEW("stet"), .admin = true};
    status = types_fill_write(command, &write, err);
    if (status == STET_OK) status = command_prepare(command, err);
    if (status == STET_OK) command->hop = hop_away;
    return status;
}

static void put_off(struct types *types, stet_view name, const stet_error *err) {
    struct stet_engine *engine = types->space->engine;
    types->refills.under_way = false;
    types->refills.blocked_until =
        clock_monotonic_ns(engine->clock) + REFILL_RETRY_S * CLOCK_NS_PER_S;
    engine_report(engine, STET_REPORT_WARNING,
                  "space \"%s\": bookings of type \"%.*s\" could not be computed by tzdata %.*s, "
                  "and are tried again: %s",
                  types->space->name, VIEW_ARG(name), VIEW_ARG(zone_data_version()), err->message);
}

bool refills_due(struct types *types, const struct module_time *now, bool refused,
                 struct stet_command *command) {
    struct refills *refills = &types->refills;
    stet_error err = {0};
    if (refused) {
        error_set(&err, STET_NO_MEMORY, "it could not be begun");
        if (refills->first != NULL) put_off(types, name_of(refills->first), &err);
        return false;
    }
    if (refills->under_way || refills->blocked_until > now->monotonic) return false;
    while (refills->first != NULL) {
        /* It may have been put by somebody meanwhile, or deleted. */
        const struct policy *policy = policy_staged(types->space, name_of(refills->first));
        if (policy != NULL && !definition_is_current(policy)) {
            stet_status status = fill(types, policy, command, &err);
            refills->under_way = status == STET_OK;
            if (status != STET_OK) put_off(types, name_of(refills->first), &err);
            return status == STET_OK;
        }
        forget_first(refills);
    }
    return false;
}

void refills_ended(struct types *types, struct stet_command *command) {
    struct refills *refills = &types->refills;
    const struct work *work = command->module_data;
    const struct put *put = &work->puts[0];
    refills->under_way = false;
    if (command->status != STET_OK) {
        /* What somebody else has put meanwhile is nothing to tell of. */
        if (command->status == STET_CONCURRENT_MODIFICATION) {
            refills->blocked_until =
                clock_monotonic_ns(types->space->engine->clock) + CLOCK_NS_PER_S;
        } else if (command->status != STET_SHUTTING_DOWN) {
            put_off(types, put->name, &command->error);
        }
        return;
    }
    atomic_fetch_add(&refills->clashes, put->overlaps);
    if (put->overlaps > 0) {
        engine_report(types->space->engine, STET_REPORT_WARNING,
                      "space \"%s\": by tzdata %.*s %llu bookings of type \"%.*s\" overlap others, "
                      "such as \"%.*s\"; they stay as they are",
                      types->space->name, VIEW_ARG(zone_data_version()),
                      (unsigned long long)put->overlaps, VIEW_ARG(put->name),
                      VIEW_ARG(put->overlapping));
        return;
    }
    engine_report(types->space->engine, STET_REPORT_INFO,
                  "space \"%s\": bookings of type \"%.*s\" were computed by tzdata %.*s",
                  types->space->name, VIEW_ARG(put->name), VIEW_ARG(zone_data_version()));
}
