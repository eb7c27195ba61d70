/*
 * A rule as it is for one actor: what is settled by who they are is gone, and their id and roles are constants. Only for expr_bounds: it
 * is how a list of somebody's own records finds the index on their owner.
 */
#include "base/view.h"
#include "doc/write.h"
#include "expr/node.h"

#include <assert.h>

struct settling {
    struct arena *arena;
    const struct expr *rule;
    const struct expr_subject *actor;
    uint32_t
        offset; /* Of the rule's constants among all of them; then come the actor's id and roles. */
    uint32_t id, roles;
    bool failed; /* Memory is out. */
};

static void settle_operand(const struct settling *settling, struct operand *operand) {
    switch (operand->kind) {
    case OPERAND_LITERAL: operand->literal += settling->offset; break;
    case OPERAND_ACTOR_ID:
        operand->kind = OPERAND_LITERAL;
        operand->literal = settling->id;
        break;
    case OPERAND_ACTOR_ROLES:
        operand->kind = OPERAND_LITERAL;
        operand->literal = settling->roles;
        break;
    case OPERAND_DATA:
    case OPERAND_OLD:
    case OPERAND_NEW:
    case OPERAND_META: break;
    }
}

/* A copy of what depends on the record. Recurses as deep as the expression is. */
static struct expr_node *settle_node(struct settling *settling, const struct expr_node *node) {
    struct expr_node *copy = arena_zalloc(settling->arena, 1, sizeof *copy);
    bool joins = node->kind == NODE_AND || node->kind == NODE_OR;
    if (copy == NULL) {
        settling->failed = true;
        return NULL;
    }
    *copy = *node;
    copy->next = copy->first = NULL;
    if (!joins && node->kind != NODE_NOT) {
        settle_operand(settling, &copy->left);
        settle_operand(settling, &copy->right);
        return copy;
    }
    struct expr_node **end = &copy->first;
    for (const struct expr_node *part = node->first; part != NULL; part = part->next) {
        if (expr_node_truth(settling->rule, settling->actor, part) != EXPR_DEPENDS) continue;
        *end = settle_node(settling, part);
        if (*end == NULL) return NULL;
        end = &(*end)->next;
    }
    assert(copy->first != NULL);
    /* One part that is left of several stands for all of them. */
    return joins && copy->first->next == NULL ? copy->first : copy;
}

static void write_constants(struct json_writer *writer, const struct expr *expr) {
    for (uint32_t i = 0; expr != NULL && i < expr->literal_count; i++)
        json_raw(writer, doc_text(&expr->constants, expr->literals[i]));
}

static stet_status settle_constants(struct settling *settling, const struct expr *also,
                                    struct expr *out) {
    struct buffer buffer;
    struct json_writer writer;
    struct doc_limits limits = doc_limits_default;
    uint32_t count = 0;
    limits.nodes_max =
        UINT32_MAX / 64; /* Those of two expressions and of an actor have bounds of their own. */
    buffer_init(&buffer, settling->arena, 0);
    json_begin(&writer, &buffer);
    json_array_begin(&writer);
    write_constants(&writer, also);
    write_constants(&writer, settling->rule);
    json_text(&writer, settling->actor->actor_id);
    json_array_begin(&writer);
    for (size_t i = 0; i < settling->actor->actor_role_count; i++)
        json_text(&writer, settling->actor->actor_roles[i]);
    json_array_end(&writer);
    json_null(&writer);
    json_array_end(&writer);
    stet_status status = json_end(&writer);
    if (status != STET_OK) return status;
    status = doc_parse(settling->arena, buffer_view(&buffer), &limits, &out->constants, NULL);
    if (status != STET_OK) return status;
    doc_node *literals =
        arena_zalloc(settling->arena, doc_count(&out->constants, 0), sizeof *literals);
    if (literals == NULL) return STET_NO_MEMORY;
    for (doc_node node = doc_first(&out->constants, 0); node != DOC_NONE;
         node = doc_next(&out->constants, node))
        literals[count++] = node;
    out->literals = literals;
    out->literal_count = count - 1;
    return STET_OK;
}

stet_status expr_for_actor(struct arena *arena, const struct expr *rule,
                           const struct expr_subject *actor, const struct expr *also,
                           struct expr **out) {
    uint32_t offset = also == NULL ? 0 : also->literal_count;
    struct settling settling = {.arena = arena,
                                .rule = rule,
                                .actor = actor,
                                .offset = offset,
                                .id = offset + rule->literal_count,
                                .roles = offset + rule->literal_count + 1};
    struct expr *expr = arena_zalloc(arena, 1, sizeof *expr);
    struct expr_node *all = arena_zalloc(arena, 1, sizeof *all);
    struct expr_node *theirs = arena_zalloc(arena, 1, sizeof *theirs);
    assert(expr_truth(rule, actor) == EXPR_DEPENDS);
    if (expr == NULL || all == NULL || theirs == NULL) return STET_NO_MEMORY;
    struct expr_node *root = settle_node(&settling, rule->root);
    if (settling.failed) return STET_NO_MEMORY;
    if (also != NULL) {
        *theirs = *also->root; /* Its constants come first: they keep their numbers. */
        theirs->next = root;
        all->kind = NODE_AND;
        all->first = theirs;
        root = all;
    }
    expr->root = root;
    stet_status status = settle_constants(&settling, also, expr);
    if (status == STET_OK) *out = expr;
    return status;
}
