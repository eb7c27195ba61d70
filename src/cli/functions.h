/*
 * Folders of functions on disk, as `stet functions apply` and `stet functions test` read them.
 */
#ifndef CLI_FUNCTIONS_H
#define CLI_FUNCTIONS_H

#include "cli/cli.h"

/* The files of a folder that end so, without the ending, sorted. In the arena. STET_IO. */
stet_status functions_find(const char *folder, struct arena *arena, const char *ending,
                           const char ***names, size_t *count, stet_error *err);

/* FOLDER/NAMEending, whole. STET_IO, STET_TOO_LARGE. */
stet_status functions_file(const char *folder, const char *name, const char *ending,
                           struct arena *arena, stet_view *text, stet_error *err);

/* {"functions": {NAME: definition}} of all in a folder. STET_BAD_REQUEST: there are none, or one is not right. */
stet_status functions_body(const char *folder, struct arena *arena, struct buffer *body,
                           stet_error *err);

#endif
