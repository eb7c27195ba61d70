/*
 * Calendars: what takes place, when there is room, occurrences of a series, and iCalendar both ways.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/handlers.h"
#include "http/terms.h"

/* ---- Parameters ---- */

static stet_status read_fields(struct request *request, stet_calendar_fields *fields,
                               stet_error *err) {
    struct params *params = &request->params;
    /* As most types call them. */
    *fields = (stet_calendar_fields){.summary = VIEW("/title"),
                                     .description = VIEW("/description"),
                                     .location = VIEW("/location"),
                                     .status = VIEW("/status")};
    stet_status status = params_text(params, "summary", &fields->summary, err);
    if (status == STET_OK) status = params_text(params, "description", &fields->description, err);
    if (status == STET_OK) status = params_text(params, "location", &fields->location, err);
    if (status == STET_OK) status = params_text(params, "status", &fields->status, err);
    return status;
}

/* resource=red&resource=blue: at most SPAN_RESOURCES_MAX of them. */
static stet_status read_resources(struct params *params, stet_view resources[SPAN_RESOURCES_MAX],
                                  size_t *count, stet_error *err) {
    unsigned cursor = 0;
    stet_view resource;
    *count = 0;
    while (params_next(params, "resource", &cursor, &resource)) {
        if (*count == SPAN_RESOURCES_MAX) {
            stet_status status =
                error_set(err, STET_BAD_REQUEST, "fewer resources are looked at at once");
            error_field(err, "resource", SPAN_RESOURCES_MAX);
            return status;
        }
        resources[(*count)++] = resource;
    }
    return STET_OK;
}

/* ---- GET …/calendar/{type} ---- */

/* {"calendar": text}: the text is the answer. */
static void reply_icalendar(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    struct doc doc;
    stet_view text;
    stet_error err;
    if (outcome->status != STET_OK) {
        request_reply_outcome(request);
        return;
    }
    const struct doc_limits limits = {.bytes_max = 8u * CALENDAR_TEXT_BYTES_MAX,
                                      .depth_max = JSON_DEPTH_MAX,
                                      .nodes_max = JSON_NODES_MAX};
    stet_status status = doc_parse(&request->arena, outcome->body, &limits, &doc, &err);
    doc_node node = status == STET_OK ? doc_member(&doc, 0, VIEW("calendar")) : DOC_NONE;
    if (node != DOC_NONE) status = doc_string(&request->arena, &doc, node, &text);
    if (status != STET_OK || node == DOC_NONE) {
        error_set(&err, STET_NO_MEMORY, "out of memory for a calendar");
        request_refuse(request, &err);
        return;
    }
    const struct reply reply = {
        .http = 200, .body = text, .content_type = "text/calendar; charset=utf-8"};
    request_reply(request, &reply);
}

void handle_calendar_get(struct request *request) {
    struct params *params = &request->params;
    stet_calendar asked = {.type = request->match.captures[CAPTURE_TYPE]};
    stet_view accept = request->headers.accept, resources[SPAN_RESOURCES_MAX];
    stet_error err;
    uint64_t limit = 0;
    asked.icalendar = accept_names(accept, "text", "calendar");
    asked.resources = resources;
    stet_status status = read_resources(params, resources, &asked.resource_count, &err);
    if (status == STET_OK) status = params_text(params, "field", &asked.field, &err);
    if (status == STET_OK) status = params_text(params, "from", &asked.from, &err);
    if (status == STET_OK) status = params_text(params, "to", &asked.to, &err);
    if (status == STET_OK) status = params_text(params, "zone", &asked.zone, &err);
    if (status == STET_OK) status = params_u64(params, "min_seq", UINT64_MAX, &asked.min_seq, &err);
    if (status == STET_OK && asked.icalendar) status = read_fields(request, &asked.fields, &err);
    if (status == STET_OK && !asked.icalendar)
        status = params_text(params, "after", &asked.after, &err);
    if (status == STET_OK && !asked.icalendar)
        status = params_u64(params, "limit", CALENDAR_LIMIT_MAX, &limit, &err);
    if (status == STET_OK) status = params_finish(params, &err);
    if (status == STET_OK && !asked.icalendar && !accept_allows(accept, "application", "json")) {
        status =
            error_set(&err, STET_NOT_ACCEPTABLE, "there are application/json and text/calendar");
        error_field(&err, "Accept", 0);
    }
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    asked.limit = (unsigned)limit;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_calendar(command, &asked, &err);
    if (request_ok(request, status, &err))
        request_submit(request, asked.icalendar ? reply_icalendar : request_reply_outcome);
}

