/*
 * Event streams (server-sent events): a subscription written out as text.
 *
 * Where the connection is plain, the stream takes the socket over from libmicrohttpd and writes it
 * itself: a waiting stream then costs its own few hundred bytes instead of the library's 10 KiB,
 * and does not stand in the library's list of suspended connections, which it walks on every
 * resume. With TLS the library holds the keys, so there the stream is a response that the library
 * pulls from, suspended while there is nothing to send. stream_fill serves both.
 *
 * A slow reader only lags: events are taken from the subscription when there is room to send, and given back to it when there was
 * less than expected, so that at most one event waits here.
 *
 * Who has something to send waits for its turn (turn.h).
 *
 * Thread: the loop's.
 */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include "http/request.h"

/* The context of every subscription of a loop. */
struct ready {
    void (*wake)(struct ready *ready); /* The subscription has something. */
};

/* In three steps, for the subscription needs its context first: create; subscribe with stream_ready
 * as context; start, which takes the subscription and the request's space and sends the head and
 * all that is there. */
struct stream *stream_create(struct request *request, stet_error *err);
struct ready *stream_ready(struct stream *stream);
/* Before the start: also tells the places of these operations while they wait (places.h). */
stet_status stream_follow(struct stream *stream, const stet_view *operations, size_t count,
                          stet_error *err);
void stream_start(struct stream *stream, stet_subscription *subscription);
void stream_destroy_unstarted(struct stream *stream);

/* The socket of a taken-over stream: hung up, or room to write. */
void stream_event(struct stream *stream, uint32_t events);
/* Asks whether those who listen still may: all of them once every `portions` calls. False: nobody has to be asked about. */
bool stream_check_some(struct loop *loop, unsigned portions);
/* The server stops: say so and end. */
void stream_end_all(struct loop *loop);
/* Frees streams that ended during the round. */
void stream_bury(struct loop *loop);

#endif
