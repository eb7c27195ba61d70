/*
 * Forgetting: what was finished long enough ago goes, with its payloads and all that its versions said. Nothing is remembered of finished
 * operations in memory; a pass walks the log from the first change that may belong to one, on a worker, and the sequencer removes what it
 * found. In the order of the log the oldest come first, so a pass ends at the first change that is too young for every lane.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/operations/internal.h"

#include <assert.h>

enum {
    PRUNE_CHANGES = 256, /* Looked at in one step. */
    PRUNE_PER_STEP = 32, /* And removed. */
};

struct kept_lane {
    stet_view name;
    unsigned keep_s;
};

struct forgotten {
    stet_view id;
    uint64_t seq;
    bool input_apart, result_apart;
};

/* One step of a pass; in the command's arena. */
struct prune_work {
    const struct kept_lane *lanes;
    size_t lane_count;
    unsigned least_s; /* Of all lanes. */
    int64_t now;
    uint64_t from, to; /* Changes behind `from` up to `to` were looked at. */
    uint64_t held;     /* The first finished one that is still to be kept; 0: none. */
    bool ends;
    struct forgotten items[PRUNE_PER_STEP];
    size_t count;
};

static unsigned keep_of(const struct prune_work *work, stet_view lane) {
    for (size_t i = 0; i < work->lane_count; i++)
        if (view_equal(work->lanes[i].name, lane)) return work->lanes[i].keep_s;
    return OPERATION_KEEP_S;
}

/* Looks at one change: whether it is the newest of an operation that is finished, and old enough to go. */
static stet_status look(struct prune_work *work, struct arena *arena, struct store_reader *reader,
                        const struct store_change *change, stet_error *err) {
    struct operation_record record;
    struct store_change row;
    struct store_head head;
    if (!view_equal(change->type, OPERATION_TYPE) || change->op == STORE_DELETE) return STET_OK;
    stet_status status = store_head(reader, OPERATION_TYPE, change->id, &head, err);
    if (status != STET_OK || head.seq != change->seq || head.deleted) return status;
    status = store_change_at(reader, arena, head.seq, &row, err);
    if (status == STET_OK) status = record_read(arena, row.data, &record, err);
    if (status != STET_OK || !status_finished(record.status)) return status;
    int64_t keep_ns = (int64_t)keep_of(work, record.lane) * CLOCK_NS_PER_S;
    if (record.finished_at > work->now - keep_ns) {
        if (work->held == 0) work->held = change->seq;
        return STET_OK;
    }
    work->items[work->count] = (struct forgotten){.id = arena_copy(arena, change->id),
                                                  .seq = head.seq,
                                                  .input_apart = record.input_apart,
                                                  .result_apart = record.result_apart};
    return work->items[work->count++].id.bytes == NULL ? no_memory(err) : STET_OK;
}

/* On a worker. */
static stet_status hop_look(struct stet_command *command, struct store_reader *reader,
                            stet_error *err) {
    struct task *task = command->module_data;
    struct prune_work *work = task->prune;
    struct arena *arena = &command->arena;
    struct store_change *changes = arena_zalloc(arena, PRUNE_CHANGES, sizeof *changes);
    size_t count = 0;
    if (changes == NULL) return no_memory(err);
    work->count = 0;
    work->to = work->from;
    stet_status status =
        store_since_bare(reader, arena, work->from, PRUNE_CHANGES, changes, &count, err);
    work->ends = count < PRUNE_CHANGES;
    for (size_t i = 0; i < count && status == STET_OK; i++) {
        if (changes[i].stamp > work->now - (int64_t)work->least_s * CLOCK_NS_PER_S) {
            work->ends = true;
            break;
        }
        if (work->count == PRUNE_PER_STEP) {
            work->ends = false;
            break;
        }
        status = look(work, arena, reader, &changes[i], err);
        work->to = changes[i].seq;
    }
    return status;
}

