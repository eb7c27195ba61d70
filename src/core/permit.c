#include "core/permit.h"

#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/client.h"
#include "core/data.h"
#include "core/render.h"

/* A version with its data parsed. */
struct version {
    struct store_change row;
    struct doc doc;
    struct created created;
    struct access_record record;
};

static bool lives(const struct store_head *head) { return head->version > 0 && !head->deleted; }

static bool is_denial(stet_status status) {
    return status == STET_FORBIDDEN || status == STET_NOT_FOUND;
}

static bool is_patch(const struct mutation *mutation) {
    return mutation->op == STET_OP_PATCH || mutation->op == STET_OP_PATCH_JSON;
}

/* Most types have no rules, and most people are members: then there is nothing to be judged. */
static bool is_free(const struct policy *policy, const stet_actor *actor) {
    bool ruled = policy != NULL && policy->access != NULL;
    return !ruled && (actor->role_count == 0 || actor_has_role(actor, ROLE_MEMBER));
}

/* A record that is created in the batch at hand is not found by others yet: its creation is given along. */
static stet_status parse_version(struct staging *staging, struct version *version,
                                 stet_error *err) {
    struct arena *arena = staging_arena(staging);
    const struct store_change *row = &version->row;
    version->record = (struct access_record){
        .change = &version->row, .data = &version->doc, .space = staging->space};
    if (row->first > ring_published(&staging->space->ring)) {
        struct store_change first;
        stet_status status = staging_change_at(staging, row->first, &first, err);
        if (status != STET_OK) return status;
        change_created(arena, &first, &version->created);
        version->record.created = &version->created;
    }
    return change_parse(arena, version->row.data, &version->doc, err);
}

static stet_status load_head(struct staging *staging, const struct store_head *head,
                             struct version *version, stet_error *err) {
    stet_status status = staging_head_change(staging, head, &version->row, err);
    return status == STET_OK ? parse_version(staging, version, err) : status;
}

static stet_status parse_data(struct arena *arena, stet_view data, struct doc *doc,
                              struct access_record *record, stet_error *err) {
    *record = (struct access_record){.data = doc};
    return change_parse(arena, data, doc, err);
}

/* ---- Reading ------------------------------------------------------------------------------ */

static stet_status may_read(const struct policy *policy, const stet_actor *actor,
                            const struct version *version, bool *may, stet_error *err) {
    stet_error why = {0};
    stet_status status = access_check(policy, actor, ACCESS_READ, &version->record, NULL, &why);
    *may = status == STET_OK;
    if (status == STET_OK || is_denial(status)) return STET_OK;
    *err = why;
    return status;
}

stet_status permit_reading(struct staging *staging, stet_view type, const struct store_head *head,
                           bool *may, stet_error *err) {
    const stet_actor *actor = &staging->command->actor;
    struct version version;
    *may = true;
    if (type_is_system(type)) {
        stet_status status = staging_head_change(staging, head, &version.row, err);
        const struct viewer viewer = {.space = staging->space, .actor = actor};
        if (status == STET_OK) *may = viewer_sees(&viewer, &version.row);
        return status;
    }
    const struct policy *policy = policy_staged(staging->space, type);
    if (!access_binds(policy, actor, ACCESS_READ)) return STET_OK;
    stet_status status = load_head(staging, head, &version, err);
    return status == STET_OK ? may_read(policy, actor, &version, may, err) : status;
}

stet_status permit_base(struct staging *staging, const struct mutation *mutation,
                        const struct store_change *base, bool *may, stet_error *err) {
    const struct policy *policy = policy_staged(staging->space, mutation->type);
    const stet_actor *actor = &staging->command->actor;
    struct version version = {.row = *base};
    *may = true;
    if (type_is_system(mutation->type) || base->pruned || view_is_empty(base->data) ||
        !access_binds(policy, actor, ACCESS_READ))
        return STET_OK;
    stet_status status = parse_version(staging, &version, err);
    return status == STET_OK ? may_read(policy, actor, &version, may, err) : status;
}

/* ---- What they wrote without seeing all --------------------------------------------------- */

/* The version they had in their hands: the base, where it is known; else the record as it stands. */
static stet_status find_hands(struct staging *staging, const struct mutation *mutation,
                              const struct store_head *head, const struct version *now,
                              struct store_change *row, stet_error *err) {
    bool older = mutation->base.kind == STET_BASE_VERSION && mutation->base.value < head->version;
    stet_error why = {0};
    *row = now->row;
    if (!older) return STET_OK;
    stet_status status = staging_version(staging, mutation, head, mutation->base.value, row, &why);
    bool there = status == STET_OK && row->op != STORE_DELETE && !row->pruned;
    if (!there) *row = now->row;
    if (status == STET_OK || status == STET_NOT_FOUND || status == STET_PRUNED) return STET_OK;
    *err = why;
    return status;
}

