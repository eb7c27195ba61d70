#include "modules/auth/auth.h"

#include "base/error.h"
#include "base/view.h"
#include "core/read.h"
#include "core/render.h"
#include "core/roles.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECRET_BYTES = 32, HASH_BYTES = 32, ID_BYTES = 16 };

#define TYPE VIEW("stet.token")

/* A token's hash as text: the id is its first half. */
struct token_hash {
    char hex[HASH_BYTES * 2 + 1];
};

static stet_view hash_id(const struct token_hash *hash) {
    return view_make(hash->hex, ID_BYTES * 2);
}
static stet_view hash_text(const struct token_hash *hash) {
    return view_make(hash->hex, HASH_BYTES * 2);
}

static void hash_token(stet_view token, struct token_hash *hash) {
    uint8_t bytes[HASH_BYTES];
    crypto_generichash(bytes, sizeof bytes, (const unsigned char *)token.bytes, token.size, NULL,
                       0);
    sodium_bin2hex(hash->hex, sizeof hash->hex, bytes, sizeof bytes);
}

/* What a token's record says. */
struct token {
    stet_view actor, name, hash;
    bool admin;
    struct rights rights;
    int64_t expires_at;
};

/* Empty when there is no such member. STET_CORRUPT, STET_NO_MEMORY. */
static stet_status member_text(struct arena *arena, const struct doc *doc, stet_view key,
                               stet_view *text) {
    doc_node node = doc_member(doc, 0, key);
    *text = (stet_view){0};
    if (node == DOC_NONE) return STET_OK;
    stet_status status = doc_string(arena, doc, node, text);
    return status == STET_BAD_REQUEST ? STET_CORRUPT : status;
}

static stet_status read_token(struct arena *arena, stet_view data, struct token *token) {
    struct doc doc;
    doc_node node;
    stet_view expires;
    *token = (struct token){0};
    stet_status status = change_parse(arena, data, &doc, NULL);
    if (status == STET_OK) status = member_text(arena, &doc, VIEW("actor"), &token->actor);
    if (status == STET_OK) status = member_text(arena, &doc, VIEW("name"), &token->name);
    if (status == STET_OK) status = member_text(arena, &doc, VIEW("_hash"), &token->hash);
    if (status == STET_OK) status = member_text(arena, &doc, VIEW("expires_at"), &expires);
    if (status != STET_OK) return status;
    node = doc_member(&doc, 0, VIEW("admin"));
    if (node != DOC_NONE) doc_bool(&doc, node, &token->admin);
    status = rights_read(arena, &doc, &token->rights, NULL);
    if (status != STET_OK) return status == STET_NO_MEMORY ? status : STET_CORRUPT;
    if (!view_is_empty(expires) && !clock_parse_rfc3339(expires, &token->expires_at))
        return STET_CORRUPT;
    return STET_OK;
}

/* ---- Identify ---------------------------------------------------------------------------- */

/*
 * Who the tokens lately seen stand for, so that a token is hashed and its record parsed once and not with every request. An entry
 * holds for the head it was read from: a revocation makes another. Found by a hash under a key of this client's own, because
 * the token itself is not kept.
 */
enum { REMEMBERED_MAX = 64 };

struct remembered {
    uint8_t tag[crypto_shorthash_siphashx24_BYTES];
    char id[ID_BYTES * 2];
    uint64_t seq; /* Of the head; 0: nothing is remembered here. */
    int64_t expires_at;
    stet_identity identity;
};

struct auth_client {
    uint8_t key[crypto_shorthash_siphashx24_KEYBYTES];
    struct remembered tokens[REMEMBERED_MAX];
};

static void auth_client_destroy(struct auth_client *auth) {
    sodium_memzero(auth, sizeof *auth);
    free(auth);
}

