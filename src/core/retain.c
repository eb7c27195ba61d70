#include "core/retain.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/engine.h"
#include "core/index.h"

#include <assert.h>
#include <stdlib.h>

#define NS_PER_DAY (INT64_C(24) * 3600 * CLOCK_NS_PER_S)

/* ---- What is kept ---------------------------------------------------------------------------------------------------- */

static bool lets_go(const struct policy *policy) {
    return policy != NULL && (policy->retain_versions > 0 || policy->retain_days > 0);
}

static bool is_old(const struct policy *policy, int64_t stamp, int64_t now) {
    return policy->retain_days == 0 || stamp < now - (int64_t)policy->retain_days * NS_PER_DAY;
}

static bool module_keeps(const struct space *space, stet_view type, stet_view id,
                         uint64_t version) {
    for (size_t i = 0; i < space->module_count; i++) {
        const struct engine_module_state *module = &space->modules[i];
        if (module->module->keeps != NULL &&
            module->module->keeps(module->state, type, id, version))
            return true;
    }
    return false;
}

/* A change that is still needed may be let go later: the next pass, or the one after the one under way, begins no later than there. */
static void look_again(struct retain *retain, uint64_t seq) {
    if (retain->from >= seq) retain->from = seq - 1;
    if (retain->held == 0 || retain->held > seq) retain->held = seq;
}

/* ---- With a change --------------------------------------------------------------------------------------------------- */

/* An earlier version of a record that has a later one in this batch. */
static stet_status find_version(struct staging *staging, const struct change *change,
                                const struct store_head *before, uint64_t version,
                                struct store_change *row, stet_error *err) {
    const struct batch *batch = staging->batch;
    struct store_reader *reader = store_writer_reader(staging->space->store);
    struct store_head stored;
    bool staged = batch->change_count > 0 && before->seq >= batch->changes[0]->row.seq;
    for (size_t i = batch->change_count; staged && i-- > 0;) {
        const struct store_change *candidate = &batch->changes[i]->row;
        if (candidate->first != change->row.first || candidate->version != version) continue;
        *row = *candidate;
        return STET_OK;
    }
    stet_status status = store_head(reader, change->row.type, change->row.id, &stored, err);
    if (status != STET_OK) return status;
    return store_find_bare(reader, &staging->command->arena, &stored, STORE_BOUND_VERSION, version,
                           row, err);
}

stet_status retain_stage(struct staging *staging, const struct policy *policy,
                         const struct change *change, const struct store_head *before,
                         stet_error *err) {
    struct space *space = staging->space;
    struct store_change row;
    bool forked;
    if (!lets_go(policy)) return STET_OK;
    uint64_t step = policy->retain_versions > 0 ? policy->retain_versions : 1;
    /* Versions of a record have no gaps but between lives; the first one may be any number. */
    if (step > before->ordinal || step > change->row.version) return STET_OK;
    uint64_t version = change->row.version - step;
    stet_status status = find_version(staging, change, before, version, &row, err);
    if (status != STET_OK) return status;
    if (row.version != version) {
        /* A new life began in between, whose first version is not the next number: so many are of the one before. */
        uint64_t earlier = step - (change->row.version - space->life);
        if (row.version <= earlier || step < change->row.version - space->life) return STET_OK;
        version = row.version - earlier;
        if (earlier > 0) status = find_version(staging, change, before, version, &row, err);
        if (status != STET_OK || row.version != version) return status;
    }
    if (row.pruned || !is_old(policy, row.stamp, staging->now)) return STET_OK;
    if (module_keeps(space, row.type, row.id, version)) {
        look_again(space->retain, row.seq);
        return STET_OK;
    }
    status = index_is_forked(space, staging->batch, row.first, version, &forked, err);
    if (status != STET_OK || forked) return status;
    status = batch_reserve_prune(staging->batch, err);
    if (status != STET_OK) return status;
    batch_add_prune(staging->batch, row.seq, change->row.type);
    return STET_OK;
}

/* ---- The sweep ------------------------------------------------------------------------------------------------------- */

static const char place_name[] = "retain";
enum { PLACE_BYTES = 2 * STORE_NUMBER_BYTES };

static uint64_t number_at(const char *bytes) {
    uint64_t number = 0;
    for (int i = 0; i < STORE_NUMBER_BYTES; i++)
        number = number << 8 | (uint8_t)bytes[i];
    return number;
}

