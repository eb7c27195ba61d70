/*
 * Preparing a write on the submitting thread: everything that does not depend on what the sequencer has yet to decide. A base is
 * an immutable version, so what is computed from it ("yours") stays true however far the head moves on.
 */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/client.h"
#include "core/data.h"
#include "core/merging.h"
#include "core/render.h"
#include "core/resolve.h"
#include "core/settle_hop.h"
#include "core/veil.h"

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
           status == STET_BAD_REQUEST || status == STET_FORBIDDEN;
}

/* {created_at, created_by, updated_at, updated_by} of an import, the writer's own modified_at, and by what it was made, as the change keeps
   them. */
static stet_view encode_origin(struct stet_command *command, const struct mutation *mutation) {
    static const stet_origin nothing = {0};
    struct arena *arena = &command->arena;
    const stet_origin *origin = mutation->imported ? &mutation->origin : &nothing;
    /* Of an import, what it was made by elsewhere. */
    const struct provenance_made there = {origin->operation, origin->function, origin->inputs};
    const struct provenance_made *made = origin->history ? &there : &command->made;
    struct buffer buffer;
    struct json_writer writer;
    if (origin->created_at == 0 && origin->updated_at == 0 && view_is_empty(origin->created_by) &&
        view_is_empty(origin->updated_by) && mutation->modified_at == 0 && !origin->history &&
        view_is_empty(made->operation) && view_is_empty(made->function))
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
    if (mutation->modified_at != 0) {
        json_key(&writer, VIEW("modified_at"));
        json_rfc3339(&writer, mutation->modified_at);
    }
    if (origin->history) {
        json_member_bool(&writer, VIEW("history"), true);
        if (origin->source.size > 0) json_member_text(&writer, VIEW("source"), origin->source);
        if (origin->mutation_key.size > 0)
            json_member_text(&writer, VIEW("client_mutation_id"), origin->mutation_key);
        if (origin->merge.size > 0) json_member_raw(&writer, VIEW("merge"), origin->merge);
        if (origin->forked_from.size > 0)
            json_member_text(&writer, VIEW("forked_from"), origin->forked_from);
    }
    if (origin->history && origin->bypass) json_member_bool(&writer, VIEW("bypass"), true);
    if (made->operation.size > 0) json_member_text(&writer, VIEW("operation"), made->operation);
    if (made->function.size > 0) json_member_text(&writer, VIEW("function"), made->function);
    if (made->inputs.size > 0) json_member_raw(&writer, VIEW("inputs"), made->inputs);
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
        .origin = mutation->origin_json,
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

static stet_status stored_version(struct stet_command *command, const struct mutation *mutation,
                                  struct store_reader *reader, const struct change *head,
                                  uint64_t version, struct store_change *row, stet_error *err) {
    struct store_head stored;
    /* Most often it is the one before the head, which says where that stands. */
    if (head != NULL && head->row.version == version + 1 && head->row.prev != 0)
        return store_change_at(reader, &command->arena, head->row.prev, row, err);
    stet_status status = store_head(reader, mutation->type, mutation->id, &stored, err);
    if (status != STET_OK) return status;
    if (stored.version == 0) return error_set(err, STET_NOT_FOUND, "the record does not exist");
    status = store_find(reader, &command->arena, &stored, STORE_BOUND_VERSION, version, row, err);
    if (status == STET_NOT_FOUND || (status == STET_OK && row->version != version))
        return error_set(err, STET_NOT_FOUND, "the record has no version %llu",
                         (unsigned long long)version);
    return status;
}

/* One version of the record, which has data: from memory when it is there, else from the store. Owned by the caller. */
static stet_status find_version(struct stet_command *command, const struct mutation *mutation,
                                struct store_reader *reader, struct change *head, uint64_t version,
                                struct change **found, stet_error *err) {
    struct change *change = NULL;
    stet_status status = STET_OK;
    if (head != NULL && head->row.version == version)
        change = change_ref(head);
    else if (head != NULL)
        change = ring_find_version(&command->space->ring, &head->row, version);
    if (change == NULL) {
        struct store_change row;
        status = stored_version(command, mutation, reader, head, version, &row, err);
        if (status != STET_OK) return status;
        change = change_from_row(&row);
        if (change == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a change");
    }
    if (change_is_delete(change))
        status = error_set(err, STET_NOT_FOUND, "version %llu is a deletion",
                           (unsigned long long)version);
    else if (change->row.pruned)
        status = error_set(err, STET_PRUNED, "version %llu is no longer kept",
                           (unsigned long long)version);
    if (status == STET_OK)
        *found = change;
    else
        change_unref(change);
    return status;
}

static struct veil veil_of(struct stet_command *command, const struct mutation *mutation) {
    return (struct veil){.space = command->space,
                         .policy = mutation->policy,
                         .actor = &command->actor,
                         .arena = &command->arena};
}

static stet_status yours_from_patch(struct stet_command *command, struct mutation *mutation,
                                    struct store_reader *reader, struct change *head,
                                    stet_error *err) {
    struct change *base;
    if (mutation->base.kind != STET_BASE_VERSION) return STET_OK; /* Will be refused anyway. */
    stet_status status =
        find_version(command, mutation, reader, head, mutation->base.value, &base, err);
    if (status != STET_OK) return status;
    /* Kept for the sequencer, which needs it again should the write be stale. */
    change_unref(mutation->base_change);
    mutation->base_change = base;
    const struct veil veil = veil_of(command, mutation);
    status = veil_base(&veil, &base->row, err);
    if (status != STET_OK) return status;
    status = veil_patch(&veil, mutation, &base->row, &mutation->yours_data, &mutation->yours_doc,
                        &mutation->yours_hash, err);
    mutation->has_yours = status == STET_OK;
    return status;
}

static stet_status yours_from_version(struct stet_command *command, struct mutation *mutation,
                                      struct store_reader *reader, struct change *head,
                                      stet_error *err) {
    struct doc doc;
    struct change *then;
    stet_status status =
        find_version(command, mutation, reader, head, mutation->revert_to, &then, err);
    if (status != STET_OK) {
        error_field(err, "to", 0);
        return status;
    }
    const struct veil veil = veil_of(command, mutation);
    status = veil_base(&veil, &then->row, err);
    stet_view data = arena_copy(&command->arena, then->row.data);
    change_unref(then);
    if (status != STET_OK) {
        error_field(err, "to", 0);
        return status;
    }
    if (data.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
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
    if (status == STET_OK) status = settle_ahead(command, mutation, head, err);
done:
    space_reader_give(command->space, reader);
    change_unref(head);
    return status;
}

/* A client's clock may be wrong, but a time that has not come would win over everybody until then. */
static stet_status check_modified_at(const struct stet_command *command,
                                     const struct mutation *mutation, stet_error *err) {
    if (mutation->modified_at == 0) return STET_OK;
    int64_t latest =
        clock_wall_ns(command->client->engine->clock) + (int64_t)STAMP_JUMP_MAX_S * CLOCK_NS_PER_S;
    const char *what = NULL;
    if (mutation->modified_at < 0) what = "modified_at is before 1970";
    if (mutation->modified_at > latest) what = "modified_at is too far in the future";
    if (what == NULL) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "%s", what);
    error_field(err, "modified_at", mutation->modified_at < 0 ? 0 : STAMP_JUMP_MAX_S);
    return STET_BAD_REQUEST;
}

/* Whether an import says more than what the data is. */
static bool claims_origin(const stet_origin *origin) {
    return origin->history || origin->version != 0 || origin->created_at != 0 ||
           origin->created_by.size > 0 || origin->updated_at != 0 || origin->updated_by.size > 0;
}

static stet_status prepare_mutation(struct stet_command *command, struct mutation *mutation,
                                    stet_error *err) {
    mutation->ahead =
        NULL; /* Of a submission that was refused as busy: it borrows from what is replaced now. */
    stet_status status = check_modified_at(command, mutation, err);
    if (status != STET_OK) return status;
    if (mutation->imported && !command->actor.admin && claims_origin(&mutation->origin))
        return error_set(err, STET_FORBIDDEN,
                         "only an administrator may say when and by whom elsewhere a record was "
                         "made");
    if (mutation->policy == NULL) mutation->policy = policy_find(command->space, mutation->type);
    mutation->origin_json = encode_origin(command, mutation);
    bool history = mutation->imported && mutation->origin.history;
    bool made = command->made.operation.size > 0 || command->made.function.size > 0;
    if ((mutation->modified_at != 0 || history || made) && view_is_empty(mutation->origin_json))
        return error_set(err, STET_NO_MEMORY, "out of memory");
    if (mutation->op == STET_OP_CREATE || mutation->op == STET_OP_PUT) {
        mutation->yours_data = mutation->body;
        mutation->yours_doc = mutation->body_doc;
        mutation->yours_hash = doc_hash(&mutation->body_doc, 0);
        mutation->has_yours = true;
        status = data_fill(command, mutation, err);
        if (status != STET_OK) return status;
    }
    bool needs_record = mutation->base.kind == STET_BASE_UPDATED_AT ||
                        mutation->op == STET_OP_PATCH || mutation->op == STET_OP_PATCH_JSON ||
                        mutation->op == STET_OP_REVERT || mutation->op == STET_OP_DELETE;
    if (history) {
        if (mutation->op == STET_OP_DELETE) mutation->last_data = mutation->body;
    } else if (needs_record) {
        status = prepare_from_record(command, mutation, err);
    } else if (mutation->base.kind == STET_BASE_VERSION && settle_merges(mutation)) {
        /* Only a look: a fresh write must not pay for the stale ones. */
        cache_sync(&command->client->cache, command->space);
        struct cache_value *cached =
            cache_find(&command->client->cache, command->space, mutation->type, mutation->id);
        if (cached != NULL) status = settle_ahead(command, mutation, cached->head, err);
    } else {
        cache_keep_up(&command->client->cache, command->space);
    }
    if (status == STET_OK && mutation->has_yours) status = data_judge(command, mutation, err);
    if (status == STET_OK && mutation->has_yours) status = build_change(command, mutation, err);
    return status;
}

stet_status command_prepare_apart(struct stet_command *command, struct mutation *mutation,
                                  stet_error *err) {
    bool made = command->made.operation.size > 0 || command->made.function.size > 0;
    if (mutation->policy == NULL) mutation->policy = policy_find(command->space, mutation->type);
    mutation->origin_json = encode_origin(command, mutation);
    if (made && view_is_empty(mutation->origin_json))
        return error_set(err, STET_NO_MEMORY, "out of memory");
    mutation->prepared = true;
    if (mutation->op == STET_OP_DELETE) return STET_OK;
    mutation->yours_data = mutation->body;
    mutation->yours_doc = mutation->body_doc;
    mutation->yours_hash = doc_hash(&mutation->body_doc, 0);
    mutation->has_yours = true;
    stet_status status = data_fill(command, mutation, err);
    if (status == STET_OK) status = data_judge(command, mutation, err);
    return status == STET_OK ? build_change(command, mutation, err) : status;
}

stet_status command_prepare(struct stet_command *command, stet_error *err) {
    stet_error local = {0};
    if (err == NULL) err = &local;
    stet_status status = STET_OK;
    if (command->kind == COMMAND_RESOLVE) status = resolve_prepare(command, err);
    if (status == STET_OK && command->prepare != NULL) status = command->prepare(command, err);
    for (size_t i = 0; status == STET_OK && i < command->mutation_count; i++) {
        if (command->mutations[i].prepared) continue;
        if (command->mutations[i].op == STET_OP_REVERT && view_is_empty(command->source) &&
            !command->transaction)
            command->source = arena_format(&command->arena, "revert:%llu",
                                           (unsigned long long)command->mutations[i].revert_to);
        status = prepare_mutation(command, &command->mutations[i], err);
    }
    return status;
}
