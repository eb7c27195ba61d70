/*
 * Whole files for the command line: "-" is standard input.
 */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include "base/buffer.h"
#include "stet.h"

/*
 * Appends a file to the buffer. STET_IO: could not be read; STET_TOO_LARGE: past the buffer's bound, or within the 64 KiB
 * below it that one read asks for.
 */
stet_status file_read(const char *path, struct buffer *buffer, stet_error *err);

/* Writes a file whole or not at all: under another name first, then renamed. Readable by its owner only. */
stet_status file_write(const char *path, stet_view bytes, stet_error *err);

#endif
