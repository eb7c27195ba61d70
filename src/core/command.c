/*
 * Commands: pooled, checked and filled. What is asked for is copied here; what can be known of it before the sequencer is worked
 * out in core/prepare.c.
 */
#include "core/command.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "base/view.h"
#include "core/client.h"
#include "core/staging.h"
#include "doc/text.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BLOCK_BYTES = 8192, POOLED_MAX = 1024, POOLED_ARENA_BYTES_MAX = 65536 };

/* ---- Life -------------------------------------------------------------------------------- */

struct stet_command *command_create(stet_client *client) {
    struct stet_command *command = client->pool;
    if (command != NULL) {
        client->pool = command->next;
        client->pool_count--;
        command->next = NULL;
        return command;
    }
    command = calloc(1, sizeof *command);
    if (command == NULL) return NULL;
    command->client = client;
    arena_init(&command->arena, ARENA_BLOCK_BYTES);
    return command;
}

void command_drop_mutations(struct stet_command *command) {
    for (size_t i = 0; i < command->mutation_count; i++) {
        change_unref(command->mutations[i].change);
        change_unref(command->mutations[i].base_change);
        change_unref(command->mutations[i].newer_change);
        policy_unref(command->mutations[i].policy);
    }
    command->mutations = NULL;
    command->mutation_count = 0;
}

void command_clear(struct stet_command *command) {
    struct stet_client *client = command->client;
    struct arena arena = command->arena;
    if (command->release != NULL) command->release(command);
    command_drop_mutations(command);
    for (struct staged_record *record = command->extra; record != NULL; record = record->next)
        change_unref(record->mutation.change);
    change_unref(command->head);
    space_unref(command->space);
    arena_reset(&arena);
    *command = (struct stet_command){.client = client, .arena = arena};
}

void command_destroy(struct stet_command *command) {
    if (command == NULL) return;
    struct stet_client *client = command->client;
    assert(!command->submitted || command->done);
    command_clear(command);
    if (client->pool_count < POOLED_MAX &&
        arena_footprint(&command->arena) <= POOLED_ARENA_BYTES_MAX) {
        command->next = client->pool;
        client->pool = command;
        client->pool_count++;
        return;
    }
    arena_done(&command->arena);
    free(command);
}

/* ---- Names ------------------------------------------------------------------------------- */

stet_status check_word(stet_view name, size_t bytes_max, const char *field, stet_error *err) {
    const char *what = NULL;
    if (name.size == 0) what = "is missing";
    if (name.size > bytes_max) what = "is too long";
    if (what == NULL && view_is_printable(name)) return STET_OK;
    for (size_t i = 0; what == NULL && i < name.size; i++) {
        unsigned char c = (unsigned char)name.bytes[i];
        if (c < 0x20 || c == 0x7F) what = "holds a control character";
    }
    if (what == NULL && !view_is_utf8(name)) what = "is not valid UTF-8";
    if (what == NULL) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "the %s %s", field, what);
    error_field(err, field, name.size > bytes_max ? bytes_max : 0);
    return STET_BAD_REQUEST;
}

stet_status check_type_name(stet_view type, const char *field, stet_error *err) {
    return check_word(type, TYPE_BYTES_MAX, field, err);
}

stet_status check_id(stet_view id, const char *field, stet_error *err) {
    return check_word(id, ID_BYTES_MAX, field, err);
}

stet_status check_actor(stet_view actor, stet_error *err) {
    return check_word(actor, ACTOR_BYTES_MAX, "actor", err);
}

/* "mutations/3/" before a field of a transaction; a pointer into the body follows the body's own name. */
static void prefix_field(stet_error *err, bool transaction, size_t index, stet_op op) {
    char field[sizeof err->field * 2];
    if (err == NULL || !transaction) return;
    bool in_body = err->field[0] == '/' || err->field[0] == '\0';
    bool patches = op == STET_OP_PATCH || op == STET_OP_PATCH_JSON;
    snprintf(field, sizeof field, "mutations/%zu/%s%s", index,
             !in_body  ? ""
             : patches ? "patch"
                       : "data",
             err->field);
    error_field(err, field, err->limit);
}

/* ---- Keys and hashes --------------------------------------------------------------------- */

