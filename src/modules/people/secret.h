/*
 * Secrets that are shown once: tokens of sessions, of links, and tickets. 32 random bytes behind a prefix that says what it is. A record
 * keeps only its hash, and has the first half of that as its id.
 */
#ifndef MODULES_PEOPLE_SECRET_H
#define MODULES_PEOPLE_SECRET_H

#include "base/clock.h"
#include "stet.h"

enum { SECRET_BYTES = 32, SECRET_HASH_BYTES = 32, SECRET_TEXT_BYTES = 64 };
enum { SECRET_ID_BYTES = 32 }; /* Of an id: half of the hash, in hexadecimal. */

#define SESSION_PREFIX "stets_" /* Of a space's own people. */
#define ADMIN_PREFIX "steta_"   /* Of the server's own people: of the space "stet". */
#define LINK_PREFIX "stetl_"
#define TICKET_PREFIX "stett_"

struct secret_hash {
    char hex[SECRET_HASH_BYTES * 2 + 1];
};

/* A new secret as text, NUL-terminated. */
void secret_make(const struct entropy *entropy, const char *prefix, char text[SECRET_TEXT_BYTES]);
/* Cannot fail. Texts longer than any secret have the hash of nothing, which no secret has. */
void secret_hash(stet_view text, struct secret_hash *hash);
/* In constant time. */
bool secret_equal(const struct secret_hash *hash, stet_view stored);

static inline stet_view secret_id(const struct secret_hash *hash) {
    return (stet_view){.bytes = hash->hex, .size = SECRET_ID_BYTES};
}
static inline stet_view secret_text(const struct secret_hash *hash) {
    return (stet_view){.bytes = hash->hex, .size = SECRET_HASH_BYTES * 2};
}

#endif