/* A PUT or a creation: yours becomes what they sent, with what is hidden from them put in. */
static stet_status unveil_put(struct staging *staging, struct mutation *mutation,
                              const struct policy *policy, const struct store_head *head,
                              const struct version *now, stet_error *err) {
    const struct veil veil = permit_veil(staging, policy);
    struct store_change from;
    bool creates = !lives(head) || mutation->op == STET_OP_CREATE;
    stet_view whole;
    stet_status status = creates ? STET_OK : find_hands(staging, mutation, head, now, &from, err);
    if (status == STET_OK)
        status = veil_put(&veil, creates ? NULL : &from, mutation->body, &whole, err);
    if (status != STET_OK) return status;
    mutation->shown = mutation->body;
    return data_replace(staging, mutation, policy, whole, err);
}

static stet_status unveil(struct staging *staging, struct mutation *mutation,
                          const struct policy *policy, const struct store_head *head,
                          const struct version *now, stet_error *err) {
    const struct veil veil = permit_veil(staging, policy);
    if (!veil_is_on(&veil)) return STET_OK;
    if (mutation->op == STET_OP_CREATE || mutation->op == STET_OP_PUT)
        return mutation->whole ? STET_OK : unveil_put(staging, mutation, policy, head, now, err);
    if (!is_patch(mutation)) return STET_OK;
    bool tried = mutation->has_yours || mutation->prepare_status == STET_FORBIDDEN;
    if (!tried) return STET_OK;
    if (mutation->veiled_by == policy->seq) {
        if (mutation->has_yours) return STET_OK;
        *err = *mutation->prepare_error;
        return STET_FORBIDDEN;
    }
    /* Made when other rules held. It is made again when it is needed. */
    mutation->has_yours = false;
    mutation->validated = false;
    mutation->ahead = NULL;
    mutation->prepare_status = STET_NOT_FOUND;
    mutation->prepare_error = NULL;
    return STET_OK;
}

/* ---- Before the outcomes ------------------------------------------------------------------ */

/* Whether the place of the record is all that is asked for. */
static bool takes_place(const struct mutation *mutation) {
    return mutation->base.kind == STET_BASE_ABSENT || mutation->op == STET_OP_CREATE ||
           (mutation->op == STET_OP_PUT && mutation->base.kind == STET_BASE_NONE);
}

/* What the request is about, whether the record is there or not. */
static enum access_verb verb_asked(const struct mutation *mutation) {
    if (mutation->op == STET_OP_DELETE) return ACCESS_DELETE;
    if (mutation->op == STET_OP_CHECK) return ACCESS_READ;
    return takes_place(mutation) ? ACCESS_CREATE : ACCESS_UPDATE;
}

/* What it comes to, for who may know how the record stands. */
static enum access_verb verb_of(const struct mutation *mutation, const struct store_head *head) {
    enum access_verb asked = verb_asked(mutation);
    bool only_absent = mutation->op == STET_OP_CREATE || mutation->base.kind == STET_BASE_ABSENT;
    if (lives(head)) return asked == ACCESS_CREATE && !only_absent ? ACCESS_UPDATE : asked;
    bool revives = mutation->op == STET_OP_PUT || mutation->op == STET_OP_REVERT;
    return asked == ACCESS_UPDATE && revives && head->version > 0 ? ACCESS_CREATE : asked;
}

/* What is refused says nothing of how the record stands. */
static void forget(struct mutation *mutation) {
    mutation->before = (struct store_head){0};
    mutation->after_version = mutation->after_seq = 0;
}

static stet_status not_there(struct mutation *mutation, const struct store_head *head,
                             stet_error *err) {
    forget(mutation);
    if (takes_place(mutation) && lives(head))
        return error_set(err, STET_FORBIDDEN, "you may not write \"%.*s/%.*s\"",
                         VIEW_ARG(mutation->type), VIEW_ARG(mutation->id));
    return error_set(err, STET_NOT_FOUND, "the record does not exist");
}

static const char *verb_word(enum access_verb verb) {
    switch (verb) {
    case ACCESS_READ: return "read";
    case ACCESS_CREATE: return "create";
    case ACCESS_UPDATE: return "change";
    case ACCESS_DELETE: return "delete";
    }
    return "write";
}

