/*
 * SHA-1 (RFC 3174), for the opening handshake of a WebSocket alone: there it proves that the server read the request, and protects nothing.
 *
 * Pure. Thread: any.
 */
#ifndef HTTP_SHA1_H
#define HTTP_SHA1_H

#include "stet.h"

enum { SHA1_BYTES = 20, SHA1_TEXT_BYTES_MAX = 119 };

/* text: at most SHA1_TEXT_BYTES_MAX bytes. */
void sha1(stet_view text, uint8_t out[SHA1_BYTES]);

#endif
