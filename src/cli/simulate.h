/*
 * simulate, in parts: users that read, think and write (simulate_user.c), what they were told (simulate_ledger.c), and the
 * audit that compares it with what the server kept (simulate_audit.c). simulate.c prepares and runs, simulate_report.c prints.
 *
 * What the users do is a scenario: kinds of records, works that change them, and how the audit knows a change again.
 * simulate_records.c is the plain one; simulate_crm*.c a company's customers, deals and bookings (simulate_crm.h).
 *
 * A user's state belongs to its thread until that was joined.
 */
#ifndef CLI_SIMULATE_H
#define CLI_SIMULATE_H

#include "base/clock.h"
#include "base/uuid.h"
#include "cli/answer.h"
#include "cli/cli.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    SIM_KINDS_MAX = 8,
    SIM_WORKS_MAX = 12,
    SIM_VALUES_MAX = 6,
    SIM_NUMBER_BITS = 27, /* Of a record's number in its kind; the kind stands above. */
    SIM_READ = 0,         /* The first work of every scenario: it writes nothing. */
    SIM_FINDINGS_SHOWN = 20,
    SIM_FINDING_BYTES = 320,
    SIM_NAME_BYTES = 320,
    SIM_PREFIX_BYTES = 64,
    SIM_HEADER_BYTES = 96,
};

/* One write to one record: what was sent, and what came back. */
struct sim_write {
    uint8_t key[UUID_BYTES];
    uint32_t record; /* See sim_record. */
    uint32_t user;
    uint64_t version; /* That was answered. */
    uint8_t effect;   /* The scenario's word for what it does. */
    uint8_t facts;    /* The scenario's: bit i stands for values[i]. */
    bool deletes;
    bool acknowledged;              /* False: no answer came, so it may have happened or not. */
    int64_t values[SIM_VALUES_MAX]; /* The scenario's. */
    uint64_t found_at;              /* Version under which the audit found it; 0: not yet. */
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
    uint64_t refused;  /* The time was taken by somebody else: SLOT_TAKEN. */
    uint64_t offered;  /* Done at a time that a refusal had offered. */
    uint64_t requests; /* That were answered; their latencies are below. */
    uint32_t latency[SIM_LATENCY_CLASSES];
};

struct sim_findings {
    char texts[SIM_FINDINGS_SHOWN][SIM_FINDING_BYTES];
    uint64_t count;
};

struct json_writer;
struct sim;
struct sim_user {
    struct sim *sim;
    uint32_t number;
    uint64_t serial; /* Of what it makes up: no two are alike. */
    struct peer *peer;
    char asked_actor[SIM_NAME_BYTES]; /* Stet-Actor. */
    char actor[SIM_NAME_BYTES];       /* Who we are according to the server. */
    struct entropy_seeded random;
    struct arena arena; /* Of one attempt. */
    struct sim_ledger ledger;
    struct sim_tally tallies[SIM_WORKS_MAX];
    struct sim_findings findings;
    pthread_t thread;
    bool started;
};

/* What a request or an attempt came to. */
enum sim_sent {
    SIM_DONE,
    SIM_CONFLICT, /* Somebody else was first. */
    SIM_TAKEN,    /* Somebody else has that time. */
    SIM_ABSENT,
    SIM_GIVEN_UP,
    SIM_UNKNOWN, /* No answer came. */
    SIM_WRONG,   /* An answer that must not be: there is a finding. */
    SIM_NOTHING, /* There was nothing to do here. */
};

/* What a user has set out to do; kept from attempt to attempt. */
struct sim_task {
    unsigned work; /* An attempt may find that it is another one. */
    uint32_t records[2];
    int64_t values[SIM_VALUES_MAX]; /* The scenario's. */
    bool is_set;                    /* The values stand from the attempt before. */
    bool is_offered;                /* They came with a refusal. */
};

/* A version as the audit sees it. data: state_bytes of the scenario's. */
struct sim_version {
    uint64_t version;
    uint64_t seq;
    const struct sim_write *write; /* NULL: nobody of us. */
    bool deleted;
    void *data;
};

struct sim_audit {
    uint64_t acknowledged;
    uint64_t unanswered; /* Writes without an answer, */
    uint64_t happened;   /* of which so many did happen. */
    uint64_t versions;   /* Looked at. */
    uint32_t records;
    void *extra; /* The scenario's, from first use until judge_end. */
    struct sim_findings findings;
};

struct sim_kind {
    const char *name;
    const char *definition; /* What an administrator declares; NULL: find_definition knows. */
};

struct sim_work {
    const char *title;
    const char *key; /* In JSON. */
    bool merges;     /* Only with rules. */
};

struct sim_scenario {
    const char *name; /* --example */
    const struct sim_kind *kinds;
    unsigned kind_count;
    const struct sim_work *works;
    unsigned work_count;
    bool needs_rules; /* Without declared types there is nothing to see. */
    const char *held; /* What a passed audit has shown. */

    stet_status (*find_definition)(struct arena *arena, unsigned kind, stet_view *definition,
                                   stet_error *err); /* NULL: they stand in kinds. */
    /* Makes what the users share. False: the user's first finding says why not. */
    bool (*prepare)(struct sim_user *first);
    void (*begin)(struct sim_user *user, struct sim_task *task);
    enum sim_sent (*attempt)(struct sim_user *user, struct sim_task *task);

