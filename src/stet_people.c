/* The public interface, section "People": checks, and over to the modules. */
#include "base/error.h"
#include "base/view.h"
#include "modules/auth/auth.h"
#include "modules/people/people.h"
#include "stet_wiring.h"

#define NEED(condition)                                                                            \
    if (!(condition)) return error_set(err, STET_MISUSE, "a null pointer")

const char *stet_scope_name(unsigned scope) { return scope_name(scope); }
unsigned stet_scope_parse(stet_view name) { return scope_of(name); }

/* ---- Identities -------------------------------------------------------------------------- */

static struct space *space_of(stet_space *space) { return (struct space *)space; }

stet_status stet_authenticate(stet_client *client, stet_view token, stet_identity *identity,
                              stet_error *err) {
    NEED(client != NULL && identity != NULL);
    return auth_identify(client, token, identity, err);
}

stet_status stet_authenticate_in(stet_client *client, stet_space *space, stet_view token,
                                 stet_use use, stet_identity *identity, stet_error *err) {
    NEED(client != NULL && identity != NULL);
    if (people_is_session(token))
        return people_identify(client, space_of(space), token, use, identity, err);
    return auth_identify(client, token, identity, err);
}

stet_status stet_identity_check(stet_client *client, stet_space *space, stet_identity *identity,
                                bool *changed, stet_error *err) {
    NEED(client != NULL && identity != NULL);
    if (identity->session[0] != '\0')
        return people_check(client, space_of(space), identity, changed, err);
    if (changed != NULL) *changed = false;
    return identity->token[0] == '\0' ? STET_OK : auth_check(client, identity, changed, err);
}

void stet_identity_actor(const stet_identity *identity, stet_view space, stet_view *roles,
                         stet_actor *actor) {
    bool own = identity->session[0] != '\0' && view_equal(view_of(identity->space), space);
    for (unsigned i = 0; i < identity->role_count; i++)
        roles[i] = view_of(identity->roles[i]);
    *actor = (stet_actor){.id = view_of(identity->actor),
                          .admin = identity->admin,
                          .scopes = identity->scopes,
                          .roles = roles,
                          .role_count = identity->role_count,
                          .session = own ? view_of(identity->session) : (stet_view){0}};
}

stet_status stet_has_tokens(stet_client *client, bool *any, stet_error *err) {
    NEED(client != NULL && any != NULL);
    return auth_any(client, any, err);
}

stet_status stet_has_administrators(stet_client *client, bool *any, stet_error *err) {
    NEED(client != NULL && any != NULL);
    bool found = false;
    stet_status status = auth_any_admin(client, &found, err);
    if (status == STET_OK && !found) status = people_any_admin(client, &found, err);
    if (status == STET_OK) *any = found;
    return status;
}

/* ---- Sessions ---------------------------------------------------------------------------- */

stet_status stet_command_login(stet_command *command, const stet_login *login, stet_error *err) {
    NEED(command != NULL && login != NULL);
    return people_fill_login(command, login, err);
}

stet_view stet_command_secret(const stet_command *command) {
    return command == NULL ? (stet_view){0} : people_secret(command);
}

stet_status stet_command_session_end(stet_command *command, stet_view id, stet_error *err) {
    NEED(command != NULL);
    return people_fill_session_end(command, id, err);
}

stet_status stet_command_session_end_all(stet_command *command, stet_view user, bool keep_own,
                                         stet_error *err) {
    NEED(command != NULL);
    return people_fill_session_end_all(command, user, keep_own, err);
}

stet_status stet_command_session_list(stet_command *command, stet_view user, stet_error *err) {
    NEED(command != NULL);
    return people_fill_session_list(command, user, err);
}

stet_status stet_command_session_rename(stet_command *command, stet_view id, stet_view name,
                                        stet_error *err) {
    NEED(command != NULL);
    return people_fill_session_rename(command, id, name, err);
}

/* ---- Users ------------------------------------------------------------------------------- */

stet_status stet_command_user_create(stet_command *command, const stet_user *user,
                                     stet_error *err) {
    NEED(command != NULL && user != NULL);
    return people_fill_user_create(command, user, err);
}

stet_status stet_command_user_patch(stet_command *command, stet_view id, stet_view patch,
                                    stet_base base, stet_error *err) {
    NEED(command != NULL);
    return people_fill_user_patch(command, id, patch, base, err);
}

stet_status stet_command_user_get(stet_command *command, stet_view id, stet_error *err) {
    NEED(command != NULL);
    return people_fill_user_get(command, id, err);
}

stet_status stet_command_user_list(stet_command *command, stet_view after, unsigned limit,
                                   stet_error *err) {
    NEED(command != NULL);
    return people_fill_user_list(command, after, limit, err);
}

stet_status stet_command_password(stet_command *command, const stet_password_change *change,
                                  stet_error *err) {
    NEED(command != NULL && change != NULL);
    return people_fill_password(command, change, err);
}

/* ---- Links ------------------------------------------------------------------------------- */

stet_status stet_command_link_create(stet_command *command, const stet_link *link,
                                     stet_error *err) {
    NEED(command != NULL && link != NULL);
    return people_fill_link_create(command, link, err);
}

stet_status stet_command_link_list(stet_command *command, stet_error *err) {
    NEED(command != NULL);
    return people_fill_link_list(command, err);
}

stet_status stet_command_link_revoke(stet_command *command, stet_view id, stet_error *err) {
    NEED(command != NULL);
    return people_fill_link_revoke(command, id, err);
}

stet_status stet_command_link_redeem(stet_command *command, const stet_redemption *redemption,
                                     stet_error *err) {
    NEED(command != NULL && redemption != NULL);
    return people_fill_link_redeem(command, redemption, err);
}

/* ---- Tickets ----------------------------------------------------------------------------- */

stet_status stet_ticket_create(stet_client *client, stet_space *space,
                               const stet_identity *identity, stet_ticket *ticket,
                               stet_error *err) {
    NEED(client != NULL && space != NULL && identity != NULL && ticket != NULL);
    return people_ticket_create(client, space_of(space), identity, ticket, err);
}

stet_status stet_ticket_redeem(stet_client *client, stet_space *space, stet_view text,
                               stet_identity *identity, stet_error *err) {
    NEED(client != NULL && space != NULL && identity != NULL);
    stet_identity found;
    stet_status status = people_ticket_redeem(client, space_of(space), text, &found, err);
    if (status == STET_OK) status = stet_identity_check(client, space, &found, NULL, err);
    if (status == STET_OK) *identity = found;
    return status;
}
