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

#endif
