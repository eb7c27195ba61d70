/*
 * The parts of the WebSocket protocol (RFC 6455) that are not wslay's: the opening handshake, and the frames that the server sends. Those are
 * written straight to where they are sent from, as wslay would copy each.
 *
 * Pure: bytes in, bytes out. Thread: any.
 */
#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include "stet.h"

/* Why a connection is closed. */
enum websocket_close {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_UNSUPPORTED = 1003,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_LARGE = 1009,
    WEBSOCKET_CHANGED = 4000, /* Ours: connect again. */
    WEBSOCKET_LOG_IN = 4401,  /* Ours: log in again. */
};

enum { WEBSOCKET_ACCEPT_BYTES = 28, WEBSOCKET_HEAD_BYTES_MAX = 10 };

/* Sec-WebSocket-Key: 16 bytes in base64. */
bool websocket_key_is_valid(stet_view key);
/* Sec-WebSocket-Accept, NUL-terminated. key: a valid one. False: memory is out. */
bool websocket_accept(stet_view key, char out[WEBSOCKET_ACCEPT_BYTES + 1]);

/* The head of a whole text message of so many bytes; returns its end. */
char *websocket_put_head(char *out, size_t size);

/* The bytes of the head of a client's frame, which is masked. */
unsigned websocket_masked_head_bytes(uint64_t payload_bytes);

/* Does a list of words (Connection, Upgrade) name this one? Without regard to case. */
bool websocket_names(stet_view list, stet_view word);

#endif