/* The token's place, whoever's it is now, with its tag. NULL when memory is out. */
static struct remembered *place_of(struct stet_client *client, stet_view text, uint8_t *tag) {
    struct auth_client *auth = client->auth;
    if (auth == NULL) {
        const struct entropy *entropy = client->engine->entropy;
        auth = calloc(1, sizeof *auth);
        if (auth == NULL) return NULL;
        entropy->fill(entropy->context, auth->key, sizeof auth->key);
        client->auth = auth;
        client->auth_destroy = auth_client_destroy;
    }
    crypto_shorthash_siphashx24(tag, (const unsigned char *)text.bytes, text.size, auth->key);
    return &auth->tokens[tag[0] % REMEMBERED_MAX];
}

/* What a token's record says of who brings the token with this hash. */
static stet_status identify(struct stet_client *client, const struct change *head,
                            const struct token_hash *hash, struct token *token, stet_error *err) {
    if (change_is_delete(head))
        return error_set(err, STET_UNAUTHENTICATED, "the token was revoked");
    arena_reset(&client->scratch);
    stet_status status = read_token(&client->scratch, head->row.data, token);
    if (status != STET_OK)
        return error_set(err, status,
                         status == STET_NO_MEMORY ? "out of memory for a token"
                                                  : "the token's record is damaged");
    if (token->hash.size != HASH_BYTES * 2 ||
        sodium_memcmp(token->hash.bytes, hash->hex, HASH_BYTES * 2) != 0)
        return error_set(err, STET_UNAUTHENTICATED, "the token is not known");
    return STET_OK;
}

static stet_status find_token(struct stet_client *client, stet_view id, struct change **head,
                              stet_error *err) {
    stet_status status = client_head(client, client->engine->home, TYPE, id, head, err);
    if (status == STET_NOT_FOUND)
        return error_set(err, STET_UNAUTHENTICATED, "the token is not known");
    return status;
}

/* Identifies a token by its record and remembers it in `found`. */
static stet_status identify_by_hash(struct stet_client *client, stet_view text,
                                    struct remembered *found, stet_error *err) {
    struct token_hash hash;
    struct change *head;
    struct token token;
    hash_token(text, &hash);
    stet_status status = find_token(client, hash_id(&hash), &head, err);
    if (status != STET_OK) return status;
    status = identify(client, head, &hash, &token, err);
    if (status == STET_OK) {
        memcpy(found->id, hash.hex, sizeof found->id);
        found->seq = head->row.seq;
        found->expires_at = token.expires_at;
        found->identity = (stet_identity){0};
        snprintf(found->identity.actor, sizeof found->identity.actor, "%.*s",
                 VIEW_ARG(token.actor));
        found->identity.admin = token.admin;
        rights_grant(&token.rights, &found->identity);
        memcpy(found->identity.token, hash.hex, ID_BYTES * 2);
        snprintf(found->identity.space, sizeof found->identity.space, "stet");
        found->identity.expires_at = token.expires_at;
        found->identity.credential_seq = head->row.seq;
    }
    change_unref(head);
    return status;
}

/* Whether what is remembered of a token is still what its record says. */
static bool still_holds(struct stet_client *client, const struct remembered *place) {
    struct change *head;
    stet_view id = view_make(place->id, sizeof place->id);
    if (find_token(client, id, &head, NULL) != STET_OK) return false;
    bool holds = head->row.seq == place->seq;
    change_unref(head);
    return holds;
}

stet_status auth_identify(struct stet_client *client, stet_view text, stet_identity *identity,
                          stet_error *err) {
    struct remembered found;
    struct remembered *place = place_of(client, text, found.tag);
    if (place != NULL && place->seq != 0 &&
        sodium_memcmp(place->tag, found.tag, sizeof found.tag) == 0 && still_holds(client, place)) {
        found = *place;
    } else {
        stet_status status = identify_by_hash(client, text, &found, err);
        if (status != STET_OK) return status;
        if (place != NULL) *place = found;
    }
    if (found.expires_at != 0 && clock_wall_ns(client->engine->clock) >= found.expires_at)
        return error_set(err, STET_UNAUTHENTICATED, "the token has expired");
    *identity = found.identity;
    return STET_OK;
}

