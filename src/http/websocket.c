#include "http/websocket.h"

#include "base/view.h"
#include "http/params.h"
#include "http/sha1.h"

#include <assert.h>

/* What a server mixes into the key, so that no other protocol answers by accident. */
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum { KEY_BYTES = 24, FIN_TEXT = 0x81, SIZE_16 = 126, SIZE_64 = 127 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool websocket_key_is_valid(stet_view key) {
    if (key.size != KEY_BYTES || key.bytes[22] != '=' || key.bytes[23] != '=') return false;
    for (int i = 0; i < 22; i++)
        if (key.bytes[i] == '\0' || strchr(alphabet, key.bytes[i]) == NULL) return false;
    return true;
}

static void encode_base64(const uint8_t *bytes, size_t size, char *out) {
    for (size_t at = 0; at < size; at += 3) {
        size_t left = size - at;
        uint32_t word = (uint32_t)bytes[at] << 16;
        if (left > 1) word |= (uint32_t)bytes[at + 1] << 8;
        if (left > 2) word |= bytes[at + 2];
        *out++ = alphabet[word >> 18];
        *out++ = alphabet[word >> 12 & 63];
        *out++ = '=';
        *out++ = '=';
        if (left > 1) out[-2] = alphabet[word >> 6 & 63];
        if (left > 2) out[-1] = alphabet[word & 63];
    }
    *out = '\0';
}

void websocket_accept(stet_view key, char out[WEBSOCKET_ACCEPT_BYTES + 1]) {
    char text[KEY_BYTES + sizeof GUID];
    uint8_t digest[SHA1_BYTES];
    assert(websocket_key_is_valid(key));
    memcpy(text, key.bytes, KEY_BYTES);
    memcpy(text + KEY_BYTES, GUID, sizeof GUID);
    sha1(view_of(text), digest);
    encode_base64(digest, sizeof digest, out);
}

char *websocket_put_head(char *out, size_t size) {
    unsigned bytes = size < SIZE_16 ? 0 : size <= UINT16_MAX ? 2 : 8;
    *out++ = (char)FIN_TEXT;
    *out++ = (char)(bytes == 0 ? size : bytes == 2 ? SIZE_16 : SIZE_64);
    while (bytes-- > 0)
        *out++ = (char)((uint64_t)size >> (8 * bytes));
    return out;
}

bool websocket_names(stet_view list, stet_view word) {
    stet_view piece;
    while (text_next(&list, ',', &piece))
        if (view_equal_nocase(piece, word)) return true;
    return false;
}
