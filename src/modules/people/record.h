/*
 * The records of this module as structs: read from and written to data. Members beginning with "_" are never shown to anybody. Views of
 * what was read live as long as the arena and the data.
 */
#ifndef MODULES_PEOPLE_RECORD_H
#define MODULES_PEOPLE_RECORD_H

#include "core/roles.h"
#include "modules/people/secret.h"

#define USER_TYPE VIEW("stet.user")
#define SESSION_TYPE VIEW("stet.session")
#define LINK_TYPE VIEW("stet.link")

struct user_record {
    stet_view name, email;
    struct rights rights;
    bool disabled;
    stet_view password; /* As libsodium writes it, with its parameters and salt; empty: none. */
    int64_t password_set_at;
};

struct session_record {
    stet_view user, name, address, hash;
    int64_t created_at;
    int64_t ends_at; /* Whatever is done. */
    int64_t used_at; /* As far as it was noted. */
    int64_t idle_ns; /* Over when it was not used for so long. */
};

struct link_record {
    stet_link_kind kind;
    stet_view user, name, hash;
    struct rights rights;
    int64_t expires_at;
    /* Of a reset: the password's age when the link was made. Once it was set by whatever means, the link is void. */
    int64_t password_set_at;
};

/* STET_CORRUPT, STET_NO_MEMORY. */
stet_status user_read(struct arena *arena, stet_view data, struct user_record *user,
                      stet_error *err);
stet_status session_read(struct arena *arena, stet_view data, struct session_record *session,
                         stet_error *err);
stet_status link_read(struct arena *arena, stet_view data, struct link_record *link,
                      stet_error *err);

/* Empty: memory is out. */
stet_view user_write(struct arena *arena, const struct user_record *user);
stet_view session_write(struct arena *arena, const struct session_record *session);
stet_view link_write(struct arena *arena, const struct link_record *link);

const char *link_kind_name(stet_link_kind kind);

/*
 * The name by which a user is kept: ASCII letters in lower case. STET_BAD_REQUEST with the field, STET_NO_MEMORY.
 */
stet_status user_name(struct arena *arena, stet_view given, const char *field, stet_view *name,
                      stet_error *err);
/* The same for a user that is to be made: not one by which the server itself is known in histories. */
stet_status new_user_name(struct arena *arena, stet_view given, const char *field, stet_view *name,
                          stet_error *err);

#endif
