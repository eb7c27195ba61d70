/*
 * Births: when and by whom records were created, which every answer with a record says. It stands in the record's first change,
 * which never changes, so what is remembered here stays true whatever is written since: no invalidation. Keyed by space instance
 * and seq of the first change; direct-mapped, so that a lookup is one comparison and a collision forgets the older one. One thread.
 */
#ifndef CORE_BIRTHS_H
#define CORE_BIRTHS_H

#include "stet.h"

struct birth {
    uint64_t instance;
    uint64_t first;
    int64_t at;
    size_t by_bytes;
    char by[];
};

struct births {
    struct birth **slots; /* BIRTHS_CACHED_MAX of them, allocated with the first. */
};

void births_init(struct births *births);
void births_done(struct births *births);

/* NULL: not remembered. Borrowed until the next births_ call. */
const struct birth *births_find(const struct births *births, uint64_t instance, uint64_t first);

/* The change at `first` must be durable. Forgets quietly when memory is out. */
void births_put(struct births *births, uint64_t instance, uint64_t first, int64_t at, stet_view by);

#endif
