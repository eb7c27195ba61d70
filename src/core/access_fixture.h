/*
 * For tests of what access rules bind: rules for the type that a test declared, and people with roles. Include it after
 * core/write_fixture.h.
 */
#ifndef CORE_ACCESS_FIXTURE_H
#define CORE_ACCESS_FIXTURE_H

#include "core/access.h"
#include "core/policy.h"

/* Somebody who is no administrator. with_role: NULL for none. Lives as long as the texts. */
static inline void as(const char *id, const char *with_role) {
    static stet_view role;
    role = view_of(with_role);
    world.fixture.actor =
        (stet_actor){.id = view_of(id), .roles = &role, .role_count = with_role == NULL ? 0 : 1};
}

/* Gives the type "task", just declared, its member "access", with ` for ". */
static inline void give_access(const char *access) {
    stet_error err = {0};
    const struct policy *declared = policy_staged(world.fixture.space, VIEW("task"));
    assert_non_null(declared);
    struct policy *policy = policy_ref(declared);
    struct arena *arena = &policy->arena;
    struct doc *definition = arena_zalloc(arena, 1, sizeof *definition);
    char *text = arena_bytes(arena, strlen(access) + 1);
    assert_true(definition != NULL && text != NULL);
    for (size_t i = 0; i <= strlen(access); i++)
        text[i] = (char)(access[i] == '`' ? '"' : access[i]);
    stet_view whole = arena_format(arena, "{\"access\":%s}", text);
    if (doc_parse(arena, whole, NULL, definition, &err) != STET_OK) fail_msg("%s", err.message);
    if (access_compile(arena, definition, doc_member(definition, 0, VIEW("access")),
                       &policy->access, &err) != STET_OK)
        fail_msg("%s %s", err.field, err.message);
    policy_unref(policy);
}

#endif
