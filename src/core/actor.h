/*
 * Actors: who acts, with what rights at all. What of it concerns which records is core/access.h.
 */
#ifndef CORE_ACTOR_H
#define CORE_ACTOR_H

#include "base/arena.h"
#include "stet.h"

/* The role of those who have no other; it may read and write what declares no access rules. */
#define ROLE_MEMBER VIEW("member")

/* Whether the actor has a role; one without roles has that of a member. */
bool actor_has_role(const stet_actor *actor, stet_view role);

/* Whether all of the scopes are the actor's; an administrator has every one. */
bool actor_has_scopes(const stet_actor *actor, unsigned scopes);

/* STET_OK, or STET_FORBIDDEN with a sentence that names the scope. */
stet_status actor_demand(const stet_actor *actor, unsigned scope, stet_error *err);

/* Copies an actor with its texts into the arena. STET_OK or STET_NO_MEMORY. */
stet_status actor_copy(struct arena *arena, const stet_actor *actor, stet_actor *copy,
                       stet_error *err);

/* "read", …; NULL for what is not one scope. */
const char *scope_name(unsigned scope);
/* The scope with that name; 0: there is none. */
unsigned scope_of(stet_view name);

#endif
