/*
 * Reading members of the server's answers.
 */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include "base/arena.h"
#include "doc/doc.h"
#include "stet.h"

/* Parses an answer, which may be larger than a record. STET_INTERNAL: not JSON, so not a Stet server. */
stet_status answer_parse(struct arena *arena, stet_view text, struct doc *doc, stet_error *err);

/* The member as text: a string decoded, any other value as it stands; empty when absent or null. */
stet_view answer_text(struct arena *arena, const struct doc *doc, doc_node object, const char *key);

/* The member as a whole number; 0 when absent or anything else. */
uint64_t answer_u64(const struct doc *doc, doc_node object, const char *key);
bool answer_bool(const struct doc *doc, doc_node object, const char *key);
doc_node answer_member(const struct doc *doc, doc_node object, const char *key);

/* A value as JSON text for a table; a dash when absent. */
stet_view answer_value(const struct doc *doc, doc_node node);

/* "2026-03-01T12:00:00.123456789Z" as "2026-03-01 12:00:00". Anything else as it stands. */
stet_view answer_time(struct arena *arena, stet_view text);

#endif
