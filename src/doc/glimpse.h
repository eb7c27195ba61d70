/*
 * A look at a few members of an object without parsing the rest: for who asks one question about each of many stored documents.
 */
#ifndef DOC_GLIMPSE_H
#define DOC_GLIMPSE_H

#include "doc/doc.h"

/**
 * @param text   A JSON object that doc_parse accepted once.
 * @param keys   Names of members, decoded, each once. At most 64.
 * @param doc    Out: an object with those of the members that are there; its text is in the arena.
 *
 * @return false: it cannot be told this way (a name is written with escapes, memory is out, the text is damaged). Parse it whole.
 */
bool doc_glimpse(struct arena *arena, stet_view text, const stet_view *keys, size_t key_count,
                 struct doc *doc);

#endif
