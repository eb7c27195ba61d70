/*
 * Live connections (docs/live.md): a WebSocket with subscriptions, writes and presence.
 *
 * Where the connection is plain, it takes the socket over from libmicrohttpd as an event stream does, and for the same reasons; with TLS
 * it uses the library's session while the library's connection is suspended (live_wire.h). The library's own upgrade is not used, so
 * that plain requests pay nothing.
 *
 * A reader that is slow only lags: what is to be sent is taken from where it waits (subscriptions, completed commands, the register of
 * presence) when there is room for it, so that at most one chunk or one event waits here; and nothing is read
 * meanwhile.
 *
 *     OPEN ──farewell or the client's close──▶ CLOSING: the close is sent, the client's own awaited ──▶ DEAD ──end of the round──▶ freed
 *       └──hung up, no sign of life, out of memory────────────────────────────────────────────────────▶
 *
 * A dead one with commands under way is freed when they come back.
 *
 * Thread: the loop's.
 */
#ifndef HTTP_LIVE_H
#define HTTP_LIVE_H

#include "http/loop.h"

struct live;

/* The socket: something to read, room to write, hung up. */
void live_event(struct live *live, uint32_t events);
/* Asks whether those who listen still may, and whether their space is still there: all of them once every `portions` calls. False: nobody has to be asked about. */
bool live_check_some(struct loop *loop, unsigned portions);
/* Some of the loop's seats are marked in the register of presence. */
void live_presence_due(struct loop *loop);
/* The server stops: say so and end. */
void live_end_all(struct loop *loop);
/* Without a word. */
void live_cut_all(struct loop *loop);
/* Frees those that ended during the round. */
void live_bury(struct loop *loop);

#endif
