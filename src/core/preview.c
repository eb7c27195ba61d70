#include "core/preview.h"

#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/conflict.h"
#include "core/provenance.h"
#include "core/render.h"

bool preview_answers(const struct stet_command *command) {
    return command->status == STET_OK || command->status == STET_CONCURRENT_MODIFICATION;
}

static const char *outcome_of(const struct mutation *mutation) {
    switch (mutation->decision) {
    case DECISION_UNCHANGED: return "unchanged";
    case DECISION_DROPPED: return "dropped";
    case DECISION_PARKED: return "parked";
    case DECISION_REFUSED: return "conflict";
    case DECISION_NONE:
    case DECISION_PASSED:
    case DECISION_STAGED: break;
    }
    switch (mutation->strategy) {
    case STET_STRATEGY_MERGE:
    case STET_STRATEGY_ASK: return "merged";
    case STET_STRATEGY_LAST_WRITER_WINS:
    case STET_STRATEGY_NEWEST: return "applied";
    case STET_STRATEGY_DEFAULT:
    case STET_STRATEGY_REJECT:
    case STET_STRATEGY_SERVER_WINS: break;
    }
    return mutation->before.version == 0 || mutation->before.deleted ? "created" : "fresh";
}

/* What would be stored, as the writer would see it; nothing of it where they would not. */
static stet_status render_staged(struct stet_command *command, struct json_writer *writer,
                                 const struct store_change *row, stet_error *err) {
    const struct viewer viewer = command_viewer(command);
    stet_view data;
    json_key(writer, VIEW("result"));
    if (row->op == STORE_DELETE || !viewer_sees(&viewer, row)) {
        json_null(writer);
        return STET_OK;
    }
    stet_status status = viewer_data(&viewer, &command->arena, row, &data);
    if (status != STET_OK) return error_set(err, status, "could not render the result");
    json_raw(writer, data);
    if (!view_is_empty(row->merge)) {
        json_key(writer, VIEW("merge"));
        provenance_render_tried(writer, &viewer, row);
    }
    return STET_OK;
}

stet_status preview_render(struct stet_command *command, struct json_writer *writer,
                           stet_error *err) {
    struct mutation *mutation = &command->mutations[0];
    struct conflict_summary summary = {.sides_only = mutation->decision != DECISION_REFUSED};
    stet_status status = STET_OK;
    bool stale = mutation->base.kind == STET_BASE_VERSION && mutation->before.version > 0 &&
                 mutation->base.value != mutation->before.version;
    command->outcome.version = mutation->before.version;
    command->outcome.seq = command->decided_seq;
    json_object_begin(writer);
    json_member_text(writer, VIEW("outcome"), view_of(outcome_of(mutation)));
    if (mutation->strategy != STET_STRATEGY_DEFAULT)
        json_member_text(writer, VIEW("strategy"), view_of(strategy_name(mutation->strategy)));
    if (mutation->decision == DECISION_STAGED) {
        status = render_staged(command, writer, &mutation->change->row, err);
        if (status != STET_OK) return status;
    }
    if (stale || mutation->decision == DECISION_REFUSED) {
        status = conflict_write(command, mutation, writer, &summary, err);
        if (status == STET_OK && !summary.sides_only)
            json_member_text(writer, VIEW("detail"), summary.detail);
    } else {
        json_key(writer, VIEW("address"));
        render_address(writer, mutation->type, mutation->id);
        if (mutation->before.version > 0)
            json_member_u64(writer, VIEW("current_version"), mutation->before.version);
    }
    json_object_end(writer);
    return status;
}