/* A token's record is never written twice, so that the same head says the same rights. */
stet_status auth_check(struct stet_client *client, stet_identity *identity, bool *changed,
                       stet_error *err) {
    struct change *head;
    if (changed != NULL) *changed = false;
    stet_status status = find_token(client, view_of(identity->token), &head, err);
    if (status != STET_OK) return status;
    if (change_is_delete(head) || head->row.seq != identity->credential_seq)
        status = error_set(err, STET_UNAUTHENTICATED, "the token was revoked");
    change_unref(head);
    if (status == STET_OK && identity->expires_at != 0 &&
        clock_wall_ns(client->engine->clock) >= identity->expires_at)
        status = error_set(err, STET_UNAUTHENTICATED, "the token has expired");
    return status;
}

/* ---- Walking the tokens ------------------------------------------------------------------ */

typedef stet_status token_visit(void *context, const struct store_change *change,
                                const struct token *token, stet_error *err);

struct token_walk {
    struct arena *arena;
    token_visit *visit;
    void *context;
};

static stet_status visit_change(void *context, const struct store_change *change, stet_error *err) {
    const struct token_walk *walk = context;
    struct token token;
    stet_status status = read_token(walk->arena, change->data, &token);
    if (status != STET_OK)
        return error_set(err, status,
                         status == STET_NO_MEMORY ? "out of memory for a token"
                                                  : "a token's record is damaged");
    return walk->visit(walk->context, change, &token, err);
}

/* Every live token. Views passed to visit live as long as the arena. */
static stet_status visit_tokens(struct store_reader *reader, struct arena *arena,
                                token_visit *visit, void *context, stet_error *err) {
    struct token_walk walk = {.arena = arena, .visit = visit, .context = context};
    return read_each_live(reader, arena, TYPE, visit_change, &walk, err);
}

static stet_status note_any(void *context, const struct store_change *change,
                            const struct token *token, stet_error *err) {
    (void)change;
    (void)token;
    (void)err;
    *(bool *)context = true;
    return STET_OK;
}

struct admin_search {
    int64_t now;
    bool found;
};

static stet_status note_admin(void *context, const struct store_change *change,
                              const struct token *token, stet_error *err) {
    struct admin_search *search = context;
    (void)change;
    (void)err;
    if (token->admin && (token->expires_at == 0 || search->now < token->expires_at))
        search->found = true;
    return STET_OK;
}

static stet_status ask_tokens(struct stet_client *client, token_visit *visit, void *context,
                              stet_error *err) {
    struct store_reader *reader;
    struct arena arena;
    stet_status status = space_reader_take(client->engine->home, &reader, err);
    if (status != STET_OK) return status;
    arena_init(&arena, 4096);
    status = visit_tokens(reader, &arena, visit, context, err);
    arena_done(&arena);
    space_reader_give(client->engine->home, reader);
    return status;
}

stet_status auth_any(struct stet_client *client, bool *any, stet_error *err) {
    bool found = false;
    stet_status status = ask_tokens(client, note_any, &found, err);
    if (status == STET_OK) *any = found;
    return status;
}

stet_status auth_any_admin(struct stet_client *client, bool *any, stet_error *err) {
    struct admin_search search = {.now = clock_wall_ns(client->engine->clock)};
    stet_status status = ask_tokens(client, note_admin, &search, err);
    if (status == STET_OK) *any = search.found;
    return status;
}

/* ---- Commands ---------------------------------------------------------------------------- */

struct creation {
    stet_view secret; /* Shown once. */
    stet_view actor, name;
    bool replace;
};

static void show_secret(struct stet_command *command, struct json_writer *writer) {
    const struct creation *creation = command->module_data;
    /* A replay cannot show it: only the hash was kept. */
    if (!command->replayed) json_member_text(writer, VIEW("token"), creation->secret);
}

struct replacing {
    struct stet_command *command;
    struct mutation *mutations;
    size_t count;
};

