#include "outbound/sign.h"

#include <sodium.h>
#include <stdio.h>

stet_view sign_body(struct arena *arena, stet_view secret, int64_t seconds, stet_view body) {
    crypto_auth_hmacsha256_state state;
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    char hex[2 * sizeof mac + 1], prefix[32];
    int size = snprintf(prefix, sizeof prefix, "%lld.", (long long)seconds);
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret.bytes, secret.size);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)prefix, (unsigned long long)size);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body.bytes, body.size);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2hex(hex, sizeof hex, mac, sizeof mac);
    return arena_format(arena, "t=%lld,v1=%s", (long long)seconds, hex);
}
