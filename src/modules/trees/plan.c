#include "modules/trees/plan.h"

#include "base/error.h"
#include "base/uuid.h"
#include "base/view.h"
#include "core/index.h"

#include <assert.h>
#include <sodium.h>

stet_status plan_begin(struct plan *plan, struct stet_command *command, size_t capacity,
                       stet_error *err) {
    command_drop_mutations(command);
    command->mutations = arena_zalloc(&command->arena, capacity + 1, sizeof *command->mutations);
    *plan = (struct plan){.command = command, .capacity = capacity};
    return command->mutations == NULL ? error_set(err, STET_NO_MEMORY, "out of memory for a tree")
                                      : STET_OK;
}

static struct mutation *add(struct plan *plan, stet_op op, stet_view type, stet_view id) {
    struct stet_command *command = plan->command;
    assert(command->mutation_count < plan->capacity);
    struct mutation *mutation = &command->mutations[command->mutation_count++];
    *mutation = (struct mutation){.op = op, .type = type, .id = id};
    return mutation;
}

static void give_data(struct mutation *mutation, stet_view data, uint64_t hash) {
    mutation->body = data;
    mutation->yours_data = data;
    mutation->yours_hash = hash;
    mutation->has_yours = true;
}

struct mutation *plan_create(struct plan *plan, stet_view type, stet_view id, stet_view data,
                             uint64_t hash) {
    struct mutation *mutation = add(plan, STET_OP_CREATE, type, id);
    give_data(mutation, data, hash);
    return mutation;
}

struct mutation *plan_put(struct plan *plan, stet_view type, stet_view id, uint64_t base,
                          stet_view data, uint64_t hash) {
    struct mutation *mutation = add(plan, STET_OP_PUT, type, id);
    mutation->base = (stet_base){.kind = STET_BASE_VERSION, .value = base};
    mutation->prepared_version = base;
    give_data(mutation, data, hash);
    return mutation;
}

struct mutation *plan_delete(struct plan *plan, const struct store_change *head) {
    struct mutation *mutation = add(plan, STET_OP_DELETE, head->type, head->id);
    mutation->base = (stet_base){.kind = STET_BASE_VERSION, .value = head->version};
    mutation->prepared_version = head->version;
    mutation->last_data = head->data;
    return mutation;
}

stet_view plan_new_id(struct stet_command *command) {
    const struct stet_engine *engine = command->client->engine;
    uint8_t uuid[UUID_BYTES];
    char *text = arena_bytes(&command->arena, UUID_TEXT_BYTES);
    if (text == NULL) return (stet_view){0};
    uuid_v7(engine->clock, engine->entropy, uuid);
    uuid_format(uuid, text);
    return view_make(text, UUID_TEXT_BYTES);
}

stet_status plan_fill(struct stet_command *command, stet_view key, bool dry_run,
                      stet_status (*hop)(struct stet_command *command, struct store_reader *reader,
                                         stet_error *err),
                      stet_error *err) {
    if (key.size > 0) {
        stet_status status = command_set_key(command, key, err);
        if (status != STET_OK) return status;
    }
    command->mutations = arena_zalloc(&command->arena, 1, sizeof *command->mutations);
    if (command->mutations == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    command->kind = COMMAND_WRITE;
    command->transaction = true;
    command->dry_run = dry_run;
    /* A request that was done already must not be compared with what came of it. */
    if (!command->has_key) command->hop = hop;
    return STET_OK;
}

/* Whether a node is as it was read, with the children it had. */
static stet_status node_holds(struct staging *staging, const struct tree *tree,
                              const struct tree_node *node, bool *same, stet_error *err) {
    struct store_head head;
    uint8_t from[STORE_NUMBER_BYTES], to[STORE_NUMBER_BYTES];
    stet_status status = staging_read(staging, node->row.type, node->row.id, &head, NULL, err);
    if (status != STET_OK) return status;
    store_number_key(node->number, from);
    store_number_key(node->number + 1, to);
    *same = head.version == node->head.version &&
            index_changed_since(staging->space, staging->batch, STORE_INDEX_PARENT,
                                view_make(from, sizeof from), view_make(to, sizeof to),
                                tree->seq) == INDEX_UNCHANGED;
    return STET_OK;
}

stet_status plan_holds(struct staging *staging, const struct tree *tree, bool *same,
                       stet_error *err) {
    *same = true;
    if (staging->space->seq == tree->seq) return STET_OK;
    for (size_t i = 0; *same && i < tree->count; i++) {
        stet_status status = node_holds(staging, tree, &tree->nodes[i], same, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

stet_status plan_again(struct stet_command *command,
                       stet_status (*hop)(struct stet_command *command, struct store_reader *reader,
                                          stet_error *err),
                       stet_error *err) {
    if (command->hops >= TREE_READS_MAX)
        return error_set(err, STET_BUSY, "the tree is changing too fast; try again");
    command->hop = hop;
    return STET_OK;
}

void plan_hash(struct stet_command *command, const stet_view *parts, size_t count) {
    crypto_generichash_state hash;
    if (!command->has_key) return;
    crypto_generichash_init(&hash, NULL, 0, STORE_HASH_BYTES);
    for (size_t i = 0; i < count; i++) {
        uint64_t size = parts[i].size;
        crypto_generichash_update(&hash, (const unsigned char *)&size, sizeof size);
        crypto_generichash_update(&hash, (const unsigned char *)parts[i].bytes, parts[i].size);
    }
    crypto_generichash_final(&hash, command->request_hash, STORE_HASH_BYTES);
}