static stet_status note_replaced(void *context, const struct store_change *change,
                                 const struct token *token, stet_error *err) {
    struct replacing *replacing = context;
    const struct creation *creation = replacing->command->module_data;
    if (!view_equal(token->actor, creation->actor) || !view_equal(token->name, creation->name))
        return STET_OK;
    if (replacing->count == TRANSACTION_MUTATIONS_MAX)
        return error_set(err, STET_TOO_LARGE, "too many tokens to replace at once");
    replacing->mutations[replacing->count++] = (struct mutation){
        .op = STET_OP_DELETE,
        .type = change->type,
        .id = change->id,
        .base = {.kind = STET_BASE_VERSION, .value = change->version},
    };
    return STET_OK;
}

/* Adds the revocation of the tokens that the new one replaces, in the same transaction. */
static stet_status prepare_replacement(struct stet_command *command, stet_error *err) {
    struct arena *arena = &command->arena;
    struct store_reader *reader;
    struct replacing replacing = {.command = command, .count = 1};
    replacing.mutations =
        arena_zalloc(arena, TRANSACTION_MUTATIONS_MAX, sizeof *replacing.mutations);
    if (replacing.mutations == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    replacing.mutations[0] = command->mutations[0];
    stet_status status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    status = visit_tokens(reader, arena, note_replaced, &replacing, err);
    space_reader_give(command->space, reader);
    if (status != STET_OK) return status;
    command->mutations = replacing.mutations;
    command->mutation_count = replacing.count;
    return STET_OK;
}

static stet_status check_admin(struct stet_command *command, stet_error *err) {
    if (command->actor.admin) return STET_OK;
    return error_set(err, STET_FORBIDDEN, "only an administrator may manage tokens");
}

static stet_status prepare_creation(struct stet_command *command, stet_error *err) {
    const struct creation *creation = command->module_data;
    stet_status status = check_admin(command, err);
    if (status != STET_OK || !creation->replace) return status;
    return prepare_replacement(command, err);
}

static stet_view token_data(struct arena *arena, const stet_token_request *request,
                            const struct rights *rights, const struct token_hash *hash) {
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("actor"), request->actor);
    json_member_text(&writer, VIEW("name"), request->name);
    json_member_bool(&writer, VIEW("admin"), request->admin);
    rights_write(&writer, rights);
    if (request->expires_at > 0) {
        json_key(&writer, VIEW("expires_at"));
        json_rfc3339(&writer, request->expires_at);
    }
    json_member_text(&writer, VIEW("_hash"), hash_text(hash));
    json_object_end(&writer);
    return json_end(&writer) == STET_OK ? buffer_view(&buffer) : (stet_view){0};
}

