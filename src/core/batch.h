/*
 * A batch: what one commit will make durable, while the sequencer collects it. Parallel arrays, reused from batch to batch; the
 * changes are referenced, so a refused or failed command gives them back by truncation.
 */
#ifndef CORE_BATCH_H
#define CORE_BATCH_H

#include "core/command.h"

struct batch {
    struct change **changes;   /* A reference each. */
    struct store_head *before; /* The record's head before each change. */
    struct store_change *rows; /* Filled when the batch is complete, for the store. */
    uint64_t *hashes;
    size_t change_count;
    size_t change_capacity;
    struct store_key *keys;
    size_t key_count;
    size_t key_capacity;
    struct store_entry *entries; /* Their keys live in the arenas of the commands. */
    uint32_t *entry_next;        /* Beside each: the one staged before it for the same slot, +1. */
    uint32_t *entry_slots;       /* The latest for each hash of (index, key), +1; ENTRY_SLOTS. */
    size_t entry_count;
    size_t entry_capacity;
    struct store_prune *prunes; /* Types borrowed from changes or arenas, as the entries. */
    size_t prune_count;
    size_t prune_capacity;
    size_t entry_mark, prune_mark; /* Where the command at hand began. */
    uint64_t rule_steps;           /* What it may still take to follow its rules of recurrence. */
    uint16_t *key_slots;           /* Open-addressed index into keys, +1; KEY_SLOTS of them. */
    struct stet_command **commands;
    size_t command_count;
    size_t command_capacity;
};

void batch_init(struct batch *batch);
void batch_done(struct batch *batch);
void batch_reset(struct batch *batch);        /* Gives references back. */
void batch_reset_staged(struct batch *batch); /* The same, keeping the commands. */

/* Makes room for one more of each before anything is changed, so that staging cannot fail halfway. */
stet_status batch_reserve(struct batch *batch, stet_error *err);

void batch_add_change(struct batch *batch, struct change *change, const struct store_head *before);
/* Takes back the changes from change_count on, and all entries and prunes of the command at hand. */
void batch_truncate(struct batch *batch, size_t change_count);
/* A command begins: where batch_truncate goes back to. */
void batch_mark(struct batch *batch);
struct change *batch_find_change(const struct batch *batch, uint64_t seq);

void batch_add_key(struct batch *batch, const struct store_key *key);
const struct store_key *batch_find_key(const struct batch *batch,
                                       const uint8_t key[STORE_KEY_BYTES], stet_view actor);

/* Room for so many more, so that adding them cannot fail. */
stet_status batch_reserve_entries(struct batch *batch, size_t count, stet_error *err);
void batch_add_entry(struct batch *batch, const struct store_entry *entry);
stet_status batch_reserve_prune(struct batch *batch, stet_error *err);
void batch_add_prune(struct batch *batch, uint64_t seq, stet_view type);
void batch_add_erase(struct batch *batch, uint64_t seq, stet_view type);

/* What is staged for a key, the latest first: after is what the call before returned, NULL to begin. NULL: there is no other. */
const struct store_entry *batch_find_entry(const struct batch *batch, uint32_t index, stet_view key,
                                           const struct store_entry *after);

/* Room for that many commands, so that taking one from the queue cannot fail. */
stet_status batch_reserve_commands(struct batch *batch, size_t count);
void batch_add_command(struct batch *batch, struct stet_command *command);

#endif
