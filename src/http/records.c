/*
 * Reads: records, lists, histories, diffs, receipts.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/handlers.h"
#include "http/presence.h"
#include "http/request.h"

/* Opens the space, makes the command with `fill` and submits it. */
typedef stet_status fill_command(stet_command *command, const void *plan, stet_error *err);

static void read_submit(struct request *request, fill_command *fill, const void *plan,
                        void (*next)(struct request *request)) {
    stet_error err;
    if (!request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = fill(command, plan, &err);
    if (request_ok(request, status, &err)) request_submit(request, next);
}

/* ---- One record ---- */

static void record_reply(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    stet_view tags = request->headers.if_none_match;
    if (outcome->status != STET_OK) {
        request_reply_outcome(request);
        return;
    }
    bool known = tags.size > 0 && etag_list_has(tags, outcome->version);
    struct reply reply = {
        .http = known ? 304 : 200, .body = outcome->body, .etag = outcome->version};
    request_reply(request, &reply);
}

static stet_status fill_read(stet_command *command, const void *plan, stet_error *err) {
    return stet_command_read(command, plan, err);
}

static stet_status take_at(struct params *params, stet_read *read, stet_error *err) {
    uint64_t value = 0;
    stet_time time = 0;
    stet_status status;
    unsigned given = 0;
    if (params_has(params, "version")) {
        given++;
        status = params_u64(params, "version", UINT64_MAX, &value, err);
        if (status == STET_OK && value == 0) {
            error_set(err, STET_BAD_REQUEST, "the first version is 1");
            error_field(err, "version", 0);
            return STET_BAD_REQUEST;
        }
        read->at = STET_AT_VERSION;
        if (status != STET_OK) return status;
    }
    if (params_has(params, "at")) {
        given++;
        status = params_time(params, "at", &time, err);
        value = (uint64_t)time;
        read->at = STET_AT_TIME;
        if (status != STET_OK) return status;
    }
    if (params_has(params, "at_seq")) {
        given++;
        status = params_u64(params, "at_seq", UINT64_MAX, &value, err);
        read->at = STET_AT_SEQ;
        if (status != STET_OK) return status;
    }
    read->at_value = value;
    if (given <= 1) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "only one of version, at and at_seq may be given");
    error_field(err, "version", 0);
    return STET_BAD_REQUEST;
}

void handle_record_get(struct request *request) {
    stet_error err;
    stet_read read = {
        .type = request->match.captures[CAPTURE_TYPE],
        .id = request->match.captures[CAPTURE_ID],
    };
    if (request->params.count > 0) {
        struct params *params = &request->params;
        stet_status status = take_at(params, &read, &err);
        if (status == STET_OK)
            status = params_u64(params, "min_seq", UINT64_MAX, &read.min_seq, &err);
        if (status == STET_OK) status = params_finish(params, &err);
        if (!request_ok(request, status, &err)) return;
    }
    read_submit(request, fill_read, &read, record_reply);
}

/* ---- Lists ---- */

static stet_status take_limit(struct params *params, uint64_t max, unsigned *out, stet_error *err) {
    uint64_t limit = 0;
    stet_status status = params_u64(params, "limit", max, &limit, err);
    if (status != STET_OK) return status;
    if (limit == 0 && params_has(params, "limit")) {
        error_set(err, STET_BAD_REQUEST, "the query parameter \"limit\" must be at least 1");
        error_field(err, "limit", max);
        return STET_BAD_REQUEST;
    }
    *out = (unsigned)limit;
    return STET_OK;
}

static stet_status fill_list(stet_command *command, const void *plan, stet_error *err) {
    return stet_command_list(command, plan, err);
}

void handle_record_list(struct request *request) {
    stet_error err;
    stet_list list = {.type = request->match.captures[CAPTURE_TYPE]};
    struct params *params = &request->params;
    stet_status status = take_limit(params, LIST_LIMIT_MAX, &list.limit, &err);
    if (status == STET_OK) status = params_text(params, "after", &list.after, &err);
    if (status == STET_OK) status = params_u64(params, "min_seq", UINT64_MAX, &list.min_seq, &err);
    if (status == STET_OK) status = params_flag(params, "total", &list.total, &err);
    if (status == STET_OK) status = params_text(params, "where", &list.where, &err);
    if (status == STET_OK) status = params_text(params, "sort", &list.sort, &err);
    if (status == STET_OK) status = params_text(params, "fields", &list.fields, &err);
    if (status == STET_OK) status = params_flag(params, "explain", &list.explain, &err);
    if (status == STET_OK) status = params_flag(params, "deleted", &list.deleted, &err);
    if (status == STET_OK) status = params_finish(params, &err);
    if (!request_ok(request, status, &err)) return;
    read_submit(request, fill_list, &list, request_reply_outcome);
}

