/*
 * What a space may hold, and how fast one actor may write into it: "limits" of its settings. modules/settings checks the words when they are
 * put and obeys them here; the sequencer asks before it stages what a command does, and once more when all of the command is known.
 *
 *   {"writes_per_actor"?: {"rate": per second, "burst"?: writes}, "records"?: number, "bytes"?: number}
 *
 * Records are those that live; a system type's do not count. Bytes are those of the store that are in use, whatever uses them: the history
 * and the indexes, too. Nothing is counted twice or kept on disk: records follow from the changes, bytes are asked of the store.
 *
 * A bucket is a time at which it is full again (compare the virtual scheduling of ATM's cell rate algorithm): one write moves that on by the
 * time one takes to come back. Memory is bounded: of those that share a row, the newcomer takes the place of the fullest.
 *
 * Thread: the sequencer's, but for what quota_show tells.
 */
#ifndef CORE_QUOTA_H
#define CORE_QUOTA_H

#include "base/limits.h"
#include "doc/doc.h"
#include "doc/write.h"
#include "stet.h"

#include <stdatomic.h>

struct change;
struct space;
struct staging;
struct store_head;
struct write_buckets;

#define QUOTA_NONE UINT64_MAX

struct quota_limits {
    double rate;             /* Writes of one actor by second; 0: as many as they like. */
    uint64_t burst;          /* How many at once, after a pause. */
    uint64_t records, bytes; /* QUOTA_NONE: no limit. */
};

/* How full a space is. */
struct quota_use {
    uint64_t records, bytes;
};

struct quota {
    struct quota_limits limits;
    int64_t write_ns;              /* In which one write comes back; 0: no rate. */
    struct write_buckets *buckets; /* Made with the first write they judge. */
    struct quota_use now;          /* What is staged included; bytes only under a limit. */
    struct quota_use committed;
    /* The same for other threads. */
    _Atomic double shown_rate;
    _Atomic uint64_t shown_burst, shown_records, shown_bytes, used_records, used_bytes;
    _Atomic uint64_t refused[3]; /* enum quota_kind */
};

enum quota_kind { QUOTA_WRITES, QUOTA_RECORDS, QUOTA_BYTES, QUOTA_KINDS };
const char *quota_name(enum quota_kind kind);

/*
 * Reads the member "limits" of settings (DOC_NONE: there are none).
 *
 * @return STET_OK, STET_INVALID_SETTINGS with a pointer below /limits.
 */
stet_status quota_read(const struct doc *doc, doc_node node, struct quota_limits *limits,
                       stet_error *err);

/* Before the space is shown to others: nothing is limited. */
void quota_init(struct quota *quota);
void quota_done(struct quota *quota);

/* From now on these hold. */
void quota_limit(struct space *space, const struct quota_limits *limits);

/* How many records of types that are not the system's live in the store. */
void quota_count(struct space *space, uint64_t records);

/* A batch begins; what it staged is durable; it is taken back. */
void quota_begin(struct space *space);
void quota_commit(struct space *space);
void quota_undo(struct space *space);

/* A change was put into the batch. before: the record's head before it. */
void quota_staged(struct quota *quota, const struct change *change,
                  const struct store_head *before);

/*
 * Takes what a command's mutations cost out of its actor's bucket, once however often the command is decided. A bucket that is full lets
 * pass what costs more than it holds, and owes the rest.
 *
 * @return STET_OK
 *         STET_TOO_MANY_REQUESTS  command->retry_after_s says when there is enough.
 *         STET_NO_MEMORY
 */
stet_status quota_take(struct staging *staging, stet_error *err);

/* Whether all that the command at hand staged has room. STET_QUOTA_EXCEEDED. Never for what takes nothing: deletions, purges. */
stet_status quota_check(struct staging *staging, stet_error *err);

/* The same for a command that asks the space to keep something of its own, such as an operation with its input. */
stet_status quota_check_bytes(struct staging *staging, stet_error *err);

/* The value of "limits" in stats; any thread. records: how many live, QUOTA_NONE: not for this actor to know. */
void quota_show(struct arena *arena, const struct quota *quota, uint64_t records,
                struct json_writer *writer);

#endif
