/*
 * The configuration file: lines of the form key = value. Blank lines and what follows a # at the beginning of a line
 * are skipped; a value is taken as it stands, without quotes.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "base/arena.h"
#include "stet.h"

/* Called for each line that says something, in order. Texts live in the arena. Any status but STET_OK ends the reading. */
typedef stet_status config_visit(void *context, const char *key, const char *text, unsigned line,
                                 stet_error *err);

/**
 * @return STET_OK
 *         STET_IO           the file could not be read.
 *         STET_BAD_REQUEST  a line is not key = value, or what visit said; the message names the file.
 */
stet_status config_read(struct arena *arena, const char *path, config_visit *visit, void *context,
                        stet_error *err);

/* The same for a text in memory. */
stet_status config_parse(struct arena *arena, stet_view text, config_visit *visit, void *context,
                         stet_error *err);

#endif
