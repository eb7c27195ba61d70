/*
 * Who may see and steer which operation. Whoever asked for one and whoever has it in hand sees it; who has the scope "operate" sees all. By
 * default so does a token without roles, which is what services and agents use; the settings of a space may let every member
 * see them, or nobody (core/space.h).
 *
 * Who does not see an operation meets it nowhere, but as one more in the counts of its lane: where somebody stands is known from that.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/actor.h"
#include "modules/operations/internal.h"

enum { ARENA_BYTES = 2048 };

bool rights_see_all(const struct space *space, const stet_actor *actor) {
    if (actor_has_scopes(actor, STET_SCOPE_OPERATE)) return true;
    if (!actor_has_scopes(actor, STET_SCOPE_READ)) return false;
    switch ((enum operations_sight)atomic_load_explicit(&space->operations_sight,
                                                        memory_order_relaxed)) {
    case OPERATIONS_FOR_SERVICES: return actor->role_count == 0 && actor->session.size == 0;
    case OPERATIONS_FOR_MEMBERS: return actor_has_role(actor, ROLE_MEMBER);
    case OPERATIONS_PRIVATE: break;
    }
    return false;
}

bool rights_see(const struct space *space, const stet_actor *actor, stet_view by,
                stet_view claimed_by) {
    return rights_see_all(space, actor) || view_equal(by, actor->id) ||
           (claimed_by.size > 0 && view_equal(claimed_by, actor->id));
}

bool rights_see_open(const struct space *space, const stet_actor *actor,
                     const struct operation *operation) {
    const struct hand *hand = operation->hand;
    return rights_see(space, actor, operation->by, hand == NULL ? (stet_view){0} : hand->actor);
}

stet_status rights_steer(const struct space *space, const stet_actor *actor, stet_view id,
                         stet_view by, stet_view claimed_by, stet_error *err) {
    if (!rights_see(space, actor, by, claimed_by)) return no_operation(id, "id", err);
    stet_status status = rights_demand(actor, STET_SCOPE_WRITE, STET_SCOPE_OPERATE, err);
    if (status != STET_OK || view_equal(by, actor->id) || rights_see_all(space, actor))
        return status;
    return error_set(err, STET_FORBIDDEN,
                     "operation \"%.*s\" is not yours: this needs the scope \"%s\"", VIEW_ARG(id),
                     scope_name(STET_SCOPE_OPERATE));
}

stet_status rights_demand(const stet_actor *actor, unsigned scope, unsigned or_scope,
                          stet_error *err) {
    if (actor_has_scopes(actor, or_scope)) return STET_OK;
    return actor_demand(actor, scope, err);
}

static bool sees_version(const struct space *space, const stet_actor *actor,
                         const struct store_change *change) {
    struct operation_record record;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    /* What cannot be read is nobody's. */
    bool sees = !view_is_empty(change->data) &&
                record_read(&arena, change->data, &record, NULL) == STET_OK &&
                rights_see(space, actor, record.by, record.claimed_by);
    arena_done(&arena);
    return sees;
}

bool operations_may_read(const struct space *space, const stet_actor *actor,
                         const struct store_change *change) {
    if (view_equal(change->type, LANE_TYPE)) return true;
    /* A payload does not say whose it is, and may hold what its reader may not see: operations show it to whom it is for. */
    if (view_equal(change->type, PAYLOAD_TYPE)) return actor->admin;
    return rights_see_all(space, actor) || sees_version(space, actor, change);
}

void rights_keep(struct operation_record *record, const stet_actor *actor) {
    record->by_admin = actor->admin;
    record->by_scopes = actor->scopes;
    record->by_roles = (struct text_list){.items = actor->roles, .count = actor->role_count};
}

stet_status rights_restore(struct arena *arena, const struct operation_record *record,
                           stet_actor *actor, stet_error *err) {
    const stet_actor kept = {.id = record->by,
                             .admin = record->by_admin,
                             .scopes = record->by_scopes,
                             .roles = record->by_roles.items,
                             .role_count = record->by_roles.count};
    return actor_copy(arena, &kept, actor, err);
}
