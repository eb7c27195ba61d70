/*
 * Claiming what is next in a lane. A claim may wait for its turn: the connection is suspended meanwhile, and a client that leaves
 * takes its claim along (leases.h).
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/body.h"
#include "http/handlers.h"
#include "http/leases.h"

struct claim_plan {
    struct lease_wait wait; /* First: leases_submit's. */
    struct doc doc;
};

/* In C 0 stands for what is usual; over HTTP that is said by leaving it out. */
static stet_status read_count(const struct body *body, enum member member, unsigned *out,
                              stet_error *err) {
    stet_status status = body_unsigned(body, member, UINT32_MAX, out, err);
    if (status == STET_OK && body_has(body, member) && *out == 0)
        status = body_bad(body, member, "must be at least 1", err);
    return status;
}

static stet_status read_claim(struct request *request, struct claim_plan *plan, struct body *body,
                              stet_claim *claim, stet_error *err) {
    stet_status status = params_finish(&request->params, err);
    if (status == STET_OK) status = request_json_body(request, &plan->doc, err);
    if (status == STET_OK)
        status = body_read(body, &request->arena, &plan->doc, 0,
                           MEMBER_BIT(MEMBER_AGENT) | MEMBER_BIT(MEMBER_WORKER) |
                               MEMBER_BIT(MEMBER_HANDS) | MEMBER_BIT(MEMBER_MAX) |
                               MEMBER_BIT(MEMBER_BATCH) | MEMBER_BIT(MEMBER_WAIT_S) |
                               MEMBER_BIT(MEMBER_TTL_S) | MEMBER_BIT(MEMBER_BIND),
                           "", err);
    if (status == STET_OK) status = body_text(body, MEMBER_AGENT, &claim->agent, err);
    if (status == STET_OK && claim->agent.size == 0)
        status = body_bad(body, MEMBER_AGENT, "is missing", err);
    if (status == STET_OK) status = body_text(body, MEMBER_WORKER, &claim->worker, err);
    if (status == STET_OK) status = read_count(body, MEMBER_HANDS, &claim->hands, err);
    if (status == STET_OK) status = read_count(body, MEMBER_MAX, &claim->max, err);
    if (status == STET_OK) status = read_count(body, MEMBER_BATCH, &claim->batch, err);
    if (status == STET_OK) status = read_count(body, MEMBER_TTL_S, &claim->ttl_s, err);
    if (status == STET_OK)
        status = body_unsigned(body, MEMBER_WAIT_S, WAIT_S_MAX, &claim->wait_s, err);
    if (status == STET_OK) status = body_flag(body, MEMBER_BIND, &plan->wait.bind, err);
    return status;
}

void handle_claim(struct request *request) {
    stet_error err;
    struct body body;
    stet_claim claim = {.lane = request->match.captures[CAPTURE_LANE]};
    struct claim_plan *plan = arena_zalloc(&request->arena, 1, sizeof *plan);
    stet_status status = plan == NULL ? error_set(&err, STET_NO_MEMORY, "out of memory")
                                      : read_claim(request, plan, &body, &claim, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    if (request->loop->stopping) claim.wait_s = 0;
    plan->wait.waits = claim.wait_s > 0;
    plan->wait.reply = request_reply_outcome;
    status = stet_command_claim(command, &claim, &err);
    if (status != STET_OK) body_point(&body, &err);
    if (request_ok(request, status, &err)) leases_submit(request, &plan->wait);
}
