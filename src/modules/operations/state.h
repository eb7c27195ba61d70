/*
 * The projection's inside: what the files that keep it share (table.c, lane.c, state.c, stage.c, load.c).
 */
#ifndef MODULES_OPERATIONS_STATE_H
#define MODULES_OPERATIONS_STATE_H

#include "modules/operations/internal.h"

/* Also one of before a reset. */
struct operation *operations_find_any(const struct operations *operations, stet_view id);
void operations_add(struct operations *operations, struct operation *operation);
void operations_take_out(struct operations *operations, struct operation *operation);
struct hand *hand_create(const struct operation_record *record);
void operation_free(struct operation *operation);
struct operation *operation_create(stet_view id, const struct operation_record *record);
struct operation_state operation_state_of(const struct operation_record *record, uint64_t version,
                                          uint64_t seq);
struct queue_place operation_place(const struct operation *operation);
void lane_free(struct lane *lane);
void lane_settle(struct operations *operations, struct lane *lane,
                 const struct lane_settings *settings);
void lane_note_load(struct operations *operations, struct lane *lane);
void operation_link_up(struct operations *operations, struct operation *operation);
int64_t operation_eligible_at(const struct operation *operation);
void operation_lease_timer(struct operations *operations, struct operation *operation);
void operation_set(struct operations *operations, struct operation *operation,
                   const struct operation_state *state, struct hand *hand);
stet_status operation_reserve(struct operations *operations, struct operation *operation,
                              const struct operation_record *record, stet_error *err);
void operation_join(struct operations *operations, struct operation *operation);

#endif
