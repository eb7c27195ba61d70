/*
 * Resolving a conflict by token. The token is a keyed MAC over what the conflict was (record, base, current, a hash of what the
 * writer wanted, actor, expiry); nothing is stored. It is also the resolution's mutation key, so that a second use is told so.
 */
#ifndef CORE_RESOLVE_H
#define CORE_RESOLVE_H

#include "base/view.h"
#include "core/client.h"
#include "core/veil.h"

/* In the place of a record's type, with a conflict's id: what tokens of parked conflicts are made for. No user's type is named so. */
#define RESOLVE_PARKED VIEW("stet.parked")

/*
 * yours_hash: of yours as it was shown; not of a deletion. token: RESOLUTION_TOKEN_BYTES_MAX + 1 bytes, NUL-terminated. With
 * mutation->conflict_id it is for that parked conflict.
 */
void resolve_make_token(struct stet_command *command, const struct mutation *mutation,
                        uint64_t base, uint64_t current, uint64_t yours_hash, char *token);

/* What a token says. */
struct resolve_token {
    bool deletes; /* The writer wanted to delete. */
    uint64_t base, current;
    uint64_t yours_hash; /* doc_hash of what the writer wanted; 0 for a deletion. */
};

/* Of the command's actor, for this record, now. STET_TOKEN_INVALID: forged, expired, of another record or another actor. */
stet_status resolve_read_token(struct stet_command *command, stet_view type, stet_view id,
                               stet_view text, struct resolve_token *token, stet_error *err);

/*
 * A version of the record in a conflict, as the actor sees it: what they choose from is what they were shown, and the write that comes of
 * it leaves the rest as it is. version 0, or one that is not kept, or not theirs to see: *there is false.
 */
stet_status resolve_load_side(const struct veil *veil, struct store_reader *reader,
                              const struct store_head *head, uint64_t version, struct doc *doc,
                              bool *there, stet_error *err);

/* A conflict's three sides, for whoever settles it. */
struct resolve_sides {
    struct space *space;
    struct arena *arena;
    const struct policy *policy; /* NULL: the default rules. */
    bool deletes;                /* Yours is a deletion. */
    stet_view conflict_id;       /* Of the conflict that waited; empty: none did. */
    bool has_base, has_current, has_yours;
    struct doc base, current, yours;
};

enum resolve_effect {
    RESOLVE_WRITE, /* data is to be stored. */
    RESOLVE_DELETE,
    RESOLVE_KEEP, /* The record stays as it is; data: current's, empty where it is deleted. */
};

/*
 * From a choice to what is to be done. Pure.
 *
 * @param fields  STET_CHOICE_FIELDS: JSON {pointer: "yours" | "current" | "base" | {"value": …}}.
 * @param custom  STET_CHOICE_CUSTOM: the data.
 * @param data    Out: borrowed from the sides or the arguments, or in the arena.
 * @return STET_OK, STET_BAD_REQUEST (the field names "choice", "data", "fields" or a pointer), STET_BAD_JSON, STET_TOO_LARGE.
 */
stet_status resolve_choose(const struct resolve_sides *sides, stet_choice choice, stet_view fields,
                           stet_view custom, enum resolve_effect *effect, stet_view *data,
                           stet_error *err);

/*
 * What history keeps of a choice whose effect and data resolve_choose gave. Needs the sides' policy.
 *
 * @param out  In the sides' arena.
 * @return STET_OK, STET_NO_MEMORY.
 */
stet_status resolve_provenance(const struct resolve_sides *sides, stet_choice choice,
                               enum resolve_effect effect, stet_view data, uint64_t base_version,
                               uint64_t current_version, stet_view *out, stet_error *err);

const char *resolve_choice_name(stet_choice choice); /* "yours" … */

/* Copies a resolution into a command. */
stet_status resolve_fill(struct stet_command *command, const stet_resolution *resolution,
                         stet_error *err);

/* Checks the token and turns the command into the write it stands for: onto the current version of the conflict. */
stet_status resolve_prepare(struct stet_command *command, stet_error *err);

#endif