static stet_status forget_payload(struct staging *staging, stet_view operation, const char *what,
                                  stet_error *err) {
    stet_view id = payload_id(staging_arena(staging), operation, what);
    return id.bytes == NULL ? no_memory(err) : staging_forget(staging, PAYLOAD_TYPE, id, err);
}

static stet_status decide_prune(struct operations *operations, struct staging *staging,
                                struct task *task, stet_error *err) {
    const struct prune_work *work = task->prune;
    stet_status status = STET_OK;
    (void)operations;
    for (size_t i = 0; i < work->count && status == STET_OK; i++) {
        const struct forgotten *item = &work->items[i];
        struct store_head head;
        status = staging_read(staging, OPERATION_TYPE, item->id, &head, NULL, err);
        /* Somebody may have queued it again. */
        if (status != STET_OK || head.seq != item->seq) continue;
        status = staging_forget(staging, OPERATION_TYPE, item->id, err);
        if (status == STET_OK && item->input_apart)
            status = forget_payload(staging, item->id, "input", err);
        if (status == STET_OK && item->result_apart)
            status = forget_payload(staging, item->id, "result", err);
    }
    return status;
}

void prune_note_finished(struct operations *operations, uint64_t seq) {
    if (seq == 0 || (operations->prune.from != PRUNE_NOTHING && operations->prune.from < seq))
        return;
    operations->prune.from = seq - 1;
}

void prune_ended(struct operations *operations, const struct stet_command *command) {
    const struct task *task = command->module_data;
    const struct prune_work *work = task->prune;
    struct prune_state *prune = &operations->prune;
    prune->busy = false;
    prune->next_at = operations->monotonic + PRUNE_EVERY_S * CLOCK_NS_PER_S;
    if (command->status != STET_OK) return;
    if (work->held != 0 && prune->held == 0) prune->held = work->held;
    prune->at = work->to;
    if (!work->ends) {
        prune->next_at = 0;
        return;
    }
    /* The pass is over. What lanes still keep is where the next one begins, and that one is not so soon. */
    prune->from = prune->held != 0 ? prune->held - 1 : prune->at;
    if (prune->held != 0) prune->next_at = operations->monotonic + PRUNE_AGAIN_S * CLOCK_NS_PER_S;
    prune->at = PRUNE_NOTHING;
    prune->held = 0;
}

int64_t prune_next(const struct operations *operations) {
    const struct prune_state *prune = &operations->prune;
    return prune->busy || prune->from == PRUNE_NOTHING ? MODULE_NEVER : prune->next_at;
}

bool prune_due(struct operations *operations, struct task *task, struct stet_command *command) {
    struct prune_state *prune = &operations->prune;
    struct arena *arena = &command->arena;
    if (prune_next(operations) > operations->monotonic) return false;
    struct prune_work *work = arena_zalloc(arena, 1, sizeof *work);
    struct kept_lane *lanes = arena_zalloc(arena, operations->lane_count + 1, sizeof *lanes);
    if (work == NULL || lanes == NULL) return false;
    work->least_s = OPERATION_KEEP_S;
    for (const struct lane *lane = operations->lanes; lane != NULL; lane = lane->next) {
        struct kept_lane *kept = &lanes[work->lane_count++];
        kept->name = arena_copy(arena, lane->name);
        kept->keep_s = lane->settings.keep_s;
        if (kept->name.bytes == NULL) return false;
        if (kept->keep_s < work->least_s) work->least_s = kept->keep_s;
    }
    work->lanes = lanes;
    work->now = operations->now;
    work->from = prune->at != PRUNE_NOTHING ? prune->at : prune->from;
    prune->busy = true;
    task->prune = work;
    task->decide = decide_prune;
    command->hop = hop_look;
    return true;
}

void prune_not_started(struct operations *operations) {
    operations->prune.busy = false;
    operations->prune.next_at = operations->monotonic + PRUNE_EVERY_S * CLOCK_NS_PER_S;
}
