/*
 * The field rules of a type, made ready for merging: from the "fields" and "units" of its definition to the tree that
 * doc_merge descends. docs/merging.md tells people what each rule does; rule.h is the seam behind this.
 *
 * Thread: compiled rules are never changed; any number of threads may merge by them.
 */
#ifndef DOC_RULES_H
#define DOC_RULES_H

#include "doc/doc.h"

struct doc_rules;

/**
 * Compiles field rules. Members of a field's object that have nothing to do with merging are not looked at, nor are fields
 * without "merge" but for their pointer.
 *
 * @param arena       Where the rules go; they live as long as it does and borrow nothing from the definition.
 * @param definition  The type's definition. Borrowed until return.
 * @param fields      Its member "fields", or DOC_NONE.
 * @param units       Its member "units", or DOC_NONE.
 * @param rules       Out: NULL when nothing differs from the defaults, which is what doc_merge takes for them.
 * @param err         Out, may be NULL: field is the pointer in the definition ("/fields/~1amount/merge"), message says what
 *                    is possible there.
 *
 * @return STET_OK
 *         STET_INVALID_TYPE  not of the shape it should have, or rules that contradict each other.
 *         STET_TOO_LARGE     more than TYPE_FIELDS_MAX fields or TYPE_UNITS_MAX units (err->limit), or patterns with "*" that
 *                            combine into more than TYPE_RULE_NODES_MAX rules.
 */
stet_status rules_compile(struct arena *arena, const struct doc *definition, doc_node fields,
                          doc_node units, struct doc_rules **rules, stet_error *err);

/* Rules by which a function merges whole records (a strategy "function:NAME"). STET_OK, STET_NO_MEMORY. */
stet_status rules_of_function(struct arena *arena, stet_view name, struct doc_rules **rules);

/*
 * Whether some rule counts: delta and append take two equal changes for two changes, so that merge(b, x, x) is not x. For
 * everything else equal changes are one. Who wants to answer "nothing changed" without merging asks this first. NULL: false.
 */
bool rules_count(const struct doc_rules *rules);

/*
 * Whether the value at this pointer may be put together from what several people did without having seen one another: by delta,
 * set, by_key, append or text. Whoever replaces it then takes something from each of them. rules NULL: false.
 *
 * @param pointer  Valid.
 * @return STET_OK or STET_NO_MEMORY.
 */
stet_status rules_gather(struct arena *arena, const struct doc_rules *rules, stet_view pointer,
                         bool *gathers);

#endif