static stet_status fill_history(stet_command *command, const void *plan, stet_error *err) {
    return stet_command_history(command, plan, err);
}

void handle_history(struct request *request) {
    stet_error err;
    stet_history history = {
        .type = request->match.captures[CAPTURE_TYPE],
        .id = request->match.captures[CAPTURE_ID],
    };
    struct params *params = &request->params;
    stet_status status = take_limit(params, HISTORY_LIMIT_MAX, &history.limit, &err);
    if (status == STET_OK) status = params_u64(params, "before", UINT64_MAX, &history.before, &err);
    if (status == STET_OK) status = params_flag(params, "data", &history.data, &err);
    if (status == STET_OK) status = params_finish(params, &err);
    if (!request_ok(request, status, &err)) return;
    read_submit(request, fill_history, &history, request_reply_outcome);
}

/* ---- The others ---- */

struct diff_plan {
    stet_view type, id;
    stet_version from, to;
};

static stet_status fill_diff(stet_command *command, const void *context, stet_error *err) {
    const struct diff_plan *plan = context;
    return stet_command_diff(command, plan->type, plan->id, plan->from, plan->to, err);
}

void handle_diff(struct request *request) {
    stet_error err;
    struct diff_plan plan = {
        .type = request->match.captures[CAPTURE_TYPE],
        .id = request->match.captures[CAPTURE_ID],
    };
    struct params *params = &request->params;
    stet_status status = params_u64(params, "from", UINT64_MAX, &plan.from, &err);
    if (status == STET_OK) status = params_u64(params, "to", UINT64_MAX, &plan.to, &err);
    if (status == STET_OK) status = params_finish(params, &err);
    if (!request_ok(request, status, &err)) return;
    if (plan.from == 0) {
        request_refuse_field(request, STET_BAD_REQUEST, "from",
                             "the query parameter \"from\" must name a version");
        return;
    }
    read_submit(request, fill_diff, &plan, request_reply_outcome);
}

static stet_status fill_concurrency(stet_command *command, const void *context, stet_error *err) {
    const stet_view *captures = context;
    return stet_command_concurrency(command, captures[CAPTURE_TYPE], captures[CAPTURE_ID], err);
}

/* The engine knows of those who changed it; who has it open, the connections know. */
static void reply_concurrency(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        request_refuse_outcome(request, status_http(outcome->status), NULL);
        return;
    }
    struct arena *arena = &request->arena;
    stet_view type = percent_encode(arena, request->match.captures[CAPTURE_TYPE]);
    stet_view id = percent_encode(arena, request->match.captures[CAPTURE_ID]);
    stet_view address = arena_format(arena, "%.*s/%.*s", VIEW_ARG(type), VIEW_ARG(id));
    struct buffer body;
    buffer_init(&body, arena, 0);
    buffer_append(&body, outcome->body.bytes, outcome->body.size - 1);
    buffer_append_char(&body, ',');
    if (type.bytes != NULL && id.bytes != NULL && address.bytes != NULL) {
        presence_write_readers(request->loop->server->presence,
                               request->match.captures[CAPTURE_SPACE], address, &body);
    } else {
        body.status = STET_NO_MEMORY;
    }
    buffer_append_char(&body, '}');
    if (buffer_status(&body) != STET_OK) {
        stet_error err = {.status = STET_NO_MEMORY, .message = "out of memory"};
        request_refuse(request, &err);
        return;
    }
    request_reply(request, &(struct reply){.http = 200, .body = buffer_view(&body)});
}

void handle_concurrency(struct request *request) {
    if (!request_params_done(request)) return;
    read_submit(request, fill_concurrency, request->match.captures, reply_concurrency);
}

static stet_status fill_receipt(stet_command *command, const void *context, stet_error *err) {
    return stet_command_receipt(command, *(const stet_view *)context, err);
}

void handle_receipt(struct request *request) {
    if (!request_params_done(request)) return;
    read_submit(request, fill_receipt, &request->match.captures[CAPTURE_KEY],
                request_reply_outcome);
}
