/* How a version came to be, in words: what `merge` of a change in the history says. */
#ifndef CLI_SETTLED_H
#define CLI_SETTLED_H

#include "base/arena.h"
#include "doc/doc.h"

/*
 * "merged 1 onto 2: writer's /title; kept /owner; delta /stock", "last_writer_wins over 2 to 4", "resolved (yours) onto 3". In the
 * arena; empty for what it does not know.
 */
stet_view settled_words(struct arena *arena, const struct doc *doc, doc_node merge);

#endif
