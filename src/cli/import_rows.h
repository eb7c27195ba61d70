/*
 * Rows of other programs' files (CSV, JSON arrays, JSON lines) on their way into records: read one by one, made into lines by the
 * map, and looked at for ids that come twice. The lines go the way of all lines.
 *
 * Resuming reads the file again from its beginning, without sending what was stored: that costs little, and finds the end of a row
 * where a place in the middle of a file could not be trusted.
 */
#ifndef CLI_IMPORT_ROWS_H
#define CLI_IMPORT_ROWS_H

#include "cli/import.h"

/* Whether the command line asks for rows. */
bool import_rows_wanted(const struct args *args);

/* STET_BAD_REQUEST: the options or the map make no sense. */
stet_status import_rows_create(struct import *import, struct import_rows **rows, stet_error *err);
void import_rows_destroy(struct import_rows *rows); /* Accepts NULL. */

/* Reads the file to its end, or until the import stops. */
void import_rows_read(struct import_rows *rows);

/* What options and map say, as text: a later run goes on only with the same. */
stet_view import_rows_how(const struct import_rows *rows);

/* Appends to the query of a request what becomes of records that are there. */
void import_rows_query(const struct import_rows *rows, struct buffer *path, bool trial);

/* The column of a place that the server found fault with; empty: none. */
stet_view import_rows_column(const struct import_rows *rows, stet_view field);

/* Writes a bad row down. False: there is no file for them, so it is to be shown. */
bool import_rows_tell(struct import_rows *rows, uint64_t line, stet_view column, stet_view why,
                      stet_view field, stet_view code);

/* Members of the summary in JSON. */
void import_rows_summary(const struct import_rows *rows, FILE *out);

#endif
