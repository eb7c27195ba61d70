/*
 * Contention: how many conflicts there were by type, field and strategy, for metrics. Bounded (CONTENTION_LABELS_MAX): names come from
 * outside, so whatever does not fit is counted as "other".
 *
 * Thread: any.
 */
#ifndef CORE_CONTENTION_H
#define CORE_CONTENTION_H

#include "stet.h"

#include <pthread.h>

/* What contention_visit passes, a NUL included: names are cut to fit. */
enum { CONTENTION_LABEL_BYTES_MAX = 512 };

/* Half of what a label may have, for escapes may double a name. */
enum { CONTENTION_NAME_BYTES_MAX = 100 };

struct contention_count {
    char type[CONTENTION_NAME_BYTES_MAX + 1];
    char field[CONTENTION_NAME_BYTES_MAX + 1];
    stet_strategy strategy;
    uint64_t count;
};

struct contention_table;

struct contention {
    pthread_mutex_t lock;
    struct contention_table *table; /* Made for the first conflict. */
};

void contention_init(struct contention *contention);
void contention_done(struct contention *contention);

/* Counts one. field: a JSON pointer; empty: no field was in conflict. Places in lists are counted as "*". */
void contention_note(struct contention *contention, stet_view type, stet_view field,
                     stet_strategy strategy);

/* labels: `,type="…",field="…",strategy="…"`, escaped. */
void contention_visit(struct contention *contention,
                      void (*visit)(void *context, const char *labels, uint64_t count),
                      void *context);

/* Copies them, in the order in which they were met first, to room for CONTENTION_LABELS_MAX; returns how many. other: all the others. */
size_t contention_counts(struct contention *contention, struct contention_count *out,
                         uint64_t *other);

#endif