static void key_of(stet_view text, uint8_t out[STORE_KEY_BYTES]) {
    if (uuid_parse(text, out) && uuid_version(out) == 7) return;
    crypto_generichash(out, STORE_KEY_BYTES, (const unsigned char *)text.bytes, text.size, NULL, 0);
}

stet_status command_set_key(struct stet_command *command, stet_view key, stet_error *err) {
    stet_status status = check_word(key, MUTATION_KEY_BYTES_MAX, "client_mutation_id", err);
    if (status != STET_OK) return status;
    command->key = arena_copy(&command->arena, key);
    if (command->key.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    key_of(key, command->key_bytes);
    command->has_key = true;
    return STET_OK;
}

/* What is hashed of one mutation but its body: numbers, names and the hash of the body, of bounded size. */
enum {
    HASHED_BYTES_MAX = 1 + STORE_HASH_BYTES * 6 + 13 * sizeof(uint64_t) + TYPE_BYTES_MAX +
                       2 * ID_BYTES_MAX + 2 * ACTOR_BYTES_MAX + 4 * sizeof(uint64_t)
};

struct hashed {
    uint8_t bytes[HASHED_BYTES_MAX];
    size_t size;
};

static void mix(struct hashed *hashed, const void *bytes, size_t size) {
    assert(size <= sizeof hashed->bytes - hashed->size);
    if (size > 0) memcpy(hashed->bytes + hashed->size, bytes, size);
    hashed->size += size;
}

static void mix_view(struct hashed *hashed, stet_view view) {
    uint64_t size = view.size; /* So that "ab","c" differs from "a","bc". */
    mix(hashed, &size, sizeof size);
    mix(hashed, view.bytes, view.size);
}

/*
 * 128 bits, of two passes of the hash of texts. It is no secret and withstands no attack: keys belong to one actor, so whoever made
 * two requests collide would only take the one for the other themselves. Stored: must not change.
 */
static void hash(uint8_t out[STORE_HASH_BYTES], const void *bytes, size_t size) {
    static_assert(STORE_HASH_BYTES == 2 * sizeof(uint64_t), "two halves fill the column");
    stet_view text = view_make(bytes, size);
    uint64_t halves[] = {text_hash(text, false, UINT64_C(0x243F6A8885A308D3)),
                         text_hash(text, false, UINT64_C(0x13198A2E03707344))};
    memcpy(out, halves, STORE_HASH_BYTES);
}

static void mix_mutation(struct hashed *hashed, const struct mutation *mutation) {
    uint8_t body[STORE_HASH_BYTES];
    uint64_t numbers[] = {mutation->op,          mutation->base.kind, mutation->base.value,
                          mutation->on_conflict, mutation->revert_to, mutation->origin.version};
    hash(body, mutation->body.size == 0 ? "" : mutation->body.bytes, mutation->body.size);
    mix(hashed, numbers, sizeof numbers);
    mix(hashed, body, sizeof body);
    mix_view(hashed, mutation->type);
    mix_view(hashed, mutation->generated_id ? (stet_view){0} : mutation->id);
    if (mutation->modified_at != 0 || mutation->sets_parent || mutation->lock.size > 0) {
        uint64_t more[] = {(uint64_t)mutation->modified_at, mutation->sets_parent,
                           mutation->lock_token};
        uint8_t names[STORE_HASH_BYTES];
        mix(hashed, more, sizeof more);
        hash(names, mutation->parent.bytes, mutation->parent.size);
        mix(hashed, names, sizeof names);
        mix_view(hashed, mutation->lock);
    }
    if (!mutation->imported) return;
    mix(hashed, &mutation->origin.created_at, sizeof mutation->origin.created_at);
    mix(hashed, &mutation->origin.updated_at, sizeof mutation->origin.updated_at);
    mix_view(hashed, mutation->origin.created_by);
    mix_view(hashed, mutation->origin.updated_by);
    if (!mutation->origin.history) return;
    uint8_t more[STORE_HASH_BYTES];
    if (mutation->origin.bypass) mix(hashed, "b", 1);
    hash(more, mutation->origin.merge.size == 0 ? "" : mutation->origin.merge.bytes,
         mutation->origin.merge.size);
    mix(hashed, more, sizeof more);
    mix(hashed, &mutation->origin.base_version, sizeof mutation->origin.base_version);
    mix_view(hashed, mutation->origin.source);
    mix_view(hashed, mutation->origin.mutation_key);
    hash(more, mutation->origin.forked_from.size == 0 ? "" : mutation->origin.forked_from.bytes,
         mutation->origin.forked_from.size);
    mix(hashed, more, sizeof more);
    const stet_view made[] = {mutation->origin.operation, mutation->origin.function,
                              mutation->origin.inputs};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        hash(more, made[i].size == 0 ? "" : made[i].bytes, made[i].size);
        mix(hashed, more, sizeof more);
    }
}

