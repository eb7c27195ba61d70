/*
 * Putting an object or array together from pieces of others. Neighbours that stay neighbours are copied as one span of their
 * source, blanks between them included; so what nobody touched is not rewritten. For this folder.
 */
#ifndef DOC_SPLICE_H
#define DOC_SPLICE_H

#include "base/buffer.h"
#include "doc/doc.h"

struct splice {
    struct buffer *out;
    const struct doc *doc; /* Of the run that waits to be copied; NULL: none waits. */
    size_t begin, end;     /* The run, in the text of doc. */
    doc_node next;         /* The sibling that would extend the run. */
    bool comma;
    bool object;
};

void splice_begin(struct splice *splice, struct buffer *out, bool object);

/* The child as it stands, with its key in an object. */
void splice_keep(struct splice *splice, const struct doc *doc, doc_node child);

/* Comma and key; the caller appends the value to the buffer. In an array raw is ignored. */
void splice_value(struct splice *splice, stet_view raw);

void splice_end(struct splice *splice);

#endif
