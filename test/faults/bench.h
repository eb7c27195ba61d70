/*
 * An engine on a disk that fails on demand, a workload of writes through stet.h, and the audit of what it was told. Compiled into
 * the fault tests only.
 *
 * Every write has a number; it is the write's mutation key and stands in its data, so the history of the records tells which
 * writes took effect, how often, and whether whole.
 */
#ifndef TEST_FAULTS_BENCH_H
#define TEST_FAULTS_BENCH_H

#include "base/clock.h"
#include "core/engine.h"
#include "stet.h"
#include "store/sqlite/fault_vfs.h"

enum { BENCH_WRITES_MAX = 512, BENCH_RECORDS = 7, BENCH_CLAIMS_MAX = 512 };

/* What the writer of a write was told. */
enum told {
    TOLD_NOTHING, /* No answer, or one that leaves the outcome open: whole or absent. */
    TOLD_DONE,    /* There, once. */
    TOLD_REFUSED, /* Not there. */
};

struct bench {
    struct fault_disk *disk;
    const char *folder;
    const char *synchronous;
    struct clock_manual clock;
    struct entropy_seeded entropy;
    stet_engine *engine;
    stet_client *client;
    stet_space *space;
    uint64_t random;

    unsigned writes;
    enum told told[BENCH_WRITES_MAX];
    unsigned parts[BENCH_WRITES_MAX]; /* Changes the write makes when it takes effect. */
    struct {
        unsigned record;
        stet_version version; /* A refusal said that the record has it. */
    } claims[BENCH_CLAIMS_MAX];
    unsigned claim_count;

    bool cuts_power;        /* The fault is a power loss. */
    bool power_gone;        /* Failures are those of a machine that is off: they say nothing. */
    bool answered_unsynced; /* An answer left while a write of the log waited for its sync. */
    unsigned answers_watched;
    stet_status last_failure; /* Of the storage; STET_OK: none yet. */
    char last_message[256];
};

/* A fresh disk. synchronous: see struct store_options. */
void bench_init(struct bench *bench, const char *folder, const char *synchronous, uint64_t seed);
void bench_done(struct bench *bench);

/* Opens engine, client and space; on failure everything is closed again. */
stet_status bench_open(struct bench *bench);
void bench_close(struct bench *bench);

/* One batch: some puts, deletes and transactions from fresh bases, some from stale ones, some repeated. False: the storage failed
   somewhere in it. */
bool bench_step(struct bench *bench);

/* One put of a record with a body of about that size. */
stet_status bench_put(struct bench *bench, unsigned record, size_t bytes);

/* Compares what the open space holds with what the writers were told. NULL: all is well; else what is wrong. */
const char *bench_audit(struct bench *bench);

uint64_t bench_seed(void); /* STET_SEED, else from the clock. */

#endif
