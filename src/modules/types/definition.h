/*
 * Definitions: the data of a `stet.type` record, checked whole and compiled into a policy. docs/types.md is the reference of its
 * members for people.
 *
 * What is stored is the definition as it was put, and beside it what the server keeps for itself: "_indexes", the numbers of its
 * indexes in the store in the order of "index", "unique" and "exclusive", "_tzdata", the time zone data by which its intervals are kept, and "forced", which says that it was put although records
 * broke it.
 */
#ifndef MODULES_TYPES_DEFINITION_H
#define MODULES_TYPES_DEFINITION_H

#include "core/index.h"
#include "core/policy.h"

/**
 * @param type    Copied.
 * @param text    A JSON object. Copied.
 * @param policy  Out, with one reference. Its version and seq are the caller's to set. Numbers of indexes that "_indexes" does not
 *                give are 0.
 * @param err     Out: field is a pointer into the definition.
 *
 * @return STET_OK, STET_INVALID_TYPE, STET_TOO_LARGE, STET_BAD_JSON, STET_NO_MEMORY
 */
stet_status definition_compile(stet_view type, stet_view text, struct policy **policy,
                               stet_error *err);

/* Gives the new policy's indexes the numbers of equal ones of the old (NULL: there is none); those of intervals only if they were kept by the time
   zone data of this process, which become the new one's. Returns how many are still without. */
size_t definition_take_numbers(struct policy *policy, const struct policy *old);

/*
 * The text to store: definition without what the server keeps, then the policy's numbers, then "forced" (empty: none). In the arena.
 * definition: parsed from what was put.
 */
stet_status definition_text(struct arena *arena, const struct doc *definition,
                            const struct policy *policy, stet_view forced, stet_view *text,
                            stet_error *err);

/* False: it has intervals that were computed by other time zone data than this process has. */
bool definition_is_current(const struct policy *policy);

/* Whether a member is the server's own. */
bool definition_is_private(stet_view raw_name);

/* Two indexes that are the same but for their number. */
bool definition_same_index(const struct index_def *a, const struct index_def *b);

#endif
