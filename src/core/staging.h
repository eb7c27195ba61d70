/*
 * Staging: what one command puts into the batch at hand, while it is decided. All of it becomes one transaction when the command is
 * accepted, and none of it happened when it is refused. Also the door by which modules add records of their own types to somebody
 * else's transaction, and by which their own commands do their work.
 *
 * Thread: the sequencer's.
 */
#ifndef CORE_STAGING_H
#define CORE_STAGING_H

#include "core/batch.h"
#include "core/space.h"

/* Lives for the decision about one command. */
struct staging {
    struct space *space;
    struct batch *batch;
    struct stet_command *command;
    struct module_time time;
    int64_t now; /* time.wall */
    bool merged; /* A strategy settled a stale write. */
    /* Where the command began: what staging_take_back goes back to. */
    size_t heads_mark, first_change;
    uint64_t first_seq;
    int64_t first_stamp;
    struct quota_use use_before;
};

/* A record a module staged along with the command's own mutations; in the command's arena. */
struct staged_record {
    struct staged_record *next;
    struct mutation mutation;
};

/* ---- For modules ------------------------------------------------------------------------------------------------------- */

/*
 * A record as it stands for this command, staged changes included. head->version 0: it never existed; head->deleted: it is gone.
 * row: may be NULL; where there is a version, its change, borrowed until the command is answered. All STET_OK but IO, CORRUPT, NO_MEMORY.
 */
stet_status staging_read(struct staging *staging, stet_view type, stet_view id,
                         struct store_head *head, struct store_change *row, stet_error *err);

/*
 * Creates or replaces a record of a system type the module owns: a new version, whatever stood there. data: a JSON object the module
 * vouches for, borrowed until the command is destroyed (its arena is the place). source: kept in its history; may be empty.
 * after: out, may be NULL: the new head.
 */
stet_status staging_put(struct staging *staging, stet_view type, stet_view id, stet_view data,
                        stet_view source, struct store_head *after, stet_error *err);

/* Deletes one. What is absent already: STET_OK, nothing is staged. */
stet_status staging_delete(struct staging *staging, stet_view type, stet_view id, stet_view source,
                           stet_error *err);

/*
 * Deletes one and lets go of what all its versions said: what stays is who changed it when, and an empty tombstone. What is absent already:
 * STET_OK.
 */
stet_status staging_forget(struct staging *staging, stet_view type, stet_view id, stet_error *err);

/*
 * From struct module.decide: decides command->mutations as a plain write's are. What it returns but STET_OK is to be returned: the
 * mutations that were refused say why, and the whole command is refused. Only while nothing is staged, for it may have to wait for a
 * reservation: where staging_is_decided says no (or the command takes a detour), return STET_OK.
 */
stet_status staging_decide(struct staging *staging);
bool staging_is_decided(const struct staging *staging);

/*
 * From struct module.decide, after staging_decide refused: takes back whatever the command has staged, so that the module can stage
 * records that tell of the refusal. With command->keeps_staged set these are stored although the command is answered as refused.
 */
void staging_take_back(struct staging *staging);

/*
 * From struct module.decide only, and only while nothing is staged: the command is to wait until space_wake_held is called with the
 * same tag, or until that monotonic time; then it is decided again, with command->wait_over set in the second case. The order
 * of waiting is kept. The module returns STET_OK after this. STET_BUSY: too many wait already (HELD_COMMANDS_MAX).
 */
stet_status staging_hold(struct staging *staging, uint64_t tag, int64_t until_monotonic,
                         stet_error *err);

/* Lets all that wait for the tag be decided again, in the order they began to wait. From decide, apply, due or command->left. */
void space_wake_held(struct space *space, uint64_t tag);

/* The arena that lives as long as the command being decided. */
static inline struct arena *staging_arena(struct staging *staging) {
    return &staging->command->arena;
}

/* ---- For core -------------------------------------------------------------------------------------------------------- */

/* The change at a seq that is staged in this batch, published or stored. Borrowed until the batch is published, or in the arena. */
stet_status staging_change_at(struct staging *staging, uint64_t seq, struct store_change *row,
                              stet_error *err);

/* The change behind a head, likewise. */
stet_status staging_head_change(struct staging *staging, const struct store_head *head,
                                struct store_change *row, stet_error *err);

/* Whether a mutation's yours equals the head's data. The hashes tell nearly always; equal ones are verified. */
stet_status staging_equals_head(struct staging *staging, const struct mutation *mutation,
                                const struct store_head *head, bool *equal, stet_error *err);

/* Whether a mutation takes its record to another parent. STET_NOT_FOUND: that parent does not live. */
stet_status staging_moves(struct staging *staging, const struct mutation *mutation,
                          const struct store_head *head, bool *moves, stet_error *err);

/* One version of a record, those staged in this batch included, likewise. STET_NOT_FOUND: there is none with this number; STET_PRUNED. */
stet_status staging_version(struct staging *staging, const struct mutation *mutation,
                            const struct store_head *head, uint64_t version,
                            struct store_change *row, stet_error *err);

/* Stages a mutation's result once the modules accept it. merge: provenance, empty for a write onto the head. */
stet_status staging_data(struct staging *staging, struct mutation *mutation, stet_view data,
                         uint64_t hash, stet_view merge, struct store_head *head, stet_error *err);

/* The tombstone of a purge, which carries no data, once the modules accept that the record goes. reason: JSON. */
stet_status staging_purge(struct staging *staging, struct mutation *mutation, stet_view reason,
                          struct store_head *head, stet_error *err);

/* A delete carries the last data, so that filters and permissions still apply to it. */
stet_status staging_tombstone(struct staging *staging, struct mutation *mutation, stet_view merge,
                              struct store_head *head, stet_error *err);

#endif
