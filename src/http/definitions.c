#include "http/definitions.h"

#include "base/error.h"
#include "base/view.h"

stet_status definition_begin(struct request *request, unsigned parts, bool deletes,
                             struct definition **definition, stet_error *err) {
    struct definition *made = arena_zalloc(&request->arena, 1, sizeof *made);
    if (made == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    made->deletes = deletes;
    request->state = made;
    *definition = made;
    return terms_read(&made->terms, request, deletes ? parts & ~(unsigned)TERMS_ABSENT : parts,
                      err);
}

static stet_status read_envelope(struct request *request, struct definition *definition,
                                 unsigned parts, stet_error *err) {
    struct body body;
    stet_status status = request_parse_body(request, &definition->doc, err);
    if (status == STET_OK)
        status = body_read(&body, &request->arena, &definition->doc, 0,
                           terms_members(parts) | MEMBER_BIT(MEMBER_DATA), "", err);
    if (status == STET_OK) status = terms_read_body(&definition->terms, &body, err);
    if (status == STET_OK) status = body_json(&body, MEMBER_DATA, false, &definition->text, err);
    if (status == STET_OK && !definition->deletes && !body_has(&body, MEMBER_DATA))
        status = body_bad(&body, MEMBER_DATA, "is missing", err);
    return status;
}

stet_status definition_read(struct request *request, struct definition *definition, unsigned parts,
                            const char *what, stet_error *err) {
    enum media media = media_parse(request->headers.content_type);
    stet_status status = params_finish(&request->params, err);
    if (status != STET_OK) return status;
    if (request->body.size == 0 && definition->deletes) return STET_OK;
    if (media == MEDIA_STET || (media == MEDIA_JSON && definition->deletes))
        return read_envelope(request, definition, parts, err);
    if (media != MEDIA_JSON)
        return request_bad_media("application/json or application/stet+json", err);
    definition->text = request_body_view(request);
    if (definition->text.size > 0) return STET_OK;
    error_set(err, STET_BAD_JSON, "the body is empty; it must be %s", what);
    error_field(err, "body", 0);
    return STET_BAD_JSON;
}

void definition_submit(struct request *request, stet_status status, stet_error *err) {
    if (status == STET_BAD_JSON && err->field[0] == '\0') error_field(err, "body", 0);
    if (request_ok(request, status, err)) request_submit(request, terms_reply);
}

stet_status definitions_read(struct request *request, struct definition *definitions,
                             enum member member, stet_error *err) {
    struct body body;
    stet_status status = params_finish(&request->params, err);
    if (status == STET_OK && media_parse(request->headers.content_type) != MEDIA_JSON)
        status = request_bad_media("application/json", err);
    if (status == STET_OK) status = request_parse_body(request, &definitions->doc, err);
    if (status == STET_OK)
        status = body_read(&body, &request->arena, &definitions->doc, 0,
                           MEMBER_BIT(member) | terms_members(TERMS_KEY), "", err);
    if (status == STET_OK) status = terms_read_body(&definitions->terms, &body, err);
    if (status == STET_OK) status = body_json(&body, member, false, &definitions->text, err);
    if (status == STET_OK && !body_has(&body, member))
        status = body_bad(&body, member, "is missing", err);
    return status;
}

void definition_reply(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        request_reply_outcome(request);
        return;
    }
    bool known = request->headers.if_none_match.bytes != NULL &&
                 etag_list_has(request->headers.if_none_match, outcome->version);
    struct reply reply = {
        .http = known ? 304 : 200, .body = outcome->body, .etag = outcome->version};
    request_reply(request, &reply);
}
