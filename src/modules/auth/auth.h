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

#endif
