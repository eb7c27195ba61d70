#include "core/resolve.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/merging.h"
#include "core/provenance.h"
#include "doc/merge.h"
#include "doc/patch.h"
#include "doc/write.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

/* What a token says. Fixed layout, native order: it never leaves the machine that can check it. */
struct token {
    uint8_t format;
    uint8_t deletes; /* The writer wanted to delete. */
    uint8_t spare[2];
    uint32_t expires_s;
    uint64_t base;
    uint64_t current;
    uint64_t yours_hash;
    uint8_t mac[16];
};
static_assert(sizeof(struct token) == 48, "a token has no padding");
static_assert(sizeof(struct token) * 4 / 3 + 1 < RESOLUTION_TOKEN_BYTES_MAX,
              "a token fits its limit");

enum { TOKEN_FORMAT = 1 };

static void mix_view(crypto_generichash_state *state, stet_view view) {
    uint64_t size = view.size;
    crypto_generichash_update(state, (const unsigned char *)&size, sizeof size);
    if (view.size > 0)
        crypto_generichash_update(state, (const unsigned char *)view.bytes, view.size);
}

static void compute_mac(const struct stet_command *command, stet_view type, stet_view id,
                        const struct token *token, uint8_t mac[16]) {
    crypto_generichash_state state;
    const struct space *space = command->space;
    crypto_generichash_init(&state, space->secret, sizeof space->secret, 16);
    crypto_generichash_update(&state, (const unsigned char *)token, offsetof(struct token, mac));
    mix_view(&state, type);
    mix_view(&state, id);
    mix_view(&state, command->actor.id);
    crypto_generichash_final(&state, mac, 16);
}

