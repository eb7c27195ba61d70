/*
 * The workload of the benchmarks that write: N records of about 500 bytes; each write picks a record at random among those nobody
 * is writing, names the version last seen, and carries a fresh UUIDv7.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "stet.h"

enum { WORKLOAD_ID_BYTES = 14, WORKLOAD_DATA_BYTES = 500, WORKLOAD_KEY_BYTES = 36 };
#define WORKLOAD_TYPE "task"

struct workload {
    size_t first; /* The records [first, first + count) are this workload's own. */
    size_t count;
    uint64_t *versions; /* Last seen; 0: not created yet. */
    bool *busy;
    uint64_t random;
};

/* Ends the program when memory is out. */
void workload_init(struct workload *workload, size_t first, size_t count);
void workload_done(struct workload *workload);

/* A record nobody is writing; the caller is now. There must be one. Records are numbered from `first`. */
size_t workload_take(struct workload *workload);
/* The one numbered so, which must be free. */
void workload_take_this(struct workload *workload, size_t record);
/* The same among those of one share: every `shares`-th record from the one numbered so. At most one at a time is taken of a share. */
size_t workload_take_of(struct workload *workload, size_t share, size_t shares);
/* Done with it; version: the one it has now. */
void workload_give(struct workload *workload, size_t record, uint64_t version);
uint64_t workload_version(const struct workload *workload, size_t record);
uint64_t workload_random(struct workload *workload);

/* "record-0000042", not NUL-terminated. */
void workload_id(size_t record, char out[WORKLOAD_ID_BYTES]);
/* A JSON object that no other version of the record equals. */
void workload_data(size_t record, uint64_t version, char out[WORKLOAD_DATA_BYTES]);
/*
 * A record in which two fields change by turns: version v changes the one of v's turn. The data as it stood at version `seen` with the
 * write that makes version `made` on top (seen = made: as it stands then). Returns WORKLOAD_DATA_BYTES.
 */
size_t workload_pair(size_t record, uint64_t seen, uint64_t made, char out[WORKLOAD_DATA_BYTES]);
/* That write alone, as a merge patch; returns its size. */
size_t workload_pair_patch(uint64_t made, char out[WORKLOAD_DATA_BYTES]);
void workload_key(char out[WORKLOAD_KEY_BYTES]);

#endif
