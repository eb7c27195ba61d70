/*
 * Tokens: who a bearer of a secret is. See README.md for the invariants.
 */
#ifndef MODULES_AUTH_AUTH_H
#define MODULES_AUTH_AUTH_H

#include "core/client.h"

extern const struct module auth_module;

/* Each fills an empty command; submit it to the home space with an administrator. */
stet_status auth_fill_create(struct stet_command *command, const stet_token_request *request,
                             stet_error *err);
stet_status auth_fill_list(struct stet_command *command, stet_error *err);
stet_status auth_fill_revoke(struct stet_command *command, stet_view id, stet_error *err);

/* See stet_authenticate and stet_has_tokens. */
stet_status auth_identify(struct stet_client *client, stet_view token, stet_identity *identity,
                          stet_error *err);
stet_status auth_any(struct stet_client *client, bool *any, stet_error *err);
/* Whether there is a token of an administrator that has not expired. */
stet_status auth_any_admin(struct stet_client *client, bool *any, stet_error *err);

/* What API tokens begin with, and nothing else does. */
#define TOKEN_PREFIX "stet_"

/* See stet_identity_check, for the identity of a token. changed may be NULL. */
stet_status auth_check(struct stet_client *client, stet_identity *identity, bool *changed,
                       stet_error *err);

#endif