stet_status retain_open(struct space *space, stet_error *err) {
    struct arena arena;
    stet_view value;
    stet_error absent = {0};
    space->retain = calloc(1, sizeof *space->retain);
    if (space->retain == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a space");
    arena_init(&arena, 256);
    stet_status status = store_meta_get(store_writer_reader(space->store), &arena,
                                        view_of(place_name), &value, &absent);
    if (status == STET_OK && value.size == PLACE_BYTES) {
        space->retain->from = number_at(value.bytes);
        space->retain->seen = number_at(value.bytes + STORE_NUMBER_BYTES);
    }
    if (status == STET_NOT_FOUND) status = STET_OK;
    if (status != STET_OK && err != NULL) *err = absent;
    arena_done(&arena);
    return status;
}

void retain_close(struct space *space) {
    free(space->retain);
    space->retain = NULL;
}

int64_t retain_next(const struct space *space) {
    uint32_t days;
    uint64_t seq;
    if (space->retain->at != 0 || !policies_retain(space, &days, &seq)) return MODULE_NEVER;
    return space->retain->next_at;
}

static void put_off(struct retain *retain, const struct module_time *now, int64_t seconds) {
    retain->at = 0;
    retain->next_at = now->monotonic + seconds * CLOCK_NS_PER_S;
}

/* A definition that is new may let go what another one kept. */
static bool begin_pass(struct space *space) {
    struct retain *retain = space->retain;
    uint32_t days;
    uint64_t newest;
    if (!policies_retain(space, &days, &newest)) return false;
    if (newest != retain->seen) retain->from = 0;
    retain->seen = newest;
    retain->at = retain->from + 1;
    retain->held = retain->young = 0;
    return true;
}

/* The pass is through: the next one begins where something may have changed. */
static stet_status end_pass(struct space *space, const struct module_time *now, stet_error *err) {
    struct retain *retain = space->retain;
    uint8_t place[PLACE_BYTES];
    uint64_t from = retain->young != 0 ? retain->young - 1 : retain->at - 1;
    if (retain->held != 0 && retain->held - 1 < from) from = retain->held - 1;
    put_off(retain, now, RETAIN_SWEEP_S);
    if (from == retain->from) return STET_OK;
    retain->from = from;
    store_number_key(from, place);
    store_number_key(retain->seen, place + STORE_NUMBER_BYTES);
    return store_meta_put(space->store, view_of(place_name), view_make(place, sizeof place), err);
}

/* Whether one change may go. */
static stet_status judge(struct space *space, const struct store_change *change, int64_t now,
                         bool *go, stet_error *err) {
    const struct policy *policy = policy_staged(space, change->type);
    struct store_head head;
    bool forked;
    *go = false;
    if (change->pruned || !lets_go(policy) || !is_old(policy, change->stamp, now)) return STET_OK;
    stet_status status = store_records_of(store_writer_reader(space->store), NULL, &change->first,
                                          1, false, &head, NULL, err);
    if (status != STET_OK || head.version == 0 || head.seq == change->seq) return status;
    if (policy->retain_versions > 0 && head.ordinal - change->ordinal < policy->retain_versions)
        return STET_OK;
    if (module_keeps(space, change->type, change->id, change->version)) {
        look_again(space->retain, change->seq);
        return STET_OK;
    }
    status = index_is_forked(space, NULL, change->first, change->version, &forked, err);
    *go = status == STET_OK && !forked;
    return status;
}

/* One stretch of the log. *more: it did not end here. */
static stet_status sweep_some(struct space *space, struct arena *arena,
                              const struct module_time *now, bool *more, stet_error *err) {
    struct retain *retain = space->retain;
    struct store_change changes[RETAIN_SWEEP_CHANGES];
    struct store_prune prunes[RETAIN_SWEEP_CHANGES];
    size_t count, prune_count = 0;
    uint32_t days;
    uint64_t newest;
    policies_retain(space, &days, &newest);
    int64_t oldest_young = now->wall - (int64_t)days * NS_PER_DAY;
    stet_status status = store_since_bare(store_writer_reader(space->store), arena, retain->at - 1,
                                          RETAIN_SWEEP_CHANGES, changes, &count, err);
    for (size_t i = 0; status == STET_OK && i < count; i++) {
        bool go;
        if (retain->young == 0 && days > 0 && changes[i].stamp >= oldest_young)
            retain->young = changes[i].seq;
        status = judge(space, &changes[i], now->wall, &go, err);
        if (status == STET_OK && go)
            prunes[prune_count++] =
                (struct store_prune){.seq = changes[i].seq, .type = changes[i].type};
    }
    if (status == STET_OK && prune_count > 0) {
        struct store_batch batch = {.prunes = prunes,
                                    .prune_count = prune_count,
                                    .stamp = store_state(space->store)->stamp};
        status = store_commit(space->store, &batch, err);
    }
    if (status != STET_OK) return status;
    if (count > 0) retain->at = changes[count - 1].seq + 1;
    *more = count == RETAIN_SWEEP_CHANGES;
    return STET_OK;
}

bool retain_sweep(struct space *space, const struct module_time *now) {
    struct retain *retain = space->retain;
    struct arena arena;
    stet_error err = {0};
    bool more = false;
    if (retain->at == 0 && retain_next(space) > now->monotonic) return false;
    /* A clock that nobody trusts would let history go too early. */
    if (now->wall_held || atomic_load(&space->halted)) {
        put_off(retain, now, DUE_RECHECK_S);
        return false;
    }
    if (retain->at == 0 && !begin_pass(space)) return false;
    arena_init(&arena, 65536);
    stet_status status = sweep_some(space, &arena, now, &more, &err);
    arena_done(&arena);
    if (status == STET_OK && !more) status = end_pass(space, now, &err);
    if (status == STET_OK) return more;
    if (status == STET_COMMIT_UNKNOWN) atomic_store(&space->halted, true);
    put_off(retain, now, RETAIN_SWEEP_S);
    engine_report(space->engine, STET_REPORT_ERROR,
                  "space \"%s\": old versions could not be let go: %s (%s)", space->name,
                  err.message, err.cause);
    return false;
}
