/*
 * simulate, in parts: users that read, think and write (simulate_user.c), what they were told (simulate_ledger.c), and the
 * audit that compares it with what the server kept (simulate_audit.c). simulate.c prepares, runs and reports.
 *
 * Four kinds of shared records. Each write changes something by which the audit knows it again:
 *
 *     counters   {"count", "last"}   read, add, write with If-Match; a transfer moves between two in one transaction
 *     stock      {"count"}           the type merges: /count delta
 *     documents  {"f0" … "f7"}       one field is edited; edits of different fields merge
 *     drafts     {"last"}            created when absent, deleted when there
 *
 * A user's state belongs to its thread until that was joined.
 */
#ifndef CLI_SIMULATE_H
#define CLI_SIMULATE_H

#include "base/clock.h"
#include "base/uuid.h"
#include "cli/cli.h"

#include <pthread.h>
#include <stdatomic.h>

enum sim_kind { SIM_COUNTERS, SIM_STOCK, SIM_DOCUMENTS, SIM_DRAFTS, SIM_KINDS };
enum sim_work { SIM_READ, SIM_ADD, SIM_TRANSFER, SIM_MERGE, SIM_EDIT, SIM_LIFE, SIM_WORKS };
enum sim_effect { SIM_CREATED, SIM_ADDED, SIM_EDITED, SIM_DELETED };

enum {
    SIM_FIELDS = 8, /* Of a document. */
    SIM_FINDINGS_SHOWN = 20,
    SIM_FINDING_BYTES = 320,
    SIM_NAME_BYTES = 320,
    SIM_PREFIX_BYTES = 64,
};

/* One write to one record: what was sent, and what came back. */
struct sim_write {
    uint8_t key[UUID_BYTES];
    uint32_t record; /* kind * records + number */
    uint32_t user;
    uint64_t version; /* That was answered. */
    int64_t amount;   /* Added to the count; of an edit, the field's number. */
    enum sim_effect effect;
    bool acknowledged;   /* False: no answer came, so it may have happened or not. */
    uint64_t found_at;   /* Version under which the audit found it; 0: not yet. */
    uint64_t found_also; /* And a second one, if there is. */
};

struct sim_ledger {
    struct sim_write *writes;
    size_t count;
    size_t capacity;
};

/* Latencies in classes of at most 3 % width. */
enum { SIM_LATENCY_STEPS = 32, SIM_LATENCY_CLASSES = 32 * 28 };
struct sim_tally {
    uint64_t done;
    uint64_t conflicts;
    uint64_t retries;  /* Attempts after the first, for whatever reason. */
    uint64_t given_up; /* Still refused when the time was over. */
    uint64_t requests; /* That were answered; their latencies are below. */
    uint32_t latency[SIM_LATENCY_CLASSES];
};

struct sim_findings {
    char texts[SIM_FINDINGS_SHOWN][SIM_FINDING_BYTES];
    uint64_t count;
};

struct sim;
struct sim_user {
    struct sim *sim;
    uint32_t number;
    struct peer *peer;
    char asked_actor[SIM_NAME_BYTES]; /* Stet-Actor. */
    char actor[SIM_NAME_BYTES];       /* Who we are according to the server. */
    struct entropy_seeded random;
    struct arena arena; /* Of one operation. */
    struct sim_ledger ledger;
    struct sim_tally tallies[SIM_WORKS];
    struct sim_findings findings;
    pthread_t thread;
    bool started;
};

struct sim {
    struct cli *cli;
    char space[SIM_NAME_BYTES];    /* Encoded for a path. */
    char prefix[SIM_PREFIX_BYTES]; /* Before the types' names. */
    bool own_space;
    bool has_rules;   /* The types are declared, so stock merges. */
    uint32_t records; /* Of each kind. */
    uint64_t think_ms;
    uint64_t seed;
    struct sim_user *users;
    uint32_t user_count;
    int stop_fd; /* Readable once users shall stop: ends their pauses. */
    atomic_bool stopped;
    _Atomic int64_t
        drained_ns; /* Monotonic; what has no answer then is unknown. Valid once stopped. */
    int64_t ran_ns;
};

const char *sim_kind_name(enum sim_kind kind);

/* "/v1/SPACE/records/TYPE/NUMBER"; bytes NULL when memory is out. */
stet_view sim_path(const struct sim *sim, struct arena *arena, uint32_t record);
/* "counters/3" with the type's full name. */
void sim_name(const struct sim *sim, uint32_t record, char out[SIM_NAME_BYTES]);
static inline uint32_t sim_record(const struct sim *sim, enum sim_kind kind, uint32_t number) {
    return (uint32_t)kind * sim->records + number;
}
static inline enum sim_kind sim_kind_of(const struct sim *sim, uint32_t record) {
    return (enum sim_kind)(record / sim->records);
}

void sim_find(struct sim_findings *findings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for count more writes, made before they are sent: an acknowledged one must never be forgotten. */
bool sim_ledger_reserve(struct sim_ledger *ledger, size_t count);
void sim_ledger_add(struct sim_ledger *ledger, const struct sim_write *write);

void sim_tally_latency(struct sim_tally *tally, int64_t ns);
void sim_tally_add(struct sim_tally *into, const struct sim_tally *tally);
/* Milliseconds within which this share of the requests was answered. */
double sim_tally_quantile(const struct sim_tally *tally, double share);

/* Creates this record; it stands in the user's ledger. False: a finding says why not. */
bool sim_user_create(struct sim_user *user, uint32_t record);
/* A user's thread. context: struct sim_user. */
void *sim_user_main(void *context);

struct sim_audit {
    uint64_t acknowledged;
    uint64_t unanswered; /* Writes without an answer, */
    uint64_t happened;   /* of which so many did happen. */
    uint64_t versions;   /* Looked at. */
    uint32_t records;
    struct sim_findings findings;
};

/* Reads all histories and compares. EXIT_DONE also when there are findings; else why it could not be done was said. */
int sim_audit_run(struct sim *sim, struct sim_audit *audit);

#endif