/* What makes two requests the same: method, address, precondition, strategy and body bytes of every mutation, in order. */
static void hash_request(struct stet_command *command) {
    uint64_t shape[2] = {command->transaction, command->mutation_count};
    hash(command->request_hash, shape, sizeof shape);
    for (size_t i = 0; i < command->mutation_count; i++) {
        struct hashed hashed;
        hashed.size = 0;
        mix(&hashed, command->request_hash, sizeof command->request_hash);
        mix_mutation(&hashed, &command->mutations[i]);
        hash(command->request_hash, hashed.bytes, hashed.size);
    }
}

/* ---- Filling a write --------------------------------------------------------------------- */

static stet_status parse_body(struct stet_command *command, struct mutation *mutation,
                              stet_error *err) {
    bool is_patch = mutation->op == STET_OP_PATCH || mutation->op == STET_OP_PATCH_JSON;
    if (mutation->body.size > DATA_BYTES_MAX) {
        error_set(err, STET_TOO_LARGE, "the data is larger than %u bytes", DATA_BYTES_MAX);
        error_field(err, is_patch ? "patch" : "data", DATA_BYTES_MAX);
        return STET_TOO_LARGE;
    }
    stet_status status = doc_parse(&command->arena, mutation->body, NULL, &mutation->body_doc, err);
    if (status != STET_OK) return status;
    enum doc_kind kind = doc_kind(&mutation->body_doc, 0);
    if (mutation->op == STET_OP_PATCH_JSON ? kind == DOC_ARRAY : kind == DOC_OBJECT) return STET_OK;
    error_set(err, STET_BAD_REQUEST,
              mutation->op == STET_OP_PATCH_JSON ? "a JSON Patch is an array of operations"
                                                 : "the data must be a JSON object");
    error_field(err, is_patch ? "patch" : "data", 0);
    return STET_BAD_REQUEST;
}

static stet_status fill_id(struct stet_command *command, struct mutation *mutation, stet_view id,
                           stet_error *err) {
    if (mutation->op != STET_OP_CREATE || id.size > 0) {
        stet_status status = check_id(id, "id", err);
        if (status != STET_OK) return status;
        mutation->id = arena_copy(&command->arena, id);
    } else {
        const struct stet_engine *engine = command->client->engine;
        uint8_t uuid[UUID_BYTES];
        char *text = arena_bytes(&command->arena, UUID_TEXT_BYTES);
        if (text != NULL) {
            uuid_v7(engine->clock, engine->entropy, uuid);
            uuid_format(uuid, text);
        }
        mutation->generated_id = true;
        mutation->id = view_make(text, UUID_TEXT_BYTES);
    }
    return mutation->id.bytes == NULL ? error_set(err, STET_NO_MEMORY, "out of memory") : STET_OK;
}

static stet_status check_base(const stet_mutation *asked, stet_error *err) {
    const char *what = NULL;
    if (asked->base.kind == STET_BASE_VERSION && asked->base.value == 0)
        what = "versions begin at 1";
    if (asked->op == STET_OP_CREATE &&
        (asked->base.kind == STET_BASE_VERSION || asked->base.kind == STET_BASE_UPDATED_AT))
        what = "a creation has no base version";
    if (asked->base.kind == STET_BASE_ABSENT && asked->op != STET_OP_CREATE &&
        asked->op != STET_OP_PUT && asked->op != STET_OP_CHECK)
        what = "only a creation may demand that the record does not exist";
    if (what == NULL) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "%s", what);
    error_field(err, "base_version", 0);
    return STET_BAD_REQUEST;
}

