/*
 * An event as text/event-stream has it: `id`, `event`, one `data` for each line of it, and an empty line.
 */
#ifndef HTTP_FRAME_H
#define HTTP_FRAME_H

#include "stet.h"

/* What frame_put needs at most. */
size_t frame_bytes_max(const stet_event *event);
/* Writes the event and returns the end. */
char *frame_put(char *out, const stet_event *event);

#endif
