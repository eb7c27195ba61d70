/*
 * The key of the opening handshake and the answer to it. Apart from websocket.c, because GnuTLS has an enum of a name that http/params.h gives a
 * struct.
 */
#include "http/websocket.h"

#include <assert.h>
#include <gnutls/crypto.h>
#include <sodium.h>
#include <string.h>

/* What a server mixes into the key, so that no other protocol answers by accident. */
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum { KEY_BYTES = 24, SHA1_BYTES = 20 };

bool websocket_key_is_valid(stet_view key) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (key.size != KEY_BYTES || key.bytes[22] != '=' || key.bytes[23] != '=') return false;
    /* By hand: libsodium refuses bits behind the last byte, which some clients do not clear. */
    for (int i = 0; i < 22; i++)
        if (key.bytes[i] == '\0' || strchr(alphabet, key.bytes[i]) == NULL) return false;
    return true;
}

bool websocket_accept(stet_view key, char out[WEBSOCKET_ACCEPT_BYTES + 1]) {
    char text[KEY_BYTES + sizeof GUID];
    unsigned char digest[SHA1_BYTES];
    static_assert(sodium_base64_ENCODED_LEN(SHA1_BYTES, sodium_base64_VARIANT_ORIGINAL) ==
                      WEBSOCKET_ACCEPT_BYTES + 1,
                  "the answer is the digest in base64");
    assert(websocket_key_is_valid(key));
    memcpy(text, key.bytes, KEY_BYTES);
    memcpy(text + KEY_BYTES, GUID, sizeof GUID);
    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, sizeof text - 1, digest) != 0) return false;
    sodium_bin2base64(out, WEBSOCKET_ACCEPT_BYTES + 1, digest, sizeof digest,
                      sodium_base64_VARIANT_ORIGINAL);
    return true;
}