/* ---- GET …/free/{type} ---- */

void handle_calendar_free(struct request *request) {
    struct params *params = &request->params;
    stet_calendar_free asked = {.type = request->match.captures[CAPTURE_TYPE]};
    stet_view resources[SPAN_RESOURCES_MAX];
    stet_error err;
    uint64_t limit = 0, weight = 0;
    asked.resources = resources;
    stet_status status = read_resources(params, resources, &asked.resource_count, &err);
    if (status == STET_OK)
        status = params_u64(params, "duration", (uint64_t)SPAN_DAYS_MAX * 86400, &asked.duration_s,
                            &err);
    if (status == STET_OK) status = params_text(params, "field", &asked.field, &err);
    if (status == STET_OK) status = params_text(params, "from", &asked.from, &err);
    if (status == STET_OK) status = params_text(params, "to", &asked.to, &err);
    if (status == STET_OK) status = params_text(params, "zone", &asked.zone, &err);
    if (status == STET_OK) status = params_u64(params, "weight", SPAN_CAPACITY_MAX, &weight, &err);
    if (status == STET_OK) status = params_u64(params, "limit", CALENDAR_FREE_MAX, &limit, &err);
    if (status == STET_OK) status = params_u64(params, "min_seq", UINT64_MAX, &asked.min_seq, &err);
    if (status == STET_OK) status = params_finish(params, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    asked.limit = (unsigned)limit;
    asked.weight = (uint32_t)weight;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_calendar_free(command, &asked, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* ---- POST …/calendar/{type}/{id}/series ---- */

struct series_plan {
    struct terms terms; /* First: terms_reply reads request->state as terms. */
    stet_series_change change;
};

static stet_status wrong(stet_error *err, const char *field, const char *what) {
    error_set(err, STET_BAD_REQUEST, "%s", what);
    error_field(err, field, 0);
    return STET_BAD_REQUEST;
}

static stet_status read_scope(stet_view text, stet_series_scope *scope, stet_error *err) {
    static const char *const names[] = {"one", "following", "all"};
    for (unsigned i = 0; i < 3; i++) {
        if (!view_equal(text, view_of(names[i]))) continue;
        *scope = (stet_series_scope)i;
        return STET_OK;
    }
    return wrong(err, "/scope", "is \"one\", \"following\" or \"all\"");
}

static stet_status read_member(struct request *request, const struct doc *doc, doc_node member,
                               struct series_plan *plan, bool *scoped, stet_error *err) {
    stet_series_change *change = &plan->change;
    stet_view name = doc_key_raw(doc, member), text = {0};
    bool is_text = doc_string(&request->arena, doc, member, &text) == STET_OK;
    if (view_equal(name, VIEW("scope"))) {
        *scoped = true;
        return read_scope(text, &change->scope, err);
    }
    if (view_equal(name, VIEW("original_start"))) {
        change->original_start = text;
        return is_text ? STET_OK : wrong(err, "/original_start", "is text");
    }
    if (view_equal(name, VIEW("new_id"))) {
        change->new_id = text;
        return is_text ? STET_OK : wrong(err, "/new_id", "is text");
    }
    if (view_equal(name, VIEW("client_mutation_id"))) {
        if (plan->terms.key.size == 0) plan->terms.key = text;
        return is_text ? STET_OK : wrong(err, "/client_mutation_id", "is text");
    }
    if (view_equal(name, VIEW("patch"))) {
        change->patch = doc_text(doc, member);
        return STET_OK;
    }
    if (view_equal(name, VIEW("delete"))) {
        return doc_bool(doc, member, &change->deletes) ? STET_OK
                                                       : wrong(err, "/delete", "is true or false");
    }
    if (view_equal(name, VIEW("base_version"))) {
        uint64_t version;
        if (!doc_u64(doc, member, &version) || version == 0)
            return wrong(err, "/base_version", "is a version");
        if (plan->terms.base.kind == STET_BASE_VERSION && plan->terms.base.value != version)
            return wrong(err, "/base_version", "differs from the one in If-Match or the query");
        plan->terms.base = (stet_base){.kind = STET_BASE_VERSION, .value = version};
        return STET_OK;
    }
    error_set(err, STET_BAD_REQUEST, "there is no such member here");
    error_field_view(err, name, 0);
    return STET_BAD_REQUEST;
}

static stet_status read_series(struct request *request, struct series_plan *plan, stet_error *err) {
    struct doc doc;
    bool scoped = false;
    stet_status status =
        terms_read(&plan->terms, request, TERMS_KEY | TERMS_DRY_RUN | TERMS_BASE_VERSION, err);
    if (status == STET_OK) status = params_finish(&request->params, err);
    if (status == STET_OK) status = request_json_body(request, &doc, err);
    if (status != STET_OK) return status;
    if (doc_kind(&doc, 0) != DOC_OBJECT) return wrong(err, "body", "is an object");
    for (doc_node member = doc_first(&doc, 0); member != DOC_NONE && status == STET_OK;
         member = doc_next(&doc, member))
        status = read_member(request, &doc, member, plan, &scoped, err);
    if (status == STET_OK && !scoped)
        status = wrong(err, "/scope", "is missing: \"one\", \"following\" or \"all\"");
    plan->change.type = request->match.captures[CAPTURE_TYPE];
    plan->change.id = request->match.captures[CAPTURE_ID];
    if (plan->terms.base.kind == STET_BASE_VERSION) plan->change.base = plan->terms.base.value;
    plan->change.mutation_key = plan->terms.key;
    plan->change.dry_run = plan->terms.dry_run;
    return status;
}

void handle_series(struct request *request) {
    stet_error err;
    struct series_plan *plan = arena_zalloc(&request->arena, 1, sizeof *plan);
    request->state = plan;
    stet_status status = plan == NULL ? error_set(&err, STET_NO_MEMORY, "out of memory")
                                      : read_series(request, plan, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_series(command, &plan->change, &err);
    if (request_ok(request, status, &err)) request_submit(request, terms_reply);
}

/* ---- POST …/calendar/{type} ---- */

void handle_calendar_import(struct request *request) {
    struct params *params = &request->params;
    stet_calendar_import asked = {.type = request->match.captures[CAPTURE_TYPE],
                                  .text = request_body_view(request)};
    stet_view on_error = {0}, media = request->headers.content_type;
    stet_error err;
    struct terms *terms = arena_zalloc(&request->arena, 1, sizeof *terms);
    request->state = terms;
    stet_status status = terms == NULL
                             ? error_set(&err, STET_NO_MEMORY, "out of memory")
                             : terms_read(terms, request, TERMS_KEY | TERMS_DRY_RUN, &err);
    if (status == STET_OK) status = params_text(params, "resource", &asked.resource, &err);
    if (status == STET_OK) status = params_text(params, "field", &asked.field, &err);
    if (status == STET_OK) status = params_text(params, "zone", &asked.zone, &err);
    if (status == STET_OK) status = params_text(params, "on_error", &on_error, &err);
    if (status == STET_OK) status = params_flag(params, "replace", &asked.replace, &err);
    if (status == STET_OK) status = read_fields(request, &asked.fields, &err);
    if (status == STET_OK) status = params_finish(params, &err);
    if (status == STET_OK && on_error.size > 0 && !view_equal(on_error, VIEW("stop")) &&
        !view_equal(on_error, VIEW("continue")))
        status = wrong(&err, "on_error", "is \"stop\" or \"continue\"");
    stet_view kind = media;
    if (!text_next(&media, ';', &kind) || !view_equal_nocase(kind, VIEW("text/calendar"))) {
        if (status == STET_OK) status = request_bad_media("text/calendar", &err);
    }
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    asked.skip_errors = view_equal(on_error, VIEW("continue"));
    asked.mutation_key = terms->key;
    asked.dry_run = terms->dry_run;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_calendar_import(command, &asked, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}
