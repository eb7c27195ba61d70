/*
 * What differs between two documents, as JSON pointers.
 */
#ifndef DOC_DIFF_H
#define DOC_DIFF_H

#include "doc/doc.h"

struct doc_difference {
    stet_view pointer; /* RFC 6901, in the arena. "" when the roots themselves differ. */
    doc_node a;        /* DOC_NONE: absent on that side. */
    doc_node b;
};

/**
 * Objects recurse; everything else is one value. Document order of a; in each object, what only b has comes last.
 *
 * @param out    Out: array in the arena; NULL when nothing differs.
 * @param count  Out: its length.
 *
 * @return STET_OK, STET_NO_MEMORY
 */
stet_status doc_diff(struct arena *arena, const struct doc *a, const struct doc *b,
                     struct doc_difference **out, size_t *count, stet_error *err);

#endif
