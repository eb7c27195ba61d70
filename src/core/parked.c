#include "core/parked.h"

#include "base/error.h"
#include "base/view.h"

static void copy_member(struct json_writer *writer, const struct doc *doc, const char *name) {
    doc_node node = doc_member(doc, 0, view_of(name));
    if (node != DOC_NONE) json_member_raw(writer, view_of(name), doc_text(doc, node));
}

bool parked_is_kept(struct arena *arena, const struct store_change *change) {
    struct doc doc;
    stet_view event;
    if (!type_is_system(change->type) || change->op != STORE_CREATE ||
        doc_parse(arena, change->data, NULL, &doc, NULL) != STET_OK)
        return false;
    doc_node node = doc_member(&doc, 0, VIEW("event"));
    return doc_member(&doc, 0, VIEW("fallback")) != DOC_NONE && node != DOC_NONE &&
           doc_string(arena, &doc, node, &event) == STET_OK && view_equal(event, VIEW("opened"));
}

stet_status parked_render(struct arena *arena, struct json_writer *writer,
                          const struct store_change *kept, bool dry_run, stet_error *err) {
    static const char *const members[] = {"state",           "address",  "base_version",
                                          "current_version", "deadline", "fallback"};
    struct doc doc;
    stet_status status = change_parse(arena, kept->data, &doc, err);
    if (status != STET_OK) return status;
    json_member_text(writer, VIEW("status"), VIEW("parked"));
    /* What was only tried has no name to be found by. */
    if (!dry_run) json_member_text(writer, VIEW("conflict_id"), kept->id);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        copy_member(writer, &doc, members[i]);
    json_member_bool(writer, VIEW("applied"), false);
    return STET_OK;
}

static stet_status read_now(struct stet_command *command, const struct store_change *kept,
                            struct store_change *now, stet_error *err) {
    struct store_reader *reader;
    struct store_head head;
    stet_status status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    status = store_head(reader, kept->type, kept->id, &head, err);
    if (status == STET_OK && head.version > 0)
        status = store_change_at(reader, &command->arena, head.seq, now, err);
    space_reader_give(command->space, reader);
    if (status == STET_OK && head.version == 0) *now = *kept;
    return status;
}

stet_status parked_follow(struct stet_command *command, const struct store_change *kept,
                          stet_view *out, uint64_t *version, stet_error *err) {
    struct store_change now;
    struct doc doc;
    stet_view state;
    bool stayed = false;
    *out = VIEW("rejected");
    *version = 0;
    stet_status status = read_now(command, kept, &now, err);
    if (status == STET_OK) status = change_parse(&command->arena, now.data, &doc, err);
    if (status != STET_OK) return status;
    doc_node node = doc_member(&doc, 0, VIEW("state"));
    if (now.op == STORE_DELETE || node == DOC_NONE ||
        doc_string(&command->arena, &doc, node, &state) != STET_OK)
        return STET_OK;
    if (view_equal(state, VIEW("open"))) {
        *out = VIEW("pending");
        return STET_OK;
    }
    node = doc_member(&doc, 0, VIEW("kept"));
    if (node != DOC_NONE && doc_bool(&doc, node, &stayed) && stayed) return STET_OK;
    node = doc_member(&doc, 0, VIEW("result_version"));
    if (node != DOC_NONE && doc_u64(&doc, node, version) && *version > 0) *out = VIEW("confirmed");
    return STET_OK;
}
