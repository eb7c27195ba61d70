/*
 * Which records conflict most: a bounded table of heavy hitters ("Space-Saving": Metwally, Agrawal and El Abbadi, 2005). A record it
 * names met with at most `count` and at least `count - error` stale writes since the space was opened; every record that met
 * with more than a HOT_RECORDS_COUNTED-th of all is named.
 *
 * Thread: any; it has a lock of its own.
 */
#ifndef CORE_HEAT_H
#define CORE_HEAT_H

#include "base/limits.h"
#include "stet.h"

#include <pthread.h>

struct heat_record {
    uint64_t count, error;
    size_t type_bytes, id_bytes;
    char type[TYPE_BYTES_MAX];
    char id[ID_BYTES_MAX];
};

struct heat {
    pthread_mutex_t lock;
    struct heat_record *records; /* HOT_RECORDS_COUNTED of them; made with the first conflict. */
    size_t count;
};

void heat_init(struct heat *heat);
void heat_done(struct heat *heat);

/* One more stale write. Without memory for the table nothing is counted. */
void heat_add(struct heat *heat, stet_view type, stet_view id);

/* Copies the hottest, hottest first; returns how many there were. */
size_t heat_top(struct heat *heat, struct heat_record *out, size_t max);

#endif
