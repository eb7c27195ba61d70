/*
 * A policy: what a type's owner declared about its records (a `stet.type` record), compiled: how stale writes are settled, which data
 * is valid, what is indexed and unique, what is kept. Immutable and counted by reference.
 *
 * A space keeps one table of them. The module that owns `stet.type` puts policies in; everybody else looks them up:
 *
 *   policy_staged   on the sequencer's thread: what holds for the command at hand, staged definitions of its batch included.
 *   policy_find     on any thread: what is published. A write is prepared against it and the sequencer compares.
 *
 * A type that was never declared has no policy (NULL): stale writes are rejected, every strategy may be asked for, any data is valid.
 */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include "base/arena.h"
#include "doc/doc.h"
#include "doc/rules.h"
#include "stet.h"

#include <pthread.h>
#include <stdatomic.h>

struct space;
struct index_def;    /* core/index.h */
struct validator;    /* core/validate.h */
struct access_rules; /* core/access.h */
struct exclusive;    /* core/exclusive.h */

struct policy {
    atomic_uint refs;
    stet_view type;
    uint64_t version; /* Of the stet.type record. */
    uint64_t seq;     /* Of that version: two policies are the same one when it is equal. */
    stet_strategy on_conflict;
    unsigned overrides; /* Bit 1 << stet_strategy: what a request may ask for. */
    bool preconditions_optional;
    const struct doc_rules *rules; /* NULL: the default everywhere. */
    bool counts;                   /* Some rule adds equal changes up: see rules_count. */
    bool checks_old; /* Validation compares with the data before (immutable fields). */
    struct {
        uint32_t deadline_s;
        stet_strategy fallback; /* Never ASK. */
        const stet_view *who;   /* For whom it waits; none: for the writer. */
        size_t who_count;
    } ask;
    const struct validator *validator; /* NULL: any data is valid. */
    const struct access_rules *access; /* core/access.h; NULL: for every member. */
    const struct exclusive
        *exclusive;   /* core/exclusive.h; the first of them, NULL: there is none. */
    stet_view tzdata; /* Of the zones by which intervals are kept; empty: it is not known. */
    struct index_def *const *indexes; /* Unique ones included. */
    size_t index_count;
    uint32_t retain_versions; /* 0: all. */
    uint32_t retain_days;     /* 0: for ever. */
    struct arena arena;       /* Holds all of the above. */
};

struct policy *policy_ref(const struct policy *policy); /* Accepts NULL. */
void policy_unref(const struct policy *policy);         /* Accepts NULL. Any thread. */

/* The published policy of a type, with a reference; NULL: none. Any thread. */
const struct policy *policy_find(struct space *space, stet_view type);

/* Grows whenever published policies change: what was found before it did may be out of date. Any thread. */
unsigned policies_generation(const struct space *space);

/* The policy in force for the command at hand; NULL: none. Borrowed until the next policies_ call. The sequencer's thread. */
const struct policy *policy_staged(const struct space *space, stet_view type);

/* "merge" … */
const char *strategy_name(stet_strategy strategy);
/* STET_BAD_REQUEST, with the field "on_conflict", for a word that names none. */
stet_status strategy_parse(stet_view text, stet_strategy *strategy, stet_error *err);

/* Of the published policies: whether any lets history go; *days: the most that one waits for, *seq: the newest definition. The sequencer's
   thread. */
bool policies_retain(const struct space *space, uint32_t *days, uint64_t *seq);

/* The strategy a write asks for, or the type's. STET_STRATEGY_NOT_ALLOWED: the type does not let a request choose it. */
stet_status policy_strategy(const struct policy *policy, stet_strategy asked,
                            stet_strategy *strategy, stet_error *err);

/* ---- The table, for the module that owns stet.type: on the sequencer's thread -------------------------------------------- */

struct policies; /* In struct space. */

stet_status policies_create(struct policies **policies, uint64_t hash_seed);
void policies_destroy(struct policies *policies);
/* Makes room for one more staged entry, or for many, so that policies_stage cannot fail: called from the module's check. */
stet_status policies_reserve(struct policies *policies, stet_error *err);
stet_status policies_reserve_many(struct policies *policies, size_t more, stet_error *err);
/* Takes the reference. policy NULL: the definition of `type` was deleted. Room was reserved. */
void policies_stage(struct policies *policies, stet_view type, const struct policy *policy);
/* The staged entries are published: others find them now. */
void policies_publish(struct policies *policies);
/* Whether a published policy names the number of an index. Any thread. */
bool policies_name_index(const struct space *space, uint32_t number);
/* Forgets what was staged and not published (reset), or everything. */
void policies_reset(struct policies *policies);

#endif