static stet_status fill_json(struct arena *arena, stet_view given, stet_view *kept,
                             enum doc_kind kind, const char *field, const char *what,
                             stet_error *err) {
    struct doc doc;
    *kept = arena_copy(arena, given);
    if (kept->bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    if (view_is_empty(given)) return STET_OK;
    stet_status status = given.size > DATA_BYTES_MAX
                             ? error_set(err, STET_TOO_LARGE, "%s is too large", field)
                             : doc_parse(arena, *kept, NULL, &doc, err);
    if (status == STET_OK && doc_kind(&doc, 0) != kind)
        status = error_set(err, STET_BAD_REQUEST, "%s", what);
    if (status != STET_OK) error_field(err, field, 0);
    return status;
}

/* What one version of a history says of how it came about. It is kept and shown, and nothing is decided by it but the fork. */
static stet_status fill_history(struct stet_command *command, struct mutation *mutation,
                                const stet_origin *origin, stet_error *err) {
    const struct {
        stet_view given;
        stet_view *kept;
        const char *field;
        size_t bytes_max;
    } texts[] = {
        {origin->source, &mutation->origin.source, "source", ACTOR_BYTES_MAX},
        {origin->mutation_key, &mutation->origin.mutation_key, "client_mutation_id",
         MUTATION_KEY_BYTES_MAX},
        {origin->forked_from, &mutation->origin.forked_from, "forked_from", ADDRESS_BYTES_MAX},
        {origin->operation, &mutation->origin.operation, "operation", ID_BYTES_MAX},
        {origin->function, &mutation->origin.function, "function", ADDRESS_BYTES_MAX},
    };
    struct arena *arena = &command->arena;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        stet_status status = STET_OK;
        *texts[i].kept = arena_copy(arena, texts[i].given);
        if (texts[i].kept->bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
        if (texts[i].given.size > 0)
            status = check_word(texts[i].given, texts[i].bytes_max, texts[i].field, err);
        if (status != STET_OK) return status;
    }
    mutation->forked_from = mutation->origin.forked_from;
    stet_status status = fill_json(arena, origin->merge, &mutation->origin.merge, DOC_OBJECT,
                                   "merge", "merge must be a JSON object", err);
    if (status != STET_OK) return status;
    return fill_json(arena, origin->inputs, &mutation->origin.inputs, DOC_ARRAY, "inputs",
                     "inputs must be a JSON array", err);
}

static stet_status fill_origin(struct stet_command *command, struct mutation *mutation,
                               const stet_origin *origin, stet_error *err) {
    bool fits = origin->history ? (mutation->op == STET_OP_PUT || mutation->op == STET_OP_DELETE) &&
                                      origin->version > 0 && mutation->base.kind == STET_BASE_NONE
                                : mutation->op == STET_OP_CREATE;
    if (!fits || origin->created_at < 0 || origin->updated_at < 0 ||
        origin->version > (UINT64_C(1) << 62)) {
        error_set(err, STET_BAD_REQUEST, "the origin of an imported record is not valid");
        bool numbered =
            origin->version <= UINT64_C(1) << 62 && !(origin->history && origin->version == 0);
        error_field(err, numbered ? "created_at" : "version", 0);
        return STET_BAD_REQUEST;
    }
    if (origin->created_by.size > 0) {
        stet_status status = check_word(origin->created_by, ACTOR_BYTES_MAX, "created_by", err);
        if (status != STET_OK) return status;
    }
    if (origin->updated_by.size > 0) {
        stet_status status = check_word(origin->updated_by, ACTOR_BYTES_MAX, "updated_by", err);
        if (status != STET_OK) return status;
    }
    mutation->imported = true;
    mutation->origin = *origin;
    mutation->origin.created_by = arena_copy(&command->arena, origin->created_by);
    mutation->origin.updated_by = arena_copy(&command->arena, origin->updated_by);
    if (mutation->origin.created_by.bytes == NULL || mutation->origin.updated_by.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    return origin->history ? fill_history(command, mutation, origin, err) : STET_OK;
}

static stet_status fill_mutation(struct stet_command *command, struct mutation *mutation,
                                 const stet_mutation *asked, stet_error *err) {
    stet_status status = check_type_name(asked->type, "type", err);
    if (status != STET_OK) return status;
    status = check_base(asked, err);
    if (status == STET_OK && !view_is_empty(asked->lock))
        status = check_id(asked->lock, "lock", err);
    if (status == STET_OK && asked->parent.size > ADDRESS_BYTES_MAX) {
        status = error_set(err, STET_BAD_REQUEST, "the parent's address is too long");
        error_field(err, "parent", ADDRESS_BYTES_MAX);
    }
    if (status != STET_OK) return status;
    if (asked->op < STET_OP_CREATE || asked->op > STET_OP_REVERT ||
        asked->base.kind < STET_BASE_NONE || asked->base.kind > STET_BASE_ABSENT ||
        asked->on_conflict < STET_STRATEGY_DEFAULT || asked->on_conflict > STET_STRATEGY_ASK)
        return error_set(err, STET_MISUSE, "there is no such operation, base or strategy");
    mutation->op = asked->op;
    mutation->base = asked->base;
    mutation->on_conflict = asked->on_conflict;
    mutation->revert_to = asked->revert_to;
    mutation->modified_at = asked->modified_at;
    mutation->sets_parent = asked->sets_parent;
    mutation->lock_token = asked->lock_token;
    if (asked->op == STET_OP_REVERT && asked->revert_to == STET_VERSION_NONE) {
        error_set(err, STET_BAD_REQUEST, "the version to go back to is missing");
        error_field(err, "to", 0);
        return STET_BAD_REQUEST;
    }
    mutation->type = arena_copy(&command->arena, asked->type);
    mutation->body = arena_copy(&command->arena, asked->body);
    mutation->parent = arena_copy(&command->arena, asked->parent);
    mutation->lock = arena_copy(&command->arena, asked->lock);
    if (mutation->type.bytes == NULL || mutation->body.bytes == NULL ||
        mutation->parent.bytes == NULL || mutation->lock.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    status = fill_id(command, mutation, asked->id, err);
    if (status != STET_OK) return status;
    if (asked->origin != NULL) {
        status = fill_origin(command, mutation, asked->origin, err);
        if (status != STET_OK) return status;
    }
    switch (asked->op) {
    case STET_OP_DELETE:
        /* Of a record whose earlier versions are not there, the data it had last. */
        if (asked->origin != NULL && asked->body.size > 0) break;
        return STET_OK;
    case STET_OP_CHECK:
    case STET_OP_REVERT: return STET_OK;
    case STET_OP_CREATE:
    case STET_OP_PUT:
    case STET_OP_PATCH:
    case STET_OP_PATCH_JSON: break;
    }
    return parse_body(command, mutation, err);
}

stet_status command_fill_write(struct stet_command *command, const stet_write *write,
                               stet_error *err) {
    if (command->kind != COMMAND_EMPTY || write->mutations == NULL)
        return error_set(err, STET_MISUSE, "the command is filled already, or the write is empty");
    if (write->mutation_count == 0 || (!write->transaction && write->mutation_count != 1) ||
        write->mutation_count > TRANSACTION_MUTATIONS_MAX) {
        bool many = write->mutation_count > TRANSACTION_MUTATIONS_MAX;
        stet_status status = many ? STET_TOO_LARGE : STET_BAD_REQUEST;
        error_set(err, status, "a transaction has 1 to %d mutations", TRANSACTION_MUTATIONS_MAX);
        error_field(err, "mutations", TRANSACTION_MUTATIONS_MAX);
        return status;
    }
    if (write->preview && (write->transaction || write->mutation_key.size > 0))
        return error_set(err, STET_MISUSE, "a preview is of one write, without a key");
    size_t bytes = 0;
    for (size_t i = 0; i < write->mutation_count; i++)
        bytes += write->mutations[i].body.size;
    if (bytes > TRANSACTION_BYTES_MAX) {
        error_set(err, STET_TOO_LARGE, "a transaction holds at most %u bytes",
                  TRANSACTION_BYTES_MAX);
        error_field(err, "mutations", TRANSACTION_BYTES_MAX);
        return STET_TOO_LARGE;
    }
    command->mutations =
        arena_zalloc(&command->arena, write->mutation_count, sizeof *command->mutations);
    command->source = arena_copy(&command->arena, write->source);
    if (command->mutations == NULL || command->source.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    command->mutation_count = write->mutation_count;
    command->transaction = write->transaction;
    command->dry_run = write->dry_run || write->preview;
    command->preview = write->preview;
    command->minimal = write->minimal;
    for (size_t i = 0; i < write->mutation_count; i++) {
        stet_status status =
            fill_mutation(command, &command->mutations[i], &write->mutations[i], err);
        if (status != STET_OK) {
            prefix_field(err, write->transaction, i, write->mutations[i].op);
            return status;
        }
    }
    if (write->mutation_key.size > 0) {
        stet_status status = command_set_key(command, write->mutation_key, err);
        if (status != STET_OK) return status;
        hash_request(command);
    }
    command->kind = COMMAND_WRITE;
    return STET_OK;
}

const struct mutation *command_find_staged(const struct stet_command *command, uint64_t seq) {
    for (size_t i = 0; i < command->mutation_count; i++) {
        const struct mutation *mutation = &command->mutations[i];
        if (mutation->decision == DECISION_STAGED && mutation->change->row.seq == seq)
            return mutation;
    }
    return NULL;
}

const struct mutation *command_find_parked(const struct stet_command *command) {
    stet_view id = command->mutations[0].conflict_id;
    for (const struct staged_record *record = command->extra; record != NULL; record = record->next)
        if (record->mutation.decision == DECISION_STAGED && view_equal(record->mutation.id, id))
            return &record->mutation;
    return NULL;
}

/* ---- Key results ------------------------------------------------------------------------- */

static size_t put_varint(uint8_t *out, uint64_t value) {
    size_t size = 0;
    while (value >= 0x80) {
        out[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (uint8_t)value;
    return size;
}

stet_view command_encode_result(struct stet_command *command) {
    enum { VARINT_BYTES_MAX = 10 };
    uint8_t *out = arena_alloc(&command->arena, (command->mutation_count + 1) * VARINT_BYTES_MAX +
                                                    command->key_words.size);
    size_t size = 0;
    if (out == NULL) return (stet_view){0};
    if (command->kind == COMMAND_MODULE && command->key_words.size == 0) {
        /* What the module staged first is what its answer is about. */
        const struct staged_record *first = command->extra;
        while (first != NULL && first->next != NULL)
            first = first->next;
        uint64_t seq = first == NULL ? 0 : first->mutation.after_seq;
        size = put_varint(out, seq << 2 | (seq == 0 ? KEY_RESULT_NOTHING : 0));
        return view_make(out, size);
    }
    for (size_t i = 0; i < command->mutation_count; i++) {
        const struct mutation *mutation = &command->mutations[i];
        unsigned flags = mutation->decision == DECISION_UNCHANGED ? KEY_RESULT_UNCHANGED : 0;
        if (mutation->decision == DECISION_PASSED) flags = KEY_RESULT_NOTHING;
        if (mutation->decision == DECISION_DROPPED) flags = KEY_RESULT_DROPPED;
        /* What waits is found by the record that keeps it. */
        const struct mutation *kept =
            mutation->decision == DECISION_PARKED ? command_find_parked(command) : NULL;
        uint64_t seq = kept == NULL ? mutation->after_seq : kept->after_seq;
        size += put_varint(out + size, seq << 2 | flags);
    }
    if (command->key_words.size > 0) {
        out[size++] = 0;
        memcpy(out + size, command->key_words.bytes, command->key_words.size);
        size += command->key_words.size;
    }
    return view_make(out, size);
}

bool command_decode_result(stet_view result, size_t *offset, uint64_t *seq, unsigned *flags) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && *offset < result.size; shift += 7) {
        uint8_t byte = (uint8_t)result.bytes[(*offset)++];
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *seq = value >> 2;
            *flags = (unsigned)(value & 3);
            /* Nothing is at position 0: what follows are a module's words. */
            return value != 0;
        }
    }
    return false;
}

stet_view command_decode_words(stet_view result) {
    size_t offset = 0;
    uint64_t seq;
    unsigned flags;
    while (command_decode_result(result, &offset, &seq, &flags))
        ;
    return view_make(result.bytes + offset, result.size - offset);
}
