/*
 * Lists: one page of a type's records in byte order of their ids, as of one snapshot.
 *
 * The first page's snapshot S is what is published when it is asked for; the cursor carries S and the last id, so every page of a
 * list shows the space as of S, whatever is written in between. There is no stored snapshot: a head row with seq ≤ S stands
 * as it is; a newer one is rewound to S through the record's history. Only the worker that runs a page knows of it.
 */
#ifndef CORE_LIST_H
#define CORE_LIST_H

#include "core/read.h"

/* For read_run, which says what it returns. */
stet_status list_run(struct stet_command *command, struct store_reader *reader,
                     struct json_writer *writer, stet_error *err);

/* STET_FORBIDDEN for a system type whose module lets nobody read it by the general routes. */
stet_status read_type_allowed(const struct stet_command *command, stet_view type, stet_error *err);

#endif
