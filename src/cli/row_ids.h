/*
 * The ids that a file had so far, by their hashes, and the lines they stand in. Bounded: what comes behind the first ROW_IDS_MAX is not
 * looked for, and full says so.
 */
#ifndef CLI_ROW_IDS_H
#define CLI_ROW_IDS_H

#include "stet.h"

#include <stdint.h>

enum { ROW_IDS_MAX = 5 * 1024 * 1024 };

struct row_ids {
    uint64_t *hashes; /* 0: free. */
    uint32_t *lines;
    size_t slots; /* A power of two. */
    size_t count;
    bool full;
};

/* *line: where the id stood before; 0: it is new, and known from now on. STET_OK or STET_NO_MEMORY. */
stet_status row_ids_add(struct row_ids *ids, stet_view id, uint64_t at_line, uint64_t *line);
void row_ids_done(struct row_ids *ids);

#endif
