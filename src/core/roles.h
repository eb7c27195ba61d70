/*
 * Roles and scopes as they stand in requests and records, whoever they are given to: users, links and tokens.
 */
#ifndef CORE_ROLES_H
#define CORE_ROLES_H

#include "base/limits.h"
#include "core/command.h"
#include "doc/write.h"

/* What somebody may do, as a record says it. The views live as long as where they came from. */
struct rights {
    stet_view roles[ROLES_MAX];
    size_t role_count;
    unsigned scopes; /* 0: STET_SCOPES_DEFAULT. */
};

#define ROLE_ADMIN VIEW("admin")
bool rights_are_admin(const struct rights *rights);

/* From a caller: checks and copies into the arena. STET_BAD_REQUEST (err->field is "roles" or "scopes"), STET_NO_MEMORY. */
stet_status rights_fill(struct arena *arena, const stet_view *roles, size_t role_count,
                        unsigned scopes, struct rights *rights, stet_error *err);

/*
 * From the members "roles" and "scopes" of an object, each an array of texts. A member that is not there leaves what is in *rights, null
 * empties it. STET_BAD_REQUEST: err->field is "/roles" or "/scopes". STET_NO_MEMORY.
 */
stet_status rights_read(struct arena *arena, const struct doc *doc, struct rights *rights,
                        stet_error *err);

/* The members of a record: "roles" and "scopes", where there are any. */
void rights_write(struct json_writer *writer, const struct rights *rights);
/* The members of an answer: both, always; with the scopes that hold where none were given. */
void rights_show(struct json_writer *writer, const struct rights *rights, bool admin);

/* Into an identity. */
void rights_grant(const struct rights *rights, stet_identity *identity);

#endif
