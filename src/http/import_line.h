/*
 * One line of an import: the state of a record, or with an "op" one version of its history. What it says, as the engine takes it.
 *
 * Thread: any.
 */
#ifndef HTTP_IMPORT_LINE_H
#define HTTP_IMPORT_LINE_H

#include "base/arena.h"
#include "stet.h"

/**
 * @param arena     What mutation and origin point into, along with text.
 * @param origin    Out: used when mutation->origin points at it.
 * @param key       Out: the line's own mutation key; left alone when it has none.
 * @return STET_OK, STET_BAD_JSON, STET_BAD_REQUEST, STET_TOO_LARGE: err->field points at the member.
 */
stet_status import_read_line(struct arena *arena, stet_view text, stet_mutation *mutation,
                             stet_origin *origin, stet_view *key, stet_error *err);

/* The transaction named in the way an export with history begins a line; 0: it does not. */
uint64_t import_transaction_of(stet_view text);

/* An export's own first and last lines. What they say is for whoever keeps the file. */
bool import_is_marker(stet_view text);

#endif