    size_t state_bytes;
    void (*read_state)(struct arena *arena, const struct doc *doc, doc_node data, unsigned kind,
                       void *state);
    /* before NULL: after is version 1. May add findings. STET_NO_MEMORY ends the audit. */
    stet_status (*judge_step)(struct sim *sim, struct sim_audit *audit, uint32_t record,
                              const char *name, const struct sim_version *before,
                              const struct sim_version *after);
    /* Adds what an acknowledged or found write contributes. */
    void (*add)(const struct sim *sim, const struct sim_write *write, int64_t sums[SIM_VALUES_MAX]);
    /* now: as a plain read has it; newest: as the history has it. */
    stet_status (*judge_now)(struct sim *sim, struct sim_audit *audit, uint32_t record,
                             const char *name, const void *now, const void *newest,
                             const int64_t sums[SIM_VALUES_MAX]);
    void (*judge_end)(struct sim *sim, struct sim_audit *audit); /* May be NULL. */
    /* What is told beyond the works; NULL: nothing. */
    void (*print_more)(const struct sim *sim, const struct sim_tally *tallies,
                       struct terminal *out);
    void (*write_more)(const struct sim *sim, const struct sim_tally *tallies,
                       struct json_writer *writer);
};

extern const struct sim_scenario sim_records, sim_crm;

struct sim {
    struct cli *cli;
    const struct sim_scenario *scenario;
    char space[SIM_NAME_BYTES];    /* Encoded for a path. */
    char prefix[SIM_PREFIX_BYTES]; /* Before the types' names. */
    bool own_space;
    bool has_rules;                         /* The types are declared. */
    uint32_t records;                       /* Of each kind, as asked for. */
    _Atomic uint32_t counts[SIM_KINDS_MAX]; /* Of each kind, as there may be: they grow. */
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

static inline uint32_t sim_record(unsigned kind, uint32_t number) {
    return (uint32_t)kind << SIM_NUMBER_BITS | number;
}
static inline unsigned sim_kind_of(uint32_t record) { return record >> SIM_NUMBER_BITS; }
static inline uint32_t sim_number_of(uint32_t record) {
    return record & ((UINT32_C(1) << SIM_NUMBER_BITS) - 1);
}

/* "/v1/SPACE/records/TYPE/NUMBER"; bytes NULL when memory is out. */
stet_view sim_path(const struct sim *sim, struct arena *arena, uint32_t record);
/* "counters/3" with the type's full name. */
void sim_name(const struct sim *sim, uint32_t record, char out[SIM_NAME_BYTES]);

void sim_find(struct sim_findings *findings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for count more writes, made before they are sent: an acknowledged one must never be forgotten. */
bool sim_ledger_reserve(struct sim_ledger *ledger, size_t count);
void sim_ledger_add(struct sim_ledger *ledger, const struct sim_write *write);

void sim_tally_latency(struct sim_tally *tally, int64_t ns);
void sim_tally_add(struct sim_tally *into, const struct sim_tally *tally);
/* Milliseconds within which this share of the requests was answered. */
double sim_tally_quantile(const struct sim_tally *tally, double share);
/* part of part + rest, in percent. */
double sim_percent(uint64_t part, uint64_t rest);

/* ---- For scenarios: what a user does ---- */

uint64_t sim_pick(struct sim_user *user, uint64_t below);
void sim_think(struct sim_user *user);

/* A request that may be sent several times. */
struct sim_sending {
    unsigned work;
    bool may_be_absent; /* A read of what may never have been made. */
    struct call call;
    struct answer answer;
    struct doc doc;
};

/* Sends until there is an answer that decides. */
enum sim_sent sim_send(struct sim_user *user, struct sim_sending *sending);

enum sim_presence { SIM_ALWAYS_THERE, SIM_MAY_BE_ABSENT };
/* SIM_DONE: sending->doc is the record; SIM_ABSENT: version is that of its tombstone, or 0. */
enum sim_sent sim_read(struct sim_user *user, uint32_t record, enum sim_presence presence,
                       struct sim_sending *sending, uint64_t *version);

enum { SIM_KEY_BYTES = UUID_TEXT_BYTES + 1 };
void sim_write_begin(struct sim_user *user, struct sim_write *write, uint32_t record,
                     char key[SIM_KEY_BYTES]);
/* Puts what became of a write into the ledger, which has room. result: the record in the answer. */
void sim_write_end(struct sim_user *user, struct sim_write *write, enum sim_sent sent,
                   const struct sim_sending *sending, doc_node result);

/* One write to one record, with its key. sending: NULL, or where the answer goes; then the caller ends the write. */
enum sim_sent sim_write_one(struct sim_user *user, unsigned work, const char *method,
                            const char *type, stet_view body, const char *condition,
                            struct sim_write *write, const char *key, struct sim_sending *sending);
/* "If-Match: "7"" */
const char *sim_if_match(char out[SIM_HEADER_BYTES], uint64_t version);

/* A body for POST …/transactions, with its key; a write for each mutation goes into the ledger. */
enum sim_sent sim_transact(struct sim_user *user, unsigned work, stet_view body,
                           struct sim_write *writes, unsigned count);

/* A user's thread. context: struct sim_user. */
void *sim_user_main(void *context);

/* ---- The ends ---- */

/* Reads all histories and compares. EXIT_DONE also when there are findings; else why it could not be done was said. */
int sim_audit_run(struct sim *sim, struct sim_audit *audit);

/* Prints what was done and found, and says with which code to exit. */
int sim_report(const struct sim *sim, const struct sim_audit *audit);

#endif
