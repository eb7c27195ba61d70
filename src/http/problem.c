#include "http/problem.h"

#include "base/error.h"
#include "base/view.h"
#include "doc/doc.h"
#include "doc/write.h"

/* Conflict documents hold several copies of a record: larger than what a client may send. */
static const struct doc_limits member_limits = {
    .bytes_max = UINT32_MAX - 64, .depth_max = DOC_DEPTH_BOUND, .nodes_max = UINT32_MAX};

static bool is_ours(stet_view key) {
    return view_equal(key, VIEW("type")) || view_equal(key, VIEW("title")) ||
           view_equal(key, VIEW("status")) || view_equal(key, VIEW("request_id"));
}

void problem_write(struct buffer *buffer, struct arena *arena, const struct problem *problem) {
    struct doc members = {0};
    bool has_members =
        problem->members.size > 0 &&
        doc_parse(arena, problem->members, &member_limits, &members, NULL) == STET_OK &&
        doc_kind(&members, 0) == DOC_OBJECT;
    stet_view code = view_of(status_code(problem->status));
    struct json_writer writer;
    json_begin(&writer, buffer);
    json_object_begin(&writer);
    json_key(&writer, VIEW("type"));
    struct buffer type;
    buffer_init(&type, arena, 0);
    buffer_append_text(&type, "urn:stet:problem:");
    buffer_append_view(&type, code);
    json_text(&writer, buffer_view(&type));
    json_member_text(&writer, VIEW("title"), view_of(status_words(problem->status)));
    json_member_u64(&writer, VIEW("status"), (uint64_t)problem->http);
    if (!has_members || doc_member(&members, 0, VIEW("code")) == DOC_NONE)
        json_member_text(&writer, VIEW("code"), code);
    if (!has_members || doc_member(&members, 0, VIEW("detail")) == DOC_NONE)
        json_member_text(&writer, VIEW("detail"), problem->detail);
    if (problem->field.size > 0 &&
        (!has_members || doc_member(&members, 0, VIEW("field")) == DOC_NONE))
        json_member_text(&writer, VIEW("field"), problem->field);
    if (problem->limit > 0 && (!has_members || doc_member(&members, 0, VIEW("limit")) == DOC_NONE))
        json_member_u64(&writer, VIEW("limit"), problem->limit);
    if (has_members) {
        for (doc_node child = doc_first(&members, 0); child != DOC_NONE;
             child = doc_next(&members, child)) {
            stet_view key = doc_key_raw(&members, child);
            if (is_ours(key)) continue;
            json_key_raw(&writer, key);
            json_raw(&writer, doc_text(&members, child));
        }
    }
    if (problem->request_id.size > 0)
        json_member_text(&writer, VIEW("request_id"), problem->request_id);
    json_object_end(&writer);
    (void)json_end(&writer); /* The buffer keeps the failure. */
}

unsigned problem_retry_after_s(stet_status status) {
    switch (status_retry(status)) {
    case STATUS_RETRY_NO: return 0;
    case STATUS_RETRY_LATER: return 1;
    case STATUS_RETRY_SAME_KEY: return 5; /* The space has to be opened again first. */
    }
    return 0;
}

unsigned problem_outcome_retry_after_s(struct arena *arena, const stet_outcome *outcome) {
    struct doc doc;
    uint64_t seconds = 0;
    if (problem_retry_after_s(outcome->status) == 0 ||
        doc_parse(arena, outcome->body, NULL, &doc, NULL) != STET_OK)
        return 0;
    doc_node node = doc_member(&doc, 0, VIEW("retry_after"));
    if (node == DOC_NONE || !doc_u64(&doc, node, &seconds)) return 0;
    return seconds > UINT32_MAX ? UINT32_MAX : (unsigned)seconds;
}
