/*
 * Memory that ends where a test says. For programs that depend on failing_memory_dep: the link gives malloc and its kin to this
 * (--wrap), and what arenas hand out as well, since pooled commands rarely ask malloc. Only the calling thread's allocations fail.
 */
#ifndef TEST_FAULTS_FAILING_MEMORY_H
#define TEST_FAULTS_FAILING_MEMORY_H

#include <stdbool.h>

enum failing { FAIL_ONCE, FAIL_FROM_THEN_ON };

/* After `working` allocations more, one fails, or all do. */
void memory_fails(enum failing how, long working);

/* All work again. */
void memory_works(void);

/* Whether one failed since memory_fails. */
bool memory_failed(void);

#endif