void resolve_make_token(struct stet_command *command, const struct mutation *mutation,
                        uint64_t base, uint64_t current, uint64_t yours_hash, char *out) {
    int64_t now_s = clock_wall_ns(command->client->engine->clock) / CLOCK_NS_PER_S;
    struct token token = {
        .format = TOKEN_FORMAT,
        .deletes = mutation->op == STET_OP_DELETE,
        .expires_s = (uint32_t)(now_s + RESOLUTION_TOKEN_TTL_S),
        .base = base,
        .current = current,
        .yours_hash = mutation->op == STET_OP_DELETE ? 0 : yours_hash,
    };
    /* One that is parked is settled as itself, not as any write to its record. */
    bool parked = !view_is_empty(mutation->conflict_id);
    compute_mac(command, parked ? RESOLVE_PARKED : mutation->type,
                parked ? mutation->conflict_id : mutation->id, &token, token.mac);
    sodium_bin2base64(out, RESOLUTION_TOKEN_BYTES_MAX + 1, (const unsigned char *)&token,
                      sizeof token, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static stet_status invalid_token(stet_error *err, const char *why) {
    error_set(err, STET_TOKEN_INVALID, "the resolution token %s", why);
    error_field(err, "resolution_token", 0);
    return STET_TOKEN_INVALID;
}

stet_status resolve_read_token(struct stet_command *command, stet_view type, stet_view id,
                               stet_view text, struct resolve_token *out, stet_error *err) {
    struct token token;
    uint8_t mac[16];
    size_t size;
    if (view_is_empty(text)) return invalid_token(err, "is missing");
    if (sodium_base642bin((unsigned char *)&token, sizeof token, text.bytes, text.size, NULL, &size,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        size != sizeof token || token.format != TOKEN_FORMAT)
        return invalid_token(err, "is malformed");
    compute_mac(command, type, id, &token, mac);
    if (sodium_memcmp(mac, token.mac, sizeof mac) != 0)
        return invalid_token(err, "is not for this record and actor");
    int64_t now_s = clock_wall_ns(command->client->engine->clock) / CLOCK_NS_PER_S;
    if (now_s > (int64_t)token.expires_s) return invalid_token(err, "has expired");
    *out = (struct resolve_token){.deletes = token.deletes,
                                  .base = token.base,
                                  .current = token.current,
                                  .yours_hash = token.yours_hash};
    return STET_OK;
}

stet_status resolve_fill(struct stet_command *command, const stet_resolution *asked,
                         stet_error *err) {
    struct arena *arena = &command->arena;
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check_type_name(asked->type, "type", err);
    if (status == STET_OK) status = check_id(asked->id, "id", err);
    if (status != STET_OK) return status;
    if (view_is_empty(asked->token) || asked->token.size > RESOLUTION_TOKEN_BYTES_MAX)
        return invalid_token(err, view_is_empty(asked->token) ? "is missing" : "is too long");
    const stet_view documents[] = {asked->yours, asked->fields, asked->data};
    const char *const names[] = {"yours", "fields", "data"};
    for (size_t i = 0; i < 3; i++) {
        if (documents[i].size <= DATA_BYTES_MAX) continue;
        error_set(err, STET_TOO_LARGE, "\"%s\" is larger than %u bytes", names[i], DATA_BYTES_MAX);
        error_field(err, names[i], DATA_BYTES_MAX);
        return STET_TOO_LARGE;
    }
    command->resolution = *asked;
    command->resolution.type = arena_copy(arena, asked->type);
    command->resolution.id = arena_copy(arena, asked->id);
    command->resolution.token = arena_copy(arena, asked->token);
    command->resolution.yours = arena_copy(arena, asked->yours);
    command->resolution.fields = arena_copy(arena, asked->fields);
    command->resolution.data = arena_copy(arena, asked->data);
    if (command->resolution.type.bytes == NULL || command->resolution.id.bytes == NULL ||
        command->resolution.token.bytes == NULL || command->resolution.yours.bytes == NULL ||
        command->resolution.fields.bytes == NULL || command->resolution.data.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    command->dry_run = asked->dry_run;
    command->kind = COMMAND_RESOLVE;
    return STET_OK;
}

/* ---- From a choice to data --------------------------------------------------------------- */

stet_status resolve_load_side(const struct veil *veil, struct store_reader *reader,
                              const struct store_head *head, uint64_t version, struct doc *doc,
                              bool *there, stet_error *err) {
    struct store_change row;
    stet_view data;
    *there = false;
    if (version == 0 || version > head->version) return STET_OK;
    stet_status status =
        store_find(reader, veil->arena, head, STORE_BOUND_VERSION, version, &row, err);
    if (status == STET_NOT_FOUND || status == STET_PRUNED) return STET_OK;
    if (status != STET_OK) return status;
    if (row.version != version || row.op == STORE_DELETE || row.pruned) return STET_OK;
    status = veil_base(veil, &row, err);
    if (status == STET_NOT_FOUND) return STET_OK;
    if (status == STET_OK) status = veil_show(veil, &row, &data, err);
    if (status == STET_OK) status = change_parse(veil->arena, data, doc, err);
    *there = status == STET_OK;
    return status;
}

static stet_status load_sides(struct stet_command *command, const struct resolve_token *token,
                              struct resolve_sides *sides, stet_error *err) {
    const stet_resolution *resolution = &command->resolution;
    const struct veil veil = {.space = command->space,
                              .policy = sides->policy,
                              .actor = &command->actor,
                              .arena = sides->arena};
    struct store_reader *reader = NULL;
    struct store_head head;
    stet_status status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    status = store_head(reader, resolution->type, resolution->id, &head, err);
    if (status == STET_OK && head.version == 0)
        status = error_set(err, STET_NOT_FOUND, "the record does not exist");
    if (status == STET_OK)
        status = resolve_load_side(&veil, reader, &head, token->base, &sides->base,
                                   &sides->has_base, err);
    if (status == STET_OK)
        status = resolve_load_side(&veil, reader, &head, token->current, &sides->current,
                                   &sides->has_current, err);
    space_reader_give(command->space, reader);
    return status;
}

static stet_status bad_choice(stet_error *err, const char *field, const char *message) {
    error_set(err, STET_BAD_REQUEST, "%s", message);
    error_field(err, field, 0);
    return STET_BAD_REQUEST;
}

/* The fields of a merge that lie in lists merged by key, by pointer: only there each side has its own places. */
struct listed {
    const struct doc_merge_field **fields;
    size_t count;
};

static int compare_listed(const void *a, const void *b) {
    return view_compare((*(const struct doc_merge_field *const *)a)->pointer,
                        (*(const struct doc_merge_field *const *)b)->pointer);
}

static stet_status collect_listed(struct arena *arena, const struct doc_merge_result *merge,
                                  struct listed *listed, stet_error *err) {
    *listed = (struct listed){0};
    for (size_t i = 0; i < merge->field_count; i++)
        listed->count += merge->fields[i].list.bytes != NULL;
    if (listed->count == 0) return STET_OK;
    listed->fields = arena_zalloc(arena, listed->count, sizeof(struct doc_merge_field *));
    if (listed->fields == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    size_t count = 0;
    for (size_t i = 0; i < merge->field_count; i++) {
        if (merge->fields[i].list.bytes != NULL) listed->fields[count++] = &merge->fields[i];
    }
    qsort(listed->fields, count, sizeof(struct doc_merge_field *), compare_listed);
    return STET_OK;
}

static bool shares_list(const struct doc_merge_field *field, stet_view pointer) {
    return pointer.size > field->list.size && view_starts(pointer, field->list) &&
           pointer.bytes[field->list.size] == '/';
}

/* The value of a side at a pointer. False: it leads into a list, to no field of the merge, so each side has its own places. */
static bool side_value(const struct resolve_sides *sides, const struct listed *listed,
                       const struct doc *side, stet_view pointer, doc_node *value) {
    size_t begin = 0;
    size_t end = listed->count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (view_compare(listed->fields[middle]->pointer, pointer) < 0) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    /* Of all pointers its neighbours share most with it: when they are not in its list, none is. */
    if (begin > 0 && shares_list(listed->fields[begin - 1], pointer) &&
        (begin == listed->count || !view_equal(listed->fields[begin]->pointer, pointer)))
        return false;
    if (begin < listed->count && shares_list(listed->fields[begin], pointer)) {
        const struct doc_merge_field *field = listed->fields[begin];
        if (!view_equal(field->pointer, pointer)) return false;
        *value = side == &sides->base      ? field->base
                 : side == &sides->current ? field->current
                                           : field->yours;
        return true;
    }
    *value = doc_pointer(side, pointer);
    return true;
}

/* One chosen field: the operation that puts its value into the merged document. */
static stet_status choose_field(const struct resolve_sides *sides, const struct doc *fields,
                                doc_node choice, stet_view pointer, const struct listed *listed,
                                const struct doc *merged, struct json_writer *patch,
                                stet_error *err) {
    const struct doc *side = NULL;
    doc_node value = DOC_NONE;
    stet_view word;
    if (doc_kind(fields, choice) == DOC_OBJECT) {
        side = fields;
        value = doc_member(fields, choice, VIEW("value"));
        if (value == DOC_NONE || doc_count(fields, choice) != 1) side = NULL;
    } else if (doc_kind(fields, choice) == DOC_STRING &&
               doc_string(sides->arena, fields, choice, &word) == STET_OK) {
        if (view_equal(word, VIEW("yours"))) side = &sides->yours;
        if (view_equal(word, VIEW("current"))) side = &sides->current;
        if (view_equal(word, VIEW("base"))) side = &sides->base;
        if (side != NULL && !side_value(sides, listed, side, pointer, &value)) {
            error_set(err, STET_BAD_REQUEST,
                      "in a list only the fields of the conflict have sides; send {\"value\": …}");
            error_field_view(err, pointer, 0);
            return STET_BAD_REQUEST;
        }
    }
    if (side == NULL) {
        error_set(err, STET_BAD_REQUEST,
                  "a field is settled by \"yours\", \"current\", \"base\" or {\"value\": …}");
        error_field_view(err, pointer, 0);
        return STET_BAD_REQUEST;
    }
    bool there = doc_pointer(merged, pointer) != DOC_NONE;
    if (value == DOC_NONE && !there) return STET_OK;
    json_object_begin(patch);
    /* Not "add" where something is: in a list that would make a second element. */
    stet_view op = there ? VIEW("replace") : VIEW("add");
    json_member_text(patch, VIEW("op"), value == DOC_NONE ? VIEW("remove") : op);
    json_member_text(patch, VIEW("path"), pointer);
    if (value != DOC_NONE) json_member_raw(patch, VIEW("value"), doc_text(side, value));
    json_object_end(patch);
    return STET_OK;
}

/* As when it was refused, by the type's rules. */
static stet_status merge_sides(const struct resolve_sides *sides, struct doc_merge_result *merge,
                               stet_error *err) {
    struct merging_runner runner = {.space = sides->space, .functions = MERGING_BRIEFLY};
    const struct doc_functions functions = merging_functions(&runner);
    stet_status status = doc_merge_with(sides->arena, &sides->base, &sides->current, &sides->yours,
                                        sides->policy == NULL ? NULL : sides->policy->rules,
                                        &functions, MERGE_FORCED_STEPS_MAX, merge, err);
    if (status != STET_TOO_LARGE) return status;
    error_set(err, STET_TOO_LARGE,
              "merging takes more work than is done for one request; send the whole data as "
              "\"custom\"");
    error_field(err, "merge_steps", MERGE_FORCED_STEPS_MAX);
    return status;
}

static stet_status choose_fields(const struct resolve_sides *sides, stet_view chosen,
                                 stet_view *data, stet_error *err) {
    struct arena *arena = sides->arena;
    struct doc fields, merged, patch;
    struct doc_merge_result merge;
    struct buffer buffer;
    struct json_writer writer;
    if (!sides->has_base || !sides->has_current)
        return bad_choice(
            err, "choice",
            "there is no base to choose fields against; send the whole data as \"custom\"");
    stet_status status = doc_parse(arena, chosen, NULL, &fields, err);
    if (status != STET_OK) return status;
    if (doc_kind(&fields, 0) != DOC_OBJECT)
        return bad_choice(err, "fields", "\"fields\" is an object from pointers to choices");
    status = merge_sides(sides, &merge, err);
    if (status != STET_OK) return status;
    for (size_t i = 0; i < merge.field_count; i++) {
        if (merge.fields[i].state != DOC_CONFLICT ||
            doc_member(&fields, 0, merge.fields[i].pointer) != DOC_NONE)
            continue;
        error_set(err, STET_BAD_REQUEST, "the field is in conflict and was not chosen");
        error_field_view(err, merge.fields[i].pointer, 0);
        return STET_BAD_REQUEST;
    }
    status = doc_parse(arena, merge.merged, NULL, &merged, err);
    if (status != STET_OK) return status;
    struct listed listed;
    status = collect_listed(arena, &merge, &listed, err);
    if (status != STET_OK) return status;
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    json_array_begin(&writer);
    for (doc_node choice = doc_first(&fields, 0); choice != DOC_NONE;
         choice = doc_next(&fields, choice)) {
        stet_view pointer;
        status = doc_key(arena, &fields, choice, &pointer);
        if (status == STET_OK)
            status = choose_field(sides, &fields, choice, pointer, &listed, &merged, &writer, err);
        if (status != STET_OK) return status;
    }
    json_array_end(&writer);
    status = json_end(&writer);
    if (status != STET_OK) return error_set(err, status, "out of memory for a resolution");
    status = doc_parse(arena, buffer_view(&buffer), NULL, &patch, err);
    if (status != STET_OK) return status;
    status = doc_json_patch(arena, &merged, &patch, data, err);
    if (status == STET_PATCH_FAILED)
        return bad_choice(err, "fields", "a chosen pointer has no place in the record");
    return status;
}

static stet_status choose_merged(const struct resolve_sides *sides, stet_view *data,
                                 stet_error *err) {
    struct doc_merge_result merge;
    if (!sides->has_base || !sides->has_current)
        return bad_choice(err, "choice", "there is nothing to merge with");
    stet_status status = merge_sides(sides, &merge, err);
    if (status != STET_OK) return status;
    if (!merge.clean)
        return bad_choice(err, "choice", "fields are in conflict: choose each of them");
    *data = merge.merged;
    return STET_OK;
}

const char *resolve_choice_name(stet_choice choice) {
    switch (choice) {
    case STET_CHOICE_YOURS: return "yours";
    case STET_CHOICE_CURRENT: return "current";
    case STET_CHOICE_MERGED: return "merged";
    case STET_CHOICE_FIELDS: return "fields";
    case STET_CHOICE_CUSTOM: return "custom";
    }
    return "custom";
}

stet_status resolve_choose(const struct resolve_sides *sides, stet_choice choice, stet_view fields,
                           stet_view custom, enum resolve_effect *effect, stet_view *data,
                           stet_error *err) {
    *effect = RESOLVE_WRITE;
    switch (choice) {
    case STET_CHOICE_YOURS:
        if (sides->deletes) {
            *effect = RESOLVE_DELETE;
            return STET_OK;
        }
        if (!sides->has_yours) return bad_choice(err, "choice", "it is not known what yours was");
        *data = doc_text(&sides->yours, 0);
        return STET_OK;
    case STET_CHOICE_CURRENT:
        *effect = RESOLVE_KEEP;
        if (sides->has_current) *data = doc_text(&sides->current, 0);
        return STET_OK;
    case STET_CHOICE_MERGED:
        if (sides->deletes) return bad_choice(err, "choice", "a deletion cannot be merged");
        return choose_merged(sides, data, err);
    case STET_CHOICE_FIELDS:
        if (sides->deletes) return bad_choice(err, "choice", "a deletion has no fields");
        return choose_fields(sides, fields, data, err);
    case STET_CHOICE_CUSTOM:
        if (view_is_empty(custom)) return bad_choice(err, "data", "\"custom\" needs \"data\"");
        *data = custom;
        return STET_OK;
    }
    return error_set(err, STET_MISUSE, "no such choice");
}

stet_status resolve_provenance(const struct resolve_sides *sides, stet_choice choice,
                               enum resolve_effect effect, stet_view data, uint64_t base_version,
                               uint64_t current_version, stet_view *out, stet_error *err) {
    struct provenance_choice made = {
        .choice = resolve_choice_name(choice),
        .base_version = base_version,
        .current_version = current_version,
        .conflict_id = sides->conflict_id,
        .elements = choice == STET_CHOICE_FIELDS || choice == STET_CHOICE_MERGED,
    };
    struct doc_merge_result merge;
    struct doc result;
    stet_error why;
    bool known = effect == RESOLVE_WRITE && sides->has_base && sides->has_current &&
                 sides->has_yours && !sides->deletes;
    /* What is no JSON is refused when it is filled in; what is too dear to merge is kept without its fields. */
    if (known) known = doc_parse(sides->arena, data, NULL, &result, &why) == STET_OK;
    if (known) known = merge_sides(sides, &merge, &why) == STET_OK;
    if (known) {
        made.merge = &merge;
        made.base = &sides->base;
        made.current = &sides->current;
        made.yours = &sides->yours;
        made.result = &result;
    }
    return provenance_of_choice(sides->arena, &made, out, err);
}

stet_status resolve_prepare(struct stet_command *command, stet_error *err) {
    const stet_resolution resolution = command->resolution;
    struct resolve_token token;
    struct resolve_sides sides = {.space = command->space, .arena = &command->arena};
    enum resolve_effect effect = RESOLVE_WRITE;
    stet_view data = {0};
    stet_status status =
        resolve_read_token(command, resolution.type, resolution.id, resolution.token, &token, err);
    if (status != STET_OK) return status;
    bool needs_yours = resolution.choice == STET_CHOICE_YOURS ||
                       resolution.choice == STET_CHOICE_MERGED ||
                       resolution.choice == STET_CHOICE_FIELDS;
    sides.deletes = token.deletes;
    if (!token.deletes && needs_yours) {
        if (view_is_empty(resolution.yours))
            return bad_choice(err, "yours", "\"yours\" is required: send again what lost");
        status = doc_parse(&command->arena, resolution.yours, NULL, &sides.yours, err);
        if (status != STET_OK) return status;
        if (doc_kind(&sides.yours, 0) != DOC_OBJECT ||
            doc_hash(&sides.yours, 0) != token.yours_hash)
            return bad_choice(err, "yours", "\"yours\" is not what the conflict was about");
        sides.has_yours = true;
    }
    sides.policy = policy_find(command->space, resolution.type);
    status = load_sides(command, &token, &sides, err);
    if (status == STET_OK)
        status = resolve_choose(&sides, resolution.choice, resolution.fields, resolution.data,
                                &effect, &data, err);
    stet_view provenance = {0};
    if (status == STET_OK)
        status = resolve_provenance(&sides, resolution.choice, effect, data, token.base,
                                    token.current, &provenance, err);
    policy_unref(sides.policy);
    if (status != STET_OK) return status;

    bool deletes = effect == RESOLVE_DELETE;
    stet_mutation mutation = {
        .op = deletes ? STET_OP_DELETE : STET_OP_PUT,
        .type = resolution.type,
        .id = resolution.id,
        .base = {.kind = STET_BASE_VERSION, .value = token.current},
        .body = deletes ? (stet_view){0} : data,
        .on_conflict = STET_STRATEGY_REJECT,
    };
    if (effect == RESOLVE_KEEP && !sides.has_current) {
        /* The record is deleted and is to stay so: nothing is written, but the token is used up. */
        mutation.op = STET_OP_CHECK;
        command->keeps_deleted = true;
    }
    stet_write write = {
        .mutations = &mutation,
        .mutation_count = 1,
        .mutation_key = resolution.token,
        .source = VIEW("resolve"),
        .dry_run = resolution.dry_run,
    };
    command->kind = COMMAND_EMPTY;
    status = command_fill_write(command, &write, err);
    if (status != STET_OK) return status;
    command->single_use_key = true;
    command->key = (stet_view){0}; /* The token is no name of the client's. */
    command->merge = provenance;
    return STET_OK;
}
