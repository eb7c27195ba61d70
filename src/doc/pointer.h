/*
 * JSON pointers (RFC 6901): reading tokens, and writing them into a fixed or a growing text. For this folder; callers of the
 * module use doc_pointer.
 */
#ifndef DOC_POINTER_H
#define DOC_POINTER_H

#include "base/buffer.h"
#include "doc/doc.h"

/* Whether it is "" or starts with '/' and has no '~' but in ~0 and ~1. */
bool pointer_is_valid(stet_view pointer);

/* Takes the first token off *rest, escapes as written. False at the end. */
bool pointer_next(stet_view *rest, stet_view *token);

/* Decodes ~0 and ~1: borrowed when there is none, else in the arena. token: of a valid pointer. STET_OK or STET_NO_MEMORY. */
stet_status pointer_decode(struct arena *arena, stet_view token, stet_view *out);

/* An array index: digits without a leading zero, below UINT32_MAX. */
bool pointer_index(stet_view token, uint32_t *index);

/* The member a token of a valid pointer names, or DOC_NONE. */
doc_node pointer_member(const struct doc *doc, doc_node object, stet_view token);

/* A pointer written into a fixed text, cut where it ends. */
struct pointer_text {
    char *bytes;
    size_t size;
    size_t size_max;
};
void pointer_text_key(struct pointer_text *text, stet_view raw, bool escaped);
void pointer_text_index(struct pointer_text *text, uint32_t index);

/* Where a walk down two or three documents is: a list on the stack, from the leaf up. */
struct pointer_path {
    const struct pointer_path *parent; /* NULL: this is the root, which has no key. */
    stet_view key;                     /* Raw. */
    bool key_escaped;
};

/* The path of an object's child. */
struct pointer_path path_member(const struct pointer_path *parent, const struct doc *doc,
                                doc_node child);

/* The path as pointer text in the arena. STET_OK or STET_NO_MEMORY. */
stet_status pointer_format(struct arena *arena, const struct pointer_path *path, stet_view *out);

#endif
