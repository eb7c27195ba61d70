/*
 * People: users, their sessions, one-time links and tickets. See README.md for the table of what becomes of a session.
 */
#ifndef MODULES_PEOPLE_PEOPLE_H
#define MODULES_PEOPLE_PEOPLE_H

#include "core/client.h"

extern const struct module people_module;

/* Each fills an empty command; see stet.h, "People". */
stet_status people_fill_login(struct stet_command *command, const stet_login *login,
                              stet_error *err);
stet_view people_secret(const struct stet_command *command);
stet_status people_fill_session_end(struct stet_command *command, stet_view id, stet_error *err);
stet_status people_fill_session_end_all(struct stet_command *command, stet_view user, bool keep_own,
                                        stet_error *err);
stet_status people_fill_session_list(struct stet_command *command, stet_view user, stet_error *err);
stet_status people_fill_session_rename(struct stet_command *command, stet_view id, stet_view name,
                                       stet_error *err);
stet_status people_fill_user_create(struct stet_command *command, const stet_user *user,
                                    stet_error *err);
stet_status people_fill_user_patch(struct stet_command *command, stet_view id, stet_view patch,
                                   stet_base base, stet_error *err);
stet_status people_fill_user_get(struct stet_command *command, stet_view id, stet_error *err);
stet_status people_fill_user_list(struct stet_command *command, stet_view after, unsigned limit,
                                  stet_error *err);
stet_status people_fill_password(struct stet_command *command, const stet_password_change *change,
                                 stet_error *err);
stet_status people_fill_link_create(struct stet_command *command, const stet_link *link,
                                    stet_error *err);
stet_status people_fill_link_list(struct stet_command *command, stet_error *err);
stet_status people_fill_link_revoke(struct stet_command *command, stet_view id, stet_error *err);
stet_status people_fill_link_redeem(struct stet_command *command, const stet_redemption *redemption,
                                    stet_error *err);

/* Whether a text looks like the token of a session: nothing else begins like it. */
bool people_is_session(stet_view token);
/* See stet_authenticate_in, for the token of a session; and stet_identity_check, for the identity of one. space may be NULL. */
stet_status people_identify(struct stet_client *client, struct space *space, stet_view token,
                            stet_use use, stet_identity *identity, stet_error *err);
stet_status people_check(struct stet_client *client, struct space *space, stet_identity *identity,
                         bool *changed, stet_error *err);
/* Whether the server has a user who is an administrator and not disabled. */
stet_status people_any_admin(struct stet_client *client, bool *any, stet_error *err);

/* See stet_ticket_create and _redeem, but for the check of the identity. */
stet_status people_ticket_create(struct stet_client *client, struct space *space,
                                 const stet_identity *identity, stet_ticket *ticket,
                                 stet_error *err);
stet_status people_ticket_redeem(struct stet_client *client, struct space *space, stet_view text,
                                 stet_identity *identity, stet_error *err);

#endif
