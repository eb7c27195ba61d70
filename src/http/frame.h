/*
 * An event as text/event-stream has it: `id`, `event`, one `data` for each line of it, and an empty line.
 */
#ifndef HTTP_FRAME_H
#define HTTP_FRAME_H

#include "stet.h"

/* What frame_put needs at most. breaks: out, the line breaks in the data. */
size_t frame_bytes_max(const stet_event *event, size_t *breaks);
/* Writes the event and returns the end. breaks: as frame_bytes_max said. */
char *frame_put(char *out, const stet_event *event, size_t breaks);

/* Likewise of what is no event of a subscription, and has no position. data: in one line. */
size_t frame_named_bytes_max(stet_view name, stet_view data);
char *frame_put_named(char *out, stet_view name, stet_view data);

/* "change", "ready", …; static. */
stet_view frame_event_name(stet_event_kind kind);

#endif