/* Not with any record of the type. */
static stet_status not_yours(struct mutation *mutation, enum access_verb verb, stet_error *err) {
    forget(mutation);
    return error_set(err, STET_FORBIDDEN, "you may not %s records of type \"%.*s\"",
                     verb_word(verb), VIEW_ARG(mutation->type));
}

/* Judges yours, and remembers that it was. */
static stet_status judge_yours(struct staging *staging, struct mutation *mutation,
                               const struct policy *policy, enum access_verb verb,
                               const struct version *now, stet_error *err) {
    struct doc doc;
    struct access_record after;
    stet_status status =
        parse_data(staging_arena(staging), mutation->yours_data, &doc, &after, err);
    if (status == STET_OK)
        status = access_check(policy, &staging->command->actor, verb,
                              verb == ACCESS_CREATE ? NULL : &now->record, &after, err);
    if (status == STET_OK) mutation->permitted = mutation->yours_data;
    return status;
}

/* See the header. */
static stet_status judge_stale(struct staging *staging, struct mutation *mutation,
                               const struct policy *policy, const struct store_head *head,
                               const struct version *now, stet_error *err) {
    const stet_actor *actor = &staging->command->actor;
    struct arena *arena = staging_arena(staging);
    struct version base = {0};
    struct access_record after;
    struct doc doc;
    stet_error why = {0};
    stet_status status = STET_OK;
    if (!mutation->has_yours)
        return access_check(policy, actor, ACCESS_UPDATE, &now->record, &now->record, err);
    status = parse_data(arena, mutation->yours_data, &doc, &after, err);
    if (status == STET_OK) status = find_hands(staging, mutation, head, now, &base.row, err);
    if (status == STET_OK) status = parse_version(staging, &base, err);
    if (status != STET_OK) return status;
    status = access_check(policy, actor, ACCESS_UPDATE, &base.record, &after, &why);
    if (status == STET_FORBIDDEN && why.field[0] != '\0') {
        *err = why;
        return status;
    }
    status = access_check(policy, actor, ACCESS_UPDATE, &now->record, &now->record, err);
    if (status != STET_FORBIDDEN) return status;
    why = (stet_error){0};
    return access_check(policy, actor, ACCESS_UPDATE, &now->record, &after, &why) == STET_OK
               ? STET_OK
               : status;
}

static stet_status judge(struct staging *staging, struct mutation *mutation,
                         const struct policy *policy, const struct store_head *head,
                         const struct version *now, stet_error *err) {
    const stet_actor *actor = &staging->command->actor;
    bool fresh = mutation->base.kind != STET_BASE_VERSION || mutation->base.value == head->version;
    enum access_verb verb = verb_of(mutation, head);
    if (verb == ACCESS_READ) return STET_OK;
    if (access_never(policy, actor, verb)) return not_yours(mutation, verb, err);
    stet_status status = unveil(staging, mutation, policy, head, now, err);
    if (status != STET_OK) return status;
    switch (verb) {
    case ACCESS_CREATE:
        return mutation->has_yours && (fresh || lives(head))
                   ? judge_yours(staging, mutation, policy, verb, now, err)
                   : STET_OK;
    case ACCESS_DELETE:
        return lives(head) ? access_check(policy, actor, verb, &now->record, NULL, err) : STET_OK;
    case ACCESS_UPDATE:
        if (!lives(head)) return STET_OK;
        if (!fresh) return judge_stale(staging, mutation, policy, head, now, err);
        if (mutation->has_yours) return judge_yours(staging, mutation, policy, verb, now, err);
        /* What is made later is judged when it is staged; what could not be made tells them nothing if they may not write. */
        return mutation->prepare_status == STET_OK || mutation->prepare_status == STET_NOT_FOUND
                   ? STET_OK
                   : access_check(policy, actor, verb, &now->record, &now->record, err);
    case ACCESS_READ: break;
    }
    return STET_OK;
}

