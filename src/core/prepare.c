/*
 * Preparing a write on the submitting thread: everything that does not depend on what the sequencer has yet to decide. A base is
 * an immutable version, so what is computed from it ("yours") stays true however far the head moves on.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/view.h"
#include "core/client.h"
#include "core/render.h"
#include "core/resolve.h"
#include "doc/patch.h"

#include <assert.h>

/* A failure that matters only if the write turns out to be made from the head. */
static stet_status postpone(struct stet_command *command, struct mutation *mutation,
                            stet_error *err) {
    mutation->prepare_status = err->status;
    mutation->prepare_error = arena_alloc(&command->arena, sizeof *err);
    if (mutation->prepare_error == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    *mutation->prepare_error = *err;
    *err = (stet_error){0};
    return STET_OK;
}

static bool is_worth_postponing(stet_status status) {
    return status == STET_NOT_FOUND || status == STET_PRUNED || status == STET_PATCH_FAILED ||
           status == STET_CONCURRENT_MODIFICATION || status == STET_TOO_LARGE ||
           status == STET_BAD_REQUEST;
}

/* {created_at, created_by, updated_at, updated_by} of an import, as the change keeps it. */
static stet_view encode_origin(struct arena *arena, const stet_origin *origin) {
    struct buffer buffer;
    struct json_writer writer;
    if (origin->created_at == 0 && origin->updated_at == 0 && view_is_empty(origin->created_by) &&
        view_is_empty(origin->updated_by))
        return (stet_view){0};
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    if (origin->created_at != 0) {
        json_key(&writer, VIEW("created_at"));
        json_rfc3339(&writer, origin->created_at);
    }
    if (origin->created_by.size > 0)
        json_member_text(&writer, VIEW("created_by"), origin->created_by);
    if (origin->updated_at != 0) {
        json_key(&writer, VIEW("updated_at"));
        json_rfc3339(&writer, origin->updated_at);
    }
    if (origin->updated_by.size > 0)
        json_member_text(&writer, VIEW("updated_by"), origin->updated_by);
    json_object_end(&writer);
    return json_end(&writer) == STET_OK ? buffer_view(&buffer) : (stet_view){0};
}

static stet_status build_change(struct stet_command *command, struct mutation *mutation,
                                stet_error *err) {
    struct change_parts parts = {
        .op = STORE_UPDATE,
        .type = mutation->type,
        .id = mutation->id,
        .by = command->actor.id,
        .key = command->key,
        .source = command->source,
        .merge = command->merge,
        .origin =
            mutation->imported ? encode_origin(&command->arena, &mutation->origin) : (stet_view){0},
        .data = mutation->yours_data,
        .hash = mutation->yours_hash,
    };
    change_unref(mutation->change); /* Of a submission that was refused as busy. */
    mutation->change = change_create(&parts);
    return mutation->change == NULL ? error_set(err, STET_NO_MEMORY, "out of memory for a change")
                                    : STET_OK;
}

/* The version a base in time names: the one whose updated_at it is, exactly; else one that nobody has. */
static stet_status base_from_time(struct stet_command *command, struct mutation *mutation,
                                  struct store_reader *reader, const struct change *head,
                                  stet_error *err) {
    struct arena *arena = &command->arena;
    int64_t asked = (int64_t)mutation->base.value;
    mutation->base.kind = STET_BASE_VERSION;
    mutation->base.value = UINT64_MAX;
    if (head == NULL) return STET_OK;
    if (change_updated_at(arena, &head->row) == asked) {
        mutation->base.value = head->row.version;
        return STET_OK;
    }
    struct store_head stored;
    struct store_change change;
    stet_status status = store_head(reader, mutation->type, mutation->id, &stored, err);
    if (status != STET_OK) return status;
    status = store_find(reader, arena, &stored, STORE_BOUND_STAMP, (uint64_t)asked, &change, err);
    if (status == STET_NOT_FOUND || status == STET_PRUNED) return STET_OK;
    if (status != STET_OK) return status;
    if (change.stamp == asked) mutation->base.value = change.version;
    return STET_OK;
}

/* The data of one version of the record: from the head when it is that, else from the store. */
static stet_status version_data(struct stet_command *command, const struct mutation *mutation,
                                struct store_reader *reader, const struct change *head,
                                uint64_t version, stet_view *data, stet_error *err) {
    struct store_head stored;
    struct store_change change;
    if (head != NULL && head->row.version == version && !change_is_delete(head)) {
        *data = arena_copy(&command->arena, head->row.data);
        return data->bytes == NULL ? error_set(err, STET_NO_MEMORY, "out of memory") : STET_OK;
    }
    stet_status status = store_head(reader, mutation->type, mutation->id, &stored, err);
    if (status != STET_OK) return status;
    if (stored.version == 0) return error_set(err, STET_NOT_FOUND, "the record does not exist");
    status =
        store_find(reader, &command->arena, &stored, STORE_BOUND_VERSION, version, &change, err);
    if (status == STET_NOT_FOUND || (status == STET_OK && change.version != version))
        return error_set(err, STET_NOT_FOUND, "the record has no version %llu",
                         (unsigned long long)version);
    if (status != STET_OK) return status;
    if (change.op == STORE_DELETE)
        return error_set(err, STET_NOT_FOUND, "version %llu is a deletion",
                         (unsigned long long)version);
    if (change.pruned)
        return error_set(err, STET_PRUNED, "version %llu is no longer kept",
                         (unsigned long long)version);
    *data = change.data;
    return STET_OK;
}

static stet_status yours_from_patch(struct stet_command *command, struct mutation *mutation,
                                    struct store_reader *reader, const struct change *head,
                                    stet_error *err) {
    struct arena *arena = &command->arena;
    struct doc target, result;
    stet_view base, data;
    if (mutation->base.kind != STET_BASE_VERSION) return STET_OK; /* Will be refused anyway. */
    stet_status status =
        version_data(command, mutation, reader, head, mutation->base.value, &base, err);
    if (status != STET_OK) return status;
    status = change_parse(arena, base, &target, err);
    if (status != STET_OK) return status;
    status = mutation->op == STET_OP_PATCH
                 ? doc_merge_patch(arena, &target, &mutation->body_doc, &data, err)
                 : doc_json_patch(arena, &target, &mutation->body_doc, &data, err);
    if (status != STET_OK) return status;
    status = doc_parse(arena, data, NULL, &result, err);
    if (status != STET_OK) return status;
    if (doc_kind(&result, 0) != DOC_OBJECT) {
        error_set(err, STET_PATCH_FAILED, "the patch does not leave a JSON object");
        error_field(err, "patch", 0);
        return STET_PATCH_FAILED;
    }
    mutation->yours_data = data;
    mutation->yours_hash = doc_hash(&result, 0);
    mutation->has_yours = true;
    return STET_OK;
}

static stet_status yours_from_version(struct stet_command *command, struct mutation *mutation,
                                      struct store_reader *reader, const struct change *head,
                                      stet_error *err) {
    struct doc doc;
    stet_view data;
    stet_status status =
        version_data(command, mutation, reader, head, mutation->revert_to, &data, err);
    if (status != STET_OK) {
        error_field(err, "to", 0);
        return status;
    }
    status = change_parse(&command->arena, data, &doc, err);
    if (status != STET_OK) return status;
    mutation->yours_data = data;
    mutation->yours_hash = doc_hash(&doc, 0);
    mutation->has_yours = true;
    return STET_OK;
}

/* What needs the record as it is or was: patches, deletes, reverts, bases in time. */
static stet_status prepare_from_record(struct stet_command *command, struct mutation *mutation,
                                       stet_error *err) {
    struct stet_client *client = command->client;
    struct change *head = NULL;
    struct store_reader *reader = NULL;
    stet_status status =
        client_head(client, command->space, mutation->type, mutation->id, &head, err);
    if (status == STET_NOT_FOUND) {
        *err = (stet_error){0};
        status = STET_OK;
    }
    if (status != STET_OK) return status;
    status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) goto done;
    if (mutation->base.kind == STET_BASE_UPDATED_AT) {
        status = base_from_time(command, mutation, reader, head, err);
        if (status != STET_OK) goto done;
    }
    if (head != NULL) mutation->prepared_version = head->row.version;
    switch (mutation->op) {
    case STET_OP_PATCH:
    case STET_OP_PATCH_JSON: status = yours_from_patch(command, mutation, reader, head, err); break;
    case STET_OP_REVERT: status = yours_from_version(command, mutation, reader, head, err); break;
    case STET_OP_DELETE:
        if (head != NULL) {
            mutation->last_data = arena_copy(&command->arena, head->row.data);
            if (mutation->last_data.bytes == NULL)
                status = error_set(err, STET_NO_MEMORY, "out of memory");
        }
        break;
    case STET_OP_CREATE:
    case STET_OP_PUT:
    case STET_OP_CHECK: break;
    }
    if (status != STET_OK && is_worth_postponing(status)) {
        err->status = status;
        status = postpone(command, mutation, err);
    }
done:
    space_reader_give(command->space, reader);
    change_unref(head);
    return status;
}

