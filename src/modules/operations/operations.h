/*
 * Operations: requests that wait their turn in lanes, and those who do them. See README.md for the invariants.
 */
#ifndef MODULES_OPERATIONS_OPERATIONS_H
#define MODULES_OPERATIONS_OPERATIONS_H

#include "core/client.h"

extern const struct module operations_module;

/* Each fills an empty command; see the calls of the same names in stet.h. */
stet_status operations_fill_submit(struct stet_command *command,
                                   const stet_operation_request *request, stet_error *err);
stet_status operations_fill_get(struct stet_command *command, stet_view id, stet_error *err);
stet_status operations_fill_list(struct stet_command *command, const stet_operation_list *list,
                                 stet_error *err);
stet_status operations_fill_status(struct stet_command *command, const stet_view *ids, size_t count,
                                   stet_error *err);
stet_status operations_fill_cancel(struct stet_command *command, stet_view id, stet_view reason,
                                   stet_error *err);
stet_status operations_fill_retry(struct stet_command *command, stet_view id, stet_error *err);
stet_status operations_fill_claim(struct stet_command *command, const stet_claim *claim,
                                  stet_error *err);
stet_status operations_fill_progress(struct stet_command *command,
                                     const stet_operation_progress *progress, stet_error *err);
stet_status operations_fill_complete(struct stet_command *command,
                                     const stet_operation_completion *completion, stet_error *err);
stet_status operations_fill_fail(struct stet_command *command,
                                 const stet_operation_failure *failure, stet_error *err);
stet_status lanes_fill_get(struct stet_command *command, stet_view lane, stet_error *err);
stet_status lanes_fill_list(struct stet_command *command, stet_error *err);
stet_status lanes_fill_put(struct stet_command *command, stet_view lane, stet_view settings,
                           stet_base base, stet_error *err);
stet_status lanes_fill_move(struct stet_command *command, stet_view lane, stet_lane_move move,
                            stet_error *err);

stet_status class_parse(stet_view text, stet_class *class_, stet_error *err);

#endif