stet_status permit_mutation(struct staging *staging, struct mutation *mutation,
                            const struct store_head *head, stet_error *err) {
    const stet_actor *actor = &staging->command->actor;
    mutation->bypass = false;
    mutation->permitted = (stet_view){0};
    if (actor->admin || type_is_system(mutation->type)) return STET_OK;
    const struct policy *policy = policy_staged(staging->space, mutation->type);
    if (is_free(policy, actor)) return STET_OK;
    bool reads = access_binds(policy, actor, ACCESS_READ);
    if (!reads && !access_binds(policy, actor, verb_of(mutation, head))) return STET_OK;
    struct version now = {0};
    bool sees = true;
    stet_status status = STET_OK;
    if (head->version > 0) {
        status = load_head(staging, head, &now, err);
        if (status == STET_OK && reads) status = may_read(policy, actor, &now, &sees, err);
        if (status != STET_OK) return status;
    }
    /* Whatever does not depend on what they see is the same whether it is there or not. */
    enum access_verb asked = verb_asked(mutation);
    bool known = sees && lives(head);
    if (!(known && verb_of(mutation, head) != asked) && access_never(policy, actor, asked))
        return not_yours(mutation, asked, err);
    /* What was deleted unseen may be made anew: its place is free. */
    bool is_there = sees && head->version > 0;
    if (!is_there && (lives(head) || !takes_place(mutation))) return not_there(mutation, head, err);
    return judge(staging, mutation, policy, head, &now, err);
}

/* ---- Before staging ----------------------------------------------------------------------- */

/* The record as it stands, for a result that is judged. */
static stet_status judge_result(struct staging *staging, const struct mutation *mutation,
                                const stet_actor *actor, enum store_op op,
                                const struct store_head *head, stet_view data, stet_error *err) {
    const struct policy *policy = policy_staged(staging->space, mutation->type);
    struct arena *arena = staging_arena(staging);
    struct version now = {0};
    struct access_record after;
    struct doc doc;
    stet_status status = STET_OK;
    enum access_verb verb = op == STORE_CREATE   ? ACCESS_CREATE
                            : op == STORE_DELETE ? ACCESS_DELETE
                                                 : ACCESS_UPDATE;
    if (verb != ACCESS_CREATE) status = load_head(staging, head, &now, err);
    if (status == STET_OK && verb != ACCESS_DELETE)
        status = parse_data(arena, data, &doc, &after, err);
    if (status == STET_OK)
        status = access_check(policy, actor, verb, verb == ACCESS_CREATE ? NULL : &now.record,
                              verb == ACCESS_DELETE ? NULL : &after, err);
    return status;
}

stet_status permit_staged(struct staging *staging, struct mutation *mutation, enum store_op op,
                          const struct store_head *head, stet_view data, stet_error *err) {
    const stet_actor *actor = &staging->command->actor;
    enum access_verb verb = op == STORE_CREATE   ? ACCESS_CREATE
                            : op == STORE_DELETE ? ACCESS_DELETE
                                                 : ACCESS_UPDATE;
    if (type_is_system(mutation->type)) return STET_OK;
    const struct policy *policy = policy_staged(staging->space, mutation->type);
    if (actor->admin) {
        stet_actor plain = *actor;
        stet_error why = {0};
        if (policy == NULL || policy->access == NULL ||
            (mutation->imported && mutation->origin.history))
            return STET_OK;
        plain.admin = false;
        stet_status status = STET_OK;
        if (access_binds(policy, &plain, verb) || access_binds(policy, &plain, ACCESS_READ))
            status = judge_result(staging, mutation, &plain, op, head, data, &why);
        mutation->bypass = is_denial(status);
        if (status == STET_OK || mutation->bypass) return STET_OK;
        *err = why;
        return status;
    }
    if (is_free(policy, actor) || !access_binds(policy, actor, verb)) return STET_OK;
    bool judged = mutation->permitted.bytes != NULL && op != STORE_DELETE &&
                  mutation->permitted.bytes == data.bytes && mutation->permitted.size == data.size;
    if (judged) return STET_OK;
    stet_status status = judge_result(staging, mutation, actor, op, head, data, err);
    if (status == STET_NOT_FOUND)
        return error_set(err, STET_FORBIDDEN, "you may not %s this record", verb_word(verb));
    return status;
}

stet_status permit_change(struct staging *staging, stet_view type, stet_view id, stet_error *err) {
    const stet_actor *actor = &staging->command->actor;
    const struct policy *policy = policy_staged(staging->space, type);
    struct store_head head;
    struct version now = {0};
    if (actor->admin || type_is_system(type) ||
        (!access_binds(policy, actor, ACCESS_UPDATE) && !access_binds(policy, actor, ACCESS_READ)))
        return STET_OK;
    stet_status status = staging_read(staging, type, id, &head, &now.row, err);
    if (status != STET_OK) return status;
    if (head.version == 0) return error_set(err, STET_NOT_FOUND, "the record does not exist");
    status = parse_version(staging, &now, err);
    if (status == STET_OK)
        status = access_check(policy, actor, ACCESS_UPDATE, &now.record, &now.record, err);
    return status;
}
