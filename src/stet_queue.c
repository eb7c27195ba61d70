/*
 * Operations and lanes, for the public interface.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/outbound.h"
#include "modules/operations/operations.h"
#include "stet.h"

#define NEED(condition)                                                                            \
    if (!(condition)) return error_set(err, STET_MISUSE, "a null pointer")

stet_status stet_class_parse(stet_view text, stet_class *class_, stet_error *err) {
    NEED(class_ != NULL);
    return class_parse(text, class_, err);
}

/* What the server's own runner of webhooks takes, and its lanes, are nobody else's. */
static stet_status check_agent(stet_view agent, stet_error *err) {
    if (!view_equal(agent, WEBHOOK_AGENT)) return STET_OK;
    error_set(err, STET_FORBIDDEN, "that name is of the server's own agent");
    error_field(err, "agent", 0);
    return STET_FORBIDDEN;
}

static stet_status check_lane(stet_view lane, stet_error *err) {
    if (!view_starts(lane, WEBHOOK_LANE_PREFIX)) return STET_OK;
    error_set(err, STET_FORBIDDEN,
              "lanes whose names begin with \"webhook-\" are the server's own");
    error_field(err, "lane", 0);
    return STET_FORBIDDEN;
}

stet_status stet_command_operation_submit(stet_command *command,
                                          const stet_operation_request *request, stet_error *err) {
    NEED(command != NULL && request != NULL);
    NEED(request->depends_on_count == 0 || request->depends_on != NULL);
    stet_status status = check_agent(request->agent, err);
    if (status == STET_OK) status = check_lane(request->lane, err);
    if (status != STET_OK) return status;
    return operations_fill_submit(command, request, err);
}

stet_status stet_command_operation_get(stet_command *command, stet_view id, stet_error *err) {
    NEED(command != NULL);
    return operations_fill_get(command, id, err);
}

stet_status stet_command_operation_list(stet_command *command, const stet_operation_list *list,
                                        stet_error *err) {
    NEED(command != NULL && list != NULL);
    return operations_fill_list(command, list, err);
}

stet_status stet_command_queue_status(stet_command *command, const stet_view *ids, size_t count,
                                      stet_error *err) {
    NEED(command != NULL && (count == 0 || ids != NULL));
    return operations_fill_status(command, ids, count, err);
}

stet_status stet_command_operation_cancel(stet_command *command, stet_view id, stet_view reason,
                                          stet_error *err) {
    NEED(command != NULL);
    return operations_fill_cancel(command, id, reason, err);
}

stet_status stet_command_operation_retry(stet_command *command, stet_view id, stet_error *err) {
    NEED(command != NULL);
    return operations_fill_retry(command, id, err);
}

stet_status stet_command_claim(stet_command *command, const stet_claim *claim, stet_error *err) {
    NEED(command != NULL && claim != NULL);
    stet_status status = check_agent(claim->agent, err);
    if (status != STET_OK) return status;
    return operations_fill_claim(command, claim, err);
}

stet_status stet_command_operation_progress(stet_command *command,
                                            const stet_operation_progress *progress,
                                            stet_error *err) {
    NEED(command != NULL && progress != NULL);
    return operations_fill_progress(command, progress, err);
}

stet_status stet_command_operation_complete(stet_command *command,
                                            const stet_operation_completion *completion,
                                            stet_error *err) {
    NEED(command != NULL && completion != NULL);
    NEED(completion->mutation_count == 0 || completion->mutations != NULL);
    return operations_fill_complete(command, completion, err);
}

stet_status stet_command_operation_fail(stet_command *command,
                                        const stet_operation_failure *failure, stet_error *err) {
    NEED(command != NULL && failure != NULL);
    return operations_fill_fail(command, failure, err);
}

stet_status stet_command_lane_get(stet_command *command, stet_view lane, stet_error *err) {
    NEED(command != NULL);
    return lanes_fill_get(command, lane, err);
}

stet_status stet_command_lane_list(stet_command *command, stet_error *err) {
    NEED(command != NULL);
    return lanes_fill_list(command, err);
}

stet_status stet_command_lane_put(stet_command *command, stet_view lane, stet_view settings,
                                  stet_base base, stet_error *err) {
    NEED(command != NULL);
    return lanes_fill_put(command, lane, settings, base, err);
}

stet_status stet_command_lane_move(stet_command *command, stet_view lane, stet_lane_move move,
                                   stet_error *err) {
    NEED(command != NULL);
    return lanes_fill_move(command, lane, move, err);
}
