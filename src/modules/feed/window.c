#include "modules/feed/window.h"

#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/render.h"

#include <stdlib.h>
#include <string.h>

/* Larger changes stay with the ring, which bounds their bytes: so the slots hold at most 8 MiB. */
enum { SLOT_BYTES_MAX = 32 * 1024 };

void window_init(struct window *window, struct stet_client *client, struct space *space) {
    *window = (struct window){.client = client, .space = space};
    buffer_init(&window->text, NULL, 0);
    arena_init(&window->arena, 1024);
}

static void text_drop(struct window *window, size_t slot) {
    window->text_bytes -= window->slots[slot].size;
    free(window->slots[slot].text);
    window->slots[slot].text = NULL;
    window->slots[slot].size = 0;
}

void window_done(struct window *window) {
    for (size_t slot = 0; slot < WINDOW_CHANGES; slot++) {
        text_drop(window, slot);
        change_unref(window->slots[slot].change);
    }
    change_unref(window->outside);
    buffer_done(&window->text);
    arena_done(&window->arena);
}

void window_put(struct window *window, struct change *change) {
    size_t slot = change->row.seq % WINDOW_CHANGES;
    text_drop(window, slot);
    change_unref(window->slots[slot].change);
    window->slots[slot].change = change->footprint > SLOT_BYTES_MAX ? NULL : change_ref(change);
}

struct change *window_get(struct window *window, uint64_t seq) {
    struct change *change = window->slots[seq % WINDOW_CHANGES].change;
    if (change != NULL && change->row.seq == seq) return change;
    if (window->outside != NULL && window->outside->row.seq == seq) return window->outside;
    change = ring_find(&window->space->ring, seq);
    if (change == NULL) return NULL;
    change_unref(window->outside);
    window->outside = change;
    return change;
}

static stet_status render(struct window *window, const struct viewer *viewer,
                          const struct change *change) {
    struct json_writer writer;
    struct created created;
    stet_status status;
    buffer_reset(&window->text);
    arena_reset(&window->arena);
    status =
        client_created(window->client, window->space, &change->row, &window->arena, &created, NULL);
    if (status != STET_OK) return status;
    json_begin(&writer, &window->text);
    render_event(&writer, viewer, &change->row, &created);
    return json_end(&writer);
}

/* Keeps a rendered text in its slot, where there is room and memory. False when it has to be used from where it is. */
static bool text_keep(struct window *window, size_t slot) {
    size_t size = window->text.size;
    char *copy;
    if (size > FEED_TEXT_BYTES_MAX) return false;
    if (window->text_bytes + size > FEED_TEXT_BYTES_MAX) {
        for (size_t other = 0; other < WINDOW_CHANGES; other++)
            text_drop(window, other);
    }
    copy = malloc(size);
    if (copy == NULL) return false;
    memcpy(copy, window->text.bytes, size);
    window->slots[slot].text = copy;
    window->slots[slot].size = size;
    window->text_bytes += size;
    return true;
}

static stet_status render_revoked(struct window *window, const struct change *change,
                                  enum filter_verdict verdict) {
    struct json_writer writer;
    buffer_reset(&window->text);
    json_begin(&writer, &window->text);
    filter_write_revoked(&writer, &change->row, verdict);
    return json_end(&writer);
}

stet_status window_text_for(struct window *window, struct change *change,
                            const struct filter *filter, bool partial, enum filter_verdict verdict,
                            stet_view *text) {
    const struct viewer viewer = {.space = window->space, .actor = &filter->actor};
    bool revoked = verdict == FILTER_REVOKED || verdict == FILTER_TYPE_REVOKED;
    stet_status status = revoked ? render_revoked(window, change, verdict)
                                 : render(window, partial ? &viewer : NULL, change);
    if (status != STET_OK) return status;
    if (verdict == FILTER_LEFT) filter_mark_left(&window->text);
    *text = buffer_view(&window->text);
    return buffer_status(&window->text);
}

stet_status window_text(struct window *window, struct change *change, stet_view *text) {
    size_t slot = change->row.seq % WINDOW_CHANGES;
    bool inside = window->slots[slot].change == change;
    if (!inside || window->slots[slot].text == NULL) {
        stet_status status = render(window, NULL, change);
        if (status != STET_OK) return status;
        if (!inside || !text_keep(window, slot)) {
            *text = buffer_view(&window->text);
            return STET_OK;
        }
    }
    *text = view_make(window->slots[slot].text, window->slots[slot].size);
    return STET_OK;
}
