#include "modules/people/secret.h"

#include "base/view.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>

void secret_make(const struct entropy *entropy, const char *prefix, char text[SECRET_TEXT_BYTES]) {
    uint8_t bytes[SECRET_BYTES];
    size_t size = strlen(prefix);
    assert(size +
               sodium_base64_ENCODED_LEN(SECRET_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING) <=
           SECRET_TEXT_BYTES);
    entropy->fill(entropy->context, bytes, sizeof bytes);
    memcpy(text, prefix, size);
    sodium_bin2base64(text + size, SECRET_TEXT_BYTES - size, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(bytes, sizeof bytes);
}

void secret_hash(stet_view text, struct secret_hash *hash) {
    uint8_t bytes[SECRET_HASH_BYTES];
    /* Whoever sends a megabyte in the place of a token does not have it hashed. */
    if (text.size >= SECRET_TEXT_BYTES) text.size = 0;
    crypto_generichash(bytes, sizeof bytes, (const unsigned char *)text.bytes, text.size, NULL, 0);
    sodium_bin2hex(hash->hex, sizeof hash->hex, bytes, sizeof bytes);
}

bool secret_equal(const struct secret_hash *hash, stet_view stored) {
    return stored.size == SECRET_HASH_BYTES * 2 &&
           sodium_memcmp(stored.bytes, hash->hex, SECRET_HASH_BYTES * 2) == 0;
}
