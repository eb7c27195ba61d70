/*
 * The messages of a live connection (docs/live.md) on their way out: text in a frame each, at the end of a buffer, which keeps a failure.
 *
 * Pure. Thread: any.
 */
#ifndef HTTP_LIVE_FRAME_H
#define HTTP_LIVE_FRAME_H

#include "base/buffer.h"

/**
 * An event: {"sub", "event", "id", "data"}.
 *
 * @param sub   The subscription's name as JSON, with its quotes; empty: it belongs to none.
 * @param id    Where to resume; 0: none.
 * @param data  JSON.
 */
void live_put_event(struct buffer *out, stet_view sub, stet_view name, stet_seq id, stet_view data);

struct live_answer {
    uint64_t id; /* Of the message that is answered. */
    int status;
    bool replayed;
    unsigned retry_after_s; /* 0: not said. */
    stet_view body;         /* JSON; empty, of a write whose answer could not be made: null. */
};
void live_put_answer(struct buffer *out, const struct live_answer *answer);

#endif
