/*
 * Plans: the mutations of one command, made on a worker from what was read there, instead of by the caller. What they were made from is
 * checked again when they are decided (struct stet_command.begin), or does not matter because it cannot change (a version).
 */
#ifndef MODULES_TREES_PLAN_H
#define MODULES_TREES_PLAN_H

#include "core/staging.h"
#include "modules/trees/tree.h"

struct plan {
    struct stet_command *command;
    size_t capacity;
};

/* Room for so many mutations; those of an earlier plan for the same command are given up. */
stet_status plan_begin(struct plan *plan, struct stet_command *command, size_t capacity,
                       stet_error *err);

/* A new record, or a new version of one that has this version. data: borrowed as long as the command lives. */
struct mutation *plan_create(struct plan *plan, stet_view type, stet_view id, stet_view data,
                             uint64_t hash);
struct mutation *plan_put(struct plan *plan, stet_view type, stet_view id, uint64_t base,
                          stet_view data, uint64_t hash);
/* last: its data. */
struct mutation *plan_delete(struct plan *plan, const struct store_change *head);

/* A fresh UUIDv7, in the command's arena; empty: out of memory. */
stet_view plan_new_id(struct stet_command *command);

/* Makes an empty command a write whose mutations come later: hop, which is run at once, or after the key was looked up. */
stet_status plan_fill(struct stet_command *command, stet_view key, bool dry_run,
                      stet_status (*hop)(struct stet_command *command, struct store_reader *reader,
                                         stet_error *err),
                      stet_error *err);

/* Whether a tree is still as it was read, for the command at hand: every node in its version, no child more or less. From begin. */
stet_status plan_holds(struct staging *staging, const struct tree *tree, bool *same,
                       stet_error *err);

/* Sends the command to a worker (again). STET_BUSY: often enough. From begin. */
stet_status plan_again(struct stet_command *command,
                       stet_status (*hop)(struct stet_command *command, struct store_reader *reader,
                                          stet_error *err),
                       stet_error *err);

/* What makes two requests with one key the same. */
void plan_hash(struct stet_command *command, const stet_view *parts, size_t count);

#endif
