/*
 * Validating data: whether a record's data is what the "fields" of its type's definition say. docs/types.md tells people what each
 * member means.
 *
 * A validator is a tree with one node for each token of a field's pointer, "*" for every member or element. Constraints of exact
 * names and of "*" all hold; none goes before another. A field that is absent breaks nothing but `required`, and that only where
 * the object it belongs into is there. `minimum` and the like judge values they can be asked about and no others: which
 * kinds of values may stand there is for `type` to say.
 *
 * Threads: a validator is never changed; any number of threads may use it.
 */
#ifndef CORE_VALIDATE_H
#define CORE_VALIDATE_H

#include "base/arena.h"
#include "doc/doc.h"

struct validator;

/**
 * Compiles the constraints of a definition's fields. Their members that concern merging are left to rules_compile, which must
 * have accepted them.
 *
 * @param arena       Where the validator goes.
 * @param definition  Borrowed as long as the arena lives.
 * @param fields      Its member "fields", or DOC_NONE.
 * @param validator   Out: NULL when everything is valid and nothing has a default.
 * @param checks_old  Out: some field is immutable, so data is compared with the data before.
 * @param err         Out: field is the pointer in the definition.
 *
 * @return STET_OK, STET_INVALID_TYPE, STET_TOO_LARGE
 */
stet_status validator_compile(struct arena *arena, const struct doc *definition, doc_node fields,
                              const struct validator **validator, bool *checks_old,
                              stet_error *err);

/* Whether two definitions' fields demand the same of data (so that data need not be looked at again). Either may be DOC_NONE. */
bool validator_same(const struct doc *a, doc_node a_fields, const struct doc *b, doc_node b_fields);

/**
 * @param validator  NULL: any data is valid.
 * @param old        The data before; NULL: there was none, or it does not matter.
 * @param err        Out: field is the pointer in the data.
 *
 * @return STET_OK
 *         STET_INVALID_DATA
 *         STET_TOO_LARGE     judging it takes more than VALIDATE_STEPS_MAX steps.
 *         STET_NO_MEMORY
 */
stet_status validate(struct arena *arena, const struct validator *validator, const struct doc *doc,
                     const struct doc *old, stet_error *err);

/**
 * Puts the defaults in for fields that are absent, where the object they belong into is there.
 *
 * @param filled  Out: the new text, in the arena; empty when nothing was absent.
 *
 * @return STET_OK, STET_TOO_LARGE, STET_NO_MEMORY
 */
stet_status validate_fill(struct arena *arena, const struct validator *validator,
                          const struct doc *doc, stet_view *filled, stet_error *err);

#endif
