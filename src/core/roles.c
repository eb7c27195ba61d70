#include "core/roles.h"

#include "base/error.h"
#include "base/view.h"

#include <assert.h>
#include <stdio.h>

static_assert(ROLES_MAX == STET_ROLES_MAX && ROLE_BYTES_MAX == STET_ROLE_BYTES_MAX,
              "stet.h says so, too");

enum { SCOPES_ALL = (STET_SCOPE_EXPORT << 1) - 1 };

bool rights_are_admin(const struct rights *rights) {
    for (size_t i = 0; i < rights->role_count; i++)
        if (view_equal(rights->roles[i], ROLE_ADMIN)) return true;
    return false;
}

static stet_status too_many(const char *field, stet_error *err) {
    error_set(err, STET_BAD_REQUEST, "nobody has more than %d roles", ROLES_MAX);
    error_field(err, field, ROLES_MAX);
    return STET_BAD_REQUEST;
}

/* Adds a role that is not there yet. */
static stet_status add_role(struct arena *arena, stet_view role, const char *field,
                            struct rights *rights, stet_error *err) {
    stet_status status = check_word(role, ROLE_BYTES_MAX, "role", err);
    if (status != STET_OK) {
        error_field(err, field, role.size > ROLE_BYTES_MAX ? ROLE_BYTES_MAX : 0);
        return status;
    }
    for (size_t i = 0; i < rights->role_count; i++)
        if (view_equal(rights->roles[i], role)) return STET_OK;
    if (rights->role_count == ROLES_MAX) return too_many(field, err);
    stet_view copy = arena_copy(arena, role);
    if (copy.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for roles");
    rights->roles[rights->role_count++] = copy;
    return STET_OK;
}

stet_status rights_fill(struct arena *arena, const stet_view *roles, size_t role_count,
                        unsigned scopes, struct rights *rights, stet_error *err) {
    *rights = (struct rights){.scopes = scopes};
    if ((scopes & ~(unsigned)SCOPES_ALL) != 0) {
        error_set(err, STET_BAD_REQUEST, "there is no such scope");
        error_field(err, "scopes", 0);
        return STET_BAD_REQUEST;
    }
    if (role_count > ROLES_MAX) return too_many("roles", err);
    for (size_t i = 0; i < role_count; i++) {
        stet_status status = add_role(arena, roles[i], "roles", rights, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static stet_status bad_list(const char *field, const char *what, stet_error *err) {
    error_set(err, STET_BAD_REQUEST, "%s is a list of %s", field + 1, what);
    error_field(err, field, 0);
    return STET_BAD_REQUEST;
}

static stet_status add_scope(stet_view name, unsigned *scopes, stet_error *err) {
    unsigned scope = scope_of(name);
    if (scope == 0) {
        error_set(err, STET_BAD_REQUEST, "there is no scope \"%.*s\"",
                  name.size > 64 ? 64 : (int)name.size, name.bytes);
        error_field(err, "/scopes", 0);
        return STET_BAD_REQUEST;
    }
    *scopes |= scope;
    return STET_OK;
}

enum list { LIST_ROLES, LIST_SCOPES };

static stet_status read_list(struct arena *arena, const struct doc *doc, enum list list,
                             struct rights *rights, stet_error *err) {
    const char *field = list == LIST_ROLES ? "/roles" : "/scopes";
    const char *what = list == LIST_ROLES ? "roles" : "names of scopes";
    doc_node node = doc_member(doc, 0, view_of(field + 1));
    struct rights read = {0};
    if (node == DOC_NONE) return STET_OK;
    if (doc_kind(doc, node) != DOC_ARRAY && doc_kind(doc, node) != DOC_NULL)
        return bad_list(field, what, err);
    if (list == LIST_SCOPES && doc_kind(doc, node) == DOC_ARRAY && doc_count(doc, node) == 0) {
        /* Taken for "those that everybody has", it would give what somebody meant to take. */
        error_set(err, STET_BAD_REQUEST, "must name a scope when it is there");
        error_field(err, field, 0);
        return STET_BAD_REQUEST;
    }
    for (doc_node item = doc_first(doc, node); item != DOC_NONE; item = doc_next(doc, item)) {
        stet_view text;
        stet_status status = doc_string(arena, doc, item, &text);
        if (status == STET_BAD_REQUEST) return bad_list(field, what, err);
        if (status != STET_OK) return error_set(err, status, "out of memory for roles");
        status = list == LIST_ROLES ? add_role(arena, text, field, &read, err)
                                    : add_scope(text, &read.scopes, err);
        if (status != STET_OK) return status;
    }
    if (list == LIST_SCOPES) {
        rights->scopes = read.scopes;
        return STET_OK;
    }
    read.scopes = rights->scopes;
    *rights = read;
    return STET_OK;
}

stet_status rights_read(struct arena *arena, const struct doc *doc, struct rights *rights,
                        stet_error *err) {
    stet_status status = read_list(arena, doc, LIST_ROLES, rights, err);
    return status == STET_OK ? read_list(arena, doc, LIST_SCOPES, rights, err) : status;
}

static void write_roles(struct json_writer *writer, const struct rights *rights) {
    json_key(writer, VIEW("roles"));
    json_array_begin(writer);
    for (size_t i = 0; i < rights->role_count; i++)
        json_text(writer, rights->roles[i]);
    json_array_end(writer);
}

static void write_scopes(struct json_writer *writer, unsigned scopes) {
    json_key(writer, VIEW("scopes"));
    json_array_begin(writer);
    for (unsigned scope = 1; scope <= STET_SCOPE_EXPORT; scope <<= 1)
        if ((scopes & scope) != 0) json_text(writer, view_of(scope_name(scope)));
    json_array_end(writer);
}

void rights_write(struct json_writer *writer, const struct rights *rights) {
    if (rights->role_count > 0) write_roles(writer, rights);
    if (rights->scopes != 0) write_scopes(writer, rights->scopes);
}

void rights_show(struct json_writer *writer, const struct rights *rights, bool admin) {
    unsigned scopes = rights->scopes == 0 ? STET_SCOPES_DEFAULT : rights->scopes;
    write_roles(writer, rights);
    write_scopes(writer, admin ? SCOPES_ALL : scopes);
}

void rights_grant(const struct rights *rights, stet_identity *identity) {
    identity->scopes = rights->scopes == 0 ? STET_SCOPES_DEFAULT : rights->scopes;
    identity->role_count = (unsigned)rights->role_count;
    for (size_t i = 0; i < rights->role_count; i++)
        snprintf(identity->roles[i], sizeof identity->roles[i], "%.*s", VIEW_ARG(rights->roles[i]));
}