stet_status auth_fill_create(struct stet_command *command, const stet_token_request *request,
                             stet_error *err) {
    enum { TEXT_BYTES = sizeof TOKEN_PREFIX + 64 };
    struct arena *arena = &command->arena;
    const struct entropy *entropy = command->client->engine->entropy;
    uint8_t secret[SECRET_BYTES];
    char text[TEXT_BYTES] = TOKEN_PREFIX;
    struct token_hash hash;
    struct rights rights;
    stet_status status = check_actor(request->actor, err);
    if (status == STET_OK && request->name.size > 0) status = check_id(request->name, "name", err);
    if (status == STET_OK)
        status =
            rights_fill(arena, request->roles, request->role_count, request->scopes, &rights, err);
    if (status != STET_OK) return status;
    int64_t now = clock_wall_ns(command->client->engine->clock);
    if (request->expires_at < 0 || (request->expires_at > 0 && request->expires_at <= now)) {
        error_set(err, STET_BAD_REQUEST, "the token would have expired already");
        error_field(err, "expires_at", 0);
        return STET_BAD_REQUEST;
    }
    entropy->fill(entropy->context, secret, sizeof secret);
    sodium_bin2base64(text + sizeof TOKEN_PREFIX - 1, sizeof text - sizeof TOKEN_PREFIX + 1, secret,
                      sizeof secret, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    hash_token(view_of(text), &hash);
    struct creation *creation = arena_zalloc(arena, 1, sizeof *creation);
    stet_view data = token_data(arena, request, &rights, &hash);
    if (creation == NULL || view_is_empty(data))
        return error_set(err, STET_NO_MEMORY, "out of memory");
    *creation = (struct creation){
        .secret = arena_copy(arena, view_of(text)),
        .actor = arena_copy(arena, request->actor),
        .name = arena_copy(arena, request->name),
        .replace = request->replace,
    };
    stet_mutation mutation = {
        .op = STET_OP_CREATE, .type = TYPE, .id = hash_id(&hash), .body = data};
    stet_write write = {.mutations = &mutation, .mutation_count = 1};
    status = command_fill_write(command, &write, err);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(text, sizeof text);
    if (status != STET_OK) return status;
    command->owner = &auth_module;
    command->render = RENDER_FLAT;
    command->module_data = creation;
    command->prepare = prepare_creation;
    command->decorate = show_secret;
    return STET_OK;
}

/* The version to delete is whatever stands there now: a revocation has no base to go stale. */
static stet_status prepare_revocation(struct stet_command *command, stet_error *err) {
    struct mutation *mutation = &command->mutations[0];
    struct change *head;
    stet_status status = check_admin(command, err);
    if (status == STET_OK)
        status =
            client_head(command->client, command->space, mutation->type, mutation->id, &head, err);
    if (status == STET_NOT_FOUND) return error_set(err, STET_NOT_FOUND, "there is no such token");
    if (status != STET_OK) return status;
    mutation->base = (stet_base){.kind = STET_BASE_VERSION, .value = head->row.version};
    change_unref(head);
    return STET_OK;
}

stet_status auth_fill_revoke(struct stet_command *command, stet_view id, stet_error *err) {
    stet_mutation mutation = {.op = STET_OP_DELETE, .type = TYPE, .id = id};
    stet_write write = {.mutations = &mutation, .mutation_count = 1};
    stet_status status = command_fill_write(command, &write, err);
    if (status != STET_OK) return status;
    command->owner = &auth_module;
    command->render = RENDER_FLAT;
    command->prepare = prepare_revocation;
    return STET_OK;
}

static stet_status render_token(void *context, const struct store_change *change,
                                const struct token *token, stet_error *err) {
    struct json_writer *writer = context;
    (void)err;
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), change->id);
    json_member_text(writer, VIEW("actor"), token->actor);
    json_member_text(writer, VIEW("name"), token->name);
    json_member_bool(writer, VIEW("admin"), token->admin);
    rights_show(writer, &token->rights, token->admin);
    json_key(writer, VIEW("created_at"));
    json_rfc3339(writer, change->stamp);
    json_member_text(writer, VIEW("created_by"), change->by);
    if (token->expires_at != 0) {
        json_key(writer, VIEW("expires_at"));
        json_rfc3339(writer, token->expires_at);
    }
    json_object_end(writer);
    return STET_OK;
}

static stet_status list_tokens(struct stet_command *command, struct store_reader *reader,
                               struct buffer *out, stet_error *err) {
    struct json_writer writer;
    stet_status status = check_admin(command, err);
    if (status != STET_OK) return status;
    command->decided_seq = ring_published(&command->space->ring);
    json_begin(&writer, out);
    json_object_begin(&writer);
    json_key(&writer, VIEW("tokens"));
    json_array_begin(&writer);
    status = visit_tokens(reader, &command->arena, render_token, &writer, err);
    json_array_end(&writer);
    json_object_end(&writer);
    return status;
}

stet_status auth_fill_list(struct stet_command *command, stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    command->kind = COMMAND_MODULE_READ;
    command->read_rows = list_tokens;
    return STET_OK;
}

static const char *const types[] = {"stet.token", NULL};

const struct module auth_module = {
    .name = "auth",
    .types = types,
    .space = "stet",
};
