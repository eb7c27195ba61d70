/*
 * The shortest way from one list to another: which elements both share, in order. For this folder.
 *
 * Elements are numbers, equal when they are the same. The greedy algorithm of Eugene W. Myers, "An O(ND) Difference Algorithm
 * and Its Variations", Algorithmica 1 (1986): O((n + m) d) for d differences. Its rows are kept, so memory grows with d²/2;
 * the bound on steps bounds both. The result depends on the lists alone.
 */
#ifndef DOC_MYERS_H
#define DOC_MYERS_H

#include "base/arena.h"

#define MYERS_NONE UINT32_MAX

/**
 * @param a,b    The lists; a_count + b_count below INT32_MAX.
 * @param match  Out: for each element of a its partner in b, or MYERS_NONE. Partners rise.
 * @param steps  In and out: what was spent so far.
 *
 * @return STET_OK
 *         STET_TOO_LARGE  *steps would pass steps_max, and does so now; match holds nothing of use.
 *         STET_NO_MEMORY
 */
stet_status myers_match(struct arena *arena, const uint32_t *a, uint32_t a_count, const uint32_t *b,
                        uint32_t b_count, uint32_t *match, uint64_t *steps, uint64_t steps_max);

#endif