static stet_status prepare_mutation(struct stet_command *command, struct mutation *mutation,
                                    stet_error *err) {
    stet_status status = STET_OK;
    if (mutation->imported && !command->actor.admin)
        return error_set(err, STET_FORBIDDEN, "only an administrator may import");
    if (mutation->op == STET_OP_CREATE || mutation->op == STET_OP_PUT) {
        mutation->yours_data = mutation->body;
        mutation->yours_hash = doc_hash(&mutation->body_doc, 0);
        mutation->has_yours = true;
    }
    bool needs_record = mutation->base.kind == STET_BASE_UPDATED_AT ||
                        mutation->op == STET_OP_PATCH || mutation->op == STET_OP_PATCH_JSON ||
                        mutation->op == STET_OP_REVERT || mutation->op == STET_OP_DELETE;
    if (needs_record) status = prepare_from_record(command, mutation, err);
    if (status == STET_OK && mutation->has_yours) status = build_change(command, mutation, err);
    return status;
}

stet_status command_prepare(struct stet_command *command, stet_error *err) {
    stet_error local = {0};
    if (err == NULL) err = &local;
    stet_status status = STET_OK;
    if (command->kind == COMMAND_RESOLVE) status = resolve_prepare(command, err);
    if (status == STET_OK && command->prepare != NULL) status = command->prepare(command, err);
    for (size_t i = 0; status == STET_OK && i < command->mutation_count; i++) {
        if (command->mutations[i].op == STET_OP_REVERT && view_is_empty(command->source) &&
            !command->transaction)
            command->source = arena_format(&command->arena, "revert:%llu",
                                           (unsigned long long)command->mutations[i].revert_to);
        status = prepare_mutation(command, &command->mutations[i], err);
    }
    return status;
}
