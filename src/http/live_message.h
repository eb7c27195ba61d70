/*
 * What a client says on a live connection (docs/live.md), decoded: one JSON object a message.
 *
 * Pure: bytes in, values out. Thread: any.
 */
#ifndef HTTP_LIVE_MESSAGE_H
#define HTTP_LIVE_MESSAGE_H

#include "base/limits.h"
#include "http/terms.h"

enum live_op {
    LIVE_HELLO,
    LIVE_SUBSCRIBE,
    LIVE_UNSUBSCRIBE,
    LIVE_MUTATE,
    LIVE_PRESENT,
    LIVE_ABSENT,
};

struct live_message {
    uint64_t id;
    bool has_id; /* Also of a message that was refused, where the id could be read. */
    enum live_op op;
    stet_view client, csrf; /* hello. Empty: not given. */
    stet_view sub;          /* subscribe, unsubscribe. */
    stet_feed_options feed; /* subscribe. */
    struct terms terms;     /* mutate: the key. */
    stet_mutation *mutations;
    size_t mutation_count;
    bool transaction;      /* Asked for, or there are several. */
    stet_view type, id_of; /* present, absent: the record. */
    stet_version version;  /* present; STET_VERSION_NONE: none yet. */
};

/**
 * Reads a message.
 *
 * @param text     Borrowed as long as the message is used.
 * @param message  Out; its texts are in the arena or borrowed from the text. Of a message that is refused only `id` counts.
 * @return STET_OK
 *         STET_BAD_JSON, STET_BAD_REQUEST, STET_TOO_LARGE  err->field points into the message.
 */
stet_status live_message_read(struct arena *arena, stet_view text, struct live_message *message,
                              stet_error *err);

/* Whether a client of this version and a server of that one speak alike: the same major version, before 1.0 the same minor one, too. */
bool live_versions_fit(stet_view client, stet_view server);

#endif
