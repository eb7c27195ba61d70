/*
 * The newest changes of a space as one client sees them, with their rendered texts: ten thousand subscribers of this client to one
 * type get the same bytes, rendered once. Only who may not see all of them gets text of their own. What has left the window is taken from the ring and rendered again.
 *
 * Thread: the client's.
 */
#ifndef FEED_WINDOW_H
#define FEED_WINDOW_H

#include "core/client.h"
#include "core/space.h"
#include "modules/feed/filter.h"

enum { WINDOW_CHANGES = 256 }; /* A power of two. */

struct window {
    struct stet_client *client;
    struct space *space;
    struct {
        struct change *change; /* NULL: nothing. */
        char *text;            /* NULL: not rendered. */
        size_t size;
    } slots[WINDOW_CHANGES];
    size_t text_bytes;
    struct change *outside; /* The last one that had to be taken from the ring. */
    struct buffer text;     /* The last event rendered outside the slots. */
    struct arena arena;
};

void window_init(struct window *window, struct stet_client *client, struct space *space);
void window_done(struct window *window);

/* A change that was published; takes a reference of its own. */
void window_put(struct window *window, struct change *change);

/* The change at a seq, or NULL when the ring no longer has it. Borrowed until the next call. */
struct change *window_get(struct window *window, uint64_t seq);

/* The event of a change that window_get gave out, whole. Borrowed until the next call. */
stet_status window_text(struct window *window, struct change *change, stet_view *text);

/* The same for one subscriber alone: partial: without what they may not see; verdict: not FILTER_NO. */
stet_status window_text_for(struct window *window, struct change *change,
                            const struct filter *filter, bool partial, enum filter_verdict verdict,
                            stet_view *text);

#endif
