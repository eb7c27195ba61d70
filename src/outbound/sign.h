/*
 * Signatures of webhooks: "t=<seconds since 1970>,v1=<hex>", the second being the HMAC-SHA256 of "<seconds>.<body>" under the secret. The
 * time is signed, too, so that an old message cannot be sent again as a new one.
 */
#ifndef OUTBOUND_SIGN_H
#define OUTBOUND_SIGN_H

#include "base/arena.h"

/* In the arena, NUL-terminated; bytes NULL: memory is out. */
stet_view sign_body(struct arena *arena, stet_view secret, int64_t seconds, stet_view body);

#endif
