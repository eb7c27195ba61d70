#include "core/actor.h"

#include "base/error.h"
#include "base/view.h"

bool actor_has_role(const stet_actor *actor, stet_view role) {
    if (actor->role_count == 0) return view_equal(role, ROLE_MEMBER);
    for (size_t i = 0; i < actor->role_count; i++)
        if (view_equal(actor->roles[i], role)) return true;
    return false;
}

bool actor_has_scopes(const stet_actor *actor, unsigned scopes) {
    unsigned has = actor->scopes == 0 ? STET_SCOPES_DEFAULT : actor->scopes;
    return actor->admin || (has & scopes) == scopes;
}

static const struct {
    unsigned scope;
    const char *name;
} scopes[] = {
    {STET_SCOPE_READ, "read"},       {STET_SCOPE_WRITE, "write"},
    {STET_SCOPE_WORK, "work"},       {STET_SCOPE_PRIORITY, "priority"},
    {STET_SCOPE_OPERATE, "operate"}, {STET_SCOPE_EXPORT, "export"},
};
enum { SCOPES = sizeof scopes / sizeof scopes[0] };

const char *scope_name(unsigned scope) {
    for (size_t i = 0; i < SCOPES; i++)
        if (scopes[i].scope == scope) return scopes[i].name;
    return NULL;
}

unsigned scope_of(stet_view name) {
    for (size_t i = 0; i < SCOPES; i++)
        if (view_equal(view_of(scopes[i].name), name)) return scopes[i].scope;
    return 0;
}

stet_status actor_demand(const stet_actor *actor, unsigned scope, stet_error *err) {
    if (actor_has_scopes(actor, scope)) return STET_OK;
    return error_set(err, STET_FORBIDDEN, "this needs the scope \"%s\", which you do not have",
                     scope_name(scope));
}

stet_status actor_copy(struct arena *arena, const stet_actor *actor, stet_actor *copy,
                       stet_error *err) {
    stet_view *roles = NULL;
    *copy = *actor;
    copy->id = arena_copy(arena, actor->id);
    copy->session = arena_copy(arena, actor->session);
    if (actor->role_count > 0) roles = arena_alloc(arena, actor->role_count * sizeof *roles);
    if (copy->id.bytes == NULL || (actor->session.size > 0 && copy->session.bytes == NULL) ||
        (actor->role_count > 0 && roles == NULL))
        return error_set(err, STET_NO_MEMORY, "out of memory for an actor");
    for (size_t i = 0; i < actor->role_count; i++) {
        roles[i] = arena_copy(arena, actor->roles[i]);
        if (roles[i].bytes == NULL)
            return error_set(err, STET_NO_MEMORY, "out of memory for an actor");
    }
    copy->roles = roles;
    return STET_OK;
}
